"""Which mistakes given data cannot show, as plain data, and as the page that a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.text import Text

from gradproof.core.index import Size
from gradproof.core.told import told, told_clauses, told_row, told_sum
from gradproof.judge.clinic import Explanation
from gradproof.judge.mutant import Mutant
from gradproof.report.diagnosis import sentence
from gradproof.report.formats import shape_said
from gradproof.report.lines import padded
from gradproof.report.report import plain
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.words import in_language, say
from gradproof.words.say import ENGLISH

WIDTH = 100
MOST_LINES = 15
"""Different sentences below one heading that a terminal shows; the JSON has all."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A wrong formula for one gradient that the data do not show.

    ``by`` are the words of the proposal that shows it, or empty where none does.
    """

    of: str
    symbol: str
    mistake: str
    words: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Other data, at which it was confirmed that so many more mistakes show."""

    words: str
    options: str
    shows: int


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One gradient: how many mistakes there are in it, and how many of them are seen.

    ``equal`` are wrong-looking formulas that are the right one at all sizes; of the ``open`` ones
    it is not known.
    """

    name: str
    symbol: str
    shape: str
    mistakes: int
    seen: int
    equal: int
    open: int


@dataclass(frozen=True, slots=True)
class PowerReport:
    """What checks at given data can see of the known mistakes.

    ``for_loss`` are formulas that are right for this loss and no other, because the gradients that
    ``constant`` names are the same number whatever the data. ``beneath`` are wrong by less than any
    format of numbers can hold, because a number such as 10⁹ stands for infinity as a mask.
    """

    network: str
    data: str
    engine: str
    dtype: str
    seed: int
    rows: tuple[PowerRow, ...]
    unseen: tuple[Unseen, ...]
    open: tuple[Unseen, ...]
    for_loss: tuple[Unseen, ...]
    constant: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...] = ()
    beneath: tuple[Unseen, ...] = ()

    def __getitem__(self, name: str) -> PowerRow:
        """The row of one tensor's gradient."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            raise KeyError(f"There is no gradient of {name}; there are: {', '.join(rows)}.")
        return rows[name]

    @property
    def exit_code(self) -> int:
        """0 every mistake is seen, 1 some are not, 3 of some it is not known what they are."""
        return 1 if self.unseen else 3 if self.open else 0

    @property
    def ok(self) -> bool:
        """Whether every mistake is seen."""
        return self.exit_code == 0

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(plain(asdict(self)), ensure_ascii=False, indent=1)

    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))

    def lines(self, width: int, lang: str = ENGLISH) -> Iterator[Text]:
        """The whole page, as a terminal of this width shows it, in a language."""
        report = in_language(self, lang)
        seed = say("seed {seed}", lang, seed=report.seed)
        machine = f"{report.engine} · {report.dtype} · {seed}"
        yield Text(f"gradproof power {self.network}", style="bold")
        for head, said in ((say("data", lang), report.data), (say("engine", lang), machine)):
            yield from wrapped(Text(f"{padded(head, HEAD)}{said}"), width, indent=HEAD)
        yield Text()
        yield from self.body(width, lang)

    def body(self, width: int, lang: str = ENGLISH) -> Iterator[Text]:
        """The page below its head."""
        report = in_language(self, lang)
        yield from lay_out(_table(report.rows, lang), width)
        for line in _details(report, lang):
            margin = " " * (len(line) - len(line.lstrip()))
            for part in wrapped(Text(line.lstrip()), width - len(margin)):
                yield Text(margin).append_text(part)
        yield Text()
        yield from wrapped(Text(self.summary(lang), style="bold"), width)

    def summary(self, lang: str = ENGLISH) -> str:
        """One sentence: how many mistakes are seen."""
        total = sum(row.mistakes for row in self.rows)
        seen = sum(row.seen for row in self.rows)
        equal = sum(row.equal for row in self.rows)
        one = told("{seen} of 1 known mistake would be refuted", seen=seen)
        many = told("{seen} of {total} known mistakes would be refuted", seen=seen, total=total)
        said = [one if total == 1 else many]
        if equal:
            said.append(told("the right formula, written otherwise: {equal} more", equal=equal))
        if self.open:
            said.append(told("not known: {count}", count=len(self.open)))
        return in_language(told("{clause}.", clause=told_clauses(said)), lang)


