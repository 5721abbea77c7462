"""The steps of a derivation to text, LaTeX, Markdown, HTML and JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from html import escape
from textwrap import wrap

from rich.cells import cell_len

from gradproof.core.program import DIFFERENTIAL
from gradproof.ink.latex import latex
from gradproof.ink.mathml import mathml
from gradproof.ink.terminal import text
from gradproof.report.formats import escaped, range_of, shape_said, shape_tex
from gradproof.report.lines import WIDTH, broken, padded
from gradproof.report.steps import NOT_PROVED, Gradient, Shown, StepsPage, filled
from gradproof.words import say
from gradproof.write.layers import raised
from gradproof.write.notation import Notation

FORMULA = 56
"""Columns of a formula beside its reason; below a longer one the reason stands alone."""

Ink = Callable[[Notation], str]


# --- text --------------------------------------------------------------------------------------


def text_ink(page: StepsPage) -> Ink:
    """Writes differentials as ``dz``, or as ``ⅆz`` where a tensor is called dz, too."""
    sign = differential_sign(page.tensors)
    return lambda notation: text(raised(notation, page.layers)).replace(DIFFERENTIAL, sign)


def differential_sign(names: Collection[str]) -> str:
    """What stands before the names of differentials: d, but where a tensor dz is there beside z."""
    clash = any(name[:1] == "d" and name[1:] in names for name in names)
    return DIFFERENTIAL if clash else "d"


def text_lines(page: StepsPage, lang: str) -> list[str]:
    """The steps for a terminal, gradient by gradient, and what was checked."""
    ink = text_ink(page)
    lines: list[str] = []
    for gradient in page.gradients:
        beside = "   ".join(filter(None, (shape_said(gradient.shape, lang), gradient.range)))
        lines += ["", f"{ink(gradient.target)}   {beside}"]
        lines.append(f"  {filled(gradient.intro.template, gradient.intro.slots, lang, ink)}")
        for part in gradient.parts:
            if len(gradient.parts) > 1:
                title = filled(part.title.template, part.title.slots, lang, ink)
                lines += ["", "   ".join(filter(None, (f"  {title}", part.range)))]
            elif part.range:
                lines[-1] += f"   {part.range}"
            if len(gradient.parts) > 1:
                lines += _text(part.lines, lang, ink)
        last, *others = _last_with_closing(gradient)
        lines += _text(last, lang, ink) if len(gradient.parts) == 1 else []
        for block in others:
            lines += ["", *_text(block, lang, ink)]
        lines += [f"  {filled(a.says, a.slots, lang, ink)}" for a in gradient.assumptions]
    return [*lines, "", *(part for said in page.checked(lang) for part in wrap(said, WIDTH))]


def _text(shown: Sequence[Shown], lang: str, ink: Ink) -> list[str]:
    written = [_one_line(one, ink) for one in shown]
    width = max((cell_len(line) for line in written if cell_len(line) <= FORMULA), default=0)
    lines: list[str] = []
    for line, one in zip(written, shown, strict=True):
        reason = _reason(one, lang, ink)
        if cell_len(line) <= width and 7 + width + cell_len(reason) <= WIDTH:
            lines.append(f"    {padded(line, width)}   {reason}")
        else:
            above = broken(line, WIDTH - 4)
            indent = min(width + 7, WIDTH - cell_len(reason))
            lines += [f"    {part}" for part in above]
            lines.append(" " * max(indent, 8) + reason)
    return lines


def _one_line(one: Shown, ink: Ink) -> str:
    left, right = (ink(side) for side in (one.written.equality.left, one.written.equality.right))
    return f"{' ' * cell_len(left) if one.written.continues else left} = {right}"


def _reason(one: Shown, lang: str, ink: Ink) -> str:
    reason = filled(one.written.reason, one.written.slots, lang, ink)
    return reason if one.sure is not None else f"{reason} [{say(NOT_PROVED, lang)}]"


# --- LaTeX -------------------------------------------------------------------------------------


def _tex_ink(page: StepsPage) -> Ink:
    return lambda notation: latex(raised(notation, page.layers), plain=page.plain)


def _tex_sentence(template: str, slots: object, lang: str, ink: Ink) -> str:
    """A sentence with its notation in dollars; only the sentence itself is escaped."""
    marks: list[str] = []

    def mark(notation: Notation) -> str:
        marks.append(f"${ink(notation)}$")
        return f"\x00{len(marks) - 1}\x01"

    said = escaped(filled(template, slots, lang, mark))  # type: ignore[arg-type]
    for number, formula in enumerate(marks):
        said = said.replace(f"\x00{number}\x01", formula)
    return said


def to_latex(page: StepsPage, lang: str) -> str:
    """The steps for a paper with amsmath: a sentence and an aligned block for each way."""
    ink = _tex_ink(page)
    parts: list[str] = []
    for gradient in page.gradients:
        parts.append(_tex_head(gradient, lang, ink))
        for shown in _blocks(gradient):
            rows = [_tex_row(one, lang, ink) for one in shown]
            parts.append("\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}")
        parts += [_tex_sentence(a.says, a.slots, lang, ink) for a in gradient.assumptions]
    return "\n\n".join([*parts, *map(escaped, page.checked(lang))])


def tex_blocks(page: StepsPage, lang: str) -> list[str]:
    """The steps for a document in which ``\\fitted`` scales what is wider than a line."""
    ink = _tex_ink(page)
    parts: list[str] = []
    for gradient in page.gradients:
        beside = [f"${shape_tex(gradient.shape, lang)}$"]
        beside += [f"${range_of(gradient.range)}$"] if gradient.range else []
        head = r"\quad ".join(beside)
        parts += ["", rf"\subsubsection*{{$\displaystyle {ink(gradient.target)}$\quad {head}}}"]
        parts.append(_tex_sentence(gradient.intro.template, gradient.intro.slots, lang, ink))
        for part in gradient.parts:
            if len(gradient.parts) > 1:
                title = _tex_sentence(part.title.template, part.title.slots, lang, ink)
                over = rf"\quad ${range_of(part.range)}$" if part.range else ""
                parts.append(rf"\par\textit{{{title}}}{over}")
            if len(gradient.parts) > 1:
                parts.append(_tex_array(part.lines, lang, ink))
        last, *others = _last_with_closing(gradient)
        blocks = [last, *others] if len(gradient.parts) == 1 else others
        parts += [_tex_array(block, lang, ink) for block in blocks]
        parts += [_tex_sentence(a.says, a.slots, lang, ink) for a in gradient.assumptions]
    return [*parts, "", *(escaped(line) + r"\par" for line in page.checked(lang))]


def _tex_array(shown: Sequence[Shown], lang: str, ink: Ink) -> str:
    rows = []
    for one in shown:
        left, right, reason = _tex_cells(one, lang, ink)
        rows.append(rf"{left} & = {right} & \text{{\small {reason}}}")
    inside = r" \\[4pt] ".join(rows)
    table = rf"\begin{{array}}{{@{{}}r@{{\;}}l@{{\qquad}}l@{{}}}} {inside} \end{{array}}"
    return rf"\par\nopagebreak\fitted{{{table}}}\par"


def _tex_cells(one: Shown, lang: str, ink: Ink) -> tuple[str, str, str]:
    written = one.written
    left = "" if written.continues else rf"\displaystyle {ink(written.equality.left)}"
    reason = _tex_sentence(written.reason, written.slots, lang, ink)
    if one.sure is None:
        reason += f" [{say(NOT_PROVED, lang)}]"
    return left, rf"\displaystyle {ink(written.equality.right)}", reason


def _tex_row(one: Shown, lang: str, ink: Ink) -> str:
    left, right, reason = _tex_cells(one, lang, ink)
    return f"{left} &= {right} && \\text{{{reason}}}".replace(r"\displaystyle ", "")


def _tex_head(gradient: Gradient, lang: str, ink: Ink) -> str:
    intro = _tex_sentence(gradient.intro.template, gradient.intro.slots, lang, ink)
    return rf"\paragraph{{${ink(gradient.target)}$}} {intro}"


def _blocks(gradient: Gradient) -> list[tuple[Shown, ...]]:
    return [*(part.lines for part in gradient.parts[:-1]), *_last_with_closing(gradient)]


def _last_with_closing(gradient: Gradient) -> list[tuple[Shown, ...]]:
    """The last way's lines and those that close; together where there is one way."""
    last = gradient.parts[-1].lines
    return [(*last, *gradient.closing)] if len(gradient.parts) == 1 else [last, gradient.closing]


