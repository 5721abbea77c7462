"""Tensors to text, beside one another, at 8 digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gradproof.report.report import Batch, ForwardRow, GradientRow
from gradproof.words import say


def tensors(batch: Batch, engine: str, width: int, lang: str) -> list[Text]:
    """Every input, value and gradient of a batch, each from all who computed it."""
    lines = [Text(say("Inputs", lang), style="bold")]
    for name, array in batch.inputs.items():
        lines += _tensor(name, [("", array)], width)
    lines += [Text(), Text(say("Forward", lang), style="bold")]
    for row in batch.forward:
        lines += _tensor(row.name, _of_value(row, engine, lang), width)
    lines += [Text(), Text(say("Gradients, back to front", lang), style="bold")]
    for gradient in batch.gradients:
        lines += _tensor(gradient.symbol, _of_gradient(gradient, engine, lang), width)
    return lines


def of_gradient(row: GradientRow, engine: str, width: int, lang: str) -> list[Text]:
    """One gradient from all who computed it."""
    return _tensor(row.symbol, _of_gradient(row, engine, lang), width)


Labelled = list[tuple[str, np.ndarray]]


def _of_value(row: ForwardRow, engine: str, lang: str) -> Labelled:
    columns = [(engine, row.engine), (say("by formula", lang), row.plain)]
    layers = say("{engine}'s layers", lang, engine=engine)
    return columns if row.native is None else [*columns, (layers, row.native)]


def _of_gradient(row: GradientRow, engine: str, lang: str) -> Labelled:
    hand = [] if row.hand is None else [(say("by hand", lang), row.hand)]
    title = say("{engine}'s layers", lang, engine=engine)
    layers = [] if row.native is None else [(title, row.native)]
    return [(engine, row.engine), *layers, *hand, (say("true", lang), row.true)]


def _tensor(name: str, columns: Sequence[tuple[str, np.ndarray]], width: int) -> list[Text]:
    """Beside one another where they fit, else one below the other."""
    shape = columns[0][1].shape
    title = Text(name, style="bold")
    title.append(f"  {shape_in_numbers(shape)}", style="not bold dim")
    margin = max(cell_len(label) for label, _ in columns)
    blocks = [
        np.array2string(array, precision=8, max_line_width=width - margin - 4).splitlines()
        for _, array in columns
    ]
    widths = [
        max(cell_len(label), *map(len, block))
        for (label, _), block in zip(columns, blocks, strict=True)
    ]
    if len(columns) > 1 and sum(widths) + 3 * len(widths) - 1 <= width:
        return [
            title,
            *_beside([[label, *b] for (label, _), b in zip(columns, blocks, strict=True)]),
        ]
    lines = [title]
    for (label, _), block in zip(columns, blocks, strict=True):
        for n, line in enumerate(block):
            start = set_cell_size(label if n == 0 else "", margin) + "  " if margin else ""
            lines.append(Text(f"  {start}{line}"))
    return lines


def _beside(blocks: Sequence[Sequence[str]]) -> list[Text]:
    widths = [max(map(cell_len, block)) for block in blocks]
    lines = []
    for n in range(max(map(len, blocks))):
        cells = [
            set_cell_size(block[n] if n < len(block) else "", width)
            for block, width in zip(blocks, widths, strict=True)
        ]
        lines.append(Text(("  " + "   ".join(cells)).rstrip()))
    return lines


def shape_in_numbers(shape: tuple[int, ...]) -> str:
    """A shape as NumPy has it: a vector of 3 and a row of 1×3 are told apart."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else "scalar"
