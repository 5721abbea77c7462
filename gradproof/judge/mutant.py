"""A right formula to wrong ones, and whether these are wrong: some are it under another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gradproof.core.program import Claim, Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Number, Term, reads, rename, walk
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation, number_of
from gradproof.judge.alike import plainer, same_alone
from gradproof.judge.clinic import Clinic, candidates
from gradproof.judge.formula import first_disjoint, undefined
from gradproof.judge.ground import same, value_of
from gradproof.judge.identity import prove
from gradproof.judge.normal_form import inlined
from gradproof.judge.truth import TrueValues, true_values
from gradproof.mistakes.record import Mistake, Slots

Kind = Literal["equal", "different", "beneath", "open"]
"""What a mutant is; *beneath* is wrong by less than any format of numbers can hold."""

MASK = 1000
"""A number in a network from which on it stands for infinity: ``exp(−1000)`` is zero in float64."""

BENEATH = 2.0**-80
"""A share of a tensor's largest element that no format can hold beside it: float64 has 53 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """The gradient of one tensor with a mistake put in."""

    of: str
    mistake: Mistake
    equation: Equation
    slots: Slots


def mutants(of: str, clinic: Clinic) -> Iterator[Mutant]:
    """Every mistake in one gradient; a formula that two mistakes make has the first one's name."""
    seen: set[Equation] = set()
    for mistake, made in candidates(of, clinic):
        if made.equation not in seen:
            seen.add(made.equation)
            yield Mutant(of, mistake, made.equation, made.slots)


def mutated(of: str, wrong: Equation, paper: Paper, derivation: Derivation) -> tuple[Paper, Claim]:
    """The paper of a person who has one formula wrong, and right those that it builds on."""
    right = {e.target: e for e in derivation.backward.equations}
    wrong = replace(wrong, term=_from_before(wrong, derivation))
    needed: dict[str, Equation] = {}
    waiting = [r.tensor for r in reads(wrong.term) if r.tensor in right]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = right[name]
            waiting += [r.tensor for r in reads(right[name].term) if r.tensor in right]
    names = {g: f"dl_d{name}" for name, g in derivation.gradients.items()}
    mine = names[derivation.gradients[of]]
    equations = [
        Equation(names[e.target], e.free, rename(e.term, names))
        for e in derivation.backward.equations
        if e.target in needed and e.target != wrong.target
    ]
    equations.append(Equation(mine, wrong.free, rename(wrong.term, names)))
    by_gradient = {names[g]: name for name, g in derivation.gradients.items()}
    claims = tuple(Claim(by_gradient[e.target], e.target) for e in equations)
    inputs = tuple(Tensor(name, shape) for name, shape in shapes(paper.forward).items())
    program = Program(inputs, tuple(equations), tuple(c.name for c in claims))
    return replace(paper, backward=program, claims=claims), claims[-1]


def _from_before(wrong: Equation, derivation: Derivation) -> Term:
    """The formula in terms of gradients that come before it: no formula builds on itself."""
    order = {e.target: k for k, e in enumerate(derivation.backward.equations)}
    later = {
        e.target: e for e in derivation.backward.equations if order[e.target] >= order[wrong.target]
    }
    return inlined(wrong.term, later)


def in_balls(wrong: Equation, truth: TrueValues, sizes: Mapping[str, int]) -> np.ndarray:
    """A formula at the inputs of true values, in balls.

    Args:
        wrong: the formula.
        truth: the tensors that it reads.
        sizes: a number for each size symbol.
    """
    with precision(truth.bits):
        names = {read.tensor for read in reads(wrong.term)}
        tensors = {name: (truth.balls[name],) for name in names}
        return evaluate_equation(wrong, Room(tensors, sizes, Arb()))[0]


def same_numbers(mutant: Mutant, clinic: Clinic) -> bool:
    """Whether a mutant is the right formula at random points at two sets of sizes, exactly."""
    gradient = clinic.derivation.gradients[mutant.of]
    grounds = (clinic.here, clinic.elsewhere)
    equation = plainer(mutant.equation, clinic.derivation.forward)
    return all(
        on is not None and same(value_of(equation, on), on.tensors.get(gradient)) for on in grounds
    )


@dataclass(frozen=True, eq=False)
class Touchstone:
    """A network at several generic data, where a wrong formula is told from an equal one."""

    paper: Paper
    derivation: Derivation
    truths: tuple[TrueValues, ...]
    sizes: Mapping[str, int]


def touchstone(
    paper: Paper,
    derivation: Derivation,
    draws: Sequence[Mapping[str, np.ndarray]],
    sizes: Mapping[str, int],
) -> Touchstone:
    """What tells wrong formulas from equal ones.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        draws: generic data, by tensor, several times.
        sizes: their sizes.
    """
    programs = (paper.forward, derivation.backward)
    truths = tuple(true_values(programs, inputs, sizes) for inputs in draws)
    return Touchstone(paper, derivation, truths, sizes)


def compare(mutant: Mutant, stone: Touchstone) -> Kind:
    """What a mutant is that exact numbers do not know as the right formula.

    *different* where an interval at generic data is disjoint from the right one, or where it has no
    value and the right one has; *equal* where the prover says so, or where it is the right formula
    whatever the rest of the network is. Where numbers such as −10⁹ are a mask, *beneath* is what is
    apart from the right one by less than `BENEATH` at all data; else *open*.
    """
    gradient = stone.derivation.gradients[mutant.of]
    masked = _has_mask(stone.paper.forward)
    near = masked
    for truth in stone.truths:
        right = truth.balls[gradient]
        if shape_at(mutant.equation, stone.sizes) != right.shape:
            return "different"
        value = in_balls(mutant.equation, truth, stone.sizes)
        if undefined(value, right):
            return "different"
        near = near and _beneath(value, right)
        if not near and first_disjoint(value, right, truth.bits):
            return "different"
    equation = plainer(mutant.equation, stone.paper.forward)
    derived = {e.target: e for e in stone.derivation.backward.equations}[gradient]
    if same_alone(equation, derived, stone.derivation, stone.sizes):
        return "equal"
    if near:
        return "beneath"
    if mutant.mistake.reshapes:
        return "open"
    paper, claim = mutated(mutant.of, equation, stone.paper, stone.derivation)
    return "equal" if prove(paper, stone.derivation, SEED)[claim.of].chain else "open"


def differs(mutant: Mutant, stone: Touchstone) -> bool:
    """Whether a mutant is certainly another number somewhere at data of a touchstone."""
    gradient = stone.derivation.gradients[mutant.of]
    return any(
        first_disjoint(
            in_balls(mutant.equation, truth, stone.sizes), truth.balls[gradient], truth.bits
        )
        is not None
        for truth in stone.truths
    )


def _has_mask(forward: Program) -> bool:
    """Whether a network has numbers that stand for infinity."""
    return any(
        isinstance(node, Number) and abs(node.value) >= MASK
        for equation in forward.equations
        for node in walk(equation.term)
    )


def _beneath(value: np.ndarray, right: np.ndarray) -> bool:
    """Whether two arrays of balls are certainly apart by less than their formats can hold."""
    most = max((float(abs(ball).upper()) for ball in right.flat), default=0.0)
    apart = max(
        (float(abs(v - r).upper()) for v, r in zip(value.flat, right.flat, strict=True)),
        default=0.0,
    )
    return apart <= BENEATH * most


SEED = b"0" * 32
"""Of the prover's random points: the same answer each time."""


def shape_at(equation: Equation, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an equation's tensor."""
    return tuple(number_of(index.size, sizes) for index in equation.free)