# --- Markdown, HTML, JSON ----------------------------------------------------------------------


def to_markdown(page: StepsPage, lang: str) -> list[str]:
    """The steps as blocks of Markdown with mathematics."""
    plain = text_ink(page)
    parts: list[str] = []
    for gradient in page.gradients:
        beside = " · ".join(filter(None, (shape_said(gradient.shape, lang), gradient.range)))
        parts.append(f"### `{plain(gradient.target)}` ({beside})")
        parts += markdown_steps(gradient, page, lang, ("```math", "```"))
    return [*parts, *page.checked(lang)]


def markdown_steps(
    gradient: Gradient, page: StepsPage, lang: str, fence: tuple[str, str]
) -> list[str]:
    """The steps of one gradient as blocks of Markdown; `fence` stands around mathematics."""
    ink, code = _tex_ink(page), _code(text_ink(page))
    parts = [filled(gradient.intro.template, gradient.intro.slots, lang, code)]
    for shown in _blocks(gradient):
        rows = " \\\\\n".join(_tex_row(one, lang, ink) for one in shown)
        parts.append(f"{fence[0]}\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n{fence[1]}")
    return [*parts, *(filled(a.says, a.slots, lang, code) for a in gradient.assumptions)]


def _code(ink: Ink) -> Ink:
    return lambda notation: f"`{ink(notation)}`"


