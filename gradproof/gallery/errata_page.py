"""Published mistakes to the lines of a terminal: the list of all, and the page of one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from rich.text import Text

from gradproof.gallery.entry import HEADINGS
from gradproof.gallery.erratum import Erratum
from gradproof.gallery.page import headed
from gradproof.report.report import GradientRow
from gradproof.report.table import wrapped
from gradproof.workbench import verify_source

INDENT = 2


def errata_listing(errata: Sequence[Erratum], width: int) -> list[Text]:
    """What each mistake is, where it was published, which gradient it breaks, and what hides it."""
    lines: list[Text] = []
    for one in errata:
        lines += [Text(one.name, style="bold"), *_indented(Text(one.what), width)]
        for heading in HEADINGS:
            if heading in one.said:
                lines += _indented(headed(heading, one.said[heading]), width)
        broken = ", ".join(f"∂l/∂{name} ({mistake})" for name, mistake in one.breaks.items())
        lines += [*_indented(headed("Breaks", broken), width), Text()]
    said = (
        "gradproof gallery NAME shows one with the numbers that refute it; gradproof verify NAME "
        "refutes it on generic data, and shows that nothing is seen on the data that hide it."
    )
    return [*lines, *wrapped(Text(said, "dim"), width, indent=0)]


def erratum_page(one: Erratum, width: int) -> list[Text]:
    """Everything about one mistake: its source, its formulas, and the numbers that refute it."""
    lines = [Text(one.name, style="bold"), *wrapped(Text(one.what), width, indent=0)]
    for heading in HEADINGS:
        if heading in one.said:
            lines += [Text(), *wrapped(headed(heading, one.said[heading]), width)]
    lines += [Text(), Text("The formulas as they were published", style="bold")]
    assert one.source.backward is not None
    code = inspect.getsource(one.source.backward).rstrip()
    lines += [Text(f"  {line}".rstrip()) for line in code.splitlines()]
    report = verify_source(one.source, {}, "numpy", "float64", 0, {})
    *hiding, generic = report.batches
    sizes = ", ".join(f"{name} = {size}" for name, size in generic.sizes.items())
    lines += [Text(), Text(f"On generic data{f' ({sizes})' if sizes else ''}", style="bold")]
    for row in generic.gradients:
        if row.name in one.breaks:
            lines += _refuted(row, width)
    for batch in hiding:
        seen = [r.symbol for r in batch.gradients if r.formula_verdict.kind == "refuted"]
        found = f"refuted: {', '.join(seen)}" if seen else "no difference can be seen"
        lines += [Text(), *wrapped(headed(f"On {batch.title}", f"{found}."), width)]
    return [*lines, Text(), Text(f"gradproof verify {one.name}", "dim")]


def _refuted(row: GradientRow, width: int) -> list[Text]:
    """One wrong gradient: an element, its two numbers, and what was done."""
    found = row.formula_verdict.counter_example
    lines = [Text(f"  {row.derived}", style="bold")]
    if found is not None:
        where = f"[{', '.join(map(str, found.index))}]" if found.index else ""
        said = f"element {where}" if where else "its value"
        published, true = _middle(found.claimed), _middle(found.true)
        lines += _indented(Text(f"{said}: as published {published}, true {true}"), width)
    return [*lines, *(line for why in row.why for line in _indented(Text(why), width))]


def _middle(interval: str) -> str:
    """The middle of an interval that is written as ``[0.25 +/- 1e-17]``, in a few digits."""
    return f"{float(interval.strip('[]').partition(' ')[0]):.6g}"


def _indented(text: Text, width: int) -> list[Text]:
    margin = " " * INDENT
    return [Text(margin) + line for line in wrapped(text, width - INDENT, indent=2)]
