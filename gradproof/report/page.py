"""A document to one page of HTML that needs nothing beside it: no request, no server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gradproof.ink.latex import name_parts
from gradproof.ink.mathml import LETTERS
from gradproof.report.assets import font_face, template_text
from gradproof.report.document import RANK, Card, Document, StepByStep
from gradproof.report.graph import Graph, Node, graph, path
from gradproof.report.packed import pack
from gradproof.report.report import WORDS
from gradproof.words import in_language, say
from gradproof.words.say import ENGLISH

MARKS = {"proved": "✓", "agrees": "✓", "derived": "·", "refuted": "✗", "undecided": "?"}

ASIDE = 3.0
"""Pixels between an edge and the middle of the two that run beside one another."""

MOST_OPEN = 60
"""A page with the steps of more gradients has them packed."""

UNSEEN = ("mathml", "look")
"""What a page embeds only as what it shows: the same stands in the data as text and LaTeX."""


def page(document: Document, lang: str = ENGLISH) -> str:
    """The page of a document: HTML with its styles, its font, its script and its data inside.

    Text of the user's is escaped wherever it stands. The policy of the page lets it load nothing
    and run no script but its own.

    Args:
        document: what the page shows.
        lang: the language of its sentences, also of those in its data.

    Raises:
        DataError: there is no such language.
    """
    document = in_language(document, lang)
    packed = ""
    if sum(card.steps is not None for card in document.gradients) > MOST_OPEN:
        packed = pack(document.gradients, partial(_inside, lang))
    drawing = graph(document)
    script = template_text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment("gradproof.report")
        .get_template("page.html")
        .render(
            document=document,
            lang=lang,
            say=partial(_said, lang),
            verdicts=WORDS,
            marks=MARKS,
            outcome=_outcome(document, lang),
            counts=_counts(document, lang),
            graph=drawing,
            nodes=_nodes(document, drawing, lang),
            edges=[_drawn(edge.points, back=edge.back) for edge in drawing.edges],
            style=_style(),
            script=script,
            allowed=f"sha256-{digest}",
            data=_data(document, lang, packed=bool(packed)),
            packed=packed,
            same=_same,
            formula_kind=_formula_kind,
            engine_kind=_engine_kind,
            place=_place,
            troubles=partial(_troubles, lang=lang),
            on_line=lambda number: _on_line(document, number),
        )
    )


def _inside(lang: str, steps: StepByStep) -> str:
    """The steps of a card as HTML."""
    template = environment("gradproof.report").get_template("steps.html")
    module = template.make_module({"say": partial(_said, lang)})
    return str(module.inside(steps))  # type: ignore[attr-defined]


def _said(lang: str, template: str, **values: object) -> str:
    return say(template, lang, **values)


@cache
def environment(package: str) -> Environment:
    """The templates of a package, which escape every text and miss no variable."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return f"{font_face()}\n{template_text('page.css')}"


def _data(document: Document, lang: str, *, packed: bool) -> str:
    """The document as JSON that may stand in a script element; steps that are packed are not in
    it."""
    if packed:
        bare = tuple(replace(card, steps=None) for card in document.gradients)
        document = replace(document, gradients=bare)
    plain = json.loads(document.to_json())
    whole = json.dumps({**_seen(plain), "words": _words(lang)}, ensure_ascii=False)
    return whole.replace("<", "\\u003c").replace("\u2028", "\\u2028")


def _words(lang: str) -> dict[str, object]:
    """What the page's script says; it fills the slots."""
    return {
        "copied": say("Copied", lang),
        "linked": say("Link copied", lang),
        "not_copied": say("The browser does not let this page copy", lang),
        "not_unpacked": say(
            "This browser cannot unpack the steps; gradproof derive --detail steps prints them.",
            lang,
        ),
        "picture": say("how much of its bound each element uses", lang),
        "of_bound": say("{share} of its bound", lang, share="{}"),
        "no_bound": say("no bound", lang),
        "digits": say("{digits} certified digits", lang, digits="{}"),
        "most_at": say("most at {place}", lang, place="{}"),
        "layer": say("its own layer:", lang),
        "hand": say("by your formula", lang),
        "plain": say("by formula, in NumPy", lang),
        "true_value": say("true value", lang),
        "marks": MARKS,
        "kinds": {kind: say(word, lang) for kind, word in WORDS.items()},
    }


def _seen(value: object) -> object:
    match value:
        case dict():
            return {key: _seen(item) for key, item in value.items() if key not in UNSEEN}
        case list():
            return [_seen(item) for item in value]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Count:
    """How often a verdict was given, in words."""

    kind: str
    words: str


def _outcome(document: Document, lang: str) -> Count:
    return {
        0: Count("proved", say("All hold", lang)),
        1: Count("refuted", say("Refuted: something here is wrong", lang)),
        3: Count("undecided", say("Undecided: not everything could be judged", lang)),
    }[document.exit_code]


