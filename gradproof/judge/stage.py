"""An engine's numbers to verdicts, stage by stage, on the operands that the engine itself used.

So the bound of a stage is tight, does not grow with depth, and a wrong stage is found by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.core.program import Equation
from gradproof.core.term import reads
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.double import Double
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.truth import LARGE, digits_in_common, farthest
from gradproof.judge.verdict import EngineVerdict

BITS = 160
"""Arb's precision for disputed stages: far beyond float64's 53 bits."""

LITTLE = {"float64": 1e-3, "float32": 1e-3, "bfloat16": 0.25, "float16": 0.25}
"""The relative error of one element that a verdict should see. In 16 bits a few roundings are more
than 1e-3, and what should be seen is a mistake: factors of 2, ½, or a missing term."""

LEAST_POWER = 0.1
"""The share of the elements that must see it; docs/design.md has the reason."""


def judge_stage(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    truth: Value | None,
) -> EngineVerdict:
    """Whether an engine's tensor is what a correct engine may make of these operands.

    Args:
        equation: the exact stage; its free indices are the axes of the tensor.
        computed: the engine's tensor.
        operands: the engine's own tensors, by name.
        sizes: a number for each size symbol.
        contract: what a correct engine may do.
        truth: the enclosure of the true tensor, end to end, or `None`.
    """
    wanted = tuple(i.size if isinstance(i.size, int) else sizes[i.size] for i in equation.free)
    if computed.shape != wanted:
        because = f"the engine's shape is {computed.shape}, not {wanted}"
        return EngineVerdict("refuted", float("inf"), 0.0, 1.0, (), because)
    if not np.all(np.isfinite(computed)):
        because = "the engine's numbers are not finite"
        return EngineVerdict("undecided", float("inf"), 0.0, 0.0, (), because)
    exact = np.asarray(computed, dtype=np.float64)
    with np.errstate(all="ignore"):
        middle, radius, bound = _evaluated(equation, operands, sizes, Ball(contract))
        # The subtraction and the addition are rounded: both by less than this.
        difference = np.abs(exact - middle)
        difference += radius
        difference *= 1 + 2.0**-50
        if not np.all(difference <= bound):
            difference = _sharp_difference(equation, exact, operands, sizes, bound)
    return _verdict(
        exact, middle, difference, bound, LITTLE[contract.dtype], digits_in_common(exact, truth)
    )


def _evaluated(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> Value:
    names = {read.tensor for read in reads(equation.term)}
    room = Room({n: arithmetic.lift(operands[n]) for n in names}, sizes, arithmetic)
    return evaluate_equation(equation, room)


def _sharp_difference(
    equation: Equation,
    exact: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    bound: np.ndarray,
) -> np.ndarray:
    """The distance from the exact stage, by arithmetic finer than float64.

    Balls of float64 are as wide as what float64 permits, so they never decide about it.
    """
    count = sum(operands[n].size for n in {read.tensor for read in reads(equation.term)})
    if count + exact.size >= LARGE:
        value = _evaluated(equation, operands, sizes, Double())
        difference = farthest(value, exact)
        # What is left undecided is as near to its bound as double-doubles are wide: not in practice.
        if not np.any((difference > bound) & ~(difference - 2 * value[2] > bound)):
            return difference
    with precision(BITS):
        return farthest(_evaluated(equation, operands, sizes, Arb()), exact)


def _verdict(
    exact: np.ndarray,
    middle: np.ndarray,
    difference: np.ndarray,
    bound: np.ndarray,
    grain: float,
    digits: float,
) -> EngineVerdict:
    if not exact.size:
        return EngineVerdict("agrees", 0.0, digits, 1.0)
    # A bound of zero is for values that are only copied or selected.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(difference <= 2.0**-950, 0.0, difference / bound)
    worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(share)), exact.shape))
    largest = float(share[worst])
    power = _power(exact, middle, difference, bound, grain)

    def verdict(kind, because=""):
        found = float("inf") if np.isnan(largest) else largest
        return EngineVerdict(kind, found, digits, power, worst, because)

    if not np.all(np.isfinite(bound)):
        return verdict("undecided", "a kink, a tie or a zero divisor lies within the rounding error")
    if not largest <= 1:
        return verdict("refuted", "outside what the engine's contract permits for this stage")
    if power < LEAST_POWER:
        seen = f"only {power:.0%} of" if power else "none of"
        return verdict("undecided", f"no signal: {seen} the elements would show an error of {grain:.1g}")
    return verdict("agrees")


def _power(
    exact: np.ndarray,
    middle: np.ndarray,
    difference: np.ndarray,
    bound: np.ndarray,
    grain: float,
) -> float:
    """The share of the elements at which a relative error of `grain` would not have passed.

    A zero has no relative error: it is measured by the largest element, and where all are zero
    any other number would not have passed but for underflows.
    """
    size = np.abs(middle)
    with np.errstate(invalid="ignore"):
        sees = difference + bound < grain * size
    nothing = (size == 0) & (exact == 0)
    if nothing.any():
        largest = float(size.max())
        sees |= nothing & (bound < (grain * largest if largest else 2.0**-20))
    return float(np.mean(sees))
