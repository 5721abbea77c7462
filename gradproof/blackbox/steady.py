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
from gradproof.judge.reference import Data

MOVED = 2.0**-18
"""By how much of itself each input moves at most: 64 units in the last place of float32."""

STEADY = 2.0**-4
"""The share of an error that may be another one then. Of rounding errors it is about √2."""


def is_steady(name: str, case: Case, heard: Heard, enclosure: Value) -> bool:
    """Whether the error of an answer to float64 inputs comes back at inputs nearby.

    Args:
        name: the tensor.
        case: what is checked.
        heard: the answer in float64.
        enclosure: of the exact tensor at its data.
    """
    random = np.random.default_rng(0)
    inputs = {
        n: a * (1 + MOVED * random.uniform(-1.0, 1.0, a.shape)) if a.dtype.kind == "f" else a
        for n, a in heard.data.inputs.items()
    }
    data = Data(inputs, heard.data.upstream)
    try:
        answer = case.ask(data, dtype=EXACTLY)
    except BoxFailed:
        return False
    there = case.reference.enclosure(data, case.contract).get(name)
    if there is None:
        return False
    before = _error(name, case, heard, enclosure)
    after = _error(name, case, replace(heard, data=data, answer=answer), there)
    if before is None or after is None:
        return False
    return bool(np.linalg.norm(after - before) <= STEADY * np.linalg.norm(before))


def _error(name: str, case: Case, heard: Heard, enclosure: Value) -> np.ndarray | None:
    """How far an answer is from the exact tensor, element by element, if that is known well."""
    array = returned(case, heard.answer)[name].array
    m, r = (np.asarray(part, dtype=np.float64) for part in enclosure[:2])
    if array is None or array.shape != m.shape or not np.all(np.isfinite(array)):
        return None
    error = np.asarray(array.astype(np.float64) - m).ravel()
    known = np.linalg.norm(np.broadcast_to(r, m.shape)) <= STEADY**2 * np.linalg.norm(error)
    return error if known and np.any(error) else None
