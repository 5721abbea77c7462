"""Programs over float64 balls, with the least that a correct float32 engine may be off by.

That a tensor agrees takes a certified distance from the exact one, and an error that permits it.
The distance of a right result is mostly a thousandth of what is permitted: so neither has to be
known well. A value is a midpoint, a radius and an error as in `engines/ball.py`, but the radius is
one of norms, and the error a part of what a ball with these midpoints and radii has. So what is
inside agrees, and what is outside is not judged by it.

* Of a product of n terms, ``Σ|aₖ||bₖ| ≤ ‖a‖‖b‖`` (Cauchy and Schwarz) takes the place of
  ``|A||B|``. With radii r, the product of float64 numbers is off by
  ``‖a‖‖r_b‖ + ‖r_a‖(‖b‖ + ‖r_b‖) + (n + 2)U‖a‖‖b‖`` at the most.
* An error is a sum of products of roundings with nonnegative numbers, over all terms: without some
  of the terms, or of the roundings, it is no more. Of long products every sixteenth term is taken.
* A function's error is its slope at the midpoint times its argument's error, where a ball has the
  steepest slope around it.

Errors are themselves rounded, by 2^-53 at each operation and by 2^-13 in a product, whose at most
2^11 terms are added up in float32: `ROOM` is for 2^9 products in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import final

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.ball import U, raised, up
from gradproof.engines.contract import Contract
from gradproof.engines.kernels import DOMAINS, EVERYWHERE, KERNELS

FEWEST, STEP = 8, 16
"""Terms of which no fewer are taken, and of how many longer sums take one."""

MOST_TERMS, MOST_PRODUCTS = 2**13, 2**9
"""Terms of a product, and products, of which no more are taken."""

WIDE = 2**13
"""Elements from which on a product's radius is that of its row, if no column is zero throughout:
nobody has to write them all."""

MANY = 2**16
"""Elements from which on errors stay in float32."""

LOW = 2.0**-480
"""Where the root of a sum of squares is smaller, some of them may have underflowed: each by 2^-1075
at the most, and 2^13 of them are nothing beside the square of this."""

ROOM = 1 - 2.0**-3
"""The share of an error that is left for certain when it has been rounded on its way."""

FLATTEST = {"sigmoid": 0.25, "tanh": 1.0}
"""The steepest slopes of functions that are steepest at 0."""

_ZERO = np.zeros(())


def is_for(contract: Contract) -> bool:
    """Whether a contract's errors are so much larger than float64's that radii do not matter."""
    return contract.u_store == contract.u_accumulate == Fraction(1, 2**24)


@final
class Least(Arithmetic):
    """Balls whose errors are the least that `contract` permits: it must be float32's."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.u = float(contract.u_store)
        self.lost = float(contract.tiny) * self.u
        self.products = 0

    def lift(self, array: np.ndarray) -> Value:
        exact = np.asarray(array, dtype=np.float64)
        nothing = np.broadcast_to(_ZERO, exact.shape)
        return exact, nothing, nothing

    def number(self, value: Fraction) -> Value:
        middle = float(value)
        radius = 0.0 if Fraction(middle) == value else abs(middle) * (2 * U)
        return np.asarray(middle), np.asarray(radius), _ZERO

    def pi(self) -> Value:
        return np.asarray(np.pi), np.asarray(2 * U * np.pi), _ZERO

    def add(self, values: Sequence[Value]) -> Value:
        middle, radius, error = values[0]
        for m, r, e in values[1:]:
            middle = middle + m
            size = np.abs(middle)
            radius = up(size * U + _sum(radius, r))
            error = _sum(error, e)
        size *= self.u
        error = _sum(size, error)  # as it is, where all of the sum is zero
        if error.shape != middle.shape:
            error = np.broadcast_to(error, middle.shape)
        return middle, radius, error

    def repeat(self, value: Value, count: int) -> Value:
        m, r, e = value
        middle = m * count
        return middle, up(count * r + U * np.abs(middle)), count * e

    def multiply(self, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        if not m1.ndim and abs(m1) == 1 and _nothing(r1) and _nothing(e1):
            return np.asarray(m1 * m2), r2, e2
        middle = np.asarray(m1 * m2)
        a1, a2 = np.abs(m1), np.abs(m2)
        radius = np.asarray(np.abs(middle))
        radius *= U
        if not _nothing(r2):
            radius += a1 * r2
        if not _nothing(r1):
            radius += r1 * _sum(a2, r2)
        error: np.ndarray = np.broadcast_to(_ZERO, middle.shape)
        if not _nothing(e2):
            error = a1 * e2
        if not _nothing(e1):
            error = _sum(e1 * a2, error)
        return middle, raised(radius), error

    def power(self, base: Value, exponent: Fraction) -> Value:
        m, r, e = base
        if exponent == -1:
            low = np.abs(m) - r
            middle = 1 / np.where(low > 0, m, 1.0)
            size = np.abs(middle)
            radius = up(r * size / np.where(low > 0, low, 1.0) + U * size)
            return middle, np.where(low > 0, radius, np.inf), e * size * size
        if exponent == Fraction(1, 2):
            middle = np.sqrt(np.maximum(m, 0.0))
            under = np.where(middle > 0, middle, 1.0)
            radius = up(np.where(m > r, r / under, np.where(r == 0, 0.0, np.inf)) + U * middle)
            return middle, np.where(m >= r, radius, np.inf), 0.5 * e / under
        if exponent.denominator == 1 and 2 <= exponent <= 16:
            return self.product([base] * int(exponent))
        if exponent.denominator == 1 and -16 <= exponent < -1:
            return self.power(self.power(base, -exponent), Fraction(-1))
        if exponent.denominator == 2:
            return self.power(self.power(base, Fraction(1, 2)), Fraction(exponent.numerator))
        raise NotYet(f"a power of {exponent} has no least error")

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        m, r, e = value
        count = prod(m.shape[axis] for axis in axes)
        middle = np.sum(m, axis=axes)
        size = np.sum(np.abs(m), axis=axes)
        radius = (count * U) * size
        if not _nothing(r):
            radius = radius + np.sum(r, axis=axes)
        radius = up(radius * (1 + 2 * (count + 8) * U))
        error = size * (max(count - 1, 0) * self.u)
        if not _nothing(e):
            error = error + np.sum(e, axis=axes, dtype=np.float64)
        return middle, radius, error

    def matmul(self, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        count = m1.shape[-1]
        self.products += 1
        if count > MOST_TERMS or self.products > MOST_PRODUCTS:
            raise NotYet("so many roundings have no least error")
        middle = m1 @ m2
        a, b = norms(m1, -1), norms(m2, -2)
        wide, own = norms(r2, -2), ((count + 2) * U) * b
        other = b + wide
        if middle.size >= WIDE and other.min() > 0:
            wide, own, other = (p.max(axis=-1, keepdims=True) for p in (wide, own, other))
        radius = up((a * (wide + own) + norms(r1, -1) * other) * (1 + 2.0**-40))
        few = slice(None, None, max(1, min(STEP, count // FEWEST)))
        first, second = np.abs(m1[..., few]), np.abs(m2[..., few, :])
        scaled = second * (count * self.u)
        if not _nothing(e2):
            scaled += e2[..., few, :]
        if not _nothing(e1):  # two products added up are one of matrices side by side
            first = np.concatenate([first, e1[..., few]], -1)
            scaled = np.concatenate([scaled, second], -2)
        if not first.max(initial=0.0) * scaled.max(initial=0.0) <= 2.0**100:
            raise NotYet("a number too large for float32 has no least error")
        error = first.astype(np.float32) @ scaled.astype(np.float32)
        error += np.float32(count * self.lost)
        if middle.size < MANY:  # products of mixed dtypes take longer than this
            error = error.astype(np.float64)
        return middle, np.broadcast_to(radius, middle.shape), error

    def elementary(self, name: str, value: Value) -> Value:
        m, r, e = value
        kernel, units, steepest = KERNELS[name]
        largest = float(self.contract.largest)
        lowest, highest = DOMAINS.get(name, EVERYWHERE)
        if name in DOMAINS or not _reach(m, r) <= largest:
            known = np.abs(m) + r <= largest
            known &= (m - r > lowest) & (m + r < highest)
            m, r = np.where(known, m, min(1.0, highest / 2)), np.where(known, r, np.inf)
        middle = kernel(m)
        size = np.abs(middle)
        if _nothing(r):
            radius = raised(size * (units * U))
        else:
            top = FLATTEST.get(name)
            radius = np.asarray(r * (steepest(m, up(r)) if top is None else top))
            radius += size * (units * U)
            radius = raised(raised(radius))
        error = size * (self.contract.units(name) * self.u)
        if not _nothing(e):
            error += _slope(name, m, middle) * e
        return middle, radius, error

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        match name, order:
            case "sigmoid" | "tanh", 0:
                return self.elementary(name, arguments[0])
            case "abs", 0:
                m, r, e = arguments[0]
                return np.abs(m), r, e
            case "relu", 0:
                m, r, e = arguments[0]
                return np.maximum(m, 0), r, e
            case "maximum" | "minimum", 0:
                return _extreme(name, *arguments)
            case "where", 0:
                mask, *chosen = arguments
                m, r, e = (np.where(mask[0] != 0, a, b) for a, b in zip(*chosen, strict=True))
                return m, np.where(mask[1] > 0, np.inf, r), e
            case _:
                return None

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        (m1, r1, _), (m2, r2, _) = left, right
        middle, gap = m1 - m2, r1 + r2
        holds = {"==": middle == 0, ">": middle > 0}.get(relation, middle >= 0)
        known = (np.abs(middle) > up(gap)) | (gap == 0)
        number = holds.astype(np.float64)
        return number, np.where(known, 0.0, 1.0), np.broadcast_to(_ZERO, number.shape)

    def largest(self, value: Value, axis: int) -> Value:
        m, r, e = value
        top = m.max(axis=axis)
        candidates = np.broadcast_to(e, m.shape)
        open_ = np.expand_dims(top, axis) - m <= up(2 * r.max(axis=axis, keepdims=True))
        least = np.min(candidates, axis=axis, where=open_, initial=np.inf)
        return top, r.max(axis=axis), least

    def inverse(self, value: Value) -> Value:
        raise NotYet("an inverse has no least error")

    def logdet(self, value: Value) -> Value:
        raise NotYet("a determinant has no least error")

    def along(self, name: str, value: Value) -> Value | None:
        if name != "softmax":
            return None
        exponentials, _ = self._exponentials(value)
        sums = self.total(exponentials, (value[0].ndim - 1,))
        inverse = self.power(tuple(part[..., None] for part in sums), Fraction(-1))
        return self.multiply(exponentials, inverse)

    def fold(self, name: str, value: Value) -> Value | None:
        if name != "logsumexp":
            return None
        exponentials, top = self._exponentials(value)
        sums = self.total(exponentials, (value[0].ndim - 1,))
        zero = np.zeros_like(top)
        return self.add([self.elementary("log", sums), (top, zero, zero)])

    def _exponentials(self, value: Value) -> tuple[Value, np.ndarray]:
        """``exp(z − top)`` along the last axis, and top: an exact number, so that nothing moves."""
        top = value[0].max(axis=-1)
        zero = np.zeros((*top.shape, 1))
        return self.elementary("exp", self.add([value, (-top[..., None], zero, zero)])), top


def _extreme(name: str, left: Value, right: Value) -> Value:
    """The larger (or smaller) of two: what is off by the least of those that may be it."""
    (m1, r1, e1), (m2, r2, e2) = left, right
    pick = np.maximum if name == "maximum" else np.minimum
    middle, radius = pick(m1, m2), np.maximum(r1, r2)
    error = np.where(middle == m1, e1, e2)
    open_ = np.abs(m1 - m2) <= up(r1 + r2)
    return middle, radius, np.where(open_, np.minimum(e1, e2), error)


def _reach(m: np.ndarray, r: np.ndarray) -> float:
    """At least the largest absolute value that is enclosed; NaN where one is not known."""
    if not m.size:
        return 0.0
    return max(float(m.max()), -float(m.min())) + float(r.max())


def _slope(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray | float:
    """No more than a function's slope at x, where its value is about y."""
    match name:
        case "sigmoid":
            return y * (1 - y)
        case "tanh":
            return (1 - y) * (1 + y)
        case "exp":
            return y
        case "log":
            return 1 / x
        case _:
            return 0.0


def norms(part: np.ndarray, axis: int) -> np.ndarray:
    """At least the Euclidean norms along the last axis or the one before, which keeps length 1;
    exactly 0 of zeros."""
    if _nothing(part):
        return np.zeros([1 if n == axis % part.ndim else size for n, size in enumerate(part.shape)])
    rows = part if axis == -1 else part.swapaxes(-1, -2)
    if not rows.strides[-1]:  # the same number, as many times
        found = np.abs(rows[..., 0]) * (np.sqrt(rows.shape[-1]) * (1 + 2.0**-40))
    else:
        found = np.sqrt(np.einsum("...k,...k->...", rows, rows)) * (1 + 2.0**-40)
        if not found.min() > LOW:
            low = ~(found > LOW)
            found = np.where(low, np.abs(rows).sum(axis=-1) * (1 + 2.0**-40), found)
    return np.asarray(found[..., None] if axis == -1 else found[..., None, :])


def _sum(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The sum; where one is nothing, the other as it is."""
    if _nothing(right) and right.ndim <= left.ndim:
        return left
    if _nothing(left) and left.ndim <= right.ndim:
        return right
    return np.asarray(left + right)


def _nothing(part: np.ndarray) -> bool:
    """Whether all is zero, as mostly the first element tells."""
    return not part.size or (part.flat[0] == 0 and (not any(part.strides) or not part.any()))
