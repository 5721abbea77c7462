"""What was evaluated once is played again: with other numbers, and never for another program."""

import copy
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.build import build
from gradproof.core.term import Number, Product
from gradproof.engines.contract import contract
from gradproof.judge import tapes
from gradproof.judge.reference import Data
from gradproof.judge.tapes import Tapes
from tests.blackbox.handwritten import MAKERS, WRITTEN

FINE = contract("numpy", "float32")

QUESTIONS = {
    "enclosure": lambda reference, data: reference.enclosure(data, FINE),
    "least": lambda reference, data: reference.least(data, FINE),
    "several": lambda reference, data: reference.enclosures([halved(data), data], FINE)[1],
}


def halved(data):
    return Data({name: array / 2 for name, array in data.inputs.items()}, data.upstream)


def linear(x: "n d", W: "d k"):
    return np.tanh(x @ W)


def doubled(x: "n d", W: "d k"):
    return np.tanh(2 * (x @ W))


def case_of(paper):
    nothing = {"upstream": None, "wrt": None, "accumulate": None, "timeout": None, "sizes": {}}
    given = {"dtype": "float32", "seed": 0, "engine": "numpy", **nothing}
    case = build(lambda *_: None, None, paper, **given)
    return replace(case, reference=fresh(case.reference))


def fresh(reference):
    """The same reference, of which no tape is known."""
    return replace(reference, tapes=Tapes())


def same(one, two):
    return one.keys() == two.keys() and all(
        np.array_equal(*(np.broadcast_to(part, value[0].shape) for part in parts), equal_nan=True)
        for name, value in one.items()
        for parts in zip(value, two[name], strict=True)
    )


@pytest.fixture
def recorded(monkeypatch):
    """What is evaluated without a tape."""
    seen = []
    record = tapes.record_program
    monkeypatch.setattr(tapes, "record_program", lambda *all_: seen.append(1) or record(*all_))
    return seen


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_other_numbers_are_played_and_have_the_values_of_a_new_evaluation(recorded, ask):
    case = case_of(WRITTEN["attention"].paper)
    found = [ask(case.reference, case.data(k)) for k in range(3)]
    assert len(recorded) == 1 and not same(found[1], found[2])
    for k, one in enumerate(found):
        assert same(one, ask(fresh(case.reference), case.data(k)))


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_the_tape_of_another_paper_is_never_played(ask):
    case, other = case_of(linear), case_of(doubled).reference
    first, data = case.reference, case.data(0)
    changed = replace(first, paper=other.paper, derivation=other.derivation)
    assert changed.tapes is first.tapes
    before, right = ask(first, data), ask(other, data)
    assert not same(before, right)
    assert same(ask(changed, data), right)
    assert same(ask(first, data), before)


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_the_tape_of_the_same_paper_with_another_gradient_is_never_played(ask):
    case = case_of(linear)
    first, data = case.reference, case.data(0)
    steps = tuple(
        replace(step, raw=Product((Number(Fraction(2)), step.raw))) if step.of == "W" else step
        for step in first.derivation.steps
    )
    changed = replace(first, derivation=replace(first.derivation, steps=steps))
    before, after = ask(first, data), ask(changed, data)
    assert np.array_equal(after["W"][0], 2 * before["W"][0])
    assert same(ask(first, data), before)


@pytest.mark.parametrize("how", [{}, {"coarse": True}, {"narrow": True}])
@pytest.mark.parametrize("of", [("torch", "float64"), ("torch", "bfloat16"), ("jax", "float32")])
@pytest.mark.parametrize("name", ["layer_norm", "embedding"])
def test_the_tape_of_another_contract_is_never_played(name, of, how):
    case = case_of(WRITTEN[name].paper)
    reference, data, mine = case.reference, case.data(0), contract(*of)
    right = fresh(reference).enclosure(data, mine, **how)
    for other in (FINE, contract("torch", "float32"), contract("torch", "float16")):
        reference.enclosure(data, other, **how)
    assert same(reference.enclosure(data, mine, **how), right)


def test_the_tape_of_a_contract_with_another_accumulator_is_never_played():
    case = case_of(WRITTEN["layer_norm"].paper)
    reference, data = case.reference, case.data(0)
    coarse = replace(FINE, u_accumulate=Fraction(1, 2**11))
    right = fresh(reference).enclosure(data, coarse)
    assert not same(reference.enclosure(data, FINE), right)
    assert same(reference.enclosure(data, coarse), right)


def test_what_float64_refutes_is_refuted_after_a_check_in_float32():
    written = WRITTEN["layer_norm"]
    function = MAKERS["numpy"](written)

    def wrong(*inputs):
        y, pullback = function(*inputs)
        return y, lambda g: tuple((1 + 2.0**-28) * one for one in pullback(g))

    options = {"reference": written.paper, "engine": "numpy", "battery": False}
    assert gp.check(wrong, dtype="float32", **options).ok  # it is less than a rounding
    report = gp.check(wrong, dtype="float64", diagnose=False, **options)
    assert [row.kind for row in report.rows] == ["agrees", "refuted", "refuted", "refuted"]


def test_a_copy_and_a_pickle_know_no_tapes(recorded):
    case = case_of(linear)
    reference, data = case.reference, case.data(0)
    reference.enclosure(data, FINE)
    for again in (copy.deepcopy(reference.tapes), pickle.loads(pickle.dumps(reference.tapes))):
        recorded.clear()
        replace(reference, tapes=again).enclosure(data, FINE)
        assert len(recorded) == 1


def test_what_cannot_be_taped_is_recorded_once_and_evaluated_then(recorded):
    def picked(E: "v d", i: "n, index v", j: "n, index v"):
        return np.tanh(E[i] + E[j])

    case = case_of(picked)
    found = [case.reference.enclosure(case.data(k), FINE) for k in range(3)]
    assert len(recorded) == 1 and not same(found[0], found[1])
    for k, one in enumerate(found):
        assert same(one, fresh(case.reference).enclosure(case.data(k), FINE))


def test_checks_in_turn_record_nothing_again(recorded):
    written = WRITTEN["linear"]
    counts = []
    for _ in range(3):
        recorded.clear()
        for engine, dtype in (("numpy", "float32"), ("numpy", "float64"), ("torch", "float32")):
            function = MAKERS[engine](written)
            assert gp.check(function, reference=written.paper, engine=engine, dtype=dtype).ok
        counts.append(len(recorded))
    assert counts[1:] == [0, 0]
