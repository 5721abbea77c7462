"""A black box to its whole Jacobian: each element of an output alone as upstream gradient.

A random upstream gradient sees what the columns see, unless errors cancel by chance. Column by
column says where: which outputs have a wrong gradient, and with respect to what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import symbol
from gradproof.core.errors import DataError
from gradproof.core.told import told, told_row
from gradproof.engines.black_box import BoxFailed
from gradproof.judge.box import Finding, judge_returned
from gradproof.judge.reference import Data, Unbounded, output
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
        said = told("The whole Jacobian: no bound is known, as above.")
        yield Observation("undecided", said)
        return
    found: dict[tuple[int, str], Found] = {}
    for k, place, alone in _columns(data):
        at = f"[{', '.join(map(str, place))}]" if place else ""
        column = told("{value}{at}", value=symbol(case, output(k)), at=at)
        one = Data(data.inputs, alone)
        try:
            answer = case.ask(one)
        except BoxFailed as problem:
            said = told(
                "The whole Jacobian, at {column}: {problem}.",
                column=column,
                problem=problem.args[0],
            )
            yield Observation("fault", said)
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


def _said(case: Case, found: dict[tuple[int, str], Found]) -> Iterator[Observation]:
    right = []
    for (k, name), one in found.items():
        part = told("∂{value}/∂{name}", value=symbol(case, output(k)), name=name)
        total = one.agreeing + one.silent + len(one.undecided) + len(one.refuted)
        if one.refuted:
            more = ["…"] if len(one.refuted) > SHOWN else []
            places = told_row([*(column for column, _ in one.refuted[:SHOWN]), *more])
            column, f = one.refuted[0]
            first = f.because
            if np.isfinite(f.true):
                first = told(
                    "{because}; ∂{column}/∂{name}{at} = {value:.6g}, true {true:.6g}",
                    because=f.because,
                    column=column,
                    name=name,
                    at=f"[{', '.join(map(str, f.worst))}]" if f.worst else "",
                    value=f.value,
                    true=f.true,
                )
            said = told(
                "The whole Jacobian: {symbol} is refuted in {count} of {total} columns: {places}. "
                "The first: {first}.",
                symbol=part,
                count=len(one.refuted),
                total=total,
                places=places,
                first=first,
            )
            yield Observation("fault", said)
        elif one.undecided:
            said = told(
                "The whole Jacobian: {symbol} is undecided in {count} of {total} columns: "
                "{places}.",
                symbol=part,
                count=len(one.undecided),
                total=total,
                places=told_row(one.undecided[:SHOWN]),
            )
            yield Observation("undecided", said)
        else:
            right.append(told("{symbol} ({total} columns)", symbol=part, total=total))
    if right:
        yield Observation(
            "note", told("The whole Jacobian agrees: {right}.", right=told_row(right))
        )
