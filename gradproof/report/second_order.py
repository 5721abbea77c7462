"""A derivation's second order to lines of a page, proved by deriving the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradproof.core.program import DIFFERENTIAL, Derivation, Program
from gradproof.derivation.second import Second, second, whole_program
from gradproof.judge.second import Agreement, agreement
from gradproof.words import listed, say, sentence
from gradproof.write.convention import Convention
from gradproof.write.rolled import Line, Page, page_of, rolled

VALUES, GRADIENTS = "moving values", "moving gradients"

PARTS = {
    VALUES: sentence("How the values move: Jacobian times direction"),
    GRADIENTS: sentence("How the gradients move: Hessian times direction"),
}


SAME_FOR_ALL = sentence(
    "Derived the other way round, back to front twice, these are the same for all sizes, wrong "
    "with probability below {error:.0e}: {names}."
)
SAME_AT_SOME = sentence(
    "Derived the other way round, back to front twice, these are the same at the sizes tried, "
    "wrong with probability below {error:.0e}: {names}."
)


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """What moves, the page it is written on, and what was proved of it."""

    found: Second
    page: Page
    convention: Convention
    agreement: Agreement

    def lines(self, part: str) -> list[Line]:
        """The lines of one of `PARTS`; a loop stands once."""
        equations = self.found.values if part == VALUES else self.found.gradients
        return rolled(equations, self.page)

    def checked(self, lang: str, sign: str) -> list[str]:
        """What was proved, in sentences; `sign` stands before the name of what moves."""
        proved = [f"{sign}{name}" for name in sorted(self.agreement.proved)]
        open_ = [f"{sign}{name}" for name in sorted(self.agreement.wanted - self.agreement.proved)]
        lines = []
        if proved:
            template = SAME_FOR_ALL if self.agreement.general else SAME_AT_SOME
            error = self.agreement.error
            lines.append(say(template, lang, error=error, names=listed(proved, lang)))
        if open_:
            lines.append(
                say("Not proved the other way round: {names}.", lang, names=listed(open_, lang))
            )
        return lines


def second_order(
    derivation: Derivation,
    convention: Convention,
    words: Mapping[int, str],
    along: Sequence[str],
    constants: Mapping[str, object],
    seed: bytes | None = None,
) -> SecondOrder:
    """The second order of a derivation, laid out and proved.

    Args:
        derivation: the gradients.
        convention: how they are written; a direction lies as its input does.
        words: lengths of loops that have a name.
        along: the inputs that move; all that have a gradient, if none are given.
        constants: the inputs that are given numbers.
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
    laws = frozenset(
        t.name for t in derivation.forward.inputs if t.law in ("probabilities", "one-hot")
    )
    given = {name: np.asarray(array) for name, array in constants.items()}
    return SecondOrder(
        found,
        page_of(whole, convention, words),
        convention,
        agreement(derivation, found, given, laws, seed),
    )
