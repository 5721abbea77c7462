"""Marks to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from gradproof.core.told import told_row
from gradproof.exercise.grading import Grades
from gradproof.exercise.marking import WORDS, Kind, Mark, Marked, number
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.words import in_language, say
from gradproof.words.say import ENGLISH

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


def lines(marked: Marked, width: int, lang: str = ENGLISH) -> Iterator[Text]:
    """The marks of one file, a row for each gradient, with hints below those that need any."""
    marked = in_language(marked, lang)
    rows = []
    for mark in marked.marks:
        cells = (
            Text(mark.symbol),
            Text(mark.answer or "—"),
            Text(f"{SIGNS[mark.kind]} {say(WORDS[mark.kind], lang)}", style=COLOURS[mark.kind]),
        )
        rows.append(Row(cells, tuple(_below(mark, lang))))
    columns = (
        Column(say("gradient", lang)),
        Column(say("your formula", lang)),
        Column(say("mark", lang)),
    )
    yield from lay_out(
        Table(say("Marks of {file}", lang, file=marked.name), columns, tuple(rows)), width
    )
    yield Text()
    yield from wrapped(total(marked, lang), width)


def _below(mark: Mark, lang: str) -> Iterator[Text]:
    if mark.hints and mark.line:
        yield Text(mark.line, style="dim")
    for hint in mark.hints:
        yield Text(hint)
    if mark.solution:
        yield Text(say("solution: {formula}", lang, formula=mark.solution))


def total(marked: Marked, lang: str = ENGLISH) -> Text:
    """How many of the gradients that were asked for have which mark."""
    counts = Counter(mark.kind for mark in marked.marks)
    said = told_row(
        [
            say("{count} {verdict}", lang, count=counts[kind], verdict=say(WORDS[kind], lang))
            for kind in WORDS
            if counts[kind]
        ]
    )
    style = {0: "bold green", 1: "bold red"}.get(marked.exit_code, "bold yellow")
    return Text(
        say("Of {count} asked: {marks}.", lang, count=len(marked.marks), marks=said), style=style
    )


def table(grades: Grades, width: int, lang: str = ENGLISH) -> Iterator[Text]:
    """A class: a line for each file, with its points and a sign for each gradient."""
    asked = grades.asked
    rows = []
    for one in grades.files:
        kinds = {mark.of: mark.kind for mark in one.marks}
        points = say(
            "{points} of {most}", lang, points=number(one.points(grades.carried)), most=len(asked)
        )
        signs = Text()
        for of in asked:
            kind = kinds.get(of)
            signs.append(f"{SIGNS[kind] if kind else ' '} {of}  ", style=COLOURS.get(kind, "dim"))
        signs.rstrip()
        problem = " ".join(in_language(one.problem, lang).split())
        below = (Text(problem, style="bold red"),) if one.problem else ()
        what = Text(say("not marked", lang), style="bold red") if one.problem else signs
        rows.append(Row((Text(one.name), what, Text(points)), below))
    columns = (
        Column(say("file", lang)),
        Column(say("marks", lang)),
        Column(say("points", lang), "right"),
    )
    count = len(grades.files)
    head = say("{count} answers", lang, count=count)
    if grades.exercise:
        head = say("{count} answers to {exercise}", lang, count=count, exercise=grades.exercise)
    yield from lay_out(Table(head, columns, tuple(rows)), width)
    yield Text()
    yield Text(
        "  ".join(f"{SIGNS[kind]} {say(word, lang)}" for kind, word in WORDS.items()), style="dim"
    )
