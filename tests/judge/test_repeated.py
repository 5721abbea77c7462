"""What an index names often is added up often: the bound of a stage counts the additions."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, at
from gradproof.core.normal import add, product
from gradproof.core.program import Equation
from gradproof.core.term import Compare, Read, Sum
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.dtype import in_dtype
from gradproof.judge.stage import judge_stage

N, V, D = (Index(n, size) for n, size in enumerate("nvd"))
PICKED = product(
    Compare("==", Read("idx", (at(N),)), Read("range(v)", (at(V),))),
    Read("g", (at(N), at(D))),
)
ROWS = Equation("dE", (V, D), Sum((N,), PICKED))
ON_TOP = Equation("dE", (V, D), add(Read("b", (at(V), at(D))), Sum((N,), PICKED)))
SIZES = {"n": 200, "v": 3, "d": 4}
LOW = [pair for pair in CONTRACTS if pair[1] in ("bfloat16", "float16")]


def added_up(idx, g, start, dtype, order):
    """Row by row, every partial sum rounded to the dtype."""
    total = start.astype(np.float64)
    for n in order:
        total[idx[n]] = in_dtype(total[idx[n]] + g[n].astype(np.float64), dtype)
    return in_dtype(total, dtype)


def case(dtype, seed):
    random = np.random.default_rng(seed)
    idx = random.integers(0, 3, 200)
    g = in_dtype(random.normal(1.0, 0.5, (200, 4)), dtype)
    b = in_dtype(random.normal(0.0, 100.0, (3, 4)), dtype)
    return {"idx": idx, "g": g, "b": b, "range(v)": np.arange(3)}, random


def judged(equation, computed, operands, engine, dtype):
    return judge_stage(equation, computed, operands, SIZES, CONTRACTS[engine, dtype], None)


@pytest.mark.parametrize(("engine", "dtype"), LOW)
def test_rows_stored_after_every_addition_are_never_refuted(engine, dtype):
    used = 0.0
    for seed in range(50):
        operands, random = case(dtype, seed)
        idx, g, nothing = operands["idx"], operands["g"], np.zeros((3, 4))
        for order in (range(200), random.permutation(200), np.argsort(np.abs(g[:, 0]))):
            for equation, start in ((ROWS, nothing), (ON_TOP, operands["b"])):
                computed = added_up(idx, g, start, dtype, order)
                verdict = judged(equation, computed, operands, engine, dtype)
                assert verdict.kind != "refuted", (seed, verdict)
                used = max(used, verdict.share)
    assert used > 0.02  # and the bound is not a wide one


def test_the_bound_counts_the_additions_of_each_row_and_not_all():
    operands, _ = case("float16", 0)
    operands["idx"][:] = np.arange(200) % 2
    operands["idx"][7] = 2
    computed = added_up(operands["idx"], operands["g"], np.zeros((3, 4)), "float16", range(200))
    assert judged(ROWS, computed, operands, "torch", "float16").kind == "agrees"
    computed[2] += np.float16(0.01)
    verdict = judged(ROWS, computed, operands, "torch", "float16")
    assert (verdict.kind, verdict.worst[0]) == ("refuted", 2)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("equation", [ROWS, ON_TOP])
def test_one_row_left_out_is_refuted(engine, equation):
    for seed in range(20):
        operands, _ = case("float32", seed)
        start = np.zeros((3, 4)) if equation is ROWS else operands["b"]
        whole = added_up(operands["idx"], operands["g"], start, "float32", range(200))
        assert judged(equation, whole, operands, engine, "float32").kind == "agrees"
        short = added_up(operands["idx"], operands["g"], start, "float32", range(199))
        assert judged(equation, short, operands, engine, "float32").kind == "refuted"


@pytest.mark.parametrize(("engine", "dtype"), CONTRACTS)
def test_no_engine_is_refuted_for_what_it_adds_up_in_its_own_dtype(engine, dtype):
    def rows(E: "v 4", idx: "n, index v", c: "4, data"):
        e = E[idx]
        return np.sum(c * e)

    def twice(E: "v 4", idx: "n, index v", jdx: "m, index v", g: "n 4, data"):
        e = E[idx]
        f = E[jdx]
        return np.sum(g * e) + np.sum(f**2)

    for network, sizes in ((rows, {"n": 300, "v": 2}), (twice, {"n": 200, "m": 7, "v": 3})):
        for seed in range(3):
            report = gp.verify(network, None, None, engine, dtype, seed, sizes=sizes)
            verdict = report["E"].engine_verdict
            assert verdict.kind == "agrees" or verdict.because.startswith("no signal"), verdict
