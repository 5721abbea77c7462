"""Index equations to index notation: ``a[n,k] = Σ_d x[n,d] W[d,k]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gradproof.core.index import Affine, Index, at
from gradproof.core.program import Equation
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
)
from gradproof.write.letters import letters, position_of
from gradproof.write.notation import (
    Applied,
    Condition,
    Equality,
    Indicator,
    Letter,
    LetterFold,
    LetterKept,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    PiSign,
    Plus,
    Position,
    Raised,
    Ratio,
    SizeSymbol,
    Sliced,
    Symbol,
    Times,
)


@dataclass(frozen=True, slots=True)
class Page:
    """The letters and the names that an equation is written with."""

    letters: Mapping[Index, Letter]
    names: Mapping[str, str]


def write_indexed(equation: Equation, names: Mapping[str, str]) -> Equality:
    """An equation between elements: it exists for every equation."""
    page = Page(letters(equation, names), names)
    left = _element(equation.target, tuple(at(i) for i in equation.free), page)
    return Equality(left, _scalar(equation.term, page))


def write_at(places: tuple[Affine, ...], equation: Equation, names: Mapping[str, str]) -> Equality:
    """``y[3i+j] = x[i,j]``: what stands at these places, for all values of the free indices."""
    page = Page(letters(equation, names), names)
    name = names.get(equation.target, equation.target)
    left = tuple(_largest_first(position_of(place, page.letters)) for place in places)
    return Equality(Sliced(name, left), _scalar(equation.term, page))


def _largest_first(place: Position) -> Position:
    return Position(tuple(sorted(place.terms, key=lambda term: -term[1])), place.constant)


def _element(tensor: str, places: tuple[Affine, ...], page: Page) -> Notation:
    name = page.names.get(tensor, tensor)
    if not places:
        return Symbol(name)
    return Sliced(name, tuple(position_of(p, page.letters) for p in places))


def _scalar(term: Term, page: Page) -> Notation:
    match term:
        case Number(value):
            return Negative(Numeral(-value)) if value < 0 else Numeral(value)
        case SizeOf(size):
            return SizeSymbol(size)
        case Pi():
            return PiSign()
        case Read(tensor, places):
            return _element(tensor, places, page)
        case Add(terms):
            return Plus(tuple(_scalar(t, page) for t in terms))
        case Product(factors):
            return _product(factors, page)
        case Sum(over, body):
            return LetterSum(tuple(page.letters[i] for i in over), _scalar(body, page))
        case Power(base, exponent) if exponent < 0:
            below = base if exponent == -1 else Power(base, -exponent)
            return Ratio(Numeral(Fraction(1)), _scalar(below, page))
        case Power(base, exponent):
            return Raised(_scalar(base, page), exponent)
        case Apply(function, arguments, order):
            return Applied(function, tuple(_scalar(a, page) for a in arguments), order)
        case Fold(function, over, body):
            return LetterFold(function, tuple(page.letters[i] for i in over), _scalar(body, page))
        case Along(function, over, body, position):
            place = position_of(position, page.letters)
            return LetterKept(function, page.letters[over], _scalar(body, page), place)
        case Compare(relation, left, right):
            return Indicator(relation, _scalar(left, page), _scalar(right, page))
        case Bracket(relation, position):
            return Condition(relation, position_of(position, page.letters))


def _product(factors: tuple[Term, ...], page: Page) -> Notation:
    number = Fraction(1)
    above: list[Notation] = []
    below: list[Notation] = []
    for factor in factors:
        match factor:
            case Number(value):
                number *= value
            case Power(base, exponent) if exponent < 0:
                part = base if exponent == -1 else Power(base, -exponent)
                below.append(_scalar(part, page))
            case _:
                above.append(_scalar(factor, page))
    size = abs(number)
    if below:
        bottom = [*([Numeral(Fraction(size.denominator))] if size.denominator != 1 else []), *below]
        top = [*([Numeral(Fraction(size.numerator))] if size.numerator != 1 else []), *above]
        result: Notation = Ratio(_beside(top), _beside(bottom))
    else:
        result = _beside([*([Numeral(size)] if size != 1 else []), *above])
    return Negative(result) if number < 0 else result


def _beside(factors: list[Notation]) -> Notation:
    if not factors:
        return Numeral(Fraction(1))
    return factors[0] if len(factors) == 1 else Times(tuple(factors))
