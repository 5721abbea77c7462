"""Elementary functions in float64 beside their errors and slopes: what balls are made with."""

from __future__ import annotations

from collections.abc import Callable

import flint
import numpy as np

from gradproof.engines import exponential
from gradproof.engines.arb import precision

_ROOM = 1 + 2.0**-48
"""It covers 16 roundings of float64."""


def by_arb(function: Callable[[flint.arb], flint.arb], x: np.ndarray) -> np.ndarray:
    """A function's float64 values, within 2U of the exact ones."""
    with precision(128):
        flat = [float(function(flint.arb(v)).mid()) for v in x.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(x.shape)


def _exp_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    top = m + width
    # NumPy's exp is not proved: 2^-30 is far more than it is off.
    return np.exp(np.minimum(top, 709.0)) * (1 + 2.0**-30) + np.where(top > 709.0, np.inf, 0.0)


def _log_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return _ROOM / np.maximum((m - width) * (1 - 2.0**-48), 2.0**-1022)


def _bell(scale: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """At least the slope of the sigmoid (scale 1) or of tanh (scale 2) on ``m ± width``.

    ``σ′(x) ≤ min(¼, e^−|x|)`` and ``tanh′(x) ≤ min(1, 4·e^−2|x|)``.
    """
    top = 0.25 if scale == 1 else 1.0

    def steepest(m: np.ndarray, width: np.ndarray) -> np.ndarray:
        nearest = np.maximum(np.abs(m) * (1 - 2.0**-48) - width, 0.0)
        return np.minimum(top, 4 * top * np.exp(-scale * nearest) * (1 + 2.0**-30))

    return steepest


def _erf_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    """At least ``2/√π·e^(−x²)`` on ``m ± width``."""
    nearest = np.maximum(np.abs(m) * (1 - 2.0**-48) - width, 0.0)
    return 1.1284 * np.exp(-(nearest**2) * (1 - 2.0**-48)) * (1 + 2.0**-30)


Kernel = tuple[
    Callable[[np.ndarray], np.ndarray], int, Callable[[np.ndarray, np.ndarray], np.ndarray]
]

KERNELS: dict[str, Kernel] = {
    "exp": (exponential.exp, exponential.EXP_UNITS, _exp_slope),
    "log": (exponential.log, exponential.LOG_UNITS, _log_slope),
    "sigmoid": (exponential.sigmoid, exponential.SIGMOID_UNITS, _bell(1)),
    "tanh": (exponential.tanh, exponential.TANH_UNITS, _bell(2)),
    "sin": (lambda x: by_arb(flint.arb.sin, x), 2, lambda m, width: np.ones_like(m)),
    "cos": (lambda x: by_arb(flint.arb.cos, x), 2, lambda m, width: np.ones_like(m)),
    "erf": (lambda x: by_arb(flint.arb.erf, x), 2, _erf_slope),
}
"""Each function in float64, its error in U, and a bound on its slope around a point."""
