"""The steps of a derivation to the plain data of a page's cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gradproof.core.program import Derivation
from gradproof.ink.latex import latex
from gradproof.ink.mathml import mathml
from gradproof.report.document import Sentence, StepByStep, StepLine, StepWay
from gradproof.report.step_formats import text_ink
from gradproof.report.steps import Gradient, Shown, StepsPage, filled, steps_page
from gradproof.words.say import ENGLISH
from gradproof.write.convention import Convention
from gradproof.write.layers import NONE, Layers, raised
from gradproof.write.notation import Equality, Notation

MOST_CARDS = 1500
"""A page with more gradients has no steps, and says so: it would take minutes to write."""

Slots = Mapping[str, Notation | tuple[Notation, ...] | str]


def card_steps(
    derivation: Derivation,
    convention: Convention,
    words: Mapping[int, str],
    count: int,
    layers: Layers = NONE,
) -> dict[str, StepByStep]:
    """The steps of each gradient by the target of its equation on the page.

    Args:
        derivation: what was derived.
        convention: how the page is written.
        words: lengths of loops that have a name.
        count: how many gradients the page has; above `MOST_CARDS` there are no steps.
        layers: whose numbers are raised.
    """
    if count > MOST_CARDS:
        return {}
    page = steps_page(derivation, convention, words, full=False, layers=layers)
    writer = _Writer(page)
    return {gradient.key: writer.steps(gradient) for gradient in page.gradients}


class _Writer:
    """Writes sentences and lines twice: as text, and in MathML."""

    def __init__(self, page: StepsPage) -> None:
        self.page = page
        self.plain: Callable[[Notation], str] = text_ink(page)

    def markup(self, notation: Notation) -> str:
        """A notation as an element of its own."""
        return f"<math>{mathml(raised(notation, self.page.layers), plain=self.page.plain)}</math>"

    def sentence(self, template: str, slots: Slots) -> Sentence:
        """In English, to be said in another language where the page is written."""
        return Sentence(
            filled(template, slots, ENGLISH, self.plain),
            filled(template, slots, ENGLISH, self.markup),
        )

    def line(self, one: Shown) -> StepLine:
        """A line with its reason."""
        written = one.written
        equality = raised(written.equality, self.page.layers)
        assert isinstance(equality, Equality)
        left = "" if written.continues else mathml(equality.left, plain=self.page.plain)
        return StepLine(
            self.plain(written.equality),
            latex(equality, plain=self.page.plain),
            (left, mathml(equality.right, plain=self.page.plain)),
            self.sentence(written.reason, written.slots),
            "" if one.sure is None else one.sure.method,
        )

    def steps(self, gradient: Gradient) -> StepByStep:
        """All of one gradient."""
        return StepByStep(
            self.sentence(gradient.intro.template, gradient.intro.slots),
            tuple(
                StepWay(
                    self.sentence(part.title.template, part.title.slots),
                    part.range,
                    tuple(map(self.line, part.lines)),
                )
                for part in gradient.parts
            ),
            tuple(map(self.line, gradient.closing)),
            tuple(self.sentence(one.says, one.slots) for one in gradient.assumptions),
        )