def to_html(page: StepsPage, lang: str, level: int = 5) -> list[str]:
    """The steps as a fragment of HTML in MathML: a table for each way, below a heading of that
    level for each gradient."""
    ink = _display_ink(page)
    lines: list[str] = []
    for gradient in page.gradients:
        beside = escape(
            " · ".join(filter(None, (shape_said(gradient.shape, lang), gradient.range)))
        )
        lines.append(f"<h{level}>{ink(gradient.target)} {beside}</h{level}>")
        lines += html_steps(gradient, page, lang)
    return [*lines, *(f"<p>{escape(line)}</p>" for line in page.checked(lang))]


def html_steps(gradient: Gradient, page: StepsPage, lang: str) -> list[str]:
    """The steps of one gradient as HTML."""
    ink = _html_ink(page)
    lines = [f"<p>{_html_sentence(gradient.intro.template, gradient.intro.slots, lang, ink)}</p>"]
    for part in gradient.parts:
        if len(gradient.parts) > 1:
            title = _html_sentence(part.title.template, part.title.slots, lang, ink)
            lines.append(f"<p><em>{title}</em> {escape(part.range)}</p>")
        if len(gradient.parts) > 1:
            lines += _html_table(part.lines, lang, page)
    last, *others = _last_with_closing(gradient)
    for block in [last, *others] if len(gradient.parts) == 1 else others:
        lines += _html_table(block, lang, page)
    said = (_html_sentence(a.says, a.slots, lang, ink) for a in gradient.assumptions)
    return [*lines, *(f"<p>{one}</p>" for one in said)]


def _html_ink(page: StepsPage) -> Ink:
    return lambda notation: (
        f"<math>{mathml(raised(notation, page.layers), plain=page.plain)}</math>"
    )


def _display_ink(page: StepsPage) -> Ink:
    """Writes what stands alone, as large as it may be."""
    ink = _html_ink(page)
    return lambda notation: ink(notation).replace("<math>", '<math displaystyle="true">', 1)


def _html_sentence(template: str, slots: object, lang: str, ink: Ink) -> str:
    marks: list[str] = []

    def mark(notation: Notation) -> str:
        marks.append(ink(notation))
        return f"\x00{len(marks) - 1}\x01"

    said = escape(filled(template, slots, lang, mark))  # type: ignore[arg-type]
    for number, formula in enumerate(marks):
        said = said.replace(f"\x00{number}\x01", formula)
    return said


def _html_table(shown: Sequence[Shown], lang: str, page: StepsPage) -> list[str]:
    ink = _html_ink(page)
    display = _display_ink(page)
    lines = ['<div class="scroll"><table class="steps">']
    for one in shown:
        written = one.written
        left = "" if written.continues else display(written.equality.left)
        reason = _html_sentence(written.reason, written.slots, lang, ink)
        if one.sure is None:
            reason += f" [{escape(say(NOT_PROVED, lang))}]"
        right = display(written.equality.right)
        lines.append(f"<tr><td>{left}</td><td>=</td><td>{right}</td><td>{reason}</td></tr>")
    return [*lines, "</table></div>"]


def to_json(page: StepsPage, lang: str) -> dict[str, object]:
    """The steps as plain data: every line as text and LaTeX, its reason, and how it was proved."""
    return {
        "gradients": [json_steps(gradient, page, lang) for gradient in page.gradients],
        "checked": page.checked(lang),
        "language": lang,
    }


def json_steps(gradient: Gradient, page: StepsPage, lang: str) -> dict[str, object]:
    """The steps of one gradient as plain data."""
    ink = text_ink(page)

    def line(one: Shown) -> dict[str, object]:
        equality = one.written.equality
        return {
            "text": ink(equality),
            "latex": latex(raised(equality, page.layers), plain=page.plain),
            "reason": filled(one.written.reason, one.written.slots, lang, ink),
            "proved": None if one.sure is None else one.sure.method,
        }

    return {
        "target": ink(gradient.target),
        "of": list(gradient.members),
        "shape": gradient.shape,
        "range": gradient.range,
        "intro": filled(gradient.intro.template, gradient.intro.slots, lang, ink),
        "ways": [
            {
                "title": filled(part.title.template, part.title.slots, lang, ink),
                "range": part.range,
                "lines": [line(one) for one in part.lines],
            }
            for part in gradient.parts
        ],
        "closing": [line(one) for one in gradient.closing],
        "assumptions": [filled(a.says, a.slots, lang, ink) for a in gradient.assumptions],
    }
