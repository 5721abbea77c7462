"""Operations on windows over plain arrays, with NumPy or with a double of it.

``np`` is the module that computes: NumPy itself, or autograd's. Elements are moved by indexing, and
then multiplied and added as a matrix product does.
"""

from __future__ import annotations

from typing import Any

import numpy

from gradproof.prims.window import FIRST, Sliding


def pad(np: Any, x: Any, width: tuple[tuple[int, int], ...]) -> Any:
    """Zeros before and after."""
    return np.pad(x, width, mode="constant") if any(map(any, width)) else x


def windows(np: Any, x: Any, axis: int, length: int, stride: int = 1, dilation: int = 1) -> Any:
    """The windows along an axis, with their own axis last."""
    count = (x.shape[axis] - dilation * (length - 1) - 1) // stride + 1
    places = stride * numpy.arange(count)[:, None] + dilation * numpy.arange(length)
    taken = x[(*(slice(None),) * axis, places)]
    rest = [a for a in range(len(taken.shape)) if a != axis + 1]
    return np.transpose(taken, (*rest, axis + 1))


def convolve(np: Any, x: Any, w: Any, sliding: Sliding) -> Any:
    """The correlation of samples with a kernel."""
    x, w = _channels_first(np, x, w, sliding)
    x = pad(np, x, ((0, 0), (0, 0), *sliding.padding))
    count = len(sliding.stride)
    for k in range(count):
        x = windows(np, x, 2 + k, w.shape[2 + k], sliding.stride[k], sliding.dilation[k])
    spots = tuple(range(2 + count, 2 + 2 * count))
    inputs, outputs = w.shape[1], w.shape[0] // sliding.groups
    parts = []
    for group in range(sliding.groups):
        mine = x[:, group * inputs : (group + 1) * inputs]
        kernel = w[group * outputs : (group + 1) * outputs]
        made = np.tensordot(mine, kernel, ((1, *spots), tuple(range(1, 2 + count))))
        parts.append(np.moveaxis(made, -1, 1))
    return _back(np, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), sliding)


def convolve_transposed(np: Any, x: Any, w: Any, sliding: Sliding) -> Any:
    """Each element of the samples spreads the kernel."""
    x, w = _channels_first(np, x, w, sliding)  # a kernel's first axis meets the samples' channels
    count = len(sliding.stride)
    spread = np.moveaxis(np.tensordot(x, w, ((1,), (0,))), 1 + count, 1)
    for k in range(count):
        # axes: n, o, what is left of i, what is done, what is left of r
        i, r = 2, 2 + count
        moves = _moves(x.shape[2 + k], w.shape[2 + k], k, sliding).astype(x.dtype)
        spread = np.tensordot(spread, moves, ((i, r), (0, 1)))
        rest = list(range(len(spread.shape)))
        spot = 2 + (count - 1)
        order = [*rest[:spot], rest[-1], *rest[spot:-1]]
        spread = np.transpose(spread, order)
    return _back(np, spread, sliding)


def _moves(size: int, length: int, k: int, sliding: Sliding) -> Any:
    """Whether element i and kernel place r meet position p, as ones and zeros."""
    reach = sliding.dilation[k] * (length - 1) + 1
    result = (size - 1) * sliding.stride[k] + reach - sum(sliding.padding[k])
    i, r, p = numpy.ogrid[:size, :length, :result]
    there = sliding.stride[k] * i + sliding.dilation[k] * r - sliding.padding[k][0]
    return there == p


def pool(np: Any, x: Any, window: tuple[int, ...], sliding: Sliding, *, largest: bool) -> Any:
    """The mean, or the largest element, of each window."""
    if sliding.layout != FIRST:
        x = np.moveaxis(x, -1, 1)
    for k, length in enumerate(window):
        x = windows(np, x, 2 + k, length, sliding.stride[k])
    spots = tuple(range(len(x.shape) - len(window), len(x.shape)))
    return _back(np, (np.max if largest else np.mean)(x, axis=spots), sliding)


def triangle(x: Any, diagonal: int, upper: bool) -> Any:
    """Zero on one side of a diagonal."""
    ones = numpy.ones(x.shape[-2:], getattr(x, "dtype", None))
    return x * (numpy.triu if upper else numpy.tril)(ones, diagonal)


def _channels_first(np: Any, x: Any, w: Any, sliding: Sliding) -> tuple[Any, Any]:
    if sliding.layout == FIRST:
        return x, w
    count = len(sliding.stride)
    return np.moveaxis(x, -1, 1), np.transpose(w, (count + 1, count, *range(count)))


def _back(np: Any, y: Any, sliding: Sliding) -> Any:
    return y if sliding.layout == FIRST else np.moveaxis(y, 1, -1)
