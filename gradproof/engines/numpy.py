"""NumPy as an engine: the values by NumPy, the gradients by HIPS autograd; and plain runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from string import ascii_letters
from typing import Any, final

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, add_outgrads
from autograd.extend import defvjp, primitive
from autograd.tracer import Box, getval, new_box, toposort, trace_stack
from numpy.linalg import LinAlgError

from gradproof.core.told import told
from gradproof.engines.black_box import (
    Answer,
    BoxFailed,
    Question,
    Returned,
    changed,
    check_outputs,
    is_layer,
    laid_out,
    read_gradients,
    said_of,
    several,
)
from gradproof.engines.dtype import carrier
from gradproof.engines.engine import Argument, Engine, Run
from gradproof.engines.face import (
    Arithmetic,
    Recording,
    Tensor,
    read_inputs,
    read_kept,
    read_loss,
)
from gradproof.prims import window_arrays
from gradproof.prims.along import ALONG
from gradproof.prims.blanks import blanks
from gradproof.prims.elementwise import ELEMENTWISE
from gradproof.prims.error_function import erf
from gradproof.prims.face import singular
from gradproof.prims.fold import FOLDS
from gradproof.prims.gather import numpy_key

# --- NumPy alone ----------------------------------------------------------------------------


def _mask(compare: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison that gives ones and zeros in the dtype of its operands."""
    return lambda a, b: np.asarray(compare(getval(a), getval(b))).astype(getval(a).dtype)


def _folding(forward: Callable[..., Any]) -> Callable[..., Any]:
    def fold(x: np.ndarray, axis: int, keepdims: bool) -> np.ndarray:
        kept = forward(x, axis)
        return kept if keepdims else np.squeeze(kept, axis)

    return fold


@primitive
def _written(x: Any, new: Any, key: tuple[Any, ...]) -> Any:
    """A copy of x with the new values at the key."""
    whole = np.array(x)
    whole[key] = new
    return whole


def _gathered(g: Any, new: Any, key: tuple[Any, ...]) -> Any:
    """What arrives at the key, summed over what was broadcast."""
    here = g[key]
    there = np.ndim(here) - np.ndim(new)
    if there > 0:
        here = here.sum(axis=tuple(range(there)))
    for axis, size in enumerate(np.shape(new)):
        if size == 1 and here.shape[axis] != 1:
            here = here.sum(axis=axis, keepdims=True)
    return np.reshape(here, np.shape(new))


defvjp(
    _written,
    lambda y, x, new, key: lambda g: _written(g, np.zeros((), g.dtype), key),
    lambda y, x, new, key: lambda g: _gathered(g, new, key),
)


@primitive
def _added_at(x: Any, new: Any, *indices: Any, key: tuple[Any, ...]) -> Any:
    """A copy of x with the new values added where integers say; twice where one stands twice."""
    whole = np.array(x)
    np.add.at(whole, numpy_key(key, indices, whole.shape), new)
    return whole


defvjp(
    _added_at,
    lambda y, x, new, *indices, key: lambda g: g,
    lambda y, x, new, *indices, key: (
        lambda g: _gathered(g, new, numpy_key(key, indices, np.shape(x)))
    ),
)


_erf = primitive(erf)
defvjp(_erf, lambda y, x: lambda g: g * np.asarray(2 / np.sqrt(np.pi), x.dtype) * anp.exp(-(x**2)))


def _inverse(np: Any) -> Callable[[Any], Any]:
    def inverse(x: Any) -> Any:
        try:
            return np.linalg.inv(x)
        except LinAlgError:
            raise singular() from None

    return inverse


