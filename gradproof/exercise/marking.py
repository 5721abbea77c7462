"""An answer to marks: each gradient right, wrong, right given an earlier mistake, or blank."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from gradproof.core.errors import ClaimShape, DataError
from gradproof.core.program import Paper
from gradproof.core.term import reads
from gradproof.core.told import told, told_all, told_sentence
from gradproof.exercise.writing import ASKED, asked_of
from gradproof.report.report import GradientRow
from gradproof.trace.source import Source
from gradproof.words import sentence
from gradproof.workbench import read, verify_source

Kind = Literal["right", "carried", "wrong", "undecided", "blank"]

WORDS: dict[Kind, str] = {
    "right": sentence("right"),
    "carried": sentence("right, given an earlier mistake"),
    "wrong": sentence("wrong here"),
    "undecided": sentence("not decided"),
    "blank": sentence("blank"),
}

WORST: tuple[Kind, ...] = ("wrong", "carried", "undecided", "blank", "right")
"""Of several marks for one gradient, such as those of a loop's turns, the first of these counts."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of one gradient.

    ``carried`` is said of a formula that is right but for an earlier mistake that it builds on.
    ``answer`` is the formula as it was read, ``line`` where it stands, ``hints`` what was done
    wrong, in words, and ``solution`` the right formula, where it is to be shown.
    """

    of: str
    symbol: str
    shape: str
    kind: Kind
    answer: str = ""
    line: str = ""
    hints: tuple[str, ...] = ()
    solution: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """The marks of one file, or the `problem` for which it could not be marked at all."""

    name: str
    marks: tuple[Mark, ...] = ()
    problem: str = ""

    @property
    def exit_code(self) -> int:
        """0 all right, 1 something wrong, 2 it could not be marked, 3 something open."""
        if self.problem:
            return 2
        kinds = {mark.kind for mark in self.marks}
        if kinds & {"wrong", "carried"}:
            return 1
        return 3 if kinds & {"undecided", "blank"} else 0

    def points(self, carried: Fraction) -> Fraction:
        """One for each right formula, and `carried` for each that builds on a mistake."""
        worth = {"right": Fraction(1), "carried": carried}
        return sum((worth.get(mark.kind, Fraction(0)) for mark in self.marks), Fraction(0))

    def to_json(self) -> str:
        """The marks as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


def mark(
    source: Source,
    inputs: Mapping[str, Any] | None = None,
    *,
    asked: Sequence[str] | None = None,
    engine: str = "numpy",
    seed: int | None = None,
    sizes: Mapping[str, int] | None = None,
    solution: bool = False,
) -> Marked:
    """The marks of an answer.

    Args:
        source: the file that was handed in.
        inputs: arrays by parameter; what is missing is drawn.
        asked: the tensors whose gradients are marked; those that the file itself lists under
            ``ASKED`` if not given, or all that it has a formula or a blank for.
        engine: only its numbers depend on it.
        seed: of the data that is drawn.
        sizes: numbers for size symbols.
        solution: whether right formulas are shown where the answer is not right.

    Raises:
        GradproofError: the file is no network, or does not run.
    """
    loose, misshapen = source, dict[str, ClaimShape]()
    while True:
        try:
            report = verify_source(loose, inputs or {}, engine, "float32", seed, sizes or {})
            break
        except ClaimShape as problem:
            family = problem.claim.partition("[")[0]
            if not family or family in misshapen:
                raise
            misshapen[family] = problem
            loose = replace(source, backward=_without(source, misshapen))
    traced, _ = read(loose, inputs or {}, sizes or {})
    after = _built_on(traced.paper, set(misshapen))
    rows = [row for batch in report.batches for row in batch.gradients]
    found = []
    for of in _asked(source, asked, rows, traced.paper, misshapen):
        mine = [row for row in rows if of in (row.name, _family(row.name))]
        problems = [p for p in misshapen.values() if of in (p.of, _family(p.of))]
        if problems:
            found.append(_of_wrong_shape(of, mine, problems[0]))
        else:
            marks = [_mark(row, after.get(row.name, ""), solution=solution) for row in mine]
            found.append(_of_all(of, marks))
    return Marked(source.name, tuple(found))


