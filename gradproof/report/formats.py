"""Written equations to LaTeX, Markdown, HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from gradproof.ink.latex import latex
from gradproof.ink.mathml import mathml
from gradproof.ink.terminal import text
from gradproof.write.notation import Equality

TITLES = {"forward": "Forward", "gradients": "Gradients, back to front"}


@dataclass(frozen=True, slots=True)
class Row:
    """One equation of a page in its forms, the shape of its left side, and for which t it holds."""

    part: Literal["forward", "gradients"]
    target: str
    forms: tuple[Equality, ...]
    shape: str
    range: str


@dataclass(frozen=True, slots=True)
class Rows:
    """All equations of a page; ``plain`` are the names that are written letter by letter."""

    network: str
    vectors: str
    inputs: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    plain: frozenset[str]
    notes: tuple[str, ...]

    def of(self, part: str) -> list[Row]:
        """The rows of one part."""
        return [row for row in self.rows if row.part == part]


def to_latex(page: Rows) -> str:
    """Equations for amsmath, aligned at their equality signs."""
    return "\\begin{align*}\n" + " \\\\\n".join(_tex(page.rows, page)) + "\n\\end{align*}"


def _tex(rows: Sequence[Row], page: Rows) -> list[str]:
    lines = []
    for row in rows:
        lines += [latex(one, plain=page.plain).replace("=", "&=", 1) for one in row.forms]
        if row.range:
            said = row.range.replace("…", r"\dots,").replace("−", "-").replace("= 1 ", "= 1, ")
            lines[-1] += rf" && {said}"
    return lines


def to_markdown(page: Rows) -> str:
    """Markdown with mathematics as GitHub and notebooks show it."""
    parts = [f"# {page.network}", f"In {page.vectors} convention.", "| input | shape |\n|---|---|"]
    parts[-1] += "".join(f"\n| `{name}` | {shape} |" for name, shape in page.inputs)
    for part, title in TITLES.items():
        body = " \\\\\n".join(_tex(page.of(part), page))
        parts += [f"## {title}", f"```math\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```"]
    return "\n\n".join([*parts, *page.notes]) + "\n"


def to_html(page: Rows) -> str:
    """A fragment of HTML with the equations in MathML, one to a row."""
    lines = [f"<h3>{escape(page.network)}</h3>"]
    for part, title in TITLES.items():
        lines += [f"<h4>{title}</h4>", "<table>"]
        for row in page.of(part):
            shown = "<br>".join(f"<math>{mathml(f, plain=page.plain)}</math>" for f in row.forms)
            beside = " · ".join(filter(None, (row.shape, row.range)))
            lines.append(f"<tr><td>{shown}</td><td>{escape(beside)}</td></tr>")
        lines.append("</table>")
    return "\n".join([*lines, *(f"<p>{escape(note)}</p>" for note in page.notes)])


def to_json(page: Rows) -> str:
    """The equations as text and LaTeX, with shapes and ranges."""
    rows = [
        {
            "part": row.part,
            "target": row.target,
            "text": [text(one) for one in row.forms],
            "latex": [latex(one, plain=page.plain) for one in row.forms],
            "shape": row.shape,
            "range": row.range,
        }
        for row in page.rows
    ]
    inputs = [{"name": name, "shape": shape} for name, shape in page.inputs]
    document = {
        "network": page.network,
        "convention": page.vectors,
        "inputs": inputs,
        "equations": rows,
        "notes": list(page.notes),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)
