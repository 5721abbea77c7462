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
from gradproof.engines.known import (
    Choice,
    Gaps,
    Known,
    Peak,
    Places,
    Real,
    Truth,
    cases,
    common,
    origin,
    same,
)
from gradproof.prims.number import Constant

ZERO, ONE = Fraction(0), Fraction(1)

LOWEST = -(2.0**1000)
"""Less than any number that is compared."""


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

    def truth(self, x: Known) -> Truth:
        """Truth values; numbers hold where they are not zero."""
        if isinstance(x, Truth):
            return x
        return self.negated(self.compare("==", x, self.constant(ZERO)))

    def known(self, holds: bool, shape: tuple[int, ...] = ()) -> Truth:
        """The same truth value in every element."""
        step = self.constant(Fraction(int(holds)), shape).value
        return Truth(step, object(), known=holds)

    def fixed(self, holds: np.ndarray) -> Truth:
        """Truth values that depend on no input."""
        if holds.size and np.all(holds == holds.flat[0]):
            return self.known(bool(holds.flat[0]), holds.shape)
        step = structural(self.arithmetic.lift(holds.astype(np.float64)), lambda part: part[None])
        return Truth(step, object(), fixed=holds[None])

    def table(self, array: np.ndarray) -> Known:
        """Numbers, whole ones or truth values that the program brings along; some numbers may be
        −∞."""
        if array.dtype == np.bool_:
            return self.fixed(array)
        if array.dtype.kind in "iu":
            whole = array.astype(np.int64)[None]
            return Places(whole, np.ones(whole.shape, dtype=bool))
        gone = np.isneginf(array)
        lifted = self.arithmetic.table(np.where(gone, 0.0, array))
        real = Real(structural(lifted, lambda part: np.asarray(part)[None]))
        return Gaps(real, gone[None]) if gone.any() else real

    # --- moving elements ------------------------------------------------------------------------

    def move(self, x: Known, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        """Elements rearranged or repeated by a function of arrays with the points in front."""
        if isinstance(x, float):
            raise Unattempted(told("an infinity that is moved"))
        if isinstance(x, Truth):
            fixed = None if x.fixed is None else change(x.fixed)
            return Truth(structural(x.step, change), object(), known=x.known, fixed=fixed)
        if isinstance(x, Places):
            return Places(change(x.array), change(x.certain))
        if isinstance(x, Gaps):
            return Gaps(self.move(x.real, change), change(x.gone))
        moved = structural(x.value, change)
        choice = exponential = scaled = None
        if x.choice is not None:
            choice = replace(x.choice, truth=self.move(x.choice.truth, change))
        if x.exponential is not None:
            exponential = structural(x.exponential, change)
        if x.scaled is not None:
            scaled = self._together(x.scaled, change)
        peak = x.peak and replace(x.peak, rows=change(x.peak.rows))
        return Real(
            moved,
            constant=x.constant,
            choice=choice,
            positive=x.positive,
            shift=x.shift,
            exponential=exponential,
            scaled=scaled,
            peak=peak,
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

    def add(self, a: Any, b: Any) -> Any:
        """The sum; adding the constant zero changes nothing. One may have gaps."""
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Gaps) and isinstance(y, Real):
                return self._gapped(self.add(x.real, y), x.gone)
        self._no_gaps(a, b)
        for one, other in ((a, b), (b, a)):
            if one.constant == 0 and common(a.value, b.value) == other.shape:
                return other
        found = self._by_cases(operator.add, a, b)
        if found is not None:
            return found
        return Real(self.arithmetic.add(self._aligned(a, b)), positive=a.positive and b.positive)

    def _gapped(self, x: Real, gone: np.ndarray) -> Gaps:
        shape = np.broadcast_shapes(x.shape, gone.shape[1:])
        first = len(shape) - len(x.shape)
        real = self.spread(x, shape, tuple(range(first, len(shape))))
        missing = (1,) * (len(shape) + 1 - gone.ndim)
        aligned = gone.reshape((gone.shape[0], *missing, *gone.shape[1:]))
        return Gaps(real, np.broadcast_to(aligned, (gone.shape[0], *shape)))

    def _no_gaps(self, *operands: Known) -> None:
        if any(isinstance(x, Gaps) for x in operands):
            raise Unattempted(told("arithmetic on an infinity"))

    def negate(self, x: Real) -> Real:
        """The negative."""
        return self.multiply(self.constant(-ONE), x)

    def subtract(self, a: Any, b: Any) -> Any:
        """The difference; the minuend may have gaps."""
        if isinstance(a, Gaps) and isinstance(b, Real):
            return self._gapped(self.subtract(a.real, b), a.gone)
        self._no_gaps(a, b)
        found = self.add(a, self.negate(b))
        if self.splits and (b.shift or b.exponential is not None):
            return replace(found, difference=(a, b))
        return found

    def multiply(self, a: Any, b: Any) -> Any:
        """The product; multiplying by the constant one changes nothing. One may have gaps, if the
        other is a positive number."""
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Gaps) and isinstance(y, Real) and (y.constant or 0) > 0:
                return self._gapped(self.multiply(x.real, y), x.gone)
        self._no_gaps(a, b)
        for one, other in ((a, b), (b, a)):
            if one.constant == 1 and common(a.value, b.value) == other.shape:
                return other
        found = self._by_cases(operator.mul, a, b)
        if found is not None:
            return found
        left, right = self._aligned(a, b)
        return Real(self.arithmetic.multiply(left, right), positive=a.positive and b.positive)

    def divide(self, a: Any, b: Any) -> Any:
        """The quotient; the dividend may have gaps, if the divisor is a positive number."""
        if isinstance(a, Gaps) and isinstance(b, Real) and (b.constant or 0) > 0:
            return self._gapped(self.divide(a.real, b), a.gone)
        self._no_gaps(a, b)
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
        picked = x.choice is not None and (x.choice.yes, x.choice.no) == (ONE, ZERO)
        if x.choice is not None and picked and sorted(axes) == sorted(x.choice.truth.single):
            left = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
            return self.constant(ONE, left)
        over = tuple(axis + 1 for axis in axes)
        found = Real(self.arithmetic.total(x.value, over), positive=x.positive and count > 0)
        if x.scaled is None:
            return found
        core, shift = x.scaled
        if any(shift[0].shape[axis] != 1 for axis in over):
            return found
        alone = structural(shift, lambda part: np.squeeze(part, axis=over))
        return replace(found, scaled=(self.arithmetic.total(core, over), alone))

    def inverse(self, x: Real) -> Real:
        """The inverses of the matrices in the last two axes."""
        return Real(self.arithmetic.inverse(x.value))

    def logdet(self, x: Real) -> Real:
        """``log |det|`` of the matrices in the last two axes."""
        return Real(self.arithmetic.logdet(x.value))

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

    def exp(self, x: Real | Gaps) -> Real:
        """The exponential; zero in gaps."""
        a = self.arithmetic
        if isinstance(x, Gaps):
            return self._where(x.gone, self.constant(ZERO), self.exp(x.real))
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

    def elementary(self, name: str, x: Real) -> Real:
        """A function that the dictionary does not have, such as ``atan``.

        Raises:
            Unattempted: the arithmetic has no order, and so knows nothing of it.
        """
        if not self.arithmetic.ordered:
            raise Unattempted(told("operation {name}", name=name))
        return Real(self.arithmetic.elementary(name, x.value))

    def angle(self, y: Real, x: Real) -> Real:
        """The angle of a point (x, y), from −π to π: by the quotient of the smaller of the two,
        which is not known on the half of the x-axis where the angle jumps.

        Raises:
            Unattempted: the arithmetic has no order.
        """
        a = self.arithmetic
        y, x = map(Real, self._aligned(y, x))
        height, width = a.middles(y.value), a.middles(x.value)
        if height is None or width is None:
            raise Unattempted(told("operation {name}", name="atan2"))
        flat = (width > 0) & (np.abs(height) <= width)
        part = self.elementary(
            "atan", self.divide(self._where(flat, y, x), self._where(flat, x, y))
        )
        half = self.irrational(Constant(Fraction(1, 2), 1, 2))
        upright = self._where(height > 0, half, self.negate(half))
        found = self._where(flat, part, self.subtract(upright, part))
        return Real(a.slope(found.value))  # an engine may compute it in another way

    def converted(self, x: Known, kind: str) -> Known:
        """The same numbers in another dtype: exactly themselves, but for what an engine rounds.

        Raises:
            Unattempted: the arithmetic does not count that, or they are no numbers.
        """
        if kind == "float64" and isinstance(x, Real | Gaps | float):
            return x
        if not self.arithmetic.ordered or not isinstance(x, Real | Gaps):
            raise Unattempted(told("conversion to {kind}", kind=kind))
        if isinstance(x, Gaps):
            return replace(x, real=self.converted(x.real, kind))
        return replace(x, value=self.arithmetic.to_float32(x.value))

    def stepped(self, name: str, x: Real) -> Real:
        """``floor``, ``ceil``, ``trunc`` or ``round``: its slope is 0 between its jumps.

        Raises:
            Unattempted: the arithmetic has no order.
        """
        value = self.arithmetic.stepped(name, x.value)
        if value is None:
            raise Unattempted(told("a whole number without an order"))
        return Real(value)

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

    def largest(self, x: Real | Gaps, axes: Sequence[int]) -> Real:
        """The largest element over axes, which are lost.

        Raises:
            Unattempted: there is nothing but −∞ in some row.
        """
        if isinstance(x, Gaps):
            if np.any(np.all(x.gone, axis=tuple(axis + 1 for axis in axes))):
                raise Unattempted(told("rows of nothing but −∞"))
            found = self.largest(self._filled(x), axes)
            return replace(found, peak=self._peak(x, axes, found.shape, largest=True))
        rows, kept = self._rows(x, axes)
        value = self.arithmetic.largest(rows.value, len(rows.shape))
        found = self.reshape(Real(value, positive=x.positive), kept)
        return replace(found, peak=self._peak(x, axes, kept, largest=True))

    def _filled(self, x: Gaps) -> Real:
        """With a number in the gaps that is smaller than any that matters.

        Raises:
            Unattempted: the arithmetic has no order.
        """
        if not self.arithmetic.ordered:
            raise Unattempted(told("a largest number without an order"))
        lowest = Real(structural(self.arithmetic.lift(np.asarray(LOWEST)), lambda part: part[None]))
        return self._where(x.gone, lowest, x.real)

    def _where(self, mask: np.ndarray, yes: Real, no: Real) -> Real:
        """One where a mask holds that depends on no input, the other elsewhere: nothing rounds."""
        rank = max(mask.ndim, *(one.value[0].ndim for one in (yes, no)))

        def aligned(part: np.ndarray) -> np.ndarray:
            missing = (1,) * (rank - part.ndim)
            return part.reshape((part.shape[0], *missing, *part.shape[1:]))

        holds = aligned(mask)
        parts = zip(yes.value, no.value, strict=True)
        value = tuple(np.where(holds, aligned(a), aligned(b)) for a, b in parts)
        return Real(value, positive=yes.positive and no.positive)

    def smallest(self, x: Real, axes: Sequence[int]) -> Real:
        """The smallest element over axes, which are lost."""
        found = self.negate(self.largest(self.negate(x), axes))
        return replace(
            found, positive=x.positive, peak=self._peak(x, axes, found.shape, largest=False)
        )

    def _rows(self, x: Real, axes: Sequence[int]) -> tuple[Real, tuple[int, ...]]:
        """A row for each place along the other axes, and the lengths of these."""
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        lengths = tuple(x.shape[axis] for axis in kept)
        moved = self.transpose(x, (*kept, *axes))
        return self.reshape(moved, (*lengths, prod(x.shape[axis] for axis in axes))), lengths

    def _peak(self, x: Known, axes: Sequence[int], kept: tuple[int, ...], *, largest: bool) -> Peak:
        rows = np.arange(prod(kept)).reshape(1, *kept)
        return Peak(x, tuple(sorted(axes)), rows, largest)

    def winners(self, x: Real | Gaps, axes: Sequence[int]) -> Truth | None:
        """Where an element is the largest over axes, if the arithmetic has an order."""
        x = self._filled(x) if isinstance(x, Gaps) else x
        rows, lengths = self._rows(x, axes)
        found = self.arithmetic.winners(rows.value)
        if found is None:
            return None
        step, certain = found
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        back = np.argsort([*kept, *axes])
        wide = (*lengths, *(x.shape[axis] for axis in axes))

        def change(part: np.ndarray) -> np.ndarray:
            full = part.reshape(part.shape[0], *wide)
            return np.transpose(full, (0, *(axis + 1 for axis in back)))

        single = tuple(sorted(axes)) if bool(certain.all()) else ()
        return Truth(structural(step, change), object(), single=single)

    def order(self, x: Real, axis: int) -> tuple[Real, Places]:
        """The elements along an axis in rising order, and where each stands."""
        moved = self.transpose(x, _last(axis, len(x.shape)))
        found = self.arithmetic.order(moved.value)
        if found is None:
            raise Unattempted(told("integers that depend on the inputs"))
        array, certain = found
        parts = []
        for k, part in enumerate(moved.value):
            placed = np.take_along_axis(np.broadcast_to(part, array.shape), array, -1)
            # However uncertain the order is, the k-th is off by no more than the row's most.
            parts.append(
                placed if k == 0 else np.broadcast_to(placed.max(-1)[..., None], placed.shape)
            )
        back = np.argsort(_last(axis, len(x.shape))).tolist()
        ordered = Real(tuple(parts), positive=x.positive)
        return self.transpose(ordered, back), self.transpose(Places(array, certain), back)

    def taken_along(self, x: Real, axis: int, places: Places) -> Real:
        """Elements along an axis at these places."""
        array = places.array

        def change(part: np.ndarray) -> np.ndarray:
            whole = np.broadcast_to(part, (array.shape[0], *x.shape))
            return np.take_along_axis(whole, array, axis + 1)

        value = structural(x.value, change)
        if not places.certain.all():
            value = self.arithmetic.forgotten(value, ~places.certain)
        return Real(value, positive=x.positive)

    def added_along(self, x: Real, axis: int, places: Places, updates: Real) -> Real:
        """x, with elements added along an axis at these places; each stands there once."""
        array = places.array
        if array.shape[1:] != updates.shape or np.any(
            np.diff(np.sort(array, axis + 1), axis=axis + 1) == 0
        ):
            raise Unattempted(told("places that stand several times"))
        zeros = self.constant(ZERO, x.shape)
        parts = []
        for part, under in zip(updates.value, zeros.value, strict=True):
            made = np.array(np.broadcast_to(under, (array.shape[0], *x.shape)))
            whole = np.broadcast_to(part, array.shape)
            np.put_along_axis(made, array, whole, axis + 1)
            parts.append(made)
        value: Value = tuple(parts)
        if not places.certain.all():
            unsure = np.any(~places.certain, axis=axis + 1, keepdims=True)
            value = self.arithmetic.forgotten(value, np.broadcast_to(unsure, parts[0].shape))
        return self.add(x, Real(value))

    # --- truth values ---------------------------------------------------------------------------

    def compare(self, relation: Relation, a: Known, b: Known) -> Truth:
        """Whether the relation holds."""
        if isinstance(a, float) or isinstance(b, float):
            return self._compare_infinite(relation, a, b)
        if isinstance(a, Gaps) or isinstance(b, Gaps):
            found = self._at_peak(a, b) or self._at_peak(b, a) if relation == "==" else None
            if found is None:
                raise Unattempted(told("a comparison of an infinity"))
            return found
        if isinstance(a, Truth) and isinstance(b, Truth) and relation == "==":
            return self.alike(a, b)
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
        if a is b:
            return self.known(holds(ZERO, ZERO), shape)
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
                found = self._winner(x, other) or self._at_peak(x, other)
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

    def _at_peak(self, x: Known, extreme: Known) -> Truth | None:
        """Whether an element of x is the largest (or smallest) of its row, ties aside."""
        peak = extreme.peak if isinstance(extreme, Real) else None
        if peak is None or peak.source is not x or not isinstance(x, Real | Gaps):
            return None
        lengths = [1 if axis in peak.axes else n for axis, n in enumerate(x.shape)]
        own = np.arange(prod(lengths)).reshape(1, *lengths)
        aligned = peak.rows.reshape(
            1, *(1,) * (len(lengths) + 1 - peak.rows.ndim), *peak.rows.shape[1:]
        )
        if aligned.ndim != own.ndim or not np.array_equal(*np.broadcast_arrays(aligned, own)):
            return None
        turned = isinstance(x, Real) and not peak.largest
        return self.winners(self.negate(x) if turned else x, peak.axes)

    def _compare_infinite(self, relation: Relation, a: Known, b: Known) -> Truth:
        def size(x: Known) -> Fraction | float:
            return x if isinstance(x, float) else ZERO  # every real number lies between them

        for x, y in ((a, b), (b, a)):
            if isinstance(x, Gaps) and relation == "==":
                return self.fixed(x.gone[0] if y == -np.inf else np.zeros(x.shape, dtype=bool))
        if any(isinstance(x, float) and x != x for x in (a, b)):
            raise Unattempted(told("the constant NaN"))
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
        fixed = None if truth.fixed is None else ~truth.fixed
        return Truth(step, truth.origin, not truth.holds, fixed=fixed)

    def both(self, a: Truth, b: Truth) -> Truth:
        """Where both hold."""
        for one, other in ((a, b), (b, a)):
            if one.known is not None:
                return other if one.known else self.known(False, other.shape)
        if a.origin is b.origin:
            return a if a.holds == b.holds else self.known(False, a.shape)
        if a.fixed is not None and b.fixed is not None:
            return self.fixed(a.fixed[0] & b.fixed[0])
        left, right = self._aligned_values(a.step, b.step)
        return Truth(self.arithmetic.multiply(left, right), object())

    def alike(self, a: Truth, b: Truth) -> Truth:
        """Where both hold or neither does."""
        for one, other in ((a, b), (b, a)):
            if one.known is not None:
                return other if one.known else self.negated(other)
        neither = self.both(self.negated(a), self.negated(b))
        return self.negated(self.both(self.negated(self.both(a, b)), self.negated(neither)))

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
        if truth.fixed is not None:
            return self._selected(truth.fixed, yes, no)
        if not isinstance(yes, Real) or not isinstance(no, Real):
            raise Unattempted(told("a selection of what is not a finite number"))
        shape = common(truth.step, yes.value, no.value)
        if yes.constant is not None and no.constant is not None and truth.shape == shape:
            pair = (yes.constant, no.constant)
            return self.chosen(truth, *(pair if truth.holds else pair[::-1]))
        chosen = Real(truth.step)
        rest = Real(self.negated(truth).step)
        return self.add(self.multiply(chosen, yes), self.multiply(rest, no))

    def _selected(self, mask: np.ndarray, yes: Known, no: Known) -> Known:
        """`select` by a mask that depends on no input; −∞ leaves gaps."""
        gone, reals = [], []
        for one in (yes, no):
            if isinstance(one, Gaps):
                gone.append(one.gone)
                reals.append(one.real)
            elif isinstance(one, float) and one == -np.inf:
                gone.append(np.ones((1,), dtype=bool))
                reals.append(self.constant(ZERO))
            elif isinstance(one, Real):
                gone.append(np.zeros((1,), dtype=bool))
                reals.append(one)
            else:
                raise Unattempted(told("a selection of what is not a finite number"))
        chosen = self._where(mask, *reals)
        if not any(map(np.any, gone)):
            return self._marked(mask, chosen, *reals)
        shape = chosen.shape
        wide = [
            part.reshape(1, *(1,) * (len(shape) + 1 - part.ndim), *part.shape[1:])
            for part in (mask, *gone)
        ]
        here = np.broadcast_to(np.where(*wide), (1, *shape))
        return Gaps(chosen, here)

    def _marked(self, mask: np.ndarray, chosen: Real, yes: Real, no: Real) -> Real:
        """With what is known of one of two constants."""
        if yes.constant is None or no.constant is None or mask.shape[1:] != chosen.shape:
            return chosen
        truth = Truth(self.fixed(mask[0]).step, object(), fixed=mask)
        return self.chosen(truth, yes.constant, no.constant)

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


def _last(axis: int, rank: int) -> list[int]:
    """All axes, with this one behind the others."""
    return [*(k for k in range(rank) if k != axis), axis]
