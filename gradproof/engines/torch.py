"""PyTorch as an engine: eager operations, differentiated by `torch.autograd.grad`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, final

import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional

from gradproof.core.told import told
from gradproof.engines.aten_faces import are_faces, over_faces
from gradproof.engines.backward_program import BackwardProgram
from gradproof.engines.black_box import (
    Answer,
    BoxFailed,
    Layout,
    Question,
    Returned,
    check_outputs,
    have_same,
    laid_out,
    once,
    said_of,
    several,
)
from gradproof.engines.engine import Argument, Engine, NativeRun, Run
from gradproof.engines.face import (
    Arithmetic,
    Inputs,
    Recording,
    read_inputs,
    read_kept,
    read_loss,
)
from gradproof.engines.torch_graph import READING, read_module, written_down
from gradproof.prims.face import singular
from gradproof.prims.gather import flat_places, numpy_key
from gradproof.prims.window import FIRST, Sliding


def _tensor(array: np.ndarray, dtype: str | None = None) -> torch.Tensor:
    return torch.tensor(array, device="cpu", dtype=dtype and getattr(torch, dtype))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.array(_viewed(tensor))


def _viewed(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of a tensor on the CPU, in its own memory unless NumPy has no such dtype."""
    plain = tensor.detach() if tensor.requires_grad else tensor
    numbers: np.ndarray = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return numbers


