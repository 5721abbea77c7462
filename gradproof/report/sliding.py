"""A derivation's sums over windows to the forms that textbooks print, as far as both are equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gradproof.core.program import Derivation, shapes
from gradproof.judge.elements import same_elements
from gradproof.words import say, sentence
from gradproof.write.convention import Convention
from gradproof.write.notation import (
    Correlation,
    Equality,
    Notation,
    Padded,
    Turned,
    Widened,
    children,
)
from gradproof.write.planes import write_planes
from gradproof.write.read import read

SLIDES = ("A ⋆ B", sentence("B slides over A: (A ⋆ B)[i,j] = Σ_q,r A[i+q,j+r] B[q,r]"))
EVERY = (
    "A↓s",
    sentence("every s-th row and column of A; (s, t) is every s-th row and t-th column"),
)
PADS = ("pad(A, k)", sentence("A with k zeros around it; a:b is a before and b after"))
SPREADS = (
    "A↑s",
    sentence("A with zeros between its elements, which stand at every s-th place"),
)
TURNS = ("rot180(A)", sentence("A turned by 180 degrees"))
FLIPS = ("flip(a)", sentence("a backwards"))
PROVED = sentence(
    "Each equation with ⋆ is proved equal to the sum below it, coefficient by coefficient, for the "
    "sizes that are numbers."
)


def legend(written: Iterable[Equality], lang: str = "en") -> list[str]:
    """What the signs of these equations mean, a line each; none where nothing slides."""
    signs = {sign for one in written for sign in _signs(one)}
    known = [sign for sign in (SLIDES, EVERY, PADS, SPREADS, TURNS, FLIPS) if sign in signs]
    width = max((len(sign) for sign, _ in known), default=0)
    return [f"  {sign:<{width}}   {say(meaning, lang)}" for sign, meaning in known]


def _signs(notation: Notation) -> Iterator[tuple[str, str]]:
    match notation:
        case Correlation(_, _, steps):
            yield SLIDES
            if {*steps} - {1}:
                yield EVERY
        case Padded():
            yield PADS
        case Widened():
            yield SPREADS
        case Turned(_, plane):
            yield TURNS if plane else FLIPS
        case _:
            pass
    for child in children(notation):
        yield from _signs(child)


def sliding_forms(derivation: Derivation, convention: Convention) -> dict[str, Equality]:
    """The equations of a derivation that say which plane slides over which, by their targets.

    Each is read back and proved equal to the equation that it stands for; one that is not is left
    out.
    """
    known = shapes(derivation.forward) | shapes(derivation.backward)
    found: dict[str, Equality] = {}
    for equation in (*derivation.forward.equations, *derivation.backward.equations):
        written = write_planes(equation, convention, {}, known)
        if written is not None and same_elements(equation, read(written, known, convention)):
            found[equation.target] = written
    return found
