"""The equations of unrolled loops to one equation for all of them.

``h[1], h[2], …`` are the members of a family. Where each member's equation becomes the next one's
by moving on every member that it reads, and every place at which it slices a tensor, by one, they
are one equation: ``h[t] = tanh(x[t] U + h[t−1] W + b)``. Sums over such terms are one sum: ``Σ_t``.
Nothing is guessed: each member is compared with its neighbour, node by node, and those that differ
in any other way stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gradproof.core.index import Affine, Index, Size, affine, combine, shift
from gradproof.core.normal import apart, highest
from gradproof.core.program import Equation, shape_of
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    children,
    free,
    rebuild,
    transform,
    walk,
)

LEAST = 2
"""So many members are a loop; so many terms and one more are a sum over it."""

_MEMBER = re.compile(r"(?P<family>[^\[\]]+)\[(?P<number>\d+)\]")

Steps = tuple[int, ...]
"""By how much each number in a term grows from one member to the next, in reading order."""


def member(name: str) -> tuple[str, int] | None:
    """The family of ``h[3]`` and its number; `None` for a name that is no member."""
    found = _MEMBER.fullmatch(name)
    if found is None or found["family"] == "constant":
        return None
    return found["family"], int(found["number"])


@dataclass(frozen=True, slots=True)
class Loop:
    """Members `first` to `last` of a family, of which `equation` is the first.

    ``steps`` say which numbers in it grow, ``shapes`` are those of the members.
    """

    family: str
    first: int
    last: int
    equation: Equation
    steps: Steps
    shapes: tuple[tuple[Size, ...], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Terms of a sum that are one term for ``count`` values of an index; `term` is the first.

    In the sum they are ``stride`` terms apart.
    """

    term: Term
    steps: Steps
    count: int
    stride: int = 1


@dataclass(slots=True)
class Initial:
    """What stands in the place of a family's member 0: ``h[0]`` is ``h0``."""

    names: dict[str, str] = field(default_factory=dict)

    def numbered(self, name: str) -> tuple[str, int] | None:
        """A name as a member, an initial one among them."""
        for family, other in self.names.items():
            if other == name:
                return family, 0
        return member(name)


# --- comparing neighbours ----------------------------------------------------------------------


def steps_between(one: Term, other: Term, initial: Initial) -> Steps | None:
    """By how much the numbers in a term grow towards another; `None` if they differ otherwise."""
    found: list[int] = []
    return tuple(found) if _alike(one, other, initial, found) else None


def _alike(one: Term, other: Term, initial: Initial, found: list[int]) -> bool:
    match one, other:
        case (Read(a, here), Read(b, there)):
            if not _same_family(a, b, initial, found) or len(here) != len(there):
                return False
            return all(_places(p, q, found) for p, q in zip(here, there, strict=True))
        case (Bracket(r, p), Bracket(s, q)):
            return r == s and _places(p, q, found)
        case (Along(f, i, _, p), Along(g, j, _, q)):
            if f != g or not _index(i, j) or not _places(p, q, found):
                return False
        case (Sum(over, _), Sum(others, _)):
            if not _indices(over, others):
                return False
        case (Fold(f, over, _), Fold(g, others, _)):
            if f != g or not _indices(over, others):
                return False
        case _:
            if _bare(one) != _bare(other):
                return False
    below, beside = children(one), children(other)
    return len(below) == len(beside) and all(
        _alike(a, b, initial, found) for a, b in zip(below, beside, strict=True)
    )


def _bare(term: Term) -> object:
    """What a node is apart from its children."""
    match term:
        case Number() | SizeOf() | Pi():
            return term
        case Add() | Product():
            return type(term)
        case Power(_, exponent):
            return (Power, exponent)
        case Apply(function, _, order):
            return (Apply, function, order)
        case Compare(relation, _, _):
            return (Compare, relation)
        case Read() | Bracket() | Along() | Sum() | Fold():
            return type(term)


def _index(one: Index, other: Index) -> bool:
    """Whether two indices stand for each other; layers may have different widths."""
    if one.number != other.number:
        return False
    return one.size == other.size or (isinstance(one.size, int) and isinstance(other.size, int))


def _indices(some: tuple[Index, ...], others: tuple[Index, ...]) -> bool:
    return len(some) == len(others) and all(_index(a, b) for a, b in zip(some, others, strict=True))


def _same_family(a: str, b: str, initial: Initial, found: list[int]) -> bool:
    if a == b:
        found.append(0)
        return True
    mine, theirs = initial.numbered(a), initial.numbered(b)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return False
    found.append(theirs[1] - mine[1])
    return abs(found[-1]) == 1


