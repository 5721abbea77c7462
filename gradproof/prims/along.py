"""Functions along an axis, which they keep: one record each."""

from __future__ import annotations

import numpy as np

from gradproof.prims.fold import ROWS
from gradproof.prims.record import Floats, Keeping


def _softmax(x: Floats, axis: int) -> Floats:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    result: Floats = e / e.sum(axis=axis, keepdims=True)
    return result


ALONG: tuple[Keeping, ...] = (
    Keeping(
        "softmax",
        pullback=lambda p, g, total: p * (g - total(g * p)),
        forward=_softmax,
        text="softmax",
        tex=r"\operatorname{softmax}",
        words="exponentials divided by their sum",
        samples=ROWS,
    ),
)
