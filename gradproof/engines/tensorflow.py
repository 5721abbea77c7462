"""TensorFlow as an engine: eager operations under one persistent GradientTape."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import count
from math import prod
from typing import Any, final

import numpy as np


@contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what is written to the standard error, and lets it out after an exception.

    TensorFlow's C++ writes four lines when it is loaded, before its own log level counts, and one
    when it first multiplies float16 matrices.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        error = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(error, held.read())
            raise
        finally:
            os.dup2(error, 2)
            os.close(error)


with _quiet():
    import tensorflow as tf

from gradproof.core.told import told  # noqa: E402
from gradproof.engines.backward_program import (  # noqa: E402
    BackwardProgram,
    Numbered,
    Operand,
    Operation,
    Table,
    Unattempted,
    read_back,
)
from gradproof.engines.black_box import (  # noqa: E402
    Answer,
    BoxFailed,
    Question,
    Returned,
    check_outputs,
    said_of,
    several,
)
from gradproof.engines.engine import Argument, Engine, NativeRun, Run  # noqa: E402
from gradproof.engines.face import (  # noqa: E402
    Arithmetic,
    Recording,
    read_inputs,
    read_kept,
    read_loss,
)
from gradproof.engines.graph import GRAPH  # noqa: E402
from gradproof.engines.windows import window_places  # noqa: E402
from gradproof.prims.face import singular  # noqa: E402
from gradproof.prims.gather import flat_places, numpy_key  # noqa: E402
from gradproof.prims.window import FIRST, Sliding  # noqa: E402


def _matmul(a: Any, b: Any) -> Any:
    """NumPy's rules: an operand with one axis is a row on the left and a column on the right."""
    match len(a.shape), len(b.shape):
        case 1, 1:
            return tf.tensordot(a, b, 1)
        case 1, _:
            return tf.linalg.matvec(b, a, transpose_a=True)
        case _, 1:
            return tf.linalg.matvec(a, b)
        case _:
            return tf.matmul(a, b)