def _places(one: Affine, other: Affine, found: list[int]) -> bool:
    found.append(other.constant - one.constant)
    if abs(found[-1]) > 1 or len(one.terms) != len(other.terms):
        return False
    return all(
        c == d and (v == w or (isinstance(v, Index) and isinstance(w, Index) and _index(v, w)))
        for (v, c), (w, d) in zip(one.terms, other.terms, strict=True)
    )


def initial_values(equations: Sequence[Equation]) -> Initial:
    """What the first member of each family reads in the place of a member 0."""
    found = Initial()
    terms = {e.target: e.term for e in equations}
    for equation in equations:
        mine = member(equation.target)
        if mine is None or mine[1] != 1:
            continue
        other = terms.get(f"{mine[0]}[2]")
        if other is None:
            continue
        for a, b in zip(_names(equation.term), _names(other), strict=False):
            family = member(b)
            if member(a) is None and family is not None and family[1] == 1:
                tried = Initial({**found.names, family[0]: found.names.get(family[0], a)})
                if steps_between(equation.term, other, tried) is not None:
                    found = tried
    # One tensor that starts two families belongs to neither.
    shared = [name for name in found.names.values() if list(found.names.values()).count(name) > 1]
    return Initial({f: name for f, name in found.names.items() if name not in shared})


def _names(term: Term) -> Iterator[str]:
    return (node.tensor for node in walk(term) if isinstance(node, Read))


# --- loops -------------------------------------------------------------------------------------


def loops(equations: Sequence[Equation], initial: Initial) -> Iterator[Loop | Equation]:
    """The equations, the members of a loop as one, in the order of the first that stands there."""
    families: dict[str, dict[int, Equation]] = {}
    for equation in equations:
        found = member(equation.target)
        if found is not None:
            families.setdefault(found[0], {})[found[1]] = equation
    made: dict[str, Loop] = {}
    for family, members in families.items():
        for loop in _runs(family, members, initial):
            for number in range(loop.first, loop.last + 1):
                made[f"{family}[{number}]"] = loop
    seen: set[int] = set()
    for equation in equations:
        loop_of = made.get(equation.target)
        if loop_of is None:
            yield equation
        elif id(loop_of) not in seen:
            seen.add(id(loop_of))
            yield loop_of


def uneven(equations: Sequence[Equation], initial: Initial) -> dict[str, int]:
    """The families that are no loop although they are long, each with the turn after which the
    first difference is."""
    found: dict[str, int] = {}
    turns: dict[str, list[int]] = {}
    for one in loops(equations, initial):
        if not isinstance(one, Loop):
            name = member(one.target)
            if name is not None:
                turns.setdefault(name[0], []).append(name[1])
    for family, numbers in turns.items():
        if len(numbers) > LEAST:
            found[family] = min(numbers)
    return found


def turned(
    equations: Sequence[Equation], counted: Iterable[str], initial: Initial
) -> dict[str, str]:
    """New names for families that count a backward loop's turns: those of the forward's turns.

    ``da[1], da[2], …`` of a loop that runs from the last turn of forward to the first read
    ``h[T], h[T−1], …``. They are called ``da[T], da[T−1], …``, as a person would call them.
    ``counted`` are the names that have forward's numbers.
    """
    families: dict[str, dict[int, Equation]] = {}
    for equation in equations:
        found = member(equation.target)
        if found is not None and equation.target not in counted:
            families.setdefault(found[0], {})[found[1]] = equation
    back: set[str] = set()
    waiting = dict(families)
    while waiting:  # what reads a family that was turned follows it
        ready = [f for f, members in waiting.items() if _runs_back(f, members, back, initial)]
        if not ready:
            break
        back.update(ready)
        for family in ready:
            del waiting[family]
    return {
        f"{family}[{n}]": f"{family}[{max(families[family]) + 1 - n}]"
        for family in back
        for n in families[family]
    }


def _runs_back(
    family: str, members: Mapping[int, Equation], back: set[str], initial: Initial
) -> bool:
    """Whether the members read forward's turns from the last to the first."""
    for loop in _runs(family, members, initial):
        numbers = iter(loop.steps)
        for node in walk(loop.equation.term):
            match node:
                case Read(name, places):
                    steps = [next(numbers), *(next(numbers) for _ in places)]
                    found = member(name)
                    other = found[0] if found is not None else ""
                    if -1 in steps or (steps[0] == 1 and other in back):
                        return True
                case Bracket() | Along():
                    next(numbers)
                case _:
                    pass
    return False


