"""Published mistakes to the lines of a terminal: the list of all, and the page of one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from rich.text import Text

from gradproof.core.told import told, told_as_is, told_row
from gradproof.gallery.entry import HEADINGS
from gradproof.gallery.erratum import Erratum
from gradproof.gallery.page import headed, paragraph
from gradproof.report.report import GradientRow
from gradproof.report.table import wrapped
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH
from gradproof.workbench import verify_source

INDENT = 2


def errata_listing(errata: Sequence[Erratum], width: int, lang: str = ENGLISH) -> list[Text]:
    """What each mistake is, where it was published, which gradient it breaks, and what hides it."""
    lines: list[Text] = []
    for one in errata:
        lines += [
            Text(one.name, style="bold"),
            *_indented(Text(in_language(told_as_is(one.what), lang)), width),
        ]
        for heading in HEADINGS:
            if heading in one.said:
                lines += _indented(headed(heading, paragraph(one.said[heading], lang), lang), width)
        broken = told_row(
            [
                told("∂l/∂{name} ({mistake})", name=name, mistake=told(mistake))
                for name, mistake in one.breaks.items()
            ]
        )
        breaks = headed(sentence("Breaks"), in_language(broken, lang), lang)
        lines += [*_indented(breaks, width), Text()]
    said = say(
        "gradproof gallery NAME shows one with the numbers that refute it; gradproof verify NAME "
        "refutes it on generic data, and shows that nothing is seen on the data that hide it.",
        lang,
    )
    return [*lines, *wrapped(Text(said, "dim"), width, indent=0)]


def erratum_page(one: Erratum, width: int, lang: str = ENGLISH) -> list[Text]:
    """Everything about one mistake: its source, its formulas, and the numbers that refute it."""
    lines = [
        Text(one.name, style="bold"),
        *wrapped(Text(in_language(told_as_is(one.what), lang)), width, indent=0),
    ]
    for heading in HEADINGS:
        if heading in one.said:
            lines += [
                Text(),
                *wrapped(headed(heading, paragraph(one.said[heading], lang), lang), width),
            ]
    lines += [Text(), Text(say("The formulas as they were published", lang), style="bold")]
    assert one.source.backward is not None
    code = inspect.getsource(one.source.backward).rstrip()
    lines += [Text(f"  {line}".rstrip()) for line in code.splitlines()]
    report = in_language(verify_source(one.source, {}, "numpy", "float64", 0, {}), lang)
    *hiding, generic = report.batches
    sizes = ", ".join(f"{name} = {size}" for name, size in generic.sizes.items())
    head = say("On generic data", lang)
    if sizes:
        head = say("{title} ({sizes})", lang, title=head, sizes=sizes)
    lines += [Text(), Text(head, style="bold")]
    for row in generic.gradients:
        if row.name in one.breaks:
            lines += _refuted(row, width, lang)
    for batch in hiding:
        seen = [r.symbol for r in batch.gradients if r.formula_verdict.kind == "refuted"]
        found = say("no difference can be seen.", lang)
        if seen:
            found = say("refuted: {gradients}.", lang, gradients=told_row(seen))
        head = say("On {title}", lang, title=batch.title)
        lines += [Text(), *wrapped(headed(head, found, lang), width)]
    return [*lines, Text(), Text(f"gradproof verify {one.name}", "dim")]


def _refuted(row: GradientRow, width: int, lang: str) -> list[Text]:
    """One wrong gradient: an element, its two numbers, and what was done."""
    found = row.formula_verdict.counter_example
    lines = [Text(f"  {row.derived}", style="bold")]
    if found is not None:
        where = f"[{', '.join(map(str, found.index))}]" if found.index else ""
        numbers = say(
            "{where}: as published {published}, true {true}",
            lang,
            where=told("element {index}", index=where) if where else told("its value"),
            published=_middle(found.claimed),
            true=_middle(found.true),
        )
        lines += _indented(Text(numbers), width)
    return [*lines, *(line for why in row.why for line in _indented(Text(why), width))]


def _middle(interval: str) -> str:
    """The middle of an interval that is written as ``[0.25 +/- 1e-17]``, in a few digits."""
    return f"{float(interval.strip('[]').partition(' ')[0]):.6g}"


def _indented(text: Text, width: int) -> list[Text]:
    margin = " " * INDENT
    return [Text(margin) + line for line in wrapped(text, width - INDENT, indent=2)]
