"""A derivation to a page of equations, as text and in other formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import wrap

from gradproof.core.errors import DataError, UnknownName
from gradproof.core.index import Size
from gradproof.core.program import Derivation, shapes
from gradproof.ink.latex import plain_names
from gradproof.ink.terminal import text
from gradproof.report import formats
from gradproof.report.sliding import PROVED, legend, sliding_forms
from gradproof.write.convention import Convention, shape_text
from gradproof.write.loops import uneven
from gradproof.write.matrix import write
from gradproof.write.orient import oriented
from gradproof.write.rolled import page_of, rolled, starts


@dataclass(frozen=True, slots=True)
class Equations:
    """The forward and the gradient equations of a network; ``print`` shows them.

    A loop stands once. ``words`` are lengths of loops that have a name, such as T.
    """

    network: str
    derivation: Derivation
    notes: tuple[str, ...] = ()
    words: Mapping[int, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """The equation of the gradient with respect to one tensor, in row convention."""
        found = {step.of: step.equation for step in self.derivation.steps}
        if name not in found:
            raise UnknownName(
                f"There is no gradient with respect to {name}.",
                advice=f"There are those with respect to {', '.join(found)}.",
            )
        convention = _layout("row", self.derivation)
        known = shapes(self.derivation.forward) | shapes(self.derivation.backward)
        return text(write(found[name], convention, shapes=known))

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, vectors: str = "row") -> str:
        """The equations for a terminal, with the shape of each."""
        derivation = self.derivation
        convention = _layout(vectors, derivation)
        lines = [f"{self.network}, in {vectors} convention", "", "Inputs"]
        width = max((len(t.name) for t in derivation.forward.inputs), default=0)
        lines += [
            f"  {t.name:<{width}}   {shape_text(t.name, self._sizes(t.shape), convention)}"
            for t in derivation.forward.inputs
        ]
        page = page_of(derivation, convention, self.words)
        sliding = sliding_forms(derivation, convention)
        for title, equations in (
            ("Forward", derivation.forward.equations),
            ("Gradients, back to front", derivation.backward.equations),
        ):
            written = rolled(equations, page)
            sizes = [shape_text(one.target, self._sizes(one.shape), convention) for one in written]
            longest = max((len(size) for size in sizes), default=0)
            beside, said = [], []
            for size, one in zip(sizes, written, strict=True):
                if one.target in sliding:
                    said += [text(sliding[one.target]), f"  {text(one.equality)}"]
                    beside += [size, ""]
                else:
                    said.append(text(one.equality))
                    beside.append(f"{size:<{longest}}   {one.range}".rstrip())
            lines += ["", title, *_beside_shapes(said, beside)]
            if title == "Forward":
                lines += [f"  where {line}" for line in starts(page)]
        written_out = uneven(derivation.forward.equations, page.initial)
        lines += [""] if written_out else []
        lines += [
            f"{family} is written out: its turns {turn} and {turn + 1} are not alike."
            for family, turn in written_out.items()
        ]
        if derivation.zero:
            lines += ["", f"The loss does not depend on {', '.join(derivation.zero)}: zero."]
        if sliding:
            meanings = legend(sliding.values())
            lines += ["", "Where windows slide", *meanings, *wrap(PROVED, WIDTH)]
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])

    def to_latex(self, vectors: str = "row", *, standalone: bool = False) -> str:
        """The equations for a paper, aligned at their equality signs, or as a whole document."""
        rows = self.rows(vectors)
        return formats.to_document(rows) if standalone else formats.to_latex(rows)

    def to_markdown(self, vectors: str = "row") -> str:
        """The equations as Markdown with mathematics."""
        return formats.to_markdown(self.rows(vectors))

    def to_html(self, vectors: str = "row") -> str:
        """The equations as a fragment of HTML, in MathML."""
        return formats.to_html(self.rows(vectors))

    def to_json(self, vectors: str = "row") -> str:
        """The equations as JSON: text, LaTeX, shape and range of each."""
        return formats.to_json(self.rows(vectors))

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_latex_(self) -> str:
        inside = self.to_latex().replace("{align*}", "{aligned}")
        return f"$$\n{inside}\n$$"

    def rows(self, vectors: str = "row") -> formats.Rows:
        """The equations one by one, each loop once, after the form in which a window slides."""
        derivation = self.derivation
        convention = _layout(vectors, derivation)
        page = page_of(derivation, convention, self.words)
        sliding = sliding_forms(derivation, convention)
        found: list[formats.Row] = []
        for part, program in (("forward", derivation.forward), ("gradients", derivation.backward)):
            for line in rolled(program.equations, page):
                both = (sliding[line.target],) if line.target in sliding else ()
                shape = shape_text(line.target, self._sizes(line.shape), convention)
                forms = (*both, line.equality)
                found.append(formats.Row(part, line.target, forms, shape, line.range))  # type: ignore[arg-type]
        inputs = tuple(
            (t.name, shape_text(t.name, self._sizes(t.shape), convention))
            for t in derivation.forward.inputs
        )
        plain = plain_names(one for row in found for one in row.forms)
        return formats.Rows(self.network, vectors, inputs, tuple(found), plain, self.notes)

    def _sizes(self, shape: tuple[Size, ...]) -> tuple[Size, ...]:
        lengths = {n: word for n, word in self.words.items() if word.isidentifier()}
        return tuple(lengths.get(s, s) if isinstance(s, int) else s for s in shape)


WIDTH = 100


def _beside_shapes(written: list[str], shapes: list[str]) -> list[str]:
    """Equations with their shapes in a column; one that is too wide is broken before a term."""
    free = WIDTH - 5 - max((len(shape) for shape in shapes), default=0)
    broken = [_broken(line, free) for line in written]
    width = min(free, max((len(part) for parts in broken for part in parts), default=0))
    lines = []
    for parts, shape in zip(broken, shapes, strict=True):
        *above, last = (f"  {part}" for part in parts)
        lines += [*above, f"{last:<{width + 2}}   {shape}".rstrip()]
    return lines


def _broken(line: str, width: int) -> list[str]:
    """A line as several, each from one ``+`` or ``−`` outside of parentheses to another, or where
    that is not enough from one condition to another."""
    if len(line) <= width:
        return [line]
    indent = " " * (line.index(" = ") + 1)
    parts = []
    for part in _split(line, (" + ", " − ")):
        parts += [part] if len(indent + part) <= width else _split(part, (" [",))
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(indent + part)
    return lines


def _split(line: str, before: tuple[str, ...]) -> list[str]:
    """A line cut where one of these stands outside of parentheses."""
    depth = 0
    parts = [""]
    for spot, character in enumerate(line):
        if depth == 0 and line.startswith(before, spot) and parts[-1]:
            parts.append("")
        depth += (character in "([⟨") - (character in ")]⟩")
        parts[-1] += character
    return parts


def _layout(vectors: str, derivation: Derivation) -> Convention:
    match vectors:
        case "row" | "column":
            return oriented(derivation, Convention(vectors))
        case _:
            raise DataError(f"The convention is row or column, not {vectors}.")
