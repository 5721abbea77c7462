"""TensorFlow as an engine: eager operations under one persistent GradientTape."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

            recording = Recording(TENSORFLOW, dtype, frozenset(operations.values()), watch)
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
                    raise BoxFailed(f"the forward pass returns {type(one).__name__}, not a tensor")
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


def _returned(one: Any) -> Returned:
    try:
        tensor = tf.convert_to_tensor(one)
    except (TypeError, ValueError):
        return Returned(None, type(one).__name__)
    return Returned(_array(tensor), tensor.dtype.name)


ENGINE = TensorFlowEngine()
