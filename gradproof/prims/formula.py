"""Terms with operators, so that a rule reads like the paper: ``1 - y**2``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gradproof.core.normal import add, negate, power, product
from gradproof.core.term import Apply, Compare, Number, Pi, Term


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A term that can be added, multiplied, divided and raised to a rational power."""

    term: Term

    def __add__(self, other: Operand) -> Formula:
        return Formula(add(self.term, formula(other).term))

    def __radd__(self, other: Operand) -> Formula:
        return formula(other) + self

    def __sub__(self, other: Operand) -> Formula:
        return Formula(add(self.term, negate(formula(other).term)))

    def __rsub__(self, other: Operand) -> Formula:
        return formula(other) - self

    def __mul__(self, other: Operand) -> Formula:
        return Formula(product(self.term, formula(other).term))

    def __rmul__(self, other: Operand) -> Formula:
        return formula(other) * self

    def __truediv__(self, other: Operand) -> Formula:
        return self * Formula(power(formula(other).term, Fraction(-1)))

    def __rtruediv__(self, other: Operand) -> Formula:
        return formula(other) / self

    def __pow__(self, exponent: int | Fraction) -> Formula:
        return Formula(power(self.term, Fraction(exponent)))

    def __neg__(self) -> Formula:
        return Formula(negate(self.term))

    def __gt__(self, other: Operand) -> Formula:
        return Formula(Compare(">", self.term, formula(other).term))

    def equals(self, other: Operand) -> Formula:
        """``[self = other]``: 1 where the two are equal, else 0."""
        return Formula(Compare("==", self.term, formula(other).term))


Operand = Formula | int | Fraction


def formula(value: Operand) -> Formula:
    """A number or a formula as a formula."""
    return value if isinstance(value, Formula) else Formula(Number(Fraction(value)))


def pi() -> Formula:
    """The number π."""
    return Formula(Pi())


def call(function: str, *arguments: Formula) -> Formula:
    """A function of the dictionary applied to formulas."""
    return Formula(Apply(function, tuple(a.term for a in arguments)))
