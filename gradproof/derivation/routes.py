"""A derivation to the routes by which each tensor reaches the loss: one for each of its readers."""

from __future__ import annotations

from collections.abc import Sequence

from gradproof.core.index import Affine, Index, at, indices_of
from gradproof.core.normal import add, canonical, decided, factored, highest
from gradproof.core.program import (
    DIFFERENTIAL,
    Derivation,
    Equation,
    Route,
    differentiable,
    shapes,
)
from gradproof.core.term import ONE, ZERO, Read, Term, reads, substitute
from gradproof.derivation.differential import push
from gradproof.derivation.pull import Contribution, pull


def routes(derivation: Derivation) -> dict[str, tuple[Route, ...]]:
    """The routes of every tensor with a gradient, from the loss back.

    The sum of a tensor's contributions is its gradient; a tensor that the loss does not depend on
    has none.
    """
    program = derivation.forward
    known = shapes(program)
    active = differentiable(program)
    found: dict[str, list[Route]] = {of: [] for of in derivation.gradients}
    for equation in reversed(program.equations):
        upstream = _upstream(equation, derivation)
        if upstream == ZERO:
            continue
        groups: dict[str, list[Contribution]] = {}
        for one in pull(equation, upstream, known, active):
            groups.setdefault(one.tensor, []).append(one)
        if not groups:
            continue
        whole = push(equation, active)
        for of, parts in groups.items():
            if of in found:
                found[of].append(_route(of, equation, upstream, whole, parts))
    return {of: tuple(ways) for of, ways in found.items()}


def _upstream(equation: Equation, derivation: Derivation) -> Term:
    if equation.target == derivation.loss:
        return ONE
    name = derivation.gradients.get(equation.target)
    if name is None or equation.target in derivation.zero:
        return ZERO
    return Read(name, tuple(at(i) for i in equation.free))


def _route(
    of: str, equation: Equation, upstream: Term, whole: Equation, parts: Sequence[Contribution]
) -> Route:
    free = whole.free
    part = push(equation, {of}).term
    terms = [canonical(one.free, one.term) for one in parts]
    sizes = terms[0][0]
    full = factored(add(*(term for _, term in terms)))
    # Its axes are numbered after the reader's, so that both can stand in one term.
    first = max(highest(one, (*sizes, *free)) for one in (full, part, whole.term)) + 1
    apart = {index: at(Index(first + index.number, index.size)) for index in sizes}
    moved_axes = tuple(Index(first + index.number, index.size) for index in sizes)
    full = substitute(full, apart)
    axes, places, contribution = _slice(of, part, moved_axes, full)
    mapping = dict(zip(equation.free, (at(i) for i in free), strict=True))
    reader = Equation(equation.target, *canonical(equation.free, equation.term), equation.place)
    return Route(
        of,
        reader,
        free,
        Read(DIFFERENTIAL + equation.target, tuple(at(i) for i in free)),
        substitute(upstream, mapping),
        whole.term,
        part,
        axes,
        Read(DIFFERENTIAL + of, places),
        contribution,
    )


def _slice(
    of: str, part: Term, axes: tuple[Index, ...], full: Term
) -> tuple[tuple[Index, ...], tuple[Affine, ...], Term]:
    """The axes of the slice that is read, where a tensor is read at one constant position only."""
    read = [one.at for one in reads(part) if one.tensor == DIFFERENTIAL + of]
    fixed: dict[Index, Affine] = {}
    for axis, index in enumerate(axes):
        places = {one[axis] for one in read}
        if len(places) == 1:
            (place,) = places
            if not indices_of(place) and index.size != 1:
                fixed[index] = place
    kept = tuple(index for index in axes if index not in fixed)
    return (
        kept,
        tuple(fixed.get(index, at(index)) for index in axes),
        decided(substitute(full, fixed)) if fixed else full,
    )
