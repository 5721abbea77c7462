"""Convolutions and pools of PyTorch's programs (aten), by their meaning over the real numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradproof.engines.backward_program import Operation
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Real
from gradproof.engines.windows import (
    averages,
    convolved,
    convolved_to_input,
    convolved_to_kernel,
    largest_windows,
    over,
    summed_windows,
    to_largest,
    to_summed,
    window_places,
)


def _pairs(given: Any, rank: int) -> tuple[int, ...]:
    """A setting for each axis: given for each, or one for all."""
    several = tuple(map(int, given))
    return several * rank if len(several) == 1 else several


def _conv_places(o: Operation, inside: tuple[int, ...], w: Real, made: tuple[int, ...]) -> Any:
    rank = len(w.shape) - 2
    own = o.attributes
    strides, lows, apart = (_pairs(own[name], rank) for name in ("stride", "padding", "dilation"))
    return window_places(inside, w.shape[2:], made, strides, lows, apart)


def _convolution(i: Interpreter, o: Operation, x: Real, w: Real, *bias: Real) -> Real:
    groups = int(o.attributes["groups"])
    if o.attributes["transposed"]:
        places = _conv_places(o, o.shape[2:], w, x.shape[2:])
        found = convolved_to_input(i, w, x, places, o.shape[2:], groups)
    else:
        found = convolved(i, x, w, _conv_places(o, x.shape[2:], w, o.shape[2:]), groups)
    for b in bias:
        found = i.add(found, i.reshape(b, (b.shape[0], *(1,) * (len(o.shape) - 2))))
    return found


def _convolution_backward(i: Interpreter, o: Operation, g: Real, x: Real, w: Real) -> Real:
    groups = int(o.attributes["groups"])
    if not o.attributes["transposed"]:
        places = _conv_places(o, x.shape[2:], w, g.shape[2:])
        return convolved_to_input(i, w, g, places, x.shape[2:], groups)
    return convolved(i, g, w, _conv_places(o, g.shape[2:], w, x.shape[2:]), groups)


def _convolution_to_kernel(i: Interpreter, o: Operation, g: Real, x: Real, w: Real) -> Real:
    groups = int(o.attributes["groups"])
    picture, made = (g, x) if o.attributes["transposed"] else (x, g)
    places = _conv_places(o, picture.shape[2:], w, made.shape[2:])
    return convolved_to_kernel(i, picture, made, places, groups)


def _convolution_to_bias(i: Interpreter, o: Operation, g: Real, x: Real, w: Real) -> Real:
    return i.total(g, (0, *range(2, len(g.shape))))


def _pool_places(o: Operation, lengths: tuple[int, ...], counts: tuple[int, ...]) -> Any:
    rank, own = len(lengths), o.attributes
    window = _pairs(own["kernel_size"], rank)
    strides = _pairs(own["stride"], rank) if own["stride"] else window
    apart = _pairs(own.get("dilation") or (1,), rank)
    return window_places(lengths, window, counts, strides, _pairs(own["padding"], rank), apart)


def _pictured(i: Interpreter, x: Real) -> Any:
    """With an axis of samples."""
    return i.reshape(x, (1, *x.shape)) if len(x.shape) == 3 else x


def _max_pool(i: Interpreter, o: Operation, x: Real) -> Any:
    places = _pool_places(o, x.shape[-2:], o.shape[-2:])
    return i.reshape(largest_windows(i, _pictured(i, x), places), o.shape)


def _max_pool_backward(i: Interpreter, o: Operation, g: Real, x: Real) -> Any:
    places = _pool_places(o, x.shape[-2:], g.shape[-2:])
    return i.reshape(to_largest(i, _pictured(i, x), _pictured(i, g), places), o.shape)


def _divisors(o: Operation, places: np.ndarray, lengths: tuple[int, ...]) -> Any:
    """What every sum of an average pool is divided by: with its edges, as far as there is padding,
    or without."""
    own = o.attributes
    if own["divisor_override"]:
        return int(own["divisor_override"])
    if not own["count_include_pad"]:
        return averages(places)
    pads = _pairs(own["padding"], 2)
    window = places.shape[2:]
    strides = _pairs(own["stride"], 2) if own["stride"] else window
    wide = [n + 2 * pad for n, pad in zip(lengths, pads, strict=True)]
    none = (0, 0)
    return averages(window_places(wide, window, places.shape[:2], strides, none, (1, 1)))


def _adaptive_places(lengths: tuple[int, ...], counts: tuple[int, ...]) -> np.ndarray:
    """Windows from the o-th share of an axis to the next, with whatever they share."""
    flat, inside = np.zeros((1,) * 4, dtype=np.int64), np.ones((1,) * 4, dtype=bool)
    for k, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        first = np.arange(count) * length // count
        after = -(-(np.arange(count) + 1) * length // count)
        spot = first[:, None] + np.arange(int((after - first).max()))
        shape = [1] * 4
        shape[k], shape[2 + k] = spot.shape
        inside = inside & (spot < after[:, None]).reshape(shape)
        flat = flat * length + spot.reshape(shape)
    return np.where(inside, flat + 1, 0)


def _adaptive(i: Interpreter, o: Operation, x: Real) -> Any:
    places = _adaptive_places(x.shape[-2:], o.shape[-2:])
    total = summed_windows(i, _pictured(i, x), places)
    return i.reshape(over(i, total, averages(places)), o.shape)


def _adaptive_backward(i: Interpreter, o: Operation, g: Real, x: Real) -> Any:
    places = _adaptive_places(x.shape[-2:], g.shape[-2:])
    each = over(i, _pictured(i, g), averages(places))
    return i.reshape(to_summed(i, each, places, x.shape[-2:]), o.shape)


def _avg_pool(i: Interpreter, o: Operation, x: Real) -> Any:
    places = _pool_places(o, x.shape[-2:], o.shape[-2:])
    total = summed_windows(i, _pictured(i, x), places)
    return i.reshape(over(i, total, _divisors(o, places, x.shape[-2:])), o.shape)


def _avg_pool_backward(i: Interpreter, o: Operation, g: Real, x: Real) -> Any:
    places = _pool_places(o, x.shape[-2:], g.shape[-2:])
    each = over(i, _pictured(i, g), _divisors(o, places, x.shape[-2:]))
    return i.reshape(to_summed(i, each, places, x.shape[-2:]), o.shape)


WINDOWS: Mapping[str, Callable[..., Any]] = {
    "aten.convolution": _convolution,
    "aten.convolution_backward": _convolution_backward,
    "aten.convolution_backward:1": _convolution_to_kernel,
    "aten.convolution_backward:2": _convolution_to_bias,
    "aten.max_pool2d_with_indices": _max_pool,
    "aten.max_pool2d_with_indices_backward": _max_pool_backward,
    "aten.avg_pool2d": _avg_pool,
    "aten._adaptive_avg_pool2d": _adaptive,
    "aten._adaptive_avg_pool2d_backward": _adaptive_backward,
    "aten.avg_pool2d_backward": _avg_pool_backward,
}
"""What each operator means, as in `aten.ATEN`."""
