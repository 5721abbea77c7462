"""A signature to data on which a mistake can be seen: no symmetry, no constants, sizes apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradproof.core.errors import DataError, ShapeError
from gradproof.core.index import Size
from gradproof.core.program import Tensor
from gradproof.core.told import told
from gradproof.engines.dtype import in_dtype
from gradproof.engines.extremes import all_of
from gradproof.trace.signature import Signature, positions_of, symbols, tensors

POOL = (5, 3, 7, 6, 4, 8, 9, 11, 10, 12, 13)
"""Sizes to choose from, in this order: at least 2, because a batch of one hides a missing Σ."""

SMALL = 2.0**-7
"""Numbers so much smaller have variances of 10⁻⁴, beside which an ε of 10⁻⁵ counts."""

NEAR_ZERO = 2.0**-14
"""Numbers so much smaller lie at both sides of a kink at 0, and nearer than one step of an update
is."""


def check_seed(seed: int | None) -> None:
    """That data can be drawn with a seed; `None` stands for one that is not given.

    Raises:
        DataError: it is negative, or no whole number.
    """
    if seed is not None and not _is_whole(seed):
        raise DataError(told("The seed must be a whole number, not {seed!r}.", seed=seed))
    if seed is not None and seed < 0:
        raise DataError(told("The seed must be at least 0, not {seed}.", seed=seed))


def check_inputs(inputs: Mapping[str, Any] | None) -> None:
    """That inputs are given by name.

    Raises:
        DataError: they are no dictionary.
    """
    if inputs is not None and not isinstance(inputs, Mapping):
        raise DataError(
            told("inputs must be a dictionary by name, not {kind}.", kind=type(inputs).__name__),
            advice=told("Write  inputs={example}", example='{"x": x, "W": W}'),
        )


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def choose_sizes(
    signature: Signature, given: Mapping[str, int], arrays: Mapping[str, Any]
) -> dict[str, int]:
    """A number for every size symbol: as given, as the arrays have it, or generic.

    Raises:
        ShapeError: an array does not have the shape of its annotation, or sizes contradict.
        DataError: a size is given for a symbol that the network does not have, or is no whole
            number; or what is given for a tensor is no array, or has no elements.
    """
    wanted = symbols(signature)
    unknown = set(given) - set(wanted)
    if unknown:
        raise DataError(
            told("There is no size called {names}.", names=", ".join(sorted(unknown))),
            advice=told("The sizes are {sizes}.", sizes=", ".join(wanted) or told("all numbers")),
        )
    for symbol, size in given.items():
        if not _is_whole(size):
            raise DataError(
                told(
                    "The size {symbol} must be a whole number, not {size!r}.",
                    symbol=symbol,
                    size=size,
                )
            )
        if size < 1:
            raise DataError(
                told("The size {symbol} must be at least 1, not {size}.", symbol=symbol, size=size)
            )
    sizes = dict(given)
    for tensor, value in _given(signature, arrays):
        _bind(tensor, _shape(tensor, value), sizes)
    literal = {size for t in tensors(signature) for size in t.shape if isinstance(size, int)}
    free = [size for size in POOL if size not in literal | set(sizes.values())]
    for number, symbol in enumerate(s for s in wanted if s not in sizes):
        sizes[symbol] = free[number] if number < len(free) else 14 + number
    return sizes


def _given(signature: Signature, inputs: Mapping[str, Any]) -> list[tuple[Tensor, Any]]:
    """Each tensor that an array or a shape is given for, with what is given."""
    found: list[tuple[Tensor, Any]] = []
    for name, entry in signature.items():
        if name not in inputs:
            continue
        given = inputs[name]
        if not isinstance(entry, list):
            found.append((entry, given))
            continue
        if not isinstance(given, list | tuple | np.ndarray) or len(given) != len(entry):
            got = len(given) if isinstance(given, list | tuple | np.ndarray) else type(given)
            raise ShapeError(
                told(
                    "{name} is a list of {count} tensors, not {got}.",
                    name=name,
                    count=len(entry),
                    got=got.__name__ if isinstance(got, type) else got,
                )
            )
        found.extend(zip(entry, given, strict=True))
    return found


def pairs(signature: Signature, inputs: Mapping[str, Any]) -> list[tuple[Tensor, Any]]:
    """Each tensor that an array is given for, with the array."""
    return [(t, value) for t, value in _given(signature, inputs) if not _only_a_shape(value)]


def _only_a_shape(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, tuple) and all(isinstance(part, int | str) for part in value)


def _shape(tensor: Tensor, value: Any) -> tuple[Size, ...]:
    """The sizes of what is given: of an array, or those that a shape says."""
    if not _only_a_shape(value):
        try:
            return np.asarray(value).shape
        except (ValueError, TypeError, RuntimeError) as problem:  # also of frameworks' tensors
            raise DataError(
                told(
                    "{tensor} cannot be read as an array: {problem}",
                    tensor=tensor.name,
                    problem=str(problem),
                )
            ) from None
    said = value.partition(",")[0].split() if isinstance(value, str) else value
    return tuple(int(p) if isinstance(p, str) and p.isdecimal() else p for p in said)


def _bind(tensor: Tensor, shape: tuple[Size, ...], sizes: dict[str, int]) -> None:
    """Notes what a shape says of the symbols of a tensor's annotation."""
    annotated = " ".join(str(size) for size in tensor.shape)
    shown = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    if len(shape) != len(tensor.shape):
        raise ShapeError(
            told(
                '{tensor} has {count} axes {shown}, but its annotation says "{annotated}".',
                tensor=tensor.name,
                count=len(shape),
                shown=shown,
                annotated=annotated,
            )
        )
    if 0 in shape:
        raise DataError(
            told(
                "{tensor} has the shape {shown}: it has no elements, so there is nothing to check.",
                tensor=tensor.name,
                shown=shown,
            )
        )
    for size, length in zip(tensor.shape, shape, strict=True):
        if length == size:
            continue
        if isinstance(size, str) and isinstance(length, int):
            sizes.setdefault(size, length)
        expected = sizes.get(size, size) if isinstance(size, str) else size
        if expected != length:
            name = tensor.name
            if expected == size:
                why = told(
                    '{tensor} has the shape {shown}, but its annotation says "{annotated}".',
                    tensor=name,
                    shown=shown,
                    annotated=annotated,
                )
            else:
                why = told(
                    '{tensor} has the shape {shown}, but its annotation says "{annotated}" and '
                    "{size} is {expected}.",
                    tensor=name,
                    shown=shown,
                    annotated=annotated,
                    size=size,
                    expected=expected,
                )
            raise ShapeError(why)


