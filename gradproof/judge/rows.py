"""A large stage to stages over a few of its rows each, so that no array as large as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import numpy as np

from gradproof.core.index import Index, at, indices_of
from gradproof.core.program import Equation
from gradproof.core.term import Read, bound, positions, reads, substitute, walk

BLOCK = 2**17
"""Elements of a block: so many that what Python does for each is little beside them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a stage from `start` to `stop` along an axis of its tensor.

    ``equation`` is the stage over these rows; ``read`` has the axis along which an operand is cut,
    by its name.
    """

    equation: Equation
    axis: int
    start: int
    stop: int
    read: Mapping[str, int]

    def of(self, array: np.ndarray) -> np.ndarray:
        """These rows of an array that has the tensor's shape."""
        return _cut(array, self.axis, self.start, self.stop) if self.read else array

    def operand(self, name: str, array: np.ndarray) -> np.ndarray:
        """What these rows read of an operand."""
        if name not in self.read:
            return array
        return _cut(array, self.read[name], self.start, self.stop)

    def operands(self, whole: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What these rows read, by name."""
        names = {read.tensor for read in reads(self.equation.term)}
        return {name: self.operand(name, whole[name]) for name in names}


def in_rows(
    equation: Equation, shape: tuple[int, ...], operands: Mapping[str, np.ndarray]
) -> Iterator[Rows]:
    """The blocks of rows that make up a stage; one over all rows where it is small, or where no
    axis can be cut.

    Args:
        equation: the stage.
        shape: of its tensor.
        operands: by name, of which the shapes count; others that it does not read do no harm.
    """
    elements = prod(shape)
    if elements > 2 * BLOCK:
        for axis, index in enumerate(equation.free):
            read = _axes_read(equation, index)
            if read is None:
                continue
            whole = {r.tensor for r in walk(equation.term) if isinstance(r, Read)} - read.keys()
            # What is not cut is gone through for every block: a block is as large.
            block = max(BLOCK, sum(operands[name].size for name in whole))
            # A single row is another thing: a product with it may be no matrix product.
            count = min(-(-elements // block), shape[axis] // 2)
            if count > 1:
                ends = [shape[axis] * k // count for k in range(count + 1)]
                for start, stop in pairwise(ends):
                    yield _rows(equation, axis, read, start, stop)
                return
    yield Rows(equation, 0, 0, shape[0] if shape else 0, {})


def _axes_read(equation: Equation, index: Index) -> dict[str, int] | None:
    """The tensors that are read at an index, and at which of their axes; `None` where the index is
    anything but one axis of each."""
    found: dict[str, int] = {}
    others: set[str] = set()
    for node in walk(equation.term):
        if index in bound(node):
            return None
        if not isinstance(node, Read):
            if any(index in indices_of(position) for position in positions(node)):
                return None
            continue
        spots = [k for k, position in enumerate(node.at) if index in indices_of(position)]
        if not spots:
            others.add(node.tensor)
            continue
        several = len(spots) > 1 or node.at[spots[0]] != at(index)
        if several or found.setdefault(node.tensor, spots[0]) != spots[0]:
            return None
    return found if found and not others & found.keys() else None


def _rows(equation: Equation, axis: int, read: Mapping[str, int], start: int, stop: int) -> Rows:
    index = equation.free[axis]
    fewer = Index(index.number, stop - start)
    free = (*equation.free[:axis], fewer, *equation.free[axis + 1 :])
    over = replace(equation, free=free, term=substitute(equation.term, {index: at(fewer)}))
    return Rows(over, axis, start, stop, read)


def _cut(array: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
    return array[(slice(None),) * axis + (slice(start, stop),)]
