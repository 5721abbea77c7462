"""Windows that slide over pictures: what convolutions and pools of every framework are made of.

Samples have the axes (sample, channel, place …), kernels (out, in, place …). `Places` of windows
are arrays with the axes (place of the window …, place in the window …), each the number of an
element in one flattened picture, counted from 1, and 0 where there is nothing but the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np

from gradproof.core.told import told
from gradproof.engines.backward_program import Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Gaps, Real, Truth
from gradproof.engines.places import gathered, joined


def window_places(
    lengths: Sequence[int],
    window: Sequence[int],
    counts: Sequence[int],
    strides: Sequence[int],
    lows: Sequence[int],
    apart: Sequence[int],
    spread: Sequence[int] | None = None,
) -> np.ndarray:
    """Where the numbers under each window stand.

    Args:
        lengths: of the picture, along each axis.
        window: its lengths.
        counts: how many windows there are.
        strides: from one window to the next.
        lows: how many places the first window begins before the picture.
        apart: the distance of two neighbours in a window.
        spread: the distance of two neighbours in the picture, with nothing between: 1.
    """
    rank = len(lengths)
    flat = np.zeros((1,) * (2 * rank), dtype=np.int64)
    inside = np.ones((1,) * (2 * rank), dtype=bool)
    for k, length in enumerate(lengths):
        step = spread[k] if spread is not None else 1
        first = np.arange(counts[k])[:, None] * strides[k] - lows[k]
        spot = first + np.arange(window[k])[None] * apart[k]
        shape = [1] * (2 * rank)
        shape[k], shape[rank + k] = spot.shape
        spot = spot.reshape(shape)
        inside = inside & (spot >= 0) & (spot <= (length - 1) * step) & (spot % step == 0)
        flat = flat * length + spot // step
    return np.where(inside, flat + 1, 0)


def patches(i: Interpreter, x: Real, places: np.ndarray) -> Real:
    """The numbers under every window, beside samples and channels; zeros where there are none."""
    flat = i.reshape(x, (*x.shape[:2], prod(x.shape[2:])))
    key = (slice(None), slice(None))
    if np.all(places > 0):
        return i.take(flat, (*key, places - 1))  # type: ignore[no-any-return]
    edged = i.placed(flat, (*x.shape[:2], flat.shape[2] + 1), (*key, slice(1, None)))
    return i.take(edged, (*key, places))  # type: ignore[no-any-return]


def spread_out(i: Interpreter, y: Real, places: np.ndarray, lengths: Sequence[int]) -> Real:
    """The transpose of `patches`: everything is added where it stands in the picture."""
    flat = places.reshape(-1)
    inside = np.flatnonzero(flat)
    rows = i.reshape(y, (prod(y.shape[:2]), len(flat)))
    kept = rows if len(inside) == len(flat) else i.take(rows, (slice(None), inside))
    added = gathered(i, kept, flat[inside] - 1, prod(lengths))
    return i.reshape(added, (*y.shape[:2], *lengths))  # type: ignore[no-any-return]


# --- convolutions ---------------------------------------------------------------------------------


def _rows(i: Interpreter, x: Real, places: np.ndarray) -> Real:
    """A row for each window of each sample, with channel and place in the window beside it."""
    half = places.ndim // 2
    many, inside = prod(places.shape[:half]), prod(places.shape[half:])
    parts = i.reshape(patches(i, x, places), (*x.shape[:2], many, inside))
    turned = i.transpose(parts, (0, 2, 1, 3))
    return i.reshape(turned, (x.shape[0] * many, x.shape[1] * inside))  # type: ignore[no-any-return]


def _flat(i: Interpreter, y: Real) -> Real:
    """A row for each place of each sample, with the channels beside it."""
    count, channels = y.shape[:2]
    many = prod(y.shape[2:])
    turned = i.transpose(i.reshape(y, (count, channels, many)), (0, 2, 1))
    return i.reshape(turned, (count * many, channels))  # type: ignore[no-any-return]


def _pictures(i: Interpreter, rows: Real, count: int, lengths: Sequence[int]) -> Real:
    """The samples whose channels stand in rows."""
    parts = i.reshape(rows, (count, prod(lengths), rows.shape[1]))
    turned = i.transpose(parts, (0, 2, 1))
    return i.reshape(turned, (count, rows.shape[1], *lengths))  # type: ignore[no-any-return]


def _parts(i: Interpreter, x: Real, axis: int, groups: int) -> list[Real]:
    if groups == 1:
        return [x]
    length = x.shape[axis] // groups
    before = (slice(None),) * axis
    return [i.take(x, (*before, slice(k * length, (k + 1) * length))) for k in range(groups)]


def convolved(i: Interpreter, x: Real, w: Real, places: np.ndarray, groups: int = 1) -> Real:
    """A convolution (a correlation, as every framework has it) in groups of channels."""
    lengths = places.shape[: places.ndim // 2]
    made = []
    for a, b in zip(_parts(i, x, 1, groups), _parts(i, w, 0, groups), strict=True):
        kernel = i.transpose(i.reshape(b, (b.shape[0], prod(b.shape[1:]))), (1, 0))
        made.append(_pictures(i, i.matmul(_rows(i, a, places), kernel), x.shape[0], lengths))
    return joined(i, made, 1)


def convolved_to_kernel(
    i: Interpreter, x: Real, g: Real, places: np.ndarray, groups: int = 1
) -> Real:
    """What arrives at the kernel of a convolution of x, whose result has the gradient g."""
    window = places.shape[places.ndim // 2 :]
    made = []
    for a, b in zip(_parts(i, x, 1, groups), _parts(i, g, 1, groups), strict=True):
        product = i.matmul(i.transpose(_flat(i, b), (1, 0)), _rows(i, a, places))
        made.append(i.reshape(product, (b.shape[1], a.shape[1], *window)))
    return joined(i, made, 0)


def convolved_to_input(
    i: Interpreter,
    w: Real,
    g: Real,
    places: np.ndarray,
    lengths: Sequence[int],
    groups: int = 1,
) -> Real:
    """What arrives at the samples of a convolution with the kernel w, whose result has the gradient
    g: a transposed convolution."""
    half = places.ndim // 2
    many, inside = prod(places.shape[:half]), prod(places.shape[half:])
    made = []
    for a, b in zip(_parts(i, g, 1, groups), _parts(i, w, 0, groups), strict=True):
        kernel = i.reshape(b, (b.shape[0], prod(b.shape[1:])))
        rows = i.reshape(i.matmul(_flat(i, a), kernel), (g.shape[0], many, b.shape[1], inside))
        turned = i.transpose(rows, (0, 2, 1, 3))
        made.append(spread_out(i, turned, places, lengths))
    return joined(i, made, 1)


# --- pools ----------------------------------------------------------------------------------------


def _windows(i: Interpreter, x: Real, places: np.ndarray) -> tuple[Real | Gaps, list[int]]:
    """The numbers under each window, with gaps at the edges; and the axes of the window."""
    found = patches(i, x, places)
    axes = list(range(len(found.shape) - places.ndim // 2, len(found.shape)))
    gone = np.broadcast_to(places == 0, (1, *found.shape))
    return (Gaps(found, gone) if gone.any() else found), axes


def largest_windows(i: Interpreter, x: Real, places: np.ndarray) -> Real:
    """The largest number under each window."""
    return i.largest(*_windows(i, x, places))


def to_largest(i: Interpreter, x: Real, g: Real, places: np.ndarray) -> Real:
    """What arrives at x where g arrives at the largest number under each window.

    Raises:
        Unattempted: the arithmetic has no order.
    """
    found, axes = _windows(i, x, places)
    winners = i.winners(found, axes)
    if not isinstance(winners, Truth):
        raise Unattempted(told("a largest number without an order"))
    beside = i.reshape(g, (*g.shape, *(1,) * len(axes)))
    chosen = i.multiply(i.convert(winners), beside)
    return spread_out(i, chosen, places, x.shape[2:])


def summed_windows(i: Interpreter, x: Real, places: np.ndarray) -> Real:
    """The sum of the numbers under each window."""
    found = patches(i, x, places)
    return i.total(found, range(len(found.shape) - places.ndim // 2, len(found.shape)))


def to_summed(i: Interpreter, g: Real, places: np.ndarray, lengths: Sequence[int]) -> Real:
    """What arrives at all numbers under each window where g arrives at their sum."""
    half = places.ndim // 2
    wide = i.spread(g, (*g.shape, *places.shape[half:]), range(len(g.shape)))
    return spread_out(i, wide, places, lengths)


def averages(places: np.ndarray) -> np.ndarray:
    """How many numbers of the picture are under each window."""
    half = places.ndim // 2
    return np.asarray(np.sum(places > 0, axis=tuple(range(half, 2 * half))))


def over(i: Interpreter, x: Real, counts: np.ndarray | int) -> Real:
    """Divided by whole numbers."""
    if isinstance(counts, np.ndarray) and np.all(counts == counts.flat[0]):
        counts = int(counts.flat[0])
    if isinstance(counts, int):
        return i.multiply(i.constant(Fraction(1, counts)), x)
    table = i.table(counts.astype(np.float64))
    return i.divide(x, table)  # type: ignore[no-any-return]
