"""Pairs of formulas to whether they are equal, by exact evaluation at random points.

The formulas are evaluated over finite fields (`engines/modular.py`); the primes, sizes and numbers
are drawn after they are fixed. Equal formulas always agree; different ones agree with a probability
that is bounded and reported. Number sizes are replaced by symbols where nothing depends on the
number, so that the points are small and the result holds for every size (`extent.py` says when).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import log2, prod
from random import Random

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.index import Index, Size, at
from gradproof.core.program import Equation, Program, Tensor, shapes
from gradproof.core.term import (
    Along,
    Apply,
    Fold,
    Number,
    Power,
    Read,
    SizeOf,
    Term,
    bound,
    positions,
    reads,
    transform,
    walk,
)
from gradproof.engines.arithmetic import Value
from gradproof.engines.degree import Degrees
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.engines.field import UnluckyPoint
from gradproof.engines.modular import Modular
from gradproof.engines.tower import Tower
from gradproof.judge.axes import rigid_sizes, typed
from gradproof.judge.extent import Extents
from gradproof.judge.logarithms import without_logarithms
from gradproof.judge.pieces import has_pieces
from gradproof.prims.linalg import takes_matrix

LEAST_ROUNDS = 3
MOST_ROUNDS = 6
SMALL_ENOUGH = 1e-28
"""Every round draws another prime, until the probability of error is this."""

MORE_POINTS_THAN_ROOTS = 20
MOST_POINTS = 60
"""The independence of roots is seen at more points than there are roots (`engines/roots.py`)."""

LARGEST = 12
"""No size is tried above this: what would need it is not claimed for all sizes."""
MOST_NODES = 64
MOST_DOUBT = 1e-12
"""What is equal at all points with a greater probability of error is not called equal: the degrees
of a long chain of functions may be larger than any prime."""

SMALLEST = 1e-300
"""No smaller probability is printed: 0 would read as certain."""
SOME = 4
SPAN = 8
SPAN_WITH_ROOTS = 5
"""How many a size is drawn from where only some sizes are tried."""
MOST_TRIES = 4
MOST_ELEMENTS = 200_000
MOST_TOWER = 6_000
"""The tower computes with Python's integers: larger programs are tried at small sizes only."""

POINT = Index(-1, "the points")
"""All points are evaluated at once, along an axis of their own; no size symbol has a space."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether pairs of tensors of one program are equal, whatever its inputs are.

    ``pairs`` maps a name for each question to the two tensors; ``constants`` has the inputs that
    are given numbers.
    """

    program: Program
    pairs: Mapping[str, tuple[str, str]]
    constants: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Answer:
    """The pairs that are equal, and at which sizes they were tried.

    ``general`` says whether that means at every size, and ``numbers`` whether the sizes that are
    numbers in the program were kept. ``error`` bounds the probability that a pair is listed
    although it differs. With ``apart`` that is so where no two numbers that are compared are equal.
    """

    equal: frozenset[str]
    sizes: tuple[Mapping[str, int], ...]
    general: bool
    numbers: bool
    error: float
    apart: bool = False


NOTHING = Answer(frozenset(), (), False, False, 1.0)


def answer(
    question: Question, laws: frozenset[str] = frozenset(), seed: bytes | None = None
) -> list[Answer]:
    """What is equal whatever the sizes are, and then what is equal for those that are numbers.

    Args:
        question: the pairs.
        laws: the inputs whose rows sum to 1.
        seed: for a repetition; without it randomness comes from the system.
    """
    if not question.pairs:
        return []
    question = replace(question, program=without_logarithms(question.program))
    keys = _keys(seed)
    general = typed(question.program, frozenset(question.constants), question.pairs.values())
    asked = [(replace(question, program=general.program), general.rigid)]
    if _elements(question.program) <= MOST_ELEMENTS:
        # Some formulas hold only for the sizes given, such as a mean written with a number.
        asked.append((question, rigid_sizes(question.program)))
    homomorphic = (False, True) if _has_exponentials(question.program) else (False,)
    ordered = (False, True) if _compares(question.program) else (False,)
    found: list[Answer] = []
    left = dict(question.pairs)
    for apart, (one, rigid), tower in product(ordered, asked, homomorphic):
        if tower and _elements(one.program) > MOST_TOWER:
            continue
        asking = replace(one, pairs=left)
        found.append(_at_sizes(asking, rigid, laws, keys, tower=tower, apart=apart))
        left = {name: pair for name, pair in left.items() if name not in found[-1].equal}
        if not left:
            break
    return found


