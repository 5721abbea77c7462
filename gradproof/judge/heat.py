"""An engine's tensor to how much of its bound each element uses, for a picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.core.program import Equation
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.judge.stage import evaluated, wider

MOST = 2**16
"""A tensor with more elements has no picture: its squares would each stand for hundreds."""


def shares(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    scaled: int = 0,
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
        scaled: as for `judge_stage`.
    """
    if computed.size > MOST:
        return None
    with np.errstate(all="ignore"):
        middle, _, bound = evaluated(equation, operands, sizes, Ball(contract))
        if middle.shape != computed.shape:
            return None
        distance = np.abs(computed.astype(np.float64) - middle)
        if not np.all(distance <= bound):  # as the verdict has it
            wide = wider(equation, operands, sizes, contract, scaled)
            bound = bound if wide is None else wide
        found = np.where(distance == 0, 0.0, distance / bound)
    return np.asarray(found, dtype=np.float64)
