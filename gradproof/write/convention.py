"""The choices of writing: whether a sample is a row or a column."""

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
    """

    vectors: Literal["row", "column"] = "row"


def layout(axes: tuple[Place, ...], convention: Convention) -> tuple[Place | None, Place | None]:
    """The rows and the columns of a tensor with these axes, at most two; `None` is a single one."""
    first, last = (None, None, *axes)[-2:]
    return (first, last) if convention.vectors == "row" else (last, first)


def shape_text(shape: tuple[Size, ...], convention: Convention) -> str:
    """The shape of a tensor as it is written: ``n×4`` in rows is ``4×n`` in columns."""
    if not shape:
        return "scalar"
    if len(shape) > 2:
        return "×".join(str(size) for size in shape)
    return "×".join("1" if size is None else str(size) for size in layout(shape, convention))
