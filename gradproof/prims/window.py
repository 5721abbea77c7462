"""Windows that slide over axes: where they stand, and the functions of NumPy that slide them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.core.errors import ShapeError
from gradproof.core.told import told
from gradproof.prims.caller import place

FIRST = "channels first"
LAST = "channels last"
LAYOUTS = {"NCHW": FIRST, "NCW": FIRST, "NHWC": LAST, "NWC": LAST}
"""How the samples' axes are ordered. With channels first a kernel is (out, in, height, width), as
PyTorch has it, with channels last (height, width, in, out), as TensorFlow has it; a kernel of a
transposed convolution is (in, out, height, width) or (height, width, out, in)."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """How windows slide: for each axis the step, the zeros before and after, and the distance of
    the kernel's elements; the groups of channels; and which axis holds the channels."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    layout: str

    def spatial(self, rank: int) -> tuple[int, ...]:
        """The axes over which windows slide, of a tensor of samples."""
        return tuple(range(2, rank)) if self.layout == FIRST else tuple(range(1, rank - 1))

    def channel(self, rank: int) -> int:
        """The axis of the channels, of a tensor of samples."""
        return 1 if self.layout == FIRST else rank - 1


@dataclass(frozen=True, slots=True)
class Kernel:
    """Which axes of a kernel are the outputs', the inputs' and the window's."""

    outputs: int
    inputs: int
    window: tuple[int, ...]


def kernel_axes(layout: str, count: int, *, transposed: bool) -> Kernel:
    """The axes of a kernel over `count` axes."""
    if layout == FIRST:
        outputs, inputs, window = 0, 1, tuple(range(2, 2 + count))
    else:
        outputs, inputs, window = count + 1, count, tuple(range(count))
    return Kernel(inputs, outputs, window) if transposed else Kernel(outputs, inputs, window)


def sliding(
    count: int, layout: str, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Sliding:
    """The settings of a window over `count` axes, one number standing for all axes.

    Raises:
        ShapeError: a setting that is none, or a layout that does not exist.
    """
    known = {name for name in LAYOUTS if len(name) == count + 2}
    if layout not in known:
        raise ShapeError(
            told("{layout!r} is no layout of {number} axes.", layout=layout, number=count + 2),
            advice=told("It is one of {names}.", names=", ".join(sorted(known))),
            place=place(),
        )
    ends = padding if isinstance(padding, tuple | list) else (padding,) * count
    pairs = tuple(tuple(e) if isinstance(e, tuple | list) else (e, e) for e in ends)
    found = Sliding(
        _each(stride, count), pairs, _each(dilation, count), int(groups), LAYOUTS[layout]
    )
    numbers = [*found.stride, *found.dilation, groups]
    if (
        min(numbers, default=0) < 1
        or len(found.stride) != count
        or len(found.dilation) != count
        or [len(pair) for pair in pairs] != [2] * count
        or any(n < 0 for pair in pairs for n in pair)
    ):
        raise ShapeError(
            told(
                "Strides and dilations are {count} numbers above 0, a padding is none below 0.",
                count=count,
            ),
            advice=told(
                "stride={stride}, padding={padding}, dilation={dilation}, groups={groups}",
                stride=stride,
                padding=padding,
                dilation=dilation,
                groups=groups,
            ),
            place=place(),
        )
    return found


def _each(setting: Any, count: int) -> tuple[int, ...]:
    several = tuple(setting) if isinstance(setting, tuple | list) else (setting,) * count
    return several if len(several) == count else ()


def windows_over(x: Any, shape: Any, axis: Any = None) -> Any:
    """``np.lib.stride_tricks.sliding_window_view``: the windows' own axes come last."""
    lengths = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if len(axes) != len(lengths) or any(not -x.ndim <= a < x.ndim for a in axes):
        raise ShapeError(
            told(
                "{lengths} are no windows over the axes {axes} of {ndim}.",
                lengths=lengths,
                axes=axes,
                ndim=x.ndim,
            ),
            place=place(),
        )
    result = x
    for one, length in zip(axes, lengths, strict=True):
        result = result.operate("windows", (result,), axis=one % x.ndim, length=int(length))
    return result


def padded(x: Any, width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """``np.pad`` with zeros."""
    if mode != "constant" or np.any(np.asarray(constant_values) != 0):
        raise ShapeError(told("np.pad pads with zeros only, here."), place=place())
    pairs = np.broadcast_to(np.asarray(width), (x.ndim, 2))
    return x.operate("pad", (x,), width=tuple((int(a), int(b)) for a, b in pairs))


def cumulated(x: Any, axis: Any = None) -> Any:
    """``np.cumsum`` along an axis."""
    if axis is None and x.ndim != 1:
        raise ShapeError(told("np.cumsum needs its axis here."), place=place())
    return x.operate("cumsum", (x,), axis=(axis or 0) % x.ndim)


def triangle(x: Any, k: int = 0, *, upper: bool) -> Any:
    """``np.tril`` and ``np.triu``: zero above, or below, a diagonal of the last two axes."""
    if x.ndim < 2:
        raise ShapeError(told("A triangle needs two axes."), place=place())
    return x.operate("triangle", (x,), diagonal=int(k), upper=upper)


def flipped(x: Any, axis: Any = None) -> Any:
    """``np.flip``."""
    if axis is None:
        axes = set(range(x.ndim))
    else:
        axes = {a % x.ndim for a in (axis if isinstance(axis, tuple | list) else (axis,))}
    back = slice(None, None, -1)
    return x[tuple(back if a in axes else slice(None) for a in range(x.ndim))]


NUMPY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sliding_window_view": lambda x, window_shape, axis=None: windows_over(x, window_shape, axis),
    "pad": lambda array, pad_width, mode="constant", *, constant_values=0: padded(
        array, pad_width, mode, constant_values
    ),
    "cumsum": lambda a, axis=None: cumulated(a, axis),
    "tril": lambda m, k=0: triangle(m, k, upper=False),
    "triu": lambda m, k=0: triangle(m, k, upper=True),
    "flip": lambda m, axis=None: flipped(m, axis),
}
"""These functions by NumPy's names, with NumPy's arguments."""