def _compares(program: Program) -> bool:
    """Whether it could matter that one of two different numbers is the larger."""
    return any(has_pieces(equation.term) for equation in program.equations)


def _has_exponentials(program: Program) -> bool:
    """Whether ``exp(a + b) = exp(a)·exp(b)`` could matter."""
    functions = {"exp", "sigmoid", "tanh", "softmax", "logsumexp"}
    return any(
        isinstance(node, Apply | Fold | Along) and node.function in functions
        for equation in program.equations
        for node in walk(equation.term)
    )


def _keys(seed: bytes | None) -> Iterator[bytes]:
    number = 0
    while True:
        fresh = secrets.token_bytes(32) if seed is None else seed[:32]
        yield fresh + number.to_bytes(4, "little")
        number += 1


@dataclass(frozen=True, slots=True)
class Doubt:
    """The probability that what was equal in all rounds so far differs all the same.

    ``point`` is the probability that one point does not show a difference (for one choice of the
    signs of roots), ``prime`` that none does modulo a round's prime, and ``points`` how many a
    round takes.
    """

    point: float
    prime: float
    points: int
    rounds: int = 0
    error: float = 1.0

    def after(self, roots: int) -> Doubt:
        """After one more round, in which so many roots were taken at each point."""
        # The product over the signs of all roots has this many times the degree.
        at_points = min(1.0, self.point * 2.0 ** min(roots, 1000)) ** self.points
        error = self.error * min(1.0, at_points + self.prime)
        return replace(self, rounds=self.rounds + 1, error=error)

    def is_small(self) -> bool:
        """Whether no further round is needed, or worth while."""
        enough = self.rounds >= LEAST_ROUNDS and self.error <= SMALL_ENOUGH
        return enough or self.rounds >= MOST_ROUNDS


def doubt(degrees: Degrees, pairs: Sequence[tuple[Value, Value]]) -> Doubt:
    """Before the first round, for pairs that were evaluated over degrees."""
    roots = degrees.roots
    points = min(roots + MORE_POINTS_THAN_ROOTS, MOST_POINTS) if roots else 1
    return Doubt(*degrees.chances(pairs), points)


# --- sizes ------------------------------------------------------------------------------------


def _all_sizes(program: Program) -> dict[Size, None]:
    """The sizes of axes, and those that stand in formulas as numbers."""
    found: dict[Size, None] = dict.fromkeys(
        size for shape in shapes(program).values() for size in shape
    )
    for equation in program.equations:
        for node in walk(equation.term):
            found.update((index.size, None) for index in bound(node))
            if isinstance(node, SizeOf):
                found[node.size] = None
    return found


def _furthest(program: Program) -> int:
    """The largest number that stands in a position, as in ``x[2]``: sizes are larger."""
    return max(
        (
            abs(position.constant)
            for equation in program.equations
            for node in walk(equation.term)
            for position in positions(node)
        ),
        default=0,
    )


def _elements(program: Program) -> int:
    return sum(
        prod(size if isinstance(size, int) else LARGEST for size in shape)
        for shape in shapes(program).values()
    )


def _some(symbols: list[str], lowest: int, key: bytes, *, rooted: bool) -> list[dict[str, int]]:
    """A few sizes at random, no two alike for one symbol: a number that is right at some sizes
    only, as 7 for n, is wrong at others. Where roots are taken, of each sample and position as in
    layer normalisation, small sizes of one symbol go with large ones of another: each root doubles
    the probability of an error."""
    chance = Random(key)
    span = SPAN_WITH_ROOTS if rooted else SPAN
    chosen = [chance.sample(range(lowest, lowest + span), SOME) for _ in symbols]
    if rooted:
        chosen = [sorted(some, reverse=n % 2 == 1) for n, some in enumerate(chosen)]
    return [dict(zip(symbols, node, strict=True)) for node in zip(*chosen, strict=True)]


