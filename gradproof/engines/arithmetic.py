"""What an arithmetic must do so that programs can be evaluated over it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, final

import numpy as np

from gradproof.core.term import Relation

Value = tuple[np.ndarray, ...]
"""An array of one arithmetic's numbers: one or more NumPy arrays of a common shape
(a ball is a midpoint and a radius)."""


class Arithmetic(ABC):
    """The verbs over which every program is evaluated. Values broadcast as NumPy arrays do.

    ``ordered`` says that its numbers have an order, and not one by lot. ``scatters`` says that what
    is added up at the places that integers name is counted, because an engine may add there
    whatever else arrives, one number after the other (`scattered`).
    ``adds_finely`` says that sums are added up more finely than numbers are stored: then the former
    counts even where nothing else arrives, and it counts whether a factor is multiplied with an
    operand, whose elements are rounded, or with the result. ``in_parts`` says that in such sums
    whatever is added up where windows overlap may be stored after every addition.
    """

    ordered = False
    scatters = False
    adds_finely = False
    in_parts = False

    @abstractmethod
    def lift(self, array: np.ndarray) -> Value:
        """A plain array, taken as exact."""

    def table(self, array: np.ndarray) -> Value:
        """Constants in float64, which an engine may have in another dtype."""
        return self.lift(array)

    @abstractmethod
    def number(self, value: Fraction) -> Value:
        """An exact rational as a scalar."""

    @abstractmethod
    def pi(self) -> Value:
        """π as a scalar."""

    @abstractmethod
    def add(self, values: Sequence[Value]) -> Value:
        """The sum of two or more values."""

    @abstractmethod
    def repeat(self, value: Value, count: int) -> Value:
        """The sum of `count` equal values."""

    @abstractmethod
    def multiply(self, left: Value, right: Value) -> Value:
        """The elementwise product."""

    def product(self, values: Sequence[Value]) -> Value:
        """The elementwise product of one or more values."""
        result = values[0]
        for value in values[1:]:
            result = self.multiply(result, value)
        return result

    @abstractmethod
    def power(self, base: Value, exponent: Fraction) -> Value:
        """A rational power, elementwise."""

    @abstractmethod
    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        """The sum over axes, which are lost."""

    @abstractmethod
    def matmul(self, left: Value, right: Value) -> Value:
        """The matrix product over the last two axes, the others broadcast."""

    @abstractmethod
    def elementary(self, name: str, value: Value) -> Value:
        """A function of `prims.elementwise.ELEMENTARY`, elementwise."""

    @abstractmethod
    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        """1 where the comparison holds and 0 elsewhere."""

    @abstractmethod
    def largest(self, value: Value, axis: int) -> Value:
        """The largest element along an axis, which is lost."""

    def winners(self, value: Value) -> tuple[Value, np.ndarray] | None:
        """1 where an element is the largest of the last axis and 0 elsewhere, and of which rows
        roundings do not change that; `None` where this arithmetic has no order."""
        return None

    def order(self, value: Value) -> tuple[np.ndarray, np.ndarray] | None:
        """Which element of the last axis is the smallest, the second, and so on, and which of them
        roundings do not change; `None` where this arithmetic has no order."""
        return None

    def middles(self, value: Value) -> np.ndarray | None:
        """About what each number is; `None` where this arithmetic has no order."""
        return None

    def to_float32(self, value: Value) -> Value:
        """Numbers that an engine rounds to float32; a bound on engines widens here."""
        return value

    def stepped(self, name: str, value: Value) -> Value | None:
        """``floor``, ``ceil``, ``trunc`` or ``round`` to the nearest whole number (of two that are
        as near, to the even one); `None` where this arithmetic has no order."""
        return None

    def forgotten(self, value: Value, where: np.ndarray) -> Value:
        """A value of which nothing is known at some places."""
        raise NotImplementedError

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        """A function of the dictionary, where this arithmetic has a better way than its meaning."""
        return None

    def slope(self, value: Value) -> Value:
        """The derivative of an elementary function, computed by its usual formula; a bound on
        engines widens here, because an engine may use another formula of the same function."""
        return value

    def scattered(
        self, value: Value, additions: np.ndarray, rounded: int, size: np.ndarray
    ) -> Value:
        """A sum that an engine may have stored after each of so many additions, in any order, of
        numbers that were `rounded` so often before and whose absolute values add up to `size`; a
        bound on engines widens here."""
        return value

    def inverse(self, value: Value) -> Value:
        """The inverses of square matrices, in the last two axes, by Gauss and Jordan.

        No rows are exchanged: for arithmetics in which any pivot but zero is good.
        """
        rows = self._eliminated(value)[0]
        return tuple(
            np.stack([np.stack([x[k] for x in row], axis=-1) for row in rows], axis=-2)
            for k in range(len(value))
        )

    def logdet(self, value: Value) -> Value:
        """``log |det A|`` as ``½ log (det A)²``, of the matrices in the last two axes."""
        determinant = self._eliminated(value)[1]
        square = self.multiply(determinant, determinant)
        return self.multiply(self.number(Fraction(1, 2)), self.elementary("log", square))

    def _eliminated(self, value: Value) -> tuple[list[list[Value]], Value]:
        """The rows of the inverse, and the determinant."""
        size = value[0].shape[-1]
        shape = value[0].shape[:-2]

        def constant(number: int) -> Value:
            one = self.number(Fraction(number))
            return structural(one, lambda part: np.broadcast_to(part, shape))

        rows = [
            [structural(value, lambda p, i=i, j=j: p[..., i, j]) for j in range(size)]
            + [constant(int(i == j)) for j in range(size)]
            for i in range(size)
        ]
        determinant = constant(1)
        minus = self.number(Fraction(-1))
        for k in range(size):
            determinant = self.multiply(determinant, rows[k][k])
            pivot = self.power(rows[k][k], Fraction(-1))
            rows[k] = [self.multiply(pivot, x) for x in rows[k]]
            for i in range(size):
                if i != k:
                    factor = self.multiply(minus, rows[i][k])
                    rows[i] = [
                        self.add([x, self.multiply(factor, y)])
                        for x, y in zip(rows[i], rows[k], strict=True)
                    ]
        return [row[size:] for row in rows], determinant

    def along(self, name: str, value: Value) -> Value | None:
        """A function along the last axis, where this arithmetic has a way of its own."""
        return None

    def fold(self, name: str, value: Value) -> Value | None:
        """A fold of the last axis, where this arithmetic has a way of its own."""
        return None


@final
class Followed(tuple[np.ndarray, ...]):
    """A value of which somebody notes what is done with it.

    ``plain`` is the value itself, ``number`` its own among those that are followed; ``follow`` is
    called with it and a change where its elements are moved, and makes the value after it.
    """

    plain: Value
    number: int
    follow: Callable[[Followed, Callable[[np.ndarray], np.ndarray]], Value]

    def __new__(cls, plain: Value, number: int, follow: Any) -> Followed:
        made = super().__new__(cls, plain)
        made.plain, made.number, made.follow = plain, number, follow
        return made


def structural(value: Value, change: Any) -> Value:
    """The value with its arrays rearranged: no arithmetic, so it is the same for all."""
    if isinstance(value, Followed):
        return value.follow(value, change)
    return rearranged(value, change)


def rearranged(value: Value, change: Callable[[np.ndarray], Any]) -> Value:
    """`structural` of a value that nobody follows."""
    if len(value) == 3 and value[1] is value[2]:  # mostly zeros, which are moved once
        middle, other = change(value[0]), change(value[1])
        return middle, other, other
    return tuple(map(change, value))


def each_matrix(
    array: np.ndarray, change: Callable[[np.ndarray], Any], *, to_numbers: bool = False
) -> np.ndarray:
    """A function of every matrix in the last two axes of an array, in its dtype.

    Args:
        array: its last two axes are those of the matrices.
        change: of one matrix, to another of its shape, or to a number.
        to_numbers: whether it is to a number, so that both axes go.
    """
    result = np.empty(array.shape[:-2] if to_numbers else array.shape, dtype=array.dtype)
    for place in np.ndindex(*array.shape[:-2]):
        result[place] = change(array[place])
    return result
