"""Whole numbers that the order of numbers says, in a framework's program: arithmetic on them, and
what is read and added where they say.

Where rounding may change an order a whole number is not certain. What is read there is not known
then, and nothing is known of all places where something may have been added. None is negative.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from gradproof.core.term import Relation
from gradproof.core.told import told
from gradproof.engines.backward_program import Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Places, Real, Truth
from gradproof.engines.places import gathered

_HOLDS: dict[Relation, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


def exactly(array: np.ndarray) -> Places:
    """Whole numbers that depend on nothing."""
    whole = np.asarray(array, dtype=np.int64)[None]
    return Places(whole, np.ones(whole.shape, dtype=bool))


def as_places(x: Any) -> Places:
    """What may be a constant as whole numbers.

    Raises:
        Unattempted: it is none.
    """
    if isinstance(x, Places):
        return x
    if isinstance(x, Real) and x.constant is not None and x.constant.denominator == 1:
        return exactly(np.full(x.shape, int(x.constant)))
    raise Unattempted(told("integers that depend on the inputs"))


def combined(compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Places:
    """The sum or the product of two.

    Raises:
        Unattempted: one is negative.
    """
    one, other = _aligned(as_places(a), as_places(b))
    if one.array.min(initial=0) < 0 or other.array.min(initial=0) < 0:
        raise Unattempted(told("integers that depend on the inputs"))
    return Places(compute(one.array, other.array), one.certain & other.certain)


def compared(i: Interpreter, relation: Relation, a: Any, b: Any) -> Truth:
    """Whether the relation holds."""
    one, other = _aligned(as_places(a), as_places(b))
    holds = np.asarray(_HOLDS[relation](one.array, other.array))
    if relation == ">" and not one.array.any() and one.certain.all():
        return i.known(False, holds.shape[1:])  # nothing is less than 0
    certain = np.broadcast_to(one.certain & other.certain, holds.shape)
    if certain.all():
        return Truth(i.fixed(holds[0]).step, object())
    step = tuple(part[None] for part in i.arithmetic.lift(holds[0].astype(np.float64)))
    return Truth(i.arithmetic.forgotten(step, ~certain), object())


def _aligned(a: Places, b: Places) -> tuple[Places, Places]:
    """With equally many axes: missing ones follow the points."""
    rank = max(a.array.ndim, b.array.ndim)

    def one(x: Places) -> Places:
        missing = (1,) * (rank - x.array.ndim)
        return Places(
            *(p.reshape(p.shape[0], *missing, *p.shape[1:]) for p in (x.array, x.certain))
        )

    return one(a), one(b)


def joined(parts: Sequence[Any], axis: int) -> Places:
    """Several along an axis, one after the other."""
    found = [as_places(part) for part in parts]
    arrays, certain = zip(*((p.array, p.certain) for p in found), strict=True)
    return Places(np.concatenate(arrays, axis + 1), np.concatenate(certain, axis + 1))


def read_at(i: Interpreter, x: Real, flat: Places) -> Real:
    """The elements at these places of the flattened tensor.

    Raises:
        Unattempted: one is outside.
    """
    size = prod(x.shape)
    _inside(flat, size)
    found: Real = i.take(i.reshape(x, (size,)), (flat.array[0],))
    if flat.certain.all():
        return found
    return Real(i.arithmetic.forgotten(found.value, ~flat.certain))


def added_at(
    i: Interpreter, x: Real, flat: Places, updates: Real, reach: np.ndarray | None = None
) -> Real:
    """x with numbers added at these places of it, flattened, as often as one occurs.

    Args:
        i: the interpreter.
        x: what is added to.
        flat: where each of `updates` is added.
        updates: of the same shape.
        reach: by a row for each of them all places where it may be added; `None` for all there are.
    """
    size = prod(x.shape)
    _inside(flat, size)
    row = i.reshape(updates, (1, prod(updates.shape)))
    added = i.reshape(gathered(i, row, flat.array[0].reshape(-1), size), x.shape)
    if not flat.certain.all():
        open_ = np.ones(size, dtype=bool)
        if reach is not None:
            open_ = np.zeros(size, dtype=bool)
            open_[reach[~flat.certain.reshape(-1)]] = True
        value = i.arithmetic.forgotten(added.value, open_.reshape(1, *x.shape))
        added = Real(value)
    return i.add(x, added)  # type: ignore[no-any-return]


def _inside(flat: Places, size: int) -> None:
    if flat.array.size and not (flat.array.min() >= 0 and flat.array.max() < size):
        raise Unattempted(told("integers that depend on the inputs"))


def started(
    indices: Places, base: np.ndarray, strides: Sequence[int], lengths: Sequence[int], kept: Any
) -> tuple[Places, np.ndarray]:
    """Places in a flattened tensor where windows begin, and all that each may be.

    Args:
        indices: their last axis has one number for each of some axes of the tensor.
        base: the places where all these numbers are 0.
        strides: the distance of two neighbours along each of these axes.
        lengths: how many numbers there are at most for each.
        kept: the shape of the other axes of `indices` among those of `base`.

    Raises:
        Unattempted: a window is outside.
    """
    flat, certain = base[None], np.ones((1, *base.shape), dtype=bool)
    reach = base.reshape(-1, 1)
    for k, (stride, length) in enumerate(zip(strides, lengths, strict=True)):
        number = indices.array[..., k].reshape(1, *kept)
        if number.size and not (number.min() >= 0 and number.max() < length):
            raise Unattempted(told("integers that depend on the inputs"))
        flat = flat + stride * number
        certain = certain & indices.certain[..., k].reshape(1, *kept)
        steps = reach[:, :, None] + stride * np.arange(length)
        reach = steps.reshape(len(reach), -1)
    return Places(flat, certain), reach
