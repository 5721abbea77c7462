"""What a correct engine may return: the roundings that each one permits itself, as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gradproof.core.errors import EngineError
from gradproof.engines.engine import ENGINES


@dataclass(frozen=True, slots=True)
class Contract:
    """The arithmetic of one engine in one dtype, on the CPU.

    A stored result is off by at most ``u_store`` relatively, a term of a sum by ``u_accumulate``,
    an elementary function by ``elementary`` times ``u_store``. Every result below ``tiny``, the
    smallest normal number, may be zero where ``flush_to_zero``.
    """

    engine: str
    dtype: str
    u_store: Fraction
    u_accumulate: Fraction
    elementary: int
    flush_to_zero: bool
    tiny: Fraction


_UNITS = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}
_TINIES = {"float32": Fraction(1, 2**126), "float64": Fraction(1, 2**1022)}

# In units u, from benchmarks/measure_contracts.py: exp, log, sqrt, sigmoid, tanh against Arb.
# float32: over every float32 of 2^-30 <= |x| < 2^7 the worst is TensorFlow's sigmoid, 8.4.
# float64: there are too many to try. Over a million samples of each function the worst is
# TensorFlow's tanh, 7.75 (JAX's tanh 6.92, TensorFlow's sigmoid 3.30, NumPy's 2.85); 16 is twice
# that. PyTorch's float32 sqrt is not correctly rounded: 1.49.
# TensorFlow 2.21.0, PyTorch 2.13.0+cpu, JAX 0.10.2, NumPy 2.4.6 on an AMD EPYC with AVX-512.
_ELEMENTARY = {"float32": 12, "float64": 16}

# TensorFlow and JAX set the processor to flush in their kernels: measured on products, matrix
# products and exp. NumPy and PyTorch do not, but autograd's slope of tanh, 1/cosh², overflows to
# a zero where the true slope is subnormal.
_FLUSHES = {"numpy": True, "tensorflow": True, "torch": False, "jax": True}

CONTRACTS: dict[tuple[str, str], Contract] = {
    (engine, dtype): Contract(
        engine=engine,
        dtype=dtype,
        u_store=unit,
        u_accumulate=unit,
        elementary=_ELEMENTARY[dtype],
        flush_to_zero=_FLUSHES[engine],
        tiny=_TINIES[dtype],
    )
    for engine in ENGINES
    for dtype, unit in _UNITS.items()
}


def contract(engine: str, dtype: str) -> Contract:
    """The contract of an engine in a dtype.

    Raises:
        EngineError: no contract is known, so no verdict about the engine is possible.
    """
    if (engine, dtype) not in CONTRACTS:
        raise EngineError(
            f"No contract says how {engine} rounds in {dtype}.",
            advice=f"The engines are {', '.join(ENGINES)}; the dtypes {', '.join(_UNITS)}.",
        )
    return CONTRACTS[engine, dtype]
