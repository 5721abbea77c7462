"""What a network is written with, beside NumPy: functions that work on plain arrays too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

from gradproof.core.errors import NetworkError, ShapeError
from gradproof.core.told import told
from gradproof.prims import face as faces
from gradproof.prims import window_arrays
from gradproof.prims.blanks import gradient_of
from gradproof.prims.caller import place
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.face import Face, along, fold
from gradproof.prims.plain import slope_on_arrays
from gradproof.prims.record import Elementwise
from gradproof.prims.window import sliding


def _floats(x: Any) -> np.ndarray:
    array = np.asarray(x)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


@final
class ElementwiseFunction:
    """An elementwise function of the dictionary: ``f(x)``, and ``f.derivative(x)``.

    Takes and gives an array of any shape; plain arrays keep their floating-point dtype, integers
    become float64.
    """

    def __init__(self, record: Elementwise) -> None:
        self._record = record
        self.__name__ = record.name
        self.__doc__ = f"{record.words[0].upper()}{record.words[1:]}, elementwise."

    def __call__(self, *arguments: Any) -> Any:
        return self._apply(arguments, 0)

    def derivative(self, x: Any) -> Any:
        """The derivative at x, elementwise."""
        return self._apply((x,), 1)

    def _apply(self, arguments: tuple[Any, ...], order: int) -> Any:
        record = self._record
        if len(arguments) != len(record.arguments):
            raise ShapeError(
                told(
                    "{record} takes {count} argument(s).",
                    record=record.name,
                    count=len(record.arguments),
                )
            )
        face = next((a for a in arguments if isinstance(a, Face)), None)
        if face is not None:
            return face.operate(record.name, arguments, order=order)
        plain = [_floats(a) for a in arguments]
        return slope_on_arrays(record, tuple(plain)) if order else record.forward(*plain)

    def __repr__(self) -> str:
        return f"gradproof.{self.__name__}"


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials along an axis divided by their sum; the shape stays."""
    if isinstance(x, Face):
        return along("softmax", x, axis)
    return ALONG_BY_NAME["softmax"].forward(_floats(x), axis)


def logsumexp(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    """The logarithm of the sum of exponentials along an axis, which is lost unless kept."""
    if isinstance(x, Face):
        return fold("logsumexp", x, axis, keepdims)
    value = FOLD_BY_NAME["logsumexp"].forward(_floats(x), axis)
    return value if keepdims else np.squeeze(value, axis)


def inv(a: Any) -> Any:
    """The inverse of a square matrix.

    Raises:
        ShapeError: it is not square.
        DataError: a plain matrix is singular.
    """
    return faces.inverse(a) if isinstance(a, Face) else _plainly(np.linalg.inv, a)


def solve(a: Any, b: Any) -> Any:
    """The x with ``a x = b``, for a square matrix a and a vector or a matrix b; in a network it is
    ``inv(a) @ b``.

    Raises:
        ShapeError: a is not square, or does not meet b.
        DataError: a plain matrix is singular.
    """
    if isinstance(a, Face) or isinstance(b, Face):
        return faces.solve(a, b)
    return _plainly(np.linalg.solve, a, b)


def logdet(a: Any) -> Any:
    """The logarithm of the absolute value of a square matrix' determinant: a scalar.

    Raises:
        ShapeError: it is not square.
    """
    if isinstance(a, Face):
        return faces.logdet(a)
    return _plainly(lambda x: np.linalg.slogdet(x)[1], a)


def _plainly(function: Callable[..., Any], a: Any, *others: Any) -> Any:
    matrix = _floats(a)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            told("This needs a square matrix, not {shape}.", shape=matrix.shape), place=place()
        )
    try:
        return function(matrix, *map(_floats, others))
    except np.linalg.LinAlgError:
        raise faces.singular() from None


def one_hot(index: Any, size: int) -> Any:
    """For each integer a row of zeros with a one at its position; the new axis is the last."""
    if isinstance(index, Face):
        return index.operate("one_hot", (index,), size=size)
    return (np.asarray(index)[..., None] == np.arange(size)).astype(np.float64)


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """A recurrence: ``carry, y = step(carry, x)`` for each x along the first axis of `xs`.

    The same as a loop, for those who prefer to say so, as in `jax.lax.scan`. Returns the last carry
    and the ys, stacked along a new first axis; ``None`` in the place of the ys where every y is.

    Args:
        step: takes the carry (an array, or a tuple of arrays) and one x, and returns both.
        init: the first carry.
        xs: an array, a tuple or list of arrays, each read along its first axis, or ``None``.
        length: how many turns, where there are no xs.
        reverse: from the last x to the first; ys stay in the order of the xs.

    Raises:
        ShapeError: there is nothing to count, or the xs have different lengths.
    """
    turns = _turns(xs, length)
    carry, ys = init, []
    for t in reversed(range(turns)) if reverse else range(turns):
        carry, y = step(carry, _at(xs, t))
        ys.append(y)
    # The last carry is one of the turns, not what the caller names it.
    for one in carry if isinstance(carry, tuple) else (carry,):
        if isinstance(one, Face):
            one.keep_name()
    if reverse:
        ys.reverse()
    return carry, _stacked(ys)


