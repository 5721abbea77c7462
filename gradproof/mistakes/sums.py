"""Sums that are missing, too many, or incomplete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from gradproof.core.index import Affine, Index, at, combine, extent, shift
from gradproof.core.normal import highest, product
from gradproof.core.program import Equation
from gradproof.core.term import (
    ZERO,
    Bracket,
    Compare,
    Power,
    Product,
    Sum,
    Term,
    free,
    size_term,
    substitute,
)
from gradproof.mistakes.constants import called
from gradproof.mistakes.record import Mistake, Scene, Wrong, spots, wrong


def last_of(index: Index) -> Affine:
    """The last position of an axis."""
    return shift(extent(index.size), -1)


def before_last(index: Index) -> Bracket:
    """1 everywhere but at the last position."""
    return Bracket(">=", shift(combine(last_of(index), at(index), -1), -1))


def after_first(index: Index) -> Bracket:
    """1 everywhere but at the first position."""
    return Bracket(">=", shift(at(index), -1))


def _assigned(scene: Scene) -> Iterator[Wrong]:
    """What is added where an index names a position, written there instead: the last one stays."""
    for node, m, put in _each_sum(scene):
        factors = node.body.factors if isinstance(node.body, Product) else (node.body,)
        chosen = [
            f for f in factors if isinstance(f, Compare) and f.relation == "==" and m in free(f)
        ]
        if not chosen or len(node.over) != 1:
            continue
        k = Index(highest(scene.right.term, scene.right.free) + 1, m.size)
        later = Bracket(">=", shift(combine(at(k), at(m), -1), -1))
        again = product(later, *(substitute(one, {m: at(k)}) for one in chosen))
        last = Compare("==", Sum((k,), again), ZERO)
        yield wrong(scene, put(Sum(node.over, product(node.body, last))), size=called(m.size))


def _without(over: tuple[Index, ...], index: Index, body: Term) -> Term:
    kept = tuple(i for i in over if i != index)
    return Sum(kept, body) if kept else body


def _each_sum(scene: Scene) -> Iterator[tuple[Sum, Index, Callable[[Term], Term]]]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Sum):
            for index in node.over:
                if index.size != 1:
                    yield node, index, put


def _only_first(scene: Scene) -> Iterator[Wrong]:
    for node, index, put in _each_sum(scene):
        body = substitute(node.body, {index: Affine(())})
        yield wrong(scene, put(_without(node.over, index, body)), size=called(index.size))


def _only_last(scene: Scene) -> Iterator[Wrong]:
    for node, index, put in _each_sum(scene):
        body = substitute(node.body, {index: last_of(index)})
        yield wrong(scene, put(_without(node.over, index, body)), size=called(index.size))


def _last_left_out(scene: Scene) -> Iterator[Wrong]:
    for node, index, put in _each_sum(scene):
        part = Sum(node.over, product(node.body, before_last(index)))
        yield wrong(scene, put(part), size=called(index.size))


def _first_left_out(scene: Scene) -> Iterator[Wrong]:
    for node, index, put in _each_sum(scene):
        part = Sum(node.over, product(node.body, after_first(index)))
        yield wrong(scene, put(part), size=called(index.size))


def _summed_over_itself(scene: Scene, index: Index) -> Term:
    """The right formula summed over one of its own axes."""
    other = Index(highest(scene.right.term, scene.right.free) + 1, index.size)
    return Sum((other,), substitute(scene.right.term, {index: at(other)}))


def _extra_sum(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size != 1:
            yield wrong(
                scene, _summed_over_itself(scene, index), size=called(index.size), axis=str(axis)
            )


def _extra_mean(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size != 1:
            mean = product(
                Power(size_term(index.size), Fraction(-1)), _summed_over_itself(scene, index)
            )
            yield wrong(scene, mean, size=called(index.size), axis=str(axis))


def _last_row_zero(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size != 1:
            term = product(scene.right.term, before_last(index))
            yield wrong(scene, term, axis=str(axis))


def _first_row_zero(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size != 1:
            term = product(scene.right.term, after_first(index))
            yield wrong(scene, term, axis=str(axis))


# --- sums whose absence shows in the shape ------------------------------------------------------


def _forgotten_sum(scene: Scene) -> Iterator[Wrong]:
    """``∂l/∂z`` for ``∂l/∂b``: the summed axis is still there."""
    right = scene.right
    if isinstance(right.term, Sum):
        for index in right.term.over:
            body = _without(right.term.over, index, right.term.body)
            if index in free(body):
                for axes in ((index, *right.free), (*right.free, index)):
                    yield Wrong(Equation(right.target, axes, body), {"size": called(index.size)})


def _kept_axis(scene: Scene) -> Iterator[Wrong]:
    """``keepdims=True``, or a column for a vector."""
    right = scene.right
    one = Index(highest(right.term, right.free) + 1, 1)
    for place in range(len(right.free) + 1):
        axes = (*right.free[:place], one, *right.free[place:])
        yield Wrong(Equation(right.target, axes, right.term), {"axis": str(place)})


def _lost_axis(scene: Scene) -> Iterator[Wrong]:
    right = scene.right
    for axis, index in enumerate(right.free):
        axes = tuple(i for i in right.free if i != index)
        yield Wrong(
            Equation(right.target, axes, _summed_over_itself(scene, index)),
            {"size": called(index.size), "axis": str(axis)},
        )


def _lost_by_mean(scene: Scene) -> Iterator[Wrong]:
    right = scene.right
    for axis, index in enumerate(right.free):
        axes = tuple(i for i in right.free if i != index)
        mean = product(
            Power(size_term(index.size), Fraction(-1)), _summed_over_itself(scene, index)
        )
        yield Wrong(
            Equation(right.target, axes, mean), {"size": called(index.size), "axis": str(axis)}
        )


SUMS = (
    Mistake(
        "only the first",
        "Only the first of the {size} terms was taken, instead of the sum over them.",
        _only_first,
    ),
    Mistake(
        "only the last",
        "Only the last of the {size} terms was taken, instead of the sum over them.",
        _only_last,
    ),
    Mistake(
        "assigned for added",
        "What belongs to one position was written there one after the other, so that only the last "
        "is left; it must be added up (np.add.at).",
        _assigned,
    ),
    Mistake("last left out", "The last of the {size} terms is missing in a sum.", _last_left_out),
    Mistake(
        "first left out", "The first of the {size} terms is missing in a sum.", _first_left_out
    ),
    Mistake(
        "extra sum",
        "It was summed over the {size} positions of axis {axis}, which the gradient keeps.",
        _extra_sum,
    ),
    Mistake(
        "extra mean",
        "It was averaged over the {size} positions of axis {axis}, which the gradient keeps.",
        _extra_mean,
    ),
    Mistake("last zero", "The last position of axis {axis} is zero.", _last_row_zero),
    Mistake("first zero", "The first position of axis {axis} is zero.", _first_row_zero),
    Mistake(
        "forgotten sum",
        "This is what one gets by forgetting the sum over {size}.",
        _forgotten_sum,
        reshapes=True,
    ),
    Mistake(
        "kept axis",
        "The numbers are right; axis {axis} of size 1 is too many (keepdims=True?).",
        _kept_axis,
        reshapes=True,
    ),
    Mistake(
        "lost axis",
        "This is what one gets by summing over axis {axis} (size {size}), which the gradient "
        "keeps.",
        _lost_axis,
        reshapes=True,
    ),
    Mistake(
        "axis lost by a mean",
        "This is what one gets by averaging over axis {axis} (size {size}), which the gradient "
        "keeps.",
        _lost_by_mean,
        reshapes=True,
    ),
)
