"""How lines were proved, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from gradproof.judge.equations import ELEMENTS, POINTS, Sure
from gradproof.words import say


def methods(sure: Sequence[Sure], lang: str) -> list[str]:
    """How many lines were proved otherwise than by their normal form, and how sure that is."""
    said = []
    counted = [one for one in sure if one.method == ELEMENTS]
    if counted:
        said.append(
            say(
                "Element by element, for the sizes that are numbers: {count}.",
                lang,
                count=len(counted),
            )
        )
    drawn = [one for one in sure if one.method == POINTS]
    if drawn:
        error = f"{min(1.0, sum(one.error for one in drawn)):.0e}"
        said.append(
            say(
                "Exactly, at random points: {count}, with a probability of error of at most "
                "{error}.",
                lang,
                count=len(drawn),
                error=error,
            )
        )
    return said