def _counts(document: Document, lang: str) -> list[Count]:
    """The verdicts on formulas, then those on engines' gradients."""
    formulas: Counter[str] = Counter()
    engines: dict[str, Counter[str]] = {engine: Counter() for engine in document.engines}
    for card in document.gradients:
        said = [t.formula.kind for t in card.trials if t.formula is not None]
        formulas[min(said, key=RANK.index)] += max(1, len(card.members))
        for trial in card.trials:
            for evidence in trial.engines:
                engines[evidence.engine][evidence.verdict.kind] += 1
    found = [Count(kind, _formulas(number, kind, lang)) for kind, number in _ranked(formulas)]
    for engine, counted in engines.items():
        for kind, number in _ranked(counted):
            verdict = say(WORDS[kind], lang)
            said = say(
                "{engine}: {count} {verdict}", lang, engine=engine, count=number, verdict=verdict
            )
            found.append(Count(kind, said))
    return found


def _formulas(number: int, kind: str, lang: str) -> str:
    verdict = say(WORDS[kind], lang)
    if number == 1:
        return say("1 formula {verdict}", lang, verdict=verdict)
    return say("{count} formulas {verdict}", lang, count=number, verdict=verdict)


def _ranked(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda pair: RANK.index(pair[0]))


@dataclass(frozen=True, slots=True)
class Drawn:
    """An edge as two paths, forward and, where a gradient flows, back."""

    on: str
    home: str


def _drawn(points: tuple[tuple[float, float], ...], *, back: bool) -> Drawn:
    if not back:
        return Drawn(path(points, 0.0), "")
    return Drawn(path(points, ASIDE), path(points, -ASIDE, backwards=True))


@dataclass(frozen=True, slots=True)
class Shown:
    """A node as it is drawn: where, under which card, with which verdict."""

    x: float
    y: float
    width: float
    role: str
    kind: str
    card: str
    title: str
    label: Markup
    loop: bool


def _nodes(document: Document, drawing: Graph, lang: str) -> list[Shown]:
    gradients = {card.key: card for card in document.gradients}
    values = {card.key: card for card in document.forward}
    return [_shown(node, gradients, values, lang) for node in drawing.nodes]


def _shown(
    node: Node, gradients: Mapping[str, Card], values: Mapping[str, Card], lang: str
) -> Shown:
    gradient, value = gradients.get(node.gradient), values.get(node.key)
    titles = [one.formulas[-1].text for one in (value, gradient) if one is not None]
    if gradient is not None:
        titles.append(say(WORDS[gradient.kind], lang))
    kind = gradient.kind if gradient is not None else value.kind if value is not None else ""
    card = node.gradient or (node.key if value is not None else "forward")
    title = "\n".join(titles or [node.name])
    return Shown(
        node.x, node.y, node.width, node.role, kind, card, title, _label(node.name), node.loop
    )


def _label(name: str) -> Markup:
    """A name as SVG text, single letters in mathematical italics."""
    parts = name_parts(name)
    if parts is None:
        return Markup(escape(name))
    below = ",".join(map(_italic, parts.subscripts))
    written = escape(_italic(parts.stem) + "′" * parts.primes)
    if parts.layer:
        written += Markup('<tspan class="below" dy="-6">({})</tspan>').format(_italic(parts.layer))
    if below:
        drop = 10 if parts.layer else 4
        written += Markup('<tspan class="below" dy="{}">{}</tspan>').format(drop, below)
    return Markup(written)


def _italic(word: str) -> str:
    """One Latin letter as the italic of mathematics; anything else as it is."""
    letter = LETTERS.get(word, word)
    if letter == "h":
        return "ℎ"
    if len(letter) == 1 and letter.isascii() and letter.isalpha():
        return chr((0x1D44E if letter.islower() else 0x1D434) + ord(letter.lower()) - ord("a"))
    return letter


def _formula_kind(card: Card) -> str:
    """The worst verdict on a gradient's formula."""
    found = [trial.formula.kind for trial in card.trials if trial.formula is not None]
    return min(found, key=RANK.index)


def _engine_kind(card: Card) -> str:
    """The worst verdict on engines' numbers, those of their own layers too."""
    found = []
    for evidence in (one for trial in card.trials for one in trial.engines):
        found += [v.kind for v in (evidence.verdict, evidence.native) if v is not None]
    return min(found, key=RANK.index)


def _same(card: Card) -> bool:
    """Whether the user's formula reads like the derived one."""
    return len(card.yours) == 1 and card.yours[0].text == card.formulas[-1].text


def _place(card: Card, index: tuple[int, ...]) -> str:
    return f"{card.symbol}[{', '.join(map(str, index))}]" if index else card.symbol


def _troubles(card: Card, lang: str) -> list[tuple[str, str]]:
    """What is wrong or open with engines' numbers, once for each sentence."""
    found: dict[tuple[str, str], None] = {}
    for trial in card.trials:
        for evidence in trial.engines:
            for verdict, title in (
                (evidence.verdict, evidence.engine),
                (evidence.native, say("{engine}, its own layer", lang, engine=evidence.engine)),
            ):
                if verdict is not None and verdict.kind in ("refuted", "undecided"):
                    word = say(WORDS[verdict.kind], lang)
                    said = say("{verdict}: {because}.", lang, verdict=word, because=verdict.because)
                    found[title, said] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class OnLine:
    """The cards that speak of one line of the source, and the worst of their verdicts."""

    kind: str
    cards: tuple[Card, ...]


def _on_line(document: Document, number: int) -> OnLine:
    here = tuple(
        card
        for card in (*document.gradients, *document.forward)
        if card.place is not None and card.place.line == number
    )
    bad = [card.kind for card in here if card.kind in ("refuted", "undecided")]
    return OnLine(min(bad, key=RANK.index) if bad else "", here)
