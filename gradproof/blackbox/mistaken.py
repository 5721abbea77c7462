"""Refuted gradients to the known mistakes that give their numbers, wherever these were made.

A black box shows no formulas. So each known mistake is made in the gradient of every tensor of the
paper, one after the other; what follows from it is worked out, and named is only what gives the
numbers of every draw within their rounding errors, and leaves right what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from gradproof.blackbox.likeness import fits
from gradproof.core.errors import NotYet
from gradproof.core.program import Equation, shapes
from gradproof.core.term import reads
from gradproof.core.told import told, told_all
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.ball import Ball
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.clinic import Clinic, Diagnosis, Explanation, candidates, ways_of
from gradproof.judge.ground import MOST_ELEMENTS
from gradproof.judge.reference import Data, PaperReference
from gradproof.report.checked import CheckRow
from gradproof.report.diagnosis import sentences

MOST = 4_000
"""Wrong formulas that are tried: the search ends within seconds."""

PRECISE = ("float64", "float32")
"""The precisions in which what two mistakes give is told apart."""

SIMPLE = 64
"""The largest numerator and denominator of a constant that is named."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One draw: what came back for each input, and everything that is right."""

    data: Data
    returned: Mapping[str, Returned]
    right: Mapping[str, Value]
    contract: Contract


def seen(
    reference: PaperReference, data: Data, returned: Mapping[str, Returned], contract: Contract
) -> Seen:
    """One draw, with all of the paper's tensors enclosed."""
    return Seen(data, returned, reference.everything(data, contract), contract)


def name_mistakes(
    rows: tuple[CheckRow, ...],
    reference: PaperReference,
    draws: Sequence[Seen],
    *,
    further: bool = True,
) -> tuple[CheckRow, ...]:
    """The rows, those refuted with what was done.

    Args:
        rows: of values and gradients.
        reference: the paper.
        draws: in the finest precision in which the box answers.
        further: whether mistakes are made in the gradients of values on the way, too.
    """
    wrong = [row.name for row in rows if row.kind == "refuted" and row.name in draws[0].returned]
    if draws[0].contract.dtype not in PRECISE:
        said = told(
            "In 16 bits mistakes cannot be told apart by their numbers: none was looked for."
        )
        return tuple(
            replace(row, why=(*row.why, said)) if row.name in wrong else row for row in rows
        )
    if not wrong or sum(v[0].size for v in draws[0].right.values()) > MOST_ELEMENTS:
        return rows
    clinic = Clinic(
        reference.derivation,
        None,
        None,
        ways_of(reference.paper, reference.derivation, None),
        {**shapes(reference.paper.forward), **shapes(reference.derivation.backward)},
    )
    found_for: dict[str, tuple[str, ...]] = {}
    for of in wrong:
        found = _alone(of, reference, clinic, draws) or _constant(of, reference, draws)
        if found is not None:
            found_for[of] = sentences(found, clinic.shapes)
    left = [of for of in wrong if of not in found_for]
    if left and further:
        found_for |= _further_up(left, reference, clinic, draws)
    return tuple(replace(row, why=(*row.why, *found_for.get(row.name, ()))) for row in rows)


def _alone(
    of: str, reference: PaperReference, clinic: Clinic, draws: Sequence[Seen]
) -> Diagnosis | None:
    """A mistake in the input's own gradient, everything before it right."""
    if of not in reference.derivation.gradients:
        return None
    for mistake, made in candidates(of, clinic):
        if all(_gives(made.equation, of, reference, draw) for draw in draws):
            found = Explanation(mistake.name, mistake.words, made.slots, made.equation)
            return Diagnosis(of, (found,), (), reference.sizes, {})
    return None


def _gives(equation: Equation, of: str, reference: PaperReference, draw: Seen) -> bool:
    """Whether a formula gives what came back, on right operands."""
    value = _value(equation, draw.right, reference, Ball(draw.contract, opaque=True))
    return value is not None and fits(draw.returned[of], value, draw.contract)


def _value(
    equation: Equation,
    tensors: Mapping[str, Value],
    reference: PaperReference,
    arithmetic: Arithmetic,
) -> Value | None:
    if any(read.tensor not in tensors for read in reads(equation.term)):
        return None
    try:
        with np.errstate(all="ignore"):
            return evaluate_equation(equation, Room(tensors, reference.sizes, arithmetic))
    except (NotYet, IndexError, ValueError):  # a place outside a tensor, or axes that do not meet
        return None


