"""The shapes of tensors in code beside those on the page, and what links the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len

from gradproof.core.index import Size
from gradproof.core.program import Derivation, shapes
from gradproof.core.told import told, told_all, told_list
from gradproof.ink.terminal import name_text
from gradproof.words import say, sentence
from gradproof.write.convention import Convention, lies_transposed, shape_text

SAME = sentence("the same")
TRANSPOSED = sentence("transposed")
EACH = sentence("each matrix transposed")
AS_ROW = sentence("as a row")
AS_COLUMN = sentence("as a column")
COLUMNS = (sentence("your framework says"), sentence("this page says"))

INDICES = sentence(
    "An element with all its indices has them in the order of the code; shapes are this page's."
)
MATRIX_AXES = 2


def layout_said(derivation: Derivation, convention: Convention) -> str:
    """How gradients lie, where they do not lie as their tensors; of more than two axes only where
    there are any."""
    if convention.gradients == "gradient":
        return ""
    said = [told("Jacobian layout: ∂l/∂W has the shape of Wᵀ.")]
    deep = {
        name.partition("[")[0]: None
        for name, shape in shapes(derivation.forward).items()
        if len(shape) > MATRIX_AXES
    }
    if deep.keys() - convention.upright:
        said.append(
            told("Where W has more than two axes, each matrix of the last two is transposed.")
        )
    differentiable = {name.partition("[")[0] for name in derivation.gradients}
    windows = [name for name in deep if name in convention.upright & differentiable]
    if windows:
        said.append(
            told(
                "Gradients of {names} lie as these tensors do: they have to do with windows.",
                names=told_list(windows),
            )
        )
    return told_all(said)


def indices_said(convention: Convention, *, elements: bool) -> str:
    """In which order an element has its indices, where matrices on the page lie otherwise.

    ``elements`` says whether there are equations between elements although the style is of
    matrices.
    """
    turned = convention.gradients == "jacobian" or convention.vectors == "column"
    return INDICES if turned and (elements or convention.style == "index") else ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One tensor, and its gradient with it: its shape in code, on the page, and the link."""

    name: str
    code: str
    page: str
    link: str


def layouts(derivation: Derivation, convention: Convention) -> tuple[Layout, ...]:
    """The tensors that lie on the page in another way than in code, in the order of the program.

    Code is NumPy's, and so TensorFlow's and PyTorch's: a sample is a row, and every gradient has
    the shape of its tensor. Where gradients lie as Jacobians each tensor is followed by its
    gradient, which may lie as in code although the tensor does not.
    """
    found = []
    for name, shape in shapes(derivation.forward).items():
        gradient = derivation.gradients.get(name, "")
        both = (name, gradient) if lies_transposed(gradient, convention) else (name,)
        for one in both:
            link = _link(one, shape, convention)
            if link != SAME or (one == gradient and len(shape) > 1):
                said = shape_text(one, shape, convention)
                found.append(Layout(one, _tuple(shape), said, link))
    return tuple(found)


def _link(name: str, shape: tuple[Size, ...], convention: Convention) -> str:
    turned = (convention.vectors == "row") == lies_transposed(name, convention)
    if len(shape) == 1:
        return AS_ROW if turned == (name in convention.turned) else AS_COLUMN
    if len(shape) < 2 or not turned:
        return SAME
    return TRANSPOSED if len(shape) == 2 else EACH


def _tuple(shape: tuple[Size, ...]) -> str:
    inside = ", ".join(map(str, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def layout_lines(
    found: tuple[Layout, ...], lang: str, called: Callable[[str], str] = name_text
) -> list[str]:
    """The table for a terminal; ``called`` says under which names."""
    if not found:
        return []
    rows = [("", *(say(one, lang) for one in COLUMNS), "")]
    rows += [(called(one.name), one.code, one.page, say(one.link, lang)) for one in found]
    return ["", say("Shapes", lang), *_columns(rows)]


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(cell_len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  "
        + "   ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
