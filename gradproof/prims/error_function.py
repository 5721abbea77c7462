"""The error function on plain arrays, in their dtype."""

from __future__ import annotations

from math import erf as _erf

import numpy as np
from numpy.typing import NDArray


def erf(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """``2/√π ∫ e^(−t²)`` from 0 to x, elementwise: the standard library's, rounded to the dtype."""
    flat = [_erf(value) for value in np.asarray(x, dtype=np.float64).reshape(-1).tolist()]
    return np.array(flat, dtype=np.float64).reshape(np.shape(x)).astype(x.dtype)
