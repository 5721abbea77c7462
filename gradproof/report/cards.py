"""Reports of one network, one for each engine, to the document of its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Literal

import numpy as np

from gradproof.core.program import Derivation
from gradproof.core.term import reads
from gradproof.core.told import told
from gradproof.derivation import SYMBOLS
from gradproof.ink.latex import latex, plain_names
from gradproof.ink.mathml import mathml
from gradproof.ink.terminal import name_text, text
from gradproof.report.document import (
    Apart,
    Card,
    Corner,
    Document,
    Evidence,
    Formula,
    Heat,
    Leaf,
    Listing,
    Sentence,
    StepByStep,
    Trial,
)
from gradproof.report.formats import CONVENTIONS
from gradproof.report.layouts import layout_said, layouts
from gradproof.report.looks import Looks, raises, renamed, renaming
from gradproof.report.report import Batch, ForwardRow, GradientRow, Report
from gradproof.report.sheet import Sheet, for_line, shape_words
from gradproof.report.sliding import sliding_forms
from gradproof.report.step_cards import card_steps
from gradproof.write.convention import Convention
from gradproof.write.layers import Layers, raised, raised_name
from gradproof.write.notation import Notation, Symbol
from gradproof.write.rolled import Line, start_said, starting

CORNER = (4, 5)
"""Rows and columns of a tensor that are shown; the worst element is shown by itself."""

HEAT = (16, 24)
"""Rows and columns of a picture of shares; of a larger tensor a square is the largest in it."""

DIGITS = 8

AS_IN_CODE = Looks()


def document(
    reports: Sequence[Report],
    sheet: Sheet,
    *,
    what: str,
    command: str,
    listing: Listing | None,
    proofs: tuple[str, ...],
    programs: tuple[str, ...],
    looks: Looks = AS_IN_CODE,
) -> Document:
    """The document of a network from its reports, one for each engine, on the same data.

    Args:
        reports: of the same network, data, dtype and seed.
        sheet: its equations.
        what: what the network is, a sentence, or nothing.
        command: what makes this page again.
        listing: the user's source.
        proofs: how the formulas were proved, a sentence for each kind of proof.
        programs: what was proved of the engines' own programs.
        looks: how the sheet's equations are written.
    """
    first = reports[0]
    derivation = sheet.derivation
    forward, gradients = sheet.forward_lines(), sheet.gradient_lines()
    theirs = sheet.theirs()
    slides = sliding_forms(derivation, sheet.page.convention)
    layers = raises(derivation, looks)
    written = [line.equality for line in (*forward, *gradients, *theirs)]
    plain = plain_names(raised(one, layers) for one in (*written, *slides.values()))
    keys = _keys(derivation, forward)
    convention = sheet.page.convention
    steps = card_steps(derivation, convention, sheet.page.words, len(gradients), layers)
    names = {of: SYMBOLS["partial"] + of for of in derivation.gradients}
    rename = renaming(names, derivation.gradients, layers)
    writer = _Writer(plain, slides, sheet, theirs, reports, keys, steps, layers, rename)
    values, slopes = _rows(reports, "forward"), _rows(reports, "gradients")
    notes = tuple(dict.fromkeys(note for report in reports for note in report.notes))
    return Document(
        first.network,
        what,
        tuple(report.engine for report in reports),
        first.dtype,
        first.seed,
        tuple(
            told("{engine}: {contract}", engine=report.engine, contract=report.contract)
            for report in reports
        ),
        {report.engine: report.engine_version for report in reports},
        tuple(_data(batch) for batch in first.batches),
        command,
        tuple(
            Leaf(
                keys[tensor.name],
                tensor.name,
                writer.look(tensor.name),
                shape_words(tensor.name, tensor.shape, convention),
                tensor.role,
                raised_name(tensor.name, layers),
            )
            for tensor in derivation.forward.inputs
        ),
        tuple(writer.forward(line, values) for line in forward),
        tuple(writer.gradient(line, slopes) for line in gradients),
        sheet.own_values(layers),
        writer.starts(),
        renamed(proofs, rename),
        renamed(programs, rename),
        renamed(notes, rename),
        listing,
        max((report.exit_code for report in reports), key=[0, 3, 1].index),
        _conventions(derivation, convention, looks),
        writer.apart(),
    )


def _conventions(derivation: Derivation, convention: Convention, looks: Looks) -> tuple[str, ...]:
    """How the equations are written, where tensors do not lie as in code."""
    if looks.as_in_code:
        return ()
    layout = layout_said(derivation, convention)
    return (
        told(CONVENTIONS[looks.vectors]),
        *([layout] if layout else []),
        told(
            "Numbers, counter-examples, NumPy code and what is said of mistakes lie as in your "
            "code."
        ),
    )


def _data(batch: Batch) -> str:
    sizes = ", ".join(f"{name} = {size}" for name, size in batch.sizes.items())
    return told("{title} ({sizes})", title=batch.title, sizes=sizes) if sizes else batch.title


def _keys(derivation: Derivation, forward: Sequence[Line]) -> dict[str, str]:
    """For each tensor the key of its card: that of a loop for all of its members."""
    keys = {tensor.name: f"v-{k}" for k, tensor in enumerate(derivation.forward.inputs)}
    for k, line in enumerate(forward, len(keys)):
        keys.update(dict.fromkeys(line.members or (line.target,), f"v-{k}"))
    return keys


@dataclass(frozen=True, slots=True)
class _Writer:
    """What makes the cards of one page."""

    plain: frozenset[str]
    slides: Mapping[str, Notation]
    sheet: Sheet
    theirs: Sequence[Line]
    reports: Sequence[Report]
    keys: Mapping[str, str]
    steps: Mapping[str, StepByStep]
    layers: Layers
    rename: Callable[[str], str]

    def look(self, name: str) -> str:
        """A tensor's name in MathML."""
        return mathml(raised(Symbol(name), self.layers), plain=self.plain)

    def called(self, name: str) -> str:
        """A tensor's name in text."""
        return name_text(raised_name(name, self.layers))

    def starts(self) -> tuple[Sentence, ...]:
        """What a loop begins with and what its slices are; what looks the same is left out."""

        def marked(name: str) -> str:
            return f"<math>{self.look(name)}</math>"

        def code(said: str) -> str:
            return f"<code>{escape(said.replace('−', '-'))}</code>"

        return tuple(
            Sentence(
                start_said(one, called=self.called),
                start_said(one, called=marked, quoted=code),
            )
            for one in starting(self.sheet.page)
            if one.code or self.look(one.first) != self.look(one.name)
        )

    def apart(self) -> tuple[Apart, ...]:
        """The tensors that lie on the page in another way than in code."""
        found = layouts(self.sheet.derivation, self.sheet.page.convention)
        return tuple(
            Apart(self.look(one.name), self.called(one.name), one.code, one.page, told(one.link))
            for one in found
        )

    def formula(self, notation: Notation, turns: str = "") -> Formula:
        """An equation in every form."""
        notation = raised(notation, self.layers)
        tex, marked = latex(notation, plain=self.plain), mathml(notation, plain=self.plain)
        return Formula(text(notation), tex, marked, turns)

    def look_of(self, line: Line) -> str:
        """The left side of a line in MathML."""
        return mathml(raised(line.equality.left, self.layers), plain=self.plain)

    def formulas(self, line: Line) -> tuple[Formula, ...]:
        """A line's equation, after the form in which a window slides, where there is one."""
        slides = [self.slides[line.target]] if line.target in self.slides else []
        equation = self.formula(line.equality, line.range)
        return (*(self.formula(one) for one in slides), equation)

    def trials(self, members: Sequence[str], rows: Rows) -> tuple[Trial, ...]:
        """A line's tensor on each set of data: of a loop the last turn, and what does not hold."""
        found = []
        for number, batch in enumerate(self.reports[0].batches):
            here = {name: [of.get(name) for of in rows[number]] for name in members}
            for name in _shown(here):
                pairs = zip(self.reports, here[name], strict=True)
                engines = tuple(_evidence(report, row) for report, row in pairs if row is not None)
                row = next(row for row in here[name] if row is not None)
                found.append(_trial(_data(batch), row, engines))
        return tuple(self.renamed(one) for one in found)

    def renamed(self, trial: Trial) -> Trial:
        """A trial whose sentences have the page's names."""
        if self.rename is str:
            return trial
        engines = tuple(
            replace(
                one,
                verdict=renamed(one.verdict, self.rename),
                native=renamed(one.native, self.rename),
            )
            for one in trial.engines
        )
        return replace(
            trial,
            tensor=self.called(trial.tensor),
            formula=renamed(trial.formula, self.rename),
            why=renamed(trial.why, self.rename),
            engines=engines,
        )

    def forward(self, line: Line, rows: Rows) -> Card:
        """The card of a forward value."""
        equations = {e.target: e for e in self.sheet.paper.forward.equations}
        members = line.members or (line.target,)
        read = [self.keys[one.tensor] for name in members for one in reads(equations[name].term)]
        return Card(
            self.keys[members[0]],
            line.target,
            self.called(line.target),
            self.look_of(line),
            shape_words(line.target, line.shape, self.sheet.page.convention),
            line.members,
            self.formulas(line),
            (),
            equations[members[-1]].place,
            tuple(dict.fromkeys(read)),
            self.trials(members, rows),
            called=raised_name(line.target, self.layers),
        )

    def gradient(self, line: Line, rows: Rows) -> Card:
        """The card of a gradient."""
        of = {symbol: name for name, symbol in self.sheet.derivation.gradients.items()}
        members = tuple(of[name] for name in line.members or (line.target.removesuffix("[t]"),))
        places = [c.place for c in self.sheet.paper.claims if c.of in members]
        return Card(
            f"g-{self.keys[members[0]].removeprefix('v-')}",
            members[0] if len(members) == 1 else line.target.partition("/∂")[2],
            self.called(line.target),
            self.look_of(line),
            shape_words(line.target, line.shape, self.sheet.page.convention),
            members if len(members) > 1 else (),
            self.formulas(line),
            tuple(self.formula(one.equality, one.range) for one in for_line(line, self.theirs)),
            places[0] if places else None,
            tuple(dict.fromkeys(self.keys[name] for name in members)),
            self.trials(members, rows),
            self.steps.get(line.target),
            called=raised_name(line.target, self.layers),
        )


