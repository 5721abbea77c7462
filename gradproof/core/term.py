"""The node types of a term: what stands on the right of an index equation.

A term is a scalar expression in index variables. There is no transpose, no broadcast and no
reshape: ``x @ W`` is ``Sum((k,), Product((Read("x", (i, k)), Read("W", (k, j)))))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from gradproof.core.index import Affine, Index, Size, indices_of, replace

Relation = Literal[">", ">=", "=="]


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational constant."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class SizeOf:
    """A size symbol used as a number, as in ``1/n``."""

    size: str


@dataclass(frozen=True, slots=True)
class Pi:
    """The number π, exactly."""


@dataclass(frozen=True, slots=True)
class Read:
    """The element of a named tensor at affine positions."""

    tensor: str
    at: tuple[Affine, ...]


@dataclass(frozen=True, slots=True)
class Add:
    """A sum of finitely many written terms."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of finitely many written factors."""

    factors: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """``Σ`` of the body over the bound indices."""

    over: tuple[Index, ...]
    body: Term


@dataclass(frozen=True, slots=True)
class Power:
    """A term to a rational power; ``x / y`` is ``x · y^-1``."""

    base: Term
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Apply:
    """An elementwise function of the dictionary; ``order`` 1 is its derivative, written σ′."""

    function: str
    arguments: tuple[Term, ...]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Fold:
    """A function of all elements along the bound indices, which it loses (max, logsumexp)."""

    function: str
    over: tuple[Index, ...]
    body: Term


@dataclass(frozen=True, slots=True)
class Along:
    """A function along the bound index, which it keeps (softmax): its value at a position."""

    function: str
    over: Index
    body: Term
    position: Affine


@dataclass(frozen=True, slots=True)
class Compare:
    """1 where the comparison of two terms holds and 0 elsewhere, written ``[a > b]``."""

    relation: Relation
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Bracket:
    """1 where an affine expression is zero (``==``) or at least zero (``>=``), 0 elsewhere."""

    relation: Literal["==", ">="]
    position: Affine


Term = (
    Number
    | SizeOf
    | Pi
    | Read
    | Add
    | Product
    | Sum
    | Power
    | Apply
    | Fold
    | Along
    | Compare
    | Bracket
)

ZERO = Number(Fraction(0))
ONE = Number(Fraction(1))


def children(term: Term) -> tuple[Term, ...]:
    """The terms directly below a term, left to right."""
    match term:
        case Number() | SizeOf() | Pi() | Read() | Bracket():
            return ()
        case Add(terms):
            return terms
        case Product(factors):
            return factors
        case Sum(_, body) | Fold(_, _, body) | Along(_, _, body, _):
            return (body,)
        case Power(base, _):
            return (base,)
        case Apply(_, arguments, _):
            return arguments
        case Compare(_, left, right):
            return (left, right)


def rebuild(term: Term, below: tuple[Term, ...]) -> Term:
    """The same node over other children."""
    match term:
        case Number() | SizeOf() | Pi() | Read() | Bracket():
            return term
        case Add():
            return Add(below)
        case Product():
            return Product(below)
        case Sum(over, _):
            return Sum(over, below[0])
        case Fold(function, over, _):
            return Fold(function, over, below[0])
        case Along(function, index, _, position):
            return Along(function, index, below[0], position)
        case Power(_, exponent):
            return Power(below[0], exponent)
        case Apply(function, _, order):
            return Apply(function, below, order)
        case Compare(relation, _, _):
            return Compare(relation, below[0], below[1])


def bound(term: Term) -> tuple[Index, ...]:
    """The indices that this node itself binds in its body."""
    match term:
        case Sum(over, _) | Fold(_, over, _):
            return over
        case Along(_, index, _, _):
            return (index,)
        case _:
            return ()


def positions(term: Term) -> tuple[Affine, ...]:
    """The affine expressions that stand in this node itself, outside its body."""
    match term:
        case Read(_, places):
            return places
        case Along(_, _, _, position) | Bracket(_, position):
            return (position,)
        case _:
            return ()


def walk(term: Term) -> Iterator[Term]:
    """Every node of a term, from the root down, left to right."""
    yield term
    for child in children(term):
        yield from walk(child)


def reads(term: Term) -> Iterator[Read]:
    """Every read in a term, left to right, with repetitions."""
    return (node for node in walk(term) if isinstance(node, Read))


def free(term: Term) -> frozenset[Index]:
    """The indices that occur in a term and are not bound in it."""
    below: frozenset[Index] = frozenset().union(*(free(child) for child in children(term)))
    here = {index for position in positions(term) for index in indices_of(position)}
    return (below - set(bound(term))) | here


def transform(term: Term, change: Callable[[Term], Term]) -> Term:
    """The term with `change` applied to every node, children first."""
    below = children(term)
    if below:
        term = rebuild(term, tuple(transform(child, change) for child in below))
    return change(term)


def substitute(term: Term, mapping: dict[Index, Affine]) -> Term:
    """Free indices replaced by positions, all at once.

    The caller keeps bound indices apart from those in the mapping (see `normal.apart`):
    a bound index that is mapped would be captured.
    """

    def change(node: Term) -> Term:
        match node:
            case Read(tensor, places):
                return Read(tensor, tuple(replace(p, mapping) for p in places))
            case Along(function, index, body, position):
                return Along(function, index, body, replace(position, mapping))
            case Bracket(relation, position):
                return Bracket(relation, replace(position, mapping))
            case _:
                return node

    return transform(term, change)


def rename(term: Term, names: dict[str, str]) -> Term:
    """The term with tensors renamed."""

    def change(node: Term) -> Term:
        match node:
            case Read(tensor, places) if tensor in names:
                return Read(names[tensor], places)
            case _:
                return node

    return transform(term, change)


def size_term(size: Size) -> Term:
    """A size as a term."""
    return Number(Fraction(size)) if isinstance(size, int) else SizeOf(size)
