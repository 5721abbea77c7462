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
    hits = (places[:, None] == np.arange(prod(o.shape))).astype(np.float64)
    table = Real(tuple(part[None] for part in i.arithmetic.lift(hits)))
    row = i.reshape(updates, (1, len(places)))
    return i.add(x, i.reshape(i.matmul(row, table), o.shape))


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