HEAD = 8
"""Columns of the words before what they say, at the head of the page."""


def _details(report: PowerReport, lang: str) -> Iterator[str]:
    """What is not seen, by what shows it; without the table."""
    for proposal in report.proposals:
        shown = [one for one in report.unseen if one.by == proposal.words]
        yield ""
        yield say(
            "✗ Not seen, but seen with {words}: {mistakes}",
            lang,
            words=proposal.words,
            mistakes=_mistakes(len(shown), lang),
        )
        yield from _listed(shown, lang)
        yield say("  Try  {options}", lang, options=proposal.options)
    nowhere = [one for one in report.unseen if not one.by]
    if nowhere:
        count = _mistakes(len(nowhere), lang)
        yield ""
        yield say("✗ Not seen, nor with any data that were tried: {mistakes}", lang, mistakes=count)
        yield from _listed(nowhere, lang)
    if report.open:
        number = len(report.open)
        count = say("1 formula", lang) if number == 1 else say("{n} formulas", lang, n=number)
        yield ""
        yield say("? Neither proved equal nor seen to differ: {formulas}", lang, formulas=count)
        yield from _listed(report.open, lang)
    if report.for_loss:
        yield ""
        yield say(
            "· {formulas} right for this loss, because {gradients} is the same number everywhere; "
            "with each element weighed, as in np.sum(G * y), they would be refuted",
            lang,
            formulas=_wrong_formulas(len(report.for_loss), lang),
            gradients=in_language(told_sum(report.constant), lang),
        )
        yield from _listed(report.for_loss, lang)
    if report.beneath:
        yield ""
        yield say(
            "· {formulas} off by less than any format of numbers can hold, because a large number "
            "in the network stands for infinity",
            lang,
            formulas=_wrong_formulas(len(report.beneath), lang),
        )
        yield from _listed(report.beneath, lang)
    if report.notes:
        yield ""
    yield from (f"· {note}" for note in report.notes)


def _wrong_formulas(number: int, lang: str) -> str:
    if number == 1:
        return say("1 wrong formula", lang)
    return say("{n} wrong formulas", lang, n=number)


def _mistakes(number: int, lang: str) -> str:
    return say("1 mistake", lang) if number == 1 else say("{n} mistakes", lang, n=number)


def words_of(mutant: Mutant, known: Mapping[str, tuple[Size, ...]]) -> str:
    """What was done in a mutant, in a sentence."""
    mistake = mutant.mistake
    made = Explanation(mistake.name, mistake.words, mutant.slots, mutant.equation)
    return sentence(made, known)


def _table(rows: Sequence[PowerRow], lang: str) -> Table:
    columns = (
        Column(say("gradient", lang)),
        Column(say("shape", lang)),
        Column(say("mistakes", lang), "right"),
        Column(say("seen", lang), "right"),
        Column(say("not seen", lang), "right"),
        Column(say("equal", lang), "right"),
    )
    cells = [
        Row(
            (
                Text(row.symbol),
                Text(shape_said(row.shape, lang)),
                Text(str(row.mistakes)),
                Text(str(row.seen)),
                Text(str(row.mistakes - row.seen), "red" if row.mistakes > row.seen else ""),
                Text(str(row.equal), "dim"),
            )
        )
        for row in rows
    ]
    title = say("Wrong formulas for each gradient, each with one known mistake", lang)
    return Table(title, columns, tuple(cells))


def _listed(found: Sequence[Unseen], lang: str) -> Iterator[str]:
    """Each sentence once, with the gradients in which that is not seen; the most frequent first."""
    places: dict[str, dict[str, None]] = {}
    for one in found:
        places.setdefault(one.words, {})[one.symbol] = None
    shown = sorted(places.items(), key=lambda one: -len(one[1]))[:MOST_LINES]
    yield from (
        f"  · {words}  {in_language(told_row(list(symbols)), lang)}" for words, symbols in shown
    )
    if len(places) > MOST_LINES:
        more = len(places) - MOST_LINES
        yield say("  · and {count} more (all of them are in the JSON)", lang, count=more)