AnyRow = ForwardRow | GradientRow

Rows = list[list[Mapping[str, AnyRow]]]
"""For each set of data and each engine the rows by name."""


def _rows(reports: Sequence[Report], part: Literal["forward", "gradients"]) -> Rows:
    return [
        [{row.name: row for row in getattr(batch, part)} for batch in batches]
        for batches in zip(*(report.batches for report in reports), strict=True)
    ]


def _shown(members: Mapping[str, Sequence[AnyRow | None]]) -> list[str]:
    """Of the turns of a loop those whose numbers are shown: the last, and what does not hold."""
    bad = [
        name
        for name, rows in members.items()
        if any({"refuted", "undecided"} & {*_row_kinds(row)} for row in rows if row is not None)
    ]
    last = list(members)[-1]
    return [*bad[:3], *([last] if last not in bad[:3] else [])]


def _row_kinds(row: AnyRow) -> list[str]:
    if isinstance(row, ForwardRow):
        verdicts = [row.verdict, row.native_verdict]
    else:
        verdicts = [row.engine_verdict, row.native_verdict, row.hand_verdict]
    found = [verdict.kind for verdict in verdicts if verdict is not None]
    return [*found, row.formula_verdict.kind] if isinstance(row, GradientRow) else found


def _evidence(report: Report, row: AnyRow) -> Evidence:
    verdict = row.verdict if isinstance(row, ForwardRow) else row.engine_verdict
    picture = None if row.heat is None else heat(row.heat)
    return Evidence(report.engine, verdict, row.native_verdict, corner(row.engine), picture)


