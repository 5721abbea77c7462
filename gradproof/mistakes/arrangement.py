"""Right numbers in wrong places: transposes, flips, shifts, factors in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

from gradproof.core.index import Affine, Index, at, combine, extent, shift
from gradproof.core.normal import highest, product
from gradproof.core.program import Equation
from gradproof.core.term import (
    Add,
    Along,
    Bracket,
    Product,
    Read,
    Sum,
    Term,
    substitute,
    transform,
)
from gradproof.core.told import told
from gradproof.mistakes.record import Mistake, Scene, Wrong, spots, wrong
from gradproof.mistakes.sums import last_of
from gradproof.prims.linalg import inverse


def _swapped_axes(scene: Scene) -> Iterator[Wrong]:
    """An operand with two axes of one size exchanged."""
    for node, put in spots(scene.right.term):
        if isinstance(node, Read):
            shape = scene.shapes[node.tensor]
            for i, j in combinations(range(len(shape)), 2):
                if shape[i] == shape[j] != 1:
                    places = list(node.at)
                    places[i], places[j] = places[j], places[i]
                    yield wrong(scene, put(Read(node.tensor, tuple(places))), tensor=node.tensor)


def _transposed_result(scene: Scene) -> Iterator[Wrong]:
    axes = scene.right.free
    for i, j in combinations(range(len(axes)), 2):
        if axes[i].size == axes[j].size != 1:
            swap = {axes[i]: at(axes[j]), axes[j]: at(axes[i])}
            yield wrong(scene, substitute(scene.right.term, swap))


def _transposed_inverse(scene: Scene) -> Iterator[Wrong]:
    """One inverse transposed, then all of them: the transpose of one is often that of each."""
    right = scene.right.term
    found = [put(_turned(node)) for node, put in spots(right) if _turned(node) != node]
    yield from (wrong(scene, term) for term in found)
    if len(found) > 1:
        yield wrong(scene, transform(right, _turned))


def _turned(node: Term) -> Term:
    match node:
        case Along("inverse", i, Along("matrix", j, body, column), row):
            return inverse(i, j, body, (column, row))
        case _:
            return node


def _other_order(scene: Scene) -> Iterator[Wrong]:
    """``B A`` for ``A B``, where the sizes allow it."""
    for node, put in spots(scene.right.term):
        if isinstance(node, Sum) and isinstance(node.body, Product):
            reads = [f for f in node.body.factors if isinstance(f, Read)]
            for one, two in combinations(reads, 2):
                if (
                    one.tensor != two.tensor
                    and scene.shapes[one.tensor] == scene.shapes[two.tensor]
                ):
                    change: dict[Term, Term] = {
                        one: Read(two.tensor, one.at),
                        two: Read(one.tensor, two.at),
                    }
                    body = Product(tuple(change.get(f, f) for f in node.body.factors))
                    yield wrong(scene, put(Sum(node.over, body)), left=one.tensor, right=two.tensor)


def _flipped(index: Index) -> Affine:
    return combine(last_of(index), at(index), -1)


def _flipped_result(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size != 1:
            term = substitute(scene.right.term, {index: _flipped(index)})
            yield wrong(scene, term, axis=str(axis))


def _flipped_operand(scene: Scene) -> Iterator[Wrong]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Read):
            for axis, size in enumerate(scene.shapes[node.tensor]):
                if size != 1:
                    end = shift(extent(size), -1)
                    places = list(node.at)
                    places[axis] = combine(end, node.at[axis], -1)
                    yield wrong(
                        scene,
                        put(Read(node.tensor, tuple(places))),
                        tensor=node.tensor,
                        axis=str(axis),
                    )


def _rolled(scene: Scene, index: Index, by: int) -> Term:
    """The right formula at the position before or after, around the end."""
    # Not read at i ± 1, which lies outside for one i: the place is picked out of a sum.
    other = Index(highest(scene.right.term, scene.right.free) + 1, index.size)
    beside = Bracket("==", shift(combine(at(other), at(index), -1), -by))
    first, last = Bracket("==", at(index)), Bracket("==", combine(at(index), last_of(index), -1))
    ending = Bracket("==", combine(at(other), last_of(index), -1))
    around = product(first, ending) if by < 0 else product(last, Bracket("==", at(other)))
    moved = substitute(scene.right.term, {index: at(other)})
    return Sum((other,), product(Add((beside, around)), moved))


def _shifted_result(scene: Scene) -> Iterator[Wrong]:
    for axis, index in enumerate(scene.right.free):
        if index.size not in (1, 2):  # of two, a shift is a flip
            yield wrong(scene, _rolled(scene, index, -1), axis=str(axis), way=told("forwards"))
            yield wrong(scene, _rolled(scene, index, 1), axis=str(axis), way=told("backwards"))


def _neighbouring_position(scene: Scene) -> Iterator[Wrong]:
    """``x[t]`` for ``x[t-1]``: where a formula reads beside an index, or at a number."""
    for node, put in spots(scene.right.term):
        if isinstance(node, Read):
            for axis, place in enumerate(node.at):
                bare = len(place.terms) == 1 and place.constant == 0
                size = scene.shapes[node.tensor][axis]
                if bare or size == 1:
                    continue
                for by in (-1, 1):
                    moved = shift(place, by)
                    if not place.terms and not (
                        moved.constant >= 0 and (isinstance(size, str) or moved.constant < size)
                    ):
                        continue
                    places = (*node.at[:axis], moved, *node.at[axis + 1 :])
                    yield wrong(scene, put(Read(node.tensor, places)), tensor=node.tensor)


def _transposed_shape(scene: Scene) -> Iterator[Wrong]:
    right = scene.right
    for axes in permutations(right.free):
        if axes != right.free:
            yield Wrong(Equation(right.target, axes, right.term), {})


def _sum_and_order(scene: Scene) -> Iterator[Wrong]:
    """The factors of a product that were multiplied element by element instead of as matrices."""
    right = scene.right
    if isinstance(right.term, Sum):
        body, axes = right.term.body, (*right.term.over, *right.free)
        for order in permutations(axes):
            if len(axes) == 3:
                yield Wrong(Equation(right.target, order, body), {})


ARRANGEMENT = (
    Mistake(
        "operand transposed",
        "{tensor} is transposed where it must not be, or is not where it must be.",
        _swapped_axes,
    ),
    Mistake(
        "inverse transposed",
        "An inverse is transposed where it must not be, or is not where it must be.",
        _transposed_inverse,
    ),
    Mistake("result transposed", "It is the gradient transposed.", _transposed_result),
    Mistake(
        "factors exchanged",
        "{left} and {right} stand in each other's place in a matrix product.",
        _other_order,
    ),
    Mistake("flipped", "Axis {axis} runs backwards.", _flipped_result),
    Mistake("operand flipped", "{tensor} was read backwards along axis {axis}.", _flipped_operand),
    Mistake(
        "shifted", "Axis {axis} is moved {way} by one position, around the end.", _shifted_result
    ),
    Mistake(
        "neighbouring position",
        "{tensor} was read at a neighbouring position: t for t−1, or the like.",
        _neighbouring_position,
    ),
    Mistake(
        "transposed shape", "This is the gradient transposed.", _transposed_shape, reshapes=True
    ),
    Mistake(
        "product without its sum",
        "The factors of a matrix product were multiplied, but not summed.",
        _sum_and_order,
        reshapes=True,
    ),
)