def _has_roots(program: Program) -> bool:
    """Whether the root of something other than a number is taken."""
    nodes = (node for equation in program.equations for node in walk(equation.term))
    for node in nodes:
        match node:
            case Apply("sqrt"):
                return True
            case Power(base, exponent) if exponent.denominator == 2:
                if not isinstance(base, Number | SizeOf):
                    return True
            case _:
                pass
    return False


@lru_cache(maxsize=16)
def _counted(program: Program, constants: frozenset[str]) -> Extents:
    """The counts of a program, which many questions are asked of."""
    inputs = {
        t.name: tuple(Index(axis, size) for axis, size in enumerate(t.shape))
        for t in program.inputs
    }
    extents = Extents(inputs, constants)
    extents.add(program.equations)
    return extents


def _grid(
    question: Question, rigid: frozenset[Size], laws: frozenset[str], key: bytes, *, tower: bool
) -> tuple[list[dict[str, int]], bool]:
    """The sizes to try, and whether they stand for all sizes."""
    program = question.program
    extents = copy(_counted(program, frozenset(question.constants)))
    axes = {e.target: e.free for e in program.equations}
    for left, right in question.pairs.values():
        extents.compare(left, right, axes.get(left, axes.get(right, ())))
    bound_rows = Counter({t.shape[-1]: 1 for t in program.inputs if t.name in laws})
    symbols = [size for size in _all_sizes(program) if isinstance(size, str)]
    matrices = any(takes_matrix(n) for e in program.equations for n in walk(e.term))
    general = not extents.crossed() and not matrices
    if not symbols:
        return [{}], general
    choices: list[list[int]] = []
    for spot, symbol in enumerate(symbols):
        need = max(2, extents.need(symbol) + bound_rows[symbol])
        tries = extents.tries(symbol)
        if symbol in rigid or need > LARGEST or tries > MOST_NODES:
            general = False
        if tower and extents.mixed(symbol):
            general = False
        # Sizes of different symbols are apart where that costs little.
        start = need + spot % 3
        choices.append(list(range(start, start + min(tries, MOST_NODES))))
    if all(len(c) == 1 for c in choices):
        choices = [[*c, c[0] + 2] for c in choices[:1]] + choices[1:]
    if prod(len(c) for c in choices) > MOST_NODES or not general:
        rooted = _has_roots(program)
        return _some(symbols, 2 + _furthest(program), key, rooted=rooted), False
    nodes = [dict(zip(symbols, chosen, strict=True)) for chosen in product(*choices)]
    return nodes, general


# --- points -----------------------------------------------------------------------------------


def _at_sizes(
    question: Question,
    rigid: frozenset[Size],
    laws: frozenset[str],
    keys: Iterator[bytes],
    *,
    tower: bool,
    apart: bool,
) -> Answer:
    nodes, general = _grid(question, rigid, laws, next(keys), tower=tower)
    equal = frozenset(question.pairs)
    worst = 0.0
    for sizes in nodes:
        left = _doubt(question, laws, sizes)
        while equal and not left.is_small():
            values, roots = _evaluated(
                question, laws, sizes, left.points, keys, tower=tower, apart=apart
            )
            equal &= frozenset(
                name
                for name, (one, other) in question.pairs.items()
                if one in values and other in values and _same(values[one], values[other])
            )
            left = left.after(roots)
        worst = max(worst, left.error, SMALLEST)
        if not equal or worst > MOST_DOUBT:
            return NOTHING
    numbers = any(isinstance(s, int) and s > 1 for s in _all_sizes(question.program))
    return Answer(equal, tuple(nodes), general, numbers, worst, apart)


def _same(left: Value, right: Value) -> bool:
    return all(
        a.shape == b.shape and bool(np.all(a == b)) for a, b in zip(left, right, strict=True)
    )


