"""Programs over Arb balls of any precision: the judge of true values.

Arb: F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic",
IEEE Transactions on Computers 66 (2017). Every result encloses the exact one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from operator import methodcaller
from typing import final

import flint
import numpy as np

from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value, each_matrix

_ZERO_ONE = flint.arb(0.5, 0.5)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Arb's working precision, put back afterwards."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def each(function: object, *arrays: np.ndarray) -> np.ndarray:
    """A function of every element, as an object array."""
    made = np.frompyfunc(function, len(arrays), 1)(*arrays)
    result = np.empty(np.shape(made), dtype=object)
    result[...] = made
    return result


@final
class Arb(Arithmetic):
    """Balls of arbitrary precision as elements of object arrays.

    ``undecided`` counts the comparisons whose balls overlap: a kink or tie lies in the enclosure.
    """

    ordered = True

    def __init__(self) -> None:
        self.undecided = 0

    def lift(self, array: np.ndarray) -> Value:
        return (each(lambda x: flint.arb(float(x)), np.asarray(array)),)

    def number(self, value: Fraction) -> Value:
        exact = flint.arb(flint.fmpq(value.numerator, value.denominator))
        return (each(lambda _: exact, np.zeros(())),)

    def add(self, values: Sequence[Value]) -> Value:
        return (np.asarray(sum(value[0] for value in values), dtype=object),)

    def repeat(self, value: Value, count: int) -> Value:
        return (np.asarray(value[0] * count, dtype=object),)

    def multiply(self, left: Value, right: Value) -> Value:
        return (np.asarray(left[0] * right[0], dtype=object),)

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent == 2:
            return (each(lambda x: x * x, base[0]),)
        if exponent == -1:
            return (each(lambda x: 1 / x, base[0]),)
        if exponent == Fraction(1, 2):
            return (each(lambda x: x.sqrt(), base[0]),)
        if exponent == Fraction(-1, 2):
            return (each(lambda x: x.rsqrt(), base[0]),)
        if exponent.denominator == 1:
            return (each(lambda x: x ** int(exponent), base[0]),)
        q = flint.arb(flint.fmpq(exponent.numerator, exponent.denominator))
        return (each(lambda x: x**q, base[0]),)

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return (np.asarray(np.sum(value[0], axis=axes, initial=flint.arb(0)), dtype=object),)

    def matmul(self, left: Value, right: Value) -> Value:
        a, b = left[0], right[0]
        if a.ndim == 2 and b.ndim == 2:
            return (_matrix_product(a, b),)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
        b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
        result = np.empty((*batch, a.shape[-2], b.shape[-1]), dtype=object)
        for place in np.ndindex(*batch):
            result[place] = _matrix_product(a[place], b[place])
        return (result,)

    def elementary(self, name: str, value: Value) -> Value:
        return (each(methodcaller(name), value[0]),)

    def pi(self) -> Value:
        return (each(lambda _: flint.arb.pi(), np.zeros(())),)

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        match name, order:
            case "sigmoid", 0:
                return (each(lambda x: 1 / (1 + (-x).exp()), arguments[0][0]),)
            case "sigmoid", 1:  # s(1−s) = 1/((1+e⁻ᶻ)(1+eᶻ)): no cancellation
                return (each(lambda x: 1 / ((1 + (-x).exp()) * (1 + x.exp())), arguments[0][0]),)
            case "tanh", 0:
                return (each(lambda x: x.tanh(), arguments[0][0]),)
            case "tanh", 1:
                return (each(lambda x: x.sech() ** 2, arguments[0][0]),)
            case "abs", 0:
                return (each(lambda x: abs(x), arguments[0][0]),)
            case _:
                return None

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        def one(a: flint.arb, b: flint.arb) -> flint.arb:
            if relation == "==":
                if not a.overlaps(b):
                    return flint.arb(0)
                holds = a.is_exact() and b.is_exact() and a == b
                certain = holds
            else:
                holds = a > b if relation == ">" else a >= b
                certain = holds or (a <= b if relation == ">" else a < b)
            if not certain:
                self.undecided += 1
                return _ZERO_ONE
            return flint.arb(1 if holds else 0)

        return (each(one, *np.broadcast_arrays(left[0], right[0])),)

    def largest(self, value: Value, axis: int) -> Value:
        moved = np.moveaxis(value[0], axis, -1)
        result = moved[..., 0]
        for k in range(1, moved.shape[-1]):
            result = each(lambda a, b: a.max(b), result, moved[..., k])
        return (np.asarray(result, dtype=object),)

    def winners(self, value: Value) -> tuple[Value, np.ndarray]:
        x = value[0]
        top = np.argmax(midpoints(x), axis=-1)[..., None]
        here = np.arange(x.shape[-1]) == top
        most = np.broadcast_to(np.take_along_axis(x, top, -1), x.shape)
        open_ = each(lambda a, b: not a > b, most, x).astype(bool) & ~here
        near = open_ | (here & open_.any(axis=-1, keepdims=True))
        self.undecided += int(np.sum(near))
        step = each(
            lambda is_top, is_open: _ZERO_ONE if is_open else flint.arb(int(is_top)), here, near
        )
        return (step,), ~open_.any(axis=-1)

    def order(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        x = value[0]
        places = np.argsort(midpoints(x), axis=-1, kind="stable")
        x = np.take_along_axis(x, places, -1)
        lowest, highest = each(lambda a: a.lower(), x), each(lambda a: a.upper(), x)
        # Of all that stand before, and of all that stand behind.
        before = np.maximum.accumulate(highest[..., :-1], axis=-1)
        behind = np.minimum.accumulate(lowest[..., :0:-1], axis=-1)[..., ::-1]
        known = each(lambda a: a.is_finite(), x).astype(bool).all(axis=-1, keepdims=True)
        apart = np.broadcast_to(known, x.shape).copy()
        apart[..., 1:] &= (lowest[..., 1:] > before).astype(bool)
        apart[..., :-1] &= (highest[..., :-1] < behind).astype(bool)
        return places, apart

    def middles(self, value: Value) -> np.ndarray:
        return midpoints(value[0])

    def stepped(self, name: str, value: Value) -> Value:
        def one(x: flint.arb) -> flint.arb:
            if not x.is_finite():
                return flint.arb("nan")
            low, high = _STEPS[name](x.lower()), _STEPS[name](x.upper())
            self.undecided += int(low != high)
            return low.union(high)

        return (each(one, value[0]),)

    def forgotten(self, value: Value, where: np.ndarray) -> Value:
        nothing = flint.arb("nan")
        return (each(lambda x, gone: nothing if gone else x, value[0], where),)

    def inverse(self, value: Value) -> Value:
        return (each_matrix(value[0], _inverted),)

    def logdet(self, value: Value) -> Value:
        return (each_matrix(value[0], lambda a: abs(_matrix(a).det()).log(), to_numbers=True),)

    def along(self, name: str, value: Value) -> Value | None:
        if name != "softmax":
            return None
        shifted = _shifted(value[0])
        exponentials = each(lambda x: x.exp(), shifted)
        total = np.sum(exponentials, axis=-1, keepdims=True)
        return (np.asarray(exponentials / total, dtype=object),)

    def fold(self, name: str, value: Value) -> Value | None:
        if name != "logsumexp":
            return None
        shifted = _shifted(value[0])
        total = np.sum(each(lambda x: x.exp(), shifted), axis=-1)
        top = value[0][..., 0] - shifted[..., 0]
        return (np.asarray(each(lambda x: x.log(), np.asarray(total)) + top, dtype=object),)


def _truncated(x: flint.arb) -> flint.arb:
    """An exact number without its fraction."""
    return x.floor() if x >= 0 else x.ceil()


def _nearest(x: flint.arb) -> flint.arb:
    """The whole number nearest to an exact number; of two the even one."""
    above = (x + flint.arb(0.5)).floor()
    tied = x + flint.arb(0.5) == above
    return above - 1 if tied and (above / 2).floor() * 2 != above else above


_STEPS = {
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "trunc": _truncated,
    "round": _nearest,
}


def _shifted(x: np.ndarray) -> np.ndarray:
    """x minus the midpoint of an element near the largest: exact, so the function is unmoved."""
    middle = np.asarray(midpoints(x))
    top = np.take_along_axis(x, np.argmax(middle, axis=-1, keepdims=True), axis=-1)
    return np.asarray(x - each(lambda a: a.mid(), top), dtype=object)


def _matrix(a: np.ndarray) -> flint.arb_mat:
    return flint.arb_mat(a.shape[0], a.shape[1], a.ravel().tolist())


def _inverted(a: np.ndarray) -> np.ndarray:
    """The inverse; no numbers where the balls hold a singular matrix."""
    result = np.empty(a.size, dtype=object)
    try:
        result[:] = _matrix(a).inv().entries()
    except ZeroDivisionError:
        result[:] = [flint.arb("nan")] * a.size
    return result.reshape(a.shape)


def _matrix_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = flint.arb_mat(a.shape[0], a.shape[1], a.ravel().tolist())
    right = flint.arb_mat(b.shape[0], b.shape[1], b.ravel().tolist())
    entries = (left * right).entries()
    result = np.empty(a.shape[0] * b.shape[1], dtype=object)
    result[:] = entries
    return result.reshape(a.shape[0], b.shape[1])


def midpoints(balls: np.ndarray) -> np.ndarray:
    """The float64 nearest to each ball's middle."""
    return each(lambda x: float(x.mid()), balls).astype(np.float64)


def upper_bounds(balls: np.ndarray) -> np.ndarray:
    """A float64 at least as large as the absolute value of everything in each ball."""
    found = each(lambda x: float(abs(x).upper()), balls).astype(np.float64)
    return np.nextafter(found, np.inf)
