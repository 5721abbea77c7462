"""Answers to the rows of a report, and gradients that are the sum of all calls so far."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import EXACTLY, Heard, finding, returned, symbol
from gradproof.core.told import told
from gradproof.engines.black_box import Returned
from gradproof.judge.box import Finding, judge_returned, merged, units
from gradproof.judge.reference import output
from gradproof.report.checked import CheckRow

NOTHING = told("nothing came back")


def rows_of(case: Case, heard: Sequence[Heard], allow_ulps: float) -> tuple[CheckRow, ...]:
    """The verdict on each tensor, of all answers together."""
    shapes = {output(k): shape for k, shape in enumerate(case.reference.outputs())}
    inputs = (heard[0].data if heard else case.data(0)).inputs
    shapes |= {name: inputs[name].shape for name in case.gradients()}
    rows = []
    for name, shape in shapes.items():
        sharp = case.dtype == EXACTLY
        findings = [finding(name, case, one, allow_ulps, sharp=sharp) for one in heard]
        known = [f for f in findings if f is not None]
        if known:
            found = merged(known)
        elif name not in case.wanted and not all(one.has(name) for one in heard):
            continue  # a value that the reference hides
        else:
            found = Finding("undecided", float("nan"), because=NOTHING)
        shown = "×".join(map(str, shape)) if shape else told("scalar")
        rows.append(CheckRow(name, symbol(case, name), shown, found))
    return tuple(rows)


PILED = told(
    "Each call returns the sum of all calls so far: gradients are added up and never reset."
)


def piled_up(case: Case, heard: Sequence[Heard], refuted: set[str]) -> set[str]:
    """Those of the refuted inputs whose second gradient is right once the first is subtracted."""
    found: set[str] = set()
    for before, after in pairwise(heard):
        for name in refuted.intersection(case.gradients()):
            a, b = (returned(case, one.answer)[name] for one in (before, after))
            if a.array is None or b.array is None or name not in after.enclosure:
                continue
            m, r, e = after.enclosure[name]
            if not a.array.shape == b.array.shape == m.shape or not np.any(a.array):
                continue
            with np.errstate(all="ignore"):
                own = Returned(b.array.astype(np.float64) - a.array, b.dtype)
                # Subtracting leaves the roundings of what was added up before.
                wide = (m, r, e + 4 * units(np.abs(a.array) + np.abs(b.array), case.contract))
            if judge_returned(own, wide, after.truth().get(name), case.contract).kind == "agrees":
                found.add(name)
    return found
