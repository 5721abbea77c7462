"""Elements read and added where integers say, in a framework's program; the places are known."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.engines.backward_program import Operation
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Places, Real


def take(i: Interpreter, o: Operation, *tensors: Real) -> Any:
    """Elements by their places in the flattened tensors, one after the other; −1 stands for the
    number that ``fill`` says, or zero."""
    places = np.asarray(o.attributes["places"]).reshape(-1)
    if isinstance(tensors[0], Places):
        whole = i.reshape(tensors[0], (prod(tensors[0].shape),))
        return i.reshape(i.take(whole, (places,)), o.shape)
    flat: Real = joined(i, [i.reshape(x, (prod(x.shape),)) for x in tensors])
    if np.any(places < 0):
        fill = o.attributes.get("fill", Fraction(0))
        flat = i.placed(flat, (flat.shape[0] + 1,), (slice(1, None),), fill)
        places = places + 1
    return i.reshape(i.take(flat, (places,)), o.shape)


def joined(i: Interpreter, parts: Sequence[Real], axis: int = 0) -> Real:
    """Tensors along an axis, one after the other."""
    if len(parts) == 1:
        return parts[0]
    points = max(part.value[0].shape[0] for part in parts)
    values = [
        [np.broadcast_to(one, (points, *one.shape[1:])) for one in found]
        for found in zip(*(part.value for part in parts), strict=True)
    ]
    positive = all(part.positive for part in parts)
    return Real(tuple(np.concatenate(one, axis + 1) for one in values), positive=positive)


def put(i: Interpreter, o: Operation, x: Real, updates: Real) -> Real:
    """Elements added at their places in the flattened tensor, as often as a place occurs; those at
    −1 are left out."""
    places = np.asarray(o.attributes["places"]).reshape(-1)
    row = i.reshape(updates, (1, len(places)))
    if np.any(places < 0):
        inside = np.flatnonzero(places >= 0)
        row, places = i.take(row, (slice(None), inside)), places[inside]
    return i.add(x, i.reshape(gathered(i, row, places, prod(o.shape)), o.shape))


def gathered(i: Interpreter, rows: Real, places: np.ndarray, size: int) -> Real:
    """The sums of each row's elements that have the same place, of `size` places."""
    count = rows.shape[0]
    order = np.argsort(places, kind="stable")
    first = np.searchsorted(places[order], places[order])
    layer = np.empty_like(order)  # the first that stands at a place, the second, and so on
    layer[order] = np.arange(len(places)) - first
    shape = (count, int(layer.max(initial=0)) + 1, size)
    return i.total(i.placed(rows, shape, (slice(None), layer, places)), (1,))
