"""JAX as an engine: eager operations, differentiated by `jax.value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from gradproof.engines.engine import Argument, Engine, Run
from gradproof.engines.face import (
    Arithmetic,
    Recording,
    read_inputs,
    read_kept,
    read_loss,
)

try:
    from jax import enable_x64
except ImportError:  # before JAX 0.8
    from jax.experimental import enable_x64


def _mask(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: compare(a, b).astype(a.dtype)


def _array(tensor: Any) -> np.ndarray:
    return np.array(tensor.astype(jnp.float32) if tensor.dtype == jnp.bfloat16 else tensor)


JAX = Arithmetic(
    functions={
        "add": jnp.add,
        "subtract": jnp.subtract,
        "multiply": jnp.multiply,
        "divide": jnp.divide,
        "negative": jnp.negative,
        "square": jnp.square,
        "reciprocal": jnp.reciprocal,
        "power": lambda x, exponent: x**exponent,
        "matmul": jnp.matmul,
        "sum": lambda x, axes, keepdims: jnp.sum(x, axis=axes, keepdims=keepdims),
        "greater": _mask(jnp.greater),
        "greater_equal": _mask(jnp.greater_equal),
        "equal": _mask(jnp.equal),
        "transpose": lambda x, order: jnp.transpose(x, order),
        "getitem": lambda x, key: x[key],
        "exp": jnp.exp,
        "log": jnp.log,
        "sqrt": jnp.sqrt,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "relu": jax.nn.relu,
        "abs": jnp.abs,
        "maximum": jnp.maximum,
        "minimum": jnp.minimum,
        "where": lambda mask, a, b: jnp.where(mask != 0, a, b),
        "max": lambda x, axis, keepdims: jnp.max(x, axis=axis, keepdims=keepdims),
        "logsumexp": lambda x, axis, keepdims: jax.nn.logsumexp(x, axis=axis, keepdims=keepdims),
        "softmax": lambda x, axis: jax.nn.softmax(x, axis=axis),
    },
    tensor=jnp.asarray,
    cast=lambda tensor, dtype: tensor.astype(dtype),
    array=_array,
)


@contextmanager
def settings() -> Iterator[None]:
    """On the CPU, in the precision that the arrays have; the user's own settings stay."""
    with (
        enable_x64(True),  # without it float64 becomes float32; with it float32 stays
        jax.default_device(jax.devices("cpu")[0]),
        jax.default_matmul_precision("highest"),
    ):
        yield


@final
class JaxEngine(Engine):
    """JAX on the CPU, operation by operation, differentiated by `jax.value_and_grad`."""

    name = "jax"

    def version(self) -> str:
        return str(jax.__version__)

    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        inputs = read_inputs(arguments, dtype)
        wanted = frozenset(operations.values())
        with settings():
            floats = {name: jnp.asarray(array, dtype) for name, array in inputs.floats.items()}
            wholes = {name: jnp.asarray(array) for name, array in inputs.wholes.items()}

            def program(floats: Any, perturbations: Any) -> Any:
                recording = Recording(
                    JAX, dtype, wanted, lambda number, tensor: tensor + perturbations[number]
                )
                result = read_loss(forward(**inputs.bind(recording, floats | wholes)))
                return result, read_kept(recording, operations)

            perturbations = self._perturbations(forward, inputs, floats | wholes, dtype, wanted)
            (result, kept), (g_floats, g_kept) = jax.value_and_grad(
                program, argnums=(0, 1), has_aux=True
            )(floats, perturbations)
            kept = {name: kept[name] for name in operations}  # JAX has sorted the names
            tensors = floats | wholes | kept | {loss: result}
            gradients = g_floats | {
                name: g_kept[number]
                for name, number in operations.items()
                if number in g_kept and name != loss
            }
            return Run(
                self.name,
                self.version(),
                dtype,
                {name: _array(tensor) for name, tensor in tensors.items()},
                {name: _array(gradients[name]) for name in tensors if name in gradients},
            )

    def _perturbations(
        self, forward: Callable[..., Any], inputs: Any, natives: Any, dtype: str, wanted: Any
    ) -> dict[int, Any]:
        """Minus zeros in the shapes of the wanted values: added, they change no bit."""

        def shapes(natives: Any) -> Any:
            met: dict[int, Any] = {}

            def meet(number: int, tensor: Any) -> Any:
                met[number] = tensor
                return tensor

            forward(**inputs.bind(Recording(JAX, dtype, wanted, meet), natives))
            return met

        found = jax.eval_shape(shapes, natives)
        return {number: jnp.full(one.shape, -0.0, dtype) for number, one in found.items()}


ENGINE = JaxEngine()
