"""Programs over a tower of prime fields, in which ``exp(a + b) = exp(a)·exp(b)`` holds exactly.

Each prime is one more than a multiple of the one below it, so the field above has an element g
whose powers repeat with the period of the prime below: ``exp(z) = g^z`` takes a residue of the
prime below to one of the prime above. A number is its residues modulo all primes; every exponential
uses up the lowest. (Two primes for one exponential: M. Wu et al., "Mirage: A multi-level
superoptimizer for tensor programs", OSDI 2025.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count
from random import Random
from typing import Any, final

import flint
import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.field import UnluckyPoint

LEVELS = 8

LOWEST_BITS = 61
FACTOR_BITS = 16
"""How many bits each prime has more than the one below it, or one more than that."""


def random_primes(key: bytes) -> tuple[int, ...]:
    """The primes from the lowest up, drawn with a key."""
    chance = Random(key)
    found = [_first_prime(chance.getrandbits(LOWEST_BITS) | 1 << (LOWEST_BITS - 1), 1)]
    while len(found) < LEVELS:
        factor = 2 * (chance.getrandbits(FACTOR_BITS - 1) | 1 << (FACTOR_BITS - 2))
        found.append(_first_prime(factor * found[-1] + 1, 2 * found[-1]))
    return tuple(found)


def _first_prime(start: int, step: int) -> int:
    return next(p for p in count(start, step) if flint.fmpz(p).is_prime())


def _each(function: Callable[..., int], *arrays: Any) -> np.ndarray:
    made = np.frompyfunc(function, len(arrays), 1)(*arrays)
    result = np.empty(np.shape(made), dtype=object)
    result[...] = made
    return result


def _inverse(x: int, prime: int) -> int:
    if x == 0:
        raise UnluckyPoint
    return pow(x, -1, prime)


@final
class Tower(Arithmetic):
    """Residues modulo the upper primes of the tower, the highest last."""

    def __init__(self, key: bytes, *, apart: bool = False) -> None:
        """With `apart` of two numbers that are compared one is the larger: what then holds, holds
        but for ties."""
        self._key = key
        self._apart = apart
        self._primes = random_primes(key)
        self._bases = [0, *(self._base(k) for k in range(1, LEVELS))]
        self._exponentials: list[tuple[Value, Value]] = []
        self._signs: dict[int, tuple[int, ...]] = {}
        self._choices: dict[tuple[int, int], tuple[int, ...]] = {}

    def _base(self, level: int) -> int:
        """A random element of the order of the prime below."""
        prime, below = self._primes[level], self._primes[level - 1]
        for attempt in count():
            x = self._hashed(f"base {level}", attempt, prime)
            base = pow(x, (prime - 1) // below, prime)
            if base != 1:
                return base
        raise AssertionError

    def _hashed(self, purpose: str, number: int, prime: int) -> int:
        data = f"{purpose}|{number}|{prime}".encode()
        digest = hashlib.blake2b(data, key=self._key, digest_size=64).digest()
        return 1 + int.from_bytes(digest, "little") % (prime - 1)

    def _moduli(self, value: Value) -> tuple[int, ...]:
        return self._primes[LEVELS - len(value) :]

    def _random(self, purpose: str, top: np.ndarray, levels: int) -> Value:
        """A random function of a number, which its highest residue stands for."""
        return tuple(
            _each(lambda x, p=p: self._hashed(purpose, int(x), p), top)
            for p in self._primes[LEVELS - levels :]
        )

    def draw(self, shape: tuple[int, ...], purpose: str) -> Value:
        """Random residues for one tensor, whose name is the purpose."""
        places = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        return self._random(f"input {purpose}", places, LEVELS)

    # --- arithmetic -----------------------------------------------------------------------------

    def lift(self, array: np.ndarray) -> Value:
        exact = _each(lambda x: Fraction(float(x)), np.asarray(array))
        return tuple(
            _each(lambda x, p=p: x.numerator * _inverse(x.denominator, p) % p, exact)
            for p in self._primes
        )

    def number(self, value: Fraction) -> Value:
        made = []
        for prime in self._primes:
            residue = np.empty((), dtype=object)
            residue[()] = value.numerator * _inverse(value.denominator % prime, prime) % prime
            made.append(residue)
        return tuple(made)

    def _both(
        self, left: Value, right: Value, combine: Callable[[Any, Any, int], np.ndarray]
    ) -> Value:
        levels = min(len(left), len(right))
        pairs = zip(left[-levels:], right[-levels:], self._primes[-levels:], strict=True)
        return tuple(np.asarray(combine(a, b, p), dtype=object) for a, b, p in pairs)

    def add(self, values: Sequence[Value]) -> Value:
        result = values[0]
        for value in values[1:]:
            result = self._both(result, value, lambda a, b, p: (a + b) % p)
        return result

    def repeat(self, value: Value, count: int) -> Value:
        return self.multiply(value, self.number(Fraction(count)))

    def multiply(self, left: Value, right: Value) -> Value:
        return self._both(left, right, lambda a, b, p: a * b % p)

    def power(self, base: Value, exponent: Fraction) -> Value:
        whole, rest = divmod(exponent, 1)
        if rest == Fraction(1, 2):
            raise NotYet("A square root has no value in a tower of primes.")
        e = int(whole)
        result = tuple(
            _each(lambda x, p=p: pow(x if e >= 0 else _inverse(x, p), abs(e), p), part)
            for part, p in zip(base, self._moduli(base), strict=True)
        )
        if rest:
            return self.multiply(result, self._random(f"power {rest}", base[-1], len(base)))
        return result

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return tuple(
            np.asarray(np.sum(part, axis=axes) % p, dtype=object)
            for part, p in zip(value, self._moduli(value), strict=True)
        )

    def matmul(self, left: Value, right: Value) -> Value:
        stacked = tuple(part[..., :, :, None] for part in left)
        beside = tuple(part[..., None, :, :] for part in right)
        return self.total(self.multiply(stacked, beside), (-2,))

    # --- functions ------------------------------------------------------------------------------

    def elementary(self, name: str, value: Value) -> Value:
        match name:
            case "exp":
                return self._exp(value)
            case "log":
                return self._log(value)
            case _:
                raise NotYet(f"{name} has no value in a tower of primes.")

    def pi(self) -> Value:
        return self._random("pi", np.zeros((), dtype=object), LEVELS)

    def _exp(self, value: Value) -> Value:
        if len(value) == 1:
            raise NotYet("The tower of primes is too low for so many nested exponentials.")
        first = LEVELS - len(value) + 1
        result = tuple(
            _each(lambda z, g=g, p=p: pow(g, z, p), part)
            for part, g, p in zip(
                value[:-1], self._bases[first:], self._primes[first:], strict=True
            )
        )
        self._exponentials.append((result, value))
        return result

    def _log(self, value: Value) -> Value:
        """Random with ``log(1/x) = −log x``; of an exponential, its argument."""
        levels = len(value)
        known = {
            top: tuple(part.reshape(-1)[k] for part in arguments[-levels:])
            for results, arguments in self._exponentials
            for k, top in enumerate(results[-1].reshape(-1))
            if len(arguments) >= levels
        }
        prime = self._primes[-1]

        def one(x: int) -> tuple[int, ...]:
            if x in known:
                return known[x]
            reverse = _inverse(x, prime)
            moduli = self._moduli(value)
            if x == reverse:
                return (0,) * levels
            drawn = [self._hashed("log", min(x, reverse), p) for p in moduli]
            return tuple(d if x < reverse else p - d for d, p in zip(drawn, moduli, strict=True))

        return self._rebuilt([one(x) for x in value[-1].reshape(-1)], value)

    def _rebuilt(self, rows: list[tuple[int, ...]], like: Value) -> Value:
        parts = []
        for k in range(len(like)):
            part = np.empty(len(rows), dtype=object)
            part[:] = [row[k] for row in rows]
            parts.append(part.reshape(like[0].shape))
        return tuple(parts)

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        if relation == "==":
            return self._equal(left, right)
        if relation == ">":
            return self._step(self._both(left, right, lambda a, b, p: (a - b) % p))
        below = self._step(self._both(right, left, lambda a, b, p: (a - b) % p))
        return self._complement(below)

    def _complement(self, value: Value) -> Value:
        return tuple(
            np.asarray((1 - part) % p, dtype=object)
            for part, p in zip(value, self._moduli(value), strict=True)
        )

    def _step(self, difference: Value) -> Value:
        """``[t > 0]``, as modulo one prime."""
        prime, moduli = self._primes[-1], self._moduli(difference)

        def one(t: int) -> tuple[int, ...]:
            if t == 0:
                return (0,) * len(moduli)
            if t in self._signs:
                return self._signs[t][-len(moduli) :]
            flipped = self._apart and t > prime // 2
            drawn = [self._hashed("step", prime - t if flipped else t, p) for p in moduli]
            return tuple((1 - d) % p if flipped else d for d, p in zip(drawn, moduli, strict=True))

        return self._rebuilt([one(t) for t in difference[-1].reshape(-1)], difference)

    def _equal(self, left: Value, right: Value) -> Value:
        """As modulo one prime: 1, a choice, or a random even function of the difference."""
        levels = min(len(left), len(right))
        a, b = np.broadcast_arrays(left[-1], right[-1])
        prime, moduli = self._primes[-1], self._primes[LEVELS - levels :]

        def one(x: int, y: int) -> tuple[int, ...]:
            if x == y:
                return (1,) * levels
            if (x, y) in self._choices:
                return self._choices[(x, y)][-levels:]
            apart = min((x - y) % prime, (y - x) % prime)
            return tuple(self._hashed("equal", apart, p) for p in moduli)

        rows = [one(x, y) for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True)]
        like = tuple(np.broadcast_to(part, a.shape) for part in left[-levels:])
        return self._rebuilt(rows, like)

    def largest(self, value: Value, axis: int) -> Value:
        """``Σ cᵢxᵢ`` with random ``cᵢ`` that add up to 1, whatever the order of the row."""
        moved = tuple(np.moveaxis(part, axis, -1) for part in value)
        tops = moved[-1].reshape(-1, moved[-1].shape[-1])
        choices = [self._choice(list(row), self._moduli(value)) for row in tops]
        weights = self._rebuilt([c for row in choices for c in row], moved)
        result = self.total(self.multiply(moved, weights), (-1,))
        for row, chosen, top in zip(tops, choices, result[-1].reshape(-1), strict=True):
            for x, c in zip(row, chosen, strict=True):
                padded = (0,) * (LEVELS - len(c)) + c
                self._choices[(x, top)] = self._choices[(top, x)] = padded
        return result

    def _choice(self, row: list[int], moduli: tuple[int, ...]) -> list[tuple[int, ...]]:
        together = "|".join(map(str, sorted(row)))
        first = row.index(min(row))
        columns = []
        for prime in moduli:
            drawn = [self._hashed(f"choice {together}", x, prime) for x in row]
            drawn[first] = (1 - sum(drawn) + drawn[first]) % prime
            columns.append(drawn)
        return list(zip(*columns, strict=True))

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        if name != "relu" or order:
            return None
        (z,) = arguments
        steps = self.compare(">", z, self.number(Fraction(0)))
        result = self.multiply(z, steps)
        flat = [part.reshape(-1) for part in steps]
        for k, top in enumerate(result[-1].reshape(-1)):
            step = tuple(part[k] for part in flat)
            self._signs[top] = (0,) * (LEVELS - len(step)) + step
            if top:
                self._signs[self._primes[-1] - top] = (0,) * LEVELS
        return result
