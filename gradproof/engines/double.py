"""Programs over balls with double-double midpoints: true values of networks too large for Arb.

A value is ``(high, low, radius)``: the exact number lies within the radius of the unrounded sum
``high + low``. Additions and products are error-free transformations (T. J. Dekker, "A
floating-point technique for extending the available precision", Numer. Math. 18, 1971) and what
they leave is counted after the fact: the radius holds for whatever cancelled. Matrix products are
sums of exact products of slices (K. Ozaki, T. Ogita, S. Oishi and S. M. Rump, "Error-free
transformations of matrix multiplication by using fast routines of matrix multiplication and its
applications", Numer. Algorithms 59, 2012). exp, the sigmoid and tanh are series of such balls where
their operands are moderate. All else is Arb's.

Trusted: IEEE round-to-nearest ``+ − ×`` of NumPy, and BLAS computing products and sums of whole
numbers below 2^53 exactly, in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import final

import flint
import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arb import Arb, each, precision
from gradproof.engines.arithmetic import Arithmetic, Value

U = 2.0**-53
TINY = 2.0**-1000
"""More than every underflow of one operation here, those of `_two_product` included."""

BITS = 128
"""Arb's precision for what is not done here: more than a double-double holds."""

SLICES = 5

BLOCK = 2**15
"""Elements of an operand that are sliced together, and of a product."""

_ROOM = 1 + 2.0**-40

_ZERO = np.zeros(())


def _up(x: np.ndarray) -> np.ndarray:
    """A little more than a nonnegative float64."""
    return np.asarray(x * _ROOM + TINY)


