"""Expressions that stand in several lines to lines of their own: common factors, once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gradproof.code.array import (
    LEAVES,
    Array,
    Call,
    Compared,
    Member,
    Minus,
    Name,
    Permuted,
    Plus,
    Raised,
    Rational,
    Taken,
    Times,
    Turn,
    is_number,
    transform,
    walk,
)

LONGEST = 24
"""A name that would be longer than this is a number instead: ``common_1``."""


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment; ``formula`` is the equation that it computes, "" for a common factor."""

    target: Name | Member
    value: Array
    formula: str = ""


def with_common_factors(lines: Sequence[Line], taken: set[str]) -> list[Line]:
    """The lines, with what is computed more than once computed before its first use.

    Args:
        lines: assignments in order.
        taken: names that are in use; those of the new lines are added.
    """
    found = list(lines)
    while True:
        common = _largest(found)
        if common is None:
            return found
        found = _hoisted(found, common, taken)


def _largest(lines: Sequence[Line]) -> Array | None:
    """The largest expression that is worked out more than once."""
    counts: Counter[Array] = Counter()
    for line in lines:
        counts.update(node for node in walk(line.value) if _is_work(node))
        if _is_work(line.value):
            counts[line.value] += 0
    several = [node for node, number in counts.items() if number > 1]
    return max(several, key=lambda node: sum(1 for _ in walk(node)), default=None)


def _is_work(node: Array) -> bool:
    """Whether an expression costs a pass over an array; views and plain numbers do not."""
    return not (isinstance(node, (*LEAVES, Taken, Permuted, Minus)) or is_number(node))


def _hoisted(lines: Sequence[Line], common: Array, taken: set[str]) -> list[Line]:
    target = next((line.target for line in lines if line.value == common), None)
    if target is not None:
        spot = next(k for k, line in enumerate(lines) if line.target == target)
        first = next(k for k, line in enumerate(lines) if common in set(walk(line.value)))
        if first == spot:
            return [
                line if k == spot else replace(line, value=_replaced(line.value, common, target))
                for k, line in enumerate(lines)
            ]
    name = _name(common, taken)
    new = [replace(line, value=_replaced(line.value, common, name)) for line in lines]
    first = next(k for k, (a, b) in enumerate(zip(lines, new, strict=True)) if a != b)
    return [*new[:first], Line(name, common), *new[first:]]


def _replaced(value: Array, common: Array, name: Name | Member) -> Array:
    return transform(value, lambda node: name if node == common else node)


def _name(node: Array, taken: set[str]) -> Name | Member:
    """A name that says what it is: ``x_minus_m``, ``tanh_C[3]``."""
    said = "_".join(_words(node))
    turns = {n.number for n in walk(node) if isinstance(n, Member)}
    known = re.fullmatch(r"[^\W\d]\w*", said) and len(said) <= LONGEST
    name = said if known else ""
    number = 1
    if turns and not any(isinstance(turn, Turn) for turn in turns):
        last = max(turn for turn in turns if isinstance(turn, int))
        if name and f"{name}[{last}]" not in taken and name not in taken:
            taken.add(f"{name}[{last}]")
            return Member(name, last)
    while not name or name in taken:
        name = f"{said}_{number}" if known else f"common_{number}"
        number += 1
    taken.add(name)
    return Name(name)


def _words(node: Array) -> Iterator[str]:
    match node:
        case Name(name):
            yield name
        case Member(family, _):
            yield family
        case Rational(value) if value == 1:
            yield "one"
        case Taken(body, _) | Permuted(body, _):
            yield from _words(body)
        case Call(function, arguments):
            yield function
            for argument in arguments:
                yield from _words(argument)
        case Plus((first, Minus(second))):
            yield from _words(first)
            yield "minus"
            yield from _words(second)
        case Times((first, second)):
            yield from _words(first)
            yield "times"
            yield from _words(second)
        case Compared(">", left, _, _):
            yield from _words(left)
            yield "is_positive"
        case Raised(base, exponent) if exponent == 2:
            yield from _words(base)
            yield "squared"
        case _:
            yield "?"
