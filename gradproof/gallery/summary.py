"""A survey of the gallery to the lines of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gradproof.core.told import told, told_row
from gradproof.engines.engine import ENGINES
from gradproof.gallery.survey import Outcome, Survey
from gradproof.report.report import WORDS as VERDICTS
from gradproof.report.table import GAP, wrapped
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH

STYLES = {"✓": "green", "✗": "bold red", "?": "yellow", "!": "bold red"}
WORDS = {
    0: (sentence("All hold"), "bold green"),
    1: (sentence("REFUTED"), "bold red"),
    2: (sentence("NOT VERIFIED"), "bold red"),
    3: (sentence("UNDECIDED"), "bold yellow"),
}


def summary(survey: Survey, width: int, lang: str = ENGLISH) -> list[Text]:
    """One row for each network and one column for each engine; below, all that does not hold."""
    survey = in_language(survey, lang)
    engines = list(dict.fromkeys(one.engine for one in survey.outcomes))
    networks = list(dict.fromkeys(one.network for one in survey.outcomes))
    found = {(one.network, one.engine): one for one in survey.outcomes}
    heads = [
        say("network", lang),
        say("formulas", lang),
        *(ENGINES[name].title for name in engines),
    ]
    rows = [
        [
            Text(network),
            _verdicts(_formulas(survey, network), "proved", lang),
            *(_numbers(found[network, engine], lang) for engine in engines),
        ]
        for network in networks
    ]
    widths = [
        max(cell_len(head), *(row[n].cell_len for row in rows)) + GAP
        for n, head in enumerate(heads)
    ]
    lines = [
        Text(
            "".join(set_cell_size(h, w) for h, w in zip(heads, widths, strict=True)).rstrip(),
            style="bold",
        )
    ]
    for row in rows:
        line = Text()
        for cell, column in zip(row, widths, strict=True):
            line.append_text(cell)
            line.append(" " * (column - cell.cell_len))
        line.rstrip()
        lines.append(line)
    return [*lines, Text(), *_problems(survey, width, lang), *_last(survey, width, lang)]


def _formulas(survey: Survey, network: str) -> Mapping[str, int]:
    """The verdicts on a network's formulas, of the engine on whose numbers they stand worst."""
    found = [one.formulas for one in survey.outcomes if one.network == network and not one.failed]
    return max(
        found, key=lambda kinds: (kinds.get("refuted", 0), kinds.get("undecided", 0)), default={}
    )


def _numbers(one: Outcome, lang: str) -> Text:
    if one.failed:
        return Text(say("! failed", lang), style=STYLES["!"])
    text = _verdicts(one.numbers, "agrees", lang)
    if one.layers:
        text.append(" + ")
        text.append_text(_verdicts(one.layers, "agrees", lang))
    return text


def _verdicts(kinds: Mapping[str, int], good: str, lang: str) -> Text:
    """A count with its mark; how many are not good stands before how many there are."""
    total = sum(count for kind, count in kinds.items() if kind != "derived")
    if not total:
        return Text("·", style="dim")
    for kind, mark in (("refuted", "✗"), ("undecided", "?")):
        if kinds.get(kind):
            part = say("{some} of {all}", lang, some=kinds[kind], all=total)
            return Text(f"{mark} {part}", style=STYLES[mark])
    return Text(f"✓ {kinds.get(good, 0)}", style=STYLES["✓"])


def _problems(survey: Survey, width: int, lang: str) -> list[Text]:
    lines: list[Text] = []
    for one in survey.outcomes:
        said = one.problems
        if one.failed:
            said = (say("could not be verified: {problem}", lang, problem=one.failed),)
        for problem in said:
            line = say(
                "{network} on {engine}: {problem}",
                lang,
                network=one.network,
                engine=ENGINES[one.engine].title,
                problem=problem,
            )
            lines += wrapped(Text(line), width)
    return [*lines, Text()] if lines else []


def _last(survey: Survey, width: int, lang: str) -> list[Text]:
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
    text.append(say("{outcome}: ", lang, outcome=say(word, lang)), style=style)
    share = max((one.largest_share for one in outcomes), default=0.0)
    one_engine = say(
        "{networks} networks on 1 engine in {dtype}", lang, networks=networks, dtype=survey.dtype
    )
    several = say(
        "{networks} networks on {engines} engines in {dtype}",
        lang,
        networks=networks,
        engines=engines,
        dtype=survey.dtype,
    )
    said = [
        several if engines > 1 else one_engine,
        *([say("{count} failed", lang, count=failed)] if failed else []),
        say("formulas: {counts}", lang, counts=_counts(formulas)),
        say("tensors: {counts}", lang, counts=_counts(numbers)),
        say("largest share of a bound {share:.2f}", lang, share=share),
        f"{seconds:.0f} s",
    ]
    text.append(" · ".join(said))
    legend = say("Under an engine: tensors that agree, + those of its own layers.", lang)
    return [
        Text(legend, style="dim"),
        *(
            Text(say("{engine} is not installed: {how}", lang, engine=title, how=how), "dim")
            for title, how in survey.missing.items()
        ),
        *wrapped(text, width),
    ]


def _counts(kinds: Mapping[str, int]) -> str:
    counts = [
        told("{count} {verdict}", count=count, verdict=told(VERDICTS[kind]))
        for kind, count in kinds.items()
        if count
    ]
    return told_row(counts) or told("none")
