"""Programs over the integers modulo the prime 2⁶¹ − 1: exact arithmetic in which identities are
tested at random points.

exp is a random function E of the residue with ``E(0) = 1`` and ``E(−z) = 1/E(z)``, so that
sigmoid, tanh and softmax, which are built from it, obey their derivative relations as theorems.
A step is a random field element with ``step(−t) = 1 − step(t)``. Two formulas that agree at a
random point are equal but for the chance of Schwartz and Zippel (J. Schwartz, "Fast probabilistic
algorithms for verification of polynomial identities", JACM 27, 1980).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import final

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value

PRIME = 2**61 - 1


class UnluckyPoint(Exception):
    """This point divides by zero, or has a root that does not exist: another one is drawn."""


def _each(function: Callable[..., int], *arrays: np.ndarray) -> np.ndarray:
    made = np.frompyfunc(function, len(arrays), 1)(*arrays)
    result = np.empty(np.shape(made), dtype=object)
    result[...] = made
    return result


def _inverse(x: int) -> int:
    if x == 0:
        raise UnluckyPoint
    return pow(x, -1, PRIME)


@final
class Modular(Arithmetic):
    """Residues as elements of object arrays, with random functions drawn from a secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._logarithms: dict[int, int] = {}
        self.generators = 0

    def _random(self, purpose: bytes, x: int) -> int:
        self.generators += 1
        seed = hashlib.blake2b(
            purpose + x.to_bytes(8, "little"), key=self._key, digest_size=32
        ).digest()
        return 1 + int.from_bytes(seed, "little") % (PRIME - 1)

    def draw(self, shape: tuple[int, ...], purpose: str) -> Value:
        """Random residues for one tensor, whose name is the purpose."""
        result = np.empty(shape, dtype=object)
        for number, place in enumerate(np.ndindex(*shape)):
            result[place] = self._random(purpose.encode() + b"|", number)
        return (result,)

    def lift(self, array: np.ndarray) -> Value:
        def one(x: float) -> int:
            exact = Fraction(float(x))
            return exact.numerator * _inverse(exact.denominator % PRIME) % PRIME

        return (_each(one, np.asarray(array)),)

    def number(self, value: Fraction) -> Value:
        residue = value.numerator * _inverse(value.denominator % PRIME) % PRIME
        return (_each(lambda _: residue, np.zeros(())),)

    def add(self, values: Sequence[Value]) -> Value:
        return (np.asarray(sum(v[0] for v in values) % PRIME, dtype=object),)

    def repeat(self, value: Value, count: int) -> Value:
        return (np.asarray(value[0] * count % PRIME, dtype=object),)

    def multiply(self, left: Value, right: Value) -> Value:
        return (np.asarray(left[0] * right[0] % PRIME, dtype=object),)

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent.denominator == 1:
            e = exponent.numerator
            if e >= 0:
                return (_each(lambda x: pow(x, e, PRIME), base[0]),)
            return (_each(lambda x: pow(_inverse(x), -e, PRIME), base[0]),)
        if exponent.denominator == 2:
            root = (_each(_square_root, base[0]),)
            return self.power(root, Fraction(exponent.numerator))
        raise NotYet(f"The exponent {exponent} has no exact arithmetic yet.")

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return (np.asarray(np.sum(value[0], axis=axes) % PRIME, dtype=object),)

    def matmul(self, left: Value, right: Value) -> Value:
        products = left[0][..., :, :, None] * right[0][..., None, :, :]
        return (np.asarray(np.sum(products, axis=-2) % PRIME, dtype=object),)

    def elementary(self, name: str, value: Value) -> Value:
        return (_each(self._exp if name == "exp" else self._log, value[0]),)

    def _exp(self, z: int) -> int:
        if z == 0:
            return 1
        if z > PRIME // 2:
            return _inverse(self._exp(PRIME - z))
        found = self._random(b"exp", z)
        self._logarithms[found] = z
        self._logarithms[_inverse(found)] = PRIME - z
        return found

    def _log(self, x: int) -> int:
        if x == 0:
            raise UnluckyPoint
        if x == 1:
            return 0
        if x not in self._logarithms:
            inverse = _inverse(x)
            small = min(x, inverse)
            value = self._random(b"log", small)
            self._logarithms[small] = value
            self._logarithms[_inverse(small)] = PRIME - value
        return self._logarithms[x]

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        if relation == "==":
            return (_each(lambda a, b: int(a == b), *np.broadcast_arrays(left[0], right[0])),)
        zero = 1 if relation == ">=" else 0

        def step(a: int, b: int) -> int:
            t = (a - b) % PRIME
            if t == 0:
                return zero
            if t > PRIME // 2:
                return (1 - self._random(b"step", PRIME - t)) % PRIME
            return self._random(b"step", t)

        return (_each(step, *np.broadcast_arrays(left[0], right[0])),)

    def largest(self, value: Value, axis: int) -> Value:
        rank = _each(lambda x: self._random(b"rank", x), value[0])
        chosen = np.argmax(rank, axis=axis, keepdims=True)
        return (np.take_along_axis(value[0], chosen, axis=axis).squeeze(axis),)


def _square_root(x: int) -> int:
    """The root that is itself a square, so that ``√a·√b = √(ab)``; ``PRIME ≡ 3 mod 4``."""
    if pow(x, (PRIME - 1) // 2, PRIME) == PRIME - 1:
        raise UnluckyPoint
    return pow(x, (PRIME + 1) // 4, PRIME)
