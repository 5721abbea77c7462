"""Terms to sums of products, so that equal polynomials become equal whatever their indices are
called and in whatever order they were written.

A monomial is a coefficient, factors with exponents, and the indices it is summed over. To compare
two, its summed indices are told apart by where they stand (colour refinement), and where that
leaves a choice every choice is tried. What is not polynomial (a function, a comparison, a power of
a sum) is a factor of its own, its arguments in the same form. Where a form grows too long nothing
is concluded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count, permutations, product
from math import factorial, prod

from gradproof.core.index import Affine, Index, at
from gradproof.core.normal import apart, highest
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
    free,
    size_term,
    substitute,
)

MOST_MONOMIALS = 400
MOST_CHOICES = 720
MOST_COPIES = 6

Polynomial = dict[str, Fraction]
"""Each monomial, written out in its canonical form, to its coefficient."""


class TooLong(Exception):
    """The normal form would be longer than is worth it: nothing is concluded."""


@dataclass(frozen=True, slots=True)
class Monomial:
    """``coefficient · Σ_over Π factor^exponent``; no two of its summed indices are equal."""

    coefficient: Fraction
    factors: Mapping[Term, Fraction]
    over: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What the indices are called; the level keeps the names of nested sums apart."""

    known: Mapping[Index, str]
    level: int = 0

    def __call__(self, index: Index) -> str:
        return self.known[index]

    def inside(self, more: Mapping[Index, str]) -> Names:
        """These names and more, one level down."""
        return Names({**self.known, **more}, self.level + 1)


def polynomial(free_indices: tuple[Index, ...], term: Term) -> Polynomial:
    """The normal form of a term whose free indices are the axes of a tensor, in order.

    Raises:
        TooLong: the form has too many monomials, or too many indices that stand alike.
    """
    return _collected(term, Names({index: f"axis{k}" for k, index in enumerate(free_indices)}))


def same(
    left_free: tuple[Index, ...], left: Term, right_free: tuple[Index, ...], right: Term
) -> bool | None:
    """Whether two terms have the same normal form; `None` where it is too long to say.

    Different normal forms say nothing: the terms may be equal for another reason.
    """
    if [i.size for i in left_free] != [i.size for i in right_free]:
        return False
    try:
        return polynomial(left_free, left) == polynomial(right_free, right)
    except TooLong:
        return None


def expanded(term: Term) -> list[Monomial]:
    """The term as a sum of monomials, like ones not yet added up.

    Raises:
        TooLong: there are too many.
    """
    term, following = apart(term, highest(term) + 1)
    return _expanded(term, count(following))


def leading(term: Term) -> Fraction | None:
    """The coefficient of the monomial that comes first whatever the free indices are called;
    `None` where there is none. A multiple of the term has the same multiple of it.

    Raises:
        TooLong: the normal form would be too long.
    """
    found = _collected(term, Names({index: f"any {index.size}" for index in free(term)}))
    return found[min(found)] if found else None


def _collected(term: Term, names: Names) -> Polynomial:
    term, following = apart(term, highest(term, names.known) + 1)
    found: Polynomial = {}
    for monomial in _expanded(term, count(following)):
        key = _key(monomial, names)
        found[key] = found.get(key, Fraction(0)) + monomial.coefficient
    return {key: value for key, value in found.items() if value}


# --- expansion --------------------------------------------------------------------------------


def _expanded(term: Term, numbers: Iterator[int]) -> list[Monomial]:
    match term:
        case Number(value):
            return [Monomial(value, {}, ())] if value else []
        case Add(terms):
            return _limited([m for t in terms for m in _expanded(t, numbers)])
        case Product(factors):
            return _multiplied([_expanded(f, numbers) for f in factors])
        case Sum(over, body):
            return [_summed(m, over) for m in _expanded(body, numbers)]
        case Power(base, exponent):
            return _powered(base, exponent, numbers)
        case SizeOf() | Pi() | Read() | Apply() | Fold() | Along() | Compare() | Bracket():
            return [Monomial(Fraction(1), {term: Fraction(1)}, ())]


def _limited(monomials: list[Monomial]) -> list[Monomial]:
    if len(monomials) > MOST_MONOMIALS:
        raise TooLong
    return monomials