def _nothing(radius: np.ndarray) -> bool:
    """Whether all of a radius is zero; mostly its first element tells."""
    if not radius.size:
        return True
    if radius.flat[0] != 0:
        return False
    return not any(radius.strides) or bool(radius.max() == 0)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``s + t = a + b`` exactly, with ``s = fl(a + b)`` (Knuth)."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers of 26 bits whose sum is `a` (Veltkamp)."""
    c = 134217729.0 * a  # 2^27 + 1
    high = c - (c - a)
    return high, a - high


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``p + t = a·b`` exactly but for underflow, with ``p = fl(a·b)`` (Dekker)."""
    p = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@final
class Double(Arithmetic):
    """Double-double balls. An overflow ends as a radius that is infinite or not a number.

    ``undecided`` counts the comparisons whose balls overlap.
    """

    def __init__(self) -> None:
        self._exact = Arb()

    @property
    def undecided(self) -> int:
        return self._exact.undecided

    def lift(self, array: np.ndarray) -> Value:
        exact = np.asarray(array, dtype=np.float64)
        nothing = np.broadcast_to(_ZERO, exact.shape)
        return exact, nothing, nothing

    def number(self, value: Fraction) -> Value:
        with precision(BITS):
            return from_arb(self._exact.number(value))

    def add(self, values: Sequence[Value]) -> Value:
        result = values[0]
        for value in values[1:]:
            result = _add(result, value)
        return result

    def repeat(self, value: Value, count: int) -> Value:
        return self.multiply(value, self.number(Fraction(count)))

    def multiply(self, left: Value, right: Value) -> Value:
        (h1, l1, r1), (h2, l2, r2) = left, right
        p, t = _two_product(h1, h2)
        a, b = h1 * l2, l1 * h2
        cross = a + b
        small = t + cross
        high, low = _two_sum(p, small)
        rounded = np.abs(a) + np.abs(b) + np.abs(cross) + np.abs(small)
        b1, b2 = np.abs(h1) + np.abs(l1), np.abs(h2) + np.abs(l2)
        moved = b1 * r2 + r1 * (b2 + r2)
        return high, low, _up(U * rounded + np.abs(l1) * np.abs(l2) + moved)

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent == 2:
            return self.multiply(base, base)
        with precision(BITS):
            return from_arb(self._exact.power(to_arb(base), exponent))

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        for axis in sorted(axes, reverse=True):
            value = _total(value, axis)
        return value

    def matmul(self, left: Value, right: Value) -> Value:
        """The smaller operand is sliced once, and the larger one a few rows or columns at a time:
        slices are several times as large as what they are made of."""
        rows, columns = left[0].shape[-2], right[0].shape[-1]
        outer = np.broadcast_shapes(left[0].shape[:-2], right[0].shape[:-2])
        result = tuple(np.empty((*outer, rows, columns)) for _ in range(3))
        by_rows = left[0].size > right[0].size
        larger, length = (left, rows) if by_rows else (right, columns)
        elements = max(larger[0].size, result[0].size, 1)
        each = max(1, BLOCK * length // elements)
        whole = _sliced(right, -2) if by_rows else _sliced(left, -1)
        for start in range(0, length, each):
            span = slice(start, start + each)
            if by_rows:
                pair = _sliced(tuple(part[..., span, :] for part in left), -1), whole
                place: tuple[object, ...] = (..., span, slice(None))
            else:
                pair = whole, _sliced(tuple(part[..., span] for part in right), -2)
                place = (..., span)
            for part, found in zip(result, _product(*pair), strict=True):
                part[place] = found
        return result

    def pi(self) -> Value:
        with precision(BITS):
            return from_arb(self._exact.pi())

    def elementary(self, name: str, value: Value) -> Value:
        def exact(some: Value) -> Value:
            with precision(BITS):
                return from_arb(self._exact.elementary(name, to_arb(some)))

        return (
            _divided(value, _is_moderate(value), self._exp, exact)
            if name == "exp"
            else exact(value)
        )

    def _exp(self, value: Value) -> Value:
        """``e^x = 2^k (e^s)^256`` of moderate numbers, with ``x = k·log 2 + 256 s``.

        With ``|high| < 600`` and a radius below 2^-10, ``|256 s| < 0.348`` and ``|s| < 2^-9``. So
        the series to the tenth power leaves less than ``1.01·2^-99/11! < 2^-124``; all else is
        arithmetic on balls. ``2^k`` is a power of two, and nothing here is near an underflow but
        radii, which `_up` covers.
        """
        high = value[0]
        k = np.rint(high * _LOG2E)
        rest = _add(value, self.multiply(self.lift(-k), _LOG2))
        s = (rest[0] / 256, rest[1] / 256, _up(rest[2] / 256))
        series = self.number(_TAYLOR[0])
        for coefficient in _TAYLOR[1:]:
            series = _add(self.multiply(series, s), self.number(coefficient))
        result = (series[0], series[1], series[2] + 2.0**-124)
        for _ in range(8):
            result = self.multiply(result, result)
        power = k.astype(np.int64)
        scaled = [np.ldexp(part, power) for part in result]
        return scaled[0], scaled[1], _up(scaled[2])

    def _inverse(self, value: Value) -> Value:
        """``1/x``, by one step of Newton's: with ``e = 1 − qx`` it is ``q(1 + e)``, and at most
        ``|q|e²/(1 − |e|)`` more."""
        q = self.lift(1 / (value[0] + value[1]))
        e = _add(self.number(Fraction(1)), self.multiply((-q[0], q[1], q[2]), value))
        high, low, radius = self.multiply(q, _add(self.number(Fraction(1)), e))
        most = _up(np.abs(e[0]) + np.abs(e[1]) + e[2])
        left = np.where(most < 0.5, 2 * np.abs(q[0]) * most * most, np.inf)
        return high, low, _up(radius + left)

    def _through_exp(self, name: str, value: Value, order: int) -> Value:
        """``σ(x) = 1/(1 + e^−x)`` and ``tanh x = 2σ(2x) − 1``, or their slopes: ``σ′(x)`` is
        ``e^−x σ(x)²``, and ``tanh′ x = 4σ′(2x)``."""
        scale = 1.0 if name == "sigmoid" else 2.0
        one = self.number(Fraction(1))
        found = self._exp(_scaled(value, -scale))
        sigmoid = self._inverse(_add(one, found))
        if order == 1:
            return _scaled(self.multiply(self.multiply(found, sigmoid), sigmoid), scale**2)
        return sigmoid if name == "sigmoid" else _add(_scaled(sigmoid, 2.0), _scaled(one, -1.0))

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        def exact(*some: Value) -> Value | None:
            with precision(BITS):
                found = self._exact.function(name, tuple(map(to_arb, some)), order)
                return None if found is None else from_arb(found)

        if name not in ("sigmoid", "tanh") or order > 1:
            return exact(*arguments)

        def known(some: Value) -> Value:
            found = exact(some)
            assert found is not None
            return found

        (value,) = arguments
        fits = _is_moderate(value)
        if (name, order) == ("tanh", 0):  # near 0 the subtraction cancels
            fits = fits & (np.abs(value[0]) >= 2.0**-12)
        return _divided(value, fits, lambda some: self._through_exp(name, some, order), known)

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        with precision(BITS):
            return from_arb(self._exact.compare(relation, to_arb(left), to_arb(right)))

    def largest(self, value: Value, axis: int) -> Value:
        with precision(BITS):
            return from_arb(self._exact.largest(to_arb(value), axis))

    def inverse(self, value: Value) -> Value:
        with precision(BITS):
            return from_arb(self._exact.inverse(to_arb(value)))

    def logdet(self, value: Value) -> Value:
        with precision(BITS):
            return from_arb(self._exact.logdet(to_arb(value)))

    def along(self, name: str, value: Value) -> Value | None:
        with precision(BITS):
            found = self._exact.along(name, to_arb(value))
            return None if found is None else from_arb(found)

    def fold(self, name: str, value: Value) -> Value | None:
        with precision(BITS):
            found = self._exact.fold(name, to_arb(value))
            return None if found is None else from_arb(found)


def _add(left: Value, right: Value) -> Value:
    (h1, l1, r1), (h2, l2, r2) = left, right
    s, t = _two_sum(h1, h2)
    lows = l1 + l2
    small = t + lows
    high, low = _two_sum(s, small)
    return high, low, _up(r1 + r2 + U * (np.abs(lows) + np.abs(small)))


def _scaled(value: Value, power: float) -> Value:
    """Times a power of two or its negative."""
    high, low, radius = value
    return power * high, power * low, abs(power) * radius


def _is_moderate(value: Value) -> np.ndarray:
    """Where `_exp` holds, of the number and of its double."""
    return np.asarray((np.abs(value[0]) < 300) & (value[2] < 2.0**-11))


def _divided(
    value: Value,
    fits: np.ndarray,
    fast: Callable[[Value], Value],
    exact: Callable[[Value], Value],
) -> Value:
    """A function by one way where that fits, and by another one elsewhere."""
    if fits.all():
        return fast(value)
    whole = np.broadcast_arrays(*value)
    parts = [np.empty(fits.shape) for _ in whole]
    for where, way in ((fits, fast), (~fits, exact)):
        for part, found in zip(parts, way(tuple(p[where] for p in whole)), strict=True):
            part[where] = found
    return tuple(parts)


def _total(value: Value, axis: int) -> Value:
    """The sum along an axis, in halves."""
    value = tuple(np.moveaxis(part, axis, 0) for part in value)
    if not value[0].shape[0]:
        return tuple(np.zeros(value[0].shape[1:]) for _ in value)
    while (count := value[0].shape[0]) > 1:
        half = count // 2
        joined = _add(tuple(p[:half] for p in value), tuple(p[half : 2 * half] for p in value))
        odd = count % 2
        value = tuple(
            np.concatenate([p, q[-1:]]) if odd else p for p, q in zip(joined, value, strict=True)
        )
    return tuple(part[0] for part in value)


@dataclass(frozen=True, slots=True)
class _Sliced:
    """The operand of a product: its slices side by side along the axis that is summed over, what
    is at most in each row or column of each slice and of what they leave, and the same of the
    operand with its radius. A left operand has its first slice first, a right one last; those
    after so many that are `used` are zero."""

    slices: np.ndarray
    used: int
    most: np.ndarray
    rest: np.ndarray
    size: np.ndarray
    radius: np.ndarray | None


def _sliced(value: Value, axis: int) -> _Sliced:
    """Slices that add up to ``high + low``, but for what is left.

    Of each row slice number k is a whole number of units ``2^(exponent − (k+1)·bits + 1)``, and at
    most ``2^(bits − 1)`` of them. So what the pairs of slices whose numbers add up to the same give
    is, all added up, a whole number of units below 2^53, and exact in any order: adding and
    subtracting `grid` rounds to units.
    """
    high, low, radius = value
    count = high.shape[axis]
    bits = (53 - max(1, count * SLICES).bit_length()) // 2
    size = np.abs(high)
    most = size.max(axis=axis, keepdims=True, initial=0.0)
    size += np.abs(low)
    _, exponent = np.frexp(most)
    spot, exact = high.ndim + axis, not low.any()
    slices = np.zeros((*high.shape[:spot], SLICES, *high.shape[spot:]))
    tops = [most]
    for k in range(SLICES):
        grid = np.ldexp(1.5, exponent - (k + 1) * bits + 53)
        place = (*[slice(None)] * spot, k if axis == -1 else SLICES - 1 - k)
        piece = np.add(high, grid, out=slices[place])
        piece -= grid
        high = high - piece
        if not exact:
            high, low = _two_sum(high, low)
        tops.append(np.abs(high).max(axis=axis, keepdims=True, initial=0.0))
        if exact and not tops[-1].any():
            break
    left = np.abs(high)
    left += np.abs(low)
    # A slice is at most what was there before it, and that rounded up to a unit.
    used = min(len(tops) - 1, SLICES)
    most = np.concatenate([2 * top for top in tops[:SLICES]], axis=axis)
    if most.shape[axis] < SLICES:
        lacking = [(0, 0)] * most.ndim
        lacking[axis] = (0, SLICES - most.shape[axis])
        most = np.pad(most, lacking)
    shape = list(high.shape)
    shape[axis] *= SLICES
    return _Sliced(
        slices.reshape(shape),
        used,
        most,
        left.max(axis=axis, keepdims=True, initial=0.0),
        size,
        None if _nothing(radius) else radius,
    )


def _product(left: _Sliced, right: _Sliced) -> Value:
    """A matrix product, from slices whose numbers add up to the same first."""
    count = left.size.shape[-1]
    high, low, radius = (np.zeros(()) for _ in range(3))
    for level in range(min(SLICES, left.used + right.used - 1) - 1, -1, -1):
        first, last = max(0, level - right.used + 1), min(level, left.used - 1)
        mine = left.slices[..., first * count : (last + 1) * count]
        # The slices of the right operand stand the other way round.
        ends = (SLICES - 1 - level + first) * count, (SLICES - level + last) * count
        exact = mine @ right.slices[..., ends[0] : ends[1], :]
        high, t = _two_sum(exact, high)
        low = t + low
        radius = radius + U * np.abs(low)
    high, low = _two_sum(high, low)
    dropped = left.most[..., 1:] @ np.cumsum(right.most[..., :0:-1, :], axis=-2)
    most1 = left.size.max(axis=-1, keepdims=True, initial=0.0)
    most2 = right.size.max(axis=-2, keepdims=True, initial=0.0)
    dropped = dropped + left.rest * (most2 + right.rest) + most1 * right.rest
    radius = radius + count * dropped
    room = 1 + 4 * (count + 8) * U
    if right.radius is not None:
        radius = radius + (left.size @ right.radius) * room
    if left.radius is not None:
        far = right.size if right.radius is None else right.size + right.radius
        radius = radius + (left.radius @ far) * room
    return high, low, _up(radius) + count * TINY


def to_arb(value: Value) -> Value:
    """The same balls as Arb's; exact at 128 bits or more but for the width of the sum's rounding,
    which Arb adds to the radius."""

    def one(high: float, low: float, radius: float) -> flint.arb:
        return flint.arb(float(high), float(radius)) + flint.arb(float(low))

    return (each(one, *np.broadcast_arrays(*value)),)


def from_arb(value: Value) -> Value:
    """Balls that enclose Arb's."""

    def parts(ball: flint.arb) -> tuple[float, float, float]:
        middle = ball.mid()
        high = float(middle)
        if not np.isfinite(high):
            return 0.0, 0.0, float("inf")
        rest = middle - flint.arb(high)
        low = float(rest)
        left = abs(rest - flint.arb(low)) + ball.rad()
        return high, low, float(left.upper())

    found = [parts(ball) for ball in value[0].ravel()]
    stacked = np.array(found, dtype=np.float64).reshape((*value[0].shape, 3))
    radius = stacked[..., 2]
    return stacked[..., 0], stacked[..., 1], np.where(radius > 0, _up(radius), 0.0)


with precision(BITS):
    _LOG2 = from_arb((each(lambda two: flint.arb(two).log(), np.array(2.0)),))
_LOG2E = 1 / float(np.log(2.0))
_TAYLOR = [Fraction(1, factorial(k)) for k in range(10, -1, -1)]
