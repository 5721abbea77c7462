"""exp, log, sigmoid and tanh in float64, from IEEE operations alone and with proved errors.

A library's elementary functions differ between processors and prove nothing; Arb proves all and
takes a microsecond an element. Here every operation is one of ``+ − × ÷`` of IEEE 754, rounded to
nearest (NumPy fuses none of them), or exact (`rint`, `frexp`, products with powers of two); the
errors below are added up to first order in ``u = 2^-53``, and what is claimed leaves room for the
second order. Argument reduction in two parts is W. J. Cody and W. Waite, "Software Manual for the
Elementary Functions" (1980).
"""

from __future__ import annotations

from math import factorial
from math import log as log_of

import numpy as np

EXP_UNITS = 4
LOG_UNITS = 8
SIGMOID_UNITS = 10
TANH_UNITS = 12
"""The relative errors claimed, in u = 2^-53; where a result is below 2^-1022, 2^-1074 more."""

_LN2_HIGH = np.floor(log_of(2) * 2**32) / 2**32
"""32 bits of log 2: its product with a whole number below 2^21 is exact."""

_LN2_LOW = 1.908214929270587700e-10
"""The rest, to a relative u."""

# NumPy takes a number from an array without axes in a third of the time that a float takes it.
_TAYLOR = [np.asarray(1 / factorial(k)) for k in range(13, 1, -1)]
_ONE = np.asarray(1.0)
_ARTANH = [1 / (2 * k + 1) for k in range(11, 0, -1)]


def _reduced(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(r, k)`` with ``x = r + k·log 2`` and ``|r| ≤ 0.347``; r is off by 0.35u.

    ``x − k·high`` is exact: 0 is subtracted, or two numbers at most a factor 2 apart (Sterbenz).
    ``k·low`` is at most 2^-22, so of the second subtraction only its own rounding counts.
    """
    k = np.asarray(x * (1 / log_of(2)))
    np.rint(k, out=k)
    r = np.asarray(k * _LN2_HIGH)
    np.subtract(x, r, out=r)
    r -= k * _LN2_LOW
    return r, k


def _tail(r: np.ndarray) -> np.ndarray:
    """``e^r − 1 − r`` for ``|r| ≤ 0.347``: off by 0.31u, and by 2.6u·r² where r is small.

    Horner's scheme for ``q = 1/2 + r/6 + …`` is off by ``0.85u/(1 − 0.347) = 1.31u``, two products
    add 2u of ``r²q ≤ 0.076``, and the Taylor series leaves ``0.347^14/14!·1.42 = 0.05u``.
    """
    q = np.asarray(r * _TAYLOR[0])
    q += _TAYLOR[1]
    for coefficient in _TAYLOR[2:]:
        q *= r
        q += coefficient
    q *= r * r
    return q


def _power_of_two(k: np.ndarray) -> np.ndarray:
    """2^k for whole numbers from -1022 to 1023, written as its bits. A product with it is exact, or
    rounded once where it is subnormal or overflows, as by `ldexp`, which takes four times as long.
    """
    bits = np.asarray(k.astype(np.int64))
    bits += 1023
    bits <<= 52
    return bits.view(np.float64)


def exp(x: np.ndarray) -> np.ndarray:
    """e^x. Measured error 1.6u.

    ``1 + (r + tail)``: ``(0.31 + 0.42)u / 0.707`` from inside, u from the last addition, 0.35u from
    r and 0.05u from the series: 2.5u.
    """
    return _exp_inside(np.clip(x, -1100.0, 1100.0))


def _exp_inside(x: np.ndarray) -> np.ndarray:
    """`exp` for ``|x| ≤ 1100``."""
    r, k = _reduced(x)
    y = _tail(r)
    y += r
    y += _ONE
    if k.max(initial=0.0) <= 1000 and k.min(initial=0.0) >= -1000:
        y *= _power_of_two(k)
        return y
    half = np.floor(k / 2)  # 2^k itself may overflow where the product does not
    y *= _power_of_two(half)
    k -= half
    y *= _power_of_two(k)
    return y


def _expm1_below_zero(x: np.ndarray) -> np.ndarray:
    """``e^x − 1`` for ``-700 ≤ x ≤ 0``, to 7u.

    Where k = 0 it is ``r + tail``: u, and ``2.6u·r²/(0.84 r) = 1.1u``. Elsewhere ``e^x ≤ 0.71`` is
    off by ``2.5u·0.71``, which is 6u of a result of at least 0.29, and the subtraction adds u.
    """
    r, k = _reduced(x)
    tail = _tail(r)
    tail += r
    y = np.asarray(tail + _ONE)
    y *= _power_of_two(k)
    y -= _ONE
    np.copyto(y, tail, where=k == 0)
    return y


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1/(1+e⁻ˣ) without overflow or cancellation.

    With ``e = e^−|x|`` to 2.5u, ``1 + e`` is off by ``2.5u/2 + u``; the division makes 3.3u, and
    ``e/(1 + e)`` 5.8u.
    """
    below = np.asarray(np.abs(x))
    np.negative(below, out=below)
    e = _exp_inside(np.maximum(below, -1100.0, out=below))
    result = np.where(x >= 0, _ONE, e)
    e += _ONE
    result /= e
    return result


def tanh(x: np.ndarray) -> np.ndarray:
    """tanh x, to a relative error also near 0.

    ``−m/(2 + m)`` with ``m = e^−2|x| − 1`` to 7u: ``2 + m ≥ 1`` is off by at most ``7u·|m|/(2+m)``,
    which is less than 2u where m is less than 0.3 and ``2.5u·0.71`` beyond, and by u; the division
    adds u: ``7 + 2 + 1 + 1 = 11u``.
    """
    m = _expm1_below_zero(-2 * np.minimum(np.abs(x), 300.0))
    m /= 2 + m
    return np.copysign(m, x)


def log(x: np.ndarray) -> np.ndarray:
    """log x for positive x.

    ``x = m·2^e`` with ``0.707 ≤ m < 1.415``, and ``log m = 2 artanh s``, ``s = (m−1)/(m+1)``:
    ``m − 1`` is exact, so s is off by 2u, the series by 1.1u, and 2s times it by 4.1u. It is cut
    where ``s²⁴/25 < 0.001u``. Where e ≠ 0 the result is at least 0.34, in which
    ``4.1u·0.347 + 0.35u`` is 5.2u, and the last addition makes 6.2u.
    """
    m, e = np.frexp(x)
    low = m < 0.7071067811865475
    m = np.where(low, 2 * m, m)
    e = (e - low).astype(np.float64)
    f = m - 1
    s = f / (2 + f)
    square = s * s
    q = np.full_like(s, _ARTANH[0])
    for coefficient in _ARTANH[1:]:
        q *= square
        q += coefficient
    near = 2 * s * (1 + square * q)
    return e * _LN2_HIGH + (near + e * _LN2_LOW)
