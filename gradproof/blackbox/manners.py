"""How a black box behaves beside its numbers: dtypes, and what it overwrites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import Heard, symbol
from gradproof.core.told import told, told_sentence
from gradproof.engines.black_box import Answer, Returned
from gradproof.judge.reference import Data, output
from gradproof.report.checked import Observation


def manners(
    case: Case, data: Data, answer: Answer, may_overwrite: tuple[str, ...]
) -> list[Observation]:
    """Wrong dtypes, and what was overwritten."""
    noticed = []
    for name, one in zip(case.gradients(), answer.gradients, strict=True):
        if one.array is not None and one.dtype != case.dtype:
            text = told(
                "{symbol} comes back in {dtype}; {name} is {dtype2}.",
                symbol=symbol(case, name),
                dtype=one.dtype,
                name=name,
                dtype2=case.dtype,
            )
            noticed.append(Observation("fault", text))
    for k, y in enumerate(answer.values):
        if y.dtype != case.dtype:
            text = told(
                "{value} is {dtype}; the inputs are {inputs}",
                value=symbol(case, output(k)),
                dtype=y.dtype,
                inputs=case.dtype,
            )
            noticed.append(Observation("note", told_sentence(text)))
    for k in answer.changed:
        name = case.inputs[k].name
        if name not in may_overwrite:
            text = told(
                "It overwrites its input {name}.  If that is meant, say may_overwrite=('{name}',).",
                name=name,
            )
            noticed.append(Observation("fault", text))
    if answer.changed_upstream:
        noticed.append(
            Observation(
                "fault", told("The backward pass overwrites the upstream gradient it is given.")
            )
        )
    return noticed


def overwritten(case: Case, heard: Sequence[Heard]) -> list[Observation]:
    """Gradients that changed after they were returned."""
    noticed = {}
    for one in heard:
        kept = zip(case.gradients(), one.answer.gradients, one.answer.reread(), strict=True)
        for name, then, later in kept:
            if then.array is None or later.array is None:
                continue
            if is_same(then, later):
                continue
            if not np.array_equal(then.array, later.array, equal_nan=True):
                text = told(
                    "The next call overwrites the {symbol} that was returned before.",
                    symbol=symbol(case, name),
                )
                noticed[Observation("fault", text)] = None
    return list(noticed)


def is_same(one: Returned, other: Returned) -> bool:
    """Whether two tensors are the same numbers of the same dtype."""
    a, b = one.array, other.array
    if a is None or b is None or one.dtype != other.dtype or a.shape != b.shape:
        return False
    return bool((a == b).all())
