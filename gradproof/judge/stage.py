"""An engine's numbers to verdicts, stage by stage, on the operands that the engine itself used.

So the bound of a stage is tight, does not grow with depth, and a wrong stage is found by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gradproof.core.program import Equation
from gradproof.core.term import reads
from gradproof.core.told import told
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.double import Double
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.engines.extremes import all_of
from gradproof.judge.plan import Plan
from gradproof.judge.tally import Compared, found_in, from_a_ball, known, tallied
from gradproof.judge.truth import LARGE, digits_in_common, farthest
from gradproof.judge.verdict import EngineVerdict, Kind

BITS = 160
"""Arb's precision for disputed stages: far beyond float64's 53 bits."""

LITTLE = {"float64": 1e-3, "float32": 1e-3, "bfloat16": 0.25, "float16": 0.25}
"""The relative error of one element that a verdict should see. In 16 bits a few roundings are more
than 1e-3, and what should be seen is a mistake: factors of 2, ½, or a missing term."""

KEPT = 2**25 - 2**16
"""Bytes: an array of so many, made and dropped once, untouched, has the C library of Linux keep
twice as many for the next arrays. Without it each large one is new memory, and a third of a check
goes into the kernel's clearing of it."""

np.empty(KEPT, dtype=np.uint8)

LEAST_POWER = 0.1
"""The share of the elements that must see it; docs/design.md has the reason."""


def judge_stage(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    truth: Value | None,
    scaled: int = 0,
    ball: Ball | None = None,
    plan: Plan | None = None,
    exact: Value | None = None,
) -> EngineVerdict:
    """Whether an engine's tensor is what a correct engine may make of these operands.

    In 16 bits a sum may be made in float32, as mostly, or in parts that are stored; and the user's
    code may multiply by constants of which the equation has but the product. What is inside the
    bound of what is written agrees; only what is outside the wider one is refuted.

    Args:
        equation: the exact stage; its free indices are the axes of the tensor.
        computed: the engine's tensor.
        operands: the engine's own tensors, by name.
        sizes: a number for each size symbol.
        contract: what a correct engine may do.
        truth: the enclosure of the true tensor, end to end, or `None`.
        scaled: how many constants the user's code multiplies or divides by here, at most.
        ball: balls of this contract, perhaps such as remember what other stages read.
        plan: of this stage at these sizes, from an earlier judgement by this contract.
        exact: the stage as `ball` has it, where that was worked out before, in one block.
    """
    plan = plan or Plan(equation, operands, sizes)
    wanted = plan.shape
    if computed.shape != wanted:
        because = told(
            "the engine's shape is {shape}, not {wanted}", shape=computed.shape, wanted=wanted
        )
        return EngineVerdict("refuted", float("inf"), 0.0, 1.0, (), because)
    if not all_of(np.isfinite(computed)):
        because = told("the engine's numbers are not finite")
        return EngineVerdict("undecided", float("inf"), 0.0, 0.0, (), because)
    grain = LITTLE[contract.dtype]
    arithmetic, tallies = ball or Ball(contract), []
    with np.errstate(all="ignore"):
        for rows, (middle, radius, bound) in plan.blocks(operands, arithmetic, exact):
            mine = rows.of(computed)
            tally = tallied(mine, middle, from_a_ball, radius, bound, grain)
            if not tally.share <= 1:
                fine, these = mine.astype(np.float64), rows.operands(operands)
                sharp = _sharp_difference(rows.equation, fine, these, sizes, bound)
                tally = tallied(fine, middle, known, sharp, bound, grain)
                if not tally.share <= 1:
                    wide = wider(rows.equation, these, sizes, contract, scaled)
                    if wide is not None:
                        tally = tallied(fine, middle, known, sharp, wide, grain)
            tallies.append(tally.moved(rows.axis, rows.start))
    found = found_in(tallies, grain)
    return verdict_of(found, grain, computed.shape, digits_in_common(computed, truth))


