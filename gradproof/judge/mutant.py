"""A right formula to wrong ones, and whether these are wrong: some are it under another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gradproof.core.program import Claim, Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Term, reads, rename
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation, number_of
from gradproof.judge.clinic import Clinic, candidates
from gradproof.judge.formula import first_disjoint
from gradproof.judge.ground import same, value_of
from gradproof.judge.identity import prove
from gradproof.judge.normal_form import inlined
from gradproof.judge.truth import TrueValues, true_values
from gradproof.mistakes.record import Mistake, Slots

Kind = Literal["equal", "different", "open"]


@dataclass(frozen=True, slots=True)
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


def apart(wrong: Equation, right: np.ndarray, truth: TrueValues, sizes: Mapping[str, int]) -> bool:
    """Whether an element of a formula lies in an interval that is disjoint from the right one's.

    Args:
        wrong: the formula.
        right: the right gradient, in balls.
        truth: the tensors that it reads.
        sizes: a number for each size symbol.
    """
    with precision(truth.bits):
        names = {read.tensor for read in reads(wrong.term)}
        tensors = {name: (truth.balls[name],) for name in names}
        value = evaluate_equation(wrong, Room(tensors, sizes, Arb()))[0]
    return first_disjoint(value, right, truth.bits) is not None


@dataclass(frozen=True, eq=False)
class Touchstone:
    """A network at generic sizes and data, where a wrong formula is told from an equal one."""

    paper: Paper
    derivation: Derivation
    clinic: Clinic
    truth: TrueValues
    sizes: Mapping[str, int]


def touchstone(
    paper: Paper,
    derivation: Derivation,
    clinic: Clinic,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> Touchstone:
    """What tells wrong formulas from equal ones.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        clinic: the network on two grounds of generic sizes.
        inputs: generic data, by tensor.
        sizes: their sizes.
    """
    programs = (paper.forward, derivation.backward)
    return Touchstone(paper, derivation, clinic, true_values(programs, inputs, sizes), sizes)


def compare(mutant: Mutant, stone: Touchstone) -> Kind:
    """Whether a mutant is the right formula: by exact numbers at random points at two sets of
    sizes, by the prover, or, that it is another one, by disjoint intervals at generic data."""
    gradient = stone.derivation.gradients[mutant.of]
    wrong = mutant.equation
    if shape_at(wrong, stone.sizes) != stone.truth.balls[gradient].shape:
        return "different"
    here, elsewhere = stone.clinic.here, stone.clinic.elsewhere
    if (
        here is not None
        and elsewhere is not None
        and all(same(value_of(wrong, on), on.tensors.get(gradient)) for on in (here, elsewhere))
    ):
        return "equal"
    if apart(wrong, stone.truth.balls[gradient], stone.truth, stone.sizes):
        return "different"
    if mutant.mistake.reshapes:
        return "open"
    paper, claim = mutated(mutant.of, wrong, stone.paper, stone.derivation)
    return "equal" if prove(paper, stone.derivation, SEED)[claim.of].chain else "open"


SEED = b"0" * 32
"""Of the prover's random points: the same answer each time."""


def shape_at(equation: Equation, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an equation's tensor."""
    return tuple(number_of(index.size, sizes) for index in equation.free)
