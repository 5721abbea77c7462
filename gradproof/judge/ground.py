"""A network to exact numbers of everything that it has, at one random point of a finite field.

On this ground formulas are compared by their numbers: two formulas that agree at a random point
agree everywhere, but for a chance of about their degree over 2⁵⁰.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.program import Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Apply, Power, Term, reads, walk
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.evaluate import Labelled, Room, evaluate_equation
from gradproof.engines.field import UnluckyPoint
from gradproof.engines.modular import Modular
from gradproof.judge.points import POINT, Question, drawn, with_points

MOST_ELEMENTS = 50_000
"""A network with more numbers than this is not evaluated exactly."""

MOST_TRIES = 8

REAL_BITS = 192


@dataclass(frozen=True, slots=True)
class Ground:
    """Forward values and right gradients, as exact numbers at these sizes.

    ``known`` keeps functions of them: hundreds of wrong formulas are made of the same few.
    """

    tensors: Mapping[str, Value]
    sizes: Mapping[str, int]
    machine: Arithmetic
    known: dict[Term, Labelled] = field(default_factory=dict, repr=False, compare=False)


def ground(
    paper: Paper, derivation: Derivation, sizes: Mapping[str, int], seed: bytes
) -> Ground | None:
    """Everything at one random point, or `None` where that cannot be had: an array that the code
    brings along, as ``np.arange(n)``, is of one size only.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        sizes: a number for each size symbol.
        seed: the point is the same for the same seed.
    """
    if _elements(paper, derivation, sizes) > MOST_ELEMENTS or not _fit(paper, derivation, sizes):
        return None
    rooted = any(_has_root(e.term) for e in all_equations(paper, derivation))
    with_one = {**sizes, str(POINT.size): 1}
    for number in range(MOST_TRIES):
        key = hashlib.sha256(seed + number.to_bytes(4, "little")).digest()
        machine = Modular(key, rooted=rooted, apart=True)
        try:
            return Ground(_evaluated(paper, derivation, with_one, machine), with_one, machine)
        except UnluckyPoint:
            continue
        except NotYet:
            return None
    return None


def all_equations(paper: Paper, derivation: Derivation) -> Iterator[Equation]:
    """Forward, derived backward and the user's, in an order in which they can be evaluated."""
    yield from paper.forward.equations
    yield from derivation.backward.equations
    if paper.backward is not None:
        yield from paper.backward.equations


def _elements(paper: Paper, derivation: Derivation, sizes: Mapping[str, int]) -> int:
    known = {**shapes(paper.forward), **shapes(derivation.backward)}
    return sum(
        int(np.prod([s if isinstance(s, int) else sizes[s] for s in shape], dtype=np.int64))
        for shape in known.values()
    )


def _fit(paper: Paper, derivation: Derivation, sizes: Mapping[str, int]) -> bool:
    """Whether the arrays of the code have these sizes."""
    return all(
        np.shape(paper.constants[tensor.name])
        == tuple(s if isinstance(s, int) else sizes[s] for s in tensor.shape)
        for tensor in _inputs(paper, derivation)
        if tensor.name in paper.constants
    )


def _has_root(term: Term) -> bool:
    return any(
        (isinstance(n, Power) and n.exponent.denominator == 2)
        or (isinstance(n, Apply) and n.function == "sqrt")
        for n in walk(term)
    )


def _evaluated(
    paper: Paper, derivation: Derivation, sizes: Mapping[str, int], machine: Modular
) -> dict[str, Value]:
    inputs = _inputs(paper, derivation)
    constants = {name: np.asarray(array) for name, array in paper.constants.items()}
    laws = frozenset(t.name for t in inputs if t.law in ("probabilities", "one-hot"))
    question = Question(Program((), (), ()), {}, constants)
    tensors = {t.name: drawn(t, question, laws, sizes, machine) for t in inputs}
    return _worked_out(tensors, paper, derivation, sizes, machine)


