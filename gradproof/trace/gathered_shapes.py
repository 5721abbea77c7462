"""The shapes of what is indexed by integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradproof.core.errors import NotYet, Place, ShapeError
from gradproof.core.index import Size
from gradproof.core.told import told
from gradproof.prims.gather import EACH

NAMES = ("gather", "one_hot", "put", "add_at")


def gathered_shape(
    name: str, shapes: Sequence[tuple[Size, ...]], attributes: dict[str, Any], where: Place | None
) -> tuple[Size, ...]:
    """The shape of an operation's result.

    Raises:
        ShapeError: what is written has not the shape of where it is written to.
        NotYet: the indices of one key have different shapes.
    """
    match name:
        case "one_hot":
            return (*shapes[0], attributes["size"])
        case "gather":
            return _picked(shapes[0], shapes[1:], attributes["key"], where)
        case _:
            there = _picked(shapes[0], shapes[2:], attributes["key"], where)
            new = shapes[1]
            own = there[len(there) - len(new) :]
            if len(new) > len(there) or any(s not in (1, w) for s, w in zip(new, own, strict=True)):
                raise ShapeError(
                    told(
                        "What stands there has the shape {there} and cannot hold {new}.",
                        there=there,
                        new=new,
                    ),
                    place=where,
                )
            return shapes[0]


def _picked(
    whole: tuple[Size, ...],
    indices: Sequence[tuple[Size, ...]],
    key: tuple[Any, ...],
    where: Place | None,
) -> tuple[Size, ...]:
    if len(set(indices)) > 1:
        raise NotYet(
            told("Indices of different shapes in one key are not supported yet."), place=where
        )
    index = indices[0]
    for part, size in zip(key, whole, strict=True):
        if part == EACH and (len(index) != 1 or index[0] != size):
            raise ShapeError(
                told(
                    "np.arange counts {size} rows, and there is an index for {index} of them.",
                    size=size,
                    index=index[0],
                ),
                place=where,
            )
    first = first_index(key)
    kept = [size for part, size in zip(key, whole, strict=True) if part == slice(None)]
    return (*kept[:first], *index, *kept[first:])


def first_index(key: tuple[Any, ...]) -> int:
    """The first axis of a key that an index picks from."""
    return next(axis for axis, part in enumerate(key) if part != slice(None))


def counted_sizes(
    name: str, shapes: Sequence[tuple[Size, ...]], attributes: dict[str, Any]
) -> tuple[Size, ...]:
    """For each index the size of the axis whose positions it names."""
    if name == "one_hot":
        return (attributes["size"],)
    axes = [axis for axis, part in enumerate(attributes["key"]) if isinstance(part, int)]
    return tuple(shapes[0][axis] for axis in axes)
