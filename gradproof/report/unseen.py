"""Which mistakes given data cannot show, as plain data, and as the page that a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.text import Text

from gradproof.core.index import Size
from gradproof.judge.clinic import Explanation
from gradproof.judge.mutant import Mutant
from gradproof.report.diagnosis import sentence
from gradproof.report.report import plain
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.words import in_language
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
    ``constant`` names are the same number whatever the data.
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
        """The whole page, as a terminal of this width shows it; what has no sentences in a language
        is said in English, and the page has none yet but the mistakes'."""
        if lang != ENGLISH:
            yield from in_language(self, lang).lines(width)
            return
        yield Text(f"gradproof power {self.network}", style="bold")
        yield from wrapped(Text(f"data    {self.data}"), width, indent=8)
        yield Text(f"engine  {self.engine} · {self.dtype} · seed {self.seed}")
        yield Text()
        yield from self.body(width)

    def body(self, width: int) -> Iterator[Text]:
        """The page below its head."""
        yield from lay_out(_table(self.rows), width)
        for line in self.details():
            margin = " " * (len(line) - len(line.lstrip()))
            for part in wrapped(Text(line.lstrip()), width - len(margin)):
                yield Text(margin).append_text(part)
        yield Text()
        yield from wrapped(Text(self.summary(), style="bold"), width)

    def details(self) -> Iterator[str]:
        """What is not seen, by what shows it; without the table."""
        for proposal in self.proposals:
            shown = [one for one in self.unseen if one.by == proposal.words]
            yield ""
            yield f"✗ Not seen, but seen with {proposal.words}: {_counted(len(shown), 'mistake')}"
            yield from _listed(shown)
            yield f"  Try  {proposal.options}"
        nowhere = [one for one in self.unseen if not one.by]
        if nowhere:
            yield ""
            yield (
                f"✗ Not seen, nor with any data that were tried: "
                f"{_counted(len(nowhere), 'mistake')}"
            )
            yield from _listed(nowhere)
        if self.open:
            yield ""
            count = _counted(len(self.open), "formula")
            yield f"? Neither proved equal nor seen to differ: {count}"
            yield from _listed(self.open)
        if self.for_loss:
            yield ""
            yield (
                f"· {_counted(len(self.for_loss), 'wrong formula')} right for this loss, because "
                f"{' and '.join(self.constant)} is the same number everywhere; with each element "
                "weighed, as in np.sum(G * y), they would be refuted"
            )
            yield from _listed(self.for_loss)
        if self.notes:
            yield ""
        yield from (f"· {note}" for note in self.notes)

    def summary(self) -> str:
        """One sentence: how many mistakes are seen."""
        total = sum(row.mistakes for row in self.rows)
        seen = sum(row.seen for row in self.rows)
        equal = sum(row.equal for row in self.rows)
        said = f"{seen} of {_counted(total, 'known mistake')} would be refuted"
        if equal:
            said += f"; the right formula, written otherwise: {equal} more"
        if self.open:
            said += f"; not known: {len(self.open)}"
        return f"{said}."


def words_of(mutant: Mutant, known: Mapping[str, tuple[Size, ...]]) -> str:
    """What was done in a mutant, in a sentence."""
    mistake = mutant.mistake
    made = Explanation(mistake.name, mistake.words, mutant.slots, mutant.equation)
    return sentence(made, known)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _table(rows: Sequence[PowerRow]) -> Table:
    columns = (
        Column("gradient"),
        Column("shape"),
        Column("mistakes", "right"),
        Column("seen", "right"),
        Column("not seen", "right"),
        Column("equal", "right"),
    )
    cells = [
        Row(
            (
                Text(row.symbol),
                Text(row.shape),
                Text(str(row.mistakes)),
                Text(str(row.seen)),
                Text(str(row.mistakes - row.seen), "red" if row.mistakes > row.seen else ""),
                Text(str(row.equal), "dim"),
            )
        )
        for row in rows
    ]
    return Table(
        "Wrong formulas for each gradient, each with one known mistake", columns, tuple(cells)
    )


def _listed(found: Sequence[Unseen]) -> Iterator[str]:
    """Each sentence once, with the gradients in which that is not seen; the most frequent first."""
    places: dict[str, dict[str, None]] = {}
    for one in found:
        places.setdefault(one.words, {})[one.symbol] = None
    shown = sorted(places.items(), key=lambda one: -len(one[1]))[:MOST_LINES]
    yield from (f"  · {words}  {', '.join(symbols)}" for words, symbols in shown)
    if len(places) > MOST_LINES:
        yield f"  · and {len(places) - MOST_LINES} more (all of them are in the JSON)"
