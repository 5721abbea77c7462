"""The finite fields and their random functions obey the laws that proofs stand on."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradproof.engines.field import (
    BITS,
    PrimeField,
    QuadraticField,
    UnluckyPoint,
    random_prime,
)
from gradproof.engines.modular import Modular
from gradproof.engines.tower import Tower

PRIMES = (random_prime(b"one"), 2**BITS - 129, 2**50 + 55)
"""A random one, and the largest and the smallest that are possible."""
RESIDUES = st.one_of(
    st.integers(0, 2**BITS), st.sampled_from([0, 1, 2**26 - 1, 2**26, 2**50, 2**BITS - 130])
)
KEY = b"one key for all"


def array(*numbers):
    return np.array(numbers, dtype=np.uint64)


def test_primes_are_three_modulo_four_and_differ_from_key_to_key():
    primes = [random_prime(b"%d" % k) for k in range(50)]
    assert len(set(primes)) == 50
    assert all(flint.fmpz(p).is_prime() and p % 4 == 3 for p in (*primes, *PRIMES))
    assert all(2 ** (BITS - 1) < p < 2**BITS for p in primes)


@pytest.mark.parametrize("p", PRIMES)
@given(RESIDUES, RESIDUES)
def test_residues_are_added_subtracted_and_multiplied_as_integers_are(p, x, y):
    field, x, y = PrimeField(p), x % p, y % p
    assert int(field.plus(array(x), array(y))[0]) == (x + y) % p
    assert int(field.minus(array(x), array(y))[0]) == (x - y) % p
    assert int(field.times(array(x), array(y))[0]) == x * y % p


@pytest.mark.parametrize("p", PRIMES)
def test_products_at_the_edge_of_a_quotient_are_right(p):
    # q·p + r as a product of two residues, with r near 0 and near p: where a quotient may be off.
    near = [x for d in range(1, 60) for x in (d, p - d, p // d, p // d + 1, 2**50 // d)]
    x, y = (grid.reshape(-1) for grid in np.meshgrid(array(*near), array(*near)))
    exact = [int(a) * int(b) % p for a, b in zip(x, y, strict=True)]
    assert PrimeField(p).times(x, y).tolist() == exact


@given(st.lists(RESIDUES, min_size=1, max_size=50), st.sampled_from([1, 100, 1000]))
def test_a_sum_of_residues_does_not_overflow(numbers, repeated):
    p = PRIMES[1]
    residues = [x % p for x in numbers] * repeated
    assert int(PrimeField(p).summed(array(*residues), (0,))) == sum(residues) % p


@given(RESIDUES, RESIDUES)
def test_an_inverse_undoes_a_product(x, y):
    quadratic = QuadraticField(PRIMES[0])
    x, y = x % quadratic.prime, y % quadratic.prime
    if x or y:
        z = (array(x), array(y))
        one = quadratic.multiply(z, quadratic.inverse(z))
        assert (int(one[0][0]), int(one[1][0])) == (1, 0)


@given(RESIDUES)
def test_every_residue_has_a_root_in_the_quadratic_field(x):
    quadratic = QuadraticField(PRIMES[0])
    x %= quadratic.prime
    root = quadratic.root(quadratic.embed(array(x)))
    square = quadratic.multiply(root, root)
    assert (int(square[0][0]), int(square[1][0])) == (x, 0)


def test_half_of_the_residues_have_no_root_among_themselves():
    without = 0
    for x in range(2, 402):
        try:
            PrimeField(PRIMES[0]).root(array(x))
        except UnluckyPoint:
            without += 1
    assert 150 < without < 250


@pytest.mark.parametrize("machine", [Modular(KEY), Modular(KEY, rooted=True), Tower(KEY)])
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


def two_steps(machine):
    """``[z > 0] + [0 > z]`` and ``[z > 0] + [0 ≥ z]``."""
    z = machine.draw((5,), "z")
    zero = machine.number(Fraction(0))
    above = machine.compare(">", z, zero)
    return [machine.add([above, machine.compare(r, zero, z)]) for r in (">", ">=")]


@pytest.mark.parametrize("machine", [Modular(KEY, apart=True), Tower(KEY, apart=True)])
def test_steps_of_opposite_numbers_add_up_to_one_where_numbers_are_apart(machine):
    for steps in two_steps(machine):
        assert all(np.all(part == 1) for part in steps)


@pytest.mark.parametrize("machine", [Modular(KEY), Tower(KEY)])
def test_that_one_of_two_numbers_is_the_larger_is_not_taken_for_granted(machine):
    strict, exact = two_steps(machine)
    assert not any(np.any(part == 1) for part in strict)
    assert all(np.all(part == 1) for part in exact)


@pytest.mark.parametrize("machine", [Modular(KEY), Modular(KEY, apart=True), Tower(KEY)])
def test_relu_is_never_below_0(machine):
    z = machine.draw((5,), "z")
    zero = machine.number(Fraction(0))
    a = machine.function("relu", (z,), 0)
    assert all(np.all(part == 1) for part in machine.compare(">=", a, zero))
    assert all(np.all(part == 0) for part in machine.compare(">", zero, a))
    above, same = machine.compare(">", a, zero), machine.compare(">", z, zero)
    assert all(np.array_equal(x, y) for x, y in zip(above, same, strict=True))


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
