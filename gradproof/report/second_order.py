"""A derivation's second order to lines of a page, proved by deriving the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gradproof.core.program import DIFFERENTIAL, Derivation, Program
from gradproof.derivation.second import Second, second, whole_program
from gradproof.judge.equations import Sure
from gradproof.judge.second import transposed
from gradproof.report.methods import methods
from gradproof.words import listed, say, sentence
from gradproof.write.convention import Convention
from gradproof.write.rolled import Line, Page, page_of, rolled

VALUES, GRADIENTS = "moving values", "moving gradients"

PARTS = {
    VALUES: sentence("How the values move: Jacobian times direction"),
    GRADIENTS: sentence("How the gradients move: Hessian times direction"),
}


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

    def lines(self, part: str) -> list[Line]:
        """The lines of one of `PARTS`; a loop stands once."""
        equations = self.found.values if part == VALUES else self.found.gradients
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
    )
