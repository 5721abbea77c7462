"""Gradients to wrong gradients, in whatever framework they are.

No framework is imported: a tensor's own methods do the work, or those of the module that made it,
which is loaded then. So what is traced (`jax.jit`) is changed as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.core.told import told

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One way in which a gradient is made wrong.

    ``words`` say what the tests then accept, and ``fits`` whether the gradient with this number,
    among gradients of these shapes (`None` for none), can be made wrong so.
    """

    name: str
    words: str
    fits: Callable[[int, Sequence[Shape | None]], bool]
    make: Callable[[int, Sequence[Any]], Any]


def _shape(g: Any) -> Shape:
    return tuple(int(size) for size in g.shape)


def _times(g: Any, factors: np.ndarray) -> Any:
    """A gradient times numbers, element by element, in its own dtype."""
    module = type(g).__module__.partition(".")[0]
    if module == "torch":
        return g * g.new_tensor(factors)
    if module == "tensorflow":
        return g * factors.astype(g.dtype.as_numpy_dtype)
    return g * factors.astype(g.dtype)


def _moved(g: Any, places: np.ndarray) -> Any:
    """A tensor of the shape of `places` with the elements that stand there, counted through."""
    module = type(g).__module__.partition(".")[0]
    if module == "tensorflow":
        tensorflow = sys.modules["tensorflow"]
        return tensorflow.gather(tensorflow.reshape(g, [-1]), places)
    if module == "torch":
        torch = sys.modules["torch"]
        return g.reshape(-1)[torch.as_tensor(places, device=g.device)]
    return g.reshape(-1)[places]


def _masked(g: Any, wrong: Callable[[np.ndarray], None]) -> Any:
    factors = np.ones(_shape(g))
    wrong(factors)
    return _times(g, factors)


def _without_last_row(factors: np.ndarray) -> None:
    factors[-1] = 0


def _one_doubled(factors: np.ndarray) -> None:
    factors.flat[factors.size // 2] = 2


def _transposed(g: Any) -> Any:
    """The last two axes read the other way round, in the shape that is expected."""
    shape = _shape(g)
    places = np.arange(int(np.prod(shape))).reshape(shape)
    return _moved(g, np.ascontiguousarray(places.swapaxes(-1, -2)).reshape(shape))


def _partner(k: int, shapes: Sequence[Shape | None]) -> int | None:
    """Another gradient of the same shape."""
    own = shapes[k]
    others = (j for j, shape in enumerate(shapes) if j != k and shape == own)
    return None if own is None else next(others, None)


def _size(k: int, shapes: Sequence[Shape | None]) -> int:
    shape = shapes[k]
    return 0 if shape is None else int(np.prod(shape, dtype=np.int64))


def _always(k: int, shapes: Sequence[Shape | None]) -> bool:
    return _size(k, shapes) > 0


def _has_rows(k: int, shapes: Sequence[Shape | None]) -> bool:
    shape = shapes[k]
    return _always(k, shapes) and bool(shape) and shape is not None and shape[0] > 1


def _is_matrix(k: int, shapes: Sequence[Shape | None]) -> bool:
    shape = shapes[k]
    return _always(k, shapes) and shape is not None and len(shape) > 1 and min(shape[-2:]) > 1


def _swapped(k: int, gradients: Sequence[Any]) -> Any:
    shapes = [None if g is None else _shape(g) for g in gradients]
    other = _partner(k, shapes)
    return gradients[k] if other is None else gradients[other]


CHANGES = (
    Change(
        told("zero"), told("a gradient of zero"), _always, lambda k, gs: _masked(gs[k], _all_zero)
    ),
    Change("−1×", told("the wrong sign"), _always, lambda k, gs: -gs[k]),
    Change("2×", told("twice the gradient"), _always, lambda k, gs: gs[k] + gs[k]),
    Change(
        told("row"),
        told("a gradient whose last row is zero"),
        _has_rows,
        lambda k, gs: _masked(gs[k], _without_last_row),
    ),
    Change(
        told("transposed"),
        told("a gradient with rows and columns exchanged"),
        _is_matrix,
        lambda k, gs: _transposed(gs[k]),
    ),
    Change(
        told("swapped"),
        told("the gradient of another input in its place"),
        lambda k, shapes: _always(k, shapes) and _partner(k, shapes) is not None,
        _swapped,
    ),
    Change(
        told("element"),
        told("a gradient with one element doubled"),
        lambda k, shapes: _size(k, shapes) > 1,
        lambda k, gs: _masked(gs[k], _one_doubled),
    ),
)
"""The ways in which gradients are made wrong."""


def _all_zero(factors: np.ndarray) -> None:
    factors[...] = 0


def is_gradient(one: Any) -> bool:
    """Whether something is a tensor of floating numbers."""
    return hasattr(one, "shape") and "float" in str(getattr(one, "dtype", ""))


def listed(result: Any) -> list[Any]:
    """What a backward pass returned, one after another."""
    if isinstance(result, Mapping):
        return list(result.values())
    return list(result) if isinstance(result, tuple | list) else [result]


def like(result: Any, gradients: Sequence[Any]) -> Any:
    """Gradients in the form in which a backward pass returned them."""
    if isinstance(result, Mapping):
        return dict(zip(result, gradients, strict=True))
    if hasattr(result, "_fields"):  # a named tuple
        return type(result)(*gradients)
    return type(result)(gradients) if isinstance(result, tuple | list) else gradients[0]


def differ(before: Any, after: Any) -> bool:
    """Whether two tensors have different numbers; of what is traced that is taken for granted."""
    if type(before).__module__.partition(".")[0] == "torch":
        return not before.equal(after)
    try:
        return not np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True)
    except (TypeError, NotImplementedError):  # as JAX's and TensorFlow's tracers say it
        return True
