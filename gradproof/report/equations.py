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
            written = [text(e) for e in _written(equations, derivation, convention)]
            width = max((len(line) for line in written), default=0)
            lines += ["", title]
            lines += [
                f"  {line:<{width}}   {shape_text(e.target, shape_of(e), convention)}"
                for line, e in zip(written, equations, strict=True)
            ]
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
