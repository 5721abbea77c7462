"""The terms of a certificate to functions of their indices, over Arb balls and power series.

A term is JSON: a number, or a list that begins with its kind, such as
``["product", ["read", "x", "i0", "i2"], ["read", "W", "i2", "i1"]]`` for x[i0,i2]·W[i2,i1].
Standard library and python-flint only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint

from gradproof.certificate.elimination import determinant, inverted
from gradproof.certificate.numbers import (
    ONE,
    ZERO,
    NotConfirmed,
    Scalar,
    Unreadable,
    depends,
    largest,
    series,
    value_of,
)

ELEMENTARY = ("exp", "log", "sin", "cos", "erf")
"""The functions that FLINT computes, also on power series; all others are defined by a term."""

Environment = dict[str, Any]
"""The number that each index has, and the value of each argument."""

Evaluator = Callable[[Environment], Scalar]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's elements, the last axis running fastest."""

    shape: tuple[int, ...]
    elements: list[Scalar]


def function(name: Any, arguments: int, room: Room) -> Callable[..., Scalar]:
    """An elementwise function: one of FLINT's, or one that the certificate defines."""
    if name in ELEMENTARY and arguments == 1:
        return lambda x: getattr(x, name)()
    definition = room.functions.get(name) if isinstance(name, str) else None
    if not isinstance(definition, list) or len(definition) != 2 or definition[0] != arguments:
        raise Unreadable(f"there is no function {name!r} of {arguments} arguments")
    names = [f"#{k}" for k in range(arguments)]
    # A function is one of its arguments alone: a tensor that it read would depend on t unseen.
    alone = Room(room.sizes, room.functions, {})
    body = compiled(definition[1], dict.fromkeys(names, 1), alone)
    return lambda *values: body(dict(zip(names, values, strict=True)))


# --- terms to functions of their indices ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """What a term is compiled in: the certificate's tables, and the tensors so far."""

    sizes: Mapping[str, int]
    functions: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


Scope = Mapping[str, int]
"""The indices that are bound around a term, with their sizes."""


def compiled(term: Any, scope: Scope, room: Room) -> Evaluator:
    """A term as a function of the indices in scope."""
    if isinstance(term, int | str) and not isinstance(term, bool):
        number = rational(term)
        return lambda _: number
    if not isinstance(term, list) or kind(term) not in KINDS:
        raise Unreadable(f"{str(term)[:60]} is no term")
    head, *parts = term
    fewest, most, compiler = KINDS[head]
    if not fewest <= len(parts) <= most:
        wanted = f"{fewest} parts" if fewest == most else f"at least {fewest} parts"
        raise Unreadable(f"a term {head!r} has {wanted}, not {len(parts)}")
    return compiler(parts, scope, room)


def kind(term: Any) -> str:
    """What a term begins with; nothing for a number."""
    return term[0] if isinstance(term, list) and term and isinstance(term[0], str) else ""


def rational(said: int | str) -> flint.arb:
    """A whole number, or a fraction such as ``"-1/2"``."""
    value = fraction(said)
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def fraction(said: Any) -> Fraction:
    """An exact number."""
    if isinstance(said, bool) or not isinstance(said, int | str):
        raise Unreadable(f"{said!r} is no number")
    try:
        return Fraction(said)
    except (ValueError, ZeroDivisionError) as problem:
        raise Unreadable(f"{said!r} is no number") from problem


def size(said: Any, room: Room) -> int:
    """A number, or a size symbol's number."""
    found = room.sizes.get(said) if isinstance(said, str) else said
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise Unreadable(f"{said!r} is no size")
    return found


def binders(said: Any, scope: Scope, room: Room) -> dict[str, int]:
    """New indices with their sizes; none of them may stand in the scope already, or be called as
    an argument is: an argument is a ball, and an index a whole number of Python."""
    if (
        not isinstance(said, dict)
        or set(said) & set(scope)
        or any(name.startswith("#") for name in said)
    ):
        raise Unreadable(f"{said!r} does not bind new indices")
    return {name: size(length, room) for name, length in said.items()}


def position(said: Any, scope: Scope, room: Room) -> Callable[[Environment], int]:
    """An index, a number, or ``{"i0": 1, "size n": 1, "1": -1}`` for ``i0 + n − 1``."""
    entries = (
        said if isinstance(said, dict) else {said: 1} if isinstance(said, str) else {"1": said}
    )
    if not all(isinstance(c, int) for c in entries.values()):
        raise Unreadable(f"{said!r} is no position")
    constant, moving = 0, []
    for name, coefficient in entries.items():
        if name == "1":
            constant += coefficient
        elif name.startswith("size "):
            constant += coefficient * size(name.removeprefix("size "), room)
        elif name in scope and not name.startswith("#"):
            moving.append((name, coefficient))
        else:
            raise Unreadable(f"nothing binds the index {name}")
    if constant == 0 and len(moving) == 1 and moving[0][1] == 1:
        bare = moving[0][0]
        return lambda at: at[bare]
    return lambda at: constant + sum(c * at[name] for name, c in moving)


