"""A case to its report: the draws are judged first, then the same function in other conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from gradproof.blackbox.battery import Resized, Smaller
from gradproof.blackbox.case import Case
from gradproof.blackbox.conditions import conditions
from gradproof.blackbox.exactly import Exactly, with_exact
from gradproof.blackbox.heard import (
    EXACTLY,
    Heard,
    hear,
    returned,
    symbol,
)
from gradproof.blackbox.jacobian import check_size, jacobian
from gradproof.blackbox.likeness import draws_of, with_likeness
from gradproof.blackbox.manners import manners, overwritten
from gradproof.blackbox.mistaken import Seen, name_mistakes, seen
from gradproof.blackbox.nodes import Inside, first_wrong, nodes, right_inside
from gradproof.blackbox.rows import PILED, piled_up, rows_of
from gradproof.blackbox.unstated import unstated
from gradproof.core.told import told, told_sentence
from gradproof.engines.black_box import Answer, BoxFailed, Returned
from gradproof.engines.contract import contract as contract_of
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.reference import Data, PaperReference, Unbounded
from gradproof.report.checked import CheckReport, CheckRow, Observation
from gradproof.report.nodes import lost, where
from gradproof.workbench import contract_words

UNREAD = told(
    "docs/references.md lists what can be read of a program. Write it with that, or give a paper "
    "as the reference: NumPy, with shapes as annotations (x: 'n 3')."
)


def examine(
    case: Case,
    *,
    draws: int,
    seed: int,
    allow_ulps: float,
    may_overwrite: tuple[str, ...],
    battery: bool,
    diagnose: bool,
    full: bool,
    inside: bool,
    again: tuple[str, ...],
    resized: Resized | None = None,
    smaller: Smaller | None = None,
    own: bool = False,
) -> CheckReport:
    """The report on a case.

    Args:
        case: what is checked.
        draws: how many data are drawn.
        seed: as the report says it.
        allow_ulps: units in the last place that are permitted in any case.
        may_overwrite: inputs that the function may overwrite.
        battery: whether it is tried in other conditions, too.
        diagnose: whether known mistakes are looked for.
        full: whether the Jacobian is looked at column by column.
        inside: whether all that the function names inside is told, and not only where it is wrong.
        again: the lines that repeat the check.
        resized: the case at other sizes, for the battery.
        smaller: makes a large case small, for the battery; `None` where it is not large.
        own: whether the reference is the function's own forward pass, read at the first data.
    """
    if full:
        check_size(case)
    noticed: dict[Observation, None] = {}
    answered: list[tuple[Data, Answer]] = []
    broken: list[tuple[Data, Answer]] = []  # of these only the values came back
    for k in range(draws):
        data = case.data(k)
        try:
            answer = case.ask(data)
        except BoxFailed as problem:
            noticed[Observation("fault", told_sentence(problem.args[0]))] = None
            if problem.values:
                broken.append((data, Answer(problem.values, (), (), (), tuple)))
            if case.caller.stuck:
                break
            continue
        answered.append((data, answer))
        noticed.update((one, None) for one in manners(case, data, answer, may_overwrite))
    answers = hear(case, answered)
    rows = rows_of(case, answers or hear(case, broken), allow_ulps)
    piled = piled_up(case, answers, {row.name for row in rows if row.kind == "refuted"})
    if answers:
        exactly = Exactly(case, answers)
        rows = tuple(
            replace(row, why=(PILED,)) if row.name in piled else with_exact(row, case, exactly)
            for row in rows
        )
        if diagnose and any(row.kind == "refuted" for row in rows):
            rows = _diagnosed(rows, case, answers, exactly)
    looked = Inside((), ())
    wrong = any(row.kind == "refuted" and row.why != (PILED,) for row in rows)
    paper = case.reference
    if answers and isinstance(paper, PaperReference) and not case.first and (inside or wrong):
        looked = nodes(case, paper)
        kinds = {row.name: row.kind for row in rows}
        noticed.update((where(*one), None) for one in first_wrong(looked, kinds, paper))
        noticed.update((lost(one), None) for one in right_inside(looked, kinds, paper))
    if case.first and case.machine.name == "torch":
        noticed.update((one, None) for one in _saved_in_forward(rows, case))
    tried: list[str] = []
    if battery and answers and not case.caller.stuck:
        kinds = {row.name: row.kind for row in rows}
        others = conditions(case, answers[0], kinds, allow_ulps, resized, smaller)
        if resized is None and smaller is None:
            others = chain(others, unstated(case, answers[0], kinds, allow_ulps, own=own))
        for words, found in others:
            tried.append(words)
            noticed.update((one, None) for one in found)
    if full and answers and not case.caller.stuck:
        noticed.update((one, None) for one in jacobian(case, answers[0].data, allow_ulps))
    noticed.update((one, None) for one in overwritten(case, answers))
    if isinstance(case.reference, Unbounded) and any(row.kind == "undecided" for row in rows):
        noticed[Observation("note", UNREAD)] = None
    words = contract_words(case.contract)
    if not isinstance(case.reference, Unbounded):
        words = told(
            "{contract}; from the inputs on, times {times} for another algorithm",
            contract=words,
            times=OTHER_ALGORITHM,
        )
    return CheckReport(
        again[1].partition("check(")[2].partition(",")[0],
        case.reference.words,
        case.machine.title,
        case.machine.version(),
        case.dtype,
        seed,
        draws,
        words,
        allow_ulps,
        rows,
        tuple(noticed),
        tuple(tried),
        again,
        nodes=(*looked.values, *looked.gradients) if inside else (),
    )


def _diagnosed(
    rows: tuple[CheckRow, ...], case: Case, answers: Sequence[Heard], exactly: Exactly
) -> tuple[CheckRow, ...]:
    """The rows with what made a gradient wrong: a known mistake in the paper's formulas, or else
    what it is of right tensors."""
    named = rows
    if isinstance(case.reference, PaperReference):
        finest = _finest(case, case.reference, exactly)
        # A program of the second order is long: making each mistake in it takes a minute.
        found = name_mistakes(rows, case.reference, finest, further=not case.first)
        named = tuple(
            row if row.why == (PILED,) or _is_no_second(row, case, answers) else other
            for row, other in zip(rows, found, strict=True)
        )
    return with_likeness(named, rows, partial(draws_of, case, exactly), partial(symbol, case))


def _is_no_second(row: CheckRow, case: Case, answers: Sequence[Heard]) -> bool:
    """Whether nothing comes back for a second gradient: terms that cancel explain nothing then."""
    found = [returned(case, one.answer)[row.name].array for one in answers]
    return bool(case.first) and not any(a is not None and np.any(a) for a in found)


def _saved_in_forward(rows: Sequence[CheckRow], case: Case) -> Iterator[Observation]:
    """What is nearly always the reason where only the second gradients of inputs are wrong."""
    wrong = {row.name for row in rows if row.kind == "refuted"}
    if wrong and wrong <= set(case.first):
        yield Observation(
            "note",
            told(
                "PyTorch differentiates a backward pass as a function of the upstream gradient and "
                "of the inputs and outputs that forward saved. Whatever else forward saved is a "
                "constant there: compute it again in backward, or return it from forward too."
            ),
        )


def _finest(case: Case, reference: PaperReference, exactly: Exactly) -> list[Seen]:
    """The draws in float64 where the function computes in it, else in the dtype. Those in float64
    are compared with float32's room for rounding: float64's is no wider than its enclosures."""
    fine = exactly.heard if case.dtype == EXACTLY else exactly.fine()
    contract = contract_of(case.machine.name, "float32") if fine else case.contract
    return [
        seen(reference, one.data, _gradients(case, one.answer), contract)
        for one in fine or exactly.heard
    ]


def _gradients(case: Case, answer: Answer) -> dict[str, Returned]:
    return dict(zip(case.gradients(), answer.gradients, strict=True))
