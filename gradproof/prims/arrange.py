"""NumPy's functions that move elements or contract axes, each turned into one named operation.

===================================  ========================================================
``reshape``                          ``sizes`` of the result
``broadcast``                        ``sizes`` of the result
``concatenate``                      operands; ``axis``: non-negative
``einsum``                           operands; ``signature``: letters, as ``"nd,dk->nk"``
===================================  ========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from gradproof.core.errors import NotYet, ShapeError
from gradproof.core.told import told
from gradproof.prims.caller import place


def axis_of(axis: Any, among: int) -> int:
    """An axis counted from the front.

    Raises:
        ShapeError: it is no number, or no axis of so many.
    """
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise ShapeError(
            told("{axis!r} is not an axis.", axis=axis),
            advice=told("An axis is a number."),
            place=place(),
        )
    if not -among <= axis < among:
        raise ShapeError(
            told(
                "axis {axis} does not exist: the tensor has {among} axes.", axis=axis, among=among
            ),
            place=place(),
        )
    return int(axis) % among


def _face(operands: Sequence[Any]) -> Any:
    """An operand that answers NumPy's protocols itself."""
    return next(o for o in operands if isinstance(o, NDArrayOperatorsMixin))


# --- one tensor in another shape ---------------------------------------------------------------


def reshape(x: Any, *shape: Any, order: str = "C") -> Any:
    """The elements in their order under other axes; one size may be −1."""
    if order != "C":
        raise NotYet(told("reshape in another order than C is not supported yet."), place=place())
    sizes = list(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)
    if any(isinstance(s, bool) or not isinstance(s, int | np.integer) for s in sizes):
        raise ShapeError(
            told("{wanted} is not a shape: sizes are whole numbers.", wanted=tuple(sizes)),
            place=place(),
        )
    total, unknown = x.size, [k for k, size in enumerate(sizes) if size == -1]
    known = 1
    for k, size in enumerate(sizes):
        known = known if k in unknown else size * known
    if (
        len(unknown) > 1
        or (unknown and (known == 0 or total % known))
        or (not unknown and known != total)
    ):
        raise ShapeError(
            told(
                "A tensor of shape {shape} has {count} elements: they do not fill {wanted}.",
                shape=x.shape,
                count=int(total),
                wanted=tuple(map(int, sizes)),
            ),
            place=place(),
        )
    for k in unknown:
        sizes[k] = total / known  # of sizes, so that a symbol stays one
        if not isinstance(sizes[k], int):
            sizes[k] = int(sizes[k])
    if tuple(sizes) == x.shape:
        return x
    return x.operate("reshape", (x,), sizes=tuple(sizes))


def ravel(x: Any, order: str = "C") -> Any:
    """All elements along one axis."""
    return reshape(x, -1, order=order)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Without axes of one element."""
    if axis is None:
        gone = {k for k, size in enumerate(x.shape) if size == 1}
    else:
        chosen = axis if isinstance(axis, tuple) else (axis,)
        gone = {axis_of(one, x.ndim) for one in chosen}
        long = [k for k in gone if x.shape[k] != 1]
        if long:
            raise ShapeError(
                told(
                    "squeeze: axis {axis} has {size} elements.", axis=long[0], size=x.shape[long[0]]
                ),
                place=place(),
            )
    return x[tuple(0 if k in gone else slice(None) for k in range(x.ndim))]


def broadcast_to(x: Any, shape: Any) -> Any:
    """The tensor repeated along axes of one element, or along new ones in front."""
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    own = x.shape
    fits = len(sizes) >= len(own) and all(
        have in (1, wanted)
        for have, wanted in zip(own, sizes[len(sizes) - len(own) :], strict=True)
    )
    if not fits:
        raise ShapeError(
            told(
                "A tensor of shape {own} cannot be repeated to {wanted}.",
                own=own,
                wanted=tuple(map(int, sizes)),
            ),
            place=place(),
        )
    return x if sizes == own else x.operate("broadcast", (x,), sizes=sizes)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """The axes in another order: some at new places, the others as they were."""
    old = [axis_of(a, x.ndim) for a in (source if isinstance(source, tuple | list) else (source,))]
    new = [
        axis_of(a, x.ndim)
        for a in (destination if isinstance(destination, tuple | list) else (destination,))
    ]
    order = [axis for axis in range(x.ndim) if axis not in old]
    for to, axis in sorted(zip(new, old, strict=True)):
        order.insert(to, axis)
    return x.transpose(tuple(order))


def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    """Every element so many times in a row."""
    if axis is None:
        x, axis = ravel(x), 0
    if not isinstance(repeats, int | np.integer):
        raise NotYet(
            told("np.repeat with a number for each element is not supported yet."), place=place()
        )
    spot = axis_of(axis, x.ndim)
    key = (slice(None),) * (spot + 1) + (None,)
    wide = (*x.shape[: spot + 1], repeats, *x.shape[spot + 1 :])
    joined = (*x.shape[:spot], x.shape[spot] * repeats, *x.shape[spot + 1 :])
    return reshape(broadcast_to(x[key], wide), joined)


# --- several tensors in one --------------------------------------------------------------------


def concatenate(tensors: Sequence[Any], axis: Any = 0) -> Any:
    """Tensors one after the other along an axis."""
    parts = list(tensors)
    if axis is None:
        parts, axis = [np.ravel(p) for p in parts], 0
    face = _face(parts)
    return face.operate("concatenate", tuple(parts), axis=axis_of(axis, np.ndim(face)))


def stack(tensors: Sequence[Any], axis: Any = 0) -> Any:
    """Tensors of one shape along a new axis."""
    parts = list(tensors)
    spot = axis_of(axis, np.ndim(parts[0]) + 1)
    key = (slice(None),) * spot + (None,)
    faces: list[Any] = [p if isinstance(p, NDArrayOperatorsMixin) else np.asarray(p) for p in parts]
    return concatenate([p[key] for p in faces], spot)


def split(x: Any, sections: Any, axis: Any = 0) -> list[Any]:
    """Consecutive parts along an axis: equal ones, or cut at given places."""
    spot = axis_of(axis, x.ndim)
    length = x.shape[spot]
    if isinstance(sections, int | np.integer):
        if length % sections:
            raise ShapeError(
                told(
                    "An axis of {length} cannot be split into {sections} equal parts.",
                    length=length,
                    sections=sections,
                ),
                place=place(),
            )
        cuts = [int(length) // int(sections) * k for k in range(int(sections) + 1)]
    else:
        cuts = [0, *map(int, sections), int(length)]
    before = (slice(None),) * spot
    return [x[(*before, slice(a, b))] for a, b in pairwise(cuts)]


# --- contractions ------------------------------------------------------------------------------


def einsum(signature: Any, *operands: Any, optimize: Any = False) -> Any:
    """Einstein's summation: letters that the result has not are summed over."""
    if not isinstance(signature, str):
        raise NotYet(told("np.einsum takes its letters as a string here."), place=place())
    text = explicit(signature.replace(" ", ""), [np.ndim(o) for o in operands])
    return _face(operands).operate("einsum", operands, signature=text)


