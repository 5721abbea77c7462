"""The stages of a network to their verdicts: the small ones in passes over many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gradproof.core.program import Equation
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.judge.plan import Plan
from gradproof.judge.stage import LITTLE, judge_stage, verdict_of
from gradproof.judge.tally import found_in, tallied_together
from gradproof.judge.verdict import EngineVerdict

SMALL = 2**12
"""Elements of a tensor of which NumPy's calls cost more than what they do."""

TOGETHER = 2**14
"""Elements that are looked at in one pass."""


class Asked(NamedTuple):
    """A stage with the engine's tensor for it, as for `judge_stage`."""

    equation: Equation
    computed: np.ndarray
    scaled: int
    plan: Plan


def judge_stages(
    asked: Sequence[Asked],
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
    ball: Ball,
) -> list[EngineVerdict]:
    """What `judge_stage` says of each stage.

    Small tensors inside of their bounds are found to be so together. Of every other one
    `judge_stage` is asked.

    Args:
        asked: the stages.
        operands: the engine's own tensors, by name.
        sizes: a number for each size symbol.
        contract: what a correct engine may do.
        ball: balls of this contract, which remember what several stages read.
    """
    known: dict[int, EngineVerdict] = {}
    disputed: dict[int, Value] = {}
    waiting: list[int] = []
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    grain = LITTLE[contract.dtype]

    def settle() -> None:
        for k, part, tally in zip(waiting, parts, tallied_together(parts, grain), strict=True):
            if tally.share <= 1:
                shape = asked[k].computed.shape
                known[k] = verdict_of(found_in([tally], grain), grain, shape, float("nan"))
            else:
                disputed[k] = part[1:]
        waiting.clear()
        parts.clear()

    with np.errstate(all="ignore"):
        total = 0
        for k, (_, computed, _, plan) in enumerate(asked):
            if not 0 < computed.size <= SMALL or computed.shape != plan.shape:
                continue
            blocks = [value for _, value in plan.blocks(operands, ball)]
            if len(blocks) > 1:
                continue
            waiting.append(k)
            parts.append((computed, *blocks[0]))  # type: ignore[arg-type]
            total += computed.size
            if total > TOGETHER:
                settle()
                total = 0
        if waiting:
            settle()
    return [
        known[k]
        if k in known
        else judge_stage(
            one.equation,
            one.computed,
            operands,
            sizes,
            contract,
            None,
            one.scaled,
            ball,
            one.plan,
            disputed.get(k),
        )
        for k, one in enumerate(asked)
    ]
