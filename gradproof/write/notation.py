"""The notation tree: what will stand on the page, before it has characters.

Where a tensor is written as a whole, it has rows and columns; in elementwise nodes a row meets
every row of a matrix, a column every column, and a scalar everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from gradproof.core.index import Size
from gradproof.core.term import Relation

Axis = Literal["rows", "columns", "all"]
"""Which index runs: down the rows (``Σ_i A_ij``), along the columns, or every index there is."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An index as it is written; one letter stands for one index in an equation."""

    name: str
    size: Size


@dataclass(frozen=True, slots=True)
class Position:
    """A position ``Σ coefficient·letter + constant``; a `str` is a size symbol."""

    terms: tuple[tuple[Letter | str, int], ...]
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """The positions from ``start`` to before ``stop``: ``1:4``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A tensor as a whole, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Sliced:
    """A tensor at some positions: ``x[t]``, ``x[:,0]``, ``x[n,k]``, ``x[:,1:4]``.

    `None` is an axis that stays as it is, a `Span` one of which a part stays.
    """

    name: str
    places: tuple[Position | Span | None, ...]


@dataclass(frozen=True, slots=True)
class Numeral:
    """A rational number that is not negative."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class SizeSymbol:
    """A size used as a number."""

    name: str


@dataclass(frozen=True, slots=True)
class PiSign:
    """The number π."""


@dataclass(frozen=True, slots=True)
class Ones:
    """A vector of ones: a row or a column, as the convention has it.

    Without a size it is a tensor of ones of the shape of the left side.
    """

    size: Size | None


@dataclass(frozen=True, slots=True)
class Transposed:
    """``Aᵀ``."""

    body: Notation


@dataclass(frozen=True, slots=True)
class Inverted:
    """The inverse of a matrix, or that of its transpose: ``A⁻¹`` or ``A⁻ᵀ``."""

    body: Notation
    transposed: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A matrix product ``A B C``."""

    factors: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Scalars side by side, and at most one tensor, which is the last: ``½ s A``."""

    factors: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fraction of scalars."""

    above: Notation
    below: Notation


@dataclass(frozen=True, slots=True)
class Hadamard:
    """An elementwise product ``A ⊙ B``."""

    factors: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """An elementwise quotient ``A ⊘ B``."""

    above: Notation
    below: Notation


@dataclass(frozen=True, slots=True)
class Plus:
    """An elementwise sum; a negative term is subtracted."""

    terms: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """``−A``."""

    body: Notation


@dataclass(frozen=True, slots=True)
class Raised:
    """An elementwise power with a positive exponent."""

    base: Notation
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Applied:
    """An elementwise function of the dictionary; ``order`` 1 is its derivative."""

    function: str
    arguments: tuple[Notation, ...]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Total:
    """``Σ_n A``: a row where the rows' index runs, a column where the columns' does, or a scalar.

    ``label`` names the index that runs.
    """

    axis: Axis
    label: str
    body: Notation


@dataclass(frozen=True, slots=True)
class Folded:
    """A function of the dictionary that loses an index, as `Total` does."""

    function: str
    axis: Axis
    label: str
    body: Notation


@dataclass(frozen=True, slots=True)
class Kept:
    """A function of the dictionary along the rows' or the columns' index, which stays."""

    function: str
    axis: Axis
    label: str
    body: Notation


@dataclass(frozen=True, slots=True)
class Inner:
    """The inner product ``⟨A, B⟩``."""

    left: Notation
    right: Notation


@dataclass(frozen=True, slots=True)
class Indicator:
    """``[A > B]``, elementwise."""

    relation: Relation
    left: Notation
    right: Notation


@dataclass(frozen=True, slots=True)
class LetterSum:
    """``Σ_t`` over letters that stand in the body."""

    letters: tuple[Letter, ...]
    body: Notation


@dataclass(frozen=True, slots=True)
class LetterFold:
    """A function that loses its letter, in index notation: ``max_k z[n,k]``."""

    function: str
    letters: tuple[Letter, ...]
    body: Notation


@dataclass(frozen=True, slots=True)
class LetterKept:
    """A function along a letter, at a position, in index notation: ``softmax_k(z[n,k])[j]``."""

    function: str
    letter: Letter
    body: Notation
    position: Position


@dataclass(frozen=True, slots=True)
class Condition:
    """``[t − 1 ≥ 0]`` or ``[i − j = 0]``, in index notation."""

    relation: Literal["==", ">="]
    position: Position


@dataclass(frozen=True, slots=True)
class Joined:
    """``[A, B]``, tensors beside each other along the columns' index, or ``[A; B]``, below each
    other along the rows' index; a part may be 0.

    ``sizes`` are those of the parts along that index.
    """

    axis: Literal["rows", "columns"]
    parts: tuple[Notation, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """``A ⋆ B``: B slides over A where it fits, ``Σ_q,r A[i+q,j+r] B[q,r]``; with `steps` above 1,
    ``(A ⋆ B)↓s``, only every s-th place is kept.

    Here and below there is a setting for each axis, in the order of a tensor's axes.
    """

    left: Notation
    right: Notation
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Padded:
    """``pad(A, k)``: zeros before and after."""

    body: Notation
    ends: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Widened:
    """``A↑s``: s − 1 zeros between one element and the next, along each axis."""

    body: Notation
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turned:
    """``rot180(A)``: the last row and column first; ``flip(a)`` for a vector, which is no plane."""

    body: Notation
    plane: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """``tr(A)``, the sum of a square matrix' diagonal."""

    body: Notation


@dataclass(frozen=True, slots=True)
class Diagonal:
    """``diag(v)``, the square matrix with a vector on its diagonal and zeros beside it."""

    body: Notation


@dataclass(frozen=True, slots=True)
class Equality:
    """An equation."""

    left: Notation
    right: Notation


Notation = (
    Symbol
    | Sliced
    | Numeral
    | SizeSymbol
    | PiSign
    | Ones
    | Transposed
    | Chain
    | Times
    | Ratio
    | Hadamard
    | Quotient
    | Plus
    | Negative
    | Raised
    | Applied
    | Total
    | Inverted
    | Folded
    | Kept
    | Inner
    | Indicator
    | LetterSum
    | LetterFold
    | LetterKept
    | Condition
    | Joined
    | Correlation
    | Padded
    | Widened
    | Turned
    | Trace
    | Diagonal
    | Equality
)


def children(notation: Notation) -> tuple[Notation, ...]:
    """The notations directly below one, left to right."""
    match notation:
        case Symbol() | Sliced() | Numeral() | SizeSymbol() | PiSign() | Ones() | Condition():
            return ()
        case Inverted(body, _):
            return (body,)
        case Transposed(body) | Negative(body) | LetterSum(_, body) | Raised(body, _):
            return (body,)
        case Total(_, _, body) | Folded(_, _, _, body) | Kept(_, _, _, body):
            return (body,)
        case LetterFold(_, _, body) | LetterKept(_, _, body, _):
            return (body,)
        case Padded(body, _) | Widened(body, _) | Turned(body, _):
            return (body,)
        case Trace(body) | Diagonal(body):
            return (body,)
        case Correlation(a, b, _):
            return (a, b)
        case Joined(_, parts, _):
            return parts
        case Chain(parts) | Times(parts) | Hadamard(parts) | Plus(parts) | Applied(_, parts, _):
            return parts
        case Ratio(a, b) | Quotient(a, b) | Inner(a, b) | Indicator(_, a, b) | Equality(a, b):
            return (a, b)