def explicit(signature: str, ranks: Sequence[int]) -> str:
    """The signature with a result and without ellipses.

    Raises:
        ShapeError: it does not fit operands with so many axes.
    """
    left, arrow, right = signature.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ShapeError(
            told(
                "{signature!r} is for {count} operand(s), not {count2}.",
                signature=signature,
                count=len(inputs),
                count2=len(ranks),
            ),
            place=place(),
        )
    spare = [letter for letter in ascii_letters if letter not in signature]
    wide = max(
        (rank - len(part.replace("...", "")) for part, rank in zip(inputs, ranks, strict=True)),
        default=0,
    )
    dots = "".join(spare[: max(wide, 0)])
    written = []
    for part, rank in zip(inputs, ranks, strict=True):
        missing = rank - len(part.replace("...", ""))
        if "..." in part and missing >= 0:
            part = part.replace("...", dots[len(dots) - missing :])
        if len(part) != rank or not all(letter in ascii_letters for letter in part):
            raise ShapeError(
                told(
                    "{part!r} in {signature!r} names {count} axes of a tensor with {rank}.",
                    part=part,
                    signature=signature,
                    count=len(part),
                    rank=rank,
                ),
                place=place(),
            )
        written.append(part)
    together = "".join(written)
    if arrow:
        result = right.replace("...", dots if any("..." in part for part in inputs) else "")
    else:
        single = sorted(x for x in set(together) if together.count(x) == 1 and x not in dots)
        result = ("" if not any("..." in p for p in inputs) else dots) + "".join(single)
    unknown = [letter for letter in result if letter not in together]
    if unknown or len(set(result)) != len(result):
        raise ShapeError(
            told(
                "The result of {signature!r} has a letter twice, or one that no operand has.",
                signature=signature,
            ),
            place=place(),
        )
    return f"{','.join(written)}->{result}"


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal over two axes."""
    return einsum(*_diagonal(x, offset, axis1, axis2, kept=False), x)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal over two axes, as the last axis."""
    return einsum(*_diagonal(x, offset, axis1, axis2, kept=True), x)


def _diagonal(x: Any, offset: int, axis1: int, axis2: int, *, kept: bool) -> tuple[str]:
    if offset:
        raise NotYet(told("A diagonal beside the main one is not supported yet."), place=place())
    letters = list(ascii_letters[: x.ndim])
    first, second = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    letters[second] = letters[first]
    rest = [x for k, x in enumerate(letters) if k not in (first, second)]
    return (f"{''.join(letters)}->{''.join(rest)}{letters[first] if kept else ''}",)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The Euclidean norm along an axis, or of all elements."""
    if ord not in (None, 2, "fro") or (ord == 2 and axis is None and x.ndim > 1):
        raise NotYet(
            told("np.linalg.norm with ord={ord!r} is not supported yet.", ord=ord), place=place()
        )
    return np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))


ARRANGEMENTS: dict[str, Callable[..., Any]] = {
    "reshape": reshape,
    "ravel": ravel,
    "squeeze": squeeze,
    "broadcast_to": broadcast_to,
    "moveaxis": moveaxis,
    "repeat": repeat,
    "concatenate": concatenate,
    "stack": stack,
    "split": split,
    "einsum": einsum,
    "trace": trace,
    "diagonal": diagonal,
    "norm": norm,
}
"""By the names of NumPy's functions."""
