"""Exact arithmetic of finite fields on whole arrays: the integers modulo a prime, and the same with
a square root of −1, in which every number of the first has a root.

The prime is drawn at random, after the formulas are fixed, so that no formula is made for it: with
2⁶¹ − 1, a factor of 2⁶¹ would be 1. An element is a tuple of arrays of ``uint64``: one residue, or
a real and an imaginary one.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from itertools import count
from math import prod
from typing import final

import flint
import numpy as np

BITS = 51
"""The primes lie between ``2⁵⁰`` and ``2⁵¹``: the quotient of a product is a double then, but for
one unit."""

PRIMES = 1.6e13
"""At least so many primes of `BITS` bits are 3 modulo 4: ``(Li(2⁵¹) − Li(2⁵⁰))/2`` is 1.606e13,
and each term is at most ``x/(840 log² x)`` off (M. A. Bennett, G. Martin, K. O'Bryant and A.
Rechnitzer, "Explicit bounds for primes in arithmetic progressions", Illinois J. Math. 62, 2018)."""

Element = tuple[np.ndarray, ...]


class UnluckyPoint(Exception):
    """This point divides by zero, or has a root that does not exist: another one is drawn."""


def random_prime(key: bytes) -> int:
    """A prime of `BITS` bits that is 3 modulo 4, all alike probable; the same for the same key."""
    for number in count():
        digest = hashlib.blake2b(b"prime|%d" % number, key=key[:64], digest_size=8).digest()
        drawn = int.from_bytes(digest, "little") % (1 << (BITS - 3))
        candidate = (1 << (BITS - 1)) + 4 * drawn + 3
        if flint.fmpz(candidate).is_prime():
            return candidate
    raise AssertionError


class Field(ABC):
    """What an exact arithmetic needs of a field, on whole arrays."""

    prime: int
    """The number of residues."""

    @abstractmethod
    def embed(self, x: np.ndarray) -> Element:
        """Residues as elements."""

    @abstractmethod
    def add(self, x: Element, y: Element) -> Element:
        """The elementwise sum."""

    @abstractmethod
    def negate(self, x: Element) -> Element:
        """The elementwise negative."""

    @abstractmethod
    def total(self, x: Element, axes: tuple[int, ...]) -> Element:
        """The sum over axes."""

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

    def residue(self, value: int) -> np.ndarray:
        """An integer as a residue."""
        return np.asarray(value % self.prime, dtype=np.uint64)

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


FEW = 1 << 12
"""Up to so many elements Python's own integers invert faster than repeated squaring of arrays."""

MANY = 1 << 12
"""So many residues add up without overflow."""


def _inverses(elements: list[int], prime: int) -> list[int]:
    """The inverse of each, from that of the product of all (P. L. Montgomery, "Speeding the Pollard
    and elliptic curve methods of factorization", Mathematics of Computation 48, 1987)."""
    before, product = [], 1
    for element in elements:
        before.append(product)
        product = product * element % prime
    inverse = pow(product, -1, prime)
    found = []
    for element, others in zip(reversed(elements), reversed(before), strict=True):
        found.append(inverse * others % prime)
        inverse = inverse * element % prime
    return found[::-1]


