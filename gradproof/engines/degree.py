"""Degrees of the rational functions that a program computes over a field, element by element.

A value is a pair of arrays: bounds on the degrees of numerator and denominator, as polynomials in
the random inputs and in the outputs of random functions. They bound how often a random point does
not tell two different formulas apart (Schwartz and Zippel).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import final

import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value


@final
class Degrees(Arithmetic):
    """Bounds on degrees; how many values of random functions there are, and of what degree."""

    def __init__(self) -> None:
        self.arguments = 0
        self.argument_degree = 0.0
        self.roots = 0

    def variable(self, shape: tuple[int, ...]) -> Value:
        """A tensor of independent random elements."""
        return np.ones(shape), np.zeros(shape)

    def lift(self, array: np.ndarray) -> Value:
        return np.zeros(np.shape(array)), np.zeros(np.shape(array))

    def number(self, value: Fraction) -> Value:
        return np.zeros(()), np.zeros(())

    def add(self, values: Sequence[Value]) -> Value:
        below = sum(v[1] for v in values)
        above = values[0][0] - values[0][1]
        for value in values[1:]:
            above = np.maximum(above, value[0] - value[1])
        return above + below, np.broadcast_to(below, np.shape(above))

    def repeat(self, value: Value, count: int) -> Value:
        return value

    def multiply(self, left: Value, right: Value) -> Value:
        return left[0] + right[0], left[1] + right[1]

    def power(self, base: Value, exponent: Fraction) -> Value:
        above, below = base if exponent >= 0 else (base[1], base[0])
        times = abs(exponent)
        if exponent.denominator == 2:
            self.roots += int(np.size(above))
        elif exponent.denominator > 2:
            extra = self._fresh(base)
            above, below = above + extra[0], below
            times = Fraction(ceil(times))
        return float(times) * above, float(times) * below

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        below = np.sum(value[1], axis=axes)
        above = np.max(value[0] - value[1], axis=axes)
        return above + below, below

    def matmul(self, left: Value, right: Value) -> Value:
        a = tuple(part[..., :, :, None] for part in left)
        b = tuple(part[..., None, :, :] for part in right)
        return self.total(self.multiply(a, b), (-2,))

    def elementary(self, name: str, value: Value) -> Value:
        one, zero = self._fresh(value)
        # E(−z) is 1/E(z): the variable stands above or below.
        return (one, one) if name == "exp" else (one, zero)

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        return self._fresh(self.add([left, right]))

    def largest(self, value: Value, axis: int) -> Value:
        choice = self._fresh(value)
        return self.total(self.multiply(value, choice), (axis,))

    def _fresh(self, value: Value) -> Value:
        """The values of a random function at these arguments."""
        self.arguments += int(np.size(value[0]))
        degree = float(np.max(value[0] + value[1], initial=0.0))
        self.argument_degree = max(self.argument_degree, degree)
        return np.ones(np.shape(value[0])), np.zeros(np.shape(value[0]))
