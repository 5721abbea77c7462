"""The tables of a report, as Markdown and LaTeX show them in documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradproof.report.console import (
    OWN,
    batch_title,
    conditions,
    details,
    notes,
    starts,
    summary,
    tables,
)
from gradproof.report.formats import escaped, inline
from gradproof.report.report import Report
from gradproof.report.table import Table
from gradproof.words import in_language, language, say
from gradproof.words.say import ENGLISH

FORMULA = 1
"""Which column of a table is the formula."""
SYMBOLS = {"✓": r"\checkmark", "✗": r"\times", "?": "?", "·": r"\cdot"}
"""The marks of verdicts as LaTeX has them."""


def markdown(report: Report, lang: str | None = None) -> str:
    """A report as Markdown: what was checked, each value and gradient with its verdicts, and what
    is wrong.

    Args:
        report: what `verify` returned.
        lang: the language, ``"en"`` or ``"zh"``; the environment's (GRADPROOF_LANG) if not given.

    Raises:
        DataError: there is no such language.
    """
    lang = language(lang)
    report = in_language(report, lang)
    parts = [f"### gradproof verify {report.network}"]
    parts.append("\n".join(f"- {label}: {said}" for label, said in conditions(report, lang)))
    for batch in report.batches:
        forward, gradients = tables(batch, report, lang)
        parts += [f"#### {batch_title(batch, lang)}", *_shown(forward), *starts(batch, lang)]
        parts += _shown(gradients)
        parts += [f"{say(OWN, lang)}: `{line}`" for line in batch.own]
        parts += [f"```text\n{detail.plain}\n```" for detail in details(batch, report, lang)]
    return "\n\n".join([*parts, *notes(report, lang), f"**{summary(report, lang).plain}**"]) + "\n"


def _shown(table: Table) -> list[str]:
    return [f"**{table.title}**", "\n".join(_rows(table))]


def _rows(table: Table) -> Iterator[str]:
    yield _row([column.heading for column in table.columns])
    yield _row([{"left": "---", "right": "--:"}[column.side] for column in table.columns])
    for row in table.rows:
        cells = [cell.plain for cell in row.cells]
        below = "".join(f"<br>{_cell(line.plain)}" for line in row.below)
        code = [f"`{cells[k]}`" for k in (0, FORMULA)]
        yield _row([code[0], _Written(_cell(code[1]) + below), *cells[FORMULA + 1 :]])


class _Written(str):
    """A cell that is Markdown already."""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(c if isinstance(c, _Written) else _cell(c) for c in cells)} |"


def _cell(said: str) -> str:
    """Text in one cell: a bar would end it."""
    return said.replace("|", r"\|").replace("\n", "<br>")


def tex(report: Report, lang: str = ENGLISH) -> str:
    """A report's gradients with their verdicts as an array, which is mathematics for any LaTeX and
    for a notebook. Its formulas are those of the derivation, which shows itself.

    Args:
        report: what `verify` returned.
        lang: the language, ``"en"`` or ``"zh"``; Chinese needs ctex.
    """
    report = in_language(report, lang)
    lines: list[str] = []
    for batch in report.batches:
        _, table = tables(batch, report, lang)
        beside = say("yours", lang)  # how a formula compares with the one that is left out
        kept = [k for k, c in enumerate(table.columns) if k != FORMULA and c.heading != beside]
        sides = "".join(table.columns[k].side[0] for k in kept)
        lines += [_text(batch_title(batch, lang)) + r" \\", rf"\begin{{array}}{{{sides}}}"]
        lines.append(" & ".join(_text(table.columns[k].heading) for k in kept) + r" \\ \hline")
        for row in table.rows:
            name, *others = (row.cells[k].plain for k in kept)
            lines.append(" & ".join([inline(name), *map(_text, others)]) + r" \\")
        lines.append(r"\end{array} \\")
    body = "\n".join([*lines, _text(summary(report, lang).plain)])
    return f"$$\n\\begin{{gathered}}\n{body}\n\\end{{gathered}}\n$$"


def _text(said: str) -> str:
    """Words among mathematics, with the marks of verdicts."""
    for mark, symbol in SYMBOLS.items():
        if said.startswith(mark):
            said = said.removeprefix(mark).lstrip()
            return rf"{symbol}\ \text{{{escaped(said)}}}"
    if re.fullmatch(r"-?[\d.]+(e[-+]\d+)?", said):
        return said
    return rf"\text{{{escaped(said)}}}" if said else ""
