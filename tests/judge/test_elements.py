"""Equations are the same between elements exactly if every combination has one coefficient."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradproof.core.index import Affine, Index, affine, at, shift
from gradproof.core.program import Equation, Program
from gradproof.core.term import Add, Bracket, Number, Product, Read, Sum, substitute
from gradproof.engines.double import Double
from gradproof.engines.evaluate import evaluate
from gradproof.judge.elements import same_elements

P, I, R, N = Index(0, 6), Index(1, 4), Index(2, 3), Index(3, "n")


def full(term, over):
    return Equation("y", (P,), Sum(over, term))


SPREAD = full(
    Product((Read("a", (at(I),)), Read("w", (at(R),)), Bracket("==", affine({I: 1, R: 1, P: -1})))),
    (I, R),
)
MOVED = Read("a", (affine({P: 1, R: -1}),))
INSIDE = (Bracket(">=", affine({P: 1, R: -1})), Bracket(">=", affine({P: -1, R: 1}, 3)))
SOLVED = full(Product((MOVED, Read("w", (at(R),)), *INSIDE)), (R,))
BACKWARDS = full(
    Product(
        (
            Read("a", (affine({P: 1, R: 1}, -2),)),
            Read("w", (affine({R: -1}, 2),)),
            Bracket(">=", affine({P: 1, R: 1}, -2)),
            Bracket(">=", affine({P: -1, R: -1}, 5)),
        )
    ),
    (R,),
)
NOT_TURNED = full(
    Product(
        (BACKWARDS.term.body.factors[0], Read("w", (at(R),)), *BACKWARDS.term.body.factors[2:])
    ),
    (R,),
)
ONE_TOO_FEW = full(
    Product((MOVED, Read("w", (at(R),)), INSIDE[0], Bracket(">=", affine({P: -1, R: 1}, 2)))), (R,)
)


def test_three_ways_to_write_a_full_convolution_are_the_same():
    assert same_elements(SPREAD, SOLVED)
    assert same_elements(SPREAD, BACKWARDS)


@pytest.mark.parametrize("wrong", [NOT_TURNED, ONE_TOO_FEW])
def test_a_mistake_in_it_is_seen(wrong):
    assert same_elements(SPREAD, wrong) is False


def test_a_coefficient_counts():
    twice = Equation("y", (P,), Product((Number(Fraction(2)), SOLVED.term)))
    assert same_elements(twice, SOLVED) is False
    assert same_elements(twice, Equation("y", (P,), Add((SOLVED.term, SPREAD.term))))


def test_sums_that_read_nothing_multiply():
    """Two sums over conditions alone are a product of two counts, and not one of them."""
    one = Sum((I,), Bracket(">=", shift(at(I), -1)))
    read = Read("a", (Affine((), 0),))
    once, both = (Equation("y", (), Product((read, *(one,) * k))) for k in (1, 2))
    assert same_elements(once, both) is False


def test_a_symbol_may_stand_alone():
    def summed(order):
        reads = {name: Read(name, (at(N), at(I))) for name in "ab"}
        return Equation("y", (), Sum((N, I), Product(tuple(reads[name] for name in order))))

    assert same_elements(summed("ab"), summed("ba"))
    ahead = Equation("y", (), Sum((N,), Read("a", (shift(at(N), 1),))))
    assert same_elements(ahead, ahead) is None


@st.composite
def sums(draw):
    """Sums of products over shifted indices of two tensors, within these by their conditions."""
    terms = []
    for _ in range(draw(st.integers(1, 2))):
        i, r = Index(10, draw(st.integers(1, 3))), Index(11, draw(st.integers(1, 3)))
        p = Index(0, 3)
        steps = st.integers(-2, 2)
        places = [
            affine({p: draw(steps), i: draw(steps), r: draw(steps)}, draw(steps)) for _ in range(2)
        ]
        conditions = [
            Bracket(">=", one)
            for place in places
            for one in (place, affine({v: -c for v, c in place.terms}, 3 - place.constant))
        ]
        if draw(st.booleans()):
            conditions.append(Bracket("==", affine({p: 1, i: draw(steps), r: draw(steps)})))
        reads = [Read(name, (place,)) for name, place in zip("ab", places, strict=True)]
        terms.append(Sum((i, r), Product((*reads, *conditions))))
    return Equation("y", (Index(0, 3),), Add(tuple(terms)) if len(terms) > 1 else terms[0])


def value(equation):
    random = np.random.default_rng(0)
    double = Double()
    tensors = {name: double.lift(random.normal(size=4)) for name in "ab"}
    return evaluate(Program((), (equation,), ()), tensors, {}, double)["y"][0]


def equal_values(one, other):
    # Sums of at most 18 products of numbers below 10, exact but for a few roundings.
    return bool(np.all(np.abs(value(one) - value(other)) < 1e-9))


def reversed_sums(term):
    """The same sums, each of their indices counted from the end."""
    match term:
        case Add(terms):
            return Add(tuple(map(reversed_sums, terms)))
        case Sum(over, body):
            return Sum(over, substitute(body, {i: affine({i: -1}, i.size - 1) for i in over}))


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(one=sums(), other=sums())
def test_equal_coefficients_are_equal_values(one, other):
    assert same_elements(one, Equation("y", one.free, reversed_sums(one.term)))
    assert not same_elements(one, other) or equal_values(one, other)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(one=sums(), spot=st.integers(0, 3))
def test_a_condition_stricter_by_one_is_seen_where_it_matters(one, spot):
    def moved(term):
        match term:
            case Add((first, *rest)):
                return Add((moved(first), *rest))
            case Sum(over, Product(factors)):
                one = factors[2 + spot]
                changed = Bracket(one.relation, shift(one.position, -1))
                return Sum(over, Product((*factors[: 2 + spot], changed, *factors[3 + spot :])))

    other = Equation("y", one.free, moved(one.term))
    found = same_elements(one, other)
    assert not found or equal_values(one, other)
    assert found or not equal_values(one, other)
