"""Where the largest of some values stands twice, to the elements of a gradient that it touches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.core.program import Derivation
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.truth import TrueValues


def touched(
    of: str,
    tied: Mapping[str, np.ndarray],
    derivation: Derivation,
    truth: TrueValues,
    sizes: Mapping[str, int],
) -> np.ndarray:
    """The elements of a tensor's gradient that a tie passes its own on to.

    They are those that change when the gradients of tied values do: a tie may give its gradient to
    either of the largest, or share it.

    Args:
        of: the tensor.
        tied: values that are the largest of others, with the elements where two of these are.
        derivation: the right gradients.
        truth: enclosures of forward values and right gradients.
        sizes: a number for each size symbol.
    """
    wanted = derivation.gradients[of]
    moved = {derivation.gradients[name]: hits for name, hits in tied.items()}
    tensors = {name: (balls,) for name, balls in truth.balls.items()}
    arb = Arb()
    with precision(truth.bits):
        for equation in derivation.backward.equations:
            before = truth.balls[equation.target]
            (now,) = evaluate_equation(equation, Room(tensors, sizes, arb))
            if equation.target in moved:
                now = np.where(moved[equation.target], 2 * now + 1, now)
            tensors[equation.target] = (now,)
            if equation.target == wanted:
                apart = [not now[i].overlaps(before[i]) for i in np.ndindex(*before.shape)]
                return np.array(apart, dtype=bool).reshape(before.shape)
    raise AssertionError(of)