def _table(np: Any) -> dict[str, Callable[..., Any]]:
    """The face's operations with the functions of NumPy or of its double in autograd."""
    return {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "negative": np.negative,
        "square": np.square,
        "reciprocal": np.reciprocal,
        "power": lambda x, exponent: x**exponent,
        "matmul": np.matmul,
        "sum": lambda x, axes, keepdims: np.sum(x, axis=axes, keepdims=keepdims),
        "transpose": lambda x, order: np.transpose(x, order),
        "getitem": lambda x, key: x[key],
        "gather": lambda x, *indices, key: x[numpy_key(key, indices, x.shape)],
        "one_hot": lambda index, size: (index[..., None] == np.arange(size)).astype(float),
        "reshape": lambda x, sizes: np.reshape(x, sizes),
        "broadcast": lambda x, sizes: x + np.zeros(sizes, x.dtype),
        "concatenate": lambda *xs, axis: np.concatenate(xs, axis),
        "einsum": lambda *xs, signature: np.einsum(signature, *xs),
        "setitem": _written,
        "add_at": _added_at,
        "exp": np.exp,
        "log": np.log,
        "sqrt": np.sqrt,
        "tanh": np.tanh,
        "sin": np.sin,
        "cos": np.cos,
        "erf": _erf,
        "sinh": np.sinh,
        "cosh": np.cosh,
        "sign": np.sign,
        "abs": np.abs,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "max": lambda x, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims),
        "convolve": lambda x, w, sliding: window_arrays.convolve(np, x, w, sliding),
        "convolve_transposed": lambda x, w, sliding: window_arrays.convolve_transposed(
            np, x, w, sliding
        ),
        "average_windows": lambda x, window, sliding: window_arrays.pool(
            np, x, window, sliding, largest=False
        ),
        "largest_windows": lambda x, window, sliding: window_arrays.pool(
            np, x, window, sliding, largest=True
        ),
        "windows": lambda x, axis, length: window_arrays.windows(np, x, axis, length),
        "pad": lambda x, width: window_arrays.pad(np, x, width),
        "inverse": _inverse(np),
        "logdet": lambda x: np.linalg.slogdet(x)[1],
        "cumsum": lambda x, axis: np.cumsum(x, axis=axis),
        "triangle": window_arrays.triangle,
    }


_MASKS = {
    "greater": _mask(np.greater),
    "greater_equal": _mask(np.greater_equal),
    "equal": _mask(np.equal),
}

PLAIN = Arithmetic(
    functions={
        **_table(np),
        **_MASKS,
        **{record.name: record.forward for record in ELEMENTWISE},
        **{record.name: _folding(record.forward) for record in FOLDS},
        **{record.name: record.forward for record in ALONG},
    },
    tensor=lambda array, dtype: array,
    cast=lambda array, dtype: array.astype(dtype),
    array=np.array,
)


@dataclass(frozen=True, slots=True)
class PlainRun:
    """What a function returned, with arrays for tensors, and the values that were asked for."""

    result: Any
    values: dict[str, np.ndarray]


def record_plain(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    operations: Mapping[str, int],
    dtype: str,
) -> PlainRun:
    """Any user's function on plain NumPy arrays, without autodiff, with some of its values.

    `arguments` and `operations` are those of `Engine.run`; ``values`` holds the inputs too.

    Raises:
        EngineError: a number that no operation has.
    """
    inputs = read_inputs(arguments, dtype)
    recording = Recording(PLAIN, dtype, frozenset(operations.values()))
    natives = {**inputs.floats, **inputs.wholes}
    with np.errstate(all="ignore"):  # an overflow shows in the values, as in the other engines
        result = _unwrap(inputs.call(function, recording, natives))
    kept = read_kept(recording, operations)
    return PlainRun(result, {name: np.array(a) for name, a in (natives | kept).items()})


