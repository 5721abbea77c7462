"""What a mistake is: its name, its words, and the wrong formulas that it makes of a right one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gradproof.core.index import Index, Size, at
from gradproof.core.program import Derivation, Equation
from gradproof.core.term import Read, Term, children, rebuild

Slots = Mapping[str, str | Term]
"""What stands in the slots of a mistake's words: a word, or a term that is written as a formula."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A right formula, and everything that it could be confused with.

    ``right`` is the gradient's equation, or another way of writing it; ``shapes`` has the shape of
    every forward tensor and of every gradient.
    """

    of: str
    right: Equation
    derivation: Derivation
    shapes: Mapping[str, tuple[Size, ...]]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong formula, and what the mistake was in this case."""

    equation: Equation
    slots: Slots


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, which serves as a diagnosis and as a mutant.

    ``words`` is a sentence with named slots, which says what was done. ``wrongs`` makes the wrong
    formulas. One that ``reshapes`` gives a tensor of another shape.
    """

    name: str
    words: str
    wrongs: Callable[[Scene], Iterator[Wrong]]
    reshapes: bool = False


def spots(term: Term) -> Iterator[tuple[Term, Callable[[Term], Term]]]:
    """Every node of a term, with the function that puts another in its place."""
    yield term, lambda new: new
    below = children(term)
    for number, child in enumerate(below):
        for node, put in spots(child):
            yield node, _putter(term, number, put)


def _putter(term: Term, number: int, put: Callable[[Term], Term]) -> Callable[[Term], Term]:
    below = children(term)
    return lambda new: rebuild(term, (*below[:number], put(new), *below[number + 1 :]))


def wrong(scene: Scene, term: Term, **slots: str | Term) -> Wrong:
    """A wrong formula of the right shape."""
    return Wrong(Equation(scene.right.target, scene.right.free, term), slots)


def read(tensor: str, free: tuple[Index, ...]) -> Read:
    """A tensor at the axes of another of the same shape."""
    return Read(tensor, tuple(at(index) for index in free))
