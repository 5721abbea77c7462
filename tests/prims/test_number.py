"""Floats are read as the numbers that a person wrote."""

from fractions import Fraction

import numpy as np
import pytest

from gradproof.prims.number import rational


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (3, Fraction(3)),
        (0.1, Fraction(1, 10)),
        (1 / 3, Fraction(1, 3)),
        (1e-5, Fraction(1, 100_000)),
        (Fraction(22, 7), Fraction(22, 7)),
        (np.float64(0.25), Fraction(1, 4)),
        (0.123456789, Fraction(123_456_789, 10**9)),
    ],
)
def test_a_float_is_the_number_that_was_meant(value, meant):
    assert rational(value) == meant


def test_an_exponent_is_read_as_the_same_number_is_in_front_of_it():
    """The derivative of x^q has q in both places."""
    assert rational(0.123456789) - 1 == rational(0.123456789 - 1)
