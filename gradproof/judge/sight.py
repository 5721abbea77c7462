"""A mistake, data and a precision to whether the verdict would see it there.

A wrong formula is evaluated on the right operands, with the bound of its own roundings. It is seen
only where whatever a correct engine may make of it lies outside what the verdict permits for the
right formula, so no tolerance is chosen here; or where it is no number, which no verdict passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from gradproof.core.program import Equation, Step
from gradproof.core.term import Add, Number, Product, Term, reads, transform
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.kink import Kink
from gradproof.judge.mutant import Mutant, shape_at
from gradproof.judge.stage import BITS, evaluated


@dataclass(frozen=True, eq=False)
class View:
    """An engine's tensors at some data, and what it may do to a number.

    ``balls`` keeps the tensors as balls once they are needed.
    """

    operands: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    contract: Contract
    kinks: Mapping[str, Kink] = field(default_factory=dict)
    balls: dict[str, Value] = field(default_factory=dict, repr=False)


def stage(equation: Equation, view: View) -> Value | None:
    """A formula on the view's operands: midpoints, radii and bounds; `None` where it cannot be
    evaluated: a flipped axis on which integers choose has no axis of its own.

    Raises:
        IndexError: it reads outside a tensor.
    """
    ball = Ball(view.contract)
    for name in {read.tensor for read in reads(equation.term)} - view.balls.keys():
        view.balls[name] = ball.lift(view.operands[name])
    with np.errstate(all="ignore"):
        try:
            return evaluate_equation(equation, Room(view.balls, view.sizes, ball))
        except ValueError:
            return None


def right_stage(step: Step, view: View) -> Value | None:
    """The derived gradient, with every path and every sum in it, as verdicts bound it."""
    return stage(Equation(step.equation.target, step.equation.free, step.raw), view)


def shows(mutant: Mutant, right: Value | None, view: View) -> bool | None:
    """Whether no verdict passes a mutant, however it is rounded; `None` where that is not known.

    Args:
        mutant: a wrong gradient.
        right: the right one on this view, or `None` where that has no value.
        view: the data and the precision.
    """
    if right is None:
        return False
    if shape_at(mutant.equation, view.sizes) != np.shape(right[0]):
        return True  # an error of shapes, before any number
    equation = replace(mutant.equation, term=transform(mutant.equation.term, _cancelled))
    try:
        value = stage(equation, view)
    except IndexError:
        return True  # the code stops
    if value is None:
        return None
    seen = outside(value, right)
    if not np.all(np.isfinite(value[1])):
        seen |= _no_number(equation, view) & np.isfinite(right[1])
    kink = view.kinks.get(mutant.of)
    if kink is not None:
        if kink.spots is None:
            return False
        seen &= ~kink.spots
    return bool(seen.any())


def _cancelled(node: Term) -> Term:
    """What is subtracted from itself, as zero: that is exact in every arithmetic, so that a
    comparison of it has one outcome, the same for all elements."""
    match node:
        case Add((one, Product((Number(minus), other)))) if minus == -1 and one == other:
            return Number(Fraction(0))
        case _:
            return node


def _no_number(equation: Equation, view: View) -> np.ndarray:
    """The elements at which a formula divides by zero, or takes the root of a negative number."""
    with precision(BITS):
        (balls,) = evaluated(equation, view.operands, view.sizes, Arb())
    return np.array([not ball.is_finite() for ball in balls.flat], dtype=bool).reshape(balls.shape)


def outside(wrong: Value, right: Value, factor: float = 1.0) -> np.ndarray:
    """The elements at which every rounding of a wrong value is beyond what is permitted.

    Args:
        wrong: midpoints, radii and bounds of the wrong tensor.
        right: those of the right one, of the same shape.
        factor: how many bounds are permitted.
    """
    m, r, e = right
    n, s, f = wrong
    with np.errstate(all="ignore"):
        least = np.abs(n - m) * (1 - 2.0**-50) - r - s - f
        return np.asarray((least > factor * e) & np.isfinite(least))
