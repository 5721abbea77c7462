"""Written equations to LaTeX, Markdown, HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from gradproof.core.program import DIFFERENTIAL
from gradproof.ink.latex import latex
from gradproof.ink.terminal import name_text, text
from gradproof.report.layouts import COLUMNS, Layout
from gradproof.report.second_order import PARTS
from gradproof.words import in_language, say, sentence
from gradproof.write.layers import NONE, Layers, raised, raised_name
from gradproof.write.notation import Equality, Notation, Symbol
from gradproof.write.rolled import Start, start_said

SCALAR = sentence("scalar")

FITTED = (
    r"\newcommand{\fitted}[1]{\sbox0{$#1$}\ifdim\wd0>\linewidth"
    r"\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi}"
)
"""What is wider than its line is scaled to fit."""

TITLES = {
    "forward": sentence("Forward"),
    "gradients": sentence("Gradients, back to front"),
    **PARTS,
}
CONVENTIONS = {
    "row": sentence("In row convention."),
    "column": sentence("In column convention."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One equation of a page in its forms, the shape of its left side, and for which t it holds."""

    part: str
    target: str
    forms: tuple[Equality, ...]
    shape: str
    range: str


@dataclass(frozen=True, slots=True)
class Rows:
    """All equations of a page; ``plain`` are the names that are written letter by letter, and
    ``sign`` stands before the names of differentials in text. ``layout`` is how gradients lie, and
    ``layout_said`` a sentence about it where they do not lie as their tensors; ``apart`` are the
    tensors that lie on the page in another way than in code. The forms have the numbers of
    ``layers`` raised, and names have not."""

    network: str
    vectors: str
    inputs: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    plain: frozenset[str]
    notes: tuple[str, ...]
    sign: str = "d"
    layout: str = "gradient"
    layout_said: str = ""
    apart: tuple[Layout, ...] = ()
    layers: Layers = NONE
    starts: tuple[Start, ...] = ()

    def wheres(
        self, lang: str, ink: Callable[[Notation], str], quoted: Callable[[str], str] = str
    ) -> list[str]:
        """What the names of a loop's beginning and of slices are; what looks the same is left out.

        Args:
            lang: of the sentences.
            ink: writes a name.
            quoted: writes code.
        """

        def called(name: str) -> str:
            return ink(raised(Symbol(name), self.layers))

        def code(said: str) -> str:
            return quoted(said if quoted is str else said.replace("−", "-"))

        return [
            say("where {what}", lang, what=start_said(one, lang, called, code))
            for one in self.starts
            if one.code or called(one.first) != called(one.name)
        ]

    def conventions(self, lang: str) -> str:
        """How samples and gradients lie, in words."""
        how = say(CONVENTIONS[self.vectors], lang)
        if not self.layout_said:
            return how
        between = " " if lang == "en" else ""
        return f"{how}{between}{in_language(self.layout_said, lang)}"

    def shapes_apart(
        self, lang: str, called: Callable[[str], str]
    ) -> list[tuple[str, str, str, str]]:
        """The table of what lies on the page in another way than in code, its head first; `called`
        writes a name."""
        if not self.apart:
            return []
        head = ("", *(say(one, lang) for one in COLUMNS), "")
        return [head, *((called(a.name), a.code, a.page, say(a.link, lang)) for a in self.apart)]

    def called(self, name: str) -> str:
        """A tensor as a reader has it."""
        return self.said(name_text(raised_name(name, self.layers)))

    def titles(self) -> dict[str, str]:
        """The parts that the page has, with their titles."""
        present = {row.part for row in self.rows} | {"forward", "gradients"}
        return {part: title for part, title in TITLES.items() if part in present}

    def said(self, text: str) -> str:
        """Text with differentials as a reader has them."""
        return text.replace(DIFFERENTIAL, self.sign)

    def of(self, part: str) -> list[Row]:
        """The rows of one part."""
        return [row for row in self.rows if row.part == part]


