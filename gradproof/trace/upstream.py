"""A function with outputs of any shape to a network: its outputs, each weighed by a tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.core.errors import GradproofError, NetworkError
from gradproof.core.index import Size
from gradproof.core.program import Paper, Tensor
from gradproof.core.term import Product, Read, walk
from gradproof.core.told import told
from gradproof.trace.again import Earlier, earlier_of
from gradproof.trace.graph import Traced
from gradproof.trace.paper import record
from gradproof.trace.signature import Signature, tensors, where_defined
from gradproof.trace.sizes import asking
from gradproof.trace.uniform import at_sizes, trace_uniformly


@dataclass(frozen=True, slots=True)
class Weighed:
    """A function as a network, whose loss is ``Σₖ ⟨gₖ, yₖ⟩``.

    ``upstream`` are the weights gₖ, the gradients that arrive at the outputs; ``outputs`` are the
    names of the values yₖ, or empty where the paper itself has the sum and hides them.
    """

    paper: Paper
    signature: Signature
    upstream: tuple[str, ...]
    outputs: tuple[str, ...]


def weigh(
    forward: Callable[..., Any], signature: Signature, sizes: Mapping[str, int], given: str | None
) -> Weighed:
    """Traces a function with its outputs weighed.

    Args:
        forward: it returns a tensor or several.
        signature: the tensors that it takes.
        sizes: a number for each size symbol.
        given: the parameter that is the upstream gradient, where forward itself returns the sum
            of its output times that; else `None`.

    Raises:
        GradproofError: it cannot be traced.
    """
    if given is not None:
        if given not in signature:
            raise NetworkError(
                told(
                    "The reference has no parameter {given}; it takes {signature}.",
                    given=given,
                    signature=", ".join(signature),
                ),
                place=where_defined(forward),
            )
        paper, known = trace_uniformly(forward, None, signature, sizes)
        return Weighed(paper, known, (given,), _weighed_by(paper, (given,)))
    once = earlier_of(forward, signature)
    shapes = once.shapes
    if shapes is not None:
        try:
            return _weighed(forward, signature, shapes, sizes, once)
        except GradproofError:  # the function is another one now
            pass
    whole = signature
    try:
        shapes = _shapes(forward, signature, sizes)
    except GradproofError:  # code that asks for sizes has numbers where others have symbols
        whole = at_sizes(signature, sizes)
        shapes = _shapes(forward, whole, sizes)
    else:
        once.shapes = shapes
    return _weighed(forward, whole, shapes, sizes, once)


def _weighed(
    forward: Callable[..., Any],
    signature: Signature,
    shapes: Sequence[tuple[Size, ...]],
    sizes: Mapping[str, int],
    earlier: Earlier,
) -> Weighed:
    """The function with its outputs weighed, whose shapes are known."""
    names = _names(len(shapes), {tensor.name for tensor in tensors(signature)})
    weights = {n: Tensor(n, s, "", "data") for n, s in zip(names, shapes, strict=True)}
    paper, known = trace_uniformly(
        _weighing(forward, names), None, {**signature, **weights}, sizes, earlier
    )
    return Weighed(paper, known, names, _weighed_by(paper, names))


def _names(count: int, taken: set[str]) -> tuple[str, ...]:
    letter = "g"
    while letter in taken or f"{letter}1" in taken:
        letter += "_"
    return (letter,) if count == 1 else tuple(f"{letter}{k}" for k in range(1, count + 1))


def _outputs(forward: Callable[..., Any], result: Any) -> list[Traced]:
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for one in outputs:
        if not isinstance(one, Traced):
            raise NetworkError(
                told(
                    "The reference returns {kind}, not a tensor computed from its inputs.",
                    kind=type(one).__name__,
                ),
                place=where_defined(forward),
            )
        if one.node.operation == "input":
            raise NetworkError(
                told("The reference returns one of its inputs: there is nothing to derive."),
                place=where_defined(forward),
            )
    return outputs


def _weighing(forward: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The sum of the outputs times the weights."""

    @functools.wraps(forward)
    def weighed(**arguments: Any) -> Any:
        weights = [arguments.pop(name) for name in names]
        outputs = _outputs(forward, forward(**arguments))
        if [g.node.shape for g in weights] != [y.node.shape for y in outputs]:
            raise NetworkError(
                told("The reference returns other shapes when it is called again."),
                place=where_defined(forward),
            )
        for y in outputs:  # so that the whole output is one tensor, with a name
            y.recording.after = where_defined(forward)
            y.recording.namer.suggest(y.node.number, "out")
        return functools.reduce(
            lambda a, b: a + b,
            [np.sum(g * y) if y.shape else g * y for g, y in zip(weights, outputs, strict=True)],
        )

    return weighed


def _shapes(
    forward: Callable[..., Any], signature: Signature, sizes: Mapping[str, int]
) -> tuple[tuple[Size, ...], ...]:
    """The shapes of a function's outputs, in symbols where the signature has them."""
    with asking():
        result, recording, _ = record(forward, signature, sizes)
        recording.namer.release()
        return tuple(one.node.shape for one in _outputs(forward, result))


def _weighed_by(paper: Paper, upstream: tuple[str, ...]) -> tuple[str, ...]:
    """The tensors that stand beside the weights, if each does so once and alone."""
    found: list[str] = []
    for name in upstream:
        beside = [
            [f for f in node.factors if not (isinstance(f, Read) and f.tensor == name)]
            for equation in paper.forward.equations
            for node in walk(equation.term)
            if isinstance(node, Product)
            and any(isinstance(f, Read) and f.tensor == name for f in node.factors)
        ]
        match beside:
            case [[Read(tensor, _)]]:
                found.append(tensor)
            case _:
                return ()
    return tuple(found)
