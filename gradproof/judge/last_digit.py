"""Two numbers that differ in the last digit to the orders of rounding that make them.

The search is on the operands that each side used. Nothing is concluded from a form that gives some
of the elements: either all bits of a tensor are reproduced, or it is said that none was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import flint
import numpy as np

from gradproof.core.program import Equation, Program
from gradproof.core.term import reads
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.forms import NotSearched, forms
from gradproof.judge.normal_form import named_functions, prepared

BITS = 256


@dataclass(frozen=True, slots=True)
class Origin:
    """How one side's bits of a tensor come about.

    ``form`` gives all ``elements`` of them, or is empty; ``nearest`` is then how many of them the
    nearest form gives. ``ulps`` is the largest distance from the exact stage.
    """

    side: str
    form: str
    elements: int
    nearest: int
    ulps: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One element in which two sides differ: their numbers, and the exact one."""

    index: tuple[int, ...]
    values: tuple[np.float32, np.float32]
    ulps: tuple[float, float]
    exact: str


@dataclass(frozen=True, slots=True)
class LastDigit:
    """What makes two sides of one tensor differ.

    ``nearer`` is the side that is nearer the exact values in more of the ``differing`` elements, or
    empty where neither is. The second side is its own way of rounding on the first side's
    operands; where that way was not found ``alike`` says whether the operands are the same.
    """

    tensor: str
    sides: tuple[Origin, Origin]
    differing: int
    nearer: str
    wins: tuple[int, int]
    alike: bool
    pair: Pair | None


def by_names(equation: Equation, forward: Program) -> Equation:
    """A stage with derivatives by their rules, and function values by the names that they have."""
    known = named_functions(forward)
    own = {k: v for k, v in known.items() if v[0] != equation.target}
    return replace(equation, term=prepared(equation.term, own))


def origin(
    side: str,
    stage: Equation,
    value: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> Origin:
    """The form that gives a float32 tensor bit for bit, on the operands that it was made of.

    Args:
        side: whose value it is.
        stage: the tensor's equation, as `by_names` writes it.
        value: the tensor.
        operands: what the equation reads.
        sizes: a number for each size symbol.
    """
    distance = distances(value, exact(stage, operands, sizes))
    ulps = float(np.max(distance, initial=0.0))
    best = 0
    try:
        with np.errstate(all="ignore"):
            for form in forms(stage, operands, sizes):
                alike = int(np.sum(form.value == value))
                if alike == value.size:
                    return Origin(side, form.text, value.size, value.size, ulps)
                best = max(best, alike)
    except NotSearched:
        return Origin(side, "", value.size, 0, ulps)
    return Origin(side, "", value.size, best, ulps)


def replayed(
    text: str, stage: Equation, operands: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> np.ndarray:
    """A form that `origin` has found, worked out on other operands."""
    with np.errstate(all="ignore"):
        return next(f.value for f in forms(stage, operands, sizes) if f.text == text)


def exact(
    stage: Equation, operands: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> np.ndarray:
    """The exact stage on float operands, as Arb balls."""
    arb = Arb()
    with precision(BITS):
        tensors = {name: arb.lift(array) for name, array in operands.items()}
        return evaluate_equation(stage, Room(tensors, sizes, arb))[0]


def distances(value: np.ndarray, balls: np.ndarray) -> np.ndarray:
    """How far a tensor is from the exact one, element by element, in units of its last place."""
    found = np.empty(value.shape)
    with precision(BITS):
        for index in np.ndindex(*value.shape):
            ball: flint.arb = balls[index]
            ulp = float(np.spacing(np.float32(abs(float(ball.mid())))))
            found[index] = float(abs((flint.arb(float(value[index])) - ball) / ulp).mid())
    return found


def last_digit(
    names: tuple[str, str],
    stages: tuple[Equation, Equation],
    values: tuple[np.ndarray, np.ndarray],
    operands: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
    sizes: Mapping[str, int],
) -> LastDigit:
    """Why two float32 tensors differ in their last digits, and which is nearer the exact stage.

    Args:
        names: of the two sides.
        stages: how each writes the tensor, in the way of `by_names`.
        values: of the two sides.
        operands: what each read.
        sizes: a number for each size symbol.
    """
    first, second = (
        origin(*side, sizes) for side in zip(names, stages, values, operands, strict=True)
    )
    used = operands[1]
    if second.form:
        # The second side's way of rounding on the first side's operands: what is left is rounding.
        used = operands[0]
        values = values[0], replayed(second.form, stages[1], used, sizes)
    alike = all(
        np.array_equal(operands[0][r.tensor], used[r.tensor]) for r in reads(stages[1].term)
    )
    differ = values[0] != values[1]
    balls = exact(stages[0], operands[0], sizes)
    one = distances(values[0], balls)
    two = distances(values[1], exact(stages[1], used, sizes))
    second = replace(second, ulps=float(np.max(two, initial=0.0)))
    wins = int(np.sum((one < two) & differ)), int(np.sum((two < one) & differ))
    nearer = "" if wins[0] == wins[1] else names[0] if wins[0] > wins[1] else names[1]
    pair = None
    if differ.any() and alike:
        gap = np.where(differ, np.abs(one - two), -1.0)
        index = tuple(int(k) for k in np.unravel_index(int(np.argmax(gap)), gap.shape))
        with precision(BITS):
            shown = str(balls[index].str(17, radius=False))
        pair = Pair(
            index,
            (values[0][index], values[1][index]),
            (float(one[index]), float(two[index])),
            shown,
        )
    return LastDigit(
        stages[0].target, (first, second), int(differ.sum()), nearer, wins, alike, pair
    )
