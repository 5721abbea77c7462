"""Programs over float64 balls that also bound what a correct engine may return.

A value is a triple of arrays: midpoint, radius, and error. The exact result lies within the radius
of the midpoint; a correct engine's result lies within the error of the exact one, whatever order
of summation and association it chooses. Products and sums follow N. J. Higham, "Accuracy and
Stability of Numerical Algorithms" (2002), chapters 3 and 4: ``γ_n Σ|terms|``.

Trusted: IEEE round-to-nearest ``+ − × ÷ √`` of NumPy, and BLAS being conventional (some order of
summation, no Strassen). The elementary functions of libraries are not: their midpoints come
from Arb.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import final

import flint
import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.contract import Contract

U = 2.0**-53
"""The unit roundoff of float64, in which the midpoints are computed."""

TINY = 2.0**-1060
"""More than every underflow of one operation here."""


def _up(x: np.ndarray) -> np.ndarray:
    """A little more than a nonnegative float64: it covers 16 roundings, and underflow."""
    return np.asarray(x * (1 + 2.0**-48) + TINY)


@final
class Ball(Arithmetic):
    """Balls with an engine's error beside them; `contract` says what the engine may do.

    ``undecided`` counts the elements at a kink or tie: there the error is infinite.
    """

    def __init__(self, contract: Contract) -> None:
        self.u = float(contract.u_store)
        self.tiny = float(contract.tiny)
        self.accumulate = float(contract.u_accumulate)
        self.elementary_units = float(contract.elementary)
        self.undecided = 0

    def lift(self, array: np.ndarray) -> Value:
        exact = np.asarray(array, dtype=np.float64)
        return exact, np.zeros_like(exact), np.zeros_like(exact)

    def number(self, value: Fraction) -> Value:
        middle = float(value)
        radius = 0.0 if Fraction(middle) == value else float(_up(np.float64(U * abs(middle))))
        # A power of two is exact in every dtype; others are rounded, and were perhaps made of
        # two or three numbers that the derivation multiplied together.
        dyadic = value == 0 or (
            abs(value.numerator) & (abs(value.numerator) - 1) == 0
            and value.denominator & (value.denominator - 1) == 0
        )
        error = 0.0 if dyadic else float(_up(np.float64(3 * self.u * abs(middle))))
        return np.asarray(middle), np.asarray(radius), np.asarray(error)

    def add(self, values: Sequence[Value]) -> Value:
        middle = values[0][0]
        radius = values[0][1]
        for m, r, _ in values[1:]:
            middle = middle + m
            radius = _up(radius + r + U * np.abs(middle))
        inherited = sum(e for _, _, e in values)
        if len(values) == 2:
            size = np.abs(middle) + radius + inherited
        else:  # partial sums in any order
            size = (len(values) - 1) * sum(np.abs(m) + r + e for m, r, e in values)
        return (
            middle,
            radius,
            _up(inherited + self.u * size * (1 + len(values) * self.u) + len(values) * self.tiny),
        )

    def repeat(self, value: Value, count: int) -> Value:
        m, r, e = value
        middle = m * count
        size = np.abs(m) + r + e
        error = count * (e + self._gamma(count) * size + self.tiny)
        return middle, _up(count * r + U * np.abs(middle)), _up(error)

    def multiply(self, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        middle = m1 * m2
        a1, a2 = np.abs(m1), np.abs(m2)
        radius = _up(a1 * r2 + a2 * r1 + r1 * r2 + U * np.abs(middle))
        b1, b2 = a1 + r1, a2 + r2
        inherited = b1 * e2 + b2 * e1 + e1 * e2
        # 2u and not u: a product of many factors may be made of other partial products
        error = _up(inherited + 2 * self.u * (b1 + e1) * (b2 + e2) + self.tiny)
        one = _is_sign(left) | _is_sign(right)
        return middle, radius, np.where(one, _up(inherited), error)

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent == 2:
            return self.multiply(base, base)
        if exponent == -1:
            return self._through(base, lambda x: 1 / x, lambda x: x**-2, 2)
        if exponent == Fraction(1, 2):
            return self._through(base, np.sqrt, lambda x: 0.5 / np.sqrt(x), 2, positive=True)
        if exponent.denominator == 1 and 2 < exponent <= 16:
            result = base
            for _ in range(int(exponent) - 1):
                result = self.multiply(result, base)
            return result
        if exponent.denominator == 1 and exponent < 0:
            return self.power(self.power(base, -exponent), Fraction(-1))
        if exponent.denominator == 2:
            root = self.power(base, Fraction(1, 2))
            return self.power(root, Fraction(exponent.numerator))
        raise NotYet(
            f"The exponent {exponent} has no error bound yet.",
            advice="Write the power with exp and log.",
        )

    def _through(
        self,
        value: Value,
        compute: Callable[[np.ndarray], np.ndarray],
        slope: Callable[[np.ndarray], np.ndarray],
        ulps: float,
        *,
        positive: bool = False,
    ) -> Value:
        """A monotone function with a monotone slope, correctly rounded in float64."""
        m, r, e = (np.asarray(part, dtype=np.float64) for part in value)
        low_exact = np.abs(m) - r
        low = np.abs(m) - r - e
        bad = (low <= 0) | ((m < 0) if positive else False)
        safe = np.where(bad, 1.0, m)
        nearest = np.where(bad, 1.0, low)
        middle = np.where(bad, 0.0, compute(safe))
        steep_exact = np.abs(slope(np.where(bad, 1.0, low_exact)))
        steep = np.abs(slope(nearest))
        radius = _up(_up(steep_exact * r) + 2 * U * np.abs(middle))
        grown = _up(steep * e)
        error = _up(grown + ulps * self.u * (np.abs(middle) + radius + grown) + self.tiny)
        self.undecided += int(np.sum(bad))
        return middle, np.where(bad, np.inf, radius), np.where(bad, np.inf, error)

    def _gamma(self, count: int) -> float:
        n = (count + 1) * self.accumulate
        return float("inf") if n >= 0.5 else n / (1 - n) + self.u

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        m, r, e = value
        count = int(np.prod([m.shape[axis] for axis in axes]))
        size = np.sum(np.abs(m) + r, axis=axes)
        inherited = np.sum(e, axis=axes)
        radius = _up(np.sum(r, axis=axes) + count * U * size) * (1 + 2 * count * U)
        error = _up(
            inherited
            + self._gamma(count) * (size + inherited) * (1 + 2 * count * U)
            + count * self.tiny
        ) * (1 + 2 * count * U)
        return np.sum(m, axis=axes), radius, error

    def matmul(self, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        count = m1.shape[-1]
        slack = 1 + 4 * (count + 4) * U
        a1, a2 = np.abs(m1), np.abs(m2)
        size = a1 @ a2 * slack
        radius = (count + 2) * U * size
        if r1.any() or r2.any():
            radius = radius + (a1 @ r2 + r1 @ (a2 + r2))
            size = size + radius * slack
        inherited = np.zeros_like(size)
        if e1.any() or e2.any():
            inherited = ((a1 + r1) @ e2 + e1 @ (a2 + r2 + e2)) * slack
        error = inherited + self._gamma(count) * (size + inherited) + count * self.tiny
        return m1 @ m2, _up(radius * slack) + count * TINY, _up(error * slack)

    def elementary(self, name: str, value: Value) -> Value:
        return self._function(_ARB[name], _SLOPES[name], value, domain=name == "log")

    def _function(
        self,
        exact: Callable[[flint.arb], flint.arb],
        steepest: Callable[[np.ndarray, np.ndarray], np.ndarray],
        value: Value,
        *,
        domain: bool = False,
    ) -> Value:
        """An elementary function; `steepest(m, width)` bounds its slope on ``m ± width``."""
        m, r, e = (np.asarray(part, dtype=np.float64) for part in value)
        bad = (m - r - e <= 0) if domain else ~np.isfinite(r + e)
        safe = np.where(bad, 1.0, m)
        r, e = np.where(bad, 0.0, r), np.where(bad, 0.0, e)
        middle = _by_arb(exact, safe)
        radius = _up(steepest(safe, r) * r + 2 * U * np.abs(middle))
        grown = _up(steepest(safe, _up(r + e)) * e)
        size = np.abs(middle) + radius + grown
        error = _up(grown + self.elementary_units * self.u * size + self.tiny)
        return (
            np.where(bad, 0.0, middle),
            np.where(bad, np.inf, radius),
            np.where(bad, np.inf, error),
        )

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        match name, order:
            case "sigmoid" | "tanh", 0:
                return self._function(_ARB[name], _SLOPES[name], arguments[0])
            case "abs", 0:
                m, r, e = arguments[0]
                return np.abs(m), r, e
            case "relu", 0:
                m, r, e = arguments[0]
                return np.maximum(m, 0), r, e
            case "maximum" | "minimum", 0:
                (m1, r1, e1), (m2, r2, e2) = arguments
                pick = np.maximum if name == "maximum" else np.minimum
                return pick(m1, m2), np.maximum(r1, r2), np.maximum(e1, e2)
            case "where", 0:
                return self._where(*arguments)
            case _:
                return None

    def slope(self, value: Value) -> Value:
        # tanh′ is 1−h² in most engines and 1/cosh² in autograd: each is an elementary function.
        m, r, e = value
        exact = (m == 0) | (m == 1)
        wider = _up(e + self.elementary_units * self.u * (np.abs(m) + r))
        return m, r, np.where(exact & (r <= TINY) & (e <= TINY), e, wider)

    def _where(self, mask: Value, left: Value, right: Value) -> Value:
        chosen = [np.where(mask[0] != 0, a, b) for a, b in zip(left, right, strict=True)]
        unsure = (mask[1] + mask[2]) > 0
        return (chosen[0], np.where(unsure, np.inf, chosen[1]), np.where(unsure, np.inf, chosen[2]))

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        middle, gap = m1 - m2, r1 + r2 + e1 + e2
        apart = np.abs(middle) > _up(gap)
        exact = gap == 0
        if relation == "==":
            holds = middle == 0
            certain = apart | exact
        else:
            holds = (middle > 0) if relation == ">" else (middle >= 0)
            # At a tie of exact operands the comparison is certain; the derivative there is not,
            # and that is for the kink check to say.
            certain = apart | exact
        self.undecided += int(np.sum(~certain))
        unsure = np.where(certain, 0.0, np.inf)
        return holds.astype(np.float64), unsure, unsure

    def largest(self, value: Value, axis: int) -> Value:
        m, r, e = value
        return m.max(axis=axis), r.max(axis=axis), e.max(axis=axis)

    def along(self, name: str, value: Value) -> Value | None:
        if name != "softmax":
            return None
        m = value[0]
        # softmax(z) = exp(z − top) / Σ exp(z − top): top is an exact number, so nothing moves;
        # the engine subtracts its own largest element, one rounding.
        top = m.max(axis=-1, keepdims=True)
        shifted = self.add([value, (-top, np.zeros_like(top), np.zeros_like(top))])
        exponentials = self.elementary("exp", shifted)
        sums = self.total(exponentials, (m.ndim - 1,))
        inverse = self.power(tuple(part[..., None] for part in sums), Fraction(-1))
        return self.multiply(exponentials, inverse)

    def fold(self, name: str, value: Value) -> Value | None:
        if name != "logsumexp":
            return None
        m = value[0]
        top = m.max(axis=-1, keepdims=True)
        shift = (-top, np.zeros_like(top), np.zeros_like(top))
        sums = self.total(self.elementary("exp", self.add([value, shift])), (m.ndim - 1,))
        back = (top[..., 0], np.zeros_like(top[..., 0]), np.zeros_like(top[..., 0]))
        return self.add([self.elementary("log", sums), back])


def _is_sign(value: Value) -> np.ndarray:
    """Where a factor is exactly 0, 1 or −1: such a product is not rounded."""
    m, r, e = value
    return np.asarray(((m == 0) | (np.abs(m) == 1)) & (r <= TINY) & (e <= TINY))


def _by_arb(function: Callable[[flint.arb], flint.arb], x: np.ndarray) -> np.ndarray:
    """A function's float64 values, within 2U of the exact ones."""
    flat = [float(function(flint.arb(v)).mid()) for v in x.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(x.shape)


def _sigmoid(x: flint.arb) -> flint.arb:
    return 1 / (1 + (-x).exp())


_ARB: dict[str, Callable[[flint.arb], flint.arb]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sigmoid": _sigmoid,
    "tanh": lambda x: x.tanh(),
}


def _bell(m: np.ndarray, width: np.ndarray, scale: float) -> np.ndarray:
    """At least the slope of the sigmoid (scale 1) or of tanh (scale 2) on ``m ± width``.

    ``σ′(x) ≤ min(¼, e^−|x|)`` and ``tanh′(x) ≤ min(1, 4·e^−2|x|)``.
    """
    nearest = np.maximum(np.abs(m) - width, 0.0)
    top = 0.25 if scale == 1 else 1.0
    return np.minimum(top, 4 * top * np.exp(-scale * nearest) * (1 + 2.0**-40))


_SLOPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "exp": lambda m, width: (
        np.exp(np.minimum(m + width, 709.0)) * (1 + 2.0**-40)
        + np.where(m + width > 709.0, np.inf, 0.0)
    ),
    "log": lambda m, width: (1 + 2.0**-40) / np.maximum(m - width, 2.0**-1022),
    "sigmoid": lambda m, width: _bell(m, width, 1),
    "tanh": lambda m, width: _bell(m, width, 2),
}
