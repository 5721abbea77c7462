"""A derivation to the page of its steps: every gradient's lines, judged, in plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradproof.core.index import Size
from gradproof.core.program import Derivation, shapes
from gradproof.derivation.routes import routes
from gradproof.ink.latex import plain_names
from gradproof.judge.assumed import Assumption, assumed
from gradproof.judge.equations import Sure
from gradproof.judge.steps import Bench, judge
from gradproof.report.methods import methods
from gradproof.words import listed, say, sentence
from gradproof.write.convention import Convention, shape_text
from gradproof.write.layers import NONE, Layers, raised
from gradproof.write.notation import Notation, Symbol
from gradproof.write.pairing import Passage, Written, lay_out
from gradproof.write.rolled import LETTER
from gradproof.write.ways import Section, sections, sections_page

IN_THE_LOSS = sentence("{of} stands in the loss itself.")
ONE_WAY = sentence("{of} reaches the loss through {readers}.")
EVERY_TURN = sentence("{of} reaches the loss through {readers}: one path for each turn.")
WAYS = sentence("{of} reaches the loss in {count} ways, through {readers}: the sum over the paths.")
THROUGH = sentence("Through {reader}")
LATER = sentence("Through {reader}, one turn later")
IN_LOSS = sentence("In the loss itself")

NOT_PROVED = sentence("not proved")


@dataclass(frozen=True, slots=True)
class Said:
    """A template, and what stands in its slots: notation, or words."""

    template: str
    slots: Mapping[str, Notation | tuple[Notation, ...] | str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as it was written, and how it was proved; `None` if it was not."""

    written: Written
    sure: Sure | None


@dataclass(frozen=True, slots=True)
class Part:
    """One way: its title, for which turns it is, and its lines."""

    title: Said
    range: str
    lines: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Gradient:
    """The steps of one gradient: what it is of, its shape and range, and its ways; ``key`` is the
    target of its equation on the page."""

    key: str
    target: Notation
    of: str
    members: tuple[str, ...]
    shape: str
    range: str
    intro: Said
    parts: tuple[Part, ...]
    closing: tuple[Shown, ...]
    assumptions: tuple[Assumption, ...]


@dataclass(frozen=True, slots=True)
class StepsPage:
    """The steps of a whole derivation; the inks raise the numbers of `layers`."""

    gradients: tuple[Gradient, ...]
    plain: frozenset[str]
    tensors: frozenset[str]
    layers: Layers = NONE

    def checked(self, lang: str) -> list[str]:
        """What was proved and how, in sentences."""
        return _checked([one for gradient in self.gradients for one in _all(gradient)], lang)


def steps_page(
    derivation: Derivation,
    convention: Convention,
    words: Mapping[int, str],
    *,
    full: bool,
    seed: bytes | None = None,
    layers: Layers = NONE,
) -> StepsPage:
    """The steps of every gradient, back to front; those that are zero have none.

    Args:
        derivation: what was derived.
        convention: how it is written.
        words: lengths of loops that have a name.
        full: whether differentials are shown with everything that moves.
        seed: for a repetition of what is decided at random points.
        layers: whose numbers are raised.
    """
    page = sections_page(derivation, convention, words)
    found = routes(derivation)
    bench = Bench(derivation, found, page.shapes, seed)
    sizes = {n: word for n, word in words.items() if word.isidentifier()}
    gradients = []
    for section in sections(derivation, found, page, full=full):
        steps = lay_out(section, page)
        verdict = judge(steps, bench)
        parts = tuple(
            Part(
                _title(passage, section),
                "" if section.line.range else passage.way.range,
                _shown(passage.lines, sure),
            )
            for passage, sure in zip(steps.passages, verdict.passages, strict=True)
        )
        conditions = [one for way in section.ways for one in assumed(way, page, derivation.forward)]
        gradients.append(
            Gradient(
                section.line.target,
                section.line.equality.left,
                section.of,
                section.members,
                _shape(section, sizes, convention),
                section.line.range,
                _intro(section),
                parts,
                _shown(steps.closing, verdict.closing),
                tuple(one for n, one in enumerate(conditions) if one not in conditions[:n]),
            )
        )
    lines = [raised(one.written.equality, layers) for g in gradients for one in _all(g)]
    names = frozenset(shapes(derivation.forward))
    return StepsPage(tuple(gradients), plain_names(lines), names, layers)


def _shape(section: Section, sizes: Mapping[int, str], convention: Convention) -> str:
    shape: tuple[Size, ...] = tuple(
        sizes.get(s, s) if isinstance(s, int) else s for s in section.line.shape
    )
    return shape_text(section.line.target, shape, convention)


def _shown(lines: tuple[Written, ...], sure: tuple[Sure | None, ...]) -> tuple[Shown, ...]:
    return tuple(Shown(line, one) for line, one in zip(lines, sure, strict=True))


def _all(gradient: Gradient) -> list[Shown]:
    return [*(line for part in gradient.parts for line in part.lines), *gradient.closing]


# --- sentences ---------------------------------------------------------------------------------


def _intro(section: Section) -> Said:
    of = Symbol(section.of)
    readers = tuple(Symbol(way.reader) for way in section.ways)
    if len(section.ways) > 1:
        count = str(len(section.ways))
        return Said(WAYS, {"of": of, "count": count, "readers": readers})
    (way,) = section.ways
    if way.loss:
        return Said(IN_THE_LOSS, {"of": of})
    turns = way.range and not section.line.range
    return Said(EVERY_TURN if turns else ONE_WAY, {"of": of, "readers": readers})


def _title(passage: Passage, section: Section) -> Said:
    reader = passage.way.reader
    if passage.way.loss:
        return Said(IN_LOSS, {})
    later = f"[{LETTER}]" in section.of and f"[{LETTER}+1]" in reader
    return Said(LATER if later else THROUGH, {"reader": Symbol(reader)})


def _checked(lines: list[Shown], lang: str) -> list[str]:
    proofs = [line.sure for line in lines]
    known = [sure for sure in proofs if sure is not None]
    said = [
        say(
            "Checked: each line was read back and is equal to the one above it, "
            "and the last one to the derived gradient.",
            lang,
        )
    ]
    said += methods(known, lang)
    missing = len(proofs) - len(known)
    if missing:
        said.append(say("Not proved, and marked so: {count}.", lang, count=missing))
    return said


def filled(
    template: str,
    slots: Mapping[str, Notation | tuple[Notation, ...] | str],
    lang: str,
    ink: Callable[[Notation], str],
) -> str:
    """A sentence in a language, its notation written by an ink."""
    written: dict[str, str] = {}
    for name, slot in slots.items():
        match slot:
            case str():
                written[name] = slot
            case tuple():
                written[name] = listed([ink(one) for one in slot], lang)
            case _:
                written[name] = ink(slot)
    return say(template, lang, **written)
