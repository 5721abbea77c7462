"""Two equations between elements to whether they are the same, coefficient by coefficient.

The shifts and conditions of windows are many ways to say which elements meet. Here it is counted
how often they do: each term is ``Σ coefficient · v[…] · w[…]`` over the positions of its reads, and
two terms are the same if every combination of positions has the same coefficient. Indices that
never stand in one position or condition are counted apart. Nothing is evaluated at points: equal
counts are equal equations, for all values of the tensors. An index whose size is a symbol may only
stand alone, and then that holds for every size.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from gradproof.core.index import Affine, Index, indices_of, is_index
from gradproof.core.monomials import Monomial, TooLong, expanded
from gradproof.core.program import Equation
from gradproof.core.term import Bracket, Read

MOST_COMBINATIONS = 5_000_000
"""The index values of one axis that are gone through: a window of 11 over 224 places, with a step,
has 224 · 224 · 11."""

Slot = tuple[str, int]
"""An axis of a tensor, or of the left side, whose name is ``""``."""


class _NotCounted(Exception):
    """A term that is no product of reads of different tensors, or has too many combinations."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Indices that stand together, and the positions and conditions in which they do."""

    indices: frozenset[Index]
    places: tuple[tuple[Slot, Affine], ...]
    conditions: tuple[Bracket, ...]


def same_elements(left: Equation, right: Equation) -> bool | None:
    """Whether two equations are the same between elements, at these sizes; `None` where that cannot
    be counted. ``False`` says nothing about terms whose indices stand together in different ways.
    """
    if [i.size for i in left.free] != [i.size for i in right.free]:
        return False
    try:
        return _counts(left) == _counts(right)
    except (_NotCounted, TooLong):
        return None


def _counts(equation: Equation) -> dict[frozenset[object], Fraction]:
    found: dict[frozenset[object], Fraction] = {}
    for monomial in expanded(equation.term):
        key = _key(monomial, equation.free)
        found[key] = found.get(key, Fraction(0)) + monomial.coefficient
    return {key: value for key, value in found.items() if value}


def _key(monomial: Monomial, free: tuple[Index, ...]) -> frozenset[object]:
    """What identifies a term but for its coefficient: how often which positions meet."""
    reads = [factor for factor in monomial.factors if isinstance(factor, Read)]
    conditions = tuple(factor for factor in monomial.factors if isinstance(factor, Bracket))
    names = [read.tensor for read in reads]
    powers = set(monomial.factors.values())
    if len(reads) + len(conditions) < len(monomial.factors) or len(set(names)) < len(names):
        raise _NotCounted
    if powers - {Fraction(1)}:
        raise _NotCounted
    places = [((read.tensor, n), p) for read in reads for n, p in enumerate(read.at)]
    places += [(("", n), Affine(((index, 1),))) for n, index in enumerate(free)]
    known = frozenset(free) | frozenset(monomial.over)
    # Parts without a slot may be alike: their counts are multiplied, so each one matters.
    whole = Counter(_counted(part) for part in _parts(places, conditions, known))
    return frozenset((*whole.items(), *names))


def _parts(
    places: list[tuple[Slot, Affine]], conditions: tuple[Bracket, ...], known: frozenset[Index]
) -> list[_Part]:
    together = [frozenset(indices_of(place)) for _, place in places]
    together += [frozenset(indices_of(condition.position)) for condition in conditions]
    groups: list[frozenset[Index]] = []
    for found in (*together, *(frozenset((index,)) for index in known)):
        touched = [g for g in groups if g & found]
        groups = [g for g in groups if g not in touched]
        groups.append(found.union(*touched))
    # A position or condition without an index is a part of its own, with no indices.
    return [
        _Part(
            group,
            tuple((s, p) for s, p in places if _belongs(p, group)),
            tuple(c for c in conditions if _belongs(c.position, group)),
        )
        for group in dict.fromkeys(groups)
    ]


def _belongs(place: Affine, group: frozenset[Index]) -> bool:
    found = frozenset(indices_of(place))
    return found <= group and bool(found) == bool(group)


def _counted(part: _Part) -> object:
    """How often each combination of positions occurs, over all values of the indices."""
    symbols = [i for i in part.indices if isinstance(i.size, str)]
    if symbols:
        alone = len(part.indices) == 1 and not part.conditions
        if not alone or not all(is_index(place) for _, place in part.places):
            raise _NotCounted
        return symbols[0].size, frozenset(slot for slot, _ in part.places)
    order = sorted(part.indices, key=lambda index: (index.number, str(index.size)))
    sizes = [int(index.size) for index in order]
    if prod(sizes) > MOST_COMBINATIONS:
        raise _NotCounted
    values = dict(zip(order, np.indices(sizes, sparse=True), strict=True))
    holds = np.ones(sizes, dtype=bool)
    for condition in part.conditions:
        there = _value(condition.position, values)
        holds &= (there == 0) if condition.relation == "==" else (there >= 0)
    slots = sorted(part.places, key=lambda pair: pair[0])
    met = [np.broadcast_to(_value(place, values), sizes)[holds] for _, place in slots]
    rows = np.stack(met, axis=-1) if met else np.zeros((int(holds.sum()), 0), dtype=np.int64)
    counted = Counter(map(tuple, rows.tolist()))
    return tuple(slot for slot, _ in slots), frozenset(counted.items())


def _value(place: Affine, values: dict[Index, np.ndarray]) -> np.ndarray:
    total = np.asarray(place.constant, dtype=np.int64)
    for variable, coefficient in place.terms:
        if not isinstance(variable, Index):
            raise _NotCounted
        total = total + coefficient * values[variable]
    return total
