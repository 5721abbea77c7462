"""An axis that is made of others to their letters on the left: ``y[3i+j] = x[i,j]``.

A reshape, or windows that lie side by side, put each element at one position; as an equation for
the element at a position it is a sum with a bracket, ``y[k] = Σ_i,j x[i,j]·[k = 3i+j]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradproof.core.index import Affine, Index, affine, at, digits_of, indices_of
from gradproof.core.normal import product
from gradproof.core.program import Equation
from gradproof.core.term import Bracket, Product, Sum, reads, substitute
from gradproof.write.indexed import write_at
from gradproof.write.notation import Equality


@dataclass(frozen=True, slots=True)
class _Placed:
    """``target[places] = term``, for all values of the indices in the places."""

    places: tuple[Affine, ...]
    equation: Equation


def write_placed(equation: Equation, names: Mapping[str, str]) -> Equality | None:
    """An equation with positions on its left; `None` where no axis is made of others."""
    found = _placed(equation)
    return None if found is None else write_at(found.places, found.equation, names)


def _placed(equation: Equation) -> _Placed | None:
    over, body = _summed(equation)
    made: dict[Index, Affine] = {}
    digits: set[Index] = set()
    kept = []
    for factor in body.factors:
        found = digits_of(factor.position) if isinstance(factor, Bracket) else None
        if found is None or factor.relation != "==":
            kept.append(factor)
            continue
        whole, parts = found
        new = set(parts) <= over and not digits & set(parts)
        if whole not in equation.free or whole in made or not new:
            return None
        made[whole] = _without(factor.position, whole)
        digits |= set(parts)
    if not made:
        return None
    rest = tuple(i for i in _in_order(over) if i not in digits)
    term = substitute(product(*kept), made)
    term = Sum(rest, term) if rest else term
    places = tuple(made.get(index, at(index)) for index in equation.free)
    standing = [i for place in places for i in indices_of(place)]
    read = [i for one in reads(term) for place in one.at for i in indices_of(place)]
    order = dict.fromkeys([*(i for i in read if i in standing), *standing])
    return _Placed(places, Equation(equation.target, tuple(order), term, equation.place))


def _summed(equation: Equation) -> tuple[frozenset[Index], Product]:
    """What is summed, and over what, as one product: numbers may stand before the sum."""
    factors = equation.term.factors if isinstance(equation.term, Product) else (equation.term,)
    sums = [factor for factor in factors if isinstance(factor, Sum)]
    if len(sums) != 1:
        return frozenset(), Product(factors)
    body = sums[0].body.factors if isinstance(sums[0].body, Product) else (sums[0].body,)
    return frozenset(sums[0].over), Product((*(f for f in factors if f not in sums), *body))


def _without(position: Affine, whole: Index) -> Affine:
    """What an index is, from a position that is zero."""
    (sign,) = (c for v, c in position.terms if v == whole)
    return affine({v: -sign * c for v, c in position.terms if v != whole}, 0)


def _in_order(over: frozenset[Index]) -> list[Index]:
    return sorted(over, key=lambda index: index.number)