def _of_all(of: str, marks: Sequence[Mark]) -> Mark:
    """One mark for all turns of a loop, all items of a list and all sets of data: the worst."""
    worst = min(marks, key=lambda mark: WORST.index(mark.kind))
    alike = len({mark.kind for mark in marks}) == 1
    symbol = _family(worst.symbol) if alike and worst.of != of else worst.symbol
    return replace(worst, of=of, symbol=symbol)


def _family(name: str) -> str:
    return name.partition("[")[0]


def _without(source: Source, misshapen: Mapping[str, ClaimShape]) -> Callable[..., Any]:
    """The answer without claims whose shape is wrong: the others are marked all the same."""
    function = source.backward
    assert function is not None

    @functools.wraps(function)
    def backward(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        return {key: value for key, value in result.items() if key not in misshapen}

    return backward


def _built_on(paper: Paper, names: set[str]) -> dict[str, str]:
    """The tensors whose claims are made from one of these variables, each with the variable."""
    if paper.backward is None:
        return {}
    below: dict[str, str] = {}
    for equation in paper.backward.equations:
        for read_ in reads(equation.term):
            root = read_.tensor if _family(read_.tensor) in names else below.get(read_.tensor)
            if root is not None:
                below[equation.target] = _family(root)
    return {claim.of: below[claim.name] for claim in paper.claims if claim.name in below}


def _asked(
    source: Source,
    asked: Sequence[str] | None,
    rows: Sequence[GradientRow],
    paper: Paper,
    misshapen: Mapping[str, ClaimShape],
) -> list[str]:
    """The tensors whose gradients are marked, back to front.

    Raises:
        DataError: one of them has no gradient.
    """
    known = dict.fromkeys(name for row in rows for name in (row.name, _family(row.name)))
    asked = asked_of(source) if asked is None else asked
    if asked is None:
        tried = {row.name for row in rows if row.covered} | set(paper.blanks.values())
        tried |= {problem.of for problem in misshapen.values()}
        return list(dict.fromkeys(_family(row.name) for row in rows if row.name in tried))
    for name in asked:
        if name not in known:
            raise DataError(
                told("{asked} lists {name}, of which there is no gradient.", asked=ASKED, name=name)
            )
    return [name for name in known if name in set(asked)]


def _of_wrong_shape(of: str, rows: Sequence[GradientRow], problem: ClaimShape) -> Mark:
    row = rows[0]
    line = "" if problem.place is None else f"{problem.place.file}:{problem.place.line}"
    text = "" if problem.place is None else problem.place.text
    # A second name for a value stands nowhere: the value has the line where it was made.
    before, _, after = text.partition(" = ")
    answer = after if before == problem.claim else problem.claim
    hint = told_all([part for part in (problem.why, problem.advice) if part])
    return Mark(of, row.symbol, row.shape, "wrong", answer, line, (hint,))


def _mark(row: GradientRow, after: str, *, solution: bool) -> Mark:
    """The mark of one row; `after` names a variable of wrong shape that its formula reads."""
    verdict = row.formula_verdict
    answer = _right_side(row.claimed or "")
    right = _right_side(row.derived) if solution else ""
    mark = Mark(row.name, row.symbol, row.shape, "blank", answer, row.line, (), right)
    if not row.covered:
        return mark
    if after and verdict.kind != "proved":
        hint = told("Not marked: it builds on {variable}, whose shape is wrong.", variable=after)
        return replace(mark, kind="undecided", hints=(hint,))
    match verdict.kind:
        case "proved":
            if row.hand_verdict is not None and row.hand_verdict.kind == "undecided":
                return replace(
                    mark, kind="undecided", hints=(told_sentence(row.hand_verdict.because),)
                )
            return replace(mark, kind="right", solution="")
        case "refuted" if verdict.inherited:
            return replace(mark, kind="carried", hints=row.why, solution="")
        case "refuted":
            return replace(mark, kind="wrong", hints=row.why)
        case _:
            return replace(mark, kind="undecided", hints=(told_sentence(verdict.because),))


def _right_side(formula: str) -> str:
    return formula.partition(" = ")[2] or formula


def number(points: Fraction) -> str:
    """Points as people write them: 3, 3.5."""
    return f"{float(points):g}"
