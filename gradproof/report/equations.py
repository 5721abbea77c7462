"""A derivation to a page of equations, as text or LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

from gradproof.core.errors import DataError, UnknownName
from gradproof.core.program import Derivation, Equation, shape_of, shapes
from gradproof.ink.latex import latex
from gradproof.ink.terminal import text
from gradproof.write.convention import Convention, shape_text
from gradproof.write.matrix import write
from gradproof.write.notation import Equality
from gradproof.write.orient import oriented


@dataclass(frozen=True, slots=True)
class Equations:
    """The forward and the gradient equations of a network; ``print`` shows them."""

    network: str
    derivation: Derivation
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        """The equation of the gradient with respect to one tensor, in row convention."""
        found = {step.of: step.equation for step in self.derivation.steps}
        if name not in found:
            raise UnknownName(
                f"There is no gradient with respect to {name}.",
                advice=f"There are those with respect to {', '.join(found)}.",
            )
        convention = _layout("row", self.derivation)
        (written,) = _written((found[name],), self.derivation, convention)
        return text(written)

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, vectors: str = "row") -> str:
        """The equations for a terminal, with the shape of each."""
        derivation = self.derivation
        convention = _layout(vectors, derivation)
        lines = [f"{self.network}, in {vectors} convention", "", "Inputs"]
        width = max((len(t.name) for t in derivation.forward.inputs), default=0)
        lines += [
            f"  {t.name:<{width}}   {shape_text(t.name, t.shape, convention)}"
            for t in derivation.forward.inputs
        ]
        for title, equations in (
            ("Forward", derivation.forward.equations),
            ("Gradients, back to front", derivation.backward.equations),
        ):
            lines += ["", title]
            lines += _beside_shapes(
                [text(e) for e in _written(equations, derivation, convention)],
                [shape_text(e.target, shape_of(e), convention) for e in equations],
            )
        if derivation.zero:
            lines += ["", f"The loss does not depend on {', '.join(derivation.zero)}: zero."]
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])

    def to_latex(self, vectors: str = "row") -> str:
        """The equations for a paper, aligned at their equality signs."""
        derivation = self.derivation
        convention = _layout(vectors, derivation)
        equations = (*derivation.forward.equations, *derivation.backward.equations)
        written = _written(equations, derivation, convention)
        lines = [latex(one, page=written).replace("=", "&=", 1) for one in written]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


WIDTH = 100


def _beside_shapes(written: list[str], shapes: list[str]) -> list[str]:
    """Equations with their shapes in a column; one that is too wide is broken before a term."""
    free = WIDTH - 5 - max((len(shape) for shape in shapes), default=0)
    broken = [_broken(line, free) for line in written]
    width = min(free, max((len(part) for parts in broken for part in parts), default=0))
    lines = []
    for parts, shape in zip(broken, shapes, strict=True):
        *above, last = (f"  {part}" for part in parts)
        lines += [*above, f"{last:<{width + 2}}   {shape}"]
    return lines


def _broken(line: str, width: int) -> list[str]:
    """A line as several, each from one ``+`` or ``−`` outside of parentheses to another."""
    if len(line) <= width:
        return [line]
    depth = 0
    parts = [""]
    for spot, character in enumerate(line):
        depth += (character in "([⟨") - (character in ")]⟩")
        if depth == 0 and line[spot : spot + 3] in (" + ", " − "):
            parts.append("")
        parts[-1] += character
    indent = " " * (line.index(" = ") + 1)
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(indent + part)
    return lines


def _layout(vectors: str, derivation: Derivation) -> Convention:
    match vectors:
        case "row" | "column":
            return oriented(derivation, Convention(vectors))
        case _:
            raise DataError(f"The convention is row or column, not {vectors}.")


def _written(
    equations: tuple[Equation, ...], derivation: Derivation, convention: Convention
) -> list[Equality]:
    known = shapes(derivation.forward) | shapes(derivation.backward)
    return [write(equation, convention, shapes=known) for equation in equations]
