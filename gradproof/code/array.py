"""The array expressions that a line of exported code is made of, before they have a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Literal

from gradproof.core.index import Size


@dataclass(frozen=True, slots=True)
class Turn:
    """A number that moves with a loop: ``t + offset``, or ``offset − t`` where it runs down."""

    offset: int
    way: int = 1


Count = int | Turn


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """One value of a loop: ``h[3]``."""

    family: str
    number: Count


@dataclass(frozen=True, slots=True)
class Rational:
    """A rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class PiNumber:
    """The number π."""


@dataclass(frozen=True, slots=True)
class Length:
    """A size symbol as a number."""

    size: str


@dataclass(frozen=True, slots=True)
class Plus:
    """An elementwise sum."""

    terms: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Minus:
    """``−a``."""

    body: Array


@dataclass(frozen=True, slots=True)
class Times:
    """An elementwise product."""

    factors: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Over:
    """An elementwise quotient."""

    above: Array
    below: Array


@dataclass(frozen=True, slots=True)
class Raised:
    """An elementwise power; the exponent is no 1/2, which is a square root."""

    base: Array
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Call:
    """An elementwise function of the dictionary."""

    function: str
    arguments: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """1 where a comparison holds and 0 elsewhere, in the dtype of the tensor ``like``."""

    relation: Literal[">", ">=", "==", "<="]
    left: Array
    right: Array
    like: Array


@dataclass(frozen=True, slots=True)
class Grid:
    """Whole numbers ``Σ coefficient·axis + constant`` over axes of these sizes.

    ``places`` are the coefficient and the size of each axis; `None` is an axis of size 1. With
    ``within`` the numbers are moved into ``0 .. within−1``.
    """

    places: tuple[tuple[int, Size] | None, ...]
    constant: int
    within: Size | None = None
    like: Array | None = None


@dataclass(frozen=True, slots=True)
class Matmul:
    """A matrix product; what stands before the last two axes is a stack of matrices."""

    left: Array
    right: Array
    ranks: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tensordot:
    """A product summed over several axes of each."""

    left: Array
    right: Array
    axes: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Einsum:
    """A sum of a product that is none of the others."""

    subscripts: str
    left: Array
    right: Array


@dataclass(frozen=True, slots=True)
class Reduced:
    """A sum, a largest element or a logsumexp along axes, counted from the front."""

    function: str
    body: Array
    axes: tuple[int, ...]
    keep: bool
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Along:
    """A softmax along an axis, counted from the end."""

    function: str
    body: Array
    axis: int


@dataclass(frozen=True, slots=True)
class OfMatrix:
    """A function of a whole matrix: its inverse, or the logarithm of its determinant's size."""

    function: str
    body: Array


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity matrix of a size, in the dtype of the tensor ``like``."""

    size: int
    like: Array


@dataclass(frozen=True, slots=True)
class Permuted:
    """The axes in another order."""

    body: Array
    order: tuple[int, ...]


Part = Literal["all", "new"] | Count | tuple[int, int]
"""Of an axis all, one position or a part; or a new axis of size 1."""


@dataclass(frozen=True, slots=True)
class Taken:
    """``a[:, 0]``, ``a[:, None]``, ``a[:, 1:4]``."""

    body: Array
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Along one axis, counted from the front, the positions of a grid, whose axes replace it."""

    body: Array
    axis: int
    grid: Grid
    rank: int


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The elements in the same order under other axes."""

    body: Array
    shape: tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """An array repeated to a shape; ``like`` gives the dtype where it is a number."""

    body: Array
    shape: tuple[Size, ...]
    like: Array


@dataclass(frozen=True, slots=True)
class Joined:
    """Arrays beside each other along an axis, counted from the front."""

    parts: tuple[Array, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Stacked:
    """Arrays as the slices of one along a new axis, counted from the front."""

    parts: tuple[Array, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Series:
    """One expression for turns ``first`` to ``last``: the terms of a sum, or slices of a stack."""

    body: Array
    first: int
    last: int


Array = (
    Name
    | Member
    | Rational
    | PiNumber
    | Length
    | Plus
    | Minus
    | Times
    | Over
    | Raised
    | Call
    | Compared
    | Grid
    | Matmul
    | Tensordot
    | Einsum
    | Reduced
    | Along
    | OfMatrix
    | Identity
    | Permuted
    | Taken
    | Gathered
    | Reshaped
    | Spread
    | Joined
    | Stacked
    | Series
)

ANY = Name("")
"""Stands for a tensor of floating-point numbers, whichever is at hand: only its dtype counts."""

NODES = Array.__args__  # type: ignore[attr-defined]
LEAVES = (Name, Member, Rational, PiNumber, Length, Grid)


def children(node: Array) -> tuple[Array, ...]:
    """The expressions directly below one, left to right."""
    found: list[Array] = []
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, NODES):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(part for part in value if isinstance(part, NODES))
    return tuple(found)


def walk(node: Array) -> Iterator[Array]:
    """Every expression in one, from the root down."""
    yield node
    for child in children(node):
        yield from walk(child)


def transform(node: Array, change: Callable[[Array], Array]) -> Array:
    """The expression with `change` applied to every node, children first."""
    made = {}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, NODES):
            made[field.name] = transform(value, change)
        elif isinstance(value, tuple) and any(isinstance(part, NODES) for part in value):
            made[field.name] = tuple(transform(part, change) for part in value)
    return change(replace(node, **made) if made else node)


def is_number(node: Array) -> bool:
    """Whether an expression is a plain number: no array stands in it."""
    return not any(isinstance(part, Name | Member | Grid) for part in walk(node))