def _inputs(paper: Paper, derivation: Derivation) -> list[Tensor]:
    inputs = list(paper.forward.inputs)
    if paper.backward is not None:
        seen = {*shapes(paper.forward), *shapes(derivation.backward)}
        inputs += [t for t in paper.backward.inputs if t.name not in seen]
    return inputs


def _worked_out(
    tensors: dict[str, Value],
    paper: Paper,
    derivation: Derivation,
    sizes: Mapping[str, int],
    machine: Arithmetic,
) -> dict[str, Value]:
    for equation in (*paper.forward.equations, *derivation.backward.equations):
        # The loss may hold a logarithm of something that is no power of e: no gradient reads it.
        if all(read.tensor in tensors for read in reads(equation.term)):
            tensors[equation.target] = evaluate_equation(
                with_points(equation), Room(tensors, sizes, machine)
            )
    return tensors


def real_ground(
    paper: Paper, derivation: Derivation, sizes: Mapping[str, int], seed: int
) -> Ground:
    """Everything at one random real point, as balls; rows of probabilities add up to one.

    What a residue is as a real number cannot be seen in the field: it is seen here.
    """
    random = np.random.default_rng(seed)
    arb = Arb()
    with_one = {**sizes, str(POINT.size): 1}
    tensors: dict[str, Value] = {}
    with precision(REAL_BITS):
        for tensor in _inputs(paper, derivation):
            shape = (1, *(s if isinstance(s, int) else with_one[s] for s in tensor.shape))
            if tensor.name in paper.constants:
                given = np.asarray(paper.constants[tensor.name], dtype=np.float64)
                tensors[tensor.name] = arb.lift(np.broadcast_to(given, shape))
                continue
            (value,) = arb.lift(random.uniform(0.25, 2.0, shape))
            if tensor.law in ("probabilities", "one-hot"):
                value = value / value.sum(axis=-1, keepdims=True)
            tensors[tensor.name] = (value,)
        return Ground(_worked_out(tensors, paper, derivation, with_one, arb), with_one, arb)


def value_of(equation: Equation, on: Ground) -> Value | None:
    """An equation's numbers on a ground, or `None` where it has none there."""
    return _value(equation, Room(on.tensors, on.sizes, on.machine, on.known))


def claimed_value(name: str, paper: Paper, derivation: Derivation, on: Ground) -> Value | None:
    """A claim's numbers on right operands: other claims stand as the right gradients."""
    assert paper.backward is not None
    tensors = dict(on.tensors)
    claims = {claim.name: derivation.gradients[claim.of] for claim in paper.claims}
    for equation in paper.backward.equations:
        other = claims.get(equation.target)
        if other is not None and equation.target != name:
            if other in tensors:
                tensors[equation.target] = tensors[other]
            continue
        value = _value(equation, Room(tensors, on.sizes, on.machine))
        if value is not None:
            tensors[equation.target] = value
        if equation.target == name:
            return value
    return None


def _value(equation: Equation, room: Room) -> Value | None:
    if any(read.tensor not in room.tensors for read in reads(equation.term)):
        return None
    try:
        return evaluate_equation(with_points(equation), room)
    except (UnluckyPoint, NotYet, IndexError):
        # No such number: a division by zero, a root outside the field, a place outside a tensor.
        return None


def same(left: Value | None, right: Value | None) -> bool:
    """Whether two values have the same shape and the same numbers, everywhere."""
    if left is None or right is None:
        return False
    return all(
        a.shape == b.shape and bool(np.all(a == b)) for a, b in zip(left, right, strict=True)
    )


def times(value: Value, constant: Fraction, on: Ground) -> Value:
    """A value times a rational number."""
    return on.machine.multiply(value, on.machine.number(constant))


def differing(left: Value, right: Value) -> np.ndarray:
    """Which elements of two values of one shape differ."""
    found = np.zeros(left[0].shape[1:], dtype=bool)
    for a, b in zip(left, right, strict=True):
        found |= (a != b)[0]
    return found