NOTHING_DRAWN = np.random.default_rng(0)
"""In the place of a generator that nobody asks."""


def draw(
    signature: Signature,
    sizes: Mapping[str, int],
    arrays: Mapping[str, Any],
    dtype: str,
    seed: int,
) -> dict[str, np.ndarray]:
    """An array for every tensor by its own name, given or drawn; floats in the dtype.

    Raises:
        DataError: a given array has NaN, infinity, or no floating-point numbers.
    """
    given = {t.name: a for t, a in pairs(signature, arrays)}
    found: dict[str, np.ndarray] = {}
    order = tensors(signature)
    # What is given is drawn too, so that the others stay the same; but not after the last of them.
    last = max((k for k, t in enumerate(order) if t.name not in given), default=-1)
    # Making a generator takes longer than looking at a small network's arrays.
    random = NOTHING_DRAWN if last < 0 else np.random.default_rng(seed)
    for k, tensor in enumerate(order):
        shape = tuple(size if isinstance(size, int) else sizes[size] for size in tensor.shape)
        named = positions_of(tensor)
        if named is not None:
            most = named if isinstance(named, int) else sizes[named]
            found[tensor.name] = _positions(tensor, shape, most, given.get(tensor.name), random)
            continue
        if k < last or tensor.name not in given:
            found[tensor.name] = in_dtype(_drawn(tensor, shape, random, dtype), dtype)
        if tensor.name in given:
            found[tensor.name] = _checked(tensor, given[tensor.name], dtype)
    return found


def _positions(
    tensor: Tensor,
    shape: tuple[int, ...],
    size: int,
    given: Any,
    random: np.random.Generator,
) -> np.ndarray:
    """Integers that are positions along an axis: given, or drawn so that as many different ones
    stand there as can, and some twice where there are two: each standing once hides that repeated
    ones add up, and one that does not stand there hides its row.

    Raises:
        DataError: they are no integers, or no positions along the axis.
    """
    if given is None:
        drawn = random.integers(0, size, shape)
        flat = drawn.reshape(-1)
        if flat.size > 1:
            _spread(flat, size)
        return drawn
    array = np.asarray(given)
    if array.dtype.kind not in "iu":
        raise DataError(
            told(
                "{tensor} has the dtype {dtype}; it names positions.",
                tensor=tensor.name,
                dtype=array.dtype,
            ),
            advice=told("Convert it: {tensor}.astype(np.int64)", tensor=tensor.name),
        )
    wrong = np.argwhere((array < 0) | (array >= size))
    if len(wrong):
        index = tuple(int(k) for k in wrong[0])
        raise DataError(
            told(
                "{tensor}{index} is {array}, and the axis has the positions 0 to {number}.",
                tensor=tensor.name,
                index=list(index),
                array=array[index],
                number=size - 1,
            )
        )
    return array.astype(np.int64)


