"""Degrees and weights of the rational functions that a program computes over a field.

A value has, for numerator and denominator, a bound on the degree and on the logarithm of the weight
(the sum of the sizes of all coefficients), as polynomials with integer coefficients in the random
inputs and in the outputs of random functions. They bound how often two different formulas are not
told apart: at a random point by their degree (Schwartz and Zippel), and modulo a random prime by
their weight, which limits how many primes divide all coefficients of their difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, factorial, log2
from typing import final

import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.field import BITS, PRIMES


@final
class Degrees(Arithmetic):
    """Bounds on degrees and weights; how many values of random functions there are.

    A value is the degrees above and below, then the logarithms (to base 2) of the weights above and
    below. The weight of a root is the root of the weight: then no product is heavier than the
    product of the weights, although ``√a·√a`` is a.
    """

    def __init__(self) -> None:
        self.arguments = 0
        self.argument_degree = 0.0
        self.argument_weight = 0.0
        self.roots = 0
        self.constants = 0

    def variable(self, shape: tuple[int, ...], weight: float = 0.0) -> Value:
        """A tensor of independent random elements, or of sums of such with a given weight."""
        zero = np.zeros(shape)
        return np.ones(shape), zero, np.full(shape, weight), zero

    def lift(self, array: np.ndarray) -> Value:
        flat = np.asarray(array, dtype=np.float64)
        unique, where = np.unique(flat, return_inverse=True)
        pairs = [float(x).as_integer_ratio() for x in unique]
        above = np.array([_log(abs(numerator)) for numerator, _ in pairs])
        below = np.array([_log(denominator) for _, denominator in pairs])
        zero = np.zeros(flat.shape)
        return zero, zero, above[where].reshape(flat.shape), below[where].reshape(flat.shape)

    def number(self, value: Fraction) -> Value:
        above, below = _log(abs(value.numerator)), _log(value.denominator)
        return np.zeros(()), np.zeros(()), np.asarray(above), np.asarray(below)

    def add(self, values: Sequence[Value]) -> Value:
        below, under = sum(v[1] for v in values), sum(v[3] for v in values)
        above, over = values[0][0] - values[0][1], values[0][2] - values[0][3]
        for value in values[1:]:
            above = np.maximum(above, value[0] - value[1])
            over = np.logaddexp2(over, value[2] - value[3])
        shape = np.shape(above)
        spread = np.broadcast_to
        return above + below, spread(below, shape), over + under, spread(under, shape)

    def repeat(self, value: Value, count: int) -> Value:
        return value[0], value[1], value[2] + _log(count), value[3]

    def multiply(self, left: Value, right: Value) -> Value:
        return tuple(a + b for a, b in zip(left, right, strict=True))

    def power(self, base: Value, exponent: Fraction) -> Value:
        above, below, over, under = base if exponent >= 0 else (base[1], base[0], base[3], base[2])
        times = abs(exponent)
        if exponent.denominator == 2:
            self.roots += int(np.size(above))
        elif exponent.denominator > 2:
            extra = self._fresh(base)
            above = above + extra[0]
            times = Fraction(ceil(times))
        factor = float(times)
        return factor * above, factor * below, factor * over, factor * under

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        below, under = np.sum(value[1], axis=axes), np.sum(value[3], axis=axes)
        above = np.max(value[0] - value[1], axis=axes)
        over = np.logaddexp2.reduce(value[2] - value[3], axis=axes)
        return above + below, below, over + under, under

    def matmul(self, left: Value, right: Value) -> Value:
        a = tuple(part[..., :, :, None] for part in left)
        b = tuple(part[..., None, :, :] for part in right)
        return self.total(self.multiply(a, b), (-2,))

    def elementary(self, name: str, value: Value) -> Value:
        one, zero, *_ = self._fresh(value)
        if name in ("sin", "cos"):  # (1 − t²)/(1 + t²) and 2t/(1 + t²)
            return one + one, one + one, one, one
        # E(−z) is 1/E(z): the variable stands above or below.
        return (one, one, zero, zero) if name == "exp" else (one, zero, zero, zero)

    def pi(self) -> Value:
        self.constants = 1
        value = self.variable(())  # of which it is the square
        return self.multiply(value, value)

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        return self._fresh(self.add([left, right]))

    def inverse(self, value: Value) -> Value:
        """By Cramer's rule: cofactors over the determinant, of a matrix without fractions."""
        size = value[0].shape[-1]
        common, (degree, weight) = self._cleared(value)
        below, under = size * degree, size * weight + _log(factorial(size))
        minor = max(size - 1, 0)
        above, over = common[0] + minor * degree, common[1] + minor * weight
        parts = (above, below, over + _log(factorial(minor)), under)
        return tuple(np.broadcast_to(p[..., None, None], value[0].shape) for p in parts)

    def logdet(self, value: Value) -> Value:
        size = value[0].shape[-1]
        common, (degree, weight) = self._cleared(value)
        over = size * weight + _log(factorial(size))
        determinant = (size * degree, size * common[0], over, size * common[1])
        logarithm = self._fresh(self.multiply(determinant, determinant))
        return self.multiply(self.number(Fraction(1, 2)), logarithm)

    @staticmethod
    def _cleared(value: Value) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, ...]]:
        """Degree and weight of a common divisor of all elements, and of what they are times it."""
        above, below, over, under = (np.asarray(part, dtype=np.float64) for part in value)
        common, weight = below.sum(axis=(-2, -1)), under.sum(axis=(-2, -1))
        degree = (above - below).max(axis=(-2, -1), initial=-np.inf) + common
        most = (over - under).max(axis=(-2, -1), initial=-np.inf) + weight
        return (common, weight), (np.maximum(degree, 0.0), np.maximum(most, 0.0))

    def largest(self, value: Value, axis: int) -> Value:
        choice = self._fresh(value)
        return self.total(self.multiply(value, choice), (axis,))

    def _fresh(self, value: Value) -> Value:
        """The values of a random function at these arguments."""
        self.arguments += int(np.size(value[0]))
        degree = float(np.max(value[0] + value[1], initial=0.0))
        self.argument_degree = max(self.argument_degree, degree)
        weight = float(np.max(value[2] + value[3], initial=0.0))
        self.argument_weight = max(self.argument_weight, weight)
        zero = np.zeros(np.shape(value[0]))
        return np.ones(np.shape(value[0])), zero, zero, zero

    def chances(self, pairs: Sequence[tuple[Value, Value]]) -> tuple[float, float]:
        """The probability that a random point does not show that one of these pairs differs, and
        the probability that a random prime is such that no point does.

        Among them is that two different arguments of a random function become one.
        """
        degree = weight = 0.0
        for left, right in pairs:
            both = self.add([left, right])
            degree = max(degree, float(np.max(both[0] + both[1], initial=0.0)))
            weight = max(weight, float(np.max(both[2] + both[3], initial=0.0)))
        collisions = float(self.arguments) ** 2
        degree += 1 + collisions * 2 * self.argument_degree
        weight += 1 + collisions * (2 * self.argument_weight + 1)
        # A point's residues are even but for one part in 2¹³; 2⁵⁰ is the least prime.
        point = min(1.0, 1.001 * degree / 2.0 ** (BITS - 1))
        # π is one residue for all points of a round, as the prime is.
        whole_round = weight / (BITS - 1) / PRIMES + self.constants * point
        return point, min(1.0, whole_round)


def _log(number: int) -> float:
    return log2(number) if number > 1 else 0.0
