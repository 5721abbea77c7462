"""Elementary functions in float64 beside their errors and slopes: what balls are made with."""

from __future__ import annotations

from collections.abc import Callable

import flint
import numpy as np

from gradproof.engines import exponential
from gradproof.engines.arb import precision

_LEAST = 2.0**-1000

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


def _nearest(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(m) * (1 - 2.0**-48) - width, 0.0)


def _atan_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return _ROOM / (1 + _nearest(m, width) ** 2)


def _asinh_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return _ROOM / np.sqrt(1 + _nearest(m, width) ** 2)


def _inside(far: np.ndarray) -> np.ndarray:
    """No more than ``1 − far²``, for a number that was rounded once; where that may be less than
    the 2^-105 that it is for two float64 numbers m and r with ``m + r < 1``, much less."""
    return np.where(far < 1, np.maximum((1 - far) - 2.0**-52, _LEAST) * (1 + far), _LEAST)


def _asin_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return _ROOM / np.sqrt(_inside(np.abs(m) + width))


def _atanh_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    return _ROOM / _inside(np.abs(m) + width)


def _acosh_slope(m: np.ndarray, width: np.ndarray) -> np.ndarray:
    low = np.maximum(m - width, 1.0)
    return _ROOM / np.sqrt(np.maximum((low - 1) - 2.0**-52 * low, _LEAST) * (low + 1))


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
    "atan": (lambda x: by_arb(flint.arb.atan, x), 2, _atan_slope),
    "asin": (lambda x: by_arb(flint.arb.asin, x), 2, _asin_slope),
    "acos": (lambda x: by_arb(flint.arb.acos, x), 2, _asin_slope),
    "asinh": (lambda x: by_arb(flint.arb.asinh, x), 2, _asinh_slope),
    "acosh": (lambda x: by_arb(flint.arb.acosh, x), 2, _acosh_slope),
    "atanh": (lambda x: by_arb(flint.arb.atanh, x), 2, _atanh_slope),
}
"""Each function in float64, its error in U, and a bound on its slope around a point."""

EVERYWHERE = -np.inf, np.inf

DOMAINS: dict[str, tuple[float, float]] = {
    "log": (0.0, np.inf),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "acosh": (1.0, np.inf),
    "atanh": (-1.0, 1.0),
}
"""Between which numbers a function has a value and a slope, if that is not everywhere."""
