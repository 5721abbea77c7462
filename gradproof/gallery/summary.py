"""A survey of the gallery to the lines of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.text import Text

from gradproof.engines.engine import ENGINES
from gradproof.gallery.survey import Outcome, Survey
from gradproof.report.table import GAP, wrapped

STYLES = {"✓": "green", "✗": "bold red", "?": "yellow", "!": "bold red"}
WORDS = {
    0: ("All hold", "bold green"),
    1: ("REFUTED", "bold red"),
    2: ("NOT VERIFIED", "bold red"),
    3: ("UNDECIDED", "bold yellow"),
}


def summary(survey: Survey, width: int) -> list[Text]:
    """One row for each network and one column for each engine; below, all that does not hold."""
    engines = list(dict.fromkeys(one.engine for one in survey.outcomes))
    networks = list(dict.fromkeys(one.network for one in survey.outcomes))
    found = {(one.network, one.engine): one for one in survey.outcomes}
    heads = ["network", "formulas", *(ENGINES[name].title for name in engines)]
    rows = [
        [
            Text(network),
            _verdicts(_formulas(survey, network), "proved"),
            *(_numbers(found[network, engine]) for engine in engines),
        ]
        for network in networks
    ]
    widths = [
        max(len(head), *(row[n].cell_len for row in rows)) + GAP for n, head in enumerate(heads)
    ]
    lines = [
        Text("".join(f"{h:{w}}" for h, w in zip(heads, widths, strict=True)).rstrip(), style="bold")
    ]
    for row in rows:
        line = Text()
        for cell, column in zip(row, widths, strict=True):
            line.append_text(cell)
            line.append(" " * (column - cell.cell_len))
        line.rstrip()
        lines.append(line)
    return [*lines, Text(), *_problems(survey, width), *_last(survey, width)]


def _formulas(survey: Survey, network: str) -> Mapping[str, int]:
    """The verdicts on a network's formulas, of the engine on whose numbers they stand worst."""
    found = [one.formulas for one in survey.outcomes if one.network == network and not one.failed]
    return max(
        found, key=lambda kinds: (kinds.get("refuted", 0), kinds.get("undecided", 0)), default={}
    )


def _numbers(one: Outcome) -> Text:
    if one.failed:
        return Text("! failed", style=STYLES["!"])
    text = _verdicts(one.numbers, "agrees")
    if one.layers:
        text.append(" + ")
        text.append_text(_verdicts(one.layers, "agrees"))
    return text


def _verdicts(kinds: Mapping[str, int], good: str) -> Text:
    """A count with its mark; how many are not good stands before how many there are."""
    total = sum(count for kind, count in kinds.items() if kind != "derived")
    if not total:
        return Text("·", style="dim")
    for kind, mark in (("refuted", "✗"), ("undecided", "?")):
        if kinds.get(kind):
            return Text(f"{mark} {kinds[kind]} of {total}", style=STYLES[mark])
    return Text(f"✓ {kinds.get(good, 0)}", style=STYLES["✓"])


def _problems(survey: Survey, width: int) -> list[Text]:
    lines: list[Text] = []
    for one in survey.outcomes:
        said = (f"could not be verified: {one.failed}",) if one.failed else one.problems
        head = f"{one.network} on {ENGINES[one.engine].title}: "
        for problem in said:
            lines += wrapped(Text(head + problem), width)
    return [*lines, Text()] if lines else []


def _last(survey: Survey, width: int) -> list[Text]:
    outcomes = survey.outcomes
    formulas: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for network in {one.network: None for one in outcomes}:
        formulas.update(_formulas(survey, network))
    for one in outcomes:
        numbers.update(one.numbers)
        numbers.update(one.layers)
    failed = sum(1 for one in outcomes if one.failed)
    networks = len({one.network for one in outcomes})
    engines = len({one.engine for one in outcomes})
    seconds = sum(one.seconds for one in outcomes)
    word, style = WORDS[survey.exit_code]
    text = Text()
    text.append(f"{word}: ", style=style)
    said = [
        f"{networks} networks on {engines} engine{'s' if engines > 1 else ''} in {survey.dtype}",
        f"formulas: {_counts(formulas)}",
        f"tensors: {_counts(numbers)}",
        f"largest share of a bound {max((one.largest_share for one in outcomes), default=0.0):.2f}",
        f"{seconds:.0f} s",
    ]
    if failed:
        said.insert(1, f"{failed} failed")
    text.append(" · ".join(said))
    legend = "Under an engine: tensors that agree, + those of its own layers."
    return [
        Text(legend, style="dim"),
        *(Text(f"{title} is not installed: {how}", "dim") for title, how in survey.missing.items()),
        *wrapped(text, width),
    ]


def _counts(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "none"
