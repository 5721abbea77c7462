"""Formulas with masks, absolute values and choices are proved by cases, and only if all hold."""

import inspect

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, at
from gradproof.core.monomials import same
from gradproof.core.term import ZERO, Apply, Compare, Number, Product, Read, Term
from gradproof.judge.pieces import PIECEWISE, TIES, masked

AXIS = (Index(0, "n"),)


def read(name: str) -> Term:
    return Read(name, (at(AXIS[0]),))


def verdict(forward, backward, of):
    return gp.verify(forward, backward, engine="numpy")[of].formula_verdict


def absolute(x: "n d", u: "n d, data"):
    a = np.abs(x)
    return np.sum(u * a * x)


def squared_relu(x: "n d", W: "d k", u: "n k, data"):
    z = x @ W
    a = gp.relu(z)
    return np.sum(u * a**2) / 2


def huber(r: "n d"):
    return np.sum(np.where(np.abs(r) <= 1, 0.5 * r * r, np.abs(r) - 0.5))


TRUE = {
    "2|x|": (absolute, "x", lambda x, u: 2 * u * np.abs(x)),
    "2x²/|x| by cases": (absolute, "x", lambda x, u: 2 * u * np.where(x > 0, x, -x)),
    "z[a > 0]": (squared_relu, "z", lambda z, u, a: u * z * (a > 0)),
    "max(z, 0)": (squared_relu, "z", lambda z, u: u * np.maximum(z, 0)),
    "max(0, z)": (squared_relu, "z", lambda z, u: u * np.maximum(0, z)),
    "−min(−z, 0)": (squared_relu, "z", lambda z, u: -u * np.minimum(-z, 0)),
    "(z + |z|)/2": (squared_relu, "z", lambda z, u: u * (z + np.abs(z)) / 2),
    "z where not z < 0": (squared_relu, "z", lambda z, u: u * np.where(z < 0, 0 * z, z)),
    "z where 2z > 0": (squared_relu, "z", lambda z, u: u * z * (2 * z > 0)),
    "sign outside": (huber, "r", lambda r: np.where(np.abs(r) <= 1, r, 2 * (r > 0) - 1)),
}

FALSE = {
    "2x": (absolute, "x", lambda x, u: 2 * u * x),
    "|2x| + x − |x|": (absolute, "x", lambda x, u: u * (2 * np.abs(x) + x - np.abs(x))),
    "z[z < 0]": (squared_relu, "z", lambda z, u: u * z * (z < 0)),
    "|z|": (squared_relu, "z", lambda z, u: u * np.abs(z)),
    "z[z > 1]": (squared_relu, "z", lambda z, u: u * z * (z > 1)),
    "sign inside": (huber, "r", lambda r: np.where(np.abs(r) <= 1, 2 * (r > 0) - 1, r)),
}


@pytest.mark.parametrize("name", TRUE)
def test_what_holds_in_every_case_is_proved(name):
    forward, of, formula = TRUE[name]
    found = verdict(forward, _claim(of, formula), of)
    assert (found.kind, found.method) == ("proved", "normal form")
    assert set(found.hypotheses) <= {TIES}


@pytest.mark.parametrize("name", FALSE)
def test_what_fails_in_one_case_is_refuted(name):
    forward, of, formula = FALSE[name]
    assert verdict(forward, _claim(of, formula), of).kind == "refuted"


def _claim(of, formula):
    def backward(**given):
        return {f"dl_d{of}": formula(**given)}

    backward.__signature__ = inspect.signature(formula)
    return backward


def test_all_and_only_polynomials_by_cases_are_piecewise():
    assert {"relu", "abs", "maximum", "minimum", "where"} <= PIECEWISE
    assert not {"sigmoid", "tanh", "exp", "log", "sqrt"} & PIECEWISE


def test_opposite_comparisons_add_up_to_one_but_for_ties():
    x, y = read("x"), read("y")
    over, under = masked(Compare(">", x, y), apart=True), masked(Compare(">", y, x), apart=True)
    assert {over.ties, under.ties} == {False, True}
    one = masked(Compare(">=", x, y), apart=True)
    assert one.ties == under.ties
    assert same(AXIS, one.term, AXIS, over.term) is True  # under no ties


def test_a_negative_factor_turns_a_comparison_round():
    x = read("x")
    twice = masked(Compare(">", Product((Number(-2), x)), ZERO), apart=True)
    plain = masked(Compare(">", x, ZERO), apart=True)
    assert twice.ties
    assert not plain.ties
    assert same(AXIS, twice.term, AXIS, plain.term) is False


def test_without_a_hypothesis_a_comparison_is_not_turned_round():
    x = read("x")
    for one, other in [(">", "<"), (">=", ">")]:
        left = {">": Compare(">", x, ZERO), ">=": Compare(">=", x, ZERO)}[one]
        right = {"<": Compare(">", ZERO, x), ">": Compare(">", x, ZERO)}[other]
        two = masked(left, apart=False), masked(right, apart=False)
        assert not two[0].ties
        assert not two[1].ties
        assert same(AXIS, two[0].term, AXIS, two[1].term) is False


def test_a_mask_inside_a_comparison_comes_out():
    z = read("z")
    nested = masked(Compare(">", Apply("relu", (z,)), ZERO), apart=True).term
    assert same(AXIS, nested, AXIS, Compare(">", z, ZERO)) is True


def linear(x: "n d", W: "d k", u: "n k, data"):
    z = x @ W
    return np.sum(u * z)


@pytest.mark.parametrize(
    "formula",
    [
        lambda z, u: u * (z > 0) / (z > 0),
        lambda z, u: u * np.sqrt(z) / np.sqrt(z),
        lambda z, u: u * np.log(z) / np.log(z),
    ],
)
def test_a_claim_that_has_no_value_at_the_input_is_not_proved(formula):
    found = verdict(linear, _claim("z", formula), "z")
    assert found.kind == "undecided"
    assert "no value at (0, 1)" in found.because