def _mask(compare: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda a, b: compare(a, b).to(a.dtype)


def _getitem(x: torch.Tensor, key: tuple[Any, ...]) -> torch.Tensor:
    """NumPy's basic indexing; torch has no negative step, so those axes are flipped after."""
    forwards: list[Any] = []
    flipped: list[int] = []
    axis = result = 0
    for part in key:
        if isinstance(part, slice) and part.step is not None and part.step < 0:
            steps = range(x.shape[axis])[part]
            part = slice(steps[-1], steps[0] + 1, -part.step) if len(steps) else slice(0, 0)
            flipped.append(result)
        forwards.append(part)
        axis += part is not None
        result += not isinstance(part, int)
    taken = x[tuple(forwards)]
    return torch.flip(taken, flipped) if flipped else taken


def _setitem(x: torch.Tensor, new: torch.Tensor, key: tuple[Any, ...]) -> torch.Tensor:
    """A copy of x with the new values at the key; torch has no negative step, so those axes of the
    new values are flipped first."""
    part = torch.broadcast_to(new, tuple(_getitem(x, key).shape))
    forwards: list[Any] = []
    flipped: list[int] = []
    for axis, one in enumerate(key):
        if isinstance(one, slice) and one.step is not None and one.step < 0:
            steps = range(x.shape[axis])[one]
            one = slice(steps[-1], steps[0] + 1, -one.step) if len(steps) else slice(0, 0)
            flipped.append(sum(not isinstance(before, int) for before in key[:axis]))
        forwards.append(one)
    whole = x.clone()
    whole[tuple(forwards)] = torch.flip(part, flipped) if flipped else part
    return whole


def _add_at(
    x: torch.Tensor, new: torch.Tensor, *indices: Any, key: tuple[Any, ...]
) -> torch.Tensor:
    """A copy of x with the new values added where integers say; twice where one stands twice."""
    places = flat_places(key, indices, x.shape)
    values = torch.broadcast_to(new, places.shape).reshape(-1)
    flat = x.reshape(-1).index_add(0, torch.as_tensor(places.reshape(-1)), values)
    return flat.reshape(x.shape)


def _first(x: torch.Tensor, w: torch.Tensor, sliding: Sliding) -> tuple[Any, Any, Any]:
    """Samples and kernel with the channels first, and the way back."""
    count = len(sliding.stride)
    if sliding.layout == FIRST:
        return x, w, lambda y: y
    kernel = w.permute(count + 1, count, *range(count))
    return torch.movedim(x, -1, 1), kernel, lambda y: torch.movedim(y, 1, -1)


def _ends(pairs: tuple[tuple[int, int], ...]) -> list[int]:
    """Widths as torch wants them: from the last axis to the first."""
    return [end for pair in reversed(pairs) for end in pair]


def _convolve(x: torch.Tensor, w: torch.Tensor, sliding: Sliding) -> torch.Tensor:
    x, w, back = _first(x, w, sliding)
    if any(low != high for low, high in sliding.padding):
        x, ends = functional.pad(x, _ends(sliding.padding)), (0,) * len(sliding.stride)
    else:
        ends = tuple(low for low, _ in sliding.padding)
    own = functional.conv2d if len(sliding.stride) == 2 else functional.conv1d
    return back(own(x, w, None, sliding.stride, ends, sliding.dilation, sliding.groups))


def _convolve_transposed(x: torch.Tensor, w: torch.Tensor, sliding: Sliding) -> torch.Tensor:
    x, w, back = _first(x, w, sliding)
    own = functional.conv_transpose2d if len(sliding.stride) == 2 else functional.conv_transpose1d
    y = own(x, w, None, sliding.stride, 0, 0, 1, sliding.dilation)
    cut = tuple(
        slice(low, size - high)
        for size, (low, high) in zip(y.shape[2:], sliding.padding, strict=True)
    )
    return back(y[(slice(None), slice(None), *cut)])


def _pool(own: Callable[..., Any]) -> Callable[..., Any]:
    def pool(x: torch.Tensor, window: tuple[int, ...], sliding: Sliding) -> torch.Tensor:
        if sliding.layout == FIRST:
            return own(x, window, sliding.stride)
        return torch.movedim(own(torch.movedim(x, -1, 1), window, sliding.stride), 1, -1)

    return pool


def _inverse(x: torch.Tensor) -> torch.Tensor:
    try:
        return torch.linalg.inv(x)
    except torch.linalg.LinAlgError:
        raise singular() from None


TORCH = Arithmetic(
    functions={
        "add": torch.add,
        "subtract": torch.sub,
        "multiply": torch.mul,
        "divide": torch.div,
        "negative": torch.neg,
        "square": torch.square,
        "reciprocal": torch.reciprocal,
        "power": lambda x, exponent: torch.pow(x, exponent),
        "matmul": torch.matmul,
        "sum": lambda x, axes, keepdims: torch.sum(x, dim=axes, keepdim=keepdims),
        "greater": _mask(torch.gt),
        "greater_equal": _mask(torch.ge),
        "equal": _mask(torch.eq),
        "transpose": lambda x, order: torch.permute(x, order),
        "getitem": _getitem,
        "gather": lambda x, *indices, key: x[
            tuple(
                part if isinstance(part, slice) else torch.as_tensor(part)
                for part in numpy_key(key, indices, x.shape)
            )
        ],
        "one_hot": lambda index, size: torch.as_tensor(index)[..., None] == torch.arange(int(size)),
        "reshape": lambda x, sizes: torch.reshape(x, sizes),
        "broadcast": lambda x, sizes: torch.broadcast_to(x, sizes),
        "concatenate": lambda *xs, axis: torch.cat(xs, dim=axis),
        "einsum": lambda *xs, signature: torch.einsum(signature, *xs),
        "convolve": _convolve,
        "convolve_transposed": _convolve_transposed,
        "average_windows": _pool(functional.avg_pool2d),
        "largest_windows": _pool(functional.max_pool2d),
        "windows": lambda x, axis, length: x.unfold(axis, length, 1),
        "pad": lambda x, width: functional.pad(x, _ends(width)),
        "cumsum": lambda x, axis: torch.cumsum(x, dim=axis),
        "triangle": lambda x, diagonal, upper: (torch.triu if upper else torch.tril)(x, diagonal),
        "setitem": _setitem,
        "add_at": _add_at,
        "inverse": _inverse,
        "logdet": lambda x: torch.linalg.slogdet(x)[1],
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "sin": torch.sin,
        "cos": torch.cos,
        "erf": torch.erf,
        "sinh": torch.sinh,
        "cosh": torch.cosh,
        "silu": functional.silu,
        "gelu": functional.gelu,
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        "sign": torch.sign,
        "relu": torch.relu,
        "abs": torch.abs,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "where": lambda mask, a, b: torch.where(mask != 0, a, b),
        "max": lambda x, axis, keepdims: torch.amax(x, dim=axis, keepdim=keepdims),
        "logsumexp": lambda x, axis, keepdims: torch.logsumexp(x, dim=axis, keepdim=keepdims),
        "softmax": lambda x, axis: torch.softmax(x, dim=axis),
    },
    tensor=_tensor,
    cast=lambda tensor, dtype: tensor.to(getattr(torch, dtype)),
    array=_array,
)


def _require(number: int, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, differentiated even where nothing before it is, as a mask."""
    return tensor if tensor.requires_grad else tensor.requires_grad_(True)


def _differentiated(
    forward: Callable[..., Any],
    inputs: Inputs,
    floats: Mapping[str, torch.Tensor],
    operations: Mapping[str, int],
    loss: str,
    dtype: str,
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Every tensor of a run, and the gradients of all that are floating but the loss."""
    wholes = {name: _tensor(array) for name, array in inputs.wholes.items()}
    wanted = frozenset(operations.values())
    recording = Recording(TORCH, dtype, wanted, _require, lambda tensor: tensor.view_as(tensor))
    with torch.enable_grad():
        result = read_loss(inputs.call(forward, recording, {**floats, **wholes}))
    tensors = {**floats, **wholes, **read_kept(recording, operations), loss: result}
    sources = {
        name: tensor
        for name, tensor in tensors.items()
        if name != loss and tensor.is_floating_point()
    }
    if result.requires_grad and sources:
        found = torch.autograd.grad(
            result, list(sources.values()), allow_unused=True, materialize_grads=True
        )
    else:
        found = tuple(map(torch.zeros_like, sources.values()))
    return tensors, dict(zip(sources, found, strict=True))


# --- black boxes ----------------------------------------------------------------------------------


def _laid(array: np.ndarray, dtype: torch.dtype | None, layout: Layout, device: str) -> Any:
    """A tensor of these numbers whose memory has this layout; integers keep their dtype."""
    if layout == "expanded":
        return torch.tensor(once(array), dtype=dtype, device=device).expand(array.shape)
    if layout == "transposed" and array.ndim > 1:
        turned = np.ascontiguousarray(array.swapaxes(-1, -2))
        return torch.tensor(turned, dtype=dtype, device=device).transpose(-1, -2)
    if layout != "strided" or not array.ndim:
        if device == "cpu" and array.dtype.kind == "f" and array.flags.carray:
            own = torch.from_numpy(array)  # in order, of which a copy takes a third of the time
            return own.clone() if own.dtype == dtype else own.to(dtype)
        return torch.tensor(array, dtype=dtype, device=device)
    # torch.tensor copies in order: the strides of the whole are kept by cutting it after.
    whole = laid_out(array, layout).base
    return torch.tensor(whole, dtype=dtype, device=device)[..., ::2]


def _float_type(array: np.ndarray, dtype: str) -> torch.dtype | None:
    return getattr(torch, dtype) if array.dtype.kind == "f" else None


def _returned(one: Any, read: Callable[[torch.Tensor], np.ndarray] = _array) -> Returned:
    if not isinstance(one, torch.Tensor):
        return Returned(None, type(one).__name__)
    dense = one.to_dense() if one.layout != torch.strided else one
    return Returned(read(dense if dense.is_cpu else dense.cpu()), _named(one.dtype))


@cache
def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _changed(now: Sequence[torch.Tensor], given: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Which tensors have not the numbers any more that they were made of."""
    return tuple(k for k, (a, b) in enumerate(zip(now, given, strict=True)) if not _has(a, b))


def _has(tensor: torch.Tensor, numbers: np.ndarray) -> bool:
    # Mostly the dtype has these numbers, and nothing has changed: that takes one pass.
    now = _viewed(tensor if tensor.is_cpu else tensor.cpu())
    return have_same(now, numbers) or have_same(
        now, _viewed(torch.tensor(numbers, dtype=tensor.dtype))
    )


def _refuse_once(gradients: Sequence[torch.Tensor | None]) -> None:
    """That no gradient comes through a backward pass that may not be differentiated again: where
    nothing is found behind it, PyTorch gives no gradient and does not raise.

    Raises:
        BoxFailed: one does.
    """
    waiting = [g.grad_fn for g in gradients if g is not None and g.grad_fn is not None]
    met = set(waiting)
    while waiting:
        node = waiting.pop()
        if node.name() == "torch::autograd::Error":
            raise BoxFailed(
                told(
                    "the backward pass is marked once_differentiable: PyTorch does not "
                    "differentiate it again"
                )
            )
        new = {one for one, _ in node.next_functions if one is not None} - met
        met |= new
        waiting.extend(new)


@final
class TorchEngine(Engine):
    """PyTorch on the CPU, differentiated by its autograd."""

    name = "torch"
    writes_programs = True

    def version(self) -> str:
        return str(torch.__version__)

    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        inputs = read_inputs(arguments, dtype)
        floats = {
            name: _tensor(array, dtype).requires_grad_() for name, array in inputs.floats.items()
        }
        tensors, gradients = _differentiated(forward, inputs, floats, operations, loss, dtype)
        return Run(
            self.name,
            self.version(),
            dtype,
            {name: TORCH.array(tensor) for name, tensor in tensors.items()},
            {name: TORCH.array(g) for name, g in gradients.items()},
        )

    def native(
        self,
        layers: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Argument],
        loss: str,
        dtype: str,
    ) -> NativeRun:
        inputs = read_inputs(arguments, dtype)
        floats = {
            name: _tensor(array, dtype).requires_grad_() for name, array in inputs.floats.items()
        }
        wholes = {name: _tensor(array) for name, array in inputs.wholes.items()}
        with torch.enable_grad():
            tensors = layers(torch, **inputs.arranged(floats | wholes))
        gradients: dict[str, torch.Tensor] = {}
        if loss in tensors:
            found = torch.autograd.grad(
                tensors[loss], list(floats.values()), allow_unused=True, materialize_grads=True
            )
            gradients = dict(zip(floats, found, strict=True))
        return NativeRun(
            {name: TORCH.array(tensor) for name, tensor in tensors.items()},
            {name: TORCH.array(g) for name, g in gradients.items()},
        )

    def backward_program(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
    ) -> BackwardProgram:
        """The aten operations that `make_fx` sees in forward and backward together."""
        inputs = read_inputs(arguments, "float64")
        names = list(inputs.floats)
        found: list[str] = []

        def gradients(*natives: torch.Tensor) -> list[torch.Tensor]:
            floats = dict(zip(names, natives, strict=True))
            _, made = _differentiated(forward, inputs, floats, operations, loss, "float64")
            found[:] = made
            return list(made.values())

        natives = [_tensor(array).requires_grad_() for array in inputs.floats.values()]
        with READING:
            module = make_fx(gradients)(*natives)
        entered, written, operands, precision = read_module(module)
        return BackwardProgram(
            dict(zip(names, entered, strict=True)),
            written,
            dict(zip(found, operands, strict=True)),
            precision,
        )

    def returned(self, one: Any) -> Returned:
        return _returned(one, _viewed)

    def outputs(self, function: Callable[..., Any], question: Question) -> tuple[Returned, ...]:
        natives = [
            _laid(a, _float_type(a, question.dtype), "contiguous", question.device)
            for a in question.tensors
        ]
        with torch.no_grad(), said_of("the reference"):
            made = several(function(*question.arranged(natives)))
        return tuple(map(_returned, made))

    def pull(self, box: Callable[..., Any], question: Question) -> Answer:
        natives = [
            _laid(a, _float_type(a, question.dtype), question.layout, question.device)
            for a in question.tensors
        ]
        leaves = [
            native.requires_grad_()
            for native, wanted in zip(natives, question.wanted, strict=True)
            if wanted
        ]
        with torch.enable_grad():
            with said_of("the forward pass"):
                outputs = several(box(*question.arranged(natives)))
            for one in outputs:
                if not isinstance(one, torch.Tensor):
                    raise BoxFailed(
                        told(
                            "the forward pass returns {kind}, not a tensor", kind=type(one).__name__
                        )
                    )
            values = tuple(map(_returned, outputs))
            check_outputs([tuple(one.shape) for one in outputs], question, values)
            upstream = [
                _laid(g, y.dtype, question.upstream_layout, question.device)
                for g, y in zip(question.upstream, outputs, strict=True)
            ]
            with said_of("the backward pass", values):
                found = torch.autograd.grad(outputs, leaves, upstream, allow_unused=True)
        read = _array if question.kept else _viewed
        return Answer(
            values,
            tuple(_returned(one, read) for one in found),
            _changed(natives, question.tensors) if question.kept else (),
            _changed(upstream, question.upstream) if question.kept else (),
            lambda: tuple(_returned(one, _viewed) for one in found),
        )

    def backward(self, box: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """`torch.autograd.grad` with ``create_graph=True``."""
        count = len(question.arguments)

        def pulled(*entered: Any) -> tuple[torch.Tensor, ...]:
            arguments, upstream = entered[:count], entered[count:]
            flat = [t for a in arguments for t in (a if isinstance(a, list) else [a])]
            with torch.enable_grad():
                natives = [
                    t.detach().requires_grad_() if wanted and not t.requires_grad else t
                    for t, wanted in zip(flat, question.wanted, strict=True)
                ]
                leaves = [t for t, w in zip(natives, question.wanted, strict=True) if w]
                outputs = several(box(*question.arranged(natives)))
                found = torch.autograd.grad(
                    outputs, leaves, upstream, create_graph=True, allow_unused=True
                )
                _refuse_once(found)
                # A gradient that is cut off from what it is made of has a gradient of zero.
                return tuple(
                    0 * t if g is None else g if g.requires_grad else g + 0 * t
                    for g, t in zip(found, leaves, strict=True)
                )

        return pulled

    def forward_alone(self, function: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """The aten operations that `make_fx` sees in the forward pass alone."""
        plain = [_laid(a, _float_type(a, "float64"), "contiguous", "cpu") for a in question.tensors]
        one: list[bool] = []

        def values(*natives: torch.Tensor) -> list[torch.Tensor]:
            result = function(*question.arranged(natives))
            one[:] = [isinstance(result, torch.Tensor)]
            return list(several(result))

        said = said_of("the forward pass, read operation by operation,")
        with READING, torch.no_grad(), said:
            module = make_fx(values)(*plain)

        def alone(*arguments: Any) -> Any:
            flat = [t for a in arguments for t in (a if isinstance(a, list) else [a])]
            found = over_faces(module.graph, flat) if are_faces(flat) else module(*flat)
            return found[0] if one[0] else tuple(found)

        return alone

    def pullback_program(self, function: Callable[..., Any], question: Question) -> BackwardProgram:
        """The aten operations that `make_fx` sees in a function and its vector–Jacobian product."""
        wanted = [k for k, wanted in enumerate(question.wanted) if wanted]
        floats = [k for k, a in enumerate(question.tensors) if a.dtype.kind == "f"]
        plain = [_laid(a, _float_type(a, "float64"), "contiguous", "cpu") for a in question.tensors]
        outputs: list[Any] = []

        def pulled(*entered: torch.Tensor) -> list[torch.Tensor]:
            natives = list(plain)
            for k, native in zip(floats, entered, strict=False):
                natives[k] = native
            with torch.enable_grad():
                outputs[:] = several(function(*question.arranged(natives)))
                found = torch.autograd.grad(
                    outputs,
                    [natives[k] for k in wanted],
                    entered[len(floats) :],
                    allow_unused=True,
                    materialize_grads=True,
                )
            return [*outputs, *found]

        given = [plain[k].detach().clone().requires_grad_(k in wanted) for k in floats]
        upstream = [torch.tensor(g, dtype=torch.float64) for g in question.upstream]
        entered, written, operands, precision = written_down(pulled, [*given, *upstream])
        count = len(outputs)
        return BackwardProgram(
            dict(
                zip(
                    [*(f"x[{k}]" for k in floats), *(f"g[{k}]" for k in range(count))],
                    entered,
                    strict=True,
                )
            ),
            written,
            {f"y[{k}]": operands[k] for k in range(count)}
            | {f"x[{k}]": operands[count + n] for n, k in enumerate(wanted)},
            precision,
        )


ENGINE = TorchEngine()