def to_latex(page: Rows, lang: str = "en", steps: str | None = None) -> str:
    """The equations for a paper with amsmath, aligned at their equality signs; how they are
    written, and the shapes, stand in comments above them.

    Args:
        page: the equations.
        lang: of the comments.
        steps: what stands in the place of the gradients, if anything does.
    """
    called = [(page.called(name), shape_said(shape, lang)) for name, shape in page.inputs]
    comments = [f"{page.network}: {page.conventions(lang)}"]
    comments += [f"  {name}   {shape}" for name, shape in called]
    comments += [
        "   ".join(filter(None, ("", *cells))) for cells in page.shapes_apart(lang, page.called)
    ]
    comments += page.wheres(lang, lambda notation: text(notation))
    comments += page.notes
    above = "\n".join(f"% {line}".rstrip() for said in comments for line in said.splitlines())
    if steps is None:
        return f"{above}\n{aligned(page.rows, page)}"
    blocks = [
        steps if part == "gradients" else aligned(page.of(part), page) for part in page.titles()
    ]
    return "\n\n".join([above, *blocks])


def aligned(rows: Sequence[Row], page: Rows) -> str:
    """Equations in one block of LaTeX."""
    return "\\begin{align*}\n" + " \\\\\n".join(_tex(rows, page)) + "\n\\end{align*}"


def to_document(page: Rows, lang: str = "en", steps: Sequence[str] | None = None) -> str:
    """A LaTeX document that names all it needs: any engine, amsmath, graphicx, geometry; in Chinese
    XeLaTeX and ctex.

    An equation that is longer than its line is scaled to fit.

    Args:
        page: the equations.
        lang: of the words around them.
        steps: what stands in the place of the gradients, if anything does.
    """
    called = {name: raised(Symbol(name), page.layers) for name, _ in page.inputs}
    inputs = [
        rf"${latex(called[name], plain=page.plain)}$ & ${shape_tex(shape, lang)}$ \\"
        for name, shape in page.inputs
    ]
    parts = [
        r"\documentclass[11pt]{article}",
        *([r"\usepackage[UTF8,fontset=fandol,heading=false]{ctex}"] if lang == "zh" else []),
        r"\usepackage[a4paper,margin=22mm]{geometry}",
        r"\usepackage{amsmath,amssymb,graphicx,iftex}",
        r"\ifpdftex\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\else\usepackage{fontspec}\fi",
        r"% An equation in at most seven tenths of the line, and what is said beside it.",
        r"\newcommand{\fit}[2]{\sbox0{$\displaystyle #1$}\ifdim\wd0>0.7\linewidth"
        r"\resizebox{0.7\linewidth}{!}{\usebox0}\else\usebox0\fi\hfill{\small #2}\par}",
        *([FITTED] if steps is not None else []),
        r"\setlength{\parindent}{0pt}",
        r"\setlength{\parskip}{6pt}",
        r"\begin{document}",
        rf"\section*{{{escaped(page.network)}}}",
        escaped(page.conventions(lang)) + r"\par",
        r"\begin{tabular}{@{}ll}",
        *inputs,
        r"\end{tabular}",
    ]
    if steps is not None or page.layout != "gradient":
        parts += _tex_table(page, lang)
    for part, title in page.titles().items():
        parts += [rf"\subsection*{{{say(title, lang)}}}", ""]
        if part == "gradients" and steps is not None:
            parts += steps
            continue
        for row in page.of(part):
            *above, last = (latex(one, plain=page.plain) for one in row.forms)
            shape = f"${shape_tex(row.shape, lang)}$" if row.shape else ""
            beside = [rf"${range_of(row.range)}$"] if row.range else []
            parts += [rf"\fit{{{one}}}{{}}" for one in above]
            said = r"\quad ".join([*beside, shape])
            parts.append(rf"\fit{{{last}}}{{{said}}}")
    where = page.wheres(
        lang,
        lambda one: f"${latex(one, plain=page.plain)}$",
        lambda code: rf"\texttt{{{escaped(code)}}}",
    )
    parts += ["", *(rf"{line}\par" for line in where)]
    parts += [escaped(note) + r"\par" for note in page.notes]
    return "\n".join([*parts, r"\end{document}", ""])


def _tex_table(page: Rows, lang: str) -> list[str]:
    rows = page.shapes_apart(lang, lambda name: name)
    if not rows:
        return []
    lines = []
    for name, *cells in rows:
        shown = f"${inline(name, page.layers, page.plain)}$" if name else ""
        lines.append(" & ".join([shown, *map(escaped, cells)]) + r" \\")
    return [r"\par\medskip", r"\begin{tabular}{@{}llll}", *lines, r"\end{tabular}\par"]


