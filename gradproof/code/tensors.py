"""Tensors that an equation reads to array expressions: slices, reshapes, gathers, moved axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gradproof.code.array import Array, Gathered, Grid, Part, Permuted, Reshaped, Taken
from gradproof.core.errors import NotYet, Place
from gradproof.core.index import Affine, Index, Size, at, indices_of, is_index, shift, the_index
from gradproof.core.term import Read, Term, free, reads
from gradproof.core.told import told

Axes = tuple[Index | None, ...]
"""What runs along each axis; `None` is an axis of size 1."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What equations are laid out under.

    ``variable`` gives a tensor as a variable, ``shapes`` are those of all tensors, ``outputs`` are
    the forward values that are a function's result: ``(function, tensor)`` to that value, and
    ``whole`` are the tensors of whole numbers.
    """

    variable: Callable[[str], Array]
    shapes: Mapping[str, tuple[Size, ...]]
    outputs: Mapping[tuple[str, str], str]
    whole: frozenset[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """The bench, and what the equation at hand adds: its line, and a tensor of its dtype."""

    bench: Bench
    place: Place | None
    like: Array
    target: str

    def not_yet(self, what: str) -> NotYet:
        """The error that this equation has no code, and why."""
        return NotYet(
            told("{target} cannot be exported yet: {what}.", target=self.target, what=what),
            advice=told("gradproof derive shows its equation."),
            place=self.place,
        )


def first_of(have: frozenset[Index], axes: Axes) -> int:
    """Where the axes begin that a term of these indices has."""
    return next((n for n, axis in enumerate(axes) if axis in have), len(axes))


def pattern(have: frozenset[Index], axes: Axes) -> Axes:
    """The axes with which a term of these indices is laid out, when it is asked for with those."""
    return tuple(axis if axis in have else None for axis in axes[first_of(have, axes) :])


def natural(term: Term, also: Axes = ()) -> tuple[Index, ...]:
    """The indices of a term in the order in which its largest tensors have them."""
    found: dict[Index, None] = {}
    have = free(term)
    for read in sorted(reads(term), key=lambda read: -len(read.at)):
        found.update(dict.fromkeys(i for p in read.at for i in indices_of(p) if i in have))
    rest = [axis for axis in also if axis is not None and axis in have]
    return tuple(dict.fromkeys([*found, *rest, *sorted(have, key=lambda i: i.number)]))


def grid_of(position: Affine, axes: Axes, within: Size | None, desk: Desk) -> Grid:
    """An affine position over these axes.

    Raises:
        NotYet: it depends on a size symbol.
    """
    coefficients = dict(position.terms)
    if any(isinstance(variable, str) for variable in coefficients):
        raise desk.not_yet(told("a position in it depends on the size of an axis"))
    places = tuple(
        None if axis is None or axis not in coefficients else (coefficients[axis], axis.size)
        for axis in axes
    )
    return Grid(places, position.constant, within)


def lay_read(read: Read, axes: Axes, desk: Desk) -> Array:
    """A tensor where a term reads it."""
    array, shape = desk.bench.variable(read.tensor), desk.bench.shapes[read.tensor]
    return lay_at(array, shape, read.at, read.tensor, axes, desk)


def lay_at(
    array: Array,
    shape: tuple[Size, ...],
    places: tuple[Affine, ...],
    name: str,
    axes: Axes,
    desk: Desk,
) -> Array:
    """An array of this shape at these positions, one for each of its axes.

    Raises:
        NotYet: it is read along a diagonal; the message has its name.
    """
    array, places, shape = _split(array, places, shape)
    parts: list[Part] = []
    have: list[Index | None] = []
    gathers: list[tuple[int, Affine, Size]] = []
    for position, size in zip(places, shape, strict=True):
        bare = shift(position, -position.constant)
        if not position.terms:
            parts.append("all" if size == 1 else position.constant)
            have += [None] if size == 1 else []
        elif is_index(bare) and (position.constant, the_index(bare).size) == (0, size):
            parts.append("all")
            have.append(the_index(bare))
        elif is_index(bare) and _inside(position, size):
            length = the_index(bare).size
            assert isinstance(length, int)
            parts.append((position.constant, position.constant + length))
            have.append(the_index(bare))
        else:
            parts.append("all")
            gathers.append((len(have), position, size))
            have.append(None)
    if any(part != "all" for part in parts):
        array = Taken(array, tuple(parts))
    for axis, position, size in reversed(gathers):
        mine = indices_of(position)
        safe = _inside(position, size)
        grid = grid_of(position, mine, None if safe else size, desk)
        array = Gathered(array, axis, grid, len(have))
        have[axis : axis + 1] = mine
    present = [axis for axis in have if axis is not None]
    if len(set(present)) < len(present):
        raise desk.not_yet(told("{name} is read with one index at two of its axes", name=name))
    return to_axes(array, tuple(have), pattern(frozenset(present), axes))


def _inside(position: Affine, size: Size) -> bool:
    """Whether a position never leaves an axis."""
    low = high = position.constant
    for variable, coefficient in position.terms:
        if not isinstance(variable, Index) or not isinstance(variable.size, int):
            return False
        ends = sorted((0, coefficient * (variable.size - 1)))
        low, high = low + ends[0], high + ends[1]
    return isinstance(size, int) and low >= 0 and high < size


def _split(
    array: Array, places: tuple[Affine, ...], shape: tuple[Size, ...]
) -> tuple[Array, tuple[Affine, ...], tuple[Size, ...]]:
    """A tensor with the axes that are read at ``4i + j`` made two: a reshape."""
    new_places: list[Affine] = []
    new_shape: list[Size] = []
    for position, size in zip(places, shape, strict=True):
        digits = None if position.constant else radix(position.terms)
        if digits is not None and digits[1] == size and len(digits[0]) > 1:
            new_places += [at(i) for i in digits[0]]
            new_shape += [i.size for i in digits[0]]
        else:
            new_places.append(position)
            new_shape.append(size)
    if len(new_places) == len(places):
        return array, places, shape
    return Reshaped(array, tuple(new_shape)), tuple(new_places), tuple(new_shape)


def radix(terms: Iterable[tuple[Index | str, int]]) -> tuple[tuple[Index, ...], int] | None:
    """The digits of ``12c + 4i + j``, the largest first, and how many numbers they make; `None`
    where some number is made twice or not at all."""
    found: list[Index] = []
    stride = 1
    for variable, coefficient in sorted(terms, key=lambda term: term[1]):
        if not isinstance(variable, Index) or not isinstance(variable.size, int):
            return None
        if coefficient != stride:
            return None
        stride *= variable.size
        found.append(variable)
    return tuple(reversed(found)), stride


def to_axes(array: Array, have: Axes, wanted: Axes) -> Array:
    """An array with these axes as one with those: axes of size 1 come and go, others change place.

    The indices are the same.
    """
    if have == wanted:
        return array
    mine = [axis for axis in have if axis is not None]
    theirs = [axis for axis in wanted if axis is not None]
    if mine != theirs:
        if None in have:
            array = Taken(array, tuple(0 if axis is None else "all" for axis in have))
        array = Permuted(array, tuple(mine.index(axis) for axis in theirs))
        have = tuple(theirs)
    parts: list[Part] = []
    left = list(have)
    for axis in wanted:
        while axis is not None and left and left[0] is None:
            parts.append(0)
            left.pop(0)
        if left and left[0] == axis:
            parts.append("all")
            left.pop(0)
        else:
            parts.append("new")
    parts += [0] * len(left)
    return Taken(array, tuple(parts)) if any(part != "all" for part in parts) else array
