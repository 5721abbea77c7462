"""Lines that repeat from one turn of a loop to the next to loops.

A block of lines is compared with the next, node by node; where all that changes are numbers of
members and of slices, each by one, they are turns of one loop. What differs in any other way stays
written out. Sums and stacks over turns become one expression in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from gradproof.code.array import (
    NODES,
    Array,
    Count,
    Member,
    Minus,
    Name,
    Plus,
    Series,
    Stacked,
    Taken,
    Turn,
    transform,
    walk,
)
from gradproof.code.factors import Line

LEAST = 3
"""So many turns, and so many terms, are a loop."""

WIDEST = 60
"""So many lines a turn may have."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Lines for turns `first` to `last`, or from `last` down to `first`."""

    first: int
    last: int
    down: bool
    lines: tuple[Line, ...]


Steps = tuple[int, ...]


def roll(lines: Sequence[Line]) -> list[Line | Loop]:
    """The lines with loops where they repeat."""
    lines = _results_last(lines)
    lines = [replace(line, value=transform(line.value, _series)) for line in lines]
    found: list[Line | Loop] = []
    start = 0
    while start < len(lines):
        width, count = _repeats(lines, start)
        if count >= LEAST:
            found.append(_loop(lines[start:], width, count))
            start += width * count
        else:
            found.append(lines[start])
            start += 1
    return found


def _results_last(lines: Sequence[Line]) -> list[Line]:
    """What no later line reads stands after the turns, and does not tear them apart."""
    if not any(isinstance(line.target, Member) for line in lines):
        return list(lines)
    read = {node for line in lines for node in walk(line.value)}
    results = [line for line in lines if line.target not in read and isinstance(line.target, Name)]
    return [line for line in lines if line not in results] + results


