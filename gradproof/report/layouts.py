"""The shapes of tensors in code beside those on the page, and what links the two."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from gradproof.core.index import Size
from gradproof.core.program import Derivation, shapes
from gradproof.words import say, sentence
from gradproof.write.convention import Convention, shape_text

SAME = sentence("the same")
TRANSPOSED = sentence("transposed")
EACH = sentence("each matrix transposed")
AS_ROW = sentence("as a row")
AS_COLUMN = sentence("as a column")


@dataclass(frozen=True, slots=True)
class Layout:
    """One tensor, and its gradient with it: its shape in code, on the page, and the link."""

    name: str
    code: str
    page: str
    link: str


def layouts(derivation: Derivation, convention: Convention) -> tuple[Layout, ...]:
    """The tensors that lie on the page in another way than in code, in the order of the program.

    Code is NumPy's, and so TensorFlow's and PyTorch's: a sample is a row. Every gradient has the
    shape of its tensor, on either side.
    """
    found = []
    for name, shape in shapes(derivation.forward).items():
        link = _link(name, shape, convention)
        if link != SAME:
            found.append(Layout(name, _tuple(shape), shape_text(name, shape, convention), link))
    return tuple(found)


def _link(name: str, shape: tuple[Size, ...], convention: Convention) -> str:
    if len(shape) == 1:
        row = (convention.vectors == "row") != (name in convention.turned)
        return AS_ROW if row else AS_COLUMN
    if len(shape) < 2 or convention.vectors == "row":
        return SAME
    return TRANSPOSED if len(shape) == 2 else EACH


def _tuple(shape: tuple[Size, ...]) -> str:
    inside = ", ".join(map(str, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def layout_lines(found: tuple[Layout, ...], lang: str) -> list[str]:
    """The table for a terminal."""
    if not found:
        return []
    rows = [("", say("your framework says", lang), say("this page says", lang), "")]
    rows += [(one.name, one.code, one.page, say(one.link, lang)) for one in found]
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
