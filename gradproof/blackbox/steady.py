"""An error of a function to whether rounding can be its reason: rounding's does not come back.

A bound of rounding errors may be wider than a gradient, and then a wrong formula stays inside. But
roundings are other ones when every input moves by some units in the last place of float32, and so
is the error that they make, while that of a formula moves as little as the inputs do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import EXACTLY, Heard, returned
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import BoxFailed
from gradproof.engines.dtype import in_dtype
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.reference import Data

MOVED = 2.0**-18
"""By how much of itself each input moves at most: 64 units in the last place of float32."""

STEADY = 2.0**-4
"""The share of an error that may be another one then. Of rounding errors it is about √2."""

OTHER, MORE = 2.0**-1, 8.0
"""The share of an error from which on it is another one, and how much more it must be where the
true values are others too, as a share of them: an error of a formula moves as these do."""

MOVES = (MOVED, MOVED, 2.0**-14, 2.0**-10, 2.0**-9, 2.0**-8)
"""Moves of the inputs, of which one at least must show that an error is another one. Of ``1 − s``
beside 1 only a larger one changes the rounding."""

LOST = {"float32": 2.0**-16, "float64": 2.0**-41}
"""How far rounding may be off, as a share of a tensor's largest element. What computes in a coarser
dtype inside is farther off."""


def is_steady(name: str, case: Case, heard: Heard, enclosure: Value) -> bool:
    """Whether the error of an answer to float64 inputs comes back at inputs nearby.

    Args:
        name: the tensor.
        case: what is checked.
        heard: the answer in float64.
        enclosure: of the exact tensor at its data.
    """
    before = _error(name, case, heard, enclosure)
    there = _nearby(case, heard, 0, MOVED, EXACTLY)
    if before is None or there is None or name not in there.enclosure:
        return False
    after = _error(name, case, there, there.enclosure[name])
    if after is None:
        return False
    return bool(np.linalg.norm(after - before) <= STEADY * np.linalg.norm(before))


def is_rounding(name: str, case: Case, heard: Heard) -> bool:
    """Whether what is outside of its bound is so by rounding: it is off by little, and at inputs
    nearby by other amounts. An algorithm may lose digits that the reference's equations keep, as
    ``s(1 − s)`` does where a sigmoid saturates.

    Args:
        name: the tensor, of float32 or float64.
        case: what is checked.
        heard: the answer.
    """
    if name not in heard.enclosure or case.dtype not in LOST:
        return False
    m, r, e = (np.asarray(part, dtype=np.float64) for part in heard.enclosure[name])
    error = _difference(name, case, heard, m)
    if error is None:
        return False
    outside = np.abs(error) > r + OTHER_ALGORITHM * e
    if not np.any(outside) or not np.abs(error).max() <= LOST[case.dtype] * np.abs(m).max():
        return False
    before = error[outside]
    for number, move in enumerate(MOVES):
        there = _nearby(case, heard, number, move, case.dtype)
        if there is None or name not in there.enclosure:
            return False
        m2, r2 = (np.asarray(part, dtype=np.float64) for part in there.enclosure[name][:2])
        after = _difference(name, case, there, m2)
        if after is None:
            return False
        blurred = np.linalg.norm(r[outside]) + np.linalg.norm(np.broadcast_to(r2, m.shape)[outside])
        changed = np.linalg.norm(after[outside] - before) - blurred
        moved = np.linalg.norm((m2 - m)[outside]) / (np.linalg.norm(m[outside]) or 1.0)
        if changed >= (OTHER + MORE * moved) * np.linalg.norm(before):
            return True
    return False


def _nearby(case: Case, heard: Heard, seed: int, most: float, dtype: str) -> Heard | None:
    """The answer to the same inputs in a dtype, each moved by a share of itself."""
    random = np.random.default_rng(seed)
    inputs = {
        n: in_dtype(a * (1 + most * random.uniform(-1.0, 1.0, a.shape)), dtype)
        if a.dtype.kind == "f"
        else a
        for n, a in heard.data.inputs.items()
    }
    data = Data(inputs, heard.data.upstream)
    try:
        answer = case.ask(data, dtype=dtype)
    except BoxFailed:
        return None
    enclosure = case.reference.enclosure(data, case.contract)
    return replace(heard, data=data, answer=answer, enclosure=enclosure, least={})


def _error(name: str, case: Case, heard: Heard, enclosure: Value) -> np.ndarray | None:
    """How far an answer is from the exact tensor, element by element, if that is known well."""
    m, r = (np.asarray(part, dtype=np.float64) for part in enclosure[:2])
    error = _difference(name, case, heard, m)
    if error is None:
        return None
    known = np.linalg.norm(np.broadcast_to(r, m.shape)) <= STEADY**2 * np.linalg.norm(error)
    return error.ravel() if known and np.any(error) else None


def _difference(name: str, case: Case, heard: Heard, middle: np.ndarray) -> np.ndarray | None:
    """An answer less the midpoints of an enclosure, where it has numbers for all of them."""
    array = returned(case, heard.answer)[name].array
    if array is None or array.shape != middle.shape or not np.all(np.isfinite(array)):
        return None
    return np.asarray(array.astype(np.float64) - middle)
