"""Programs as a correctly rounded float32 machine would run them: each operation exact in Arb on
float32 operands, and rounded once to float32."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import final

import flint
import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Arithmetic, Value

BITS = 256
"""Far more than a float32 product or a sigmoid needs to be rounded without doubt."""


def nearest(ball: flint.arb) -> np.float32:
    """The float32 nearest to the real number in a ball.

    Raises:
        ArithmeticError: the ball is too wide to tell between two neighbours.
    """
    guess = np.float32(float(ball.mid()))
    neighbours = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    distances = [abs(ball - flint.arb(float(n))) for n in neighbours]
    closest = [k for k in range(3) if not any(d < distances[k] for d in distances)]
    if len(closest) > 1 and not ball.is_exact():
        raise ArithmeticError(f"{ball} does not round to one float32.")
    # A tie goes to the neighbour whose last bit is 0, as IEEE 754 has it.
    return min((neighbours[k] for k in closest), key=lambda n: int(n.view(np.int32)) & 1)


@final
class Rounded(Arithmetic):
    """Float32 arrays under correctly rounded operations.

    A matrix product rounds once; a sigmoid is three operations, by its formula.
    """

    def __init__(self) -> None:
        self._exact = Arb()

    def _rounded(self, value: Value) -> Value:
        flat = [nearest(ball) for ball in value[0].ravel()]
        return (np.array(flat, dtype=np.float32).reshape(value[0].shape),)

    def _lifted(self, value: Value) -> Value:
        return self._exact.lift(value[0])

    def lift(self, array: np.ndarray) -> Value:
        return (np.asarray(array, dtype=np.float32),)

    def number(self, value: Fraction) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.number(value))

    def add(self, values: Sequence[Value]) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.add([self._lifted(v) for v in values]))

    def repeat(self, value: Value, count: int) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.repeat(self._lifted(value), count))

    def multiply(self, left: Value, right: Value) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.multiply(self._lifted(left), self._lifted(right)))

    def power(self, base: Value, exponent: Fraction) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.power(self._lifted(base), exponent))

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.total(self._lifted(value), axes))

    def matmul(self, left: Value, right: Value) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.matmul(self._lifted(left), self._lifted(right)))

    def elementary(self, name: str, value: Value) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.elementary(name, self._lifted(value)))

    def pi(self) -> Value:
        with precision(BITS):
            return self._rounded(self._exact.pi())

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        exact = self._exact.compare(relation, self._lifted(left), self._lifted(right))
        return self._rounded(exact)

    def largest(self, value: Value, axis: int) -> Value:
        return (value[0].max(axis=axis),)
