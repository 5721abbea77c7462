"""An axis that is made of others to their letters on the left: ``y[3i+j] = x[i,j]``.

A reshape, or windows that lie side by side, put each element at one position; as an equation for
the element at a position it is a sum with a bracket, ``y[k] = Σ_i,j x[i,j]·[k = 3i+j]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from gradproof.core.index import Affine, Index, affine, at, indices_of
from gradproof.core.normal import highest, product
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
    kept = []
    fresh = highest(equation.term, equation.free) + 1
    for factor in body.factors:
        found = _digits(factor.position, fresh) if isinstance(factor, Bracket) else None
        if found is None or factor.relation != "==":
            kept.append(factor)
            continue
        one, other = found
        if one.keys() <= over:
            one, other = other, one
        if not one.keys() <= set(equation.free) or not other.keys() <= over:
            return None
        if made.keys() & (one.keys() | other.keys()):
            return None
        made |= one | other
        fresh += len(one) + len(other)
    if not made:
        return None
    rest = tuple(i for i in _in_order(over) if i not in made)
    term = substitute(product(*kept), made)
    term = Sum(rest, term) if rest else term
    places = tuple(made.get(index, at(index)) for index in equation.free)
    standing = [i for place in places for i in indices_of(place)]
    read = [i for one in reads(term) for place in one.at for i in indices_of(place)]
    order = dict.fromkeys([*(i for i in read if i in standing), *standing])
    return _Placed(places, Equation(equation.target, tuple(order), term, equation.place))


def _digits(position: Affine, fresh: int) -> tuple[dict[Index, Affine], dict[Index, Affine]] | None:
    """The indices on both sides of ``12i + j = 4k + p``, made of common digits a, b and c: i is a,
    j is 4b + c, k is 3a + b, p is c; `None` where a side does not run over all numbers, each once.

    Args:
        position: the one side less the other.
        fresh: the number of the first digit.
    """
    sides: tuple[dict[Index, int], dict[Index, int]] = ({}, {})
    for variable, coefficient in position.terms:
        if not isinstance(variable, Index) or not isinstance(variable.size, int):
            return None
        sides[coefficient < 0][variable] = abs(coefficient)
    ends = [_end(side) for side in sides]
    if position.constant or None in ends or ends[0] != ends[1] or not ends[0]:
        return None
    steps = sorted({*sides[0].values(), *sides[1].values(), ends[0]})
    if any(above % below for below, above in pairwise(steps)):
        return None
    digits = {
        below: Index(fresh + n, above // below)
        for n, (below, above) in enumerate(reversed(list(pairwise(steps))))
    }

    def made(index: Index, step: int) -> Affine:
        assert isinstance(index.size, int)
        inside = [below for below in digits if step <= below < step * index.size]
        return affine({digits[below]: below // step for below in inside})

    one, other = ({i: made(i, step) for i, step in side.items()} for side in sides)
    return one, other


def _end(side: Mapping[Index, int]) -> int | None:
    """How many numbers a side runs over: its smallest step is 1, and the next begins where one
    ends."""
    end = 1
    for index, step in sorted(side.items(), key=lambda pair: pair[1]):
        if step != end or not isinstance(index.size, int):
            return None
        end *= index.size
    return end


def _summed(equation: Equation) -> tuple[frozenset[Index], Product]:
    """What is summed, and over what, as one product: numbers may stand before the sum."""
    factors = equation.term.factors if isinstance(equation.term, Product) else (equation.term,)
    sums = [factor for factor in factors if isinstance(factor, Sum)]
    if len(sums) != 1:
        return frozenset(), Product(factors)
    body = sums[0].body.factors if isinstance(sums[0].body, Product) else (sums[0].body,)
    return frozenset(sums[0].over), Product((*(f for f in factors if f not in sums), *body))


def _in_order(over: frozenset[Index]) -> list[Index]:
    return sorted(over, key=lambda index: index.number)
