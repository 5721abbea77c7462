"""The finite fields and their random functions obey the laws that proofs stand on."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradproof.engines import field
from gradproof.engines.field import PRIME, PrimeField, QuadraticField, UnluckyPoint
from gradproof.engines.modular import Modular
from gradproof.engines.tower import Tower

RESIDUES = st.one_of(
    st.integers(0, PRIME - 1), st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**60, PRIME - 1])
)
KEY = b"one key for all"


def array(*numbers):
    return np.array(numbers, dtype=np.uint64)


@given(RESIDUES, RESIDUES)
def test_residues_are_added_subtracted_and_multiplied_as_integers_are(x, y):
    assert int(field.plus(array(x), array(y))[0]) == (x + y) % PRIME
    assert int(field.minus(array(x), array(y))[0]) == (x - y) % PRIME
    assert int(field.times(array(x), array(y))[0]) == x * y % PRIME


@given(st.lists(RESIDUES, min_size=1, max_size=50))
def test_a_sum_of_residues_does_not_overflow(numbers):
    assert int(field.summed(array(*numbers), (0,))) == sum(numbers) % PRIME


@given(RESIDUES, RESIDUES)
def test_an_inverse_undoes_a_product(x, y):
    quadratic = QuadraticField()
    if x or y:
        z = (array(x), array(y))
        one = quadratic.multiply(z, quadratic.inverse(z))
        assert (int(one[0][0]), int(one[1][0])) == (1, 0)


@given(RESIDUES)
def test_every_residue_has_a_root_in_the_quadratic_field(x):
    quadratic = QuadraticField()
    root = quadratic.root(quadratic.embed(array(x)))
    square = quadratic.multiply(root, root)
    assert (int(square[0][0]), int(square[1][0])) == (x, 0)


def test_half_of_the_residues_have_no_root_among_themselves():
    without = 0
    for x in range(2, 402):
        try:
            PrimeField().root(array(x))
        except UnluckyPoint:
            without += 1
    assert 150 < without < 250


@pytest.mark.parametrize("machine", [Modular(KEY), Modular(KEY, QuadraticField()), Tower(KEY)])
def test_the_random_exponential_obeys_the_laws_of_exp(machine):
    z = machine.draw((3,), "z")
    minus = machine.multiply(machine.number(Fraction(-1)), z)
    product = machine.multiply(machine.elementary("exp", z), machine.elementary("exp", minus))
    assert all(np.all(part == (k == 0)) for k, part in enumerate(product[:1]))
    (first, *_) = machine.elementary("exp", machine.number(Fraction(0)))
    assert int(first) == 1
    (again, *_) = machine.elementary("log", machine.elementary("exp", z))
    assert np.all(again == z[len(z) - len(machine.elementary("exp", z)) if len(z) > 2 else 0])


def test_in_the_tower_the_exponential_of_a_sum_is_the_product():
    tower = Tower(KEY)
    a, b = tower.draw((4,), "a"), tower.draw((4,), "b")
    left = tower.elementary("exp", tower.add([a, b]))
    right = tower.multiply(tower.elementary("exp", a), tower.elementary("exp", b))
    assert all(np.all(x == y) for x, y in zip(left, right, strict=True))


@pytest.mark.parametrize("machine", [Modular(KEY), Tower(KEY)])
def test_steps_of_opposite_numbers_add_up_to_one(machine):
    z = machine.draw((5,), "z")
    zero = machine.number(Fraction(0))
    steps = machine.add([machine.compare(">", z, zero), machine.compare(">", zero, z)])
    assert all(np.all(part == 1) for part in steps)


@pytest.mark.parametrize("machine", [Modular(KEY), Tower(KEY)])
def test_the_choices_of_a_row_add_up_to_one_and_give_its_largest(machine):
    rows = machine.draw((2, 4), "rows")
    top = machine.largest(rows, 1)
    chosen = machine.compare("==", rows, tuple(part[:, None] for part in top))
    assert all(np.all(part == 1) for part in machine.total(chosen, (1,)))
    again = machine.total(machine.multiply(rows, chosen), (1,))
    assert all(np.all(x == y) for x, y in zip(again, top, strict=True))


def test_a_number_is_the_exact_rational():
    machine = Modular(KEY)
    third = machine.number(Fraction(1, 3))
    assert int(machine.multiply(third, machine.number(Fraction(3)))[0]) == 1
    assert int(machine.multiply(machine.lift(np.array(0.375)), machine.number(Fraction(8)))[0]) == 3