def _runs(family: str, members: Mapping[int, Equation], initial: Initial) -> Iterator[Loop]:
    """The longest stretches of members of which each becomes the next in the same way."""
    numbers = sorted(members)
    start = 0
    while start < len(numbers):
        first = members[numbers[start]]
        stop, steps = start, None
        while stop + 1 < len(numbers) and numbers[stop + 1] == numbers[stop] + 1:
            one, other = members[numbers[stop]], members[numbers[stop + 1]]
            if not _indices(one.free, other.free):
                break
            found = steps_between(one.term, other.term, initial)
            if found is None or steps not in (None, found):
                break
            stop, steps = stop + 1, found
        if steps is not None and stop - start + 1 >= LEAST:
            sizes = tuple(shape_of(members[n]) for n in numbers[start : stop + 1])
            yield Loop(family, numbers[start], numbers[stop], first, steps, sizes)
        start = stop + 1


MOST = 8
"""So many terms of a sum may belong to one turn of a loop."""


def series(terms: Sequence[Term], initial: Initial) -> Iterator[Series | Term]:
    """The terms of a sum, those that are one term for consecutive numbers as one.

    Where a turn of the loop has several terms, each of them is a series.
    """
    start = 0
    while start < len(terms):
        width, found = _widest(terms[start:], initial)
        if found:
            yield from found
            start += width * found[0].count
        else:
            yield terms[start]
            start += 1