def _number_of_size(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    number = flint.arb(size(parts[0], room))
    return lambda _: number


def _pi(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    return lambda _: flint.arb.pi()


def _argument(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    name = f"#{parts[0]}"
    if name not in scope:
        raise Unreadable(f"there is no argument {parts[0]}")
    return lambda at: at[name]


def _read(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    name, *places = parts
    if not isinstance(name, str) or name not in room.tensors:
        raise Unreadable(f"{name} is read and not defined before")
    tensor = room.tensors[name]
    if len(places) != len(tensor.shape):
        raise Unreadable(f"{name} is read at {len(places)} positions, not {len(tensor.shape)}")
    found = [position(place, scope, room) for place in places]
    elements, shape = tensor.elements, tensor.shape

    def evaluate(at: Environment) -> Scalar:
        offset = 0
        for place, length in zip(found, shape, strict=True):
            spot = place(at)
            if not 0 <= spot < length:
                raise NotConfirmed(f"{name} is read at {spot}, outside its axis of size {length}")
            offset = offset * length + spot
        return elements[offset]

    return evaluate


def _add(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    first, *others = [compiled(part, scope, room) for part in parts]

    def evaluate(at: Environment) -> Scalar:
        total = first(at)
        for other in others:
            total = total + other(at)
        return total

    return evaluate


def _product(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    # Brackets come first: what they exclude, such as a read before the first element, is not
    # looked at.
    ordered = sorted(parts, key=lambda part: kind(part) != "bracket")
    factors = [compiled(part, scope, room) for part in ordered]
    brackets = sum(1 for part in ordered if kind(part) == "bracket")

    def evaluate(at: Environment) -> Scalar:
        if any(factor(at) == 0 for factor in factors[:brackets]):
            return ZERO
        product = ONE
        for factor in factors[brackets:]:
            product = product * factor(at)
        return product

    return evaluate


def _over(
    said: Any, body: Any, scope: Scope, room: Room
) -> Callable[[Environment], Iterator[Scalar]]:
    """The body at every value of the indices that are bound here."""
    bound = binders(said, scope, room)
    inside = compiled(body, {**scope, **bound}, room)
    ranges = [range(length) for length in bound.values()]

    def evaluate(at: Environment) -> Iterator[Scalar]:
        here = dict(at)
        for spots in itertools.product(*ranges):
            here.update(zip(bound, spots, strict=True))
            yield inside(here)

    return evaluate


def _sum(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    body = _over(parts[0], parts[1], scope, room)
    return lambda at: sum(body(at), ZERO)


def _power(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    base, exponent = compiled(parts[0], scope, room), fraction(parts[1])
    if exponent.denominator == 1 and exponent >= 0:
        times = exponent.numerator
        return lambda at: base(at) ** times
    if exponent.denominator == 1:
        times = -exponent.numerator
        return lambda at: 1 / base(at) ** times
    if exponent == Fraction(1, 2):
        return lambda at: base(at).sqrt()
    if exponent == Fraction(-1, 2):
        return lambda at: 1 / base(at).sqrt()
    real = flint.arb(flint.fmpq(exponent.numerator, exponent.denominator))
    return lambda at: (base(at).log() * real).exp()


def _apply(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    call = function(parts[0], len(parts) - 1, room)
    arguments = [compiled(part, scope, room) for part in parts[1:]]
    return lambda at: call(*(argument(at) for argument in arguments))


def _slope(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    """The derivative of a function by its first argument, from its series around that argument."""
    call = function(parts[0], len(parts) - 1, room)
    arguments = [compiled(part, scope, room) for part in parts[1:]]

    def evaluate(at: Environment) -> Scalar:
        x, *others = [argument(at) for argument in arguments]
        if any(depends(other) for other in others):
            raise NotConfirmed(f"{parts[0]}′ depends on the tapped element in several arguments")
        around = call(flint.arb_series([value_of(x), 1], 3), *others)
        if not depends(around):
            return ZERO
        # f(x + s) = f + f′·s + f″/2·s² + …, so f′(x + x′t) = f′ + f″·x′·t + …
        return series(around[1], 2 * around[2] * x[1]) if depends(x) else around[1]

    return evaluate


def _fold(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    name, said, body = parts
    values = _over(said, body, scope, room)
    if name == "max":
        return lambda at: largest(list(values(at)))
    if name == "logsumexp":
        return lambda at: sum((value.exp() for value in values(at)), ZERO).log()
    if name == "logdet":
        side = _side(said, room)
        return lambda at: _size_of(determinant(_rows(values(at), side))).log()
    raise Unreadable(f"there is no fold called {name!r}")


def _side(said: Any, room: Room) -> int:
    """How many rows and columns a matrix has whose elements are bound by these two indices."""
    sizes = [size(length, room) for length in said.values()]
    if len(sizes) != 2 or sizes[0] != sizes[1]:
        raise Unreadable(f"{said!r} does not bind the rows and columns of a square matrix")
    return sizes[0]


def _rows(elements: Iterator[Scalar], side: int) -> list[list[Scalar]]:
    found = list(elements)
    return [found[start : start + side] for start in range(0, len(found), side)]


def _size_of(x: Scalar) -> Scalar:
    """The absolute value of what is not zero."""
    return x if value_of(x) > 0 else -x


def _inverse(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    """One element of an inverse, which is kept for the other elements."""
    said, body, *places = parts
    values = _over(said, body, scope, room)
    side = _side(said, room)
    row, column = (position(place, scope, room) for place in places)
    used = sorted(mentioned(body) & set(scope))
    of_arguments = any(name.startswith("#") for name in scope)
    kept: dict[tuple[int, ...], list[list[Scalar]]] = {}

    def evaluate(at: Environment) -> Scalar:
        i, j = row(at), column(at)
        if not (0 <= i < side and 0 <= j < side):
            raise NotConfirmed(f"an inverse of {side} rows is read at {i}, {j}")
        key = tuple(at[name] for name in used)
        # A function's arguments are no indices: its matrix is another one in every call.
        if of_arguments or key not in kept:
            kept[key] = inverted(_rows(values(at), side))
        return kept[key][i][j]

    return evaluate


def mentioned(term: Any) -> set[str]:
    """Every word in a term; the indices that its value depends on are among them."""
    if isinstance(term, str):
        return {term}
    if isinstance(term, dict):
        return {*term}.union(*map(mentioned, term.values()))
    if isinstance(term, list):
        return set[str]().union(*map(mentioned, term))
    return set()


def _along(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    name, said, body, place = parts
    if name != "softmax":
        raise Unreadable(f"there is no function along an axis called {name!r}")
    values, chosen = _over(said, body, scope, room), position(place, scope, room)

    def evaluate(at: Environment) -> Scalar:
        powers, spot = [value.exp() for value in values(at)], chosen(at)
        if not 0 <= spot < len(powers):
            raise NotConfirmed(f"{name} is read at {spot}, outside its axis of size {len(powers)}")
        return powers[spot] / sum(powers, ZERO)

    return evaluate


def _compare(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    relation = parts[0]
    if relation not in (">", ">=", "=="):
        raise Unreadable(f"there is no relation {relation!r}")
    left, right = (compiled(part, scope, room) for part in parts[1:])

    def evaluate(at: Environment) -> Scalar:
        a, b = left(at), right(at)
        x, y = value_of(a), value_of(b)
        if x > y or x < y:
            return ONE if x > y and relation != "==" else ZERO
        if depends(a) or depends(b) or not (x.is_exact() and y.is_exact()):
            raise NotConfirmed("a kink or tie lies at these inputs, where nothing has a derivative")
        return ZERO if relation == ">" else ONE

    return evaluate


def _bracket(parts: list[Any], scope: Scope, room: Room) -> Evaluator:
    relation, where = parts[0], position(parts[1], scope, room)
    if relation == "==":
        return lambda at: ONE if where(at) == 0 else ZERO
    if relation == ">=":
        return lambda at: ONE if where(at) >= 0 else ZERO
    raise Unreadable(f"there is no bracket {relation!r}")


MANY = 10**9

KINDS: dict[str, tuple[int, int, Callable[[list[Any], Scope, Room], Evaluator]]] = {
    "size": (1, 1, _number_of_size),
    "pi": (0, 0, _pi),
    "argument": (1, 1, _argument),
    "read": (1, MANY, _read),
    "add": (1, MANY, _add),
    "product": (1, MANY, _product),
    "sum": (2, 2, _sum),
    "power": (2, 2, _power),
    "apply": (2, MANY, _apply),
    "slope": (2, MANY, _slope),
    "fold": (3, 3, _fold),
    "along": (4, 4, _along),
    "inverse": (4, 4, _inverse),
    "compare": (3, 3, _compare),
    "bracket": (2, 2, _bracket),
}
"""Each kind of term: how many parts it has, at least and at most, and what compiles it."""
