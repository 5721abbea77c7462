"""What a black box returned to agreement, by the least error that it may have.

Mostly a function is right, and its numbers are far nearer to the exact ones than they have to be.
Then little has to be known of what it may be off by (`engines/least.py`): the verdict is the one
that the whole bound gives. Where that is not enough nothing is said, and the whole bound judges.
"""

from __future__ import annotations

import numpy as np

from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.engines.least import ROOM
from gradproof.judge.box import Finding, units
from gradproof.judge.near import are_most, is_near, near_in, sampled, usual_size
from gradproof.judge.truth import digits_of

BLOCK = 2**13
"""Elements whose arrays stay in a processor's cache."""


def agrees_by_least(returned: Returned, value: Value, contract: Contract) -> Finding | None:
    """That a tensor agrees, if the least error shows it; `None` says nothing.

    ``share`` is then at least what the largest difference is of its bound, and ``permitted`` at
    most what is permitted.

    Args:
        returned: what was returned.
        value: midpoints, radii and least errors.
        contract: of the arithmetic.
    """
    m, r, e = value
    x = returned.array
    if x is None or x.shape != m.shape or x.dtype.kind != "f" or not x.size:
        return None
    # The axes in the order of memory: a product may be that of the transposed matrices.
    order = np.argsort([-abs(stride) for stride in m.strides], kind="stable")
    whole = (x, m, np.broadcast_to(r, m.shape), np.broadcast_to(e, m.shape))
    turned = [np.atleast_1d(part.transpose(order)) for part in whole]
    with np.errstate(all="ignore"):
        found = _inside(*turned)
        if found is None:
            return None
        top, share, place = found
        if not _is_near(top, *turned[:3], contract.dtype):
            return None
        size = float(np.abs(x).max()) - top
        worst = tuple(place[list(order).index(axis)] for axis in range(m.ndim))
        unit = float(units(m[worst], contract))
        value_, true = float(x[worst]), float(m[worst])
        permitted = float(e[worst]) * ROOM / unit
    apart = abs(value_ - true) / unit
    digits = digits_of(top, max(size, 0.0))
    sees = near_in(contract.dtype)
    return Finding("agrees", share, worst, value_, true, apart, permitted, sees, digits)


def _inside(
    x: np.ndarray, m: np.ndarray, r: np.ndarray, e: np.ndarray
) -> tuple[float, float, tuple[int, ...]] | None:
    """The largest distance, the largest share of an error and where it is, if all are inside."""
    rows = max(1, BLOCK * x.shape[0] // x.size)
    space = np.empty((2, min(rows, x.shape[0]), *x.shape[1:]))
    top, share, worst = 0.0, -1.0, (0, 0)
    for start in range(0, x.shape[0], rows):
        part = slice(start, start + rows)
        far, shares = space[:, : x[part].shape[0]]
        np.subtract(x[part], m[part], out=far)
        np.abs(far, out=far)
        far += r[part]
        np.divide(far, e[part], out=shares)
        most = shares.max()
        if not most <= ROOM * (1 - 2.0**-40):
            return None
        top = max(top, float(far.max()))
        if most > share:
            share, worst = float(most), (start, int(shares.argmax()))
    place = np.unravel_index(worst[1], (rows, *x.shape[1:]))
    return top, share / ROOM, (worst[0] + int(place[0]), *map(int, place[1:]))


def _is_near(top: float, x: np.ndarray, m: np.ndarray, r: np.ndarray, dtype: str) -> bool:
    """`near.is_near`, which needs no second look at each element where the largest distance is less
    than what is usual permits."""
    some = np.abs(sampled(m))
    if not top <= near_in(dtype) * usual_size(some):
        return is_near(np.abs(x - m) + r, np.abs(m), dtype)
    spots = np.unravel_index(sampled(np.arange(x.size)), x.shape)  # r is mostly that of a row
    return are_most(np.abs(x[spots] - m[spots]) + r[spots], some, dtype)
