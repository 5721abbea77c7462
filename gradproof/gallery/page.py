"""What is known of networks to the lines of a terminal: the list of all, and the page of one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gradproof.core.told import told, told_as_is, told_clauses, told_row
from gradproof.engines.engine import ENGINES
from gradproof.gallery.entry import HEADINGS, Entry
from gradproof.report.table import GAP, wrapped
from gradproof.trace.source import Source
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH
from gradproof.workbench import derive_source

FRAMEWORKS = tuple(name for name in ENGINES if name != "numpy")
"""NumPy has no layers."""

LAYERS, CODE = sentence("layers"), sentence("code")

NETWORK = sentence("network")

TIE = "\u00a0"
"""Between a name and its shape, which stay on one line."""


def listing(entries: Sequence[Entry], width: int, lang: str = ENGLISH) -> list[Text]:
    """The list of networks: what each is, its tensors, and where a framework has layers for it."""
    network, layers, code = (say(word, lang) for word in (NETWORK, LAYERS, CODE))
    name_width = max(cell_len(network), *(len(one.name) for one in entries)) + GAP
    columns = [max(len(ENGINES[name].title), cell_len(layers)) + GAP for name in FRAMEWORKS]
    free = width - name_width - sum(columns)
    heads = "".join(
        _right(ENGINES[name].title, w) for name, w in zip(FRAMEWORKS, columns, strict=True)
    )
    titled = set_cell_size(network, name_width) + set_cell_size(say("what it is", lang), free)
    lines = [Text(titled + heads, style="bold")]
    for one in entries:
        first, *rest = wrapped(Text(in_language(told_as_is(one.what), lang)), free, indent=0)
        marks = "".join(
            _right(layers if name in one.own_layers else code, w)
            for name, w in zip(FRAMEWORKS, columns, strict=True)
        )
        lines.append(Text(f"{one.name:{name_width}}{set_cell_size(first.plain, free)}{marks}"))
        margin = " " * name_width
        lines += [Text(margin + line.plain) for line in rest]
        lines += [
            Text(margin + line.plain.replace(TIE, " "), style="dim")
            for line in wrapped(Text(_tensors(one, lang)), width - name_width, indent=0)
        ]
    lines.append(Text())
    return [*lines, *(Text(line, style="dim") for line in _legend(width, lang))]


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _legend(width: int, lang: str) -> list[str]:
    said = say(
        "code: the framework runs the network's own code under its autodiff. layers: it also "
        "computes the network with layers of its own. NumPy runs every one. "
        "gradproof gallery NAME shows one, gradproof verify NAME checks it.",
        lang,
    )
    return [line.plain for line in wrapped(Text(said), width, indent=0)]


def _tensors(one: Entry, lang: str) -> str:
    """The shapes of the inputs; lists of weights as one."""
    families: dict[str, list[str]] = {}
    for name, shape in one.shapes.items():
        said = "×".join(str(size) for size in shape) or say("scalar", lang)
        families.setdefault(name.partition("[")[0], []).append(said)
    return "   ".join(f"{name}{TIE}{', '.join(shapes)}" for name, shapes in families.items())


def page(one: Entry, source: Source, width: int, lang: str = ENGLISH) -> list[Text]:
    """Everything about one network: what its file says, its equations, its published formulas."""
    what = in_language(told_as_is(one.what), lang)
    lines = [Text(one.name, style="bold"), *wrapped(Text(what), width, indent=0)]
    for heading in HEADINGS:
        if heading in one.said:
            lines += [
                Text(),
                *wrapped(headed(heading, paragraph(one.said[heading], lang), lang), width),
            ]
    lines += [Text(), *wrapped(headed(sentence("Engines"), _engines(one, lang), lang), width)]
    if one.samples:
        samples = say(
            "{samples}. They are checked beside generic data.",
            lang,
            samples=told_clauses([told_as_is(title) for title in one.samples]),
        )
        lines += [Text(), *wrapped(headed(sentence("Samples"), samples, lang), width)]
    equations = derive_source(source, {}, {}).to_text(lang=lang)
    lines += [Text(), *(Text(line) for line in equations.splitlines())]
    if source.backward is not None:
        code = inspect.getsource(source.backward).rstrip()
        lines += [
            Text(),
            Text(say("The published formulas, as they are verified", lang), style="bold"),
        ]
        lines += [Text(f"  {line}".rstrip()) for line in code.splitlines()]
    verbs = ("verify", "derive", "explain")
    return [*lines, Text(), *(Text(f"gradproof {verb} {one.name}", "dim") for verb in verbs)]


def paragraph(said: str, lang: str) -> str:
    """A paragraph of a docstring; where it comes from is cited as it is."""
    return in_language(told_as_is(said), lang)


def headed(heading: str, said: str, lang: str = ENGLISH) -> Text:
    """A paragraph under its heading."""
    text = Text()
    text.append(say("{heading}: ", lang, heading=say(heading, lang)), style="bold")
    text.append(said)
    return text


def _engines(one: Entry, lang: str) -> str:
    titles = [
        told("{engine} (also its own layers)", engine=ENGINES[name].title)
        if name in one.own_layers
        else ENGINES[name].title
        for name in ENGINES
    ]
    return say("{engines}.", lang, engines=told_row(titles))