def run_plain(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    gradients: Mapping[int, np.ndarray] | None = None,
) -> Any:
    """What a user's function returns on NumPy arrays of its own, as anyone would call it.

    Args:
        function: the user's.
        arguments: arrays and containers of them.
        gradients: by the ``id`` of an array, what a blank for it is.
    """
    known: dict[int, np.ndarray] = {}
    gradients = gradients or {}

    def copied(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [copied(one) for one in value]
        if not isinstance(value, np.ndarray):
            return value
        copy = np.array(value)
        if id(value) in gradients:
            known[id(copy)] = gradients[id(value)]
        return copy

    own = {name: copied(value) for name, value in arguments.items()}
    with np.errstate(all="ignore"), blanks(known):
        return function(**own)


def _unwrap(value: Any) -> Any:
    match value:
        case Tensor():
            return np.array(value.native)
        case dict():
            return {key: _unwrap(one) for key, one in value.items()}
        case list():
            return [_unwrap(one) for one in value]
        case tuple():
            return tuple(_unwrap(one) for one in value)
        case _:
            return value


# --- with autograd --------------------------------------------------------------------------


@primitive
def _keep(x: Any) -> Any:
    return x


# autograd's rules for max, maximum, minimum and where give float64 gradients of float32 arrays:
# each is rounded back to the dtype of the value, where it arrives.
defvjp(_keep, lambda y, x: lambda g: np.asarray(g, dtype=x.dtype))


def _sigmoid(z: Any) -> Any:
    # −|z| as a choice: the slope of abs at 0 is 0, and would make that of the sigmoid 0 too.
    e = anp.exp(anp.where(z >= 0, -z, z))
    return anp.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _softmax(x: Any, axis: int) -> Any:
    e = anp.exp(x - getval(x).max(axis=axis, keepdims=True))
    return e / anp.sum(e, axis=axis, keepdims=True)


def _einsum(*operands: Any, signature: str) -> Any:
    """autograd has no rule for a diagonal: it is cut out by a product with the identity."""
    left, _, result = signature.partition("->")
    spare = (letter for letter in ascii_letters if letter not in signature)
    inputs, arrays = [], []
    for letters, x in zip(left.split(","), operands, strict=True):
        single = list(letters)
        for spot, letter in enumerate(letters):
            if letter in letters[:spot]:
                single[spot] = next(spare)
                inputs.append(letter + single[spot])
                arrays.append(np.eye(x.shape[spot], dtype=getval(x).dtype))
        inputs.append("".join(single))
        arrays.append(x)
    return anp.einsum(f"{','.join(inputs)}->{result}", *arrays)


def _logsumexp(x: Any, axis: int, keepdims: bool) -> Any:
    top = getval(x).max(axis=axis, keepdims=True)
    total = anp.log(anp.sum(anp.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else anp.squeeze(total, axis)


SAME_DTYPE = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "negative", "matmul", "sum", "transpose"),
        *("square", "exp", "log", "sqrt", "tanh", "sin", "cos"),
    )
)
"""Operations that are one of autograd's own, whose rules give gradients of their values' dtype."""


