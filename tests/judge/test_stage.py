"""A verdict says whether it could have seen anything."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, at
from gradproof.core.program import Equation
from gradproof.core.term import Product, Read, Sum
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.dtype import in_dtype
from gradproof.judge.stage import judge_enclosed, judge_stage

I, J, K = (Index(n, size) for n, size in enumerate(("i", "j", "k")))
PRODUCT = Equation(
    "c", (I, K), Sum((J,), Product((Read("a", (at(I), at(J))), Read("b", (at(J), at(K))))))
)
COLUMNS = Equation("s", (J,), Sum((I,), Read("a", (at(I), at(J)))))


def product(a, b, c, engine="torch", dtype="float32"):
    sizes = {"i": a.shape[0], "j": a.shape[1], "k": b.shape[1]}
    return judge_stage(PRODUCT, c, {"a": a, "b": b}, sizes, CONTRACTS[engine, dtype], None)


def drawn(*shape, dtype="float32", seed=0):
    return in_dtype(np.random.default_rng([seed, *shape]).normal(size=shape), dtype)


@pytest.mark.parametrize("size", [5, 160])  # 160: too large for Arb
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_element_a_thousandth_off_is_refuted(dtype, size):
    a, b = drawn(size, size, dtype=dtype), drawn(size, size, dtype=dtype, seed=1)
    c = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)
    assert product(a, b, c, dtype=dtype).kind == "agrees"
    worst = np.unravel_index(np.argmax(np.abs(c)), c.shape)
    c[worst] *= 1.001
    verdict = product(a, b, c, dtype=dtype)
    assert (verdict.kind, verdict.worst) == ("refuted", worst)


def test_the_index_is_right_where_the_product_is_transposed():
    a, b = drawn(3, 7), drawn(7, 5, seed=1)
    turned = Equation("c", (K, I), PRODUCT.term)
    c = (a @ b).T.copy()
    c[4, 1] += 1
    sizes = {"i": 3, "j": 7, "k": 5}
    verdict = judge_stage(turned, c, {"a": a, "b": b}, sizes, CONTRACTS["torch", "float32"], None)
    assert (verdict.kind, verdict.worst) == ("refuted", (4, 1))


def test_a_product_that_cancels_has_no_signal():
    a = drawn(4, 6) * np.float32(1e4)
    a = np.concatenate([a, -a], axis=1)
    b = np.concatenate([drawn(6, 3, seed=1)] * 2)
    b[0] += np.float32(1e-6)
    c = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)
    verdict = product(a, b, c)
    assert (verdict.kind, verdict.power) == ("undecided", 0.0)
    assert verdict.because.startswith("no signal")


def test_more_terms_than_a_dtype_can_count_are_undecided_and_never_refuted():
    a = drawn(2000, 3, dtype="bfloat16")
    total = np.zeros(3)
    for row in a.astype(np.float64):
        total = in_dtype(total + row, "bfloat16").astype(np.float64)
    computed = in_dtype(total, "bfloat16")
    sizes = {"i": 2000, "j": 3}
    verdict = judge_stage(COLUMNS, computed, {"a": a}, sizes, CONTRACTS["jax", "bfloat16"], None)
    assert verdict.kind == "undecided"


def test_zeros_that_must_be_zero_agree():
    a, b = drawn(4, 6), np.zeros((6, 3), np.float32)
    verdict = product(a, b, np.zeros((4, 3), np.float32))
    assert (verdict.kind, verdict.power) == ("agrees", 1.0)
    b[:, 0] = 1
    assert product(a, b, (a @ b).astype(np.float32)).kind == "agrees"
    wrong = np.zeros((4, 3), np.float32)
    wrong[1, 2] = 1e-20
    assert product(a, np.zeros((6, 3), np.float32), wrong).kind == "refuted"


def test_an_enclosure_wider_than_the_bound_refutes_nothing_that_may_be_right():
    """In float64 the exact tensor is enclosed no better than an engine computes it."""
    exact = drawn(4, 5, dtype="float64")
    u = 2.0**-53 * np.abs(exact)
    contract = CONTRACTS["torch", "float64"]
    for enclosure, truth, expected in (
        ((exact, 9 * u, 4 * u), None, "undecided"),
        ((exact, 9 * u, 4 * u), (exact, 0 * u, 1e-9 * u), "agrees"),
        ((exact, 1 * u, 4 * u), (exact, 0 * u, 9 * u), "agrees"),
    ):
        assert judge_enclosed(exact, enclosure, contract, truth).kind == expected
    wrong = exact.copy()
    wrong[2, 1] *= 1 + 2.0**-48
    for truth in (None, (exact, 0 * u, 1e-9 * u)):
        verdict = judge_enclosed(wrong, (exact, 9 * u, 4 * u), contract, truth)
        assert (verdict.kind, verdict.worst) == ("refuted", (2, 1))


def test_nothing_agrees():
    assert product(drawn(0, 3), drawn(3, 2), np.zeros((0, 2), np.float32)).kind == "agrees"


def dead(x: "n 3", W: "3 4", y: "n 4, data"):
    z = np.maximum(x @ W - 50, 0)
    return np.sum((z - y) ** 2)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_gradients_that_are_exactly_zero_agree(engine, dtype):
    report = gp.verify(dead, engine=engine, dtype=dtype)
    assert {row.engine_verdict.kind for row in report.batches[0].gradients} == {"agrees"}
    assert not report["W"].engine.any()


def far(x: "n k", y: "n k, data"):
    return np.sum(gp.logsumexp(x) - np.sum(y * x, axis=1))


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("shift", [300.0, -5000.0])
def test_a_logsumexp_of_large_numbers_is_not_refuted(engine, shift):
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(6, 5)) + shift, "y": random.normal(size=(6, 5))}
    row = gp.verify(far, inputs=data, engine=engine).batches[0].gradients[0]
    assert row.engine_verdict.kind == "agrees"
    # PyTorch multiplies by exp(x − logsumexp(x)), whose rounding is that of a large number.
    assert (row.engine_verdict.digits < 6.0) == (engine == "torch")


def test_a_number_that_nobody_knows_is_not_forgotten_over_later_ones():
    count = 100_000  # several blocks
    middle = np.ones(count)
    middle[7] = np.nan
    enclosure = (middle, np.zeros(count), np.full(count, 1e-3))
    verdict = judge_enclosed(np.ones(count), enclosure, CONTRACTS["torch", "float64"], None)
    assert (verdict.kind, verdict.worst) == ("undecided", (7,))
