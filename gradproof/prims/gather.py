"""A key with integers in it to one named operation: which axes an index picks from.

======================  =====================================================================
``gather``              x and its indices; ``key``: one entry for each axis
``put``                 x, what is written, and the indices; ``key``; the last one stays
``add_at``              x, what is added, and the indices; ``key``; repeated ones add up
``one_hot``             an index; ``size``
======================  =====================================================================

An entry of a key is ``slice(None)``, the number of an index, or `EACH`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from gradproof.core.errors import NotYet, ShapeError
from gradproof.core.told import told
from gradproof.prims.caller import place

EACH = "each"
"""Of an axis along which ``np.arange`` counts the rows for which there is an index."""


def is_gathering(key: Any) -> bool:
    """Whether a key has integers of a tensor, an array or a list in it."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(_is_index(part) for part in parts)


def _is_index(part: Any) -> bool:
    if isinstance(part, NDArrayOperatorsMixin):
        return True
    return isinstance(part, list | range) or (isinstance(part, np.ndarray) and part.ndim > 0)


def gathering(x: Any, key: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """The entries of a key, and its indices.

    Raises:
        NotYet: a slice, a number or a new axis beside the indices, or axes between them.
        ShapeError: too many entries, or a number that is no position along its axis.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if len(parts) > x.ndim:
        raise ShapeError(
            told("{count} indices for a tensor of {ndim} axes.", count=len(parts), ndim=x.ndim),
            place=place(),
        )
    parts += [slice(None)] * (x.ndim - len(parts))
    if any(isinstance(p, slice) and p != slice(None) for p in parts) or not all(
        isinstance(p, slice) or _is_index(p) for p in parts
    ):
        raise NotYet(
            told("Beside an array of indices only full slices are supported yet."),
            advice=told("Take the slice first, then the indices."),
            place=place(),
        )
    spots = [axis for axis, part in enumerate(parts) if _is_index(part)]
    if spots != list(range(spots[0], spots[-1] + 1)):
        raise NotYet(
            told("Arrays of indices with a slice between them are not supported."), place=place()
        )
    indices: list[Any] = []
    entries: list[Any] = []
    several = len(spots) > 1
    for axis, part in enumerate(parts):
        if isinstance(part, slice):
            entries.append(part)
        elif several and _counts(part, x.shape[axis]):
            entries.append(EACH)
        else:
            entries.append(len(indices))
            given = isinstance(part, NDArrayOperatorsMixin)
            indices.append(part if given else _whole(x, part, axis))
    if not indices:  # np.arange twice: the diagonal
        spot = entries.index(EACH)
        entries[spot] = 0
        indices.append(_whole(x, parts[spot], spot))
    return tuple(entries), indices


def _counts(part: Any, size: int) -> bool:
    """Whether an index is 0, 1, 2, … for all rows of an axis."""
    if isinstance(part, NDArrayOperatorsMixin):
        return False
    return bool(np.array_equal(np.asarray(part), np.arange(int(size))))


def _whole(x: Any, part: Any, axis: int) -> np.ndarray:
    array = np.asarray(part)
    if array.dtype.kind not in "iu":
        raise NotYet(
            told("An index of {dtype} numbers is not supported.", dtype=array.dtype),
            advice=told("For a mask, multiply by it or use np.where."),
            place=place(),
        )
    positions: np.ndarray = x.positions(array, axis)
    return positions


def numpy_key(entries: Sequence[Any], indices: Sequence[Any], lengths: Sequence[int]) -> Any:
    """The key that NumPy's own arrays take."""
    return tuple(
        part if isinstance(part, slice) else np.arange(size) if part == EACH else indices[part]
        for part, size in zip(entries, lengths, strict=True)
    )


def flat_places(
    entries: Sequence[Any], indices: Sequence[Any], lengths: Sequence[int]
) -> np.ndarray:
    """Where each element that a key names stands in the array, its elements counted in order."""
    numbers = np.arange(np.prod(lengths, dtype=np.int64)).reshape(tuple(lengths))
    places: np.ndarray = numbers[numpy_key(entries, [np.asarray(i) for i in indices], lengths)]
    return places
