"""Programs to arrays, over any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.index import (
    Affine,
    Index,
    Size,
    at,
    combine,
    digits_of,
    indices_of,
    is_index,
    the_index,
)
from gradproof.core.normal import product
from gradproof.core.program import Equation, Program, counts
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
    free,
    reads,
)
from gradproof.engines.arithmetic import Arithmetic, Value, structural
from gradproof.engines.moves import Filled, Laid, Reshaped, Stacked
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.elementwise import ELEMENTARY
from gradproof.prims.formula import Formula
from gradproof.prims.record import Elementwise


@dataclass(frozen=True, slots=True)
class Labelled:
    """A value whose axes are index variables."""

    value: Value
    axes: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What a term is evaluated in: the tensors, the sizes, the arithmetic.

    ``known`` holds functions that were worked out before, by their term, for many equations over
    the same tensors; `None` where nothing is to be kept.
    """

    tensors: Mapping[str, Value]
    sizes: Mapping[str, int]
    arithmetic: Arithmetic
    known: dict[Term, Labelled] | None = None


MOST_KNOWN = 1000
"""Functions of tensors that are kept."""


def evaluate(
    program: Program,
    inputs: Mapping[str, Value],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> dict[str, Value]:
    """Every tensor of a program, inputs included, in order."""
    tensors = dict(inputs)
    room = Room(tensors, sizes, arithmetic, {})
    for equation in program.equations:
        tensors[equation.target] = evaluate_equation(equation, room)
    return tensors


def evaluate_equation(equation: Equation, room: Room) -> Value:
    """The target of one equation, in the order of its free indices."""
    labelled = evaluate_term(equation.term, room)
    shape = tuple(number_of(index.size, room.sizes) for index in equation.free)
    value = _laid_out(labelled, equation.free)
    return structural(value, Filled(shape))


def number_of(size: Size, sizes: Mapping[str, int]) -> int:
    """A size as a number."""
    return size if isinstance(size, int) else sizes[size]


def _laid_out(labelled: Labelled, axes: tuple[Index, ...]) -> Value:
    """The value with exactly these axes in order; missing ones have length 1."""
    if axes and labelled.axes == axes:
        return labelled.value
    mine = labelled.axes
    order = tuple(mine.index(axis) if axis in mine else None for axis in axes)
    return structural(labelled.value, Laid(order))


def _aligned(parts: Iterable[Labelled]) -> tuple[list[Value], tuple[Index, ...]]:
    parts = list(parts)
    found = dict.fromkeys(axis for part in parts for axis in part.axes)
    # An index with a negative number stands for several evaluations at once: it comes first.
    axes = tuple(sorted(found, key=lambda index: index.number >= 0))
    return [_laid_out(part, axes) for part in parts], axes


def evaluate_term(term: Term, room: Room) -> Labelled:
    """A term at all values of its free indices."""
    if room.known is None or not isinstance(term, Apply | Fold | Along):
        return _worked_out(term, room)
    value = room.known.get(term)
    if value is None:
        value = _worked_out(term, room)
        if len(room.known) < MOST_KNOWN:
            room.known[term] = value
    return value


def _worked_out(term: Term, room: Room) -> Labelled:
    a = room.arithmetic
    match term:
        case Number(value):
            return Labelled(a.number(value), ())
        case SizeOf(size):
            return Labelled(a.number(Fraction(room.sizes[size])), ())
        case Pi():
            return Labelled(a.pi(), ())
        case Read():
            return _read(term, room)
        case Add(terms):
            values, axes = _aligned(_evaluated(t, room) for t in terms)
            added = Labelled(a.add(values), axes)
            return _scattered(terms, added, room) if a.scatters else added
        case Product(factors):
            return _multiply([evaluate_term(f, room) for f in factors], a)
        case Sum():
            summed = _evaluated(term, room)
            return _scattered((term,), summed, room) if a.adds_finely else summed
        case Power(base, Fraction(numerator=1, denominator=1)):  # a number that stands for itself
            return evaluate_term(base, room)
        case Power(base, exponent):
            inside = evaluate_term(base, room)
            return Labelled(a.power(inside.value, exponent), inside.axes)
        case Apply(function, arguments, order):
            values, axes = _aligned(evaluate_term(t, room) for t in arguments)
            value = None
            if order == 1 and room.known is not None:  # its slope is mostly a formula of it
                plain = room.known.get(Apply(function, arguments))
                value = plain.value if plain is not None and plain.axes == axes else None
            return Labelled(_apply(function, tuple(values), order, a, value), axes)
        case Along("inverse", i, Along("matrix", j, body, q), p):
            return _inverse((i, j), evaluate_term(body, room), (p, q), room)
        case Fold("logdet", over, body):
            inside = evaluate_term(body, room)
            kept = tuple(axis for axis in inside.axes if axis not in over)
            return Labelled(a.logdet(_matrices(inside, (*kept, *over), room)), kept)
        case Fold(function, over, body):
            return _fold(function, over, evaluate_term(body, room), room)
        case Along(function, over, body, position):
            return _along(function, over, evaluate_term(body, room), position, room)
        case Compare(relation, left, right):
            values, axes = _aligned((evaluate_term(left, room), evaluate_term(right, room)))
            return Labelled(a.compare(relation, values[0], values[1]), axes)
        case Bracket(relation, position):
            return _bracket(relation, position, room)


def _multiply(parts: list[Labelled], arithmetic: Arithmetic) -> Labelled:
    values, axes = _aligned(parts)
    return Labelled(arithmetic.product(values), axes)


def _read(read: Read, room: Room) -> Labelled:
    """A tensor at affine positions. Positions outside it, which a bracket beside the read makes 0,
    are moved to its edge."""
    value = room.tensors[read.tensor]
    shape = value[0].shape
    if all(is_index(p) for p in read.at):
        axes = tuple(the_index(p) for p in read.at)
        lengths = tuple(number_of(axis.size, room.sizes) for axis in axes)
        if len(set(axes)) == len(axes) and lengths == shape:
            return Labelled(value, axes)
    axes = tuple(dict.fromkeys(v for p in read.at for v, _ in p.terms if isinstance(v, Index)))
    places = tuple(
        np.clip(_positions(p, axes, room), 0, length - 1)
        for p, length in zip(read.at, shape, strict=True)
    )
    return Labelled(structural(value, lambda part: part[places]), axes)


def _positions(position: Affine, axes: tuple[Index, ...], room: Room) -> np.ndarray:
    """An affine position at all values of the axes."""
    grid = np.full((1,) * len(axes), position.constant)
    for variable, coefficient in position.terms:
        if isinstance(variable, str):
            grid = grid + coefficient * room.sizes[variable]
        else:
            steps = np.arange(number_of(variable.size, room.sizes))
            shape = [1] * len(axes)
            shape[axes.index(variable)] = -1
            grid = grid + coefficient * steps.reshape(shape)
    return grid


def _bracket(relation: str, position: Affine, room: Room) -> Labelled:
    axes = tuple(v for v, _ in position.terms if isinstance(v, Index))
    grid = _positions(position, axes, room)
    holds = grid == 0 if relation == "==" else grid >= 0
    return Labelled(room.arithmetic.lift(holds.astype(np.float64)), axes)


# --- sums of products -------------------------------------------------------------------------


def _same(value: Value) -> Value:
    return value


def _contract(
    over: tuple[Index, ...],
    body: Term,
    room: Room,
    change: Callable[[Value], Value] = _same,
) -> Labelled:
    """``Σ`` of a product, two factors at a time, as matrix products where they are; `change` is
    applied to each factor first.

    A condition ``[p = 2i + r]`` leaves one i at most for each p and r: it is read there, and no
    sum over i is left. So a strided convolution's gradient costs what the convolution does.
    """
    a = room.arithmetic
    factors = body.factors if isinstance(body, Product) else (body,)
    for spot, factor in enumerate(factors):
        joined = _joined_axes(factor, over)
        others = factors[:spot] + factors[spot + 1 :]
        if joined and not any(joined[0] in free(other) for other in others):
            return _joined(joined, over, others, room, change)
    conditions = [f for f in factors if isinstance(f, Bracket)]
    parts = [
        Labelled(change(found.value), found.axes)
        for factor in factors
        if not isinstance(factor, Bracket)
        for found in (evaluate_term(factor, room),)
    ]
    masks: list[Labelled] = []
    waiting = list(over)
    if a.in_parts:
        parts, waiting = _without_single(parts, waiting, room)
    while (found := _pinning(conditions, waiting)) is not None:
        condition, index = found
        conditions.remove(condition)
        waiting.remove(index)
        masks += [_bracket(c.relation, c.position, room) for c in conditions if _reads(c, index)]
        conditions = [c for c in conditions if not _reads(c, index)]
        spots, mask = _spots(condition.position, index, room)
        parts = [_taken(part, index, spots) for part in parts]
        masks = [*(_taken(one, index, spots) for one in masks), mask]
    masks += [_bracket(c.relation, c.position, room) for c in conditions]
    parts = _masked(parts, masks, a)
    held = {axis for part in parts for axis in part.axes}
    count = 1
    for index in waiting:
        count *= 1 if index in held else number_of(index.size, room.sizes)
    summed = _summed(parts, {index for index in waiting if index in held}, a)
    return summed if count == 1 else Labelled(a.repeat(summed.value, count), summed.axes)


# --- sums at places that integers name --------------------------------------------------------


def _evaluated(term: Term, room: Room) -> Labelled:
    """A term; a sum without what `_scattered` would add for it alone."""
    if not isinstance(term, Sum):
        return evaluate_term(term, room)
    summed = _contract(term.over, term.body, room)
    return _landed(term, summed, room) if room.arithmetic.in_parts else summed


# --- sums over windows ------------------------------------------------------------------------


def _landed(term: Sum, summed: Labelled, room: Room) -> Labelled:
    """A sum over windows, as an engine makes it that stores it after every addition.

    A gradient that is spread over overlapping windows is added up where it lands; a convolution, or
    a running sum, may keep its sum in the dtype.
    """
    conditions = [
        factor
        for factor in _factors(term)
        if isinstance(factor, Bracket) and not _joined_axes(factor, term.over)
    ]
    if not conditions and not _slides(term):
        return summed
    a = room.arithmetic
    arriving = _contract(term.over, product(*conditions), room)
    (whole, count, size), axes = _aligned([summed, arriving, _size(term, room)])
    stored = np.where(count[0] > 1, count[0], 0.0)
    return Labelled(a.scattered(whole, stored, _rounded_before(term), _most(size)), axes)


def _slides(term: Sum) -> bool:
    """Whether a tensor is read where a summed index and another one say together."""
    return any(
        len(moving) > 1 and not moving.isdisjoint(term.over)
        for read in reads(term.body)
        for position in read.at
        for moving in (set(indices_of(position)),)
    )


def _scattered(terms: tuple[Term, ...], value: Labelled, room: Room) -> Labelled:
    """The sum of terms, some of which add up what arrives at the places that integers name.

    An engine may add all of it there, the other terms too, one number after the other: TensorFlow
    puts the rows of several gradients one below the other before it adds any of them.
    """
    a = room.arithmetic
    arriving = [_arriving(term, room) for term in terms]
    picked = [count for count in arriving if count is not None]
    if not picked:
        return value
    numbers, places = _aligned(picked)
    others = len(terms) - len(picked)
    additions = sum((count[0] for count in numbers), np.asarray(others - 1.0))
    sizes, axes = _aligned(
        _evaluated(term, room) if count is None else _size(term, room)
        for term, count in zip(terms, arriving, strict=True)
    )
    size = sum(map(_most, sizes), np.zeros(()))
    (whole, below, most), axes = _aligned(
        [value, Labelled((np.maximum(additions, 0.0),), places), Labelled((size,), axes)]
    )
    rounded = max(map(_rounded_before, terms))
    return Labelled(a.scattered(whole, below[0], rounded, most[0]), axes)


def _picks(factor: Term) -> bool:
    """Whether a factor is ``[idx = position]``."""
    match factor:
        case Compare("==", left, right):
            return any(isinstance(side, Read) and counts(side.tensor) for side in (left, right))
        case _:
            return False


def _factors(term: Term) -> tuple[Term, ...]:
    body = term.body if isinstance(term, Sum) else term
    return body.factors if isinstance(body, Product) else (body,)


def _arriving(term: Term, room: Room) -> Labelled | None:
    """How many numbers arrive at each place; `None` for what is no such sum."""
    if not isinstance(term, Sum):
        return None
    picking = [factor for factor in _factors(term) if _picks(factor)]
    over = tuple(i for i in term.over if any(i in free(factor) for factor in picking))
    return _contract(over, product(*picking), room) if over else None


def _rounded_before(term: Term) -> int:
    """The roundings of each summand: two for every factor of a product, as in `Ball.multiply`, and
    for a sum inside it that an engine makes and stores first."""
    others = [factor for factor in _factors(term) if not _picks(factor)]
    return 2 * len(others) if len(others) > 1 else 0


def _most(value: Value) -> np.ndarray:
    """The largest absolute value that an engine can have."""
    return np.asarray(np.abs(value[0]) + sum(value[1:], np.zeros(())))


def _absolute(value: Value) -> Value:
    most = _most(value)
    return (most, *(np.zeros_like(most) for _ in value[1:]))


def _size(term: Sum, room: Room) -> Labelled:
    """The sum of the absolute values of what a sum adds up."""
    return _contract(term.over, term.body, room, _absolute)


def _joined_axes(factor: Term, over: tuple[Index, ...]) -> tuple[Index, tuple[Index, ...]] | None:
    """The index that a bracket makes of summed ones, and these, as in a reshape."""
    if not isinstance(factor, Bracket) or factor.relation != "==":
        return None
    found = digits_of(factor.position)
    return found if found is not None and set(found[1]) <= set(over) else None


def _joined(
    joined: tuple[Index, tuple[Index, ...]],
    over: tuple[Index, ...],
    others: tuple[Term, ...],
    room: Room,
    change: Callable[[Value], Value],
) -> Labelled:
    """``Σ`` of the other factors over what is no digit, its digits' axes made one: nothing is
    added up, and no bracket is worked out."""
    whole, digits = joined
    left = tuple(index for index in over if index not in digits)
    body = product(*others)
    inside = _contract(left, body, room, change)
    kept = tuple(axis for axis in inside.axes if axis not in digits)
    laid = _laid_out(inside, (*kept, *digits))
    lengths = tuple(number_of(digit.size, room.sizes) for digit in digits)

    def made_one(part: np.ndarray) -> np.ndarray:
        outer = part.shape[: len(kept)]
        return np.broadcast_to(part, (*outer, *lengths)).reshape(*outer, -1)

    return Labelled(structural(laid, made_one), (*kept, whole))


def _reads(condition: Bracket, index: Index) -> bool:
    return index in indices_of(condition.position)


def _pinning(conditions: list[Bracket], over: list[Index]) -> tuple[Bracket, Index] | None:
    """An equation among the conditions, and the summed index that it leaves fewest choices."""
    for condition in conditions:
        if condition.relation == "==":
            mine = [
                (abs(c), -place, v)
                for place, (v, c) in enumerate(condition.position.terms)
                if isinstance(v, Index) and v in over
            ]
            if mine:
                return condition, max(mine, key=lambda one: one[:2])[2]
    return None


def _spots(position: Affine, index: Index, room: Room) -> tuple[Labelled, Labelled]:
    """Where ``position = 0`` puts the index, in plain numbers, and whether it does."""
    coefficient = dict(position.terms)[index]
    rest = combine(position, at(index), -coefficient)
    axes = indices_of(rest)
    grid = -_positions(rest, axes, room)
    length = number_of(index.size, room.sizes)
    there = grid // coefficient
    holds = (grid % coefficient == 0) & (there >= 0) & (there < length)
    return (
        Labelled((np.clip(there, 0, length - 1),), axes),
        Labelled(room.arithmetic.lift(holds.astype(np.float64)), axes),
    )


def _taken(part: Labelled, index: Index, spots: Labelled) -> Labelled:
    """A value with an index at places that depend on other indices."""
    if index not in part.axes:
        return part
    kept = tuple(axis for axis in part.axes if axis != index)
    axes = (*kept, *(axis for axis in spots.axes if axis not in kept))
    places = np.transpose(
        spots.value[0], sorted(range(len(spots.axes)), key=lambda k: axes.index(spots.axes[k]))
    )
    grid = places.reshape(
        [
            places.shape[sorted(map(axes.index, spots.axes)).index(k)] if axis in spots.axes else 1
            for k, axis in enumerate(axes)
        ]
    )
    key: list[np.ndarray] = []
    for axis, length in zip(part.axes, part.value[0].shape, strict=True):
        if axis == index:
            key.append(grid if length > 1 else np.zeros_like(grid))
        else:
            shape = [1] * len(axes)
            shape[axes.index(axis)] = -1
            key.append(np.arange(length).reshape(shape))
    return Labelled(structural(part.value, lambda array: array[tuple(key)]), axes)


def _masked(parts: list[Labelled], masks: list[Labelled], a: Arithmetic) -> list[Labelled]:
    """The factors with conditions put into the smallest one that has all their indices, where they
    cost no sum; a condition without such a factor is a factor of its own."""
    parts = list(parts)
    for mask in masks:
        wide = [k for k, part in enumerate(parts) if set(mask.axes) <= set(part.axes)]
        if wide and mask.axes:
            spot = min(wide, key=lambda k: parts[k].value[0].size)
            parts[spot] = _multiply([parts[spot], mask], a)
        else:
            parts.append(mask)
    return parts


def _summed(parts: list[Labelled], waiting: set[Index], a: Arithmetic) -> Labelled:
    while True:
        parts = _merge_same(parts, a)
        if a.in_parts:
            parts = _absorbed(parts, waiting, a)
        parts, waiting = _sum_lonely(parts, waiting, a)
        if not waiting:
            return _multiply(parts, a)
        if a.adds_finely:
            parts = _absorbed(parts, waiting, a)
        parts, waiting = _join_two(parts, waiting, a)


def _without_single(
    parts: list[Labelled], waiting: list[Index], room: Room
) -> tuple[list[Labelled], list[Index]]:
    """The factors without summed indices that have one value."""
    single = {index for index in waiting if number_of(index.size, room.sizes) == 1}
    dropped = [
        Labelled(
            structural(
                part.value,
                lambda array, axes=part.axes: array[  # type: ignore[misc]
                    tuple(0 if axis in single else slice(None) for axis in axes)
                ],
            ),
            tuple(axis for axis in part.axes if axis not in single),
        )
        for part in parts
    ]
    return dropped, [index for index in waiting if index not in single]


def _merge_same(parts: list[Labelled], a: Arithmetic) -> list[Labelled]:
    """Factors over the same indices, multiplied; and scalars among themselves."""
    groups: dict[frozenset[Index], list[Labelled]] = {}
    for part in parts:
        groups.setdefault(frozenset(part.axes), []).append(part)
    return [group[0] if len(group) == 1 else _multiply(group, a) for group in groups.values()]


def _sum_lonely(
    parts: list[Labelled], waiting: set[Index], a: Arithmetic
) -> tuple[list[Labelled], set[Index]]:
    """Indices that one factor alone has, summed inside it."""
    result = []
    for spot, part in enumerate(parts):
        others = {axis for k, p in enumerate(parts) if k != spot for axis in p.axes}
        lonely = [axis for axis in part.axes if axis in waiting and axis not in others]
        if lonely:
            spots = tuple(part.axes.index(axis) for axis in lonely)
            kept = tuple(axis for axis in part.axes if axis not in lonely)
            part = Labelled(a.total(part.value, spots), kept)
            waiting = waiting - set(lonely)
        result.append(part)
    return result, waiting


def _absorbed(parts: list[Labelled], waiting: set[Index], a: Arithmetic) -> list[Labelled]:
    """Factors that are not summed over, multiplied into one that is: an engine may do so, and what
    it rounds then is each term and not the sum. A power of two rounds nothing."""
    summed = [part for part in parts if waiting & set(part.axes)]
    kept = []
    for part in parts:
        if waiting & set(part.axes):
            continue
        spot = next((k for k, s in enumerate(summed) if set(part.axes) <= set(s.axes)), None)
        if spot is None or _is_power_of_two(part):
            kept.append(part)
        else:
            summed[spot] = _multiply([summed[spot], part], a)
    return [*summed, *kept]


def _is_power_of_two(part: Labelled) -> bool:
    middle, *others = part.value
    fractions, _ = np.frexp(np.abs(middle))
    return bool(np.all((fractions == 0.5) | (fractions == 0))) and not any(map(np.any, others))


def _join_two(
    parts: list[Labelled], waiting: set[Index], a: Arithmetic
) -> tuple[list[Labelled], set[Index]]:
    """The first two factors that share a summed index, joined into one."""
    index = next(axis for part in parts for axis in part.axes if axis in waiting)
    holders = [part for part in parts if index in part.axes]
    left, right = min(
        ((x, y) for i, x in enumerate(holders) for y in holders[i + 1 :]),
        key=lambda pair: len(set(pair[0].axes) | set(pair[1].axes)),
    )
    rest = [part for part in parts if part is not left and part is not right]
    elsewhere = {axis for part in rest for axis in part.axes}
    shared = [axis for axis in left.axes if axis in right.axes]
    gone = [axis for axis in shared if axis in waiting and axis not in elsewhere]
    return [_matmul(left, right, gone, a), *rest], waiting - set(gone)


def _matmul(left: Labelled, right: Labelled, gone: list[Index], a: Arithmetic) -> Labelled:
    batch = [axis for axis in left.axes if axis in right.axes and axis not in gone]
    rows = [axis for axis in left.axes if axis not in right.axes]
    columns = [axis for axis in right.axes if axis not in left.axes]
    if not gone:
        return _multiply([left, right], a)
    if rows and columns and rows[0].number > columns[0].number:
        # As the free indices mostly stand: then nobody has to read the result across its memory.
        left, right, rows, columns = right, left, columns, rows
    first = _flattened(left, batch, rows, gone)
    second = _flattened(right, batch, gone, columns)
    joined = a.matmul(first, second)
    lengths = {axis: left.value[0].shape[left.axes.index(axis)] for axis in (*batch, *rows)} | {
        axis: right.value[0].shape[right.axes.index(axis)] for axis in columns
    }
    axes = (*batch, *rows, *columns)
    shape = tuple(lengths[axis] for axis in axes)
    return Labelled(structural(joined, Reshaped(shape)), axes)


def _flattened(
    part: Labelled, batch: list[Index], rows: list[Index], columns: list[Index]
) -> Value:
    """As a stack of matrices: the batch axes, then rows and columns flattened into one each."""
    order = tuple(part.axes.index(axis) for axis in (*batch, *rows, *columns))
    return structural(part.value, Stacked(order, len(batch), len(rows)))


# --- functions --------------------------------------------------------------------------------


def _apply(
    name: str,
    arguments: tuple[Value, ...],
    order: int,
    a: Arithmetic,
    plain: Value | None = None,
) -> Value:
    """A function of values, or its slope; `plain` is the function itself where it is known."""
    own = a.function(name, arguments, order)
    if own is not None:
        return own
    record = ELEMENTWISE_BY_NAME[name]
    formula = written_out(record, order)
    room = Room({f"#{k}": v for k, v in enumerate(arguments)}, {}, a, {})
    if plain is not None and room.known is not None:
        reads = tuple(Read(f"#{k}", ()) for k in range(len(arguments)))
        room.known[Apply(name, reads)] = Labelled(plain, ())
    value = _elementwise_term(formula, room)
    return a.slope(value) if order == 1 else value


@lru_cache(maxsize=256)
def written_out(record: Elementwise, order: int) -> Term:
    """A function (or its first derivative) of the arguments ``#0, #1, …`` by its meaning."""
    arguments = [Formula(Read(f"#{k}", ())) for k in range(len(record.arguments))]
    if order == 0:
        if record.meaning is None:
            return Apply(record.name, tuple(x.term for x in arguments))
        meaning: Term = record.meaning(*arguments).term
        return meaning
    rule = record.slopes[0]
    assert rule is not None
    value = Formula(Apply(record.name, tuple(x.term for x in arguments)))
    slope: Term = rule(value, *arguments).term
    return slope


def _elementwise_term(term: Term, room: Room) -> Value:
    """A term whose reads are whole arrays: no index, plain broadcasting."""
    a = room.arithmetic
    match term:
        case Read(tensor, _):
            return room.tensors[tensor]
        case Number(value):
            return a.number(value)
        case Pi():
            return a.pi()
        case Add(terms):
            return a.add([_elementwise_term(part, room) for part in terms])
        case Product(factors):
            result = _elementwise_term(factors[0], room)
            for part in factors[1:]:
                result = a.multiply(result, _elementwise_term(part, room))
            return result
        case Power(base, exponent):
            return a.power(_elementwise_term(base, room), exponent)
        case Compare(relation, left, right):
            return a.compare(
                relation, _elementwise_term(left, room), _elementwise_term(right, room)
            )
        case Apply():
            known = room.known.get(term) if room.known is not None else None
            value = known.value if known is not None else _function_in(term, room)
            if room.known is not None:
                room.known[term] = Labelled(value, ())
            return value
        case SizeOf() | Sum() | Fold() | Along() | Bracket():
            raise NotYet("A record's meaning is elementwise: no sums, sizes or brackets.")


def _function_in(term: Apply, room: Room) -> Value:
    """A function in a formula whose reads are whole arrays."""
    values = tuple(_elementwise_term(x, room) for x in term.arguments)
    if term.function in ELEMENTARY and len(values) == 1 and not term.order:
        return room.arithmetic.elementary(term.function, values[0])
    return _apply(term.function, values, term.order, room.arithmetic)


def _fold(name: str, over: tuple[Index, ...], inside: Labelled, room: Room) -> Labelled:
    a = room.arithmetic
    kept = tuple(axis for axis in inside.axes if axis not in over)
    value = _full_last(inside, (*kept, *over), len(over), room)
    own = a.fold(name, value)
    if own is not None:
        return Labelled(own, kept)
    match name:
        case "max":
            return Labelled(a.largest(value, len(kept)), kept)
        case "logsumexp":
            total = a.total(a.elementary("exp", value), (len(kept),))
            return Labelled(a.elementary("log", total), kept)
        case _:
            raise NotYet(f"{name} has no evaluation.")


def _inverse(
    over: tuple[Index, Index], inside: Labelled, places: tuple[Affine, Affine], room: Room
) -> Labelled:
    """An inverse, read at a row and a column."""
    kept = tuple(axis for axis in inside.axes if axis not in over)
    value = room.arithmetic.inverse(_matrices(inside, (*kept, *over), room))
    named = Room({"#": value}, room.sizes, room.arithmetic)
    return _read(Read("#", (*map(at, kept), *places)), named)


def _matrices(inside: Labelled, axes: tuple[Index, ...], room: Room) -> Value:
    """With the last two axes in full length."""
    lengths = tuple(number_of(axis.size, room.sizes) for axis in axes[-2:])
    return structural(
        _laid_out(inside, axes), lambda p: np.broadcast_to(p, (*p.shape[:-2], *lengths))
    )


def _full_last(inside: Labelled, axes: tuple[Index, ...], count: int, room: Room) -> Value:
    """With the last `count` axes in full length, as one."""
    lengths = [number_of(axis.size, room.sizes) for axis in axes[len(axes) - count :]]
    value = _laid_out(inside, axes)

    def full(part: np.ndarray) -> np.ndarray:
        kept = part.shape[: len(axes) - count]
        return np.broadcast_to(part, (*kept, *lengths)).reshape((*kept, prod(lengths)))

    return structural(value, full)


def _along(name: str, over: Index, inside: Labelled, position: Affine, room: Room) -> Labelled:
    a = room.arithmetic
    kept = tuple(axis for axis in inside.axes if axis != over)
    value = _full_last(inside, (*kept, over), 1, room)
    result = a.along(name, value)
    if result is None:
        if name != "softmax":
            raise NotYet(f"{name} has no evaluation.")
        exponentials = a.elementary("exp", value)
        total = structural(a.total(exponentials, (len(kept),)), lambda p: p[..., None])
        result = a.multiply(exponentials, a.power(total, Fraction(-1)))
    if is_index(position):
        index = the_index(position)
        if index not in kept:
            return Labelled(result, (*kept, index))
        spot = kept.index(index)  # the diagonal: the axis stands in the body too
        diagonal = structural(result, lambda p: np.diagonal(p, axis1=spot, axis2=len(kept)))
        return Labelled(diagonal, (*(k for k in kept if k != index), index))
    named = Room({"#": result}, room.sizes, a)
    return _read(Read("#", (*map(at, kept), position)), named)
