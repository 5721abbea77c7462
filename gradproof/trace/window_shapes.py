"""Operations on windows to the shapes of their results."""

from __future__ import annotations

from typing import Any

from gradproof.core.errors import NotYet, Place, ShapeError
from gradproof.core.index import Size
from gradproof.core.told import told
from gradproof.prims.window import Kernel, Sliding, kernel_axes

Shape = tuple[Size, ...]

OPERATIONS = (
    "convolve",
    "convolve_transposed",
    "average_windows",
    "largest_windows",
    "windows",
    "pad",
    "cumsum",
    "triangle",
)
"""The operations on windows, and those that shift or bound an axis as windows do."""


def show_shape(shape: Shape) -> str:
    """``n×2``, ``(3,)`` for one axis, ``a scalar`` for none."""
    if not shape:
        return "a scalar"
    return f"({shape[0]},)" if len(shape) == 1 else "×".join(str(s) for s in shape)


def window_shape(
    node_name: str, shapes: list[Shape], given: dict[str, Any], where: Place | None
) -> Shape:
    """The shape of an operation's result.

    Raises:
        ShapeError: the shapes do not meet, or no window fits.
        NotYet: a window slides over an axis whose size is a symbol.
    """
    x = shapes[0]
    match node_name:
        case "cumsum" | "triangle":
            return x
        case "pad":
            return tuple(
                size if pair == (0, 0) else _number(size, told("padded"), where) + sum(pair)
                for size, pair in zip(x, given["width"], strict=True)
            )
        case "windows":
            axis, length = given["axis"], given["length"]
            places = _counted(x[axis], length, 1, 1, (0, 0), where)
            return (*x[:axis], places, *x[axis + 1 :], length)
        case "convolve":
            return _convolved(x, shapes[1], given["sliding"], where)
        case "convolve_transposed":
            return _spread_out(x, shapes[1], given["sliding"], where)
        case _:
            return _pooled(x, given["window"], given["sliding"], where)


def _number(size: Size, what: str, where: Place | None) -> int:
    if isinstance(size, int):
        return size
    raise NotYet(
        told("An axis of the symbolic size {size} cannot be {what} yet.", size=size, what=what),
        advice=told("Give that axis a number in the annotation."),
        place=where,
    )


def _counted(
    size: Size, length: Size, stride: int, dilation: int, ends: tuple[int, int], where: Place | None
) -> int:
    """How many windows fit."""
    whole = _number(size, told("cut into windows"), where) + sum(ends)
    reach = dilation * (_number(length, told("a window"), where) - 1) + 1
    if reach > whole:
        raise ShapeError(
            told(
                "A window of {reach} does not fit on an axis of {whole}.", reach=reach, whole=whole
            ),
            place=where,
        )
    return (whole - reach) // stride + 1


def _convolved(x: Shape, w: Shape, s: Sliding, where: Place | None) -> Shape:
    axes, kernel = _met(x, w, s, where, transposed=False)
    outputs = _number(w[kernel.outputs], told("split into groups"), where) if s.groups > 1 else None
    inputs = x[s.channel(len(x))]
    wanted = (
        inputs if s.groups == 1 else _number(inputs, told("split into groups"), where) // s.groups
    )
    divides = s.groups == 1 or (
        outputs is not None and outputs % s.groups == 0 and wanted * s.groups == inputs
    )
    if w[kernel.inputs] != wanted or not divides:
        raise _unmet(x, w, inputs, w[kernel.inputs], where)
    result = list(x)
    result[s.channel(len(x))] = w[kernel.outputs]
    for k, axis in enumerate(axes):
        length = w[kernel.window[k]]
        result[axis] = _counted(x[axis], length, s.stride[k], s.dilation[k], s.padding[k], where)
    return tuple(result)


def _spread_out(x: Shape, w: Shape, s: Sliding, where: Place | None) -> Shape:
    axes, kernel = _met(x, w, s, where, transposed=True)
    if w[kernel.inputs] != x[s.channel(len(x))]:
        raise _unmet(x, w, x[s.channel(len(x))], w[kernel.inputs], where)
    result = list(x)
    result[s.channel(len(x))] = w[kernel.outputs]
    for k, axis in enumerate(axes):
        length = _number(w[kernel.window[k]], told("a window"), where)
        reach = s.dilation[k] * (length - 1) + 1
        size = _number(x[axis], told("cut into windows"), where)
        result[axis] = (size - 1) * s.stride[k] + reach - sum(s.padding[k])
        if result[axis] < 1:
            raise ShapeError(told("The padding leaves nothing."), place=where)
    return tuple(result)


def _met(
    x: Shape, w: Shape, s: Sliding, where: Place | None, *, transposed: bool
) -> tuple[tuple[int, ...], Kernel]:
    count = len(s.stride)
    if len(x) != count + 2 or len(w) != count + 2:
        raise ShapeError(
            told(
                "A convolution over {count} axes takes {number} axes each, not {shape} "
                "and {shape2}.",
                count=count,
                number=count + 2,
                shape=show_shape(x),
                shape2=show_shape(w),
            ),
            place=where,
        )
    return s.spatial(len(x)), kernel_axes(s.layout, count, transposed=transposed)


def _unmet(x: Shape, w: Shape, one: Size, other: Size, where: Place | None) -> ShapeError:
    return ShapeError(
        told(
            "The samples are {shape} and the kernel {shape2}: {one} channels meet {other}.",
            shape=show_shape(x),
            shape2=show_shape(w),
            one=one,
            other=other,
        ),
        advice=told("layout= says where the channels stand."),
        place=where,
    )


def _pooled(x: Shape, window: tuple[int, ...], s: Sliding, where: Place | None) -> Shape:
    if len(x) != len(window) + 2:
        raise ShapeError(
            told(
                "Windows over {count} axes slide over {number} axes, not over {shape}.",
                count=len(window),
                number=len(window) + 2,
                shape=show_shape(x),
            ),
            place=where,
        )
    result = list(x)
    for k, axis in enumerate(s.spatial(len(x))):
        result[axis] = _counted(x[axis], window[k], s.stride[k], 1, (0, 0), where)
    return tuple(result)
