"""Programs over float64 balls that also bound what a correct engine may return.

A value is a triple of arrays: midpoint, radius, and error. The exact result lies within the radius
of the midpoint; a correct engine's result lies within the error of the exact one, whatever order
of summation and association it chooses, with fused multiply-adds or without (one rounding fewer).

* A sum of n numbers in any order is off by at most ``(n−1)u Σ|xᵢ|``, a scalar product by
  ``n·u·|x|ᵀ|y|``, for every n: C.-P. Jeannerod and S. M. Rump, "Improved error bounds for inner
  products in floating-point arithmetic", SIAM J. Matrix Anal. Appl. 34 (2013). (N. J. Higham,
  "Accuracy and Stability of Numerical Algorithms", 2002, has γ_n for n·u.)
* What is added up at the places that integers name (the gradient of a row that an index picks c
  times) may be stored after every addition: ``(c−1)u Σ|xᵢ|`` with the dtype's own u.
* A product of k factors associated in any way is k − 1 roundings; each `multiply` allows two,
  because the derivation may have merged or split a factor.
* A sum or difference is exact where it underflows; a product is off by half the least subnormal
  number; an engine that flushes is off by the least normal number at each result and operand.

Trusted: IEEE round-to-nearest ``+ − × ÷ √`` of NumPy in float64, and BLAS being conventional (some
order of summation, no Strassen), and matrices being factored with partial pivoting, as LAPACK,
Eigen and XLA do. The elementary functions of libraries are not: midpoints come
from `engines/exponential.py`, or from Arb.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any, final

import flint
import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arb import precision
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.contract import Contract
from gradproof.engines.extremes import any_of, greatest, least
from gradproof.engines.kernels import DOMAINS, EVERYWHERE, KERNELS, by_arb

U = 2.0**-53
"""The unit roundoff of float64, in which the midpoints are computed."""

TINY = 2.0**-1060
"""More than every underflow of one operation here."""

_ROOM = 1 + 2.0**-48
"""It covers 16 roundings of float64."""

_HALF = 2.0**-24
"""The unit roundoff of float32, in which sums of absolute values are bounded."""

MOST_TERMS = 2**12
"""Terms of which a float32 sum is a bound less than a thousandth too large."""

MANY = 2**14
"""Elements from which on a product in float32 saves time."""

LONG, BLOCKS, FEW_BLOCKS = 32, 3, 2
"""Terms from which on a sum is made from blocks where few roundings are wanted, and how many: few
where another dtype's errors are judged, which leaves radii just less than float64's errors."""

GROWTH = 4.0
"""How much larger |L||U| may be than with this module's own choice of pivots. Another choice is
made only between two that are alike but for rounding, or by blocks."""

JUMPS = 4.0
"""How many times what an engine may be off by another algorithm for the same function may be off:
on the other side of a jump it is, and that is no mistake."""

STEPS = {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint}

_MATRIX_ROOM = 1 + 2.0**-30
"""It covers the roundings of float64 in what bounds a matrix of up to a thousand rows."""

# NumPy takes a number from an array without axes in a third of the time that a float takes it.
_UNIT, _ROOM_ALONE, _TINY_ALONE = (np.asarray(x) for x in (U, _ROOM, TINY))
_ZERO = np.zeros(())
_EVERYWHERE = np.ones((), dtype=bool)


@lru_cache(maxsize=1024)
def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros in this shape, which take no memory and cannot be written."""
    return np.broadcast_to(_ZERO, shape)


def up(x: np.ndarray) -> np.ndarray:
    """A little more than a nonnegative float64: it covers 16 roundings, and underflow."""
    return np.asarray(x * _ROOM_ALONE + _TINY_ALONE)


def raised(x: np.ndarray) -> np.ndarray:
    """`up` of an array that is used up."""
    x = np.asarray(x)
    x *= _ROOM_ALONE
    x += _TINY_ALONE
    return x