def _mask(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: tf.cast(compare(a, b), a.dtype)


def _array(tensor: Any) -> np.ndarray:
    return np.array(tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor)


def _gather(x: Any, *indices: Any, key: tuple[Any, ...]) -> Any:
    """NumPy's indexing by integers: the axes that are picked from go first, and come back."""
    picked = [axis for axis, part in enumerate(key) if not isinstance(part, slice)]
    kept = [axis for axis in range(len(key)) if axis not in picked]
    parts = numpy_key(key, indices, x.shape)
    places = tf.stack([tf.cast(parts[axis], tf.int64) for axis in picked], axis=-1)
    found = tf.gather_nd(tf.transpose(x, [*picked, *kept]), places)
    rank, first = len(places.shape) - 1, picked[0]
    order = [*range(rank, rank + first), *range(rank), *range(rank + first, rank + len(kept))]
    return tf.transpose(found, order)


def _setitem(x: Any, new: Any, key: tuple[Any, ...]) -> Any:
    """A copy of x with the new values at the key."""
    places = np.arange(np.prod(x.shape, dtype=np.int64)).reshape(x.shape)[key]
    flat = tf.reshape(tf.broadcast_to(new, places.shape), [-1])
    whole = tf.tensor_scatter_nd_update(tf.reshape(x, [-1]), places.reshape(-1, 1), flat)
    return tf.reshape(whole, x.shape)


def _add_at(x: Any, new: Any, *indices: Any, key: tuple[Any, ...]) -> Any:
    """A copy of x with the new values added where integers say; twice where one stands twice."""
    places = flat_places(key, indices, tuple(map(int, x.shape)))
    flat = tf.reshape(tf.broadcast_to(new, places.shape), [-1])
    whole = tf.tensor_scatter_nd_add(tf.reshape(x, [-1]), places.reshape(-1, 1), flat)
    return tf.reshape(whole, x.shape)


def _last(x: Any, w: Any, sliding: Sliding) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Samples and kernel with the channels last and two axes between, and the way back: on the CPU
    TensorFlow convolves nothing else."""
    count = len(sliding.stride)
    rank = count + 2
    turned = sliding.layout == FIRST
    if turned:
        x = tf.transpose(x, (0, *range(2, rank), 1))
        w = tf.transpose(w, (*range(2, rank), 1, 0))

    def back(y: Any) -> Any:
        y = tf.squeeze(y, 1) if count == 1 else y
        return tf.transpose(y, (0, rank - 1, *range(1, rank - 1))) if turned else y

    return (x[:, None], w[None], back) if count == 1 else (x, w, back)


def _two(settings: tuple[Any, ...], one: Any) -> tuple[Any, ...]:
    return settings if len(settings) == 2 else (one, *settings)


def _apart(w: Any, dilation: tuple[int, ...]) -> Any:
    """The kernel with zeros between: TensorFlow has no gradient of a dilated one on the CPU."""
    if dilation == (1, 1):
        return w
    lengths = [d * (n - 1) + 1 for d, n in zip(dilation, w.shape, strict=False)]
    zeros = tf.zeros((*lengths, *w.shape[2:]), w.dtype)
    everywhere = (slice(None),) * 2
    return _setitem(zeros, w, (*(slice(None, None, d) for d in dilation), *everywhere))


def _convolve(x: Any, w: Any, sliding: Sliding) -> Any:
    x, w, back = _last(x, w, sliding)
    w = _apart(w, _two(sliding.dilation, 1))
    ends = [(0, 0), *_two(sliding.padding, (0, 0)), (0, 0)]
    stride = _two(sliding.stride, 1)
    # TensorFlow has no gradient of a grouped one on the CPU.
    samples, kernels = tf.split(x, sliding.groups, -1), tf.split(w, sliding.groups, -1)
    parts = [_strided(a, b, stride, ends) for a, b in zip(samples, kernels, strict=True)]
    return back(tf.concat(parts, -1) if len(parts) > 1 else parts[0])


def _strided(x: Any, w: Any, stride: tuple[int, ...], ends: list[tuple[int, int]]) -> Any:
    if stride[0] == stride[1]:
        return tf.nn.conv2d(x, w, stride, ends)
    # Only equal strides are known: the others are left out afterwards.
    return tf.nn.conv2d(x, w, (1, 1), ends)[:, :: stride[0], :: stride[1]]


def _convolve_transposed(x: Any, w: Any, sliding: Sliding) -> Any:
    x, w, back = _last(x, w, sliding)
    w = _apart(w, _two(sliding.dilation, 1))
    stride = _two(sliding.stride, 1)
    lengths = [
        (size - 1) * s + n for size, s, n in zip(x.shape[1:3], stride, w.shape[:2], strict=True)
    ]
    y = tf.nn.conv2d_transpose(x, w, (x.shape[0], *lengths, w.shape[2]), stride, "VALID")
    cut = [
        slice(low, size - high)
        for size, (low, high) in zip(lengths, _two(sliding.padding, (0, 0)), strict=True)
    ]
    return back(y[:, cut[0], cut[1]])


def _pool(own: Callable[..., Any]) -> Callable[..., Any]:
    def pool(x: Any, window: tuple[int, ...], sliding: Sliding) -> Any:
        if sliding.layout == FIRST:
            y = own(tf.transpose(x, (0, 2, 3, 1)), window, sliding.stride, "VALID")
            return tf.transpose(y, (0, 3, 1, 2))
        return own(x, window, sliding.stride, "VALID")

    return pool


def _inverse(x: Any) -> Any:
    try:
        return tf.linalg.inv(x)
    except tf.errors.InvalidArgumentError:
        raise singular() from None


def _windows(x: Any, axis: int, length: int) -> Any:
    places = np.arange(x.shape[axis] - length + 1)[:, None] + np.arange(length)
    taken = tf.gather(x, places, axis=axis)
    rest = [a for a in range(len(taken.shape)) if a != axis + 1]
    return tf.transpose(taken, (*rest, axis + 1))


def _triangle(x: Any, diagonal: int, upper: bool) -> Any:
    ones = np.ones(x.shape[-2:])
    kept = np.triu(ones, diagonal) if upper else np.tril(ones, diagonal)
    return tf.where(kept != 0, x, tf.zeros_like(x))


TENSORFLOW = Arithmetic(
    functions={
        "add": tf.add,
        "subtract": tf.subtract,
        "multiply": tf.multiply,
        "divide": tf.divide,
        "negative": tf.negative,
        "square": tf.square,
        "reciprocal": tf.math.reciprocal,
        "power": lambda x, exponent: tf.pow(x, tf.constant(exponent, x.dtype)),
        "matmul": _matmul,
        "sum": lambda x, axes, keepdims: tf.reduce_sum(x, axis=axes, keepdims=keepdims),
        "greater": _mask(tf.greater),
        "greater_equal": _mask(tf.greater_equal),
        "equal": _mask(tf.equal),
        "transpose": lambda x, order: tf.transpose(x, perm=order),
        "getitem": lambda x, key: x[key],
        "reshape": lambda x, sizes: tf.reshape(x, sizes),
        "broadcast": lambda x, sizes: tf.broadcast_to(x, sizes),
        "concatenate": lambda *xs, axis: tf.concat(xs, axis=axis),
        "einsum": lambda *xs, signature: tf.einsum(signature, *xs),
        "setitem": _setitem,
        "add_at": _add_at,
        "gather": _gather,
        "one_hot": lambda index, size: tf.one_hot(index, int(size)),
        "convolve": _convolve,
        "convolve_transposed": _convolve_transposed,
        "average_windows": _pool(tf.nn.avg_pool2d),
        "largest_windows": _pool(tf.nn.max_pool2d),
        "windows": _windows,
        "pad": lambda x, width: tf.pad(x, width),
        "cumsum": lambda x, axis: tf.cumsum(x, axis=axis),
        "triangle": _triangle,
        "inverse": _inverse,
        "logdet": lambda x: tf.linalg.slogdet(x)[1],
        "exp": tf.exp,
        "log": tf.math.log,
        "sqrt": tf.sqrt,
        "sigmoid": tf.sigmoid,
        "tanh": tf.tanh,
        "sin": tf.sin,
        "cos": tf.cos,
        "erf": tf.math.erf,
        "sinh": tf.sinh,
        "cosh": tf.cosh,
        "sign": tf.sign,
        "relu": tf.nn.relu,
        "abs": tf.abs,
        "maximum": tf.maximum,
        "minimum": tf.minimum,
        "where": lambda mask, a, b: tf.where(tf.not_equal(mask, 0), a, b),
        "max": lambda x, axis, keepdims: tf.reduce_max(x, axis=axis, keepdims=keepdims),
        "logsumexp": lambda x, axis, keepdims: tf.reduce_logsumexp(x, axis=axis, keepdims=keepdims),
        "softmax": lambda x, axis: tf.nn.softmax(x, axis=axis),
    },
    tensor=lambda array, dtype: tf.cast(array, dtype),
    cast=tf.cast,
    array=_array,
)


# --- the graph that autodiff writes ---------------------------------------------------------------


_HARMLESS = ("Placeholder", "ReadVariableOp", "Assert", "PrintV2")
"""Operations with a state that change nothing which is read."""

_CONSTANT = ("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike")
"""Operations that read only the shape of their tensor."""

_FOLDED = ("Cast", "Fill", "Range", "MatrixBandPart", "OneHot")
"""Operations on constants that round nothing: they make other constants."""

_SAME = (
    "Identity",
    "IdentityN",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "CheckNumerics",
    "EnsureShape",
)
"""Operations that return what they are given."""

_TAKEN = {
    "StridedSlice": 0,
    "Slice": 0,
    "GatherV2": 0,
    "GatherNd": 0,
    "ReverseV2": 0,
    "Roll": 0,
    "Tile": 0,
    "BroadcastTo": 0,
    "Unpack": 0,
    "SplitV": 0,
    "Split": 1,
    "SpaceToDepth": 0,
    "DepthToSpace": 0,
}
"""Operations whose every result is an element of one input, and which input that is."""

_SET = {
    "StridedSliceGrad": 4,
    "Pad": 0,
    "PadV2": 0,
    "MirrorPad": 0,
    "ResizeNearestNeighbor": 0,
    "MatrixBandPart": 0,
    "MatrixDiagV3": 0,
    "MatrixDiagPartV3": 0,
    "SpaceToBatchND": 0,
    "BatchToSpaceND": 0,
}
"""Operations whose every result is an element of one input or a number that fills in, and which
input that is."""

_JOINED = {"MatrixSetDiagV3": (0, 1)}
"""Operations whose every result is an element of one of several inputs, and which these are."""

_TURNED = {"MirrorPadGrad": "MirrorPad", "ResizeNearestNeighborGrad": "ResizeNearestNeighbor"}
"""Operations that add each element of their first input to where another one takes it from."""

_ADDED = {"ScatterNd": 1, "UnsortedSegmentSum": 0, "SegmentSum": 0, "TensorScatterAdd": 2}
"""Operations that add each element of one input somewhere, and which input that is."""

_INDICES = {"GatherV2": 1, "GatherNd": 1, "UnsortedSegmentSum": 1, "ScatterNd": 0}
"""Operations that read or add where integers say, and which input these are."""

# fmt: off
_WHOLE = frozenset(
    {
        "ArgMax", "ArgMin", "TopKV2", "Reshape", "ExpandDims", "Squeeze", "Transpose", "AddV2",
        "Mul", "Cast", "StridedSlice", "Slice", "Tile", "BroadcastTo", "ReverseV2",
    }
)
# fmt: on
"""Operations of which some results are whole numbers that are read."""

_BESIDE = {
    "Reshape": 1,
    "ExpandDims": 1,
    "Squeeze": 1,
    "Transpose": 1,
    "Sum": 1,
    "Mean": 1,
    "Max": 1,
    "Min": 1,
    "ArgMax": 1,
    "ArgMin": 1,
    "Prod": 1,
    "EuclideanNorm": 1,
    "Cumsum": 1,
    "Cumprod": 1,
}
"""Of how many inputs the elements count; the others are sizes and axes."""

_SPELLED = {
    "ExpandDims": "Reshape",
    "Squeeze": "Reshape",
    "Select": "SelectV2",
    "BatchMatMul": "BatchMatMulV2",
    "BatchMatMulV3": "BatchMatMulV2",
    "Cumsum": "cumsum",
}
"""Operations that are others with less to say."""

_SIZES = {
    "Conv2DBackpropInput": 0,
    "Conv2DBackpropFilter": 1,
    "DepthwiseConv2dNativeBackpropInput": 0,
    "DepthwiseConv2dNativeBackpropFilter": 1,
    "AvgPoolGrad": 0,
}
"""Operations with an input that only says the size of the result, and which that is."""

_CROSS = "SoftmaxCrossEntropyWithLogits"


_CONTROL = ("While", "If", "Case", "TensorList")
"""What TensorFlow's own loops and branches are made of."""


def _no(operation: Any) -> Unattempted:
    if any(word in operation.type for word in _CONTROL):
        return Unattempted(
            told(
                "operation {name} (a loop or branch of TensorFlow's own; one of Python's is "
                "written out)",
                name=operation.type,
            )
        )
    return Unattempted(told("operation {name}", name=operation.type))


def _is_read(kind: str) -> bool:
    """Whether an operation has a meaning here."""
    own = {*_TAKEN, *_SET, *_ADDED, *_TURNED, *_JOINED, f"Sparse{_CROSS}", "TensorScatterUpdate"}
    spelled = _SPELLED.get(kind, kind)
    return spelled in GRAPH or f"{spelled}:1" in GRAPH or kind in own


def _is_known(shape: Any) -> bool:
    return bool(shape.is_fully_defined())


@final
class _Graph:
    """A graph as a flat list of operations; constants and sizes are worked out."""

    def __init__(self, graph: Any, entered: list[Any]) -> None:
        self.operations: list[Operation] = []
        self.numbers = count(len(entered))
        self.known: dict[str, Operand] = {t.name: Numbered(k) for k, t in enumerate(entered)}
        self.session = tf.compat.v1.Session(
            graph=graph, config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        )
        self.fed = _captured(graph)
        self.fed |= {
            t.name: np.zeros(t.shape, t.dtype.as_numpy_dtype) for t in entered
        }  # for shapes
        self.moving = {t.name for t in entered}
        self.unshaped: set[str] = set()
        self.precision = "float64"
        for operation in graph.get_operations():
            if operation.op_def.is_stateful and operation.type not in _HARMLESS:
                raise _no(operation)
            if self._moves(operation):
                self.moving.update(t.name for t in operation.outputs)
            self._note_shapes(operation)

    def _note_shapes(self, operation: Any) -> None:
        """Notes which results may have another shape at other data: those whose shape TensorFlow
        does not know, if they are made with integers or truth values that depend on what enters, or
        by an operation that is not read."""
        kind = operation.type
        own = _is_read(kind) or kind in _SAME or kind in _CONSTANT
        if any(
            t.name in self.unshaped or (t.name in self.moving and not (own and t.dtype.is_floating))
            for t in operation.inputs
        ):
            self.unshaped |= {t.name for t in operation.outputs if not _is_known(t.shape)}

    def _shape(self, tensor: Any) -> tuple[int, ...]:
        """The shape that a tensor has at all data.

        Raises:
            Unattempted: it depends on them.
        """
        if _is_known(tensor.shape):
            return tuple(tensor.shape)
        if tensor.name in self.unshaped:
            raise Unattempted(
                told(
                    "operation {operation} with the shape {shape}",
                    operation=tensor.op.type,
                    shape=tensor.shape,
                )
            )
        return tuple(self.session.run(tensor, self.fed).shape)

    def _moves(self, operation: Any) -> bool:
        """Whether an operation depends on what enters, or computes with floats: that is no
        constant, because the function under test rounds there."""
        if operation.type in _CONSTANT:
            return operation.inputs[0].name in self.unshaped
        rounds = operation.type not in _FOLDED
        return any(
            t.name in self.moving or (rounds and t.dtype.is_floating) for t in operation.inputs
        )

    def read(self, graph: Any, results: list[Any]) -> list[Operand]:
        """Writes down what the results need, and gives them."""
        needed = {t.name for t in results}
        order = []
        for operation in reversed(graph.get_operations()):
            made = any(t.name in needed for t in operation.outputs)
            if made and self._moves(operation):
                needed |= {t.name for t in operation.inputs}
                order.append(operation)
        for operation in reversed(order):
            self._operation(operation)
        return [self._operand(t) for t in results]

    def _value(self, tensor: Any) -> np.ndarray:
        """A tensor that depends on nothing that enters.

        Raises:
            Unattempted: it does.
        """
        if tensor.name in self.moving:
            raise Unattempted(told("integers that depend on the inputs"))
        return np.asarray(self.session.run(tensor, self.fed))

    def _operand(self, tensor: Any) -> Operand:
        if tensor.name not in self.known:
            self.known[tensor.name] = self._constant(self._value(tensor), tensor)
        return self.known[tensor.name]

    def _constant(self, array: np.ndarray, tensor: Any) -> Operand:
        """A float as the number it stands for; truth values as a comparison with zero."""
        if array.dtype == np.bool_:
            return Table(array)
        if array.dtype in (np.int32, np.int64):
            return Table(array)
        if array.dtype not in (np.float64, np.float32):
            raise Unattempted(told("operation {name} on integers", name=tensor.op.type))
        if array.size and np.isnan(array).all():  # it must not be chosen
            return float("nan")
        infinite = array.size and np.isinf(array.flat[0]) and np.all(array == array.flat[0])
        if array.ndim == 0 or infinite:
            return read_back(float(array.flat[0]))
        if np.any(np.isnan(array) | np.isposinf(array)):
            raise Unattempted(told("a table with an infinity"))
        return Table(array.astype(np.float64))

    def _write(
        self,
        name: str,
        operands: Iterable[Operand],
        attributes: Mapping[str, Any],
        shape: tuple[int, ...],
    ) -> Numbered:
        number = next(self.numbers)
        self.operations.append(Operation(name, tuple(operands), attributes, number, shape))
        return Numbered(number)

    def _operation(self, operation: Any) -> None:
        kind, results = operation.type, list(operation.outputs)
        if kind in _SAME:
            for result, given in zip(results, operation.inputs, strict=True):
                self.known[result.name] = self._operand(given)
            return
        for result in results:
            self._check(operation, result)
        if kind == "TopKV2":
            self._largest(operation)
        elif kind == "LogMatrixDeterminant":  # its sign is not read
            given, result = self._operand(operation.inputs[0]), results[1]
            self.known[result.name] = self._write(f"{kind}:1", [given], {}, self._shape(result))
        elif kind in _INDICES and operation.inputs[_INDICES[kind]].name in self.moving:
            self.known[results[0].name] = self._at(operation, self._shape(results[0]))
        elif kind in _TAKEN:
            moved = self._moved(operation, _TAKEN[kind], 0)
            operand = self._operand(operation.inputs[_TAKEN[kind]])
            for result, places in zip(results, moved, strict=True):
                written = self._write("take", [operand], {"places": places}, places.shape)
                self.known[result.name] = written
        elif kind in (_CROSS, f"Sparse{_CROSS}"):
            self._cross_entropy(operation)
        elif len(results) == 1:
            self.known[results[0].name] = self._single(operation, self._shape(results[0]))
        else:
            raise _no(operation)

    def _check(self, operation: Any, result: Any) -> None:
        """Raises:
        Unattempted: the operation is not known, or it is one of other numbers.
        """
        if not _is_read(operation.type):
            raise _no(operation)
        counts = operation.type in _WHOLE and result.dtype in (tf.int32, tf.int64)
        if result.dtype not in (tf.float64, tf.float32, tf.bool) and not counts:
            raise Unattempted(told("conversion to {kind}", kind=result.dtype.name))
        mask = operation.type == "Cast" and operation.inputs[0].dtype == tf.bool
        if result.dtype == tf.float32 and not mask:
            self.precision = "float32"
        self._shape(result)

    def _moved(self, operation: Any, spot: int, first: int) -> list[np.ndarray]:
        """What an operation makes of the numbers from `first` on, in order of the elements.

        Raises:
            Unattempted: where they go depends on what enters, or they are no numbers.
        """
        given = operation.inputs[spot]
        others = [t for k, t in enumerate(operation.inputs) if k != spot]
        if any(t.name in self.moving for t in others):
            raise _no(operation)
        fed = {given.name: self._numbered(given, first)}
        if operation.type == "PadV2":  # what fills in is nobody's number
            fed[operation.inputs[2].name] = np.zeros((), given.dtype.as_numpy_dtype)
        made = self.session.run(list(operation.outputs), self.fed | fed)
        return [np.asarray(one).astype(np.int64) for one in made]

    def _numbered(self, tensor: Any, first: int) -> np.ndarray:
        """A tensor's elements numbered from `first` on, in its own dtype.

        Raises:
            Unattempted: they are no numbers, or there are more than the dtype has whole numbers.
        """
        lengths = self._shape(tensor)
        most = {tf.float64: 2**53, tf.float32: 2**24, tf.int32: 2**31, tf.int64: 2**53}.get(
            tensor.dtype, 0
        )
        if first + prod(lengths) > most:
            raise _no(tensor.op)
        numbers = np.arange(first, first + prod(lengths), dtype=tensor.dtype.as_numpy_dtype)
        return numbers.reshape(lengths)

    def _single(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        kind = operation.type
        if kind in _SET:
            return self._filled_in(operation, shape)
        if kind in _JOINED:
            return self._chosen(operation, shape)
        if kind in _TURNED:
            return self._turned(operation, shape)
        if kind == "TensorScatterUpdate":
            return self._replaced(operation, shape)
        if kind in _ADDED:
            return self._added(operation, shape)
        read = list(operation.inputs)[: _BESIDE.get(kind)]
        if kind == "OneHot":
            if [float(self._value(t)) for t in operation.inputs[2:]] != [1.0, 0.0]:
                raise _no(operation)
            axis = int(operation.get_attr("axis")) % len(shape)
            one = [self._operand(operation.inputs[0])]
            return self._write(kind, one, {"axis": axis}, shape)
        if kind == "ConcatV2" or kind in _SIZES:
            del read[_SIZES.get(kind, -1)]
        attributes = self._attributes(operation, shape)
        operands = [self._operand(t) for t in read]
        return self._write(_SPELLED.get(kind, kind), operands, attributes, shape)

    def _filled_in(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """An operation that moves elements among others, which are one number."""
        spot = _SET[operation.type]
        (made,) = self._moved(operation, spot, 1)
        chosen: dict[str, Any] = {"places": made - 1}
        if operation.type == "PadV2":
            fill = read_back(float(self._value(operation.inputs[2])))
            if not isinstance(fill, Fraction):
                raise _no(operation)
            chosen["fill"] = fill
        return self._write("take", [self._operand(operation.inputs[spot])], chosen, shape)

    def _chosen(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """An operation that takes elements of several tensors."""
        tensors = [operation.inputs[spot] for spot in _JOINED[operation.type]]
        fed, first = {}, 0
        for tensor in tensors:
            fed[tensor.name] = self._numbered(tensor, first)
            first += prod(self._shape(tensor))
        if any(t.name in self.moving and t.name not in fed for t in operation.inputs):
            raise _no(operation)
        made = self.session.run(operation.outputs[0], self.fed | fed)
        chosen = {"places": np.asarray(made).astype(np.int64).reshape(shape)}
        return self._write("take", map(self._operand, tensors), chosen, shape)

    def _replaced(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """Elements of one tensor where integers say, and of another elsewhere."""
        tensor, indices, updates = operation.inputs
        places = np.arange(prod(shape)).reshape(shape)
        lengths = self._shape(updates)
        new = prod(shape) + np.arange(prod(lengths)).reshape(lengths)
        places[tuple(np.moveaxis(self._value(indices), -1, 0))] = new
        operands = [self._operand(tensor), self._operand(updates)]
        return self._write("take", operands, {"places": places}, shape)

    def _turned(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """What the transpose of an operation that moves elements adds where."""
        own, given = operation.get_attr, operation.inputs[0]
        sizes = self._value(operation.inputs[1])
        numbered = np.arange(float(prod(shape))).reshape(shape)
        with tf.device("CPU:0"):
            if operation.type == "MirrorPadGrad":
                made = tf.raw_ops.MirrorPad(input=numbered, paddings=sizes, mode=own("mode"))
            else:
                made = tf.raw_ops.ResizeNearestNeighbor(
                    images=numbered,
                    size=tuple(map(int, given.shape[1:3])),
                    align_corners=own("align_corners"),
                    half_pixel_centers=own("half_pixel_centers"),
                )
        chosen = {"places": made.numpy().astype(np.int64).reshape(-1)}
        operands = [Table(np.zeros(shape)), self._operand(given)]
        return self._write("put_add", operands, chosen, shape)

    def _attributes(self, operation: Any, shape: tuple[int, ...]) -> dict[str, Any]:
        own, inputs = operation.get_attr, operation.inputs
        match operation.type:
            case "Sum" | "Mean" | "Max" | "Min" | "Prod" | "EuclideanNorm":
                rank = len(inputs[0].shape)
                axes = {int(axis) % rank for axis in np.ravel(self._value(inputs[1]))}
                return {"axes": tuple(sorted(axes))}
            case "ArgMax" | "ArgMin":
                return {"axis": int(self._value(inputs[1])) % len(inputs[0].shape)}
            case "Transpose":
                return {"order": tuple(map(int, self._value(inputs[1])))}
            case "MatMul":
                return {"turns": (own("transpose_a"), own("transpose_b"))}
            case "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3":
                return {"turns": (own("adj_x"), own("adj_y"))}
            case "MatrixInverse" | "MatrixSolve":
                return {"turned": own("adjoint")}
            case "Conv2D" | "DepthwiseConv2dNative":
                return _convolved(operation, inputs[0].shape, inputs[1].shape, shape)
            case "Conv2DBackpropInput" | "DepthwiseConv2dNativeBackpropInput":
                return _convolved(operation, shape, inputs[1].shape, inputs[2].shape)
            case "Conv2DBackpropFilter" | "DepthwiseConv2dNativeBackpropFilter":
                return _convolved(operation, inputs[0].shape, shape, inputs[2].shape)
            case "MaxPool" | "AvgPool":
                return _pooled(operation, inputs[0].shape, shape)
            case "MaxPoolGrad":
                return _pooled(operation, shape, inputs[2].shape)
            case "AvgPoolGrad":
                return _pooled(operation, shape, inputs[1].shape)
            case "Einsum":
                return {"equation": own("equation").decode()}
            case "ConcatV2":
                return {"axis": int(self._value(inputs[-1])) % len(shape)}
            case "Pack":
                return {"axis": int(own("axis")) % len(shape)}
            case "LeakyRelu" | "LeakyReluGrad":
                return {"alpha": Fraction(float(own("alpha")))}
            case "Cast":
                return {"DstT": own("DstT").name}
            case "Cumsum" | "Cumprod":
                axis = int(self._value(inputs[1])) % len(shape)
                return {"axis": axis, "reverse": own("reverse"), "exclusive": own("exclusive")}
            case "Xlogy":
                return {"function": "log"}
            case "Xlog1py":
                return {"function": "log1p"}
            case "Select" if tuple(inputs[0].shape) != shape:  # it chooses rows
                raise _no(operation)
            case "BiasAdd" | "BiasAddGrad" if own("data_format") != b"NHWC":
                raise _no(operation)
            case _:
                return {}

    def _added(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """An operation that adds where integers say: they are worked out."""
        updates = operation.inputs[_ADDED[operation.type]]
        if operation.type in ("UnsortedSegmentSum", "SegmentSum"):
            rows = self._value(operation.inputs[1])
            size = prod(shape[1:])
            places = rows.reshape(-1, 1) * size + np.arange(size)
            if np.any(rows < 0):  # these are left out
                raise _no(operation)
        else:
            indices = self._value(operation.inputs[0 if operation.type == "ScatterNd" else 1])
            numbered = np.arange(prod(shape)).reshape(shape)
            places = numbered[tuple(np.moveaxis(indices, -1, 0))]
        chosen = {"places": np.asarray(places).reshape(-1)}
        if len(chosen["places"]) != prod(self._shape(updates)):
            raise _no(operation)
        update = self._operand(updates)
        if operation.type == "TensorScatterAdd":
            target = self._operand(operation.inputs[0])
        elif len(np.unique(chosen["places"])) == len(chosen["places"]):
            return self._write("Set", [update], chosen, shape)
        else:
            target = Table(np.zeros(shape))
        return self._write("put_add", [target, update], chosen, shape)

    def _largest(self, operation: Any) -> None:
        """The largest of the last axis, and where they stand.

        Raises:
            Unattempted: they are in no order.
        """
        (given, count), outputs = operation.inputs, operation.outputs
        if not operation.get_attr("sorted"):
            raise _no(operation)
        chosen = {"axis": len(given.shape) - 1, "k": int(self._value(count))}
        operand = self._operand(given)
        for name, result in zip(("TopKV2", "TopKV2:1"), outputs, strict=True):
            shape = self._shape(result)
            self.known[result.name] = self._write(name, [operand], chosen, shape)

    def _at(self, operation: Any, shape: tuple[int, ...]) -> Numbered:
        """A gather or a scatter at places that the order of numbers says: where they are if all
        numbers are 0, and how far one more is along each of so many axes."""
        kind, inputs = operation.type, list(operation.inputs)
        indices = inputs[_INDICES[kind]]
        lengths = self._shape(indices)
        batch, axis, name = 0, 0, "gather_at"
        match kind:
            case "GatherV2":
                tensor, made = self._shape(inputs[0]), shape
                batch = int(operation.get_attr("batch_dims"))
                axis = int(self._value(inputs[2])) % len(tensor)
            case "GatherNd":
                tensor, made = self._shape(inputs[0]), shape
            case _:
                name, tensor = "add_at", shape
                made = self._shape(inputs[_ADDED[kind]])
        single = kind in ("GatherV2", "UnsortedSegmentSum")
        depth = 1 if single else lengths[-1]
        rows = lengths if single else lengths[:-1]
        counted = np.arange(prod(tensor)).reshape(tensor)
        first = counted[(*(slice(None),) * axis, *(0,) * depth)]
        behind = first.shape[axis:]
        wide = first.reshape(*first.shape[:axis], *(1,) * (len(rows) - batch), *behind)
        chosen = {
            "base": np.broadcast_to(wide, made),
            "strides": tuple(prod(tensor[axis + k + 1 :]) for k in range(depth)),
            "lengths": tuple(tensor[axis : axis + depth]),
            "kept": (*rows[:batch], *(1,) * (axis - batch), *rows[batch:], *(1,) * len(behind)),
        }
        numbers = self._operand(indices)
        if single:
            numbers = self._write("Reshape", [numbers], {}, (*lengths, 1))
        if name == "gather_at":
            return self._write(name, [self._operand(inputs[0]), numbers], chosen, shape)
        operands = [Table(np.zeros(shape)), numbers, self._operand(inputs[_ADDED[kind]])]
        return self._write(name, operands, chosen, shape)

    def _cross_entropy(self, operation: Any) -> None:
        """The loss of each row, and what its gradient is made of; labels are made one-hot."""
        (loss, gradient), (scores, labels) = operation.outputs, operation.inputs
        wide = tuple(gradient.shape)
        target: Operand
        if operation.type == _CROSS:
            target = self._operand(labels)
        else:
            numbers = self._value(labels)
            if np.any((numbers < 0) | (numbers >= wide[1])):  # these rows become not a number
                raise _no(operation)
            target = Table(np.eye(wide[1])[numbers])
        operands = [self._operand(scores), target]
        attributes = {"wide": wide}
        self.known[loss.name] = self._write(_CROSS, operands, attributes, wide[:1])
        self.known[gradient.name] = self._write(f"{_CROSS}:1", operands, attributes, wide)


def _spatial(operation: Any, settings: Any) -> list[Any]:
    """What is given for each axis, of those that a window slides along."""
    last = operation.get_attr("data_format") == b"NHWC"
    return list(settings)[1:-1] if last else list(settings)[2:]


def _slides(
    operation: Any, samples: Any, window: list[int], apart: list[int], made: Any
) -> dict[str, Any]:
    """Where the numbers under a window stand in a picture, and how its channels lie."""
    own = operation.get_attr
    lengths = [int(n) for n in _spatial(operation, samples)]
    counts = [int(n) for n in _spatial(operation, made)]
    strides = _spatial(operation, own("strides"))
    match own("padding"):
        case b"VALID":
            lows = [0] * len(lengths)
        case b"EXPLICIT":
            lows = _spatial(operation, own("explicit_paddings")[::2])
        case _:  # as much on both sides as fills the last window, the odd one behind
            lows = [
                max((count - 1) * stride + (n - 1) * step + 1 - length, 0) // 2
                for count, stride, n, step, length in zip(
                    counts, strides, window, apart, lengths, strict=True
                )
            ]
    return {
        "places": window_places(lengths, window, counts, strides, lows, apart),
        "lengths": tuple(lengths),
        "channels": "last" if own("data_format") == b"NHWC" else "first",
    }


def _convolved(operation: Any, samples: Any, kernel: Any, made: Any) -> dict[str, Any]:
    depthwise = operation.type.startswith("Depthwise")
    apart = _spatial(operation, operation.get_attr("dilations"))
    found = _slides(operation, samples, [int(n) for n in kernel[:2]], apart, made)
    channels = int(samples[3 if found["channels"] == "last" else 1])
    groups = channels if depthwise else channels // int(kernel[2])
    return {**found, "groups": groups, "depthwise": depthwise}


def _pooled(operation: Any, samples: Any, made: Any) -> dict[str, Any]:
    own = operation.get_attr
    around = list(own("ksize")), list(own("strides"))
    if any(one[0] != 1 or one[_channel(operation)] != 1 for one in around):
        raise _no(operation)
    window = _spatial(operation, own("ksize"))
    return _slides(operation, samples, window, [1] * len(window), made)


def _channel(operation: Any) -> int:
    return 3 if operation.get_attr("data_format") == b"NHWC" else 1


def _captured(graph: Any) -> dict[str, np.ndarray]:
    """The values of what a graph refers to outside of it, by the names of its own tensors; those of
    a variable by what reads it."""
    fed = {}
    for outside, inside in graph.captures:
        if outside.dtype != tf.resource:
            fed[inside.name] = outside.numpy()
            continue
        for reader in inside.consumers():
            if reader.type == "ReadVariableOp":
                kind = reader.get_attr("dtype")
                value = tf.raw_ops.ReadVariableOp(resource=outside, dtype=kind)
                fed[reader.outputs[0].name] = value.numpy()
    return fed


@contextmanager
def _inline() -> Iterator[None]:
    """Functions that are called while one is written down are written into it."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@final
class TensorFlowEngine(Engine):
    """TensorFlow in eager mode on the CPU, differentiated by `tf.GradientTape`."""

    name = "tensorflow"

    def version(self) -> str:
        return str(tf.__version__)

    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        if dtype == "float16":  # oneDNN says on every processor without AVX-512 that it has none
            with _quiet():
                return self._run(forward, arguments, operations, loss, dtype)
        return self._run(forward, arguments, operations, loss, dtype)

    def _run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        inputs = read_inputs(arguments, dtype)
        with tf.device("CPU:0"), tf.GradientTape(persistent=True) as tape:

            def watch(number: int, tensor: Any) -> Any:
                tape.watch(tensor)
                return tensor

            wanted = frozenset(operations.values())
            recording = Recording(TENSORFLOW, dtype, wanted, watch, tf.identity)
            floats = {name: tf.cast(array, dtype) for name, array in inputs.floats.items()}
            wholes = {name: tf.constant(array) for name, array in inputs.wholes.items()}
            for tensor in floats.values():
                tape.watch(tensor)
            result = read_loss(inputs.call(forward, recording, floats | wholes))
        tensors = floats | wholes | read_kept(recording, operations) | {loss: result}
        sources = {
            name: tensor
            for name, tensor in tensors.items()
            if name != loss and tensor.dtype.is_floating
        }
        with tf.device("CPU:0"):
            gradients = tape.gradient(
                result, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
        return Run(
            self.name,
            self.version(),
            dtype,
            {name: _array(tensor) for name, tensor in tensors.items()},
            {name: _array(tf.convert_to_tensor(g)) for name, g in gradients.items()},
        )

    def native(
        self,
        layers: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Argument],
        loss: str,
        dtype: str,
    ) -> NativeRun:
        """What Keras' own layers give; the dtype is Keras' dtype meanwhile."""
        inputs = read_inputs(arguments, dtype)
        floats = {name: tf.cast(array, dtype) for name, array in inputs.floats.items()}
        wholes = {name: tf.constant(array) for name, array in inputs.wholes.items()}
        settings = tf.keras.config
        before = settings.floatx(), settings.dtype_policy()
        settings.set_floatx(dtype)
        settings.set_dtype_policy(dtype)  # the policy does not follow floatx once it is used
        try:
            with tf.device("CPU:0"), tf.GradientTape() as tape:
                for tensor in floats.values():
                    tape.watch(tensor)
                tensors = layers(tf, **inputs.arranged(floats | wholes))
        finally:
            settings.set_floatx(before[0])
            settings.set_dtype_policy(before[1])
        gradients: dict[str, Any] = {}
        if loss in tensors:
            none = tf.UnconnectedGradients.ZERO
            gradients = tape.gradient(tensors[loss], floats, unconnected_gradients=none)
        return NativeRun(
            {name: _array(tensor) for name, tensor in tensors.items()},
            {name: _array(tf.convert_to_tensor(g)) for name, g in gradients.items()},
        )

    def returned(self, one: Any) -> Returned:
        return _returned(one)

    def outputs(self, function: Callable[..., Any], question: Question) -> tuple[Returned, ...]:
        natives = [
            tf.cast(a, question.dtype) if a.dtype.kind == "f" else tf.constant(a)
            for a in question.tensors
        ]
        with tf.device("CPU:0"), said_of("the reference"):
            made = several(function(*question.arranged(natives)))
        return tuple(map(_returned, made))

    def pull(self, box: Callable[..., Any], question: Question) -> Answer:
        if question.dtype == "float16":
            with _quiet():
                return self._pull(box, question)
        return self._pull(box, question)

    def _pull(self, box: Callable[..., Any], question: Question) -> Answer:
        natives = [
            tf.cast(a, question.dtype) if a.dtype.kind == "f" else tf.constant(a)
            for a in question.tensors
        ]
        leaves = [n for n, wanted in zip(natives, question.wanted, strict=True) if wanted]
        with tf.device("CPU:0"):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(leaves)
                with said_of("the forward pass"):
                    outputs = several(box(*question.arranged(natives)))
            for one in outputs:
                if not tf.is_tensor(one):
                    kind = type(one).__name__
                    raise BoxFailed(
                        told("the forward pass returns {kind}, not a tensor", kind=kind)
                    )
            values = tuple(map(_returned, outputs))
            check_outputs([tuple(one.shape) for one in outputs], question, values)
            upstream = [
                tf.cast(g, y.dtype) for g, y in zip(question.upstream, outputs, strict=True)
            ]
            with said_of("the backward pass", values):
                found = tape.gradient(list(outputs), leaves, upstream)
        return Answer(
            values,
            tuple(map(_returned, found)),
            (),  # TensorFlow's tensors cannot be overwritten
            (),
            lambda: tuple(map(_returned, found)),
        )

    def backward(self, box: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """A tape inside the one that is differentiated."""
        count = len(question.arguments)

        def pulled(*entered: Any) -> tuple[Any, ...]:
            arguments, upstream = entered[:count], entered[count:]
            natives = [t for a in arguments for t in (a if isinstance(a, list) else [a])]
            leaves = [t for t, w in zip(natives, question.wanted, strict=True) if w]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(leaves)
                outputs = several(box(*arguments))
            none = tf.UnconnectedGradients.ZERO
            found = tape.gradient(list(outputs), leaves, list(upstream), none)
            return tuple(tf.convert_to_tensor(g) for g in found)

        return pulled

    def pullback_program(self, function: Callable[..., Any], question: Question) -> BackwardProgram:
        """The graph that `tf.function` writes of a function under a tape, and of what the tape
        makes of it."""
        floats = [k for k, a in enumerate(question.tensors) if a.dtype.kind == "f"]
        wanted = [k for k, wanted in enumerate(question.wanted) if wanted]
        outputs = len(question.upstream)

        def pulled(*entered: Any) -> list[Any]:
            natives = [tf.constant(a) for a in question.tensors]
            for k, native in zip(floats, entered, strict=False):
                natives[k] = native
            leaves = [natives[k] for k in wanted]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(leaves)
                made = list(several(function(*question.arranged(natives))))
            none = tf.UnconnectedGradients.ZERO
            upstream = zip(entered[len(floats) :], made, strict=True)
            found = tape.gradient(made, leaves, [tf.cast(g, y.dtype) for g, y in upstream], none)
            return [tf.convert_to_tensor(one) for one in (*made, *found)]

        shapes = [question.tensors[k].shape for k in floats]
        shapes += [g.shape for g in question.upstream]
        with tf.device("CPU:0"), _inline():
            try:
                written = tf.function(pulled, autograph=False).get_concrete_function(
                    *(tf.TensorSpec(shape, tf.float64) for shape in shapes)
                )
            except (AttributeError, LookupError, ValueError, tf.errors.OpError) as problem:
                raise Unattempted(
                    told("what raises {kind} in a graph", kind=type(problem).__name__)
                ) from problem
        names = [*(f"x[{k}]" for k in floats), *(f"g[{k}]" for k in range(outputs))]
        entered = list(written.graph.inputs)[: len(names)]
        reading = _Graph(written.graph, entered)
        with closing(reading.session):
            results = reading.read(written.graph, list(written.graph.outputs))
        return BackwardProgram(
            {name: k for k, name in enumerate(names)},
            tuple(reading.operations),
            {f"y[{k}]": results[k] for k in range(outputs)}
            | {f"x[{k}]": results[outputs + n] for n, k in enumerate(wanted)},
            reading.precision,
        )


def _returned(one: Any) -> Returned:
    try:
        tensor = tf.convert_to_tensor(one)
    except (TypeError, ValueError):
        return Returned(None, type(one).__name__)
    return Returned(_array(tensor), tensor.dtype.name)


ENGINE = TensorFlowEngine()
