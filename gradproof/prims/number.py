"""Floats to the exact numbers that a person meant by them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from math import ulp
from typing import SupportsFloat

SHORT = 15
"""A float that is written with at most so many digits was typed; with more it was computed."""

SIMPLE = 1000
"""The largest denominator of a fraction that a computed float may stand for."""

NEAR = 2
"""By so many units in the last place a computed fraction may be off: a few roundings."""

NEAR_ROOT = 4
"""And a number with π or a root, where the argument of the root was rounded, too."""

DIGITS = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097")
SQUAREFREE = (1, 2, 3, 5, 6, 7, 10)
POWERS_OF_ROOT_PI = (0, -1, 1, -2, 2)


@dataclass(frozen=True, slots=True)
class Constant:
    """``ratio · √root · π^(half/2)``, exactly; ``root`` has no square factor."""

    ratio: Fraction
    root: int = 1
    half: int = 0


def rational(value: SupportsFloat) -> Fraction:
    """The number that a person meant by a float: 0.1 is 1/10 and 0.3333333333333333 is 1/3.

    A float with more digits than anyone types is the simple fraction next to it: 0.1 + 0.2 is 3/10.
    """
    if isinstance(value, int | Fraction):
        return Fraction(value)
    number = float(value)
    simple = Fraction(number).limit_denominator(SIMPLE)
    if float(simple) == number:
        return simple
    if was_computed(number) and abs(simple - Fraction(number)) <= NEAR * Fraction(ulp(number)):
        return simple
    return Fraction(repr(number))


@lru_cache(maxsize=4096)
def constant(number: float) -> Constant:
    """The number that a person meant by a float, which may have π and a square root in it.

    0.7978845608028654 is √(2/π), because it is next to it and nobody types sixteen digits.
    """
    plain = rational(number)
    if not was_computed(number) or plain.denominator <= SIMPLE:
        return Constant(plain)
    with localcontext() as context:
        context.prec = DIGITS
        wanted = Decimal(number)
        width = NEAR_ROOT * Decimal(ulp(number))
        for half in POWERS_OF_ROOT_PI:
            for root in SQUAREFREE:
                base = Decimal(root).sqrt() * PI.sqrt() ** half
                if base == 1:
                    continue
                ratio = Fraction(wanted / base).limit_denominator(100)
                if not ratio or abs(ratio.numerator) > SIMPLE:
                    continue
                found = Decimal(ratio.numerator) / Decimal(ratio.denominator) * base
                if abs(found - wanted) <= width:
                    return Constant(ratio, root, half)
    return Constant(plain)


def was_computed(number: float) -> bool:
    """Whether a float has more digits than a person types."""
    return sum(c.isdigit() for c in repr(number).partition("e")[0].lstrip("-0.")) > SHORT


def words(found: Constant) -> str:
    """A constant as it is said: ``√(2/π)``, ``3/10``, ``2√3``."""
    if found.half == 0 and found.root == 1:
        return str(found.ratio)
    squared = found.ratio**2 * found.root
    sign = "−" if found.ratio < 0 else ""
    match found.half:
        case 0:
            return f"{sign}√({squared})" if squared.denominator > 1 else f"{sign}√{squared}"
        case 1:
            return f"{sign}√({'' if squared == 1 else f'{squared}·'}π)"
        case -1:
            over = str(squared.numerator)
            under = "π" if squared.denominator == 1 else f"({squared.denominator}π)"
            return f"{sign}√({over}/{under})"
        case half:
            rest = words(Constant(found.ratio, found.root))
            return f"{rest}·π" if half == 2 else f"{rest}/π"