def _doubt(question: Question, laws: frozenset[str], sizes: Mapping[str, int]) -> Doubt:
    degrees = Degrees()
    tensors: dict[str, Value] = {}
    for tensor in question.program.inputs:
        shape = _numbers(tensor.shape, sizes)
        if tensor.name in question.constants:
            tensors[tensor.name] = degrees.lift(np.asarray(question.constants[tensor.name]))
        else:
            # The last element of a row that adds up to 1 is a sum of all the others.
            weight = log2(shape[-1]) if tensor.name in laws else 0.0
            tensors[tensor.name] = degrees.variable(shape, weight)
    with np.errstate(over="ignore", invalid="ignore"):
        _run(question.program, tensors, sizes, degrees)
        pairs = [
            (tensors[left], tensors[right])
            for left, right in question.pairs.values()
            if left in tensors and right in tensors
        ]
        found = doubt(degrees, pairs)
    points = found.points
    while points > 1 and (points in sizes.values() or points in _all_sizes(question.program)):
        points += 1
    return replace(found, points=points)


def _numbers(shape: tuple[Size, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else sizes[size] for size in shape)


def _run(
    program: Program, tensors: dict[str, Value], sizes: Mapping[str, int], arithmetic: Degrees
) -> None:
    """Every equation that can be evaluated; what reads another is left out with it."""
    for equation in program.equations:
        if all(read.tensor in tensors for read in reads(equation.term)):
            try:
                tensors[equation.target] = evaluate_equation(
                    equation, Room(tensors, sizes, arithmetic)
                )
            except NotYet:
                continue


def _evaluated(
    question: Question,
    laws: frozenset[str],
    sizes: Mapping[str, int],
    points: int,
    keys: Iterator[bytes],
    *,
    tower: bool,
    apart: bool,
) -> tuple[dict[str, Value], int]:
    """The tensors at random points, and how many roots they have at each; without tensors that
    divide by zero whatever is drawn."""
    unlucky: Counter[str] = Counter()
    program = question.program
    rooted = points > 1
    sizes = {**sizes, str(POINT.size): points}
    equations = [with_points(e) for e in program.equations]
    while True:
        machine = (
            Tower(next(keys), apart=apart)
            if tower
            else Modular(next(keys), rooted=rooted, points=points, apart=apart)
        )
        tensors = {t.name: drawn(t, question, laws, sizes, machine) for t in program.inputs}
        for equation in equations:
            if unlucky[equation.target] >= MOST_TRIES or any(
                read.tensor not in tensors for read in reads(equation.term)
            ):
                continue
            try:
                tensors[equation.target] = evaluate_equation(
                    equation, Room(tensors, sizes, machine)
                )
            except UnluckyPoint:
                unlucky[equation.target] += 1
                break
            except NotYet:
                unlucky[equation.target] = MOST_TRIES
        else:
            return tensors, machine.roots if isinstance(machine, Modular) else 0


def with_points(equation: Equation) -> Equation:
    """The equation at every point: each tensor has the points as its first axis."""

    def change(node: Term) -> Term:
        match node:
            case Read(tensor, places):
                return Read(tensor, (at(POINT), *places))
            case _:
                return node

    return Equation(equation.target, (POINT, *equation.free), transform(equation.term, change))


def drawn(
    tensor: Tensor,
    question: Question,
    laws: frozenset[str],
    sizes: Mapping[str, int],
    machine: Modular | Tower,
) -> Value:
    shape = (sizes[str(POINT.size)], *_numbers(tensor.shape, sizes))
    if tensor.name in question.constants:
        lifted = machine.lift(np.asarray(question.constants[tensor.name]))
        return tuple(np.broadcast_to(part, shape) for part in lifted)
    value = machine.draw(shape, tensor.name)
    if tensor.name in laws:
        others = tuple(part[..., :-1] for part in value)
        one = machine.number(Fraction(1))
        minus = machine.multiply(machine.number(Fraction(-1)), machine.total(others, (-1,)))
        last = machine.add([one, minus])
        value = tuple(
            np.concatenate([part, end[..., None]], axis=-1)
            for part, end in zip(others, last, strict=True)
        )
    return value
