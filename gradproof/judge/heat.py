"""An engine's tensor to how much of its bound each element uses, for a picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.core.program import Equation
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.judge.stage import evaluated

MOST = 2**16
"""A tensor with more elements has no picture: its squares would each stand for hundreds."""


def shares(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> np.ndarray | None:
    """The distance of each element from the exact stage as a share of its bound.

    Distances are from the middle of the enclosing ball, without its radius, so that the picture
    shows differences also in float64, where the balls are as wide as the bounds; verdicts come
    from `judge_stage`. `None` for large tensors, and for one whose shape is not the equation's.

    Args:
        equation: the exact stage.
        computed: the engine's tensor.
        operands: the engine's own tensors, by name.
        sizes: a number for each size symbol.
        contract: what a correct engine may do.
    """
    if computed.size > MOST:
        return None
    with np.errstate(all="ignore"):
        middle, _, bound = evaluated(equation, operands, sizes, Ball(contract))
        if middle.shape != computed.shape:
            return None
        distance = np.abs(computed.astype(np.float64) - middle)
        coarse = Ball(contract, coarse=True)
        if coarse.in_parts and not np.all(distance <= bound):  # as the verdict has it
            bound = evaluated(equation, operands, sizes, coarse)[2]
        found = np.where(distance == 0, 0.0, distance / bound)
    return np.asarray(found, dtype=np.float64)
