"""What a correct engine may return: the roundings that each one permits itself, as data.

All of it is measured by `benchmarks/measure_contracts.py`, which anyone can run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from gradproof.core.errors import EngineError
from gradproof.core.told import told
from gradproof.engines.dtype import DTYPES
from gradproof.engines.engine import ENGINES

Rounding = Literal["nearest", "faithful"]


@dataclass(frozen=True, slots=True)
class Contract:
    """The arithmetic of one engine in one dtype, on the CPU.

    A stored result is off by at most ``u_store`` relatively; one of a matrix product by twice
    that where ``rounding`` is ``"faithful"``: either neighbour of the exact number. A partial
    sum is off by ``u_accumulate``, or by ``u_store`` where ``low_sums``: a sum that is no matrix
    product may round every partial sum to the dtype itself.

    ``elementary`` has the error of functions in units of ``u_store``, and of every other one under
    ``"other"``. Where ``softmax_of_logsumexp``, a softmax may be ``exp(z − l)`` with the rounded
    logsumexp l, which is far off where l is large. ``tiny`` is the smallest normal number; where
    ``flush_to_zero``, what is smaller may count as zero, as a result and as an operand. ``largest``
    is the largest finite number.
    """

    engine: str
    dtype: str
    u_store: Fraction
    rounding: Rounding
    u_accumulate: Fraction
    low_sums: bool
    elementary: Mapping[str, int]
    softmax_of_logsumexp: bool
    flush_to_zero: bool
    tiny: Fraction
    largest: Fraction

    def units(self, function: str) -> int:
        """The permitted error of a function, in units of ``u_store``."""
        rougher = ROUGHER.get((self.engine, self.dtype, function))
        return rougher or self.elementary.get(function, self.elementary["other"])


# Bits of a number, and the exponent of the smallest normal and of the first too large one.
_FORMATS = {
    "float64": (53, -1022, 1024),
    "float32": (24, -126, 128),
    "bfloat16": (8, -126, 128),
    "float16": (11, -14, 16),
}

_FUNCTIONS = ("exp", "log", "sqrt", "sigmoid", "tanh", "other")

# float32, the largest error known, of exhaustive and sampled runs over 2^-30 <= |x| < 2^7 on AVX2
# and AVX-512 (`benchmarks/measure_contracts.py` samples; `--every 1` runs them all):
#              exp   log   sqrt  sigmoid  tanh
# NumPy        3.6   4.6   1.0   4.3      1.8
# TensorFlow   2.0   4.4   1.0   8.4      6.1
# PyTorch      1.07  1.7   1.5   2.5      1.0
# JAX          5.2   2.0   1.0   2.5      4.9
# Libraries choose other kernels on other processors, so what is permitted is larger: what NumPy's
# own tests permit it (exp 3 ulp, log 4, tanh 2), SLEEF's 2 ulp of exp for PyTorch, and else about
# half as much again. NumPy's sigmoid is e/(1 + e), three roundings and 1.5 times the error of exp.
# float64: there are too many to try. Over a million samples the worst are TensorFlow's tanh, 7.75,
# JAX's tanh, 6.92, TensorFlow's sigmoid, 3.30, NumPy's, 2.85: about twice that is permitted.
# "other" covers what a derivative may be made of instead, as autograd's 1/cosh² for 1 − tanh².
_UNITS: dict[tuple[str, str], tuple[int, ...]] = {
    ("numpy", "float64"): (4, 4, 1, 8, 8, 16),
    ("tensorflow", "float64"): (8, 8, 2, 8, 16, 16),
    ("torch", "float64"): (4, 4, 2, 8, 8, 16),
    ("jax", "float64"): (8, 8, 2, 8, 16, 16),
    ("numpy", "float32"): (6, 8, 1, 12, 4, 12),
    ("tensorflow", "float32"): (4, 8, 2, 12, 10, 12),
    ("torch", "float32"): (4, 4, 2, 6, 4, 12),
    ("jax", "float32"): (8, 4, 2, 6, 8, 12),
}

# The inverse functions, of which each is an "other" one. Two million samples over
# 2^-30 <= |x| < 2^7, or up to 2^-24 (2^-52 in float64) before the end of the domain:
#                        atan  asin  acos  asinh  acosh  atanh
# NumPy       float32    3.1   5.7   3.0   1.3    2.0    2.1
#             float64    1.1   1.6   1.6   1.3    1.3    1.5
# TensorFlow  float32    5.5   7.9   4.9   2.2    2.2    2.8
#             float64    5.2   1.1   1.1   2.3    2.4    2.7
# PyTorch     float32    1.4   1.4   1.5   2.2    2.2    2.0
#             float64    1.2   1.6   1.6   2.3    2.4    1.1
# JAX         float32    5.6   2.8   3.2   3.9    5.2    3.3
#             float64    1.1   2.1   2.7   3.5    4.7    147
# In 16 bits the worst is JAX's acosh of float16, 2.3.
ROUGHER = {("jax", "float64", "atanh"): 300}
"""Functions that one engine has with less accuracy than all others."""

# bfloat16 and float16: every number is tried. All functions are computed in float32 and rounded
# once (at most 1.00) but the sigmoid: it is several roundings in NumPy, TensorFlow and JAX, 2.46.
_UNITS_16 = {"numpy": 4, "tensorflow": 4, "torch": 2, "jax": 4}

# TensorFlow and JAX set the processor to flush, and PyTorch's bfloat16 products use instructions
# that always do. float16 is computed in float32, whose exponents reach further.
_FLUSHES = {("torch", "bfloat16")} | {
    (engine, dtype)
    for engine in ("tensorflow", "jax")
    for dtype in ("float64", "float32", "bfloat16")
}

# Of 16-bit numbers: NumPy's float16 sums down a column, TensorFlow's float16 sums, and the sums in
# which JAX gathers the gradient of a broadcast round every partial sum, up to 166 times a single
# rounding. PyTorch's, and TensorFlow's of bfloat16, do not.
_LOW_SUMS = {
    ("numpy", "float16"),
    ("tensorflow", "float16"),
    ("jax", "bfloat16"),
    ("jax", "float16"),
}

# TensorFlow's bfloat16 products truncated on a processor with AVX2 alone (every element, up to
# 1.97 u); with AVX512-BF16 they round to nearest.
_FAITHFUL = {("tensorflow", "bfloat16")}

_ABSENT = {("numpy", "bfloat16"): "NumPy has no bfloat16."}


def _contract(engine: str, dtype: str) -> Contract:
    bits, lowest, overflow = _FORMATS[dtype]
    units = _UNITS.get((engine, dtype), (2, 2, 2, _UNITS_16[engine], 2, 4))
    return Contract(
        engine=engine,
        dtype=dtype,
        u_store=Fraction(1, 2**bits),
        rounding="faithful" if (engine, dtype) in _FAITHFUL else "nearest",
        u_accumulate=Fraction(1, 2 ** max(bits, 24)),
        low_sums=(engine, dtype) in _LOW_SUMS,
        elementary=dict(zip(_FUNCTIONS, units, strict=True)),
        softmax_of_logsumexp=engine == "torch",  # its derivative of logsumexp
        flush_to_zero=(engine, dtype) in _FLUSHES,
        tiny=Fraction(2) ** lowest,
        largest=Fraction(2) ** overflow * (1 - Fraction(1, 2**bits)),
    )


CONTRACTS: dict[tuple[str, str], Contract] = {
    (engine, dtype): _contract(engine, dtype)
    for engine in ENGINES
    for dtype in DTYPES
    if (engine, dtype) not in _ABSENT
}


def contract(engine: str, dtype: str) -> Contract:
    """The contract of an engine in a dtype.

    Raises:
        EngineError: the engine does not have the dtype, or no contract is known, so no verdict
            about the engine is possible.
    """
    if (engine, dtype) in _ABSENT:
        others = [e for e in ENGINES if (e, dtype) in CONTRACTS]
        raise EngineError(
            _ABSENT[engine, dtype],
            advice=told("Try another engine ({others}) or float16.", others=", ".join(others)),
        )
    if (engine, dtype) not in CONTRACTS:
        raise EngineError(
            told("No contract says how {engine} rounds in {dtype}.", engine=engine, dtype=dtype),
            advice=told(
                "The engines are {engines}; the dtypes {dtypes}.",
                engines=", ".join(ENGINES),
                dtypes=", ".join(DTYPES),
            ),
        )
    return CONTRACTS[engine, dtype]
