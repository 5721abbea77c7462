"""Single elements that are off."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from gradproof.core.index import at, shift
from gradproof.core.normal import product
from gradproof.core.term import ONE, Add, Bracket, Number, Term
from gradproof.mistakes.record import Mistake, Scene, Wrong, wrong

OFF = Fraction(1, 1000)
"""As much as a verdict counts as seen in an element (its *power*)."""


def one_element(scene: Scene, index: tuple[int, ...], by: Fraction) -> Wrong:
    """The right formula with one element off by a relative amount."""
    here: list[Term] = [
        Bracket("==", shift(at(i), -place))
        for i, place in zip(scene.right.free, index, strict=True)
    ]
    factor = Add((ONE, product(Number(by), *here)))
    where = f"[{', '.join(map(str, index))}]"
    return wrong(scene, product(scene.right.term, factor), where=where, by=f"{float(by):.3g}")


def _one_off(scene: Scene) -> Iterator[Wrong]:
    if scene.right.free:
        yield one_element(scene, tuple(0 for _ in scene.right.free), OFF)


ELEMENTS = (
    Mistake(
        "one element off",
        "Only the element {where} is wrong, by {by} of its value; all others are right.",
        _one_off,
    ),
)
