"""What a black box returned to agreement, by the least error that it may have.

Mostly a function is right, and its numbers are far nearer to the exact ones than they have to be.
Then little has to be known of what it may be off by (`engines/least.py`): the verdict is the one
that the whole bound gives. Where that is not enough nothing is said, and the whole bound judges.

All is compared in float32, in which the numbers are: a midpoint is rounded, by 2^-24 of itself, and
what is computed with it by a few more.
"""

from __future__ import annotations

import numpy as np

from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.engines.least import ROOM
from gradproof.judge.box import Finding, units
from gradproof.judge.near import (
    MOST_APART,
    NEAR,
    NOTHING,
    SAMPLED,
    are_most,
    is_near,
    step_over,
    usual_size,
)
from gradproof.judge.truth import digits_of

BLOCK = 2**16
"""Elements whose float32 arrays stay in a processor's cache."""

ROUNDED = np.float32(2.0**-24 * (1 + 2.0**-20))
"""By so much of itself at most a midpoint moves when it is rounded."""

UP = 1 + 2.0**-20
"""It covers the roundings of float32 in a distance."""

LEAST = np.float32(2.0**-148)
"""It covers what underflows in a radius and a midpoint."""

ALIKE = 16.0
"""Radii of which the largest is no more than so many times the smallest are taken for it: all are
a thousandth of what is permitted."""


def agrees_by_least(returned: Returned, value: Value, contract: Contract) -> Finding | None:
    """That a float32 tensor agrees, if the least error shows it; `None` says nothing.

    ``share`` is then at least what the largest difference is of its bound, and ``permitted`` at
    most what is permitted.

    Args:
        returned: what was returned.
        value: midpoints, radii and least errors.
        contract: of the arithmetic.
    """
    m, r, e = value
    x = returned.array
    if x is None or x.shape != m.shape or x.dtype != np.float32 or not x.size:
        return None
    order = tuple(range(m.ndim))
    if not m.flags.c_contiguous:  # in the order of memory: a product may be of transposed matrices
        order = tuple(int(k) for k in np.argsort([-abs(s) for s in m.strides], kind="stable"))
    parts = [_in_order(part, m.shape, order) for part in (x, m, r, e)]
    with np.errstate(all="ignore"):
        found = _inside(*parts)
        if found is None:
            return None
        top, share, place = found
        size = _size_if_near(top, *parts[:3])
        if size is None:
            return None
    worst = tuple(place[order.index(axis)] for axis in range(m.ndim))
    unit = float(units(m[worst], contract))
    computed, true = float(x[worst]), float(m[worst])
    return Finding(
        "agrees",
        share,
        worst,
        computed,
        true,
        abs(computed - true) / unit,
        float(e[worst]) * ROOM / unit,
        NEAR,
        digits_of(top, max(size - top, 0.0)),
    )


def _in_order(part: np.ndarray, shape: tuple[int, ...], order: tuple[int, ...]) -> np.ndarray:
    whole = part if part.shape == shape else np.broadcast_to(part, shape)
    return np.atleast_1d(whole.transpose(order))


def _inside(
    x: np.ndarray, m: np.ndarray, r: np.ndarray, e: np.ndarray
) -> tuple[float, float, tuple[int, ...]] | None:
    """The largest distance, the largest share of an error and where it is, if all are inside."""
    rounded = _written_once(r)
    rows = max(1, BLOCK * x.shape[0] // x.size)
    top, share, worst = 0.0, -1.0, (0, 0)
    for start in range(0, x.shape[0], rows):
        part = slice(start, start + rows)
        far = _far(x[part], m[part], rounded[part] if len(rounded) > 1 else rounded)
        top = max(top, float(far.max()))
        far /= e[part]
        spot = int(far.argmax())
        most = float(far.flat[spot]) * UP
        if not most <= ROOM:
            same = (x[part] == m[part]) & (r[part] <= NOTHING)
            far[same] = 0.0
            spot = int(far.argmax())
            most = float(far.flat[spot]) * UP
        if not most <= ROOM:
            return None
        if most > share:
            share, worst = most, (start, spot)
    place = np.unravel_index(worst[1], (rows, *x.shape[1:]))
    return top * UP, share / ROOM, (worst[0] + int(place[0]), *map(int, place[1:]))


def _far(x: np.ndarray, m: np.ndarray, r: np.ndarray) -> np.ndarray:
    """At most how far numbers are from the exact ones, but for a factor `UP`."""
    near = m.astype(np.float32)
    far = x - near
    np.abs(far, out=far)
    far += r
    np.abs(near, out=near)
    near *= ROUNDED
    far += near
    return far


def _written_once(r: np.ndarray) -> np.ndarray:
    """A radius in float32, of length 1 along axes in which it is the same."""
    once = r[tuple(slice(None) if stride else slice(0, 1) for stride in r.strides)]
    low, high = float(once.min()), float(once.max())
    if low > NOTHING and high <= ALIKE * low:
        once = np.full((1,) * r.ndim, high)
    rounded = once.astype(np.float32)
    rounded *= np.float32(1 + 2.0**-22)
    if low > NOTHING:
        rounded += LEAST
        return rounded
    return np.where(once > NOTHING, rounded + LEAST, rounded)


def _size_if_near(top: float, x: np.ndarray, m: np.ndarray, r: np.ndarray) -> float | None:
    """No more than the largest absolute value, if the tensor is near as `near.is_near` has it.

    That needs no second look at each element where the largest distance is less than what is usual
    permits.
    """
    few = slice(None, None, step_over(len(x), min(x.size // SAMPLED, len(x) // 8)))  # whole rows
    some = np.abs(m[few]).reshape(-1)
    size = float(some.max())
    # Mostly nearly all are as large as they have to be, wherever the farthest is.
    enough = np.count_nonzero(some >= top / NEAR) if top > 0 else 0
    if enough >= (1 - MOST_APART) * some.size:
        return size
    if not 2 * enough > np.count_nonzero(some) and not top <= NEAR * usual_size(some):
        near = is_near(np.abs(x - m) + r, np.abs(m), "float32")
    else:
        near = are_most((np.abs(x[few] - m[few]) + r[few]).reshape(-1), some, "float32")
    return size if near else None
