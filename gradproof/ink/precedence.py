"""What every ink knows: how strongly each notation binds, and how settings are written."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from fractions import Fraction

from gradproof.core.program import DIFFERENTIAL
from gradproof.write.notation import (
    Chain,
    Condition,
    Correlation,
    Equality,
    Hadamard,
    Inverted,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    Plus,
    Position,
    Quotient,
    Raised,
    Ratio,
    Sliced,
    Symbol,
    Times,
    Total,
    Transposed,
    Widened,
)


class Strength(IntEnum):
    """From the weakest to the strongest."""

    EQUALITY = 0
    PLUS = 1
    NEGATIVE = 2
    TOTAL = 3
    ELEMENTWISE = 4
    TIMES = 5
    POSTFIX = 6
    GRADIENT = 7
    ATOM = 8


STRENGTHS: dict[type, Strength] = {
    Equality: Strength.EQUALITY,
    Plus: Strength.PLUS,
    Negative: Strength.NEGATIVE,
    Total: Strength.TOTAL,
    LetterSum: Strength.TOTAL,
    Hadamard: Strength.ELEMENTWISE,
    Quotient: Strength.ELEMENTWISE,
    Chain: Strength.TIMES,
    Times: Strength.TIMES,
    Ratio: Strength.TIMES,
    Transposed: Strength.POSTFIX,
    Inverted: Strength.POSTFIX,
    Raised: Strength.POSTFIX,
    Widened: Strength.POSTFIX,
}
"""What is not listed is an atom."""


def decimal(value: Fraction) -> str | None:
    """``0.1`` for a number that is written so; `None` for one that is a fraction or whole."""
    places = next((p for p in range(1, 18) if (value * 10**p).denominator == 1), None)
    if value.denominator % 5 or places is None:
        return None
    digits = str(int(value * 10**places)).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"


def power_of_ten(value: Fraction) -> int | None:
    """−5 for 0.00001, which is hard to count, and 9 for 1000000000; `None` for other numbers."""
    for exponent in (*range(-18, -3), *range(5, 19)):
        if value == Fraction(10) ** exponent:
            return exponent
    return None


def sides(condition: Condition) -> tuple[Position, str, Position]:
    """``[i − 2 ≥ 0]`` as ``i ≥ 2``, ``[6 − i ≥ 0]`` as ``i ≤ 6``: no minus sign, letters left;
    ``[j − t − 1 ≥ 0]`` as ``j > t``."""
    place = condition.position
    left = Position(tuple((v, c) for v, c in place.terms if c > 0), max(place.constant, 0))
    right = Position(tuple((v, -c) for v, c in place.terms if c < 0), max(-place.constant, 0))
    if left.terms and right.terms and right.constant == 1 and condition.relation == ">=":
        return left, ">", Position(right.terms)
    if left.terms:
        return left, condition.relation, right
    return right, {"==": "==", ">=": "<="}[condition.relation], left


def alike(parts: Iterable[object]) -> str:
    """One setting for all axes: ``2``, or ``(2, 1)`` where they differ."""
    found = [str(part) for part in parts]
    return found[0] if len(set(found)) == 1 else f"({', '.join(found)})"


def around(end: tuple[int, int]) -> str:
    """How many zeros stand before and after: ``1``, or ``1:2`` where that differs."""
    return str(end[0]) if end[0] == end[1] else f"{end[0]}:{end[1]}"


def one_sign(name: str) -> bool:
    """Whether a gradient is written ``δz`` or ``z̄`` and not as a fraction."""
    return name.removeprefix(DIFFERENTIAL).startswith(("δ/∂", "¯/∂"))


def strength(notation: Notation) -> Strength:
    """How strongly a notation binds its parts; fractions that need a stroke are ratios."""
    match notation:
        case Numeral(value) if value.denominator > 2 and decimal(value) is None:
            return Strength.TIMES
        case Numeral(value) if power_of_ten(value) is not None:
            return Strength.POSTFIX
        case Symbol(name) | Sliced(name, _) if "/" in name and not one_sign(name):
            return Strength.GRADIENT
        case Correlation(_, _, steps):
            return Strength.ELEMENTWISE if alike(steps) == "1" else Strength.POSTFIX
        case Raised(_, exponent) if exponent == Fraction(1, 2):
            return Strength.ATOM
        case _:
            return STRENGTHS.get(type(notation), Strength.ATOM)
