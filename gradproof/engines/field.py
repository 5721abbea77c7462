"""Exact arithmetic of two finite fields on whole arrays: the integers modulo p = 2⁶¹ − 1, and the
same with a square root of −1, in which every number of the first has a root.

An element is a tuple of arrays of ``uint64``: one residue, or a real and an imaginary one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

PRIME = 2**61 - 1

_P = np.uint64(PRIME)
_ZERO = np.uint64(0)
_BITS = np.uint64(61)
_31 = np.uint64(31)
_LOW31 = np.uint64(2**31 - 1)
_30 = np.uint64(30)
_LOW30 = np.uint64(2**30 - 1)
_32 = np.uint64(32)
_LOW32 = np.uint64(2**32 - 1)

Element = tuple[np.ndarray, ...]


class UnluckyPoint(Exception):
    """This point divides by zero, or has a root that does not exist: another one is drawn."""


def reduced(x: np.ndarray) -> np.ndarray:
    """Any 64-bit number to its residue: ``2⁶¹ ≡ 1``, so the high bits are added to the low."""
    x = (x & _P) + (x >> _BITS)
    return np.asarray(x - np.where(x >= _P, _P, _ZERO))


def plus(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of residues."""
    return reduced(x + y)


def minus(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The difference of residues."""
    return reduced(x + (_P - y))


def times(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of residues, from products of 31-bit halves that fit in 64 bits."""
    x1, x0 = x >> _31, x & _LOW31
    y1, y0 = y >> _31, y & _LOW31
    middle = x1 * y0 + x0 * y1
    # x1·y1·2⁶² ≡ 2·x1·y1, and middle·2³¹ ≡ (middle mod 2³⁰)·2³¹ + (middle div 2³⁰).
    folded = (x1 * y1 << np.uint64(1)) + (middle >> _30) + ((middle & _LOW30) << _31)
    return reduced(reduced(folded) + reduced(x0 * y0))


def summed(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The sum over axes, low and high halves apart so that nothing overflows."""
    low = np.sum(x & _LOW32, axis=axes, dtype=np.uint64)
    high = np.sum(x >> _32, axis=axes, dtype=np.uint64)
    return plus(times(reduced(high), np.uint64(2**32)), reduced(low))


def residue(value: int) -> np.ndarray:
    """An integer as a residue."""
    return np.asarray(value % PRIME, dtype=np.uint64)


class Field(ABC):
    """What an exact arithmetic needs of a field, on whole arrays."""

    @abstractmethod
    def embed(self, x: np.ndarray) -> Element:
        """Residues as elements."""

    @abstractmethod
    def multiply(self, x: Element, y: Element) -> Element:
        """The elementwise product."""

    @abstractmethod
    def inverse(self, x: Element) -> Element:
        """The elementwise inverse.

        Raises:
            UnluckyPoint: an element is zero.
        """

    @abstractmethod
    def root(self, x: Element) -> Element:
        """A square root of each element.

        Raises:
            UnluckyPoint: an element has none.
        """

    def add(self, x: Element, y: Element) -> Element:
        """The elementwise sum."""
        return tuple(plus(a, b) for a, b in zip(x, y, strict=True))

    def negate(self, x: Element) -> Element:
        """The elementwise negative."""
        return tuple(minus(np.zeros_like(a), a) for a in x)

    def one(self, like: Element) -> Element:
        """Ones of the same shape."""
        return self.embed(np.ones_like(like[0]))

    def power(self, x: Element, exponent: int) -> Element:
        """A nonnegative integer power, by repeated squaring."""
        result, square = self.one(x), x
        while exponent:
            if exponent & 1:
                result = self.multiply(result, square)
            exponent >>= 1
            if exponent:
                square = self.multiply(square, square)
        return result


FEW = 512
"""Up to so many elements Python's own integers invert faster than repeated squaring of arrays."""


@final
class PrimeField(Field):
    """The integers modulo p."""

    def embed(self, x: np.ndarray) -> Element:
        return (x,)

    def multiply(self, x: Element, y: Element) -> Element:
        return (times(x[0], y[0]),)

    def inverse(self, x: Element) -> Element:
        if np.any(x[0] == 0):
            raise UnluckyPoint
        if x[0].size <= FEW:
            found = [pow(int(element), -1, PRIME) for element in x[0].reshape(-1)]
            return (np.array(found, dtype=np.uint64).reshape(x[0].shape),)
        return self.power(x, PRIME - 2)

    def root(self, x: Element) -> Element:
        (found,) = self.power(x, (PRIME + 1) // 4)  # p ≡ 3 mod 4
        if np.any(times(found, found) != x[0]):
            raise UnluckyPoint
        return (found,)


@final
class QuadraticField(Field):
    """The integers modulo p with ``i² = −1``, which is no square modulo p."""

    def embed(self, x: np.ndarray) -> Element:
        return (x, np.zeros_like(x))

    def multiply(self, x: Element, y: Element) -> Element:
        if not (np.any(x[1]) or np.any(y[1])):  # nearly always
            real = times(x[0], y[0])
            return (real, np.zeros_like(real))
        return (
            minus(times(x[0], y[0]), times(x[1], y[1])),
            plus(times(x[0], y[1]), times(x[1], y[0])),
        )

    def inverse(self, x: Element) -> Element:
        norm = plus(times(x[0], x[0]), times(x[1], x[1]))
        (scale,) = PrimeField().inverse((norm,))
        return (times(x[0], scale), times(minus(np.zeros_like(x[1]), x[1]), scale))

    def root(self, x: Element) -> Element:
        if not np.any(x[1]):
            return self._root_of_residue(x[0])
        # (c + di)² = a + bi has c² = (a ± √(a²+b²))/2 and d = b/(2c).
        field = PrimeField()
        (norm,) = field.root((plus(times(x[0], x[0]), times(x[1], x[1])),))
        half = np.uint64((PRIME + 1) // 2)
        square = times(plus(x[0], norm), half)
        other = times(minus(x[0], norm), half)
        square = np.where(_is_square(square), square, other)
        (real,) = field.root((square,))
        (scale,) = field.inverse((plus(real, real),))
        return (real, times(x[1], scale))

    def _root_of_residue(self, x: np.ndarray) -> Element:
        square = _is_square(x)
        (found,) = PrimeField().root((np.where(square, x, minus(np.zeros_like(x), x)),))
        zero = np.zeros_like(found)
        return (np.where(square, found, zero), np.where(square, zero, found))


def _is_square(x: np.ndarray) -> np.ndarray:
    (sign,) = PrimeField().power((x,), (PRIME - 1) // 2)
    return sign <= 1
