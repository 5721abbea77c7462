"""An engine's numbers to verdicts, stage by stage, on the operands that the engine itself used.

So the bound of a stage is tight, does not grow with depth, and a wrong stage is found by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.core.program import Equation
from gradproof.engines.arb import Arb, precision, upper_bounds
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.verdict import EngineVerdict

BITS = 160
"""Arb's precision for disputed stages: far beyond float64's 53 bits."""


def judge_stage(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    truth: np.ndarray | None,
) -> EngineVerdict:
    """Whether an engine's tensor is what a correct engine may make of these operands.

    Args:
        equation: the exact stage; its free indices are the axes of the tensor.
        computed: the engine's tensor.
        operands: the engine's own tensors, by name.
        sizes: a number for each size symbol.
        contract: what a correct engine may do.
        truth: the Arb enclosure of the true tensor, end to end, or `None`.
    """
    wanted = tuple(i.size if isinstance(i.size, int) else sizes[i.size] for i in equation.free)
    if computed.shape != wanted:
        return EngineVerdict(
            "refuted",
            float("inf"),
            0.0,
            1.0,
            (),
            f"the engine's shape is {computed.shape}, not {wanted}",
        )
    if not np.all(np.isfinite(computed)):
        return EngineVerdict(
            "undecided", float("inf"), 0.0, 0.0, (), "the engine's numbers are not finite"
        )
    ball = Ball(contract)
    with np.errstate(all="ignore"):
        room = Room({n: ball.lift(v) for n, v in operands.items()}, sizes, ball)
        middle, radius, bound = evaluate_equation(equation, room)
    exact = computed.astype(np.float64)
    # The subtraction is exact up to one rounding of its own.
    difference = np.abs(exact - middle) * (1 + 2.0**-50)
    disputed = ~(difference + radius <= bound)
    if disputed.any() or contract.dtype == "float64":
        difference, radius = _by_arb(equation, exact, operands, sizes), np.zeros_like(radius)
    return _verdict(exact, middle, difference + radius, bound, digits_in_common(exact, truth))


def _by_arb(
    equation: Equation,
    exact: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> np.ndarray:
    arb = Arb()
    with precision(BITS):
        room = Room({n: arb.lift(v) for n, v in operands.items()}, sizes, arb)
        (balls,) = evaluate_equation(equation, room)
        return upper_bounds(balls - arb.lift(exact)[0])


def _verdict(
    exact: np.ndarray,
    middle: np.ndarray,
    difference: np.ndarray,
    bound: np.ndarray,
    digits: float,
) -> EngineVerdict:
    if not exact.size:
        return EngineVerdict("agrees", 0.0, digits, 1.0)
    # A bound of zero is for values that are only copied or selected.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(difference <= 2.0**-1050, 0.0, difference / bound)
    share = np.where(np.isnan(share), np.inf, share)
    worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(share)), exact.shape))
    largest = float(share[worst])
    sees = (bound < np.abs(middle) / 2) | ((middle == 0) & (exact == 0) & np.isfinite(bound))
    power = float(np.mean(sees))
    if not np.all(np.isfinite(bound)):
        return EngineVerdict(
            "undecided",
            largest,
            digits,
            power,
            worst,
            "a kink, a tie or a zero divisor lies within the rounding error",
        )
    if largest > 1:
        return EngineVerdict(
            "refuted",
            largest,
            digits,
            power,
            worst,
            "outside what the engine's contract permits for this stage",
        )
    if power == 0:
        return EngineVerdict(
            "undecided",
            largest,
            digits,
            power,
            worst,
            "no signal: every value is smaller than its rounding error",
        )
    return EngineVerdict("agrees", largest, digits, power, worst)


def digits_in_common(computed: np.ndarray, truth: np.ndarray | None) -> float:
    """Certified decimal digits: ``−log₁₀(max|computed − true| / max|true|)``, rounded down."""
    if truth is None or not computed.size:
        return float("nan")
    with precision(BITS):
        error = float(upper_bounds(truth - Arb().lift(computed)[0]).max(initial=0.0))
    size = float(upper_bounds(truth).max(initial=0.0))
    if error <= 2.0**-1050:
        return float("inf")
    if size == 0 or not np.isfinite(error):
        return 0.0
    return max(0.0, np.floor(-10 * np.log10(error / size)) / 10)
