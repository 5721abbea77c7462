"""Sums of products to nested sums that have a matrix form: two factors at a time."""

from __future__ import annotations

from gradproof.core.index import Index
from gradproof.core.term import (
    Add,
    Number,
    Product,
    Sum,
    Term,
    children,
    free,
    rebuild,
    size_term,
)


class NoMatrixForm(Exception):
    """A term that rows and columns do not suffice for; it is written with letters."""


def axes_of(term: Term, fixed: frozenset[Index]) -> frozenset[Index]:
    """The indices of a term that are not written as letters."""
    return free(term) - fixed


def nest(term: Term, fixed: frozenset[Index]) -> Term:
    """The term with every Σ over what one matrix operation sums.

    Raises:
        NoMatrixForm: some sum needs three axes at a time.
    """
    below = tuple(nest(child, fixed) for child in children(term))
    match term:
        case Sum(over, _):
            return _eliminate(over, factors_of(below[0]), fixed)
        case Product():
            return _product([f for part in below for f in factors_of(part)])
        case _:
            return rebuild(term, below) if below else term


def factors_of(term: Term) -> list[Term]:
    """The factors of a product, and of products in it; none of 1, and what else there is as one."""
    match term:
        case Product(factors):
            return [part for factor in factors for part in factors_of(factor)]
        case Number(value) if value == 1:
            return []
        case _:
            return [term]


def _product(factors: list[Term]) -> Term:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def _eliminate(over: tuple[Index, ...], factors: list[Term], fixed: frozenset[Index]) -> Term:
    """``Σ`` of the factors over the indices, one at a time, the smallest results first."""
    pending, factors = _opened(list(over), factors, fixed)
    kept = [index for index in pending if index in fixed]
    pending = [index for index in pending if index not in fixed]
    if len(factors) == 1 and isinstance(factors[0], Add) and _too_wide(factors[0], fixed):
        parts = [_eliminate(over, factors_of(part), fixed) for part in factors[0].terms]
        return Add(tuple(parts))
    while pending:
        pair = _pair(pending, factors, fixed)
        if pair:
            inside = [f for f in factors if axes_of(f, fixed) & set(pair)]
            factors = _summed(pair, inside, factors)
            pending = [index for index in pending if index not in pair]
            continue
        index = min(pending, key=lambda k: len(_left(k, factors, fixed)))
        pending.remove(index)
        factors = _without(index, factors, fixed)
    if kept:
        inside = [f for f in factors if free(f) & set(kept)]
        absent = [k for k in kept if not any(k in free(f) for f in inside)]
        kept = [k for k in kept if k not in absent]
        factors = [*(size_term(k.size) for k in absent), *factors]
        factors = _summed(tuple(kept), inside, factors) if kept else factors
    return _product(factors)


def _too_wide(term: Term, fixed: frozenset[Index]) -> bool:
    return len(axes_of(term, fixed)) > 2


def _opened(
    over: list[Index], factors: list[Term], fixed: frozenset[Index]
) -> tuple[list[Index], list[Term]]:
    """Inner sums that no matrix can hold, spliced into the outer one."""
    opened: list[Term] = []
    for factor in factors:
        match factor:
            case Sum(inner, body) if len(factors) == 1 or _too_wide(factor, fixed):
                over = [*over, *inner]
                opened += factors_of(body)
            case _:
                opened.append(factor)
    return over, opened


def _summed(over: tuple[Index, ...], inside: list[Term], factors: list[Term]) -> list[Term]:
    """The factors with those `inside` replaced by their sum, where the first of them stood."""
    spot = next(n for n, f in enumerate(factors) if any(f is g for g in inside))
    rest = [f for f in factors if not any(f is g for g in inside)]
    before = len([f for f in factors[:spot] if not any(f is g for g in inside)])
    return [*rest[:before], Sum(over, _product(inside)), *rest[before:]]


def _pair(
    pending: list[Index], factors: list[Term], fixed: frozenset[Index]
) -> tuple[Index, Index] | None:
    """Two indices over which a whole matrix is summed, and nothing else has them."""
    for spot, first in enumerate(pending):
        for second in pending[spot + 1 :]:
            both = frozenset((first, second))
            touching = [axes_of(f, fixed) for f in factors if axes_of(f, fixed) & both]
            kinds = set(touching)
            # A vector beside the matrix may be written ⊙ v, two of them are a product u A v.
            single = {frozenset((first,)), frozenset((second,))}
            few = len(kinds) == 1 or (len(kinds) == 2 and len(touching) > 2)
            if few and both in kinds and kinds <= {both} | single:
                return first, second
    return None


def _left(index: Index, factors: list[Term], fixed: frozenset[Index]) -> frozenset[Index]:
    touching = [axes_of(f, fixed) for f in factors if index in axes_of(f, fixed)]
    return frozenset().union(*touching) - {index}


def _without(index: Index, factors: list[Term], fixed: frozenset[Index]) -> list[Term]:
    """The factors with one index summed away."""
    inside = [f for f in factors if index in axes_of(f, fixed)]
    if not inside:
        return [size_term(index.size), *factors]
    if any(_too_wide(f, fixed) for f in inside) or len(_left(index, factors, fixed)) > 2:
        raise NoMatrixForm
    groups: dict[frozenset[Index], list[Term]] = {}
    for factor in inside:
        groups.setdefault(axes_of(factor, fixed), []).append(factor)
    vectors = groups.pop(frozenset((index,)), [])
    matrices = list(groups.values())
    if not matrices:
        return _summed((index,), vectors, factors)
    if len(matrices) == 2 and vectors:
        matrices[0] = [*matrices[0], *vectors]
        vectors = []
    sides = [_product(group) for group in (*matrices, vectors) if group]
    spot = _summed((index,), inside, factors)
    made = Sum((index,), Product(tuple(sides)) if len(sides) > 1 else sides[0])
    return [made if isinstance(f, Sum) and f.over == (index,) else f for f in spot]
