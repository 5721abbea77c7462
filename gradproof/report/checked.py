"""What a check of a black box found, as plain data, and as the page that a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.cells import set_cell_size
from rich.text import Text

from gradproof.core.told import told, told_clauses, told_row
from gradproof.judge.box import BoxKind, Finding
from gradproof.judge.near import near_in
from gradproof.report.console import COLOURS, MARKS, digits
from gradproof.report.nodes import Node
from gradproof.report.observation import Observation
from gradproof.report.report import WORDS, RefutedError, plain
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.report.unseen import PowerReport
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH

WIDTH = 100

NOTHING = sentence("nothing came back")
"""The reason of a row of which nothing can be said; the observations say why."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One tensor that the black box returned: a value, or the gradient of an input.

    ``exact`` is the verdict on the same function in float64, where it was asked for.
    """

    name: str
    symbol: str
    shape: str
    finding: Finding
    exact: Finding | None = None
    why: tuple[str, ...] = ()

    @property
    def kind(self) -> BoxKind:
        """The verdict."""
        return self.finding.kind


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything that was checked of one black box.

    ``power`` is what the data could not have shown, and ``second`` what the backward pass gives
    when it is differentiated again, where that was asked for: its values are the first gradients,
    and its gradients those of ``s = Σ ⟨v, ∂l/∂x⟩`` with respect to inputs and upstream gradients.
    ``nodes`` are the tensors that an instrumented function names inside.
    """

    function: str
    reference: str
    engine: str
    engine_version: str
    dtype: str
    seed: int
    draws: int
    contract: str
    allow_ulps: float
    rows: tuple[CheckRow, ...]
    observations: tuple[Observation, ...]
    tried: tuple[str, ...]
    again: tuple[str, ...]
    power: PowerReport | None = None
    second: CheckReport | None = None
    nodes: tuple[Node, ...] = ()

    def __getitem__(self, name: str) -> CheckRow:
        """The gradient with respect to an input, or a value by its name."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            raise KeyError(f"Nothing called {name} was checked; there are: {', '.join(rows)}.")
        return rows[name]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every verdict, in order; those of the second order last."""
        return tuple(row.kind for row in self._all_rows())

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the function beside its numbers."""
        return tuple(one.text for one in self._all_seen() if one.kind == "fault")

    def _all_rows(self) -> tuple[CheckRow, ...]:
        return self.rows + (self.second.rows if self.second else ())

    def _all_seen(self) -> tuple[Observation, ...]:
        return self.observations + (self.second.observations if self.second else ())

    @property
    def exit_code(self) -> int:
        """0 all hold, 1 something refuted or at fault, 3 something undecided."""
        if "refuted" in self.kinds or self.faults:
            return 1
        open_ = any(one.kind == "undecided" for one in self._all_seen())
        return 3 if open_ or "undecided" in self.kinds else 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.exit_code == 0

    def raise_if_refuted(self) -> None:
        """Raises `RefutedError` with the story of what does not hold."""
        if self.exit_code == 1:
            raise RefutedError(self.story())

    def to_json(self) -> str:
        """The report as JSON; infinities are strings."""
        return json.dumps(plain(asdict(self)), ensure_ascii=False, indent=1)

    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))

    def lines(self, width: int, lang: str = ENGLISH) -> Iterator[Text]:
        """The whole page, as a terminal of this width shows it, in a language."""
        report = in_language(self, lang)
        yield from _head(report, width, lang)
        yield Text()
        yield from lay_out(_table(report, lang), width)
        if report.nodes:
            yield Text()
            yield from lay_out(_inside(report, lang), width)
        yield from _wrapped_details(report, width, lang)
        if report.second is not None:
            yield Text()
            yield from wrapped(Text(say(TWICE, lang)), width)
            yield from lay_out(_table(report.second, lang), width)
            yield from _wrapped_details(report.second, width, lang)
        yield Text()
        yield from wrapped(Text(report.summary(lang), style="bold"), width)
        if report.power is not None:
            yield Text()
            yield from report.power.body(width, lang)

    def story(self, lang: str = ENGLISH) -> str:
        """What does not hold, and how to see it again: short, for an exception."""
        report = in_language(self, lang)
        again = ["", *report.again] if report.again else []
        inside = lay_out(_inside(report, lang), WIDTH) if report.nodes else ()
        nodes = [line.plain.rstrip() for line in inside]
        nodes = ["", *nodes] if nodes else []
        twice = list(_details(report.second, lang)) if report.second else []
        if twice:
            twice = ["", say(TWICE, lang), *twice]
        parts = (report.summary(lang), *_details(report, lang), *nodes, *twice, *again)
        return "\n".join(parts)

    def summary(self, lang: str = ENGLISH) -> str:
        """One sentence: what holds, and what does not."""
        rows = self._all_rows()
        wrong = list(dict.fromkeys(row.symbol for row in rows if row.kind == "refuted"))
        open_ = list(dict.fromkeys(row.symbol for row in rows if row.kind == "undecided"))
        said: list[str] = []
        if wrong:
            said.append(told("refuted: {tensors}", tensors=told_row(wrong)))
        if len(self.faults) == 1:
            said.append(told("1 fault"))
        elif self.faults:
            said.append(told("{count} faults", count=len(self.faults)))
        if open_:
            said.append(told("undecided: {tensors}", tensors=told_row(open_)))
        agreeing = sum(row.kind == "agrees" for row in rows)
        said.append(told("{agreeing} of {count} tensors agree", agreeing=agreeing, count=len(rows)))
        return say(
            "{function} in {dtype}: {found}.",
            lang,
            function=self.function,
            dtype=self.dtype,
            found=told_clauses(said),
        )


TWICE = sentence(
    "Differentiated again, with random v for each gradient and s the sum of all ⟨v, ∂l/∂x⟩:"
)


def _wrapped_details(report: CheckReport, width: int, lang: str) -> Iterator[Text]:
    for line in _details(report, lang):
        margin = " " * (len(line) - len(line.lstrip()))
        for part in wrapped(Text(line.lstrip()), width - len(margin)):
            yield Text(margin).append_text(part)


def _details(report: CheckReport, lang: str) -> Iterator[str]:
    for row in report.rows:
        if row.kind != "agrees" and row.finding.because != say(NOTHING, lang):
            yield ""
            yield from _detail(row, lang)
    for row in report.rows:
        if row.kind == "agrees" and row.finding.share > 1:
            yield ""
            yield from (f"· {row.symbol}: {line}" for line in row.why)
    closer = [row for row in report.rows if row.kind == "agrees" and row.finding.hiding]
    if closer:
        yield ""
        yield _closer(closer, report.dtype, lang)
    for kind, mark in (("fault", "✗"), ("undecided", "?"), ("note", "·")):
        texts = [one.text for one in report.observations if one.kind == kind]
        if texts:
            yield ""
        yield from (f"{mark} {text}" for text in texts)


def _closer(rows: Sequence[CheckRow], dtype: str, lang: str) -> str:
    """The line on tensors that are held to less than their bounds."""
    said = say(
        "{tensors}: rounding errors of {dtype} may reach {bound}, in which a mistake could hide. "
        "So less is permitted: every element is within 1/{part} of its true value, or of the "
        "tensor's median.",
        lang,
        tensors=told_row([row.symbol for row in rows]),
        dtype=dtype,
        bound=_ulp(max(row.finding.hiding for row in rows)),
        part=round(1 / near_in(dtype)),
    )
    return f"· {said}"


INDENT = 11
"""Columns of what stands before a line of the head."""


def _head(report: CheckReport, width: int, lang: str) -> Iterator[Text]:
    yield Text(f"gradproof check {report.function}", style="bold")
    seed = say("seed {seed}", lang, seed=report.seed)
    draws = say("{count} upstream gradients", lang, count=report.draws)
    if report.draws == 1:
        draws = say("1 upstream gradient", lang)
    engine = f"{report.engine} {report.engine_version} · {report.dtype} · {seed} · {draws}"
    if not report.again:  # nothing was called
        engine = f"{report.engine} · {report.dtype}"
    for head, said, style in (
        (sentence("reference"), report.reference, ""),
        (sentence("engine"), engine, ""),
        (sentence("bounds"), report.contract, "dim"),
        (sentence("tried"), in_language(told_row(report.tried), lang), "dim"),
    ):
        if said:
            line = set_cell_size(say(head, lang), INDENT) + said
            yield from wrapped(Text(line, style=style), width, indent=INDENT)
    if report.allow_ulps:
        head = set_cell_size(say("allowed", lang), INDENT)
        more = say("{ulps:g} ulp in every element, as asked for", lang, ulps=report.allow_ulps)
        yield Text(head + more, "yellow")


def _table(report: CheckReport, lang: str) -> Table:
    columns = (
        Column(say("tensor", lang)),
        Column(say("shape", lang)),
        Column(say("difference", lang), "right"),
        Column(say("permitted", lang), "right"),
        Column(say("of bound", lang), "right"),
        Column(say("sees", lang), "right"),
        Column(say("verdict", lang)),
    )
    rows = []
    for row in report.rows:
        f = row.finding
        cells = (
            Text(row.symbol),
            Text(row.shape),
            Text(_ulp(f.ulps)),
            Text(_ulp(f.permitted)),
            Text(_short(f.share, ".2f")),
            Text(_short(f.sees, ".1g")),
            Text(f"{MARKS[f.kind]} {say(WORDS[f.kind], lang)}", COLOURS[f.kind]),
        )
        rows.append(Row(cells))
    title = say("Largest difference, at the element that uses most of its bound", lang)
    return Table(title, columns, tuple(rows))


def _inside(report: CheckReport, lang: str) -> Table:
    columns = (
        Column(say("tensor", lang)),
        Column(say("name", lang)),
        Column(say("in", lang)),
        Column(say("line", lang)),
        Column(say("difference", lang), "right"),
        Column(say("permitted", lang), "right"),
        Column(say("verdict", lang)),
    )
    rows = tuple(
        Row(
            (
                Text(node.symbol),
                Text(node.name),
                Text(node.function),
                Text(node.line),
                Text(_ulp(node.finding.ulps)),
                Text(_ulp(node.finding.permitted)),
                Text(
                    f"{MARKS[node.finding.kind]} {say(WORDS[node.finding.kind], lang)}",
                    COLOURS[node.finding.kind],
                ),
            )
        )
        for node in report.nodes
    )
    return Table(say("Inside, by the names in its code", lang), columns, rows)


def _ulp(count: float) -> str:
    if np.isnan(count):
        return "—"
    return f"{count:.3g} ulp" if np.isfinite(count) else "∞"


def _short(number: float, form: str) -> str:
    if np.isnan(number):
        return "—"
    return "∞" if np.isinf(number) else ("> 999" if number > 999 else format(number, form))


def _detail(row: CheckRow, lang: str) -> Iterator[str]:
    f = row.finding
    word = say(WORDS[f.kind], lang)
    because = say(
        "{tensor} is {verdict}: {because}",
        lang,
        tensor=row.symbol,
        verdict=word,
        because=f.because,
    )
    yield f"{MARKS[f.kind]} {because}"
    if f.kind == "refuted" and np.isfinite(f.true):
        at = f"[{', '.join(map(str, f.worst))}]" if f.worst else ""
        got, right = (digits(np.float64(number)) for number in (f.value, f.true))
        worst = say(
            "worst: {element} = {value}, true value {true}: {apart} apart, {permitted} permitted",
            lang,
            element=f"{row.symbol}{at}",
            value=got,
            true=right,
            apart=_ulp(f.ulps),
            permitted=_ulp(f.permitted),
        )
        yield f"  {worst}"
    yield from (f"  {line}" for line in row.why)
