"""Functions that lose an axis, other than the sum: one record each."""

from __future__ import annotations

import numpy as np

from gradproof.prims.record import Floats, Folding

ROWS = ((-1.25, 0.5, 2.125, -0.75), (0.375, -2.5, 0.25, 1.0))


def _logsumexp(x: Floats, axis: int) -> Floats:
    top = x.max(axis=axis, keepdims=True)
    result: Floats = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return result


FOLDS: tuple[Folding, ...] = (
    Folding(
        "logsumexp",
        slope=lambda y, x, along: along("softmax"),
        forward=_logsumexp,
        text="logsumexp",
        tex=r"\operatorname{logsumexp}",
        words="the logarithm of the sum of exponentials",
        samples=ROWS,
    ),
    Folding(
        "max",
        slope=lambda y, x, along: x.equals(y),
        forward=lambda x, axis: x.max(axis=axis, keepdims=True),
        text="max",
        tex=r"\max",
        words="the largest element",
        samples=ROWS,
        ties=True,
        numpy_names=("max", "amax"),
    ),
)