def judge_enclosed(
    computed: np.ndarray, enclosure: Value, contract: Contract, truth: Value | None
) -> EngineVerdict:
    """Whether an engine's tensor lies within a bound of an enclosed exact tensor.

    In float64 the enclosure is about as wide as the bound. So the true tensor, which is known more
    finely, tells the distance where that is less; and what only the enclosure's width puts outside
    is undecided.

    Args:
        computed: the engine's tensor.
        enclosure: a midpoint, a radius and a bound for each element.
        contract: what a correct engine may do.
        truth: the enclosure of the true tensor, end to end, or `None`.
    """
    middle, radius, bound = enclosure
    if computed.shape != middle.shape:
        because = told(
            "the engine's shape is {shape}, not {wanted}", shape=computed.shape, wanted=middle.shape
        )
        return EngineVerdict("refuted", float("inf"), 0.0, 1.0, (), because)
    if not np.all(np.isfinite(computed)):
        because = told("the engine's numbers are not finite")
        return EngineVerdict("undecided", float("inf"), 0.0, 0.0, (), because)
    grain = LITTLE[contract.dtype]
    with np.errstate(all="ignore"):
        parts = tuple(np.broadcast_to(part, middle.shape) for part in (radius, bound))
        found = _compared(computed, middle, from_a_ball, *parts, grain)
        if not found.share <= 1 and found.finite:
            found = _compared_nearer(computed.astype(np.float64), middle, *parts, grain, truth)
    return verdict_of(found, grain, computed.shape, digits_in_common(computed, truth))


def _compared_nearer(
    exact: np.ndarray,
    middle: np.ndarray,
    radius: np.ndarray,
    bound: np.ndarray,
    grain: float,
    truth: Value | None,
) -> Compared:
    """The comparison by the nearer of two certified distances: from the enclosure, and from the
    true tensor."""
    at_most = np.abs(exact - middle) * (1 + 2.0**-50) + radius
    if truth is not None:
        at_most = np.fmin(at_most, farthest(truth, exact))
    found = _compared(exact, middle, known, at_most, bound, grain)
    if found.share <= 1:
        return found
    at_least = np.maximum(np.abs(exact - middle) * (1 - 2.0**-50) - radius, 0.0)
    outside = _compared(exact, middle, known, at_least, bound, grain)
    return found._replace(unsure=outside.share <= 1)


def evaluated(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> Value:
    """The exact stage on an engine's operands, in an arithmetic."""
    names = {read.tensor for read in reads(equation.term)}
    room = Room({n: arithmetic.lift(operands[n]) for n in names}, sizes, arithmetic)
    return evaluate_equation(equation, room)


def wider(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    scaled: int,
) -> np.ndarray | None:
    """The bound of sums that are stored in parts, and of constants of which the equation has but
    the product; `None` where there are neither."""
    ball = Ball(contract, coarse=True, scaled=scaled)
    if not (ball.in_parts or scaled):
        return None
    middle, _, bound = evaluated(equation, operands, sizes, ball)
    return np.asarray(bound + 2 * scaled * ball.u * (np.abs(middle) + bound))


def stage_middle(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> np.ndarray:
    """The exact stage on an engine's operands, to float64."""
    with np.errstate(all="ignore"):
        return evaluated(equation, operands, sizes, Ball(contract))[0]


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
        value = evaluated(equation, operands, sizes, Double())
        difference = farthest(value, exact)
        # What this leaves open is as near to its bound as double-doubles are wide.
        if not np.any((difference > bound) & ~(difference - 2 * value[2] > bound)):
            return difference
    with precision(BITS):
        return farthest(evaluated(equation, operands, sizes, Arb()), exact)


def _compared(
    computed: np.ndarray,
    middle: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    radius: np.ndarray,
    bound: np.ndarray,
    grain: float,
) -> Compared:
    """Every element's distance from the exact stage, beside its bound."""
    return found_in([tallied(computed, middle, distance, radius, bound, grain)], grain)


def verdict_of(
    found: Compared, grain: float, shape: tuple[int, ...], digits: float
) -> EngineVerdict:
    if 0 in shape:
        return EngineVerdict("agrees", 0.0, digits, 1.0)

    def verdict(kind: Kind, because: str = "") -> EngineVerdict:
        return EngineVerdict(kind, found.share, digits, found.power, found.worst, because)

    if not found.finite:
        return verdict(
            "undecided", told("a kink, a tie or a zero divisor lies within the rounding error")
        )
    if found.unsure:
        return verdict(
            "undecided", told("the exact values are enclosed more widely than the bound")
        )
    if not found.share <= 1:
        return verdict("refuted", told("outside what the engine's contract permits for this stage"))
    if found.power < LEAST_POWER:
        if not found.power:
            because = told(
                "no signal: none of the elements would show a relative error of {grain:.2g}",
                grain=grain,
            )
        else:
            because = told(
                "no signal: only {power:.0%} of the elements would show a relative error of "
                "{grain:.2g}",
                power=found.power,
                grain=grain,
            )
        return verdict("undecided", because)
    return verdict("agrees")
