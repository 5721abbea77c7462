"""A derivation to a page of equations, as text and in other formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap

from gradproof.core.errors import DataError, UnknownName
from gradproof.core.index import Size
from gradproof.core.program import DIFFERENTIAL, Derivation, shapes
from gradproof.core.told import told, told_row
from gradproof.derivation.second import check_along
from gradproof.ink.latex import plain_names
from gradproof.ink.terminal import name_text, text
from gradproof.report import formats, html, step_formats
from gradproof.report.layouts import indices_said, layout_lines, layout_said, layouts
from gradproof.report.lines import WIDTH, beside_shapes
from gradproof.report.second_order import PARTS as SECOND_PARTS
from gradproof.report.second_order import SecondOrder, second_order
from gradproof.report.sliding import PROVED, legend, sliding_forms
from gradproof.report.step_formats import differential_sign, text_lines
from gradproof.report.steps import StepsPage, steps_page
from gradproof.words import in_language, say, sentence
from gradproof.write.convention import Convention, shape_text
from gradproof.write.layers import NONE, Layers, layers_of, raised, raised_name
from gradproof.write.loops import uneven
from gradproof.write.matrix import write
from gradproof.write.notation import Equality
from gradproof.write.orient import oriented
from gradproof.write.pictures import pictures
from gradproof.write.rolled import Line, Page, page_of, rolled, starting, starts

BRIEF, STEPS, FULL = "brief", "steps", "full"
MATRIX = "matrix"
NO_LAYERS = sentence("No name here has the number of a layer: none is raised.")

GRADIENT, JACOBIAN = "gradient", "jacobian"
SUBSCRIPT, SUPERSCRIPT = "subscript", "superscript"

TITLES_OF = {
    "row": sentence("{network}, in row convention"),
    "column": sentence("{network}, in column convention"),
}
PARTS = {
    "Forward": sentence("Forward"),
    "Gradients, back to front": sentence("Gradients, back to front"),
}


@dataclass(frozen=True, slots=True)
class Equations:
    """The forward and the gradient equations of a network; ``print`` shows them.

    A loop stands once. ``words`` are lengths of loops that have a name, such as T. ``along`` are
    the inputs that move, where the page has the second order too. In the `layout` ``"jacobian"``
    ``∂l/∂W`` has the shape of Wᵀ. With `layers` ``"superscript"`` W2 is written ``W⁽²⁾``.
    """

    network: str
    derivation: Derivation
    notes: tuple[str, ...] = ()
    words: Mapping[int, str] = field(default_factory=dict)
    along: tuple[str, ...] | None = None
    layout: str = GRADIENT
    layers: str = SUBSCRIPT

    def second(self, *along: str) -> Equations:
        """The same page with the second order: how values and gradients move where inputs do.

        Args:
            along: the inputs that move, all that have a gradient if none are given. The direction
                of ``W`` is called ``dW``; what stands beside ``d∂l/∂W`` is the Hessian times the
                directions.

        Raises:
            DataError: one of them is no input, or has no gradient.
        """
        check_along(self.derivation, along)
        return replace(self, along=along)

    def __getitem__(self, name: str) -> str:
        """The equation of the gradient with respect to one tensor, in row convention."""
        found = {step.of: step.equation for step in self.derivation.steps}
        if name not in found:
            raise UnknownName(
                told("There is no gradient with respect to {name}.", name=name),
                advice=told("There are those with respect to {names}.", names=told_row([*found])),
            )
        convention = self._convention("row")
        known = shapes(self.derivation.forward) | shapes(self.derivation.backward)
        return text(raised(write(found[name], convention, shapes=known), self._layers()))

    def __str__(self) -> str:
        return self.to_text()

    def to_text(
        self, vectors: str = "row", *, detail: str = BRIEF, style: str = MATRIX, lang: str = "en"
    ) -> str:
        """The equations for a terminal, with the shape of each.

        Args:
            vectors: ``"row"`` or ``"column"``, whether a sample is a row or a column.
            detail: ``"brief"``, the equations alone; ``"steps"``, how each gradient is found with
                one tensor moving at a time; ``"full"``, with everything that moves. Every line of
                the steps is read back and proved.
            style: ``"matrix"``, or ``"index"`` for elements and sums.
            lang: ``"en"`` or ``"zh"``, the language of what stands around the equations.

        Raises:
            DataError: one of these is none of its words.
        """
        derivation = self.derivation
        convention = self._convention(vectors, style)
        lines = [say(TITLES_OF[vectors], lang, network=self.network)]
        gradients = layout_said(derivation, convention)
        lines += wrap(in_language(gradients, lang), WIDTH) if gradients else []
        lines += ["", say("Inputs", lang)]
        called = self._called()
        width = max((len(called(t.name)) for t in derivation.forward.inputs), default=0)
        lines += [
            f"  {called(t.name):<{width}}   {self._shape_text(t.name, t.shape, convention, lang)}"
            for t in derivation.forward.inputs
        ]
        steps = None if detail == BRIEF else self.steps(vectors, detail=detail, style=style)
        if steps is not None or self.layout == JACOBIAN:
            lines += layout_lines(layouts(derivation, convention), lang, called)
        page = page_of(derivation, convention, self.words)
        sliding = {} if style == "index" else sliding_forms(derivation, convention)
        parts = [("Forward", derivation.forward.equations)]
        parts += (
            [("Gradients, back to front", derivation.backward.equations)] if steps is None else []
        )
        for title, equations in parts:
            lines += ["", say(PARTS[title], lang)]
            lines += self._part(rolled(equations, page), sliding, convention, lang)
            if title == "Forward":
                said = starts(page, lang, called)
                lines += [f"  {say('where {what}', lang, what=line)}" for line in said]
        if steps is not None:
            lines += ["", say("Gradients, back to front, step by step", lang)]
            lines += text_lines(steps, lang)
        if self.along is not None:
            lines += self._second_text(convention, lang)
        remarks = self._remarks(page, lang)
        lines += [""] if remarks else []
        lines += remarks
        if sliding:
            meanings = legend(sliding.values(), lang)
            proved = say(PROVED, lang)
            lines += ["", say("Where windows slide", lang), *meanings, *wrap(proved, WIDTH)]
        notes = self._notes(convention, lang, elements=bool(sliding))
        return "\n".join([*lines, *([""] if notes else []), *notes])

    def _second(self, convention: Convention) -> SecondOrder:
        assert self.along is not None
        return second_order(self.derivation, convention, self.words, self.along)

    def _second_text(self, convention: Convention, lang: str) -> list[str]:
        order = self._second(convention)
        sign = differential_sign(shapes(self.derivation.forward))
        lines = []
        for part, title in SECOND_PARTS.items():
            found = self._part(order.lines(part), {}, order.convention, lang)
            if not found:
                continue
            lines += ["", say(title, lang)]
            lines += [line.replace(DIFFERENTIAL, sign) for line in found]
        return [*lines, "", *(p for said in order.checked(lang, sign) for p in wrap(said, WIDTH))]

    def _part(
        self,
        written: Sequence[Line],
        sliding: Mapping[str, Equality],
        convention: Convention,
        lang: str,
    ) -> list[str]:
        """The equations of one part, with their shapes beside them."""
        sizes = [self._shape_text(one.target, one.shape, convention, lang) for one in written]
        longest = max((len(size) for size in sizes), default=0)
        beside, said = [], []
        layers = self._layers()
        for size, one in zip(sizes, written, strict=True):
            equality = text(raised(one.equality, layers))
            if one.target in sliding:
                said += [text(raised(sliding[one.target], layers)), f"  {equality}"]
                beside += [size, ""]
            else:
                said.append(equality)
                beside.append(f"{size:<{longest}}   {one.range}".rstrip())
        return beside_shapes(said, beside)

    def steps(self, vectors: str = "row", *, detail: str = STEPS, style: str = MATRIX) -> StepsPage:
        """How each gradient is found, line by line, every line judged."""
        if detail not in (STEPS, FULL):
            raise DataError(
                told("The detail is brief, steps or full, not {detail}.", detail=detail)
            )
        convention = self._convention(vectors, style)
        return steps_page(
            self.derivation, convention, self.words, full=detail == FULL, layers=self._layers()
        )

    def to_latex(
        self,
        vectors: str = "row",
        *,
        standalone: bool = False,
        detail: str = BRIEF,
        style: str = MATRIX,
        lang: str = "en",
    ) -> str:
        """The equations for a paper, aligned at their equality signs, or as a whole document.

        Args:
            vectors: as for `to_text`, and so are `detail`, `style` and `lang`.
            standalone: whether it is a whole document; in Chinese it needs XeLaTeX and ctex.
            detail: as for `to_text`.
            style: as for `to_text`.
            lang: as for `to_text`.
        """
        rows = self.rows(vectors, style, lang)
        steps = None if detail == BRIEF else self.steps(vectors, detail=detail, style=style)
        if standalone:
            blocks = None if steps is None else step_formats.tex_blocks(steps, lang)
            return formats.to_document(rows, lang, blocks)
        return formats.to_latex(
            rows, lang, None if steps is None else step_formats.to_latex(steps, lang)
        )

    def to_markdown(
        self, vectors: str = "row", *, detail: str = BRIEF, style: str = MATRIX, lang: str = "en"
    ) -> str:
        """The equations as Markdown with mathematics; the arguments are those of `to_text`."""
        steps = None if detail == BRIEF else self.steps(vectors, detail=detail, style=style)
        said = None if steps is None else step_formats.to_markdown(steps, lang)
        return formats.to_markdown(self.rows(vectors, style, lang), lang, said)

    def to_html(
        self,
        vectors: str = "row",
        *,
        standalone: bool = False,
        detail: str = BRIEF,
        style: str = MATRIX,
        lang: str = "en",
    ) -> str:
        """The equations as HTML, in MathML: a fragment, or a page of its own.

        Args:
            vectors: as for `to_text`, and so are `detail`, `style` and `lang`.
            standalone: whether it is a page with its styles and its font inside.
            detail: as for `to_text`.
            style: as for `to_text`.
            lang: as for `to_text`.
        """
        steps = None if detail == BRIEF else self.steps(vectors, detail=detail, style=style)
        top = 1 if standalone else html.TOP
        said = None if steps is None else step_formats.to_html(steps, lang, top + 2)
        rows = self.rows(vectors, style, lang)
        return html.to_page(rows, lang, said) if standalone else html.to_html(rows, lang, said)

    def to_json(
        self, vectors: str = "row", *, detail: str = BRIEF, style: str = MATRIX, lang: str = "en"
    ) -> str:
        """The equations as JSON: text, LaTeX, shape and range of each, and the steps if they are
        asked for; the arguments are those of `to_text`."""
        steps = None if detail == BRIEF else self.steps(vectors, detail=detail, style=style)
        said = None if steps is None else step_formats.to_json(steps, lang)
        return formats.to_json(self.rows(vectors, style, lang), lang, said)

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_latex_(self) -> str:
        inside = formats.aligned(self.rows().rows, self.rows()).replace("{align*}", "{aligned}")
        return f"$$\n{inside}\n$$"

    def rows(self, vectors: str = "row", style: str = MATRIX, lang: str = "en") -> formats.Rows:
        """The equations one by one, each loop once, after the form in which a window slides."""
        derivation = self.derivation
        convention = self._convention(vectors, style)
        page = page_of(derivation, convention, self.words)
        sliding = {} if style == "index" else sliding_forms(derivation, convention)
        layers = self._layers()
        found: list[formats.Row] = []
        for part, program in (("forward", derivation.forward), ("gradients", derivation.backward)):
            for line in rolled(program.equations, page):
                both = (sliding[line.target],) if line.target in sliding else ()
                shape = shape_text(line.target, self._sizes(line.shape), convention)
                forms = tuple(raised(one, layers) for one in (*both, line.equality))
                found.append(formats.Row(part, line.target, forms, shape, line.range))  # type: ignore[arg-type]
        inputs = list(derivation.forward.inputs)
        begun = tuple(starting(page))
        notes = (
            *self._remarks(page, lang),
            *legend(sliding.values(), lang),
            *([say(PROVED, lang)] if sliding else []),
            *self._notes(convention, lang, elements=bool(sliding)),
        )
        sign = differential_sign(shapes(derivation.forward))
        if self.along is not None:
            order = self._second(convention)
            convention = order.convention
            inputs += order.found.directions
            notes = (*notes, *order.checked(lang, sign))
            for part in SECOND_PARTS:
                for line in order.lines(part):
                    shape = shape_text(line.target, self._sizes(line.shape), convention)
                    forms = (raised(line.equality, layers),)
                    found.append(formats.Row(part, line.target, forms, shape, line.range))
        shaped = tuple(
            (t.name, shape_text(t.name, self._sizes(t.shape), convention)) for t in inputs
        )
        plain = plain_names(one for row in found for one in row.forms)
        return formats.Rows(
            self.network,
            vectors,
            shaped,
            tuple(found),
            plain,
            notes,
            sign,
            self.layout,
            layout_said(self.derivation, convention),
            layouts(self.derivation, convention),
            layers,
            begun,
        )

    def _remarks(self, page: Page, lang: str) -> list[str]:
        """What is written out although it is a loop, and what the loss does not depend on."""
        written_out = uneven(self.derivation.forward.equations, page.initial)
        lines = [
            say(
                "{family} is written out: its turns {turn} and {next} are not alike.",
                lang,
                family=family,
                turn=turn,
                next=turn + 1,
            )
            for family, turn in written_out.items()
        ]
        if self.derivation.zero:
            names = ", ".join(self.derivation.zero)
            lines.append(say("The loss does not depend on {names}: zero.", lang, names=names))
        return lines

    def _notes(self, convention: Convention, lang: str, *, elements: bool) -> tuple[str, ...]:
        """What stands below the equations, of which some may be between `elements` in any style."""
        indexed = indices_said(convention, elements=elements)
        plain = self.layers == SUPERSCRIPT and self._layers() == Layers({}, frozenset())
        return (
            *([say(NO_LAYERS, lang)] if plain else []),
            *([say(indexed, lang)] if indexed else []),
            *in_language(self.notes, lang),
        )

    def _layers(self) -> Layers:
        return layers_of(self.derivation) if self.layers == SUPERSCRIPT else NONE

    def _called(self) -> Callable[[str], str]:
        """What a tensor is called in text."""
        layers = self._layers()
        return lambda name: name_text(raised_name(name, layers))

    def _convention(self, vectors: str, style: str = MATRIX) -> Convention:
        return convention_of(vectors, self.derivation, style, self.layout)

    def _shape_text(
        self, name: str, shape: tuple[Size, ...], convention: Convention, lang: str
    ) -> str:
        return shape_text(name, self._sizes(shape), convention) if shape else say("scalar", lang)

    def _sizes(self, shape: tuple[Size, ...]) -> tuple[Size, ...]:
        lengths = {n: word for n, word in self.words.items() if word.isidentifier()}
        return tuple(lengths.get(s, s) if isinstance(s, int) else s for s in shape)


def convention_of(
    vectors: str, derivation: Derivation, style: str = MATRIX, layout: str = GRADIENT
) -> Convention:
    """The convention of a page, with those vectors turned that lie better the other way.

    Raises:
        DataError: there is no such convention, style or layout.
    """
    if style not in (MATRIX, "index"):
        raise DataError(told("The style is matrix or index, not {style}.", style=style))
    if vectors not in ("row", "column"):
        raise DataError(told("The convention is row or column, not {vectors}.", vectors=vectors))
    check_layout(layout)
    upright = pictures(derivation) if layout == JACOBIAN else frozenset[str]()
    chosen = Convention(vectors, gradients=layout, upright=upright)  # type: ignore[arg-type]
    turned = oriented(derivation, chosen)
    return turned if style == MATRIX else replace(turned, style="index")


def check_layout(layout: str, layers: str = SUBSCRIPT) -> None:
    """That gradients may lie so, and layers' numbers stand there.

    Raises:
        DataError: there is no such layout, or no such place for layers.
    """
    if layers not in (SUBSCRIPT, SUPERSCRIPT):
        raise DataError(
            told("The layers are written as subscript or superscript, not {layers}.", layers=layers)
        )
    if layout not in (GRADIENT, JACOBIAN):
        raise DataError(told("The layout is gradient or jacobian, not {layout}.", layout=layout))