@final
class PrimeField(Field):
    """The integers modulo a prime of at most `BITS` bits that is 3 modulo 4."""

    def __init__(self, prime: int) -> None:
        assert prime.bit_length() <= BITS
        assert prime % 4 == 3
        self.prime = prime
        self._p = np.uint64(prime)
        self._twice = np.uint64(2 * prime)
        self._inverse = 1.0 / prime

    # Functions instead of operators: those of NumPy's scalars warn where an integer wraps around.

    def plus(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The sum of residues."""
        total = np.add(x, y)
        # Where the difference is negative it wraps around and is the larger of the two.
        return np.asarray(np.minimum(total, np.subtract(total, self._p)))

    def minus(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The difference of residues."""
        difference = np.subtract(x, y)
        return np.asarray(np.minimum(difference, np.add(difference, self._p)))

    def times(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The product of residues: 64 bits of it, less the quotient times p.

        The quotient is below 2⁵¹ and comes from doubles with a relative error of 3·2⁻⁵³: before it
        is cut to an integer it is less than 3/4 off, and after that at most 1.
        """
        floats = x.astype(np.float64) * y.astype(np.float64) * self._inverse
        quotient = floats.astype(np.uint64)
        rest = np.subtract(np.multiply(x, y), np.multiply(quotient, self._p))
        rest = np.add(rest, self._p)  # in 0 .. 3p − 1
        rest = np.minimum(rest, np.subtract(rest, self._twice))
        return np.asarray(np.minimum(rest, np.subtract(rest, self._p)))

    def summed(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The sum of residues over axes."""
        if prod(x.shape[axis] for axis in axes) > MANY:
            low, high = x & np.uint64(2**26 - 1), x >> np.uint64(26)
            first = np.sum(low, axis=axes, dtype=np.uint64) % self._p
            second = np.sum(high, axis=axes, dtype=np.uint64) % self._p
            return self.plus(first, self.times(second, self.residue(2**26)))
        return np.asarray(np.sum(x, axis=axes, dtype=np.uint64) % self._p)

    def is_square(self, x: np.ndarray) -> np.ndarray:
        """Whether each residue has a root; 0 has one."""
        (sign,) = self.power((x,), (self.prime - 1) // 2)
        return np.asarray(sign <= 1)

    def embed(self, x: np.ndarray) -> Element:
        return (x,)

    def add(self, x: Element, y: Element) -> Element:
        return (self.plus(x[0], y[0]),)

    def negate(self, x: Element) -> Element:
        return (self.minus(np.zeros_like(x[0]), x[0]),)

    def total(self, x: Element, axes: tuple[int, ...]) -> Element:
        return (self.summed(x[0], axes),)

    def multiply(self, x: Element, y: Element) -> Element:
        return (self.times(x[0], y[0]),)

    def inverse(self, x: Element) -> Element:
        if np.any(x[0] == 0):
            raise UnluckyPoint
        if x[0].size <= FEW:
            found = _inverses(x[0].reshape(-1).tolist(), self.prime)
            return (np.array(found, dtype=np.uint64).reshape(x[0].shape),)
        return self.power(x, self.prime - 2)

    def root(self, x: Element) -> Element:
        (found,) = self.power(x, (self.prime + 1) // 4)  # p ≡ 3 mod 4
        if np.any(self.times(found, found) != x[0]):
            raise UnluckyPoint
        return (found,)


@final
class QuadraticField(Field):
    """The integers modulo p with ``i² = −1``, which is no square modulo p."""

    def __init__(self, prime: int) -> None:
        self.prime = prime
        self.real = PrimeField(prime)

    def embed(self, x: np.ndarray) -> Element:
        return (x, np.zeros_like(x))

    def add(self, x: Element, y: Element) -> Element:
        return (self.real.plus(x[0], y[0]), self.real.plus(x[1], y[1]))

    def negate(self, x: Element) -> Element:
        zero = np.zeros_like(x[0])
        return (self.real.minus(zero, x[0]), self.real.minus(zero, x[1]))

    def total(self, x: Element, axes: tuple[int, ...]) -> Element:
        return (self.real.summed(x[0], axes), self.real.summed(x[1], axes))

    def multiply(self, x: Element, y: Element) -> Element:
        f = self.real
        if not (np.any(x[1]) or np.any(y[1])):  # nearly always
            real = f.times(x[0], y[0])
            return (real, np.zeros_like(real))
        return (
            f.minus(f.times(x[0], y[0]), f.times(x[1], y[1])),
            f.plus(f.times(x[0], y[1]), f.times(x[1], y[0])),
        )

    def inverse(self, x: Element) -> Element:
        f = self.real
        norm = f.plus(f.times(x[0], x[0]), f.times(x[1], x[1]))
        (scale,) = f.inverse((norm,))
        return (f.times(x[0], scale), f.times(f.minus(np.zeros_like(x[1]), x[1]), scale))

    def root(self, x: Element) -> Element:
        if not np.any(x[1]):
            return self._root_of_residue(x[0])
        # (c + di)² = a + bi has c² = (a ± √(a²+b²))/2 and d = b/(2c).
        f = self.real
        (norm,) = f.root((f.plus(f.times(x[0], x[0]), f.times(x[1], x[1])),))
        half = f.residue((self.prime + 1) // 2)
        square = f.times(f.plus(x[0], norm), half)
        other = f.times(f.minus(x[0], norm), half)
        square = np.where(f.is_square(square), square, other)
        (real,) = f.root((square,))
        (scale,) = f.inverse((f.plus(real, real),))
        return (real, f.times(x[1], scale))

    def _root_of_residue(self, x: np.ndarray) -> Element:
        f = self.real
        square = f.is_square(x)
        (found,) = f.root((np.where(square, x, f.minus(np.zeros_like(x), x)),))
        zero = np.zeros_like(found)
        return (np.where(square, found, zero), np.where(square, zero, found))