def _repeats(lines: Sequence[Line], start: int) -> tuple[int, int]:
    """How many lines a turn has that begins here, and how many turns there are."""
    best = (1, 1)
    for width in range(1, min(WIDEST, (len(lines) - start) // LEAST) + 1):
        if not isinstance(lines[start + width - 1].target, Member):
            break
        count, steps = 1, None
        while start + width * (count + 1) <= len(lines):
            here = lines[start + width * (count - 1) : start + width * count]
            there = lines[start + width * count : start + width * (count + 1)]
            now = _between(here, there)
            if now is None or steps not in (None, now):
                break
            steps, count = now, count + 1
        if count >= LEAST and width * count > best[0] * best[1]:
            best = (width, count)
    return best


def _between(here: Sequence[Line], there: Sequence[Line]) -> Steps | None:
    """By how much each number grows from one turn to the next; `None` if more changes."""
    found: list[int] = []
    for one, other in zip(here, there, strict=True):
        if not (_alike(one.target, other.target, found) and _alike(one.value, other.value, found)):
            return None
        if found[0] == 0:
            return None
    return tuple(found)


def steps_between(one: Array, other: Array) -> Steps | None:
    """By how much each number of an expression grows towards another; `None` if more changes."""
    found: list[int] = []
    return tuple(found) if _alike(one, other, found) and any(found) else None


def _alike(one: object, other: object, found: list[int]) -> bool:
    if type(one) is not type(other):
        return False
    match one, other:
        case (Member(family, here), Member(also, there)):
            return family == also and _number(here, there, found)
        case (Taken(body, parts), Taken(beside, others)):
            if len(parts) != len(others) or not _alike(body, beside, found):
                return False
            return all(
                _number(a, b, found) if isinstance(a, int) else a == b
                for a, b in zip(parts, others, strict=True)
            )
        case (tuple(), tuple()):
            return len(one) == len(other) and all(
                _alike(a, b, found) for a, b in zip(one, other, strict=True)
            )
        case _ if isinstance(one, NODES):
            return all(
                _alike(getattr(one, f.name), getattr(other, f.name), found) for f in fields(one)
            )
        case _:
            return one == other


def _number(here: object, there: object, found: list[int]) -> bool:
    if not isinstance(here, int) or not isinstance(there, int):
        return here == there
    found.append(there - here)
    return abs(found[-1]) <= 1


def _loop(lines: Sequence[Line], width: int, count: int) -> Loop:
    """The first turn's lines with the loop's number in the place of numbers that move."""
    here, there = lines[:width], lines[width : 2 * width]
    target, after = here[0].target, there[0].target
    assert isinstance(target, Member) and isinstance(after, Member)
    assert isinstance(target.number, int) and isinstance(after.number, int)
    first, way = target.number, after.number - target.number
    steps = _between(here, there)
    assert steps is not None
    moving = iter(steps)
    made = [
        Line(
            _moving(line.target, moving, first, way),  # type: ignore[arg-type]
            _moving(line.value, moving, first, way),
            line.formula,
        )
        for line in here
    ]
    last = first + way * (count - 1)
    return Loop(min(first, last), max(first, last), way < 0, tuple(made))


def _moving(node: Array, steps: Iterator[int], start: int, way: int) -> Array:
    """An expression with numbers that move with the loop, in the order in which `_alike` has
    them."""

    def moved(number: Count) -> Count:
        if not isinstance(number, int):
            return number
        step = next(steps)
        if not step:
            return number
        return Turn(number - start) if step == way else Turn(number + start, -1)

    match node:
        case Member(family, number):
            return Member(family, moved(number))
        case Taken(body, parts):
            inside = _moving(body, steps, start, way)
            # A number that moved may not be told from a constant by its type: it is a Turn now.
            return Taken(inside, tuple(moved(p) if isinstance(p, int) else p for p in parts))
        case _:
            made = {}
            for field in fields(node):
                value = getattr(node, field.name)
                if isinstance(value, NODES):
                    made[field.name] = _moving(value, steps, start, way)
                elif isinstance(value, tuple) and any(isinstance(part, NODES) for part in value):
                    made[field.name] = tuple(_moving(part, steps, start, way) for part in value)
            return replace(node, **made) if made else node


# --- sums and stacks over turns ----------------------------------------------------------------


def _series(node: Array) -> Array:
    """A sum or a stack of what repeats from turn to turn, as one expression."""
    match node:
        case Plus(terms) if len(terms) >= LEAST:
            return _sum(terms)
        case Stacked(parts, axis) if len(parts) >= LEAST:
            found = _run(parts)
            if found is not None and found[0] == len(parts) and not found[1]:
                return Stacked((found[2],), axis)
            return node
        case _:
            return node


def _sum(terms: tuple[Array, ...]) -> Plus:
    made: list[Array] = []
    start = 0
    while start < len(terms):
        found = _run(terms[start:])
        if found is None:
            made.append(terms[start])
            start += 1
            continue
        count, _, series = found
        if isinstance(series.body, Minus):
            made.append(Minus(Plus((replace(series, body=series.body.body),))))
        else:
            made.append(series)
        start += count
    return Plus(tuple(made))


def _run(parts: tuple[Array, ...]) -> tuple[int, bool, Series] | None:
    """How many parts from the first on are one for consecutive turns, whether the turns run down,
    and that one."""
    count, steps = 1, None
    while count < len(parts):
        now = steps_between(parts[count - 1], parts[count])
        if now is None or steps not in (None, now):
            break
        steps, count = now, count + 1
    if steps is None or count < LEAST:
        return None
    numbers = [one for one, step in zip(_numbers(parts[0]), steps, strict=True) if step]
    way = next(step for step in steps if step)
    # Turns count as members do; slices count from 0.
    first = next((n for n, of_member in numbers if of_member), numbers[0][0] + 1)
    way = next((s for s, (_, m) in zip(steps, _numbers(parts[0]), strict=True) if s and m), way)
    body = _moving(parts[0], iter(steps), first, way)
    last = first + way * (count - 1)
    return count, way < 0, Series(body, min(first, last), max(first, last))


def _numbers(node: Array) -> Iterator[tuple[int, bool]]:
    """The numbers of an expression in the order in which `_alike` has them, and whether each is a
    member's."""
    match node:
        case Member(_, number):
            if isinstance(number, int):
                yield number, True
        case Taken(body, parts):
            yield from _numbers(body)
            yield from ((part, False) for part in parts if isinstance(part, int))
        case _:
            for field in fields(node):
                value = getattr(node, field.name)
                if isinstance(value, NODES):
                    yield from _numbers(value)
                elif isinstance(value, tuple):
                    for part in value:
                        if isinstance(part, NODES):
                            yield from _numbers(part)
