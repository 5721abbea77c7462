"""A network to a notebook: its derivation, and beside each gradient the cell that verifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from gradproof.ink.latex import latex
from gradproof.report.formats import Row, Rows, range_of

FORWARD = "Forward"
GRADIENTS = "Gradients, from the loss on back"


@dataclass(frozen=True, slots=True)
class Code:
    """What a notebook runs: its imports with all that the functions need, and the functions.

    ``package`` is the name under which gradproof is imported; ``backward`` may be empty.
    """

    needed: str
    forward: str
    backward: str
    package: str


def notebook(page: Rows, code: Code, engine: str, what: str = "") -> str:
    """A notebook as JSON (nbformat 4.5) that runs from top to bottom.

    Args:
        page: the written equations.
        code: the network's own source.
        engine: on which the cells verify.
        what: what the network is, a sentence.
    """
    gp = code.package
    formulas = "forward, backward" if code.backward else "forward"
    cells = [
        _markdown(f"# {page.network}", what),
        _code(code.needed),
        _code(code.forward),
        _markdown(f"## {FORWARD}", _aligned(page.of("forward"), page)),
    ]
    if code.backward:
        cells += [_markdown("## The formulas to verify"), _code(code.backward)]
    cells += [
        _markdown(
            f"## {GRADIENTS}",
            f"Each formula is derived in {page.vectors} convention. The cell below it shows the "
            "verdict on the formula and on the engine, and the numbers of both beside the true "
            "ones.",
        ),
        _code(f'report = {gp}.verify({formulas}, engine="{engine}")'),
    ]
    shown: set[str] = set()
    for row in page.of("gradients"):
        cells.append(_markdown(_aligned([row], page)))
        name = _name(row)
        if name not in shown:
            cells.append(_code(f'{gp}.show(report, of="{name}")'))
        shown.add(name)
    if page.notes:
        cells.append(_markdown(*page.notes))
    cells += [_markdown("## All of it"), _code("report")]
    for number, cell in enumerate(cells):
        cell["id"] = hashlib.sha256(f"{number} {cell['source']}".encode()).hexdigest()[:12]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _name(row: Row) -> str:
    """The tensor of a gradient's row, as `report[...]` and `show` know it."""
    return row.target.removeprefix("∂l/∂").removesuffix("[t]")


def _aligned(rows: list[Row], page: Rows) -> str:
    lines = []
    for row in rows:
        lines += [latex(one, plain=page.plain).replace("=", "&=", 1) for one in row.forms]
        beside = rf"\text{{{row.shape}}}".replace("×", r"}\times\text{") if row.shape else ""
        lines[-1] += rf" && {beside}"
        if row.range:
            lines[-1] += rf"\quad {range_of(row.range)}"
    body = " \\\\\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _markdown(*paragraphs: str) -> dict[str, object]:
    text = "\n\n".join(filter(None, paragraphs))
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text.strip("\n"),
    }
