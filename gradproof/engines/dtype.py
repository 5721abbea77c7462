"""Arrays to the numbers of a dtype, also of one that NumPy lacks."""

from __future__ import annotations

import numpy as np

from gradproof.core.errors import DataError
from gradproof.core.told import told

DTYPES = ("float64", "float32", "bfloat16", "float16")
"""The dtypes that engines compute in, finest first."""

FINE = ("float64", "float32")
"""Those whose rounding errors hide no mistake; the others have 16 bits."""


def check_dtype(dtype: str) -> None:
    """That a dtype is one of `DTYPES`.

    Raises:
        DataError: it is not.
    """
    if dtype not in DTYPES:
        raise DataError(
            told(
                "The dtype {dtype!r} is not one of {dtypes}.", dtype=dtype, dtypes=", ".join(DTYPES)
            )
        )


def in_dtype(array: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers of a dtype nearest to those of an array, ties to even, in an array of their own.

    NumPy has no bfloat16: its numbers are held in a float32 array, which has them all.
    """
    array = np.asarray(array)
    if dtype == array.dtype:
        return array.astype(dtype)
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):  # an overflow shows as infinity
            return array.astype(dtype)
    exact = np.asarray(array, dtype=np.float64)
    _, exponent = np.frexp(exact)
    # 8 bits, of which the last is 2^-133 at the least: below 2^-126 numbers are subnormal.
    last = np.ldexp(1.0, np.maximum(exponent, -125) - 8)
    nearest = np.where(np.isfinite(exact), np.rint(exact / last) * last, exact)
    return np.where(np.abs(nearest) >= 2.0**128, np.copysign(np.inf, exact), nearest).astype(
        np.float32
    )


def carrier(dtype: str) -> str:
    """The dtype of the NumPy arrays that hold the numbers of a dtype."""
    return "float32" if dtype == "bfloat16" else dtype
