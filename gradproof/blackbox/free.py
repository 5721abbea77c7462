"""What the numbers of an array have in common, so that they are not changed one by one.

Nobody says of a callable's inputs that they are probabilities, unit vectors, a symmetric matrix, a
mask, sorted or a permutation, and a right function may use that they are. It is seen in the arrays.
"""

from __future__ import annotations

import numpy as np

from gradproof.judge.reference import Data

FEW = 2
"""Different numbers of which an array is a mask, or constant."""

SAMPLE = 2**12
"""Numbers that say how many different ones there are."""

LINES = 16
"""Lines of an array that are looked at before all of them."""

SPARE = 64
"""Of so many numbers one may be zero by chance, in 16 bits."""

PAIRS = 3
"""Neighbours from which on it is no chance that they all rise."""

COARSE, USUAL = 2.0**-6, 2.0**-10
"""How far off sums and lengths are in 16 bits, and in more, at most."""

EXACT = 2.0**-30
"""The same in float64, of numbers that were rounded to nothing less."""


def is_free(array: np.ndarray, *, coarse: bool) -> bool:
    """Whether nothing is seen that the numbers of an array have in common but their sign.

    Args:
        array: the numbers.
        coarse: whether they are rounded to 16 bits.
    """
    a = np.asarray(array, dtype=np.float64)
    if a.ndim == 0 or a.size < 2 or not np.all(np.isfinite(a)):
        return False
    whole = np.array_equal(a, np.round(a))
    masked = np.count_nonzero(a == 0) > max(1, a.size // SPARE)
    if whole or masked or len(np.unique(a.ravel()[:SAMPLE])) <= FEW:
        return False
    room = COARSE if coarse else USUAL
    square = a.ndim > 1 and a.shape[-1] == a.shape[-2]
    if square and _is_symmetric(a[..., :LINES, :LINES], room) and _is_symmetric(a, room):
        return False
    return not any(_is_bound(a, axis, room) for axis in range(a.ndim))


def _is_symmetric(a: np.ndarray, room: float) -> bool:
    """Whether matrices are their own transposes, or the negative of them."""
    turned, most = np.swapaxes(a, -1, -2), room * np.abs(a).max()
    return bool(np.all(np.abs(a - turned) <= most) or np.all(np.abs(a + turned) <= most))


def _is_bound(a: np.ndarray, axis: int, room: float) -> bool:
    """Whether what lies along an axis has something in common; mostly a few lines tell that it has
    not."""
    few = a[tuple(slice(None if k == axis else LINES) for k in range(a.ndim))]
    return _has_common(few, axis, room) and _has_common(a, axis, room)


def _has_common(a: np.ndarray, axis: int, room: float) -> bool:
    """Whether what lies along an axis sums to 0 or 1, as numbers or exponentials, has the length
    1, or is sorted."""
    if _is_scaled(a, axis, room):
        return True
    steps = np.diff(a, axis=axis)
    return steps.size >= PAIRS and bool(np.all(steps >= 0) or np.all(steps <= 0))


def _is_scaled(a: np.ndarray, axis: int, room: float) -> bool:
    """Whether what lies along an axis sums to 0 or 1, as numbers or exponentials, or has the length
    1."""
    count = a.shape[axis]
    if count < 2:
        return False
    sums, size = a.sum(axis), np.abs(a).sum(axis)
    if np.all(np.abs(sums) <= room * size) or np.all(np.abs(sums - 1) <= room * (1 + size)):
        return True
    if np.all(np.abs((a * a).sum(axis) - 1) <= 2 * room):
        return True
    with np.errstate(over="ignore"):
        return bool(np.all(a <= room) and np.all(np.abs(np.exp(a).sum(axis) - 1) <= count * room))


def is_bound_but_for_rounding(array: np.ndarray) -> bool:
    """Whether lines along an axis sum to 0 or 1, or have the length 1, no better than numbers of 16
    bits do: a right function may use that they do, and is off by as much."""
    a = np.asarray(array, dtype=np.float64)
    if a.size == 0 or not np.all(np.isfinite(a)):
        return False
    return any(
        (a.size >= 2 * a.shape[axis] or np.all(a >= 0))  # of a single line it may be chance
        and _is_scaled(a, axis, COARSE)
        and not _is_scaled(a, axis, EXACT)
        for axis in range(a.ndim)
    )


def has_both_signs(array: np.ndarray) -> bool:
    """Whether numbers are positive and negative: else zero may be outside of their domain, and one
    that is large as well."""
    return bool(np.any(array > 0) and np.any(array < 0))


def is_bound_along(array: np.ndarray, axis: int) -> bool:
    """Whether what lies along an axis has something in common, as `is_free` sees it."""
    return _is_bound(np.asarray(array, dtype=np.float64), axis, USUAL)


def is_ordered(a: np.ndarray, data: Data) -> bool:
    """Whether integers are a permutation of what some input has along an axis, rise or fall
    throughout, are all different though by chance some would be equal, or say where parts of
    another input begin: then one cannot be replaced alone."""
    if a.dtype.kind not in "iu" or a.ndim == 0 or a.size < 2:
        return False
    lengths = {n for one in data.inputs.values() if one.dtype.kind == "f" for n in one.shape}
    for axis, count in enumerate(a.shape):
        ordered = np.moveaxis(np.sort(a, axis), axis, -1)
        whole = np.array_equal(ordered, np.broadcast_to(np.arange(count), ordered.shape))
        if whole and count in lengths:
            return True
    if _are_different(a.reshape(1, -1)) or any(
        _are_different(np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis]))
        for axis in range(a.ndim)
    ):
        return True
    steps = np.diff(a.astype(np.int64), axis=-1)
    if steps.size >= PAIRS and bool(np.all(steps > 0) or np.all(steps < 0)):
        return True
    return a.ndim == 1 and a[0] == 0 and bool(np.all(steps >= 0))


def _are_different(lines: np.ndarray) -> bool:
    """Whether no line has an integer twice, of which the chance would be small: as of the rows that
    are kept, each once."""
    ordered = np.sort(lines, axis=1).astype(np.int64)
    if np.any(ordered[:, 0] < 0) or np.any(ordered[:, 1:] == ordered[:, :-1]):
        return False
    most = int(ordered.max()) + 1
    chance = np.prod(1 - np.arange(lines.shape[1]) / most) ** float(len(lines))
    return bool(chance < 1 / SPARE)