def _multiplied(sides: list[list[Monomial]]) -> list[Monomial]:
    if prod(len(side) for side in sides) > MOST_MONOMIALS:
        raise TooLong
    return [_joined(combination) for combination in product(*sides)]


def _joined(parts: tuple[Monomial, ...]) -> Monomial:
    coefficient = Fraction(1)
    factors: dict[Term, Fraction] = {}
    over: tuple[Index, ...] = ()
    for part in parts:
        coefficient *= part.coefficient
        over += part.over
        for factor, exponent in part.factors.items():
            factors[factor] = factors.get(factor, Fraction(0)) + exponent
    for factor in [f for f in factors if isinstance(f, Number)]:
        # √2·√2 is 2: of a root of a positive number only the fraction of a power is left.
        whole, rest = divmod(factors[factor], 1)
        if factor.value > 0:
            coefficient *= factor.value ** int(whole)
            factors[factor] = rest
    return Monomial(coefficient, _simplified(factors), over)


def _simplified(factors: Mapping[Term, Fraction]) -> dict[Term, Fraction]:
    """Zero exponents dropped; what is 0 or 1 is its own power."""
    kept = {f: e for f, e in factors.items() if e}
    return {
        f: Fraction(1) if isinstance(f, Compare | Bracket) and e > 0 else e for f, e in kept.items()
    }


def _summed(monomial: Monomial, over: tuple[Index, ...]) -> Monomial:
    """Σ over indices: equal indices are identified, and an unused one gives its size."""
    factors = dict(monomial.factors)
    waiting = [*monomial.over, *over]
    for bracket in [f for f in factors if isinstance(f, Bracket) and f.relation == "=="]:
        pair = _equal_indices(bracket.position)
        gone = next((i for i in pair or () if i in waiting), None)
        if pair is None or gone is None:
            continue
        kept = pair[1] if gone == pair[0] else pair[0]
        del factors[bracket]
        waiting.remove(gone)
        moved: dict[Term, Fraction] = {}
        for factor, exponent in factors.items():
            new = substitute(factor, {gone: at(kept)})
            moved[new] = moved.get(new, Fraction(0)) + exponent
        factors = _simplified(moved)
    used = frozenset[Index]().union(*(free(f) for f in factors))
    coefficient = monomial.coefficient
    for index in [i for i in waiting if i not in used]:
        match size_term(index.size):
            case Number(value):
                coefficient *= value
            case size:
                factors[size] = factors.get(size, Fraction(0)) + 1
    return Monomial(coefficient, _simplified(factors), tuple(i for i in waiting if i in used))


def _equal_indices(position: Affine) -> tuple[Index, Index] | None:
    """The two indices of one size that ``i − j == 0`` makes equal."""
    match position:
        case Affine(((Index() as i, a), (Index() as j, b)), 0) if a == -b and a * a == 1:
            return (i, j) if i.size == j.size else None
        case _:
            return None


def _powered(base: Term, exponent: Fraction, numbers: Iterator[int]) -> list[Monomial]:
    below = _expanded(base, numbers)
    whole = exponent.denominator == 1
    if len(below) == 1 and not below[0].over:
        (one,) = below
        if whole:
            factors = {f: e * exponent for f, e in one.factors.items()}
            value = one.coefficient ** int(exponent)
            return [Monomial(Fraction(value), _simplified(factors), ())]
        if one.coefficient == 1 and list(one.factors.values()) == [1]:
            return [Monomial(Fraction(1), dict.fromkeys(one.factors, exponent), ())]
    if whole and 1 < exponent <= MOST_COPIES:
        copies = []
        for _ in range(int(exponent)):
            # The copies' summed indices would capture each other.
            copy, following = apart(base, next(numbers))
            while next(numbers) < following:
                pass
            copies.append(_expanded(copy, numbers))
        return _multiplied(copies)
    return [Monomial(Fraction(1), {base: exponent}, ())]


# --- the canonical form -----------------------------------------------------------------------


def _key(monomial: Monomial, names: Names) -> str:
    """The factors in order, under the names of summed indices that give the least text."""
    return min(
        _factors_text(
            monomial,
            names.inside({i: f"sum{names.level}.{k}:{i.size}" for k, i in enumerate(order)}),
        )
        for order in _orders(monomial, names)
    )


