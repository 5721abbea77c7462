"""Other conditions in which a right function gives the same gradients: trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.core.told import told
from gradproof.judge.reference import Data

STRIDED = ("numpy", "torch")
"""The engines whose tensors can lie in memory in other ways."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One more call: its words, its data, and how it differs from the first call.

    ``repeats`` says that it is the first call again; ``frozen`` names an input whose gradient is
    not asked for.
    """

    words: str
    data: Data
    changes: Mapping[str, Any] = field(default_factory=dict)
    frozen: str = ""
    repeats: bool = False


def trials(case: Case, data: Data) -> Iterator[Trial]:
    """Every trial of a case.

    Args:
        case: what is checked.
        data: those of the first call.
    """
    yield Trial(told("called a second time"), data, repeats=True)
    if case.machine.name in STRIDED:
        yield Trial(told("with inputs that are not contiguous"), data, {"layout": "strided"})
        yield Trial(
            told("with an upstream gradient that is not contiguous"),
            data,
            {"upstream_layout": "strided"},
        )
    if any(g.ndim for g in data.upstream):
        arriving = tuple(np.full_like(g, g.flat[0]) if g.size else g for g in data.upstream)
        changes = {"upstream_layout": "expanded"} if case.machine.name in STRIDED else {}
        yield Trial(
            told("with one number as upstream gradient"), Data(data.inputs, arriving), changes
        )
        rows = tuple(_one_hot(g) for g in data.upstream)
        yield Trial(told("with a one-hot upstream gradient"), Data(data.inputs, rows))
    broadcast = {
        t.name: np.broadcast_to(a[:1], a.shape).copy()
        for t in case.inputs
        if t.name in case.wanted and t.law == "" and (a := data.inputs[t.name]).ndim > 1
    }
    if broadcast and case.machine.name in STRIDED:
        whole = Data({**data.inputs, **broadcast}, data.upstream)
        yield Trial(told("with broadcast inputs"), whole, {"layout": "expanded"})
    if len(case.wanted) > 1 and case.machine.name != "numpy":
        for name in case.gradients():
            yield Trial(told("with {name} frozen", name=name), data, frozen=name)


def _one_hot(g: np.ndarray) -> np.ndarray:
    """One element of an upstream gradient; the others are zero."""
    alone = np.zeros_like(g)
    if g.size:
        spot = g.size // 2
        alone.flat[spot] = g.flat[spot]
    return alone
