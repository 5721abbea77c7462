"""Frameworks' own layers, called with a paper's tensors as weights: gradients reach these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def keras(layer: Any, weights: Sequence[Any], *inputs: Any, **settings: Any) -> Any:
    """A Keras layer's output where these tensors are its weights, in the order of its variables;
    what is not given, such as the state of its random numbers, stays its own."""
    if not layer.built:
        cell = getattr(layer, "cell", layer)
        if hasattr(cell, "recurrent_initializer"):  # the usual one factors a matrix: not in 16 bits
            cell.recurrent_initializer = "zeros"
        layer.build(*(one.shape for one in inputs))
    trainable = list(weights)[: len(layer.trainable_variables)]
    given = list(weights)[len(trainable) :]
    others = [*given, *(v.value for v in layer.non_trainable_variables[len(given) :])]
    outputs, _ = layer.stateless_call(trainable, others, *inputs, **settings)
    return outputs


def torch(
    framework: Any, module: Any, weights: dict[str, Any], *inputs: Any, **settings: Any
) -> Any:
    """A PyTorch module's output where these tensors are its parameters, by their names."""
    return framework.func.functional_call(module, weights, inputs, settings)


def turns(name: str, states: Any) -> dict[str, Any]:
    """The states of a recurrent layer, (n, T, d), by the names of a loop's values."""
    return {f"{name}[{t + 1}]": states[:, t] for t in range(states.shape[1])}
