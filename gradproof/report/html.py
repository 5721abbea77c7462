"""The equations of a page to HTML with MathML: a fragment for notebooks, or a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gradproof.ink.mathml import mathml
from gradproof.report.assets import font_face, template_text
from gradproof.report.formats import Row, Rows, shape_said
from gradproof.words import say
from gradproof.write.layers import raised
from gradproof.write.notation import Symbol

POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:"
"""What the page may load: nothing but what stands in it."""

TOP = 3
"""The heading of a fragment: what stands around it has those above."""


def to_html(
    page: Rows, lang: str = "en", steps: Sequence[str] | None = None, top: int = TOP
) -> str:
    """A fragment of HTML with the inputs and the equations, aligned at their equality signs.

    Args:
        page: the equations.
        lang: of the words around them.
        steps: what stands in the place of the gradients, if anything does.
        top: the level of its first heading.
    """
    lines = [
        f"<h{top}>{escape(page.network)}</h{top}>",
        f"<p>{escape(page.conventions(lang))}</p>",
        f"<h{top + 1}>{say('Inputs', lang)}</h{top + 1}>",
        *_inputs(page, lang),
    ]
    if steps is not None or page.layout != "gradient":
        lines += _apart(page, lang, top + 1)
    for part, title in page.titles().items():
        lines.append(f"<h{top + 1}>{say(title, lang)}</h{top + 1}>")
        if part == "gradients" and steps is not None:
            lines += steps
            continue
        lines.append('<div class="scroll"><table class="equations">')
        lines += [line for row in page.of(part) for line in _row(row, page, lang)]
        lines.append("</table></div>")
    where = page.wheres(
        lang,
        lambda one: f"<math>{mathml(one, plain=page.plain)}</math>",
        lambda code: f"<code>{escape(code)}</code>",
    )
    lines += [f"<p>{line}</p>" for line in where]
    return "\n".join([*lines, *(f"<p>{escape(note)}</p>" for note in page.notes)])


def to_page(page: Rows, lang: str = "en", steps: Sequence[str] | None = None) -> str:
    """A whole page, with its styles and its font inside: it asks for nothing beside it."""
    head = [
        "<!DOCTYPE html>",
        f'<html lang="{lang}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{escape(page.network)} · gradproof</title>",
        f"<style>{font_face()}\n{template_text('equations.css')}</style>",
        "</head>",
        "<body>",
    ]
    return "\n".join([*head, to_html(page, lang, steps, top=1), "</body>", "</html>"])


def _math(marked: str) -> str:
    return f'<math displaystyle="true">{marked}</math>'


def _inputs(page: Rows, lang: str) -> list[str]:
    rows = [
        f"<tr><td><math>{_name(name, page)}</math></td>"
        f"<td>{escape(shape_said(shape, lang))}</td></tr>"
        for name, shape in page.inputs
    ]
    return ['<table class="shapes">', *rows, "</table>"]


def _name(name: str, page: Rows) -> str:
    return mathml(raised(Symbol(name), page.layers), plain=page.plain)


def _row(row: Row, page: Rows, lang: str) -> list[str]:
    """An equation in its forms; its shape stands beside the last one."""
    lines = []
    for number, form in enumerate(row.forms, 1):
        left, right = (mathml(side, plain=page.plain) for side in (form.left, form.right))
        said = [shape_said(row.shape, lang), row.range] if number == len(row.forms) else []
        beside = escape(" · ".join(filter(None, said)))
        lines.append(
            f"<tr><td>{_math(left)}</td><td>=</td><td>{_math(right)}</td>"
            f'<td class="beside">{beside}</td></tr>'
        )
    return lines


def _apart(page: Rows, lang: str, level: int) -> list[str]:
    """The tensors that lie otherwise than in code."""
    found = page.shapes_apart(lang, page.called)
    if not found:
        return []
    head, *others = found
    lines = [f"<h{level}>{say('Shapes', lang)}</h{level}>", '<table class="shapes">']
    lines.append("<thead><tr>" + "".join(f"<th>{escape(c)}</th>" for c in head) + "</tr></thead>")
    lines += ["<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in others]
    return [*lines, "</table>"]
