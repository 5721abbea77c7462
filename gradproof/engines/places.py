"""Elements read and added where integers say, in a framework's program; the places are known."""

from __future__ import annotations

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
