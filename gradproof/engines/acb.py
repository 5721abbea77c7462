"""Programs over complex balls, where every value is an analytic function of a complex step.

Arb: F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic",
IEEE Transactions on Computers 66 (2017).

A box that encloses the disc |t| ≤ R goes in, and a box that encloses the loss on that disc comes
out. A finite result means that the loss is analytic there: whatever is not (a pole, the cut of a
logarithm, a comparison that changes) makes it infinite or raises `Kinked`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import methodcaller
from typing import final

import flint
import numpy as np

from gradproof.core.term import Relation
from gradproof.core.told import told
from gradproof.engines.arb import each
from gradproof.engines.arithmetic import Arithmetic, Value, each_matrix

ZERO, ONE = flint.acb(0), flint.acb(1)


class Kinked(ArithmeticError):
    """A comparison or a largest element is not the same on the whole disc."""


@final
class Acb(Arithmetic):
    """Complex balls of arbitrary precision as elements of object arrays."""

    def lift(self, array: np.ndarray) -> Value:
        return (each(lambda x: flint.acb(float(x)), np.asarray(array)),)

    def number(self, value: Fraction) -> Value:
        exact = flint.acb(flint.arb(flint.fmpq(value.numerator, value.denominator)))
        return (each(lambda _: exact, np.zeros(())),)

    def add(self, values: Sequence[Value]) -> Value:
        return (np.asarray(sum(value[0] for value in values), dtype=object),)

    def repeat(self, value: Value, count: int) -> Value:
        return (np.asarray(value[0] * count, dtype=object),)

    def multiply(self, left: Value, right: Value) -> Value:
        return (np.asarray(left[0] * right[0], dtype=object),)

    def power(self, base: Value, exponent: Fraction) -> Value:
        whole, rest = divmod(exponent, 1)
        if rest == 0:
            return (each(lambda x: x ** int(whole), base[0]),)
        if rest == Fraction(1, 2):
            return (each(lambda x: x.sqrt(analytic=True) * x ** int(whole), base[0]),)
        q = flint.arb(flint.fmpq(exponent.numerator, exponent.denominator))
        return (each(lambda x: (x.log(analytic=True) * q).exp(), base[0]),)

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return (np.asarray(np.sum(value[0], axis=axes, initial=ZERO), dtype=object),)

    def matmul(self, left: Value, right: Value) -> Value:
        a, b = left[0], right[0]
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
        b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
        result = np.empty((*batch, a.shape[-2], b.shape[-1]), dtype=object)
        for place in np.ndindex(*batch):
            result[place] = _matrix_product(a[place], b[place])
        return (result,)

    def elementary(self, name: str, value: Value) -> Value:
        if name == "log":
            return (each(lambda x: x.log(analytic=True), value[0]),)
        return (each(_erf if name == "erf" else methodcaller(name), value[0]),)

    def pi(self) -> Value:
        return (each(lambda _: flint.acb.pi(), np.zeros(())),)

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        if (name, order) == ("tanh", 0):
            return (each(lambda x: x.tanh(), arguments[0][0]),)
        return None

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        def one(a: flint.acb, b: flint.acb) -> flint.acb:
            # For a real step both are real; where their order is certain on the disc, the
            # comparison is a constant, and so analytic.
            x, y = a.real, b.real
            if x > y or x < y:
                return ONE if x > y and relation != "==" else ZERO
            if _same(a, b):
                return ZERO if relation == ">" else ONE
            raise Kinked(told("a kink or a tie lies at these inputs"))

        return (each(one, *np.broadcast_arrays(left[0], right[0])),)

    def inverse(self, value: Value) -> Value:
        return (each_matrix(value[0], _inverted),)

    def logdet(self, value: Value) -> Value:
        def of_one(a: np.ndarray) -> flint.acb:
            determinant = flint.acb_mat(*a.shape, a.ravel().tolist()).det()
            return (determinant * determinant).log(analytic=True) / 2

        return (each_matrix(value[0], of_one, to_numbers=True),)

    def largest(self, value: Value, axis: int) -> Value:
        moved = np.moveaxis(value[0], axis, -1)
        result = np.empty(moved.shape[:-1], dtype=object)
        for place in np.ndindex(*result.shape):
            row = moved[place]
            top = max(row, key=lambda x: float(x.real.mid()))
            # Elements that are exact on the disc do not move: a tie among them is no kink.
            if not all(x is top or top.real > x.real or _same(x, top) for x in row):
                raise Kinked(told("a tie for the largest lies at these inputs"))
            result[place] = top
        return (result,)


def _erf(z: flint.acb) -> flint.acb:
    """``erf x + i∫₀ʸ erf′(x + is) ds``, by the mean values of both parts: FLINT's own loses an
    imaginary part that is far smaller than the radius of the real one, as a complex step's is."""
    x, y = z.real, z.imag
    s = flint.acb(x, y.union(flint.arb(0)))
    slope = (-(s * s)).exp() * (2 / flint.arb.pi().sqrt())
    return flint.acb(x.erf() - y * slope.imag, y * slope.real)


def _same(a: flint.acb, b: flint.acb) -> bool:
    """Whether two values are constants of the disc, and equal."""
    return bool(a.is_exact() and b.is_exact() and a == b)


def _inverted(a: np.ndarray) -> np.ndarray:
    """The inverse; no numbers where the balls hold a singular matrix."""
    result = np.empty(a.size, dtype=object)
    try:
        result[:] = flint.acb_mat(*a.shape, a.ravel().tolist()).inv().entries()
    except ZeroDivisionError:
        result[:] = [flint.acb("nan")] * a.size
    return result.reshape(a.shape)


def _matrix_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = flint.acb_mat(a.shape[0], a.shape[1], a.ravel().tolist())
    right = flint.acb_mat(b.shape[0], b.shape[1], b.ravel().tolist())
    result = np.empty(a.shape[0] * b.shape[1], dtype=object)
    result[:] = (left * right).entries()
    return result.reshape(a.shape[0], b.shape[1])