def _turns(xs: Any, length: int | None) -> int:
    several = isinstance(xs, tuple | list)
    lengths = {len(x) for x in (xs if several else [xs] if xs is not None else [])}
    if length is not None:
        lengths.add(int(length))
    if len(lengths) != 1:
        said = " and ".join(map(str, sorted(lengths))) or "nothing"
        raise ShapeError(
            told("scan has {said} to go by.", said=said),
            advice=told("Give xs of one length, or length=."),
        )
    return lengths.pop()


def _at(xs: Any, t: int) -> Any:
    if isinstance(xs, tuple | list):
        return type(xs)(x[t] for x in xs)
    return None if xs is None else xs[t]


def _stacked(ys: list[Any]) -> Any:
    if not ys or ys[0] is None:
        return None
    if isinstance(ys[0], tuple):
        return tuple(np.stack(list(parts)) for parts in zip(*ys, strict=True))
    return np.stack(ys)


def blank(of: Any) -> Any:
    """The gradient with respect to `of`, in the place of a formula that is still to be found.

    It stands in ``backward``, as in ``dl_dW = gp.blank(W)``: what is built on it is judged as if it
    were there and right, and it counts as no formula itself. Of a list it is a list.

    Raises:
        NetworkError: it stands elsewhere, or the function is called without gradproof.
    """
    if isinstance(of, list | tuple):
        return [blank(one) for one in of]
    if isinstance(of, Face):
        return of.gradient()
    found = gradient_of(of)
    if found is None:
        raise NetworkError(
            told("gp.blank has no number: its formula is still missing."),
            advice=told("gradproof verify my_file.py --hints  marks what is there already."),
            place=place(),
        )
    return np.array(found)


def _moving(x: Any, *others: Any, name: str, **attributes: Any) -> Any:
    """An operation on windows: of a face by its own engine, of plain arrays by NumPy."""
    face = next((one for one in (x, *others) if isinstance(one, Face)), None)
    if face is not None:
        return face.operate(name, (x, *others), **attributes)
    arrays = map(_floats, (x, *others))
    match name:
        case "convolve":
            return window_arrays.convolve(np, *arrays, **attributes)
        case "convolve_transposed":
            return window_arrays.convolve_transposed(np, *arrays, **attributes)
        case _:
            largest = name == "largest_windows"
            return window_arrays.pool(np, *arrays, **attributes, largest=largest)


def conv1d(
    x: Any,
    w: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "NWC",
) -> Any:
    """The convolution of deep learning (a correlation) over one axis.

    With ``layout="NWC"`` x is (samples, width, channels) and w (width, in, out), as in TensorFlow
    and JAX; with ``"NCW"`` they are (samples, channels, width) and (out, in, width), as in PyTorch.
    """
    s = sliding(1, layout, stride, padding, dilation, groups)
    return _moving(x, w, name="convolve", sliding=s)


def conv2d(
    x: Any,
    w: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "NHWC",
) -> Any:
    """The convolution of deep learning (a correlation) over two axes.

    With ``layout="NHWC"`` x is (samples, height, width, channels) and w (height, width, in, out),
    as in TensorFlow; with ``"NCHW"`` they are (samples, channels, height, width) and (out, in,
    height, width), as in PyTorch. Each setting is one number, or one for each axis; a padding may
    be a pair (before, after) for each axis.
    """
    s = sliding(2, layout, stride, padding, dilation, groups)
    return _moving(x, w, name="convolve", sliding=s)


def conv_transpose2d(
    x: Any, w: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, layout: str = "NHWC"
) -> Any:
    """The transposed convolution: what `conv2d` sends back to its samples.

    A kernel is (height, width, out, in) with ``layout="NHWC"``, as in TensorFlow, and (in, out,
    height, width) with ``"NCHW"``, as in PyTorch. The padding is cut off the result.
    """
    s = sliding(2, layout, stride, padding, dilation)
    return _moving(x, w, name="convolve_transposed", sliding=s)


def avg_pool2d(x: Any, window: Any, stride: Any = None, layout: str = "NHWC") -> Any:
    """The mean of each window; windows stand side by side unless a stride is given."""
    return _pooled("average_windows", x, window, stride, layout)


def max_pool2d(x: Any, window: Any, stride: Any = None, layout: str = "NHWC") -> Any:
    """The largest element of each window; they stand side by side unless a stride is given."""
    return _pooled("largest_windows", x, window, stride, layout)


def _pooled(name: str, x: Any, window: Any, stride: Any, layout: str) -> Any:
    lengths = sliding(2, layout, window).stride
    s = sliding(2, layout, lengths if stride is None else stride)
    return _moving(x, name=name, window=lengths, sliding=s)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: ElementwiseFunction(record) for name, record in ELEMENTWISE_BY_NAME.items()},
    "softmax": softmax,
    "logsumexp": logsumexp,
    "inv": inv,
    "solve": solve,
    "logdet": logdet,
    "one_hot": one_hot,
    "blank": blank,
    "scan": scan,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "avg_pool2d": avg_pool2d,
    "max_pool2d": max_pool2d,
}
"""What a network finds as ``gradproof.sigmoid``: one function for each elementwise record too."""


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise AttributeError(f"module 'gradproof.ops' has no attribute {name!r}")
