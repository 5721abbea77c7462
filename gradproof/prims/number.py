"""Floats to the rational numbers that a person meant by them."""

from __future__ import annotations

from fractions import Fraction
from typing import SupportsFloat


def rational(value: SupportsFloat) -> Fraction:
    """The number that a person meant by a float: 0.1 is 1/10 and 0.3333333333333333 is 1/3."""
    if isinstance(value, int | Fraction):
        return Fraction(value)
    number = float(value)
    simple = Fraction(number).limit_denominator(1000)
    return simple if float(simple) == number else Fraction(repr(number))