def _spread(positions: np.ndarray, size: int) -> None:
    """Writes positions that do not stand there in the place of some that stand there most often, as
    long as one stands twice afterwards; or makes one stand twice. Then 0 is exchanged to the front,
    so that the first element of a gradient that is zero elsewhere is none of the zeros."""
    missing = [k for k in range(size) if k not in set(positions.tolist())]
    for absent in reversed(missing):
        values, counts = np.unique(positions, return_counts=True)
        if len(values) + 2 > positions.size:
            break
        often = values[np.argmax(counts)]
        positions[np.flatnonzero(positions == often)[-1]] = absent
    if len(set(positions.tolist())) == positions.size:
        positions[-1] = positions[0]
    zeros = np.flatnonzero(positions == 0)
    if len(zeros):
        positions[[0, zeros[0]]] = positions[[zeros[0], 0]]


def _drawn(
    tensor: Tensor, shape: tuple[int, ...], random: np.random.Generator, dtype: str
) -> np.ndarray:
    match tensor.law:
        case "positive" | "nonnegative":
            return random.uniform(0.25, 2.0, shape)
        case "probabilities":
            raw = random.uniform(0.1, 1.0, shape)
            # Multiples of 1/1024 add up to exactly one; bfloat16 has those of 1/256.
            grains = 256 if dtype == "bfloat16" else 1024
            parts = np.floor(grains * raw / raw.sum(axis=-1, keepdims=True)) / grains
            parts[..., -1] += 1 - parts.sum(axis=-1)
            return parts
        case "one-hot":
            choice = random.integers(0, shape[-1], shape[:-1])
            if choice.size > 1:
                _spread(choice.reshape(-1), shape[-1])
            return np.eye(shape[-1])[choice]
        case _:
            scale = 1.0
            if len(shape) == 2 and all(isinstance(s, int) for s in tensor.shape):
                scale = min(1.0, 1.5 / np.sqrt(shape[0]))  # a weight: units are not saturated
            drawn = random.standard_normal(shape)
            return drawn if scale == 1.0 else np.multiply(drawn, scale, out=drawn)


def _is_finite(array: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum()):  # of which one infinity, or NaN, would make no finite number
            return True
    return all_of(np.isfinite(array))


def _checked(tensor: Tensor, value: Any, dtype: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "iub" and tensor.role == "data":
        return in_dtype(array, dtype)
    if array.dtype.kind not in "f":
        raise DataError(
            told(
                "{tensor} has the dtype {dtype}; a gradient needs floating-point numbers.",
                tensor=tensor.name,
                dtype=array.dtype,
            ),
            advice=told("Convert it: {tensor}.astype(np.float32)", tensor=tensor.name),
        )
    rounded = in_dtype(array, dtype)
    if _is_finite(rounded):  # and so the others are: this one lies in the processor's cache
        return rounded
    if not _is_finite(array):
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise DataError(
            told(
                "{tensor}{index} is {array}: no gradient can be checked there.",
                tensor=tensor.name,
                index=list(index),
                array=array[index],
            ),
            advice=told(
                "Give finite data; a mask of -inf can be a constant in both functions, as in  "
                "lambda x: f(x, mask)"
            )
            if np.isneginf(array[index])
            else told("Give finite data."),
        )
    raise DataError(
        told("{tensor} has numbers too large for {dtype}.", tensor=tensor.name, dtype=dtype),
        advice=told("Scale it."),
    )


def by_parameter(
    signature: Signature, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """The arrays as the forward function takes them: lists where it takes lists."""
    return {
        name: [arrays[t.name] for t in entry] if isinstance(entry, list) else arrays[entry.name]
        for name, entry in signature.items()
    }


def wider(
    signature: Signature, sizes: Mapping[str, int], generic: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Sizes that hide less: each that is 1 or the size of another axis, changed alone; then all.

    Args:
        signature: the tensors.
        sizes: those that may hide something.
        generic: those that would be chosen.
    """
    numbers = {size for t in tensors(signature) for size in t.shape if isinstance(size, int)}
    for symbol, size in sizes.items():
        taken = numbers | {other for name, other in sizes.items() if name != symbol}
        if size == 1 or size in taken:
            number = generic[symbol]
            while number in taken:
                number += 1
            yield {**sizes, symbol: number}
    if dict(generic) != dict(sizes):
        yield dict(generic)
