"""A graph of aten operations over the faces with which a paper is traced.

What `make_fx` writes of a forward pass is mostly what NumPy can say too. Then it has equations, as
a paper has, and can be read at other sizes, as far as no size stands in it as a number. What is
read so is held against PyTorch's autodiff before it judges anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.prims.face import Face


def are_faces(values: Sequence[Any]) -> bool:
    """Whether some of these are traced, and no tensors of the framework."""
    return any(isinstance(one, Face) for one in values)


def over_faces(graph: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs of an `torch.fx` graph, over faces in the place of its tensors.

    Raises:
        NotYet: it has an operation that is not read so.
    """
    waiting = iter(values)
    known: dict[Any, Any] = {}

    def at(argument: Any) -> Any:
        if isinstance(argument, tuple | list):
            return type(argument)(map(at, argument))
        return known.get(argument, argument)

    for node in graph.nodes:
        match node.op:
            case "placeholder":
                known[node] = next(waiting)
            case "call_function":
                meaning = _MEANINGS.get(str(node.target))
                if meaning is None:
                    raise NotYet(f"{node.target} has no equation")
                options = {name: at(one) for name, one in node.kwargs.items()}
                known[node] = meaning(*map(at, node.args), **options)
            case "output":
                return list(at(node.args[0]))
            case _:
                raise NotYet(f"{node.target} has no equation")
    raise NotYet("a graph without an output")


def _named(name: str) -> Callable[[Any], Any]:
    """A function of the dictionary."""
    return lambda x: x.operate(name, (x,), order=0)


def _scaled(sign: int) -> Callable[..., Any]:
    """``a + alpha·b``, or ``a − alpha·b``."""

    def add(a: Any, b: Any, *, alpha: Any = 1) -> Any:
        b = b if alpha == 1 else alpha * b
        return a + b if sign > 0 else a - b

    return add


def _addmm(c: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    product = a @ b if alpha == 1 else alpha * (a @ b)
    return product + (c if beta == 1 else beta * c)


def _transposed(x: Any, first: int, second: int) -> Any:
    order = list(range(len(x.shape)))
    order[first], order[second] = order[second], order[first]
    return np.transpose(x, order)


def _sum(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(dim) if isinstance(dim, list) else dim
    return np.sum(x, axis=axes if axes != () else None, keepdims=keepdim)


def _mean(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(dim) if isinstance(dim, list) else dim
    return np.mean(x, axis=axes if axes != () else None, keepdims=keepdim)


def _same(x: Any, **options: Any) -> Any:
    return x


_MEANINGS: Mapping[str, Callable[..., Any]] = {
    "aten.mm.default": lambda a, b: a @ b,
    "aten.bmm.default": lambda a, b: a @ b,
    "aten.mv.default": lambda a, b: a @ b,
    "aten.dot.default": lambda a, b: a @ b,
    "aten.addmm.default": _addmm,
    "aten.t.default": lambda x: x.T,
    "aten.transpose.int": _transposed,
    "aten.permute.default": np.transpose,
    "aten.add.Tensor": _scaled(1),
    "aten.sub.Tensor": _scaled(-1),
    "aten.mul.Tensor": lambda a, b: a * b,
    "aten.div.Tensor": lambda a, b: a / b,
    "aten.neg.default": lambda x: -x,
    "aten.pow.Tensor_Scalar": lambda x, exponent: x**exponent,
    "aten.exp.default": np.exp,
    "aten.log.default": np.log,
    "aten.sqrt.default": np.sqrt,
    "aten.tanh.default": np.tanh,
    "aten.sigmoid.default": _named("sigmoid"),
    "aten.relu.default": _named("relu"),
    "aten.sum.default": _sum,
    "aten.sum.dim_IntList": _sum,
    "aten.mean.default": _mean,
    "aten.mean.dim": _mean,
    "aten.detach.default": _same,
    "aten.alias.default": _same,
    "aten.clone.default": _same,
}
"""What an operation is with NumPy's, by its name."""