def _factors_text(monomial: Monomial, names: Names) -> str:
    exponents: dict[str, Fraction] = {}
    for factor, exponent in monomial.factors.items():
        text = _text(factor, names)
        if isinstance(factor, Compare | Bracket) and exponent > 0:
            exponents[text] = Fraction(1)  # what is 0 or 1 is its own power, however written
        else:
            exponents[text] = exponents.get(text, Fraction(0)) + exponent
    return " ".join(sorted(f"{text}^{e}" for text, e in exponents.items() if e))


def _orders(monomial: Monomial, names: Names) -> Iterator[tuple[Index, ...]]:
    """The orders of the summed indices that their places do not decide."""
    colours = _colours(monomial, names)
    classes: dict[str, list[Index]] = {}
    for index in monomial.over:
        classes.setdefault(colours[index], []).append(index)
    groups = [classes[colour] for colour in sorted(classes)]
    if prod(factorial(len(group)) for group in groups) > MOST_CHOICES:
        raise TooLong
    for choice in product(*(permutations(group) for group in groups)):
        yield tuple(index for group in choice for index in group)


def _colours(monomial: Monomial, names: Names) -> dict[Index, str]:
    """Indices of one colour stand in the same places of the same factors."""
    over = monomial.over
    colours = {index: f"{index.size}" for index in over}
    classes = 0
    while len(set(colours.values())) > classes:
        classes = len(set(colours.values()))
        marks = {index: _mark(index, monomial, colours, names) for index in over}
        ranks = {mark: k for k, mark in enumerate(sorted(set(marks.values())))}
        colours = {index: f"{index.size} {ranks[marks[index]]}" for index in over}
    return colours


def _mark(index: Index, monomial: Monomial, colours: Mapping[Index, str], names: Names) -> str:
    """What an index sees: its own colour, and the factors it stands in with the others' colours."""
    seen = names.inside({**{i: f"colour {c}" for i, c in colours.items()}, index: "*"})
    factors = sorted(
        f"{_text(f, seen)}^{e}" for f, e in monomial.factors.items() if index in free(f)
    )
    return "|".join([colours[index], *factors])


def _text(term: Term, names: Names) -> str:
    """A factor written out, its arguments in canonical form."""
    match term:
        case SizeOf(size):
            return f"|{size}|"
        case Pi():
            return "π"
        case Read(tensor, places):
            return f"{tensor}[{','.join(_place(p, names) for p in places)}]"
        case Bracket(relation, position):
            return f"[{_place(position, names)} {relation}]"
        case Apply() | Compare():
            own = sorted(free(term), key=lambda index: index.number)
            return _function_text(term, tuple((i, names(i)) for i in own), names.level)
        case Fold(function, over, body):
            return f"{function}({_bound_text(over, body, names)})"
        case Along(function, over, body, position):
            return f"{function}({_bound_text((over,), body, names)})@{_place(position, names)}"
        case Number() | Add() | Product() | Sum() | Power():
            return f"({_polynomial_text(term, names)})"


@lru_cache(maxsize=4096)
def _function_text(term: Apply | Compare, named: tuple[tuple[Index, str], ...], level: int) -> str:
    """As `_text`. Masks of masks of masks hold the same ones many times."""
    names = Names(dict(named), level)
    match term:
        case Apply(function, arguments, order):
            inside = ",".join(_polynomial_text(a, names) for a in arguments)
            return f"{function}'{order}({inside})"
        case Compare(relation, left, right):
            return f"({_polynomial_text(left, names)} {relation} {_polynomial_text(right, names)})"


def _bound_text(over: tuple[Index, ...], body: Term, names: Names) -> str:
    """A body under its bound indices, in the order in which they are bound."""
    mine = {i: f"bound{names.level}.{k}:{i.size}" for k, i in enumerate(over)}
    return _polynomial_text(body, names.inside(mine))


def _polynomial_text(term: Term, names: Names) -> str:
    found = _collected(term, names)
    return " + ".join(f"{value}*{key}" for key, value in sorted(found.items())) or "0"


def _place(position: Affine, names: Names) -> str:
    parts = sorted(
        f"{c}*{names(v) if isinstance(v, Index) else f'|{v}|'}" for v, c in position.terms
    )
    return "+".join([*parts, str(position.constant)])
