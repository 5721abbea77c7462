"""Moves of an array's elements that are known before there is an array."""

from __future__ import annotations

from math import prod

import numpy as np


class Laid:
    """The axes in another order; `None` stands for a new one of length 1."""

    __slots__ = ("_key", "_order")

    def __init__(self, order: tuple[int | None, ...]) -> None:
        self._order = tuple(axis for axis in order if axis is not None)
        new = tuple(None if axis is None else slice(None) for axis in order)
        self._key = (*new, Ellipsis) if None in order else None

    def __call__(self, part: np.ndarray) -> np.ndarray:
        # A sum over all axes may have left a bare number.
        turned = np.asarray(part).transpose(self._order)
        return turned if self._key is None else turned[self._key]


class Stacked:
    """A stack of matrices: of the axes in their new order, the first `batch` stay as they are, the
    next `rows` are made one, and the others too. What ``stays`` is as it is for every array."""

    __slots__ = ("_batch", "_order", "_rows", "_same", "stays")

    def __init__(self, order: tuple[int, ...], batch: int, rows: int) -> None:
        self._order, self._batch, self._rows = order, batch, batch + rows
        self._same = rows == 1 and len(order) == batch + 2
        self.stays = self._same and order == tuple(range(len(order)))

    def __call__(self, part: np.ndarray) -> np.ndarray:
        moved = part.transpose(self._order)
        if self._same:
            return moved
        lengths = moved.shape
        b, r = self._batch, self._rows
        return moved.reshape((*lengths[:b], prod(lengths[b:r]), prod(lengths[r:])))


class Reshaped:
    """Other axes over the same elements."""

    __slots__ = ("shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __call__(self, part: np.ndarray) -> np.ndarray:
        return part if part.shape == self.shape else part.reshape(self.shape)


class Filled:
    """Everything that was broadcast written out, in this shape."""

    __slots__ = ("shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __call__(self, part: np.ndarray) -> np.ndarray:
        return part if part.shape == self.shape else np.broadcast_to(part, self.shape).copy()