def _product(left: np.ndarray, right: np.ndarray, blocks: int) -> tuple[np.ndarray, int]:
    """A matrix product, and how often a term of it is rounded at most: fewer times than there are
    terms, because it is added up from blocks of them."""
    count = left.shape[-1]
    if count < LONG or blocks == 1:
        return left @ right, count
    terms = -(-count // blocks)
    middle = left[..., :terms] @ right[..., :terms, :]
    for start in range(terms, count, terms):
        middle += left[..., start : start + terms] @ right[..., start : start + terms, :]
    return middle, terms + -(-count // terms)


def _share(radius: np.ndarray, error: np.ndarray) -> float:
    """The largest radius as a share of its error; infinite where that is not known."""
    if _nothing(radius):
        return 0.0
    with np.errstate(all="ignore"):
        share = float(np.max(np.where(radius == 0, 0.0, radius / error), initial=0.0))
    return share if share >= 0 else np.inf


def _line(sizes: tuple[np.ndarray, float, float], slope: float, more: float) -> np.ndarray:
    """Sums of absolute values as `_sizes` has them, times a number, and another one."""
    part, growth, lost = sizes
    times = np.asarray(growth * slope)
    if part.dtype == np.float64:
        result = np.asarray(part * times)
    else:
        result = part.astype(np.float64)
        result *= times
    result += np.asarray(lost * slope + more)
    return result


def _nothing(part: np.ndarray) -> bool:
    """Whether all of a radius or an error is zero; mostly its first element tells."""
    if part.base is _ZERO or not part.size:
        return True
    if part.flat[0] != 0:
        return False
    return not any(part.strides) or bool(greatest(part) == 0)


def _plus(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The sum with an array that is used up."""
    if left.shape != right.shape:
        return np.asarray(left + right)
    left += right
    return left


def _sum(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The sum; where one is nothing, the other as it is."""
    if _nothing(right) and right.ndim <= left.ndim:
        return np.asarray(left)
    return np.asarray(left + right)


@final
class Ball(Arithmetic):
    """Balls with an engine's error beside them; `contract` says what the engine may do.

    ``undecided`` counts the elements at a kink or tie: there the error is infinite.

    With `opaque` the balls are those of a function of which nothing is seen inside. At a kink the
    error is 1 then, which is what a truth value of 0 or 1 is off by at most, and a tie of exact
    operands is one, because a function may take either slope there.

    With `coarse` the sums of 16-bit numbers are as rough as any engine makes them: those of several
    axes may be made in parts, and what is added up where windows overlap may be stored after every
    addition. There, and where nothing is seen inside, what is a matrix product here may be
    elementwise products and a sum there, of which each is stored.

    ``scaled`` is how many constants multiply or divide what is read, though the term has fewer of
    them: each rounds twice, as a constant and in the product.

    One that `remembers` keeps what it lifts, and elementary functions of it, for other stages that
    read the same arrays; these must not change.

    With `narrow` radii are less than what float64 itself may be off by, also where the contract is
    another dtype's.

    With `either` a tie of exact operands is ½ ± ½, and not a truth value with an error of 1. So a
    slope there is in the hull of zero, the slopes on both sides and their sum, which is all that a
    function may take.
    """

    ordered = True

    def __init__(
        self,
        contract: Contract,
        *,
        opaque: bool = False,
        coarse: bool = False,
        scaled: int = 0,
        remembers: bool = False,
        narrow: bool = False,
        either: bool = False,
    ) -> None:
        self.contract = contract
        self.opaque = opaque
        self.either = either
        self.scaled = scaled
        self.remembers = remembers
        self._lifts: dict[int, tuple[np.ndarray, Value]] = {}
        self._lifted_values: set[int] = set()
        self._results: dict[tuple[str, int], tuple[Value, Value]] = {}
        self.u = float(contract.u_store)
        self.accumulate = float(contract.u_accumulate)
        self.summing = self.u if contract.low_sums else self.accumulate
        self.scatters, self.adds_finely = True, self.accumulate < self.u
        self.in_parts = coarse and self.adds_finely
        self.joining = self.u * (2 if contract.rounding == "faithful" else 1)
        self._u, self._twice = np.asarray(self.u), np.asarray(2 * self.u)
        self.tiny = float(contract.tiny)
        self.unit = 2 * self.tiny * self.u  # the distance of two subnormal numbers
        self.largest_number = float(contract.largest)
        flushes = contract.flush_to_zero
        self.lost_in_sum = self.tiny if flushes else 0.0
        self.lost_in_product = self.tiny if flushes else self.tiny * self.u
        self._lost = np.asarray(self.lost_in_product)
        self._tiny = np.asarray(self.tiny)
        self.lost_in_term = self.tiny if flushes else self.tiny * self.accumulate
        self.narrow = 2.0**-10 if self.u >= _HALF else 0.6
        self.blocks = BLOCKS if self.u < _HALF else FEW_BLOCKS if narrow else 1
        self.undecided = 0

    def lift(self, array: np.ndarray) -> Value:
        """The engine's own tensor: exact, but for subnormal numbers.

        They may count as zero. Elsewhere an engine that kept another number of its own, such as
        the exponential in place of its softmax, is off by one unit in their few digits.
        """
        # A view is made anew for every stage: its number may become another array's.
        keeps = self.remembers and isinstance(array, np.ndarray) and array.base is None
        if keeps and id(array) in self._lifts:
            return self._lifts[id(array)][1]
        m, r, e = self._lifted(array)
        if self.scaled:
            e = up(e + 2 * self.scaled * self.u * (np.abs(m) + r + e))
        value = m, r, e
        if keeps:
            self._lifts[id(array)] = array, value
            self._lifted_values.add(id(value))
        return value

    def _lifted(self, array: np.ndarray) -> Value:
        exact = np.asarray(array, dtype=np.float64)
        nothing = _zeros(exact.shape)
        size = np.asarray(np.abs(array))
        if not size.size or least(size) >= self.tiny:
            return exact, nothing, nothing
        small, size = size < self.tiny, np.abs(exact)
        flushed = self.contract.flush_to_zero
        return (
            exact,
            nothing,
            np.where(small & (size > 0), up(size) if flushed else self.unit, 0.0),
        )

    def number(self, value: Fraction) -> Value:
        middle = float(value)
        radius = 0.0 if Fraction(middle) == value else float(up(np.float64(U * abs(middle))))
        # A power of two is exact in every dtype; others are rounded, and were perhaps made of
        # two or three numbers that the derivation multiplied together.
        dyadic = value == 0 or (
            abs(value.numerator) & (abs(value.numerator) - 1) == 0
            and value.denominator & (value.denominator - 1) == 0
            and self.tiny <= abs(middle) <= self.largest_number
        )
        wide = 3 * self.u * abs(middle) + self.lost_in_product
        error = 0.0 if dyadic else float(up(np.float64(wide)))
        return np.asarray(middle), np.asarray(radius), np.asarray(error)

    def table(self, array: np.ndarray) -> Value:
        """As `number`, elementwise: rounded to the dtype, where it is no power of two."""
        m, r, e = self.lift(array)
        size = np.abs(m)
        fits = (size >= self.tiny) & (size <= self.largest_number)
        dyadic = (size == 0) | (fits & (np.frexp(size)[0] == 0.5))
        wide = up(3 * self.u * size + self.lost_in_product)
        return m, r, np.where(dyadic, e, up(e + wide))

    def pi(self) -> Value:
        middle = np.asarray(np.pi)  # float64's nearest to π, as its own literal says
        return middle, up(U * middle), up(3 * self.u * middle)

    def add(self, values: Sequence[Value]) -> Value:
        middle, radius, inherited = values[0]
        for m, r, e in values[1:]:
            middle = middle + m
            size = np.asarray(np.abs(middle))
            before = _sum(radius, r)
            radius = np.asarray(size * _UNIT)
            if not _nothing(before):
                radius = _plus(radius, before)
            radius = raised(radius)
            inherited = _sum(inherited, e)
        if len(values) == 2:
            size = _sum(_plus(size, radius), inherited)
        else:  # partial sums in any order
            size = (len(values) - 1) * sum(np.abs(m) + r + e for m, r, e in values)
        error = np.asarray(self._u * size)
        lost = len(values) * self.lost_in_sum
        if not _nothing(inherited):
            error = _plus(error, np.asarray(inherited + lost))
        elif lost:
            error += lost
        return middle, radius, raised(error)

    def repeat(self, value: Value, count: int) -> Value:
        m, r, e = value
        middle = m * count
        size = np.abs(m) + r + e
        # a sum, or a product
        error = count * (e + (count * self.summing + 2 * self.u) * size + self.lost_in_product)
        return middle, up(count * r + U * np.abs(middle)), up(error)

    def multiply(self, left: Value, right: Value) -> Value:
        return self._multiplied(left, right)[0]

    def _multiplied(
        self, left: Value, right: Value
    ) -> tuple[Value, np.ndarray | None, tuple[np.ndarray, np.ndarray]]:
        """The product; where it is not rounded, because a factor is 0, 1 or −1, if it is so
        anywhere; and the largest absolute values of both factors that an engine can have."""
        (m1, r1, e1), (m2, r2, e2) = left, right
        middle = np.asarray(m1 * m2)
        if middle.size == r1.size == r2.size == e1.size == e2.size == 1:
            return self._multiplied_numbers(left, right, middle)
        a1 = np.asarray(np.abs(m1))
        a2 = a1 if m2 is m1 else np.asarray(np.abs(m2))
        sharp1, sharp2, sound1, sound2 = map(_nothing, (r1, r2, e1, e2))
        b1, b2 = a1, a2
        radius = np.asarray(np.abs(middle))
        radius *= _UNIT
        if not sharp2:
            radius = _plus(radius, np.asarray(a1 * r2))
            b2 = a2 + r2
        if not sharp1:
            radius = _plus(radius, np.asarray(r1 * b2))
            b1 = a1 + r1
        # 2u and not u: a product of many factors may be made of other partial products
        inherited: np.ndarray | None = None
        if not sound2:
            inherited = np.asarray(b1 * e2)
            b2 = b2 + e2
        if not sound1:
            own = e1 * b2
            inherited = np.asarray(own if inherited is None else inherited + own)
            b1 = b1 + e1
        one = _all_signs(a1, sharp1 and sound1) or _all_signs(a2, sharp2 and sound2)
        if one:
            error = np.zeros(middle.shape)
            error = error if inherited is None else _plus(error, inherited)
            return (middle, raised(radius), raised(error)), _EVERYWHERE, (b1, b2)
        error = np.asarray(b1 * b2)
        error *= self._twice
        error += self._lost
        if inherited is not None:
            error = _plus(error, inherited)
        one = _signs(a1, r1, e1)
        if m2 is not m1 or r2 is not r1 or e2 is not e1:
            other = _signs(a2, r2, e2)
            one = other if one is None else one if other is None else np.asarray(one | other)
        if one is not None and any_of(one):
            error = np.where(one, _ZERO if inherited is None else inherited, error)
        else:
            one = None
        return (middle, raised(radius), raised(error)), one, (b1, b2)

    def _multiplied_numbers(
        self, left: Value, right: Value, middle: np.ndarray
    ) -> tuple[Value, np.ndarray | None, tuple[np.ndarray, np.ndarray]]:
        """`_multiplied` of two numbers, by Python's own float64: an array of one element costs as
        much as one of a hundred."""
        m1, r1, e1 = (part.item() for part in left)
        m2, r2, e2 = (part.item() for part in right)
        a1, a2 = abs(m1), abs(m2)
        b1, b2 = a1 + r1, a2 + r2
        radius = abs(middle.item()) * U
        for part, other in ((r2, a1), (r1, b2)):
            radius += part * other if part else 0.0
        inherited = b1 * e2 if e2 else 0.0
        b2 += e2
        inherited += e1 * b2 if e1 else 0.0
        b1 += e1
        one = (a1 in (0.0, 1.0) and r1 <= TINY and e1 <= TINY) or (
            a2 in (0.0, 1.0) and r2 <= TINY and e2 <= TINY
        )
        error = inherited if one else b1 * b2 * (2 * self.u) + self.lost_in_product + inherited
        parts = (np.full(middle.shape, part * _ROOM + TINY) for part in (radius, error))
        return (middle, *parts), _EVERYWHERE if one else None, (np.asarray(b1), np.asarray(b2))

    def product(self, values: Sequence[Value]) -> Value:
        """Products, of which an engine may make other partial products that underflow.

        One that underflows is then multiplied by the other factors: of all of them at most
        ``Π max(1, |f|)``. A factor may itself be a product of two or three (σ′ is s·(1 − s)).
        """
        if len(values) == 1:
            return values[0]
        result, one, sizes = self._multiplied(values[0], values[1])
        if len(values) == 2 and one is _EVERYWHERE:
            return result
        for value in values[2:]:
            result = self.multiply(result, value)
        amplified: Any = 1.0
        for most in (*sizes, *(_sum(_sum(np.abs(m), r), e) for m, r, e in values[2:])):
            if most.size and not greatest(most) <= 1:
                amplified = amplified * np.maximum(most, 1.0)
        lost = (len(values) + 2) * self.lost_in_product * amplified * _ROOM + TINY
        if len(values) == 2 and one is not None:
            lost = np.where(one, 0.0, lost)
        return *result[:2], result[2] + lost

    # --- powers -----------------------------------------------------------------------------------

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent == 2:
            return self.multiply(base, base)
        if exponent == -1:
            return self._through(base, lambda x: 1 / x, lambda x: x**-2, 2)
        if exponent == Fraction(1, 2):
            units = max(2, self.contract.units("sqrt"))
            return self._through(base, np.sqrt, lambda x: 0.5 / np.sqrt(x), units, positive=True)
        if exponent.denominator == 1 and 2 < exponent <= 16:
            result = base
            for _ in range(int(exponent) - 1):
                result = self.multiply(result, base)
            return self._widened(result)
        if exponent.denominator == 1 and -16 <= exponent < 0:
            return self.power(self.power(base, -exponent), Fraction(-1))
        if exponent.denominator == 2 and abs(exponent.numerator) <= 16:
            root = self.power(base, Fraction(1, 2))
            return self._widened(self.power(root, Fraction(exponent.numerator)))
        return self._any_power(base, exponent)

    def _widened(self, value: Value) -> Value:
        """Products and roots, where the engine may have called its own power instead."""
        m, r, e = value
        return m, r, up(e + self.contract.units("other") * self.u * (np.abs(m) + r) + self.tiny)

    def _any_power(self, base: Value, exponent: Fraction) -> Value:
        """``x^q`` of a positive x; its slope ``q·x^(q−1)`` is monotone, so an end is steepest."""
        q = flint.fmpq(exponent.numerator, exponent.denominator)
        less = float(exponent) - 1

        def steepest(m: np.ndarray, width: np.ndarray) -> np.ndarray:
            ends = np.maximum((m + width) ** less, np.maximum(m - width, 2.0**-1022) ** less)
            # NumPy's power is not proved: 2^-30 is far more than it is off.
            return abs(float(exponent)) * ends * (1 + 2.0**-30)

        return self._function(
            "power",
            lambda x: by_arb(lambda a: a ** flint.arb(q), x),
            2,
            steepest,
            base,
            (0.0, np.inf),
        )

    def _through(
        self,
        value: Value,
        compute: Callable[[np.ndarray], np.ndarray],
        slope: Callable[[np.ndarray], np.ndarray],
        units: float,
        *,
        positive: bool = False,
    ) -> Value:
        """A monotone function with a monotone slope, correctly rounded in float64.

        An operand that the engine cannot hold has no error bound: what follows may be finite again.
        """
        m, r, e = (np.asarray(part, dtype=np.float64) for part in value)
        low_exact = np.abs(m) - r
        low = (np.abs(m) - r - e) * (1 - 2.0**-48)
        bad = (low <= 0) | ((m < 0) if positive else False)
        bad |= ~(np.abs(m) + r + e <= self.largest_number)
        safe = np.where(bad, 1.0, m)
        middle = np.where(bad, 0.0, compute(safe))
        # The slopes are a few roundings of float64, and so is the distance to zero.
        steep_exact = np.abs(slope(np.where(bad, 1.0, low_exact * (1 - 2.0**-48)))) * _ROOM
        steep = np.abs(slope(np.where(bad, 1.0, low))) * _ROOM
        radius = up(up(steep_exact * r) + 2 * U * np.abs(middle))
        grown = up(steep * e)
        error = up(grown + units * self.u * (np.abs(middle) + radius + grown) + self.tiny)
        if positive:  # the root of nothing is nothing
            none = (m == 0) & (r == 0) & (e == 0)
            bad &= ~none
            error = np.where(none, 0.0, error)
            radius = np.where(none, 0.0, radius)
        self.undecided += int(np.sum(bad))
        return middle, np.where(bad, np.inf, radius), np.where(bad, np.inf, error)

    # --- sums -------------------------------------------------------------------------------------

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        m, r, e = value
        count = prod(m.shape[axis] for axis in axes)
        room = 1 + 2 * (count + 8) * U  # the sums here are rounded too
        middle = np.add.reduce(m, axis=axes)
        size = np.add.reduce(np.abs(m), axis=axes)
        radius = count * U * size
        if not _nothing(r):
            wider = np.sum(r, axis=axes)
            radius, size = radius + wider, size + wider
        if _nothing(e):
            error = max(count - 1, 0) * self.summing * size
        else:
            inherited = np.sum(e, axis=axes)
            size = size + inherited
            error = inherited + max(count - 1, 0) * self.summing * size
        if self.in_parts:  # as those of several axes, one axis after the other
            error = error + self.u * size
        if self.summing < self.u:  # the sum itself is stored
            error = error + self.u * (np.abs(middle) + radius + error)
        error = up((error + count * self.lost_in_sum) * room)
        if error.shape != middle.shape:
            error = np.broadcast_to(error, middle.shape)
        return middle, up(radius * room), error

    def scattered(
        self, value: Value, additions: np.ndarray, rounded: int, size: np.ndarray
    ) -> Value:
        m, r, e = value
        grown = size * ((1 + self.u) ** rounded * _ROOM)
        return m, r, up(e + self.u * (additions + rounded) * grown)

    def matmul(self, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        count = m1.shape[-1]
        room = 1 + 4 * (count + 8) * U  # the products here are rounded too
        # In float64 the radius is to be narrower than the error.
        middle, roundings = _product(m1, m2, self.blocks)
        lost = count * (self.lost_in_term + TINY) + self.lost_in_product
        points, faultless = _nothing(r1) and _nothing(r2), _nothing(e1) and _nothing(e2)
        if not faultless and self.accumulate == self.u:
            share = max(_share(r1, e1), _share(r2, e2))
            if share <= self.narrow:
                error = _line(self._carried(count, left, right), room * _ROOM, lost)
                own = (roundings + 2) / count * (U / self.u)
                if own <= self.narrow:
                    return middle, error * (max(share, own) * _ROOM), error
                size = np.abs(m1) @ np.abs(m2) * ((roundings + 2) * U * room)
                return middle, up(error * share + size + (count + 1) * TINY), error
        sizes = self._sizes(m1, m2)
        if points and faultless and self.accumulate == self.u >= _HALF:
            error = _line(sizes, count * self.u * room * _ROOM, lost)
            # `lost` holds far more than the 2^-1060 that the radius has beside its share.
            narrower = np.asarray((roundings + 2) / count * (U / self.u) * _ROOM)
            return middle, error * narrower, error
        radius = _line(sizes, (roundings + 2) * U * room, (count + 1) * TINY)
        if points and faultless and self.accumulate == self.u:
            return middle, radius, _line(sizes, count * self.u * room * _ROOM, lost)
        size = _line(sizes, 1.0, 0.0)
        if not (points and faultless):
            a1, a2 = np.abs(m1), np.abs(m2)
        if not points:
            radius = radius + (a1 @ r2 + r1 @ (a2 + r2)) * room
            size = size + radius
        if faultless:
            error = self._joined(count, middle, radius, size, left, right)
        else:
            inherited = ((a1 + r1) @ e2 + e1 @ (a2 + r2 + e2)) * room
            grown = self._joined(
                count, np.abs(middle) + inherited, radius, size + inherited, left, right
            )
            error = inherited + grown
        error *= np.asarray(room * _ROOM)
        error += np.asarray(lost)
        return middle, radius, error

    def _carried(self, count: int, left: Value, right: Value) -> tuple[np.ndarray, float, float]:
        """The error of a product whose roundings are all alike, and what its operands' errors
        become, as one product that `_sizes` bounds.

        With ``P = |m| + r``, and c for the roundings of a sum, it is
        ``P₁((1 + c)e₂ + cP₂) + (1 + c)e₁(P₂ + e₂)``. Where ``rᵢ ≤ κeᵢ``, the radius
        ``P₁r₂ + r₁P₂ + dP₁P₂`` is at most ``max(κ, d/c)`` of it.
        """
        (m1, r1, e1), (m2, r2, e2) = left, right
        c = count * self.u
        if _nothing(e2):
            mine = np.abs(m1) + r1
            mine *= c
            mine += (1 + c) * e1
            return self._sizes(mine, m2 if _nothing(r2) else np.abs(m2) + r2)
        p2 = np.abs(m2) + r2
        other = c * p2
        other += (1 + c) * e2
        if _nothing(e1):
            return self._sizes(m1 if _nothing(r1) else np.abs(m1) + r1, other)
        p2 += e2
        mine, p1 = np.multiply(e1, 1 + c), np.abs(m1) + r1
        # Two products added up are one of matrices side by side.
        return self._sizes(np.concatenate([p1, mine], -1), np.concatenate([other, p2], -2))

    def _sizes(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float, float]:
        """``|A||B|`` of float64 matrices: at most an array times a number, and a number, but for
        the roundings of that product in float64.

        With ``v = 2^-24`` an operand a is at most ``a'(1 + 2v) + 2^-150``, a' its float32. A sum of
        n products in float32, in any order, is at least ``(1 − nv)`` of the exact one, but for
        ``2n·2^-150`` of underflows. So for ``nv ≤ 1/16`` the exact sum of the operands' products is
        at most ``(1 + 2v)²(1 + 1.07nv)`` times the one in float32, and ``n·2^-148(1 + a' + b')``.
        For operands up to 2^9 this moves the error by no more than the engine's own underflows.
        """
        count = left.shape[-1]
        if self.u >= _HALF and count <= MOST_TERMS and left.size + right.size >= MANY:
            with np.errstate(all="ignore"):
                a, b = left.astype(np.float32), right.astype(np.float32)
            np.abs(a, out=a)
            np.abs(b, out=b)
            tops = float(a.max(initial=0.0)), float(b.max(initial=0.0))
            if max(tops) <= 2.0**9:
                return a @ b, 1 + (2 * count + 8) * _HALF, count * 2.0**-148 * (1 + sum(tops))
        return np.asarray(np.abs(left) @ np.abs(right)), 1.0, 0.0

    def _joined(
        self,
        count: int,
        middle: np.ndarray,
        radius: np.ndarray,
        size: np.ndarray,
        left: Value,
        right: Value,
    ) -> np.ndarray:
        """The roundings of scalar products of `count` terms whose absolute values add to `size`,
        an array that is used up."""
        if self.accumulate == self.u:
            size *= count * self.u
            return size
        if self.in_parts or self.opaque or left[0].shape[-2] == 1 or right[0].shape[-1] == 1:
            # Perhaps it was no matrix product: each product was stored, and then they were added.
            return size * (count * self.summing + 3 * self.u)
        inside = size * (count * self.accumulate)
        return inside + self.joining * (np.abs(middle) + radius + inside)

    # --- functions --------------------------------------------------------------------------------

    def elementary(self, name: str, value: Value) -> Value:
        return self._known(name, value)

    def _known(self, name: str, value: Value) -> Value:
        """A function of the kernels, worked out once for a value that is remembered."""
        key = name, id(value)
        if key in self._results:
            return self._results[key][1]
        domain = DOMAINS.get(name, EVERYWHERE)
        result = self._function(name, *KERNELS[name], value, domain)
        if id(value) in self._lifted_values:
            self._results[key] = value, result
        return result

    def _function(
        self,
        name: str,
        kernel: Callable[[np.ndarray], np.ndarray],
        kernel_units: int,
        steepest: Callable[[np.ndarray, np.ndarray], np.ndarray],
        value: Value,
        domain: tuple[float, float] = EVERYWHERE,
    ) -> Value:
        """A function inside its domain; `steepest(m, width)` bounds its slope on ``m ± width``.

        Engines compute a function through others, such as exp in a sigmoid, which may overflow or
        underflow: so a result below the least normal number may be zero.
        """
        m, r, e = value
        lowest, highest = domain
        if _nothing(r) and _nothing(e) and domain == EVERYWHERE:
            middle = kernel(m)
            size = np.asarray(np.abs(middle))
            radius = raised(np.asarray(kernel_units * U) * size)
            size += radius
            size *= np.asarray(self.contract.units(name) * self.u)
            size += self._tiny
            return middle, radius, raised(size)
        size = np.abs(m) + r
        size += e
        bad = ~(size <= self.largest_number)
        if lowest > -np.inf:
            bad |= m - r - e <= lowest
        if highest < np.inf:
            bad |= m + r + e >= highest
        some = bool(bad.any())
        if some:
            m = np.where(bad, min(1.0, highest / 2), m)
            r, e = np.where(bad, 0.0, r), np.where(bad, 0.0, e)
        middle = kernel(m)
        radius = up(steepest(m, up(r)) * r)
        radius = up(radius + kernel_units * U * np.abs(middle))
        grown = up(steepest(m, up(r + e)) * e)
        size = np.abs(middle) + radius
        size += grown
        error = up(grown + self.contract.units(name) * self.u * size + self.tiny)
        if not some:
            return middle, radius, error
        self.undecided += int(np.sum(bad))
        return (
            np.where(bad, 0.0, middle),
            np.where(bad, np.inf, radius),
            np.where(bad, np.inf, error),
        )

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        match name, order:
            case "sigmoid" | "tanh", 0:
                return self._known(name, arguments[0])
            case "abs", 0:
                m, r, e = arguments[0]
                return np.abs(m), r, e
            case "relu", 0:
                m, r, e = arguments[0]
                return np.maximum(m, 0), r, e
            case "maximum" | "minimum", 0:
                return self._extreme(name, *arguments)
            case "where", 0:
                return self._where(*arguments)
            case _:
                return None

    def _extreme(self, name: str, left: Value, right: Value) -> Value:
        """The larger (or smaller) of two is off by no more than those of them that may be it, as in
        `largest`."""
        (m1, r1, e1), (m2, r2, e2) = left, right
        pick = np.maximum if name == "maximum" else np.minimum
        middle, apart = pick(m1, m2), np.abs(m1 - m2)
        first = middle == m1
        parts = [
            np.where(apart <= up(w1 + w2), np.maximum(p1, p2), np.where(first, p1, p2))
            for p1, p2, w1, w2 in ((r1, r2, r1, r2), (e1, e2, r1 + e1, r2 + e2))
        ]
        return middle, *parts

    def slope(self, value: Value) -> Value:
        # tanh′ is 1−h² in most engines and 1/cosh² in autograd: each is an elementary function,
        # and cosh² overflows to a slope of zero where the true one is subnormal.
        m, r, e = value
        wider = np.asarray(np.abs(m) + r)
        wider *= np.asarray(self.contract.units("other") * self.u)
        wider = wider + e
        wider += self._tiny
        wider = raised(wider)
        exact = np.asarray((m == 0) | (m == 1))
        if not any_of(exact):
            return m, r, wider
        return m, r, np.where(exact & (r <= TINY) & (e <= TINY), e, wider)

    def _where(self, mask: Value, left: Value, right: Value) -> Value:
        chosen = [np.where(mask[0] != 0, a, b) for a, b in zip(left, right, strict=True)]
        unsure = (mask[1] + mask[2]) > 0
        return (chosen[0], np.where(unsure, np.inf, chosen[1]), np.where(unsure, np.inf, chosen[2]))

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        (m1, r1, e1), (m2, r2, e2) = left, right
        middle, gap = m1 - m2, r1 + r2 + e1 + e2
        apart = np.abs(middle) > up(gap)
        exact = gap == 0
        if relation == "==":
            holds = middle == 0
            certain = apart | exact
        else:
            holds = (middle > 0) if relation == ">" else (middle >= 0)
            # At a tie of exact operands the comparison is certain; the derivative there is not,
            # and that is for the kink check to say.
            certain = apart if self.opaque else apart | exact
        self.undecided += int(np.sum(~certain))
        unsure = np.where(certain, 0.0, 1.0 if self.opaque else np.inf)
        if not self.opaque:
            return holds.astype(np.float64), unsure, unsure
        # The exact comparison is open only where the exact operands' enclosures meet.
        known = (np.abs(middle) > up(r1 + r2)) | (r1 + r2 == 0)
        found = holds.astype(np.float64), np.where(known, 0.0, 1.0), unsure
        return _halved(found, exact & (middle == 0)) if self.either else found

    def largest(self, value: Value, axis: int) -> Value:
        """Off by no more than one of the elements that may be the largest.

        With the engine's largest x̂ⱼ and the exact xₜ, both of which are such, ``x̂ⱼ − xₜ ≤ x̂ⱼ − xⱼ``
        and ``x̂ⱼ − xₜ ≥ x̂ₜ − xₜ``; so it is with midpoints and radii.
        """
        m, r, e = value
        top = m.max(axis=axis, keepdims=True)
        place = np.argmax(m, axis=axis, keepdims=True)
        parts = []
        for part, width in ((r, r), (e, r + e)):
            if _nothing(part):
                parts.append(np.zeros(place.shape).squeeze(axis))
                continue
            wide, full = (np.broadcast_to(one, m.shape) for one in (width, part))
            open_ = top - m <= up(wide + np.take_along_axis(wide, place, axis))
            parts.append(np.max(full, axis=axis, where=open_, initial=0.0))
        return top.squeeze(axis), *parts

    def winners(self, value: Value) -> tuple[Value, np.ndarray]:
        """A row is certain where its largest midpoint is apart from every other; elsewhere what is
        not apart from it may be the largest, in the engine or exactly."""
        m, r, e = (np.broadcast_to(part, value[0].shape) for part in value)
        top = np.argmax(m, axis=-1)[..., None]
        here = np.arange(m.shape[-1]) == top
        gap = np.take_along_axis(m, top, -1) - m
        exactly, rounded = (
            (gap <= up(width + np.take_along_axis(width, top, -1))) & ~here for width in (r, r + e)
        )
        open_ = [near | (here & near.any(axis=-1, keepdims=True)) for near in (exactly, rounded)]
        most = 1.0 if self.opaque else np.inf
        self.undecided += int(np.sum(open_[1]))
        radius, error = (np.where(part, most, 0.0) for part in open_)
        found = here.astype(np.float64), radius, error
        if self.either:
            # Where what may be the largest is so because of rounding, all stays open.
            alike = np.all(~open_[1] | ((gap == 0) & (r + e == 0)), axis=-1, keepdims=True)
            found = _halved(found, open_[1] & alike)
        return found, ~rounded.any(axis=-1)

    def order(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        m, r, e = (np.broadcast_to(part, value[0].shape) for part in value)
        places = np.argsort(m, axis=-1, kind="stable")
        m, width = (np.take_along_axis(part, places, -1) for part in (m, r + e))
        exact = width == 0
        low = np.where(exact, m, np.nextafter(m - up(width), -np.inf))
        high = np.where(exact, m, np.nextafter(m + up(width), np.inf))
        return places, _apart(low, high)

    def middles(self, value: Value) -> np.ndarray:
        return value[0]

    def to_float32(self, value: Value) -> Value:
        """Off by half a unit in its last place, or the least subnormal, if it is no float32."""
        m, r, e = value
        with np.errstate(over="ignore"):
            exact = (m == m.astype(np.float32)) & (r == 0) & (e == 0)
        size = np.abs(m) + r + e
        rounded = up(e + _HALF * size + 2.0**-149)
        fits = size <= np.finfo(np.float32).max
        return m, r, np.where(exact, e, np.where(fits, rounded, np.inf))

    def stepped(self, name: str, value: Value) -> Value:
        """A function that rises in steps: between those of both ends. At a jump itself, of exact
        numbers too, an engine may be on either side."""
        m, r, e = (np.asarray(part, dtype=np.float64) for part in value)
        step = STEPS[name]
        middle = step(m)
        (low, high), (lowest, highest) = (
            (
                step(np.nextafter(m - up(width), -np.inf)),
                step(np.nextafter(m + up(width), np.inf)),
            )
            for width in (r, r + JUMPS * e)
        )
        error = highest - lowest
        self.undecided += int(np.sum(~(error == 0)))
        radius = np.where(r == 0, 0.0, np.maximum(high - middle, middle - low))
        return middle, radius, error

    def forgotten(self, value: Value, where: np.ndarray) -> Value:
        m, *others = value
        return m, *(np.where(where, np.inf, np.broadcast_to(part, m.shape)) for part in others)

    # --- matrices ---------------------------------------------------------------------------------

    def inverse(self, value: Value) -> Value:
        parts = [np.empty(value[0].shape) for _ in range(3)]
        for place in np.ndindex(*value[0].shape[:-2]):
            found = self._inverse(*(p[place] for p in np.broadcast_arrays(*value)))
            for part, one in zip(parts, found, strict=True):
                part[place] = one
        return tuple(parts)

    def _inverse(self, m: np.ndarray, r: np.ndarray, e: np.ndarray) -> Value:
        """With an engine's X, ``|X − V| ≤ |V| D |X|`` or ``|X| D |V|`` for the exact inverse V,
        depending on whether it solves for columns or for rows (Higham 2002, sections 9.3 and 14.3);
        D is `_disturbance`. With ``K = |V| D |V|`` the error is at most K and the rest of a
        geometric series, whose elements are at most ``q/(1−q) max K``.
        """
        middle, radius = _inverse_by_arb(m, r)
        if not np.all(np.isfinite(radius)):
            self.undecided += m.size
            return np.zeros(m.shape), np.full(m.shape, np.inf), np.full(m.shape, np.inf)
        size = np.abs(middle) + radius
        disturbed = self._disturbance(m, r, e)
        first = size @ disturbed @ size
        q = max(
            float((size @ disturbed).sum(axis=1).max(initial=0.0)),
            float((disturbed @ size).sum(axis=0).max(initial=0.0)),
        )
        if not q < 0.5:
            self.undecided += m.size
            return middle, radius, np.full(m.shape, np.inf)
        error = first + q / (1 - q) * first.max(initial=0.0)
        stored = self.u * (size + error) + self.tiny
        return middle, radius, (error + stored) * _MATRIX_ROOM

    def _disturbance(self, m: np.ndarray, r: np.ndarray, e: np.ndarray) -> np.ndarray:
        """By how much a matrix may be another one: the engine's factors L and U solve exactly for
        one within ``γ_3n |L||U|`` (Higham 2002, theorem 9.4)."""
        n = len(m)
        u = max(self.u, self.accumulate)
        gamma = 3 * n * u / (1 - 3 * n * u) if 6 * n * u < 1 else np.inf
        left, right, order = _factored(m)
        size = np.empty_like(m)
        size[order] = np.abs(left) @ np.abs(right)
        lost = 3 * n * (self.lost_in_term + self.tiny)
        return np.asarray(gamma * GROWTH * (size + n * r) + e + lost)

    def logdet(self, value: Value) -> Value:
        parts = [np.empty(value[0].shape[:-2]) for _ in range(3)]
        for place in np.ndindex(*parts[0].shape):
            found = self._logdet(*(p[place] for p in np.broadcast_arrays(*value)))
            for part, one in zip(parts, found, strict=True):
                part[place] = one
        return tuple(parts)

    def _logdet(self, m: np.ndarray, r: np.ndarray, e: np.ndarray) -> tuple[float, float, float]:
        """The engine adds up logarithms of the pivots of a matrix that is disturbed by D at most:
        ``|log det(1 + X)| ≤ Σ_k |tr Xᵏ|/k ≤ δ/(1−δ)`` with δ the sum of the elements of |V| D."""
        inverse, width = _inverse_by_arb(m, r)
        delta = float(((np.abs(inverse) + width) @ self._disturbance(m, r, e)).sum())
        with precision(128):
            exact = abs(_arb_matrix(m, r).det()).log()
            middle = float(exact.mid())
            radius = float(exact.rad()) + U * abs(middle) + TINY
        if not (delta < 0.5 and np.isfinite(middle) and np.isfinite(radius)):
            self.undecided += 1
            return 0.0, np.inf, np.inf
        pivots = np.abs(np.log(np.abs(np.diagonal(_factored(m)[1])))).sum()
        n = len(m)
        # Another choice of pivots moves each by at most the growth.
        size = pivots + n * np.log(GROWTH) + delta
        error = delta / (1 - delta) + (self.contract.units("log") + n + 2) * self.u * size
        return middle, radius, float((error + self.tiny) * _MATRIX_ROOM)

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
        middle, radius, error = self.multiply(exponentials, inverse)
        if self.contract.softmax_of_logsumexp:
            rounded = self.fold("logsumexp", value)
            assert rounded is not None
            m, r, e = (part[..., None] for part in rounded)
            other = self.elementary("exp", self.add([value, (-m, r, e)]))
            error = np.maximum(error, other[2])
        return middle, radius, error

    def fold(self, name: str, value: Value) -> Value | None:
        if name != "logsumexp":
            return None
        m = value[0]
        top = m.max(axis=-1, keepdims=True)
        shift = (-top, np.zeros_like(top), np.zeros_like(top))
        sums = self.total(self.elementary("exp", self.add([value, shift])), (m.ndim - 1,))
        back = (top[..., 0], np.zeros_like(top[..., 0]), np.zeros_like(top[..., 0]))
        return self.add([self.elementary("log", sums), back])


def _halved(found: tuple[np.ndarray, np.ndarray, np.ndarray], tied: np.ndarray) -> Value:
    """Truth values that are ½ ± ½ where operands are tied."""
    m, r, e = found
    return np.where(tied, 0.5, m), np.where(tied, 0.5, r), np.where(tied, 0.0, e)


def _apart(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which of the intervals in the last axis, in the order of their middles, meet no other."""
    before = np.maximum.accumulate(high, axis=-1)[..., :-1]
    after = np.flip(np.minimum.accumulate(np.flip(low, -1), axis=-1), -1)[..., 1:]
    apart = np.ones(low.shape, dtype=bool)
    apart[..., 1:] &= low[..., 1:] > before
    apart[..., :-1] &= high[..., :-1] < after
    return apart


def _arb_matrix(m: np.ndarray, r: np.ndarray) -> flint.arb_mat:
    pairs = zip(m.ravel().tolist(), r.ravel().tolist(), strict=True)
    return flint.arb_mat(*m.shape, [flint.arb(x, w) for x, w in pairs])


def _inverse_by_arb(m: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and radii of the inverse; infinite radii where a matrix inside is singular."""
    with precision(128):
        try:
            entries = _arb_matrix(m, r).inv().entries()
        except ZeroDivisionError:
            return np.zeros(m.shape), np.full(m.shape, np.inf)
        middle = np.array([float(x.mid()) for x in entries], dtype=np.float64).reshape(m.shape)
        width = np.array([float(x.rad()) for x in entries], dtype=np.float64).reshape(m.shape)
    return middle, up(width + U * np.abs(middle))


def _factored(m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L, U and the order of the rows, by elimination with partial pivoting in float64."""
    upper, order = m.astype(np.float64), np.arange(len(m))
    lower = np.eye(len(m))
    for k in range(len(m)):
        best = k + int(np.argmax(np.abs(upper[k:, k])))
        for array in (upper, order):
            array[[k, best]] = array[[best, k]]
        lower[[k, best], :k] = lower[[best, k], :k]
        if upper[k, k] != 0:
            lower[k + 1 :, k] = upper[k + 1 :, k] / upper[k, k]
            upper[k + 1 :] -= np.outer(lower[k + 1 :, k], upper[k])
    return lower, np.triu(upper), order


def _all_signs(size: np.ndarray, exact: bool) -> bool:
    """Whether a factor is one number, and exactly 0, 1 or −1; `size` is its absolute value."""
    return exact and size.size == 1 and size.item() in (0.0, 1.0)


def _signs(size: np.ndarray, radius: np.ndarray, error: np.ndarray) -> np.ndarray | None:
    """Where a factor of these absolute values is exactly 0, 1 or −1: such a product is not
    rounded. `None` where it is so nowhere because all of it is rounded."""
    wide = [part for part in (radius, error) if not _nothing(part)]
    if any(least(part) > TINY for part in wide):
        return None
    sign = (size == 0) | (size == 1)
    for part in wide:
        sign = sign & (part <= TINY)
    return np.asarray(sign)
