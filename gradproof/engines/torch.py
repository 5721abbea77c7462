"""PyTorch as an engine: eager operations, differentiated by `torch.autograd.grad`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch

from gradproof.engines.engine import Argument, Engine, Run
from gradproof.engines.face import (
    Arithmetic,
    Recording,
    read_inputs,
    read_kept,
    read_loss,
)


def _tensor(array: np.ndarray, dtype: str | None = None) -> torch.Tensor:
    return torch.tensor(array, device="cpu", dtype=dtype and getattr(torch, dtype))


def _array(tensor: torch.Tensor) -> np.ndarray:
    plain = tensor.detach()
    return np.array((plain.float() if plain.dtype == torch.bfloat16 else plain).numpy())


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
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
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


@final
class TorchEngine(Engine):
    """PyTorch on the CPU, differentiated by its autograd."""

    name = "torch"

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
        wholes = {name: _tensor(array) for name, array in inputs.wholes.items()}
        recording = Recording(TORCH, dtype, frozenset(operations.values()), _require)
        with torch.enable_grad():
            result = read_loss(forward(**inputs.bind(recording, floats | wholes)))
        tensors = floats | wholes | read_kept(recording, operations) | {loss: result}
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
        return Run(
            self.name,
            self.version(),
            dtype,
            {name: TORCH.array(tensor) for name, tensor in tensors.items()},
            {name: TORCH.array(g) for name, g in zip(sources, found, strict=True)},
        )


ENGINE = TorchEngine()
