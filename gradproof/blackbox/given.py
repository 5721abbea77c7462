"""Given arrays to others that a right function takes too: trials beside a callable.

A paper says what its inputs may be, and a callable does not. So a given array is changed only in
ways that keep what its numbers have in common: positive ones stay positive; probabilities, unit
vectors, symmetric matrices, masks, sorted numbers and permutations stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from gradproof.blackbox.battery import (
    ABOVE,
    LADDER,
    LARGE,
    LONG,
    Trial,
    edited,
    equal_in,
    larger,
    repeated,
    same_in,
    with_ties,
    with_zeros,
    zero_in,
)
from gradproof.blackbox.case import Case
from gradproof.blackbox.free import (
    has_both_signs,
    is_bound_along,
    is_free,
    is_ordered,
)
from gradproof.core.told import told
from gradproof.engines.dtype import FINE
from gradproof.judge.reference import Data

COMPILED = ("jax",)
"""The engines that compile for a second what is called with other sizes: there one row is all."""

MOST = 2**18
"""Numbers in all inputs together up to which rows are repeated."""


def trials_given(case: Case, data: Data) -> Iterator[Trial]:
    """The first call's arrays with other numbers, and with other numbers of rows.

    Args:
        case: what is checked, beside a callable.
        data: those of the first call.
    """
    data = Data(data.inputs, tuple(map(_loud, data.upstream)))
    for trial in _numbers(case, data):
        if any(
            not np.array_equal(array, data.inputs[name])
            for name, array in trial.data.inputs.items()
        ):
            yield trial
    if case.machine.name != "numpy":  # whose references are read for one size
        yield from _rows(case, data)


def _loud(g: np.ndarray) -> np.ndarray:
    """An upstream gradient of which no element is too small to be noticed beside the others."""
    return np.copysign(np.clip(np.abs(g), g.dtype.type(0.5), g.dtype.type(1)), g)


# --- other numbers --------------------------------------------------------------------------------


def _numbers(case: Case, data: Data) -> Iterator[Trial]:
    coarse = case.dtype not in FINE
    free = [
        t
        for t in case.inputs
        if t.name in case.wanted and is_free(data.inputs[t.name], coarse=coarse)
    ]
    signed = [t for t in free if has_both_signs(data.inputs[t.name])]
    integers = [t for t in case.inputs if _is_repeatable(data.inputs[t.name], data)]
    yield from edited(zero_in, data, signed, with_zeros, gross=True)
    if len(signed) > 1 and case.machine.name not in COMPILED:
        for one in signed:  # a product of two zeros hides what either does
            yield from edited(zero_in, data, [one], with_zeros, gross=True)
    yield from edited(equal_in, data, free, _with_extremes_tied, gross=True)
    kept = {t.name: _different_along(data.inputs[t.name]) for t in integers}
    alike = [t for t in integers if not kept[t.name]]
    for trial in edited(same_in, data, alike, _one_throughout, gross=True):
        yield _of_integers(trial)
    for one in integers:  # as the ends of an edge, and the places of the largest in a row
        for axis in kept[one.name]:
            words = partial(_same_along, axis=axis)
            edit = partial(_one_line, axis=axis)
            for trial in edited(words, data, [one], edit, gross=True):
                yield _of_integers(trial)
    if case.dtype != "float16":  # which overflows where others do not
        yield from edited(larger, data, signed, lambda a: a * a.dtype.type(LARGE), gross=True)


def _with_extremes_tied(a: np.ndarray) -> np.ndarray:
    """Ties in the first row, and the rows with the largest and the least number twice."""
    new = with_ties(a)
    rows = new.reshape(len(new), -1)
    extremes = int(rows.max(1).argmax()), int(rows.min(1).argmin())
    others = (k for k in range(1, len(new)) if k not in extremes)
    for row, other in zip(extremes, others, strict=False):
        new[other] = new[row]
    return new


def _of_integers(trial: Trial) -> Trial:
    """The trial, and its smaller ones, as those of other integers."""
    smaller = trial.smaller
    return replace(trial, changes_integers=True, smaller=lambda: map(_of_integers, smaller()))


def _is_repeatable(a: np.ndarray, data: Data) -> bool:
    """Whether an input has integers of which each may be another one."""
    return a.dtype.kind in "iu" and a.ndim > 0 and a.size > 1 and not is_ordered(a, data)


def _different_along(a: np.ndarray) -> tuple[int, ...]:
    """The axes along which no line has an integer twice, of an array of several lines: what lies
    along them may have to be different."""
    if a.ndim < 2:
        return ()
    steps = {axis: np.diff(np.sort(a, axis), axis=axis) for axis in range(a.ndim)}
    return tuple(axis for axis, step in steps.items() if step.size and np.all(step > 0))


def _same_along(names: str, axis: int) -> str:
    return told(
        "with the same integers along each line of axis {axis} in {names}", axis=axis, names=names
    )


def _one_line(a: np.ndarray, axis: int) -> np.ndarray:
    """The first line along an axis in the place of all; negative integers stay."""
    first = np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1)[:, 0]
    shape = [1] * a.ndim
    shape[axis] = -1
    return np.where(a < 0, a, first.reshape(shape)).astype(a.dtype)


def _one_throughout(a: np.ndarray) -> np.ndarray:
    """One integer that may stand everywhere, because every line has one that is no less; negative
    ones, which mean that nothing is there, stay."""
    most = min(int(a.max(axis).min()) for axis in range(a.ndim))
    return np.where(a < 0, a, repeated(np.full_like(a, max(most, 0))))


# --- other numbers of rows ------------------------------------------------------------------------


def _rows(case: Case, data: Data) -> Iterator[Trial]:
    """One row, and more of them, the given ones again and again."""
    count = _count_of_rows(data)
    if count is None:
        return
    whole = sum(array.size for array in data.inputs.values())
    more = (ABOVE[0], LONG) if case.machine.name not in COMPILED else ()
    sizes = [1, *(n for n in more if n > count and whole * (n / count) <= MOST)]
    for size in sizes:
        fewer = [n for n in LADDER if count < n < size]
        yield replace(
            _of_rows(case, data, count, size),
            smaller=lambda fewer=fewer: (_of_rows(case, data, count, n) for n in fewer),
        )


def _of_rows(case: Case, data: Data, count: int, size: int) -> Trial:
    said = told("with {count} rows", count=size) if size > 1 else told("with one row")
    whole = _with_rows(data, count, size)
    there = replace(case, data=lambda k: whole)
    return Trial(said, whole, case=there, gross=True, may_refuse=True)


def _with_rows(data: Data, count: int, size: int) -> Data:
    places = np.arange(size) % count

    def rows(a: np.ndarray) -> np.ndarray:
        return a[places] if a.ndim and len(a) == count else a

    return Data({n: rows(a) for n, a in data.inputs.items()}, tuple(map(rows, data.upstream)))


def _count_of_rows(data: Data) -> int | None:
    """The length of the first axis that the outputs share with inputs; `None` where another axis
    has this length too, or where rows have something in common."""
    outputs = [g.shape for g in data.upstream if g.ndim]
    firsts = [a.shape[0] for a in data.inputs.values() if a.ndim]
    if outputs:
        counts = {shape[0] for shape in outputs}
    else:  # a loss: what several inputs begin with
        counts = {n for n in firsts if firsts.count(n) > 1}
    if len(counts) != 1:
        return None
    count = counts.pop()
    inner = [n for shape in outputs for n in shape[1:]]
    inner += [n for a in data.inputs.values() for n in a.shape[1:]]
    batched = [a for a in data.inputs.values() if a.ndim and a.shape[0] == count]
    if count < 2 or count in inner or not batched:
        return None
    bound = any(
        is_bound_along(a, 0) if a.dtype.kind == "f" else is_ordered(a, data) for a in batched
    )
    return None if bound else count