def _trial(data: str, row: AnyRow, engines: tuple[Evidence, ...]) -> Trial:
    if isinstance(row, ForwardRow):
        return Trial(data, row.name, None, (), corner(row.plain), None, engines)
    hand = None if row.hand is None else corner(row.hand)
    return Trial(data, row.name, row.formula_verdict, row.why, hand, corner(row.true), engines)


def corner(array: np.ndarray) -> Corner:
    """The first rows and columns of a tensor; one of more axes as a matrix of its last one."""
    matrix = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    part = matrix[: CORNER[0], : CORNER[1]]
    rows = tuple(tuple(_number(value) for value in row) for row in part)
    return Corner(rows, part.size < matrix.size)


def _number(value: np.floating) -> str:
    """A number at as many digits as its dtype has to tell."""
    return (
        np.format_float_positional(value, precision=DIGITS, unique=True, trim="-", fractional=False)
        if value == 0 or 1e-4 <= abs(value) < 1e8
        else np.format_float_scientific(value, precision=DIGITS - 1, unique=True, trim="-")
    )


def heat(shares: np.ndarray) -> Heat:
    """Shares as rows of squares; where there are too many, each is the largest of several."""
    matrix = shares.reshape(-1, shares.shape[-1]) if shares.ndim > 1 else shares.reshape(1, -1)
    cells = tuple(-(-size // most) for size, most in zip(matrix.shape, HEAT, strict=True))
    tall, wide = (max(1, cell) for cell in cells)
    pad = ((0, -matrix.shape[0] % tall), (0, -matrix.shape[1] % wide))
    full = np.pad(matrix, pad, constant_values=0.0)
    blocks = full.reshape(full.shape[0] // tall, tall, full.shape[1] // wide, wide)
    largest = blocks.max(axis=(1, 3))
    return Heat(
        tuple(tuple(float(f"{share:.3g}") for share in row) for row in largest), (tall, wide)
    )
