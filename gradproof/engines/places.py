"""Elements read and added where integers say, in a framework's program; the places are known."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np

from gradproof.engines.backward_program import Operation
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Real


def take(i: Interpreter, o: Operation, x: Real) -> Real:
    """Elements by their places in the flattened tensor."""
    places = np.asarray(o.attributes["places"]).reshape(-1)
    flat = i.reshape(x, (prod(x.shape),))
    return i.reshape(i.take(flat, (places,)), o.shape)  # type: ignore[no-any-return]


def put(i: Interpreter, o: Operation, x: Real, updates: Real) -> Real:
    """Elements added at their places in the flattened tensor, as often as a place occurs."""
    places = np.asarray(o.attributes["places"]).reshape(-1)
    row = i.reshape(updates, (1, len(places)))
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


def labelled(i: Interpreter, o: Operation, x: Real) -> Real:
    """Of each row of a matrix but those that are ignored the number at its label, negated: their
    mean, their sum, or each, and zero for those that are ignored."""
    places, rows = np.asarray(o.attributes["places"]), np.asarray(o.attributes["rows"])
    flat = i.reshape(x, (prod(x.shape),))
    chosen = i.negate(i.take(flat, (places,)))
    if o.attributes["each"]:
        return i.placed(chosen, o.shape, (rows,))  # type: ignore[no-any-return]
    total = i.total(chosen, (0,))
    if not o.attributes["mean"]:
        return total
    return i.multiply(i.constant(Fraction(1, len(rows))), total)


def labelled_backward(i: Interpreter, o: Operation, g: Real) -> Real:
    """What the gradient of such a loss gives: it is added at the labels, negated."""
    rows = np.asarray(o.attributes["rows"])
    if o.attributes["each"]:
        each = i.take(g, (rows,))
    else:
        each = i.spread(g, (len(rows),), ())
        if o.attributes["mean"]:
            each = i.multiply(i.constant(Fraction(1, len(rows))), each)
    return put(i, o, i.constant(Fraction(0), o.shape), i.negate(each))
