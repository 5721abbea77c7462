"""A network to a notebook: its derivation, and beside each gradient the cell that verifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from gradproof.ink.latex import latex
from gradproof.report.formats import Row, Rows, markdown_notes, range_of, shape_tex
from gradproof.report.step_formats import markdown_steps
from gradproof.report.steps import Gradient, StepsPage
from gradproof.words import say, sentence
from gradproof.words.say import ENGLISH, VARIABLE

FORWARD = sentence("Forward")
FORMULAS = sentence("The formulas to verify")
GRADIENTS = sentence("Gradients, from the loss on back")
BELOW = sentence(
    "Below each formula a cell shows the verdict on the formula and on the engine, and the numbers "
    "of both beside the true ones."
)
ALL = sentence("All of it")


@dataclass(frozen=True, slots=True)
class Code:
    """What a notebook runs: its imports with all that the functions need, and the functions.

    ``package`` is the name under which gradproof is imported; ``backward`` may be empty.
    """

    needed: str
    forward: str
    backward: str
    package: str


def notebook(
    page: Rows,
    code: Code,
    engine: str,
    what: str = "",
    *,
    steps: StepsPage | None = None,
    lang: str = ENGLISH,
) -> str:
    """A notebook as JSON (nbformat 4.5) that runs from top to bottom.

    Args:
        page: the written equations.
        code: the network's own source.
        engine: on which the cells verify.
        what: what the network is, a sentence.
        steps: how each gradient is found, to be unfolded below its formula.
        lang: the language of what stands around formulas, and of what the cells show.
    """
    gp = code.package
    formulas = "forward, backward" if code.backward else "forward"
    cells = [
        _markdown(f"# {page.network}", what),
        _code(code.needed),
        _code(code.forward),
        _markdown(f"## {say(FORWARD, lang)}", _aligned(page.of("forward"), page, lang)),
    ]
    if code.backward:
        cells += [_markdown(f"## {say(FORMULAS, lang)}"), _code(code.backward)]
    checked = steps.checked(lang) if steps is not None else []
    verify = f'report = {gp}.verify({formulas}, engine="{engine}")'
    if lang != ENGLISH:
        verify = f'import os\n\nos.environ["{VARIABLE}"] = "{lang}"\n{verify}'
    cells += [
        _markdown(f"## {say(GRADIENTS, lang)}", page.conventions(lang), say(BELOW, lang), *checked),
        _code(verify),
    ]
    found = {one.key: one for one in steps.gradients} if steps is not None else {}
    shown: set[str] = set()
    for row in page.of("gradients"):
        gradient = found.get(row.target)
        parts = [] if steps is None or gradient is None else _steps(gradient, steps, lang)
        cells.append(_markdown(_aligned([row], page, lang), *parts))
        name = _name(row)
        if name not in shown:
            cells.append(_code(f'{gp}.show(report, of="{name}")'))
        shown.add(name)
    notes = markdown_notes(page, lang)
    if notes:
        cells.append(_markdown(*notes))
    cells += [_markdown(f"## {say(ALL, lang)}"), _code("report")]
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
    return row.target.partition("/∂")[2].removesuffix("[t]")


def _steps(gradient: Gradient, page: StepsPage, lang: str) -> list[str]:
    """How a gradient is found, folded."""
    said = markdown_steps(gradient, page, lang, ("$$", "$$"))
    return [f"<details><summary>{say('Step by step', lang)}</summary>", *said, "</details>"]


def _aligned(rows: list[Row], page: Rows, lang: str) -> str:
    lines = []
    for row in rows:
        lines += [latex(one, plain=page.plain).replace("=", "&=", 1) for one in row.forms]
        lines[-1] += rf" && {shape_tex(row.shape, lang)}" if row.shape else " &&"
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
