"""An engine's numbers beside exact ones and their bounds, to what all elements say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import inf, isfinite, isnan
from typing import NamedTuple

import numpy as np

from gradproof.engines.extremes import greatest, least

BLOCK = 2**15
"""Elements whose dozen float64 arrays stay in a processor's cache."""


class Compared(NamedTuple):
    """The largest share of a bound and the index where it is; whether every bound is finite; the
    share of the elements that would have shown a small error; whether what is outside is so only
    for want of a narrower enclosure."""

    share: float
    worst: tuple[int, ...]
    finite: bool
    power: float
    unsure: bool = False


def from_a_ball(computed: np.ndarray, middle: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """At most so far from any number of a ball, but for the roundings here."""
    distance = computed.astype(np.float64)
    distance -= middle
    np.abs(distance, out=distance)
    distance += radius
    return distance


def known(computed: np.ndarray, middle: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return distance.copy()


class Tally(NamedTuple):
    """What some elements of a tensor say: see `Compared`. ``largest`` is the largest of their
    exact values, ``seen`` counts those other than zero that would have shown a small error, and
    ``at_zero`` are the bounds of those that are zero."""

    share: float
    worst: tuple[int, ...]
    largest: float
    finite: bool
    seen: int
    at_zero: tuple[np.ndarray, ...]
    size: int

    def moved(self, axis: int, start: int) -> Tally:
        """The same of a block that begins elsewhere."""
        if not self.worst or not start:
            return self
        index = list(self.worst)
        index[axis] += start
        return self._replace(worst=tuple(index))


def tallied(
    computed: np.ndarray,
    middle: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    radius: np.ndarray,
    bound: np.ndarray,
    grain: float,
) -> Tally:
    """The distances of some elements from the exact stage, beside their bounds.

    Block by block, because a dozen passes over a large tensor cost more than its matrix product
    when they leave the cache; so what `distance` returns is used up.
    """
    order = _order(middle)
    parts = (computed, middle, radius, bound)
    if order is not None:
        parts = tuple(part.transpose(order) for part in parts)
    flat = [part.reshape(-1) for part in parts]
    share, worst, largest, finite, seen = 0.0, 0, 0.0, True, 0
    at_zero, small = [], np.asarray(grain)
    space = np.empty(min(BLOCK, computed.size))
    for start in range(0, computed.size, BLOCK):
        e, m, r, b = (part[start : start + BLOCK] for part in flat)
        d = distance(e, m, r)
        shares = np.divide(d, b, out=space[: d.size])
        spot = int(shares.argmax())
        top = shares.item(spot)
        if not isfinite(top):  # values that are only copied or selected
            shares[(b == 0) & (d <= 2.0**-950)] = 0.0
            spot = int(shares.argmax())
            top = shares.item(spot)
        # Where the enclosure has no middle nothing is known.
        finite = finite and isfinite(greatest(b)) and not isnan(top)
        top = inf if isnan(top) else top
        if top > share:
            share, worst = top, start + spot
        size = np.abs(m, out=shares)
        largest = max(largest, greatest(size))
        d += b
        if not least(size) > 0:
            at_zero.append(b[(size == 0) & (e == 0)])
        size *= small
        seen += int(np.count_nonzero(d < size))
    share *= 1 + 2.0**-50  # subtracting, adding and dividing were rounded: all by less than this
    index = _place(worst, computed.shape, order) if computed.size else ()
    return Tally(share, index, largest, finite, seen, tuple(at_zero), computed.size)


def tallied_together(
    stages: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], grain: float
) -> list[Tally]:
    """`tallied` of several small tensors, distances from balls, in the passes of one.

    Args:
        stages: of each the computed numbers, and the middles, radii and bounds of the exact ones.
        grain: the relative error that should be seen.
    """
    orders = [_order(middle) for _, middle, _, _ in stages]
    rows = [
        [(part if order is None else part.transpose(order)).reshape(-1) for part in parts]
        for parts, order in zip(stages, orders, strict=True)
    ]
    e, m, r, b = (np.concatenate([row[k] for row in rows]) for k in range(4))
    lengths = [computed.size for computed, _, _, _ in stages]
    ends = list(accumulate(lengths))
    starts = [end - length for end, length in zip(ends, lengths, strict=True)]
    d = from_a_ball(e, m, r)
    shares = d / b
    most = np.maximum.reduceat(b, starts).tolist()
    size = np.abs(m)
    largest = np.maximum.reduceat(size, starts).tolist()
    smallest = np.minimum.reduceat(size, starts).tolist()
    d += b
    size *= np.asarray(grain)
    seen = np.add.reduceat(d < size, starts, dtype=np.intp).tolist()
    tallies: list[Tally] = []
    for k, (computed, middle, radius, bound) in enumerate(stages):
        here = slice(starts[k], ends[k])
        mine = shares[here]
        spot = int(mine.argmax())
        top = mine.item(spot)
        if not (isfinite(top) and isfinite(most[k])):  # copied, or not known: a case by itself
            tallies.append(tallied(computed, middle, from_a_ball, radius, bound, grain))
            continue
        at_zero = () if smallest[k] > 0 else (b[here][(m[here] == 0) & (e[here] == 0)],)
        index = _place(spot, computed.shape, orders[k])
        share = top * (1 + 2.0**-50)  # as in `tallied`
        tallies.append(Tally(share, index, largest[k], True, seen[k], at_zero, lengths[k]))
    return tallies


def _order(middle: np.ndarray) -> list[int] | None:
    """The axes in the order of memory, where they are not: a product may be that of the transposed
    matrices."""
    if middle.flags.c_contiguous:
        return None
    return sorted(range(middle.ndim), key=lambda axis: -abs(middle.strides[axis]))


def _place(place: int, shape: tuple[int, ...], order: Sequence[int] | None) -> tuple[int, ...]:
    """Where a place among all elements is, if the axes were gone through in this order."""
    index = [0] * len(shape)
    for axis in reversed(range(len(shape)) if order is None else order):
        place, index[axis] = divmod(place, shape[axis])
    return tuple(index)


def found_in(tallies: Sequence[Tally], grain: float) -> Compared:
    """What all elements say together.

    A zero has no relative error: it is measured by the largest element, and where all are zero
    any other number would not have passed but for underflows.
    """
    top, *others = tallies
    largest, seen, finite, size = top.largest, top.seen, top.finite, top.size
    for tally in others:
        top = tally if tally.share > top.share else top
        largest, seen = max(largest, tally.largest), seen + tally.seen
        finite, size = finite and tally.finite, size + tally.size
    for b in (bounds for tally in tallies for bounds in tally.at_zero):
        seen += int(np.count_nonzero(b < (grain * largest if largest else 2.0**-20)))
    return Compared(top.share, top.worst, finite, seen / max(1, size))
