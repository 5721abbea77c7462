"""The choices of writing: whether a sample is a row or a column, and how a gradient lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from gradproof.core.index import Size

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Convention:
    """How tensors are laid out on the page.

    ``"row"``: ``v[i,j]`` has the rows i and the columns j, and ``v[i]`` is a row. ``"column"``:
    every matrix is written the other way round, and ``v[i]`` is a column: ``z = W x + b``.
    A vector named in ``turned`` is laid out the other way: one number for each sample is a column
    beside samples in rows. In the style ``"index"`` every equation is one between elements, with
    its sums.

    In the layout ``"gradient"`` (also called denominator layout) ``∂l/∂W`` has the shape of W; in
    the layout ``"jacobian"`` (numerator layout) that of Wᵀ. A slice of a gradient is the gradient
    of the slice, so that of a tensor with more than two axes each matrix lies as Wᵀ does. Those of
    the tensors in ``upright`` lie as their tensors in every layout: windows slide over them.
    """

    vectors: Literal["row", "column"] = "row"
    turned: frozenset[str] = frozenset()
    style: Literal["matrix", "index"] = "matrix"
    gradients: Literal["gradient", "jacobian"] = "gradient"
    upright: frozenset[str] = frozenset()


GRADIENT = "/∂"
"""What a gradient's name has between its sign and its tensor; no name of a user's has it."""


def lies_transposed(name: str, convention: Convention) -> bool:
    """Whether it is a gradient under the layout in which gradients lie as Jacobians do."""
    if convention.gradients != "jacobian" or GRADIENT not in name:
        return False
    return name.rpartition(GRADIENT)[2].partition("[")[0] not in convention.upright


def layout(axes: tuple[Place, ...], convention: Convention) -> tuple[Place | None, Place | None]:
    """The rows and the columns of a tensor with these axes, at most two; `None` is a single one."""
    first, last = (None, None, *axes)[-2:]
    return (first, last) if convention.vectors == "row" else (last, first)


def placed(
    name: str, axes: tuple[Place, ...], kept: tuple[bool, ...], convention: Convention
) -> tuple[Place | None, Place | None]:
    """The rows and columns of a tensor, or of the slice that keeps some of its axes.

    A row of a matrix is a row, and a column of it a column: a slice stays as it lay.
    """
    rows, columns = _upright(name, axes, kept, convention)
    return (columns, rows) if lies_transposed(name, convention) else (rows, columns)


def _upright(
    name: str, axes: tuple[Place, ...], kept: tuple[bool, ...], convention: Convention
) -> tuple[Place | None, Place | None]:
    """The rows and columns of a tensor that is no transposed gradient."""
    left = tuple(axis for axis, stays in zip(axes, kept, strict=True) if stays)
    if len(left) == 1 and len(axes) == 2 and kept[0]:
        first, last = left[0], None
        return (first, last) if convention.vectors == "row" else (last, first)
    rows, columns = layout(left, convention)
    return (columns, rows) if len(axes) == 1 and name in convention.turned else (rows, columns)


def shape_text(name: str, shape: tuple[Size, ...], convention: Convention) -> str:
    """The shape of a tensor as it is written: ``n×4`` in rows is ``4×n`` in columns."""
    if not shape:
        return "scalar"
    both: tuple[Size | None, ...] = placed(name, shape, (True,) * len(shape), convention)
    if len(shape) > 2:
        both = (*shape[:-2], *both)  # each matrix of a batch is written as a matrix is
    return "×".join("1" if size is None else str(size) for size in both)
