"""A derivation's second order to lines of a page, proved by deriving the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gradproof.core.normal import canonical, tidy
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Program
from gradproof.core.term import reads, walk
from gradproof.derivation.second import Second, second, whole_program
from gradproof.judge.equations import Sure
from gradproof.judge.normal_form import TooLong, inlined
from gradproof.judge.second import transposed
from gradproof.report.methods import methods
from gradproof.words import listed, say, sentence
from gradproof.write.convention import Convention
from gradproof.write.rolled import Line, Page, page_of, rolled

VALUES, GRADIENTS, CLOSED = "moving values", "moving gradients", "in one formula"

PARTS = {
    VALUES: sentence("How the values move: Jacobian times direction"),
    GRADIENTS: sentence("How the gradients move: Hessian times direction"),
    CLOSED: sentence("Hessian times direction, in one formula"),
}

MOST = 24
"""Reads of tensors and operations of a formula that is worth a line; a longer one is no closed
form, and stays the chain that stands above it."""


PROVED = sentence(
    "Checked: each of these differentials is proved to be the transpose of what its equation sends "
    "back."
)


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """What moves, the page it is written on, and how each differential was proved."""

    found: Second
    page: Page
    convention: Convention
    judged: Mapping[str, Sure | None]
    closed: tuple[Equation, ...]

    def lines(self, part: str) -> list[Line]:
        """The lines of one of `PARTS`; a loop stands once."""
        equations = {
            VALUES: self.found.values,
            GRADIENTS: self.found.gradients,
            CLOSED: self.closed,
        }[part]
        return rolled(equations, self.page)

    def checked(self, lang: str, sign: str) -> list[str]:
        """What was proved, in sentences; `sign` stands before the name of what moves."""
        sure = [one for one in self.judged.values() if one is not None]
        left = [name.replace(DIFFERENTIAL, sign) for name, one in self.judged.items() if not one]
        said = [say(PROVED, lang)] if sure and not left else []
        if left:
            said.append(say("Not proved: {names}.", lang, names=listed(left, lang)))
        return [*said, *methods(sure, lang)]


def second_order(
    derivation: Derivation,
    convention: Convention,
    words: Mapping[int, str],
    along: Sequence[str],
    seed: bytes | None = None,
) -> SecondOrder:
    """The second order of a derivation, laid out and proved.

    Args:
        derivation: the gradients.
        convention: how they are written; a direction lies as its input does.
        words: lengths of loops that have a name.
        along: the inputs that move; all that have a gradient, if none are given.
        seed: for a repetition of the proof.

    Raises:
        DataError: one of `along` is no input, or has no gradient.
    """
    found = second(derivation, along)
    turned = convention.turned | {DIFFERENTIAL + name for name in convention.turned}
    convention = replace(convention, turned=turned)
    whole = Derivation(
        whole_program(derivation, found), derivation.loss, Program((), (), ()), {}, ()
    )
    return SecondOrder(
        found,
        page_of(whole, convention, words),
        convention,
        transposed(derivation, found, seed),
        closed_forms(derivation, found),
    )


def closed_forms(derivation: Derivation, found: Second) -> tuple[Equation, ...]:
    """How the gradients of inputs that move do so, with every other differential written out: the
    Hessian as what the direction is multiplied by. Those that are long are left out, and those
    that are one line already."""
    moving = {t.name.removeprefix(DIFFERENTIAL) for t in found.directions}
    wanted = {DIFFERENTIAL + derivation.gradients[name] for name in moving}
    chain = {e.target: e for e in (*found.values, *found.gradients) if e.target not in wanted}
    closed = []
    for equation in found.gradients:
        if equation.target in wanted and any(r.tensor in chain for r in reads(equation.term)):
            try:
                term = tidy(inlined(equation.term, chain))
            except TooLong:
                continue
            if sum(1 for _ in walk(term)) <= MOST:
                free, term = canonical(equation.free, term)
                closed.append(replace(equation, free=free, term=term))
    return tuple(closed)
