"""What is known of networks to the lines of a terminal: the list of all, and the page of one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from rich.text import Text

from gradproof.engines.engine import ENGINES
from gradproof.gallery.entry import HEADINGS, Entry
from gradproof.report.table import GAP, wrapped
from gradproof.trace.source import Source
from gradproof.workbench import derive_source

FRAMEWORKS = tuple(name for name in ENGINES if name != "numpy")
"""NumPy has no layers."""

LAYERS, CODE = "layers", "code"

TIE = "\u00a0"
"""Between a name and its shape, which stay on one line."""


def listing(entries: Sequence[Entry], width: int) -> list[Text]:
    """The list of networks: what each is, its tensors, and where a framework has layers for it."""
    name_width = max(len("network"), *(len(one.name) for one in entries)) + GAP
    columns = [max(len(ENGINES[name].title), len(LAYERS)) + GAP for name in FRAMEWORKS]
    free = width - name_width - sum(columns)
    heads = "".join(
        f"{ENGINES[name].title:>{w}}" for name, w in zip(FRAMEWORKS, columns, strict=True)
    )
    lines = [Text(f"{'network':{name_width}}{'what it is':{free}}{heads}", style="bold")]
    for one in entries:
        first, *rest = wrapped(Text(one.what), free, indent=0)
        marks = "".join(
            f"{LAYERS if name in one.own_layers else CODE:>{w}}"
            for name, w in zip(FRAMEWORKS, columns, strict=True)
        )
        lines.append(Text(f"{one.name:{name_width}}{first.plain:{free}}{marks}"))
        margin = " " * name_width
        lines += [Text(margin + line.plain) for line in rest]
        lines += [
            Text(margin + line.plain.replace(TIE, " "), style="dim")
            for line in wrapped(Text(_tensors(one)), width - name_width, indent=0)
        ]
    lines.append(Text())
    return [*lines, *(Text(line, style="dim") for line in _legend(width))]


def _legend(width: int) -> list[str]:
    said = (
        f"{CODE}: the framework runs the network's own code under its autodiff. {LAYERS}: it also "
        "computes the network with layers of its own. NumPy runs every one. "
        "gradproof gallery NAME shows one, gradproof verify NAME checks it."
    )
    return [line.plain for line in wrapped(Text(said), width, indent=0)]


def _tensors(one: Entry) -> str:
    """The shapes of the inputs; lists of weights as one."""
    families: dict[str, list[str]] = {}
    for name, shape in one.shapes.items():
        said = "×".join(str(size) for size in shape) or "scalar"
        families.setdefault(name.partition("[")[0], []).append(said)
    return "   ".join(f"{name}{TIE}{', '.join(shapes)}" for name, shapes in families.items())


def page(one: Entry, source: Source, width: int) -> list[Text]:
    """Everything about one network: what its file says, its equations, its published formulas."""
    lines = [Text(one.name, style="bold"), *wrapped(Text(one.what), width, indent=0)]
    for heading in HEADINGS:
        if heading in one.said:
            lines += [Text(), *wrapped(headed(heading, one.said[heading]), width)]
    lines += [Text(), *wrapped(headed("Engines", _engines(one)), width)]
    if one.samples:
        samples = f"{'; '.join(one.samples)}. They are checked beside generic data."
        lines += [Text(), *wrapped(headed("Samples", samples), width)]
    equations = derive_source(source, {}, {}).to_text()
    lines += [Text(), *(Text(line) for line in equations.splitlines())]
    if source.backward is not None:
        code = inspect.getsource(source.backward).rstrip()
        lines += [Text(), Text("The published formulas, as they are verified", style="bold")]
        lines += [Text(f"  {line}".rstrip()) for line in code.splitlines()]
    verbs = ("verify", "derive", "explain")
    return [*lines, Text(), *(Text(f"gradproof {verb} {one.name}", "dim") for verb in verbs)]


def headed(heading: str, said: str) -> Text:
    """A paragraph under its heading."""
    text = Text()
    text.append(f"{heading}: ", style="bold")
    text.append(said)
    return text


def _engines(one: Entry) -> str:
    titles = [
        ENGINES[name].title + (" (also its own layers)" if name in one.own_layers else "")
        for name in ENGINES
    ]
    return ", ".join(titles) + "."