def _widest(terms: Sequence[Term], initial: Initial) -> tuple[int, list[Series]]:
    """The series with which a sum begins, and how many of them there are side by side."""
    for width in range(1, min(MOST, len(terms) // (LEAST + 1)) + 1):
        runs = [_run(terms[first::width], initial) for first in range(width)]
        count = min(run.count for run in runs)
        if count > LEAST:
            return width, [Series(run.term, run.steps, count, width) for run in runs]
    return 0, []


def _run(terms: Sequence[Term], initial: Initial) -> Series:
    """The first term, and how many after it are the same in a loop."""
    stop, steps = 0, None
    while stop + 1 < len(terms):
        found = steps_between(terms[stop], terms[stop + 1], initial)
        if found is None or not any(found) or steps not in (None, found):
            break
        stop, steps = stop + 1, found
    return Series(terms[0], steps or (), stop + 1)


# --- one term for all --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """How a number is written in terms of the loop's index: ``t``, ``t−1``, or a bound.

    The index is `at` where the numbers were read, and grows by `way` while they take their steps.
    """

    letter: str
    at: int
    words: Mapping[int, str]
    way: int = 1

    def __call__(self, number: int, step: int) -> str:
        """A number that takes this step."""
        if step == 0:
            return self.words.get(number, str(number))
        offset = number - step * self.way * self.at
        if step == self.way:
            return self.letter if not offset else f"{self.letter}{_signed(offset)}"
        above = self.words.get(offset, str(offset))
        return f"{above}−{self.letter}"

    def position(self, place: Affine, step: int) -> Affine:
        """A position whose constant takes this step."""
        slope = step * self.way
        moved = combine(place, affine({self.letter: slope}))
        return shift(moved, -slope * self.at) if slope else place


def _signed(number: int) -> str:
    return f"+{number}" if number > 0 else f"−{-number}"


def generic(
    term: Term, steps: Steps, count: Count, initial: Initial, shapes: dict[str, tuple[Size, ...]]
) -> Term:
    """The term of one member with the loop's index in the names of what it reads.

    ``x[:,3]`` becomes ``x[t]``: the slices of a tensor are counted from 1, as members are.
    `shapes` learns the shapes of the new names.
    """
    numbers = iter(steps)

    def of(node: Term) -> Term:
        match node:
            case Read(name, places):
                step = next(numbers)
                return _read(name, places, step, [next(numbers) for _ in places])
            case Bracket(relation, position):
                return Bracket(relation, count.position(position, next(numbers)))
            case Along(function, over, _, position):
                place = count.position(position, next(numbers))
                return Along(function, over, of(node.body), place)
            case _:
                return rebuild(node, tuple(of(child) for child in children(node)))

    def _read(name: str, places: tuple[Affine, ...], step: int, ways: list[int]) -> Term:
        found = initial.numbered(name)
        written = f"{found[0]}[{count(found[1], step)}]" if found is not None else name
        cut = [
            way != 0 and not place.terms and len(places) > 1
            for place, way in zip(places, ways, strict=True)
        ]
        slices = [
            count(place.constant + 1, way)
            for place, way, gone in zip(places, ways, cut, strict=True)
            if gone
        ]
        kept = tuple(
            count.position(place, way)
            for place, way, gone in zip(places, ways, cut, strict=True)
            if not gone
        )
        known = shapes.get(name, (1,) * len(places))
        new = f"{written}[{','.join(slices)}]" if slices else written
        if new != name:
            shapes[new] = tuple(s for s, gone in zip(known, cut, strict=True) if not gone)
        return Read(new, kept)

    return of(term)


def cuts(equations: Sequence[Equation], initial: Initial) -> frozenset[tuple[str, int]]:
    """The axes of tensors along which loops take one slice after the other."""
    found: set[tuple[str, int]] = set()
    for one in loops(equations, initial):
        if isinstance(one, Loop):
            found |= _cut(one.equation.term, one.steps)
        elif isinstance(one.term, Add):
            for part in series(told_apart(one), initial):
                if isinstance(part, Series):
                    found |= _cut(part.term, part.steps)
    return frozenset(found)


def told_apart(equation: Equation) -> list[Term]:
    """The terms of a sum, each with the same numbers for its bound indices."""
    assert isinstance(equation.term, Add)
    base = highest(Add(()), equation.free) + 1
    return [apart(term, base)[0] for term in equation.term.terms]


def _cut(term: Term, steps: Steps) -> set[tuple[str, int]]:
    numbers = iter(steps)
    found: set[tuple[str, int]] = set()
    for node in walk(term):
        match node:
            case Read(name, places):
                next(numbers)
                ways = [next(numbers) for _ in places]
                found |= {
                    (name, axis)
                    for axis, (place, way) in enumerate(zip(places, ways, strict=True))
                    if way and not place.terms and len(places) > 1
                }
            case Bracket() | Along():
                next(numbers)
            case _:
                pass
    return found


def with_cuts(
    term: Term,
    cut: frozenset[tuple[str, int]],
    words: Callable[[int], str],
    shapes: dict[str, tuple[Size, ...]],
) -> Term:
    """A term outside of loops with their names for slices: ``x[1]`` for ``x[:,0]``."""

    def change(node: Term) -> Term:
        match node:
            case Read(name, places):
                gone = [(name, k) in cut and not p.terms for k, p in enumerate(places)]
                if not any(gone):
                    return node
                slices = [words(p.constant + 1) for p, g in zip(places, gone, strict=True) if g]
                new = f"{name}[{','.join(slices)}]"
                known = shapes.get(name, (1,) * len(places))
                shapes[new] = tuple(s for s, g in zip(known, gone, strict=True) if not g)
                return Read(new, tuple(p for p, g in zip(places, gone, strict=True) if not g))
            case _:
                return node

    return transform(term, change)


def moving(term: Term, steps: Steps, initial: Initial) -> tuple[int, int] | None:
    """The first number in a term that grows, as the page counts it, and its step."""
    numbers = iter(steps)
    for node in walk(term):
        match node:
            case Read(name, places):
                step = next(numbers)
                found = initial.numbered(name)
                if step and found is not None:
                    return found[1], step
                for place in places:
                    way = next(numbers)
                    if way and not place.terms:
                        return place.constant + 1, way
            case Bracket(_, place):
                way = next(numbers)
                if way:
                    return 1 - place.constant, -way
            case Along():
                next(numbers)
            case _:
                pass
    return None


@dataclass(frozen=True, slots=True)
class Slices:
    """What the slices of a tensor along one axis are: slice `number`, as the page counts, is the
    series' first term, and the next term's is `way` further."""

    axis: Index
    terms: Series
    number: int
    way: int


def slices_of(equation: Equation, one: Series) -> Slices | None:
    """What ``Σ_t [i = t] …`` over a whole axis says of each slice along it."""
    if len(equation.free) < 2:  # the elements of a vector have no name of their own
        return None
    inside = one.term.body if isinstance(one.term, Sum) else one.term
    factors = inside.factors if isinstance(inside, Product) else (inside,)
    for spot, factor in enumerate(factors):
        match factor:
            case Bracket("==", Affine(((Index() as index, 1),), constant)) if (
                index in equation.free
                and index.size == one.count
                and -constant in (0, one.count - 1)
            ):
                others = factors[:spot] + factors[spot + 1 :]
                body = others[0] if len(others) == 1 else Product(others)
                before = sum(_numbers(f) for f in factors[:spot])
                steps = one.steps[:before] + one.steps[before + 1 :]
                whole = Sum(one.term.over, body) if isinstance(one.term, Sum) else body
                if index in free(body):
                    return None
                series_left = Series(whole, steps, one.count)
                return Slices(index, series_left, 1 - constant, -one.steps[before])
            case _:
                pass
    return None


def _numbers(term: Term) -> int:
    """How many numbers in a term may grow."""
    count = 0
    for node in walk(term):
        match node:
            case Read(_, places):
                count += 1 + len(places)
            case Bracket() | Along():
                count += 1
            case _:
                pass
    return count
