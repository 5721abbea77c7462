"""The verbs in which an engine's captured program is read over any arithmetic."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.core.index import Index, at
from gradproof.core.term import Apply, Read, Relation
from gradproof.core.told import told
from gradproof.engines.arithmetic import Arithmetic, Value, structural
from gradproof.engines.backward_program import Unattempted
from gradproof.engines.evaluate import Room, evaluate_term
from gradproof.engines.known import Choice, Known, Real, Truth, cases, common, origin, same
from gradproof.prims.number import Constant

ZERO, ONE = Fraction(0), Fraction(1)


_HOLDS: dict[Relation, Callable[[Fraction, Fraction], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


class Interpreter:
    """Verbs on `Real` and `Truth`, over one arithmetic.

    With `splits`, ``exp(x − m)`` is read as ``exp(x)·exp(−m)`` where m is a shift or a logarithm.
    That is a theorem about exp, and not one of an arithmetic whose exp is a random function.
    ``compares`` tells whether anything was decided by the order of two values, ``masks`` which
    inputs were taken to be 0 or 1.
    """

    def __init__(self, arithmetic: Arithmetic, *, splits: bool) -> None:
        self.arithmetic = arithmetic
        self.splits = splits
        self.compares = False
        self.masks: set[str] = set()
        self._met: dict[tuple[object, ...], tuple[object, ...]] = {}

    # --- constants ------------------------------------------------------------------------------

    def constant(self, value: Fraction, shape: tuple[int, ...] = ()) -> Real:
        """The number in every element."""
        scalar = self.arithmetic.number(value)
        full = structural(scalar, lambda part: np.broadcast_to(part, (1, *shape)))
        return Real(full, constant=value, positive=value > 0)

    def irrational(self, number: Constant) -> Real:
        """A number with π or a root in it."""
        a = self.arithmetic
        root = a.power(a.number(Fraction(number.root)), Fraction(1, 2))
        value = a.multiply(a.number(number.ratio), root)
        if number.half:
            value = a.multiply(value, a.power(a.pi(), Fraction(number.half, 2)))
        return Real(
            structural(value, lambda part: np.reshape(part, (1,))), positive=number.ratio > 0
        )

    def known(self, holds: bool, shape: tuple[int, ...] = ()) -> Truth:
        """The same truth value in every element."""
        step = self.constant(Fraction(int(holds)), shape).value
        return Truth(step, object(), known=holds)

    # --- moving elements ------------------------------------------------------------------------

    def move(self, x: Known, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        """Elements rearranged or repeated by a function of arrays with the points in front."""
        if isinstance(x, float):
            raise Unattempted(told("an infinity that is moved"))
        if isinstance(x, Truth):
            return Truth(structural(x.step, change), object(), known=x.known)
        moved = structural(x.value, change)
        choice = exponential = scaled = None
        if x.choice is not None:
            choice = replace(x.choice, truth=self.move(x.choice.truth, change))
        if x.exponential is not None:
            exponential = structural(x.exponential, change)
        if x.scaled is not None:
            scaled = self._together(x.scaled, change)
        return Real(
            moved,
            constant=x.constant,
            choice=choice,
            positive=x.positive,
            shift=x.shift,
            exponential=exponential,
            scaled=scaled,
        )

    def _together(
        self, pair: tuple[Value, Value], change: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[Value, Value]:
        core, shift = pair
        shape = common(core, shift)
        wide = structural(shift, lambda part: np.broadcast_to(part, (part.shape[0], *shape)))
        return structural(core, change), structural(wide, change)

    def transpose(self, x: Known, order: Sequence[int]) -> Any:
        """The axes in another order."""
        full = (0, *(axis + 1 for axis in order))
        return self.move(x, lambda part: np.transpose(part, full))

    def reshape(self, x: Known, shape: Sequence[int]) -> Any:
        """The same elements in another shape."""
        return self.move(x, lambda part: part.reshape((part.shape[0], *shape)))

    def spread(self, x: Known, shape: Sequence[int], places: Sequence[int]) -> Any:
        """Repeated to a shape, in which its axes stand at these places."""
        if isinstance(x, float):
            return x

        def change(part: np.ndarray) -> np.ndarray:
            lengths = [1] * len(shape)
            for length, place in zip(part.shape[1:], places, strict=True):
                lengths[place] = length
            one = part.reshape((part.shape[0], *lengths))
            return np.broadcast_to(one, (part.shape[0], *shape))

        return self.move(x, change)

    def take(self, x: Known, key: tuple[Any, ...]) -> Any:
        """Basic indexing of the axes after the points."""
        return self.move(x, lambda part: part[(slice(None), *key)])

    def placed(
        self, x: Real, shape: Sequence[int], key: tuple[Any, ...], fill: Fraction = ZERO
    ) -> Real:
        """A tensor of one number, with x at the places of a key of basic indexing."""
        background = self.arithmetic.number(fill)
        parts = []
        for part, under in zip(x.value, background, strict=True):
            made = np.empty((part.shape[0], *shape), dtype=part.dtype)
            made[...] = under
            made[(slice(None), *key)] = part
            parts.append(made)
        return Real(tuple(parts))

    # --- arithmetic -----------------------------------------------------------------------------

    def add(self, a: Real, b: Real) -> Real:
        """The sum; adding the constant zero changes nothing."""
        for one, other in ((a, b), (b, a)):
            if one.constant == 0 and common(a.value, b.value) == other.shape:
                return other
        found = self._by_cases(operator.add, a, b)
        if found is not None:
            return found
        return Real(self.arithmetic.add(self._aligned(a, b)), positive=a.positive and b.positive)

    def negate(self, x: Real) -> Real:
        """The negative."""
        return self.multiply(self.constant(-ONE), x)

    def subtract(self, a: Real, b: Real) -> Real:
        """The difference."""
        found = self.add(a, self.negate(b))
        if self.splits and (b.shift or b.exponential is not None):
            return replace(found, difference=(a, b))
        return found

    def multiply(self, a: Real, b: Real) -> Real:
        """The product; multiplying by the constant one changes nothing."""
        for one, other in ((a, b), (b, a)):
            if one.constant == 1 and common(a.value, b.value) == other.shape:
                return other
        found = self._by_cases(operator.mul, a, b)
        if found is not None:
            return found
        left, right = self._aligned(a, b)
        return Real(self.arithmetic.multiply(left, right), positive=a.positive and b.positive)

    def divide(self, a: Real, b: Real) -> Real:
        """The quotient."""
        found = self._by_cases(operator.truediv, a, b)
        return found if found is not None else self.multiply(a, self.power(b, -ONE))

    def power(self, x: Real, exponent: Fraction) -> Real:
        """A rational power."""
        if exponent == 1:
            return x
        if exponent.denominator == 1 and (exponent > 0 or x.constant != 0):
            if exponent == 0:
                return self.constant(ONE, x.shape)
            if x.constant is not None:
                return self.constant(x.constant ** int(exponent), x.shape)
        return Real(self.arithmetic.power(x.value, exponent), positive=x.positive)

    def _by_cases(self, compute: Any, a: Real, b: Real) -> Real | None:
        """The result where both are constants, or one of two numbers by the same truth value."""
        truths = [x.choice.truth for x in (a, b) if x.choice is not None]
        if not truths:
            if (
                a.constant is None
                or b.constant is None
                or (not b.constant and compute is operator.truediv)
            ):
                return None
            return self.constant(compute(a.constant, b.constant), common(a.value, b.value))
        first, *others = truths
        left, right = cases(a), cases(b)
        if left is None or right is None or any(t.origin is not first.origin for t in others):
            return None
        if compute is operator.truediv and 0 in right:
            return None
        if first.shape != common(a.value, b.value):
            return None
        return self.chosen(first, compute(left[0], right[0]), compute(left[1], right[1]))

    def chosen(self, truth: Truth, yes: Fraction, no: Fraction) -> Real:
        """One of two numbers by the truth value's origin (and not by its negation)."""
        if yes == no:
            return self.constant(yes, truth.shape)
        positive = truth if truth.holds else self.negated(truth)
        a = self.arithmetic
        value = positive.step
        if yes != 1 or no != 0:
            value = a.add([a.multiply(value, a.number(yes - no)), a.number(no)])
        return Real(value, choice=Choice(positive, yes, no), positive=yes > 0 and no > 0)

    def total(self, x: Real, axes: Sequence[int]) -> Real:
        """The sum over axes, which are lost."""
        if not axes:
            return x
        count = prod(x.shape[axis] for axis in axes)
        if x.constant is not None:
            left = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
            return self.constant(count * x.constant, left)
        over = tuple(axis + 1 for axis in axes)
        found = Real(self.arithmetic.total(x.value, over), positive=x.positive and count > 0)
        if x.scaled is None:
            return found
        core, shift = x.scaled
        if any(shift[0].shape[axis] != 1 for axis in over):
            return found
        alone = structural(shift, lambda part: np.squeeze(part, axis=over))
        return replace(found, scaled=(self.arithmetic.total(core, over), alone))

    def matmul(self, a: Real, b: Real) -> Real:
        """The matrix product over the last two axes; the others have the same lengths."""
        return Real(self.arithmetic.matmul(a.value, b.value))

    # --- functions ------------------------------------------------------------------------------

    def apply(self, name: str, *arguments: Real, positive: bool = False, order: int = 0) -> Real:
        """An elementwise function of the dictionary, or its derivative."""
        values = self._aligned(*arguments)
        shape = (max(value[0].shape[0] for value in values), *common(*values))
        axes = tuple(Index(k, length) for k, length in enumerate(shape))
        places = tuple(at(axis) for axis in axes)
        room = Room({f"#{k}": v for k, v in enumerate(values)}, {}, self.arithmetic)
        term = Apply(name, tuple(Read(tensor, places) for tensor in room.tensors), order)
        return Real(evaluate_term(term, room).value, positive=positive)

    def exp(self, x: Real) -> Real:
        """The exponential."""
        a = self.arithmetic
        if x.constant == 0:
            return self.constant(ONE, x.shape)
        if x.exponential is not None and self.splits:
            return Real(x.exponential, positive=True)
        if x.difference is None:
            return Real(a.elementary("exp", x.value), positive=True)
        minuend, shift = x.difference
        core, under = self._aligned_values(
            a.elementary("exp", minuend.value),
            shift.exponential
            if shift.exponential is not None
            else a.elementary("exp", shift.value),
        )
        value = a.multiply(core, a.power(under, -ONE))
        return Real(value, positive=True, scaled=(core, shift.value))

    def log(self, x: Real) -> Real:
        """The natural logarithm."""
        a = self.arithmetic
        if x.scaled is None or not self.splits:
            return Real(a.elementary("log", x.value), exponential=x.value)
        core, shift = x.scaled
        value = a.add([a.elementary("log", core), a.multiply(a.number(-ONE), shift)])
        return Real(value, exponential=x.value)

    def abs(self, x: Real) -> Real:
        """The absolute value."""
        return x if x.positive else self.apply("abs", x)

    def sign(self, x: Real) -> Real:
        """1, 0 or −1."""
        zero = self.constant(ZERO)
        above = self.convert(self.compare(">", x, zero))
        return self.subtract(above, self.convert(self.compare(">", zero, x)))

    def maximum(self, a: Known, b: Known) -> Known:
        """The larger of two, elementwise."""
        return self._extreme(a, b, "maximum", float("-inf"))

    def minimum(self, a: Known, b: Known) -> Known:
        """The smaller of two, elementwise."""
        return self._extreme(a, b, "minimum", float("inf"))

    def _extreme(self, a: Known, b: Known, name: str, neutral: float) -> Known:
        for one, other in ((a, b), (b, a)):
            if isinstance(one, float) and one == neutral:
                return other
        if not isinstance(a, Real) or not isinstance(b, Real):
            raise Unattempted(told("{name} of an infinity", name=name))
        if name == "minimum":
            return replace(self.apply("minimum", a, b), smaller=(a, b))
        for one, other in ((a, b), (b, a)):
            if other.constant == 0:
                return replace(self.apply("relu", one), larger=(one, other))
        return replace(self.apply("maximum", a, b), larger=(a, b))

    def largest(self, x: Real, axes: Sequence[int]) -> Real:
        """The largest element over axes, which are lost."""
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        moved = self.transpose(x, (*kept, *axes))
        lengths = tuple(x.shape[axis] for axis in kept)
        rows = self.reshape(moved, (*lengths, prod(x.shape[axis] for axis in axes)))
        return Real(self.arithmetic.largest(rows.value, len(kept) + 1), positive=x.positive)

    # --- truth values ---------------------------------------------------------------------------

    def compare(self, relation: Relation, a: Known, b: Known) -> Truth:
        """Whether the relation holds."""
        if isinstance(a, float) or isinstance(b, float):
            return self._compare_infinite(relation, a, b)
        if not isinstance(a, Real) or not isinstance(b, Real):
            raise Unattempted(told("a comparison of truth values"))
        key = (relation, id(a), id(b))
        if key not in self._met:  # the operands are kept, so that no other gets their identity
            self._met[key] = (self._compare(relation, a, b), a, b)
        found = self._met[key][0]
        assert isinstance(found, Truth)
        return found

    def _compare(self, relation: Relation, a: Real, b: Real) -> Truth:
        shape = common(a.value, b.value)
        holds = _HOLDS[relation]
        left, right = cases(a), cases(b)
        truth = next((x.choice.truth for x in (a, b) if x.choice is not None), None)
        one_origin = a.choice is None or b.choice is None or origin(a) is origin(b)
        if left is not None and right is not None and one_origin:
            yes, no = (holds(x, y) for x, y in zip(left, right, strict=True))
            if truth is None or yes == no:
                return self.known(yes, shape)
            if truth.shape == shape:
                return truth if yes else self.negated(truth)
        if relation != "==" and b.constant == 0 and a.positive:
            return self.known(True, shape)
        if relation == ">" and b.constant == 0 and a.larger is not None:
            one, other = a.larger
            if other.constant == 0:  # max(z, 0) > 0 is z > 0
                return self.compare(">", one, other)
        if relation == "==" and b.constant == 0 and a.mask:
            self.masks.add(a.mask)
            return self.negated(Truth(a.value, object()))
        if relation == "==":
            for x, other in ((a, b), (b, a)):
                found = self._winner(x, other)
                if found is not None:
                    return found
        self.compares = True
        return Truth(self.arithmetic.compare(relation, *self._aligned(a, b)), object())

    def _winner(self, x: Real, extreme: Real) -> Truth | None:
        """Whether x, one of two, is the larger (or the smaller) of them; ties are not counted."""
        pair = extreme.larger or extreme.smaller
        if pair is None:
            return None
        first = self.compare(">", *pair)
        if first.known is not None or not (same(x, pair[0]) or same(x, pair[1])):
            return None
        above = same(x, pair[0]) == (extreme.larger is not None)
        return first if above else self.negated(first)

    def _compare_infinite(self, relation: Relation, a: Known, b: Known) -> Truth:
        def size(x: Known) -> Fraction | float:
            return x if isinstance(x, float) else ZERO  # every real number lies between them

        other = a if isinstance(b, float) else b
        shape = other.shape if isinstance(other, Real) else ()
        return self.known(_HOLDS[relation](size(a), size(b)), shape)  # type: ignore[arg-type]

    def negated(self, truth: Known) -> Truth:
        """Where it does not hold."""
        if not isinstance(truth, Truth):
            raise Unattempted(told("the negation of a number"))
        if truth.known is not None:
            return self.known(not truth.known, truth.shape)
        a = self.arithmetic
        step = a.add([a.number(ONE), a.multiply(a.number(-ONE), truth.step)])
        return Truth(step, truth.origin, not truth.holds)

    def both(self, a: Truth, b: Truth) -> Truth:
        """Where both hold."""
        for one, other in ((a, b), (b, a)):
            if one.known is not None:
                return other if one.known else self.known(False, other.shape)
        if a.origin is b.origin:
            return a if a.holds == b.holds else self.known(False, a.shape)
        left, right = self._aligned_values(a.step, b.step)
        return Truth(self.arithmetic.multiply(left, right), object())

    def convert(self, truth: Truth) -> Real:
        """1 where it holds and 0 elsewhere."""
        if truth.known is not None:
            return self.constant(Fraction(int(truth.known)), truth.shape)
        return self.chosen(truth, Fraction(int(truth.holds)), Fraction(int(not truth.holds)))

    def select(self, truth: Known, yes: Known, no: Known) -> Known:
        """One where it holds, the other elsewhere."""
        if not isinstance(truth, Truth):
            raise Unattempted(told("a selection by a number"))
        if truth.known is not None:
            return yes if truth.known else no
        if not isinstance(yes, Real) or not isinstance(no, Real):
            raise Unattempted(told("a selection of what is not a finite number"))
        shape = common(truth.step, yes.value, no.value)
        if yes.constant is not None and no.constant is not None and truth.shape == shape:
            pair = (yes.constant, no.constant)
            return self.chosen(truth, *(pair if truth.holds else pair[::-1]))
        chosen = Real(truth.step)
        rest = Real(self.negated(truth).step)
        return self.add(self.multiply(chosen, yes), self.multiply(rest, no))

    # --- shapes ---------------------------------------------------------------------------------

    def _aligned(self, *operands: Real) -> list[Value]:
        return self._aligned_values(*(x.value for x in operands))

    def _aligned_values(self, *values: Value) -> list[Value]:
        """With equally many axes: missing ones follow the points."""
        most = max(value[0].ndim for value in values)

        def change(part: np.ndarray) -> np.ndarray:
            missing = (1,) * (most - part.ndim)
            return part.reshape((part.shape[0], *missing, *part.shape[1:]))

        return [structural(value, change) for value in values]
