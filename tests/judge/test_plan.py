"""A stage that is judged by a plan is judged as one without: to the last bit."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gradproof.bench import bench_of
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.engine import load
from gradproof.engines.tape import Tape
from gradproof.gallery.catalogue import find, names
from gradproof.judge import rows
from gradproof.judge.generic import draw
from gradproof.judge.plan import Plans, plan_of
from gradproof.judge.stage import evaluated
from gradproof.judged import judged
from gradproof.trace.source import Source
from gradproof.workbench import read

ENGINE = load("numpy")
NETWORKS = [name for name in names() if name != "gpt_block"]  # which others have the parts of
LARGEST = {"rnn": {"T": 3}, "lstm": {"T": 2}, "stacked_rnn": {"T": 2}}


@cache
def network(name):
    return read(Source(name, find(name).forward), {}, LARGEST.get(name, {}))


def bench(name, dtype, seed, change=lambda array: array):
    traced, sizes = network(name)
    arrays = draw(traced.signature, sizes, {}, dtype, seed)
    given = {n: change(a) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    return bench_of(name, traced, ENGINE, dtype, sizes, given, {})


def with_zeros(array):
    """Some elements are nothing and some subnormal, so that an arithmetic decides otherwise."""
    changed = array.copy().reshape(-1)
    changed[::3] *= 0
    changed[1::5] *= np.finfo(array.dtype).tiny / 8
    return changed.reshape(array.shape)


def said(found):
    """All verdicts; what is not known is NaN, which equals nothing."""
    return repr((found.forward, found.gradients))


def stages(found):
    traced = found.traced
    return [*traced.paper.forward.equations, *traced.uncollected]


def values(found, ball, known):
    """What every stage is exactly, block by block, by plans."""
    with np.errstate(all="ignore"):
        for equation in stages(found):
            plan = plan_of(equation, found.operands, found.sizes, known)
            for _, value in plan.blocks(found.operands, ball):
                yield equation, value


@pytest.mark.parametrize("name", NETWORKS)
def test_other_numbers_by_a_tape_are_those_of_an_evaluation(name):
    dtype = ("float32", "float64")[len(name) % 2]
    known = {}
    list(values(bench(name, dtype, 0), Ball(contract("numpy", dtype), remembers=True), known))
    taped = [t for plan in known.values() for t in plan._tapes.values() if isinstance(t, Tape)]
    assert len(taped) >= len(known) / 2
    for change in (lambda array: array, with_zeros):
        found = bench(name, dtype, 1, change)
        ball = Ball(contract("numpy", dtype), remembers=True)
        for equation, value in values(found, ball, known):
            with np.errstate(all="ignore"):
                wanted = evaluated(equation, found.operands, found.sizes, Ball(ball.contract))
            for part, other in zip(value, wanted, strict=True):
                assert np.array_equal(part, other, equal_nan=True), equation.target
                assert np.shape(part) == np.shape(other)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", ["fnn", "rms_norm", "softmax_regression", "embedding", "max_pool"])
def test_verdicts_are_the_same_also_on_what_is_wrong(name, dtype):
    plans = Plans()
    first = bench(name, dtype, 0)
    assert said(judged(first, plans)) == said(judged(first))
    found = bench(name, dtype, 1)
    for factor in (1.0001, 1.5):
        for of in found.traced.derivation.gradients:
            gradient = found.run.gradients[of]
            wrong = {**found.run.gradients, of: (gradient * factor).astype(gradient.dtype)}
            other = replace(found, run=replace(found.run, gradients=wrong))
            planned = judged(other, plans)
            assert said(planned) == said(judged(other))
            if factor == 1.5 and np.any(gradient) and dtype != "float16":
                kinds = {g.name: g.engine_verdict.kind for g in planned.gradients}
                assert kinds[of] in ("refuted", "undecided")


def test_blocks_of_rows_have_tapes_of_their_own(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 8)
    plans = Plans()
    first, second = bench("fnn", "float32", 0), bench("fnn", "float32", 1)
    judged(first, plans)
    known = plans.at(first.sizes)
    assert max(len(plan._tapes) for plan in known.values()) > 1
    assert said(judged(second, plans)) == said(judged(second))


def test_nothing_is_evaluated_again(monkeypatch):
    plans = Plans()
    judged(bench("fnn", "float32", 0), plans)
    found = bench("fnn", "float32", 1)
    monkeypatch.setattr("gradproof.judge.plan.evaluate_equation", None)
    monkeypatch.setattr("gradproof.judge.plan.record", None)
    assert all(one.engine_verdict.kind == "agrees" for one in judged(found, plans).gradients)


def test_operands_of_other_shapes_get_another_plan():
    traced, sizes = network("fnn")
    found = bench("fnn", "float32", 0)
    known = {}
    equation = traced.paper.forward.equations[0]
    plan = plan_of(equation, found.operands, sizes, known)
    assert plan_of(equation, found.operands, sizes, known) is plan
    other = {name: array[:1] if array.ndim else array for name, array in found.operands.items()}
    assert plan_of(equation, other, sizes, known) is not plan


def test_plans_are_kept_for_a_few_sizes():
    plans = Plans()
    first = plans.at({"n": 1})
    assert plans.at({"n": 1}) is first
    for n in range(2, 20):
        plans.at({"n": n})
    assert plans.at({"n": 1}) is not first