def _arriving(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if name in SAME_DTYPE:
        return function
    return lambda *operands, **attributes: function(*map(_keep, operands), **attributes)


TRACED = Arithmetic(
    functions={
        **_MASKS,
        **{
            name: _arriving(name, function)
            for name, function in {
                **_table(anp),
                "einsum": _einsum,
                "sigmoid": _sigmoid,
                "relu": lambda z: anp.where(z > 0, z, 0 * z),
                # autograd's rule multiplies by x/|x|: in float16 the product underflows.
                "abs": lambda x: anp.where(x >= 0, x, -x),
                "where": lambda mask, a, b: anp.where(getval(mask) != 0, a, b),
                "softmax": _softmax,
                "logsumexp": _logsumexp,
            }.items()
        },
    },
    tensor=lambda array, dtype: array,
    cast=lambda array, dtype: array.astype(dtype),
    array=lambda box: np.array(getval(box)),
)


def _pull_back(loss: Any, roots: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """autograd's backward pass, which keeps what arrives at each of the roots."""
    arrived: dict[Any, Any] = {}
    if isinstance(loss, Box):
        value = np.asarray(getval(loss))
        arrived[loss._node] = (np.ones_like(value), False)
        for node in toposort(loss._node):
            for parent, g in zip(node.parents, node.vjp(arrived[node][0]), strict=True):
                arrived[parent] = add_outgrads(arrived.get(parent), g)
    gradients = {}
    for name, root in roots.items():
        value = np.asarray(getval(root))
        g = arrived.get(root._node)
        gradients[name] = np.zeros_like(value) if g is None else _own(g[0])
    return gradients


def _own(value: Any) -> np.ndarray:
    """An array that is no part of another one."""
    whole = isinstance(value, np.ndarray) and value.base is None
    return value if whole else np.array(value)


VERSION = f"{np.__version__} with autograd {version('autograd')}"


@final
class NumpyEngine(Engine):
    """NumPy, differentiated by HIPS autograd."""

    name = "numpy"

    def version(self) -> str:
        return VERSION

    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        inputs = read_inputs(arguments, dtype)
        met: dict[int, Any] = {}
        # An overflow shows in the values, as in the other engines. autograd's own slope of tanh,
        # 1/cosh², overflows harmlessly where it gives zero.
        with np.errstate(all="ignore"), trace_stack.new_trace() as level:

            def root(array: np.ndarray) -> Any:
                return new_box(array, level, VJPNode.new_root())

            def meet(number: int, value: Any) -> Any:
                # What depends on no input has no node yet at which a gradient could arrive.
                met[number] = value if isinstance(value, Box) else root(np.asarray(value))
                return met[number]

            recording = Recording(TRACED, dtype, frozenset(operations.values()), meet, _keep)
            boxes = {name: root(array) for name, array in inputs.floats.items()}
            result = read_loss(inputs.call(forward, recording, boxes | inputs.wholes))
        kept = read_kept(recording, operations)
        values = {
            name: TRACED.array(value)
            for name, value in (boxes | inputs.wholes | kept | {loss: result}).items()
        }
        roots = boxes | {
            name: met[number]
            for name, number in operations.items()
            if number in met and name != loss
        }
        with np.errstate(all="ignore"):
            gradients = _pull_back(result, roots)
        return Run(self.name, self.version(), dtype, values, gradients)

    def returned(self, one: Any) -> Returned:
        return _returned(one)

    def outputs(self, function: Callable[..., Any], question: Question) -> tuple[Returned, ...]:
        with np.errstate(all="ignore"), said_of("the reference"):
            made = several(function(*question.arranged(question.tensors)))
        return tuple(map(_returned, made))

    def pull(self, box: Callable[..., Any], question: Question) -> Answer:
        """A function that returns its values and its pullback, or an object with `forward` and
        `backward`."""
        natives = [
            laid_out(
                a.astype(carrier(question.dtype), copy=False) if a.dtype.kind == "f" else a,
                question.layout,
            )
            for a in question.tensors
        ]
        with np.errstate(all="ignore"), said_of("the forward pass"):
            if is_layer(box):
                result, pullback = box.forward(*question.arranged(natives)), box.backward
            else:
                result, pullback = _with_pullback(box(*question.arranged(natives)))
        outputs = several(result)
        values = tuple(map(_returned, outputs))
        strange = [one.dtype for one in values if one.array is None]
        if strange:
            said = told("the forward pass returns {kind}, not an array", kind=strange[0])
            raise BoxFailed(said, values)
        check_outputs([np.shape(one) for one in outputs], question, values)
        upstream = [
            laid_out(g.astype(getattr(y, "dtype", g.dtype)), question.upstream_layout)
            for g, y in zip(question.upstream, outputs, strict=True)
        ]
        before = [np.array(g) for g in upstream] if question.kept else []
        with np.errstate(all="ignore"), said_of("the backward pass", values):
            found = read_gradients(pullback(*upstream), question)
        read = np.array if question.kept else np.asarray
        return Answer(
            values,
            tuple(_returned(one, read) for one in found),
            changed(natives, question.tensors) if question.kept else (),
            changed(upstream, before) if question.kept else (),
            lambda: tuple(_returned(one, np.asarray) for one in found),
        )


def _with_pullback(result: Any) -> tuple[Any, Callable[..., Any]]:
    match result:
        case (values, pullback) if callable(pullback):
            return values, pullback
        case _:
            raise BoxFailed(
                told(
                    "a NumPy function must return (value, pullback), where pullback(upstream) "
                    "gives the gradients; this one returns {kind}",
                    kind=type(result).__name__,
                )
            )


def _returned(one: Any, read: Callable[[Any], np.ndarray] = np.array) -> Returned:
    numbers = isinstance(one, np.ndarray | np.generic | float | int)
    if not numbers or isinstance(one, np.ma.MaskedArray):
        return Returned(None, type(one).__name__)
    array = read(one)
    return Returned(array, _named(array.dtype))


@cache
def _named(dtype: np.dtype[Any]) -> str:
    return str(dtype)


ENGINE = NumpyEngine()
