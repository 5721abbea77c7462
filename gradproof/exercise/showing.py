"""Marks to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from gradproof.exercise.grading import Grades
from gradproof.exercise.marking import WORDS, Kind, Mark, Marked, number
from gradproof.report.table import Column, Row, Table, lay_out, wrapped

SIGNS: dict[Kind, str] = {
    "right": "✓",
    "carried": "≈",
    "wrong": "✗",
    "undecided": "?",
    "blank": "·",
}

COLOURS: dict[Kind, str] = {
    "right": "green",
    "carried": "yellow",
    "wrong": "bold red",
    "undecided": "yellow",
    "blank": "dim",
}


def lines(marked: Marked, width: int) -> Iterator[Text]:
    """The marks of one file, a row for each gradient, with hints below those that need any."""
    rows = []
    for mark in marked.marks:
        cells = (
            Text(mark.symbol),
            Text(mark.answer or "—"),
            Text(f"{SIGNS[mark.kind]} {WORDS[mark.kind]}", style=COLOURS[mark.kind]),
        )
        rows.append(Row(cells, tuple(_below(mark))))
    columns = (Column("gradient"), Column("your formula"), Column("mark"))
    yield from lay_out(Table(f"Marks of {marked.name}", columns, tuple(rows)), width)
    yield Text()
    yield from wrapped(total(marked), width)


def _below(mark: Mark) -> Iterator[Text]:
    if mark.hints and mark.line:
        yield Text(mark.line, style="dim")
    for hint in mark.hints:
        yield Text(hint)
    if mark.solution:
        yield Text(f"solution: {mark.solution}")


def total(marked: Marked) -> Text:
    """How many of the gradients that were asked for have which mark."""
    counts = Counter(mark.kind for mark in marked.marks)
    said = ", ".join(f"{counts[kind]} {WORDS[kind]}" for kind in WORDS if counts[kind])
    style = {0: "bold green", 1: "bold red"}.get(marked.exit_code, "bold yellow")
    return Text(f"Of {len(marked.marks)} asked: {said}.", style=style)


def table(grades: Grades, width: int) -> Iterator[Text]:
    """A class: a line for each file, with its points and a sign for each gradient."""
    asked = grades.asked
    rows = []
    for one in grades.files:
        kinds = {mark.of: mark.kind for mark in one.marks}
        points = f"{number(one.points(grades.carried))} of {len(asked)}"
        signs = Text()
        for of in asked:
            kind = kinds.get(of)
            signs.append(f"{SIGNS[kind] if kind else ' '} {of}  ", style=COLOURS.get(kind, "dim"))
        signs.rstrip()
        below = (Text(" ".join(one.problem.split()), style="bold red"),) if one.problem else ()
        what = Text("not marked", style="bold red") if one.problem else signs
        rows.append(Row((Text(one.name), what, Text(points)), below))
    columns = (Column("file"), Column("marks"), Column("points", "right"))
    head = f"{len(grades.files)} answers" + (f" to {grades.exercise}" if grades.exercise else "")
    yield from lay_out(Table(head, columns, tuple(rows)), width)
    yield Text()
    yield Text("  ".join(f"{SIGNS[kind]} {word}" for kind, word in WORDS.items()), style="dim")
