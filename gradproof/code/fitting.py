"""Lines that are too long to lines that fit: their parts get names of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradproof.code.array import (
    LEAVES,
    Array,
    Compared,
    Gathered,
    Grid,
    Member,
    Minus,
    Name,
    Permuted,
    Plus,
    Series,
    Spread,
    Stacked,
    Taken,
    Times,
    children,
    is_number,
    transform,
    walk,
)
from gradproof.code.factors import Line
from gradproof.code.text import Ink, code, parts_of
from gradproof.code.turns import Loop


def fitted(
    lines: Sequence[Line | Loop], ink: Ink, width: int, taken: set[str]
) -> list[Line | Loop]:
    """The lines, none of which is wider than `width` where parts of it can stand before it.

    Args:
        lines: of a function, with its loops.
        ink: what they are written with.
        width: columns of an assignment that stands in a function; in a loop there are 4 fewer.
        taken: names that are in use; those of parts are added.
    """
    found: list[Line | Loop] = []
    for one in lines:
        if isinstance(one, Loop):
            inside = [part for line in one.lines for part in _fitted(line, ink, width - 4, taken)]
            found.append(replace(one, lines=tuple(inside)))
        else:
            found += _fitted(one, ink, width, taken)
    return found


def _fitted(line: Line, ink: Ink, width: int, taken: set[str]) -> list[Line]:
    def fits(value: Array) -> bool:
        parts = parts_of(value, ink)
        if len(f"{code(line.target, ink)} = {code(value, ink)}") <= width or _of_turns(value):
            return True
        # With a single operator ruff breaks the last bracket instead.
        return len(parts) > 2 and all(len(part) <= width - 4 for part in parts)

    before: list[Line] = []
    value = line.value
    while not fits(value):
        part = _part(value, ink, width)
        if part is None:
            break
        name = _name(part, line.target, taken)
        before += _fitted(Line(name, part), ink, width, taken)
        value = transform(value, lambda node, p=part, n=name: n if node == p else node)  # type: ignore[misc]
    if not before:
        return [line]
    first, *others = before
    return [
        replace(first, formula=line.formula),
        *others,
        replace(line, value=value, formula=""),
    ]


def _part(value: Array, ink: Ink, width: int) -> Array | None:
    """The largest part that fits into a line, of windows and masks the first."""
    whole = value
    while isinstance(value, Plus | Times) and (longest := _longest(value, ink)) is not None:
        value = longest
    found = [] if isinstance(value, Series) else [n for c in children(value) for n in _free(c)]
    for allowed in (_has_work, lambda node: isinstance(node, Permuted)):
        parts = [node for node in found if allowed(node) and len(code(node, ink)) > SHORTEST]
        fits = [node for node in parts if len(code(node, ink)) + ROOM <= width]
        first = [node for node in fits if isinstance(node, Gathered | Compared)]
        if parts:
            return max(first or fits or parts, key=lambda node: len(code(node, ink)))
    return None if value is whole or not _has_work(value) else value


def _longest(value: Plus | Times, ink: Ink) -> Array | None:
    """The part of a sum or product that is too long; `None` if it has none of its own."""
    longest = max(children(value), key=lambda node: len(code(node, ink)))
    if isinstance(longest, Series):
        return None
    return longest if any(_has_work(n) for c in children(longest) for n in _free(c)) else None


def _of_turns(value: Array) -> bool:
    """Whether it is a sum or a stack over the turns of a loop: it is broken where it is written."""
    match value:
        case Plus((Series(),)) | Stacked((Series(),), _):
            return True
        case Minus(body):
            return _of_turns(body)
        case _:
            return False


SHORTEST = 12
"""A shorter part is not worth a name."""

ROOM = 18
"""Columns for the name of a part."""


def _free(node: Array) -> Iterator[Array]:
    """What stands in an expression outside of the turns of a sum."""
    yield node
    if not isinstance(node, Series):
        for child in children(node):
            yield from _free(child)


def _has_work(node: Array) -> bool:
    if isinstance(node, Grid):
        return True
    return not (
        isinstance(node, (*LEAVES, Taken, Permuted, Minus, Series, Spread)) or is_number(node)
    )


def _name(part: Array, target: Name | Member, taken: set[str]) -> Name:
    whole = target.family if isinstance(target, Member) else target.name
    match part:
        case Gathered():
            inner = next((n for n in walk(part) if isinstance(n, Name | Member)), target)
            read = inner.family if isinstance(inner, Member) else inner.name
            base = f"{read.partition('_windows')[0]}_windows"
        case Compared():
            base = "mask"
        case Grid():
            base = "spots"
        case _:
            base = f"{whole.partition('_part')[0]}_part"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return Name(name)