def inline(name: str, layers: Layers = NONE, plain: frozenset[str] | None = None) -> str:
    """A tensor or a gradient in one line, where a fraction would make it too high, as LaTeX."""
    before, found, of = name.partition("∂l/∂")
    one = latex(raised(Symbol(of or before), layers), plain=plain)
    return rf"\partial l / \partial {one}" if found else one


def range_of(said: str) -> str:
    """For which t an equation holds, as LaTeX."""
    return said.replace("…", r"\dots,").replace("−", "-").replace("= 1 ", "= 1, ")


def shape_tex(shape: str, lang: str = "en") -> str:
    """A shape as LaTeX; that of a scalar is a word."""
    if shape == SCALAR:
        return r"\mathrm{scalar}" if lang == "en" else rf"\text{{{say(SCALAR, lang)}}}"
    words = shape.replace("…", r"\dots ").replace("×", r" \times ")
    return words.replace("_", r"\_")


def shape_said(shape: str, lang: str) -> str:
    """A shape; that of a scalar is a word of the language."""
    return say(SCALAR, lang) if shape == SCALAR else shape


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "#": r"\#",
        "$": r"\$",
        "%": r"\%",
        "&": r"\&",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "…": r"\dots{}",
        "−": r"$-$",
        "∂": r"$\partial$",
        "Σ": r"$\Sigma$",
        "⋆": r"$\star$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "ᵀ": r"${}^{\top}$",
        "√": r"$\surd$",
        "π": r"$\pi$",
        "×": r"$\times$",
        "≥": r"$\ge$",
        **{
            above: f"${{}}^{{{plain}}}$"
            for above, plain in zip("⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ⁻⁺", "()0123456789t-+", strict=True)
        },
    }
)


def escaped(text: str) -> str:
    """Text as LaTeX prints it, letter by letter."""
    return text.translate(_TEX)


def _tex(rows: Sequence[Row], page: Rows) -> list[str]:
    lines = []
    for row in rows:
        lines += [latex(one, plain=page.plain).replace("=", "&=", 1) for one in row.forms]
        if row.range:
            lines[-1] += rf" && {range_of(row.range)}"
    return lines


def to_markdown(page: Rows, lang: str = "en", steps: Sequence[str] | None = None) -> str:
    """Markdown with mathematics as GitHub and notebooks show it; `steps` stand in the place of the
    gradients."""
    head = say("| input | shape |", lang) + "\n|---|---|"
    parts = [f"# {page.network}", page.conventions(lang), head]
    parts[-1] += "".join(f"\n| `{page.called(name)}` | {shape} |" for name, shape in page.inputs)
    if steps is not None or page.layout != "gradient":
        parts += _markdown_table(page.shapes_apart(lang, page.called))
    for part, title in page.titles().items():
        if part == "gradients" and steps is not None:
            parts += [f"## {say(title, lang)}", *steps]
            continue
        body = " \\\\\n".join(_tex(page.of(part), page))
        parts += [
            f"## {say(title, lang)}",
            f"```math\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```",
        ]
    return "\n\n".join([*parts, *markdown_notes(page, lang)]) + "\n"


def markdown_notes(page: Rows, lang: str) -> list[str]:
    """What stands below the equations, with its names as mathematics."""

    def ink(notation: Notation) -> str:
        return f"${latex(notation, plain=page.plain)}$"

    return [*page.wheres(lang, ink, lambda code: f"`{code}`"), *page.notes]


def _markdown_table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return ["\n".join([head, "|---|---|---|---|", *others])]


def to_json(page: Rows, lang: str = "en", steps: Mapping[str, object] | None = None) -> str:
    """The equations as text and LaTeX, with shapes and ranges, and the steps if there are any."""
    rows = [
        {
            "part": row.part,
            "target": page.said(name_text(row.target)),
            "text": [page.said(text(one)) for one in row.forms],
            "latex": [latex(one, plain=page.plain) for one in row.forms],
            "shape": row.shape,
            "range": row.range,
        }
        for row in page.rows
    ]
    inputs = [{"name": page.said(name), "shape": shape} for name, shape in page.inputs]
    document = {
        "network": page.network,
        "convention": page.vectors,
        "layout": page.layout,
        "apart": [{**asdict(one), "name": name_text(one.name)} for one in page.apart],
        "inputs": inputs,
        "equations": rows,
        "notes": [*page.wheres(lang, text), *page.notes],
        **({} if steps is None else {"steps": steps}),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)
