"""The equations that a report shows: forward, derived and the user's, each loop once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gradproof.core.index import Size
from gradproof.core.program import Derivation, Equation, Paper, shape_of, shapes
from gradproof.core.term import rename
from gradproof.core.told import told
from gradproof.ink.terminal import text
from gradproof.report.report import Turns
from gradproof.write.convention import Convention, shape_text
from gradproof.write.layers import NONE, Layers, raised
from gradproof.write.loops import turned
from gradproof.write.rolled import Line, Page, line_of, page_of, rolled, starts


@dataclass(frozen=True, slots=True)
class Sheet:
    """The equations of a paper, and under which names those of its backward stand.

    A claim has the name of the gradient that it is a claim of, and what a backward loop makes has
    the number of the forward loop's turn to which it belongs.
    """

    paper: Paper
    derivation: Derivation
    page: Page
    claims: Sequence[Equation]
    others: Sequence[Equation]
    names: Mapping[str, str]

    def on(self, equation: Equation) -> str:
        """An equation as it stands on the page."""
        return text(line_of(_called(equation, self.names), self.page).equality)

    def forward_lines(self) -> list[Line]:
        """The forward equations, each loop once."""
        return rolled(self.paper.forward.equations, self.page)

    def gradient_lines(self) -> list[Line]:
        """The derived gradients, back to front, each loop once."""
        return rolled(self.derivation.backward.equations, self.page)

    def theirs(self) -> list[Line]:
        """The user's equations for gradients, each loop once."""
        return rolled(self.claims, self.page)

    def forward_loops(self) -> tuple[Turns, ...]:
        """The forward equations that hold for many turns."""
        return tuple(
            Turns(line.target, line.members, text(line.equality), line.range)
            for line in self.forward_lines()
            if line.members
        )

    def starts(self) -> tuple[str, ...]:
        """What a loop's member 0 and a tensor's slices are; to be asked after the equations."""
        return tuple(starts(self.page))

    def gradient_loops(self) -> tuple[Turns, ...]:
        """The derived equations that hold for many turns, each with those that the user has for
        the same ones."""
        of = {symbol: name for name, symbol in self.derivation.gradients.items()}
        theirs = self.theirs()
        return tuple(
            Turns(
                line.target,
                tuple(of[name] for name in line.members),
                text(line.equality),
                line.range,
                tuple(_claimed(line, theirs)),
            )
            for line in self.gradient_lines()
            if line.members
        )

    def own_values(self, layers: Layers = NONE) -> tuple[str, ...]:
        """The equations of the user's backward for values that are no claims."""
        return tuple(
            text(raised(line.equality, layers)) + (f"   {line.range}" if line.range else "")
            for line in rolled(self.others, self.page)
        )


def sheet_of(paper: Paper, derivation: Derivation, layout: Convention) -> Sheet:
    """The equations of a paper and of what is derived from it, in one layout."""
    page = page_of(derivation, layout)
    programs = [paper.forward, derivation.backward]
    if paper.backward is not None:
        programs.append(paper.backward)
    for program in programs:
        page.shapes.update(shapes(program))
    own = paper.backward.equations if paper.backward is not None else ()
    names = {claim.name: derivation.gradients[claim.of] for claim in paper.claims}
    called = [_called(equation, names) for equation in own]
    names |= turned(called, {*derivation.gradients.values(), *shapes(paper.forward)}, page.initial)
    called = [_called(equation, names) for equation in own]
    order = {symbol: k for k, symbol in enumerate(derivation.gradients.values())}
    claims = sorted((e for e in called if e.target in order), key=lambda e: order[e.target])
    others = [e for e in called if e.target not in order]
    page.shapes.update((e.target, shape_of(e)) for e in called)
    return Sheet(paper, derivation, page, claims, others, names)


def _called(equation: Equation, names: Mapping[str, str]) -> Equation:
    """An equation with the page's names."""
    target = names.get(equation.target, equation.target)
    return replace(equation, target=target, term=rename(equation.term, dict(names)))


def for_line(line: Line, theirs: Sequence[Line]) -> list[Line]:
    """Those of the user's equations that are for the gradients of a line."""
    wanted = set(line.members) or {line.target, line.target.removesuffix("[t]")}
    return [
        one for one in theirs if {one.target, one.target.removesuffix("[t]"), *one.members} & wanted
    ]


def _claimed(line: Line, theirs: Sequence[Line]) -> Sequence[str]:
    """The user's equations for the turns of a line: one where theirs hold for all of them."""
    found = for_line(line, theirs)
    if len(found) == 1 and set(found[0].members) >= set(line.members):
        return (text(found[0].equality),)
    return tuple(text(one.equality) + (f"   {one.range}" if one.range else "") for one in found)


def shape_words(name: str, shape: tuple[Size, ...], convention: Convention) -> str:
    """A tensor's shape as it is laid out; that of a scalar is a word."""
    return shape_text(name, shape, convention) if shape else told("scalar")
