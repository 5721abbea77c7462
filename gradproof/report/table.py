"""Rows of cells to lines of text that fit a width: a table, or where that is too wide, a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len
from rich.text import Text

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and at which side its cells stand."""

    heading: str
    side: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and lines that stand below its formula."""

    cells: tuple[Text, ...]
    below: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A title, and rows whose first cell is a name and whose second is its formula."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = field(default=())


LEAST = 20
"""A formula may wrap, but not into a column narrower than this."""


def lay_out(table: Table, width: int) -> list[Text]:
    """The lines of a table; none is wider than `width` as long as no single word is."""
    widths = _widths(table.columns, table.rows)
    free = width - sum(widths) + widths[1] - GAP * (len(widths) - 1)
    longest = max((cell_len(word) for row in table.rows for word in _words(row)), default=0)
    if free >= min(widths[1], max(LEAST, longest)) and widths[1] <= 2 * max(free, 1):
        widths[1] = min(widths[1], free)
        return [Text(table.title, style="bold"), *_table(table, widths, width)]
    return [Text(table.title, style="bold"), *_list(table, width)]


def _words(row: Row) -> list[str]:
    return row.cells[1].plain.split(" ")


def _widths(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    return [
        max(cell_len(column.heading), *(cell_len(row.cells[n].plain) for row in rows), 0)
        for n, column in enumerate(columns)
    ]


def _table(table: Table, widths: Sequence[int], width: int) -> list[Text]:
    headings = tuple(Text(column.heading, style="bold") for column in table.columns)
    lines = [_line(table.columns, headings, widths)]
    margin = widths[0] + GAP
    for row in table.rows:
        name, formula, *others = row.cells
        first, *rest = wrapped(formula, widths[1])
        lines.append(_line(table.columns, (name, first, *others), widths))
        below = [line for text in row.below for line in wrapped(text, width - margin)]
        lines += [Text(" " * margin) + line for line in (*rest, *below)]
    return lines


def _list(table: Table, width: int) -> list[Text]:
    """Each row as its formula, and what is known of it on a line below."""
    columns = table.columns[2:]
    widths = [
        max(cell_len(column.heading), *(cell_len(row.cells[n].plain) for row in table.rows), 0)
        for n, column in enumerate(columns, 2)
    ]
    margin = Text("    ")
    headings = tuple(Text(column.heading, style="bold") for column in columns)
    lines = [margin + _line(columns, headings, widths)]
    for row in table.rows:
        name, formula, *others = row.cells
        lines += wrapped(name + " = " + formula, width)
        lines += [margin + line for text in row.below for line in wrapped(text, width - 4)]
        lines.append(margin + _line(columns, tuple(others), widths))
    return lines


def _line(columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    at = 0
    for column, cell, width in zip(columns, cells, widths, strict=True):
        pad = max(0, width - cell_len(cell.plain))
        shift = pad if column.side == "right" else 0
        if cell.plain:
            line.append(" " * (at + shift - cell_len(line.plain)))
            line.append_text(cell)
        at += width + GAP
    return line


WIDE = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
OPENING, CLOSING = "（《“", "，。；：、！？）》”"
BETWEEN = re.compile(
    f"(?<=[{WIDE}])(?<![{OPENING}])(?![{CLOSING}])(?!$)|(?<=[^{OPENING}])(?=[{WIDE}])(?![{CLOSING}])"
)
"""Where Chinese, which has no spaces, may be broken: beside a character, but never after an opening
mark or before a closing one."""


def wrapped(text: Text, width: int, indent: int = 2) -> list[Text]:
    """A text broken before words where it is too long, later lines indented."""
    lines: list[Text] = []
    line = Text()
    for word in text.split(" "):
        for number, part in enumerate(
            word.divide([m.start() for m in BETWEEN.finditer(word.plain)])
        ):
            gap = " " if number == 0 and line.plain.strip() else ""
            if line.plain.strip() and cell_len(line.plain + gap + part.plain) > width:
                lines.append(line)
                line = Text(" " * indent)
                line.append_text(part)
            else:
                line.append(gap)
                line.append_text(part)
    return [*lines, line]