def _constant(of: str, reference: PaperReference, draws: Sequence[Seen]) -> Diagnosis | None:
    """The same wrong constant in every element of every draw."""
    symbol = reference.derivation.gradients.get(of, "")
    array, right = draws[0].returned[of].array, draws[0].right.get(symbol)
    if array is None or right is None or array.shape != right[0].shape or not array.size:
        return None
    spot = np.unravel_index(int(np.argmax(np.abs(right[0]))), array.shape)
    if right[0][spot] == 0 or not np.isfinite(array[spot]):
        return None
    ratio = float(array[spot]) / float(right[0][spot])
    constant = Fraction(ratio).limit_denominator(SIMPLE)
    if abs(constant.numerator) > SIMPLE or constant in (0, 1):
        return None
    for draw in draws:
        ball = Ball(draw.contract, opaque=True)
        value = ball.multiply(ball.number(constant), draw.right[symbol])
        if not fits(draw.returned[of], value, draw.contract):
            return None
    words, slots = "It is {constant} times the gradient.", {"constant": str(constant)}
    found = Explanation("a constant", words, slots, None)
    return Diagnosis(of, (found,), (), reference.sizes, {})


def _further_up(
    wrong: Sequence[str], reference: PaperReference, clinic: Clinic, draws: Sequence[Seen]
) -> dict[str, tuple[str, ...]]:
    """A mistake in the gradient of a value on the way, and what follows from it."""
    steps = {step.of: step for step in reference.derivation.steps}
    inputs = set(draws[0].returned)
    tried = 0
    for of, step in steps.items():
        if of in inputs:
            continue
        below = below_of(step.equation.target, reference)
        reached = {name for name in wrong if steps[name].equation.target in below}
        if not reached:
            continue
        for mistake, made in candidates(of, clinic):
            if mistake.reshapes:
                continue
            tried += 1
            if tried > MOST:
                return {}
            if all(_follows(made.equation, below, reached, reference, d) for d in draws):
                found = Explanation(mistake.name, mistake.words, made.slots, made.equation)
                diagnosis = Diagnosis(of, (found,), (), reference.sizes, {})
                line = told(
                    "It builds on a wrong {gradient}: {why}",
                    gradient=step.equation.target,
                    why=told_all(sentences(diagnosis, clinic.shapes)),
                )
                return dict.fromkeys(reached, (line,))
    return {}


def below_of(symbol: str, reference: PaperReference) -> tuple[str, ...]:
    """The gradients that are made of one, in order."""
    made = {symbol}
    for equation in reference.derivation.backward.equations:
        if any(read.tensor in made for read in reads(equation.term)):
            made.add(equation.target)
    order = [equation.target for equation in reference.derivation.backward.equations]
    return tuple(name for name in order if name in made and name != symbol)


def _follows(
    wrong: Equation,
    below: Sequence[str],
    reached: set[str],
    reference: PaperReference,
    draw: Seen,
) -> bool:
    """Whether everything that came back is what a wrong gradient on the way leads to."""
    left = set(reached)
    ball = Ball(draw.contract, opaque=True)
    for of, value in led_to(wrong, below, reference, draw.right, ball):
        if value is None:
            return False
        if of in draw.returned:
            if not fits(draw.returned[of], value, draw.contract):
                return False
            left.discard(of)
    return not left


def led_to(
    wrong: Equation,
    below: Sequence[str],
    reference: PaperReference,
    right: Mapping[str, Value],
    arithmetic: Arithmetic,
) -> Iterator[tuple[str, Value | None]]:
    """What follows from one wrong gradient: itself and those made of it, by tensor, in order; it
    ends with `None` where one has no value.

    Args:
        wrong: the gradient.
        below: the gradients that are made of it.
        reference: the paper.
        right: everything that is right.
        arithmetic: in which that is.
    """
    by_gradient = {g: of for of, g in reference.derivation.gradients.items()}
    tensors = dict(right)
    for equation in (wrong, *equations_of(below, reference)):
        value = _value(equation, tensors, reference, arithmetic)
        of = by_gradient[equation.target]
        if value is None or value[0].shape != right[equation.target][0].shape:
            yield of, None
            return
        tensors[equation.target] = value
        yield of, value


def equations_of(below: Sequence[str], reference: PaperReference) -> Iterator[Equation]:
    """The right gradients of these names, with every path in them, in order."""
    for step in reference.derivation.steps:
        if step.equation.target in below:
            yield Equation(step.equation.target, step.equation.free, step.raw)
