"""A black box to its whole Jacobian: each element of an output alone as upstream gradient.

A random upstream gradient sees what the columns see, unless errors cancel by chance. Column by
column says where: which outputs have a wrong gradient, and with respect to what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.engines.black_box import BoxFailed
from gradproof.judge.box import Finding, judge_returned
from gradproof.judge.reference import Data, Unbounded
from gradproof.report.checked import Observation

MOST_COLUMNS = 4096
"""Calls that end within minutes; a random upstream gradient costs one."""

SHOWN = 6


@dataclass
class Found:
    """What was seen of ∂output/∂input: the columns by their verdicts."""

    agreeing: int = 0
    silent: int = 0
    undecided: list[str] = field(default_factory=list)
    refuted: list[tuple[str, Finding]] = field(default_factory=list)


def check_size(case: Case) -> None:
    """That the Jacobian has not too many columns.

    Raises:
        DataError: it has.
    """
    columns = sum(int(np.prod(shape, dtype=np.int64)) for shape in case.reference.outputs())
    if columns > MOST_COLUMNS:
        raise DataError(
            told(
                "The Jacobian has {columns:,} columns, one call each; full=True goes up to "
                "{most:,}.",
                columns=columns,
                most=MOST_COLUMNS,
            ),
            advice=told(
                "Give smaller inputs, or leave full out: random upstream gradients see it too."
            ),
        )


def jacobian(case: Case, data: Data, allow_ulps: float) -> Iterator[Observation]:
    """What is wrong in a Jacobian, column by column, or that all of it agrees.

    Args:
        case: what is checked.
        data: the inputs; the upstream gradients are not used.
        allow_ulps: units in the last place that are permitted in any case.
    """
    if isinstance(case.reference, Unbounded):
        yield Observation("undecided", "The whole Jacobian: no bound is known, as above.")
        return
    found: dict[tuple[int, str], Found] = {}
    for k, place, alone in _columns(data):
        at = f"[{', '.join(map(str, place))}]" if place else ""
        column = f"{_value(case, k)}{at}"
        one = Data(data.inputs, alone)
        try:
            answer = case.ask(one)
        except BoxFailed as problem:
            yield Observation("fault", f"The whole Jacobian, at {column}: {problem}.")
            return
        enclosure, truth = case.reference.enclosure(one, case.contract), case.reference.truth(one)
        for name, returned in zip(case.gradients(), answer.gradients, strict=True):
            if name not in enclosure:
                continue
            here = found.setdefault((k, name), Found())
            finding = judge_returned(
                returned, enclosure[name], truth.get(name), case.contract, allow_ulps
            )
            if finding.kind == "refuted":
                here.refuted.append((column, finding))
            elif finding.kind == "agrees":
                here.agreeing += 1
            elif finding.because.startswith("no signal"):
                here.silent += 1  # a column of zeros, or nearly
            else:
                here.undecided.append(column)
    yield from _said(case, found)


def _columns(data: Data) -> Iterator[tuple[int, tuple[int, ...], tuple[np.ndarray, ...]]]:
    """Each element of each output, and the upstream gradients that are 1 there and else 0."""
    for k, g in enumerate(data.upstream):
        for place in np.ndindex(*g.shape):
            alone = [np.zeros_like(one) for one in data.upstream]
            alone[k][place] = 1
            yield k, tuple(map(int, place)), tuple(alone)


def _value(case: Case, k: int) -> str:
    return "value" if len(case.reference.outputs()) == 1 else f"value {k + 1}"


def _said(case: Case, found: dict[tuple[int, str], Found]) -> Iterator[Observation]:
    right = []
    for (k, name), one in found.items():
        symbol = f"∂{_value(case, k)}/∂{name}"
        total = one.agreeing + one.silent + len(one.undecided) + len(one.refuted)
        if one.refuted:
            places = ", ".join(column for column, _ in one.refuted[:SHOWN])
            places += ", …" if len(one.refuted) > SHOWN else ""
            column, f = one.refuted[0]
            text = (
                f"The whole Jacobian: {symbol} is refuted in {len(one.refuted)} of {total} "
                f"columns: {places}. The first: {f.because}"
            )
            if np.isfinite(f.true):
                at = f"[{', '.join(map(str, f.worst))}]" if f.worst else ""
                text += f"; ∂{column}/∂{name}{at} = {f.value:.6g}, true {f.true:.6g}"
            yield Observation("fault", f"{text}.")
        elif one.undecided:
            places = ", ".join(one.undecided[:SHOWN])
            text = (
                f"The whole Jacobian: {symbol} is undecided in {len(one.undecided)} of {total} "
                f"columns: {places}."
            )
            yield Observation("undecided", text)
        else:
            right.append(f"{symbol} ({total} columns)")
    if right:
        yield Observation("note", f"The whole Jacobian agrees: {', '.join(right)}.")
