"""Two equations to whether they say the same, whatever the tensors are that they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradproof.core.index import Size
from gradproof.core.monomials import Polynomial, TooLong, polynomial
from gradproof.core.program import Equation, Program, Tensor
from gradproof.core.term import Term, positions, reads, walk
from gradproof.judge.elements import same_elements
from gradproof.judge.points import Question, answer
from gradproof.write.matrix import without_size_one
from gradproof.write.rolled import LETTER

NORMAL_FORM = "normal form"
ELEMENTS = "element by element"
POINTS = "points"

LEFT, RIGHT = "left side", "right side"
"""The two sides at random points; no tensor's name has a space."""


@dataclass(frozen=True, slots=True)
class Sure:
    """How an equality was proved; ``error`` bounds the probability that it is wrong, and
    `sizes_tried` says that it was proved at some sizes only."""

    method: str
    error: float = 0.0
    sizes_tried: bool = False


def compared(
    left: Equation,
    right: Equation,
    shapes: Mapping[str, tuple[Size, ...]],
    seed: bytes | None,
    forms: dict[Equation, Polynomial | None] | None = None,
) -> Sure | None:
    """How two equations were proved equal, or `None`: by normal form, element by element where
    their sizes are numbers, or at random points.

    Args:
        left: one equation.
        right: another one.
        shapes: of the tensors that they read.
        seed: for a repetition of what is decided at random points.
        forms: the normal forms that are known; new ones are added.
    """
    left, right = without_size_one(left), without_size_one(right)
    if [i.size for i in left.free] != [i.size for i in right.free]:
        return None
    forms = {} if forms is None else forms
    one, other = _form(left, forms), _form(right, forms)
    if one is not None and one == other:
        return Sure(NORMAL_FORM)
    if same_elements(left, right):
        return Sure(ELEMENTS)
    return _at_points(left, right, shapes, seed)


def _form(equation: Equation, forms: dict[Equation, Polynomial | None]) -> Polynomial | None:
    """The normal form of one side; `None` where it is too long."""
    if equation not in forms:
        try:
            forms[equation] = polynomial(equation.free, equation.term)
        except TooLong:
            forms[equation] = None
    return forms[equation]


def _at_points(
    left: Equation, right: Equation, shapes: Mapping[str, tuple[Size, ...]], seed: bytes | None
) -> Sure | None:
    one = Equation(LEFT, left.free, left.term)
    other = Equation(RIGHT, right.free, right.term)
    if any(_is_turning(node) for side in (one, other) for node in walk(side.term)):
        return None  # a position that a loop's t moves has no number
    names = sorted({r.tensor for side in (one, other) for r in reads(side.term)})
    tensors = tuple(Tensor(name, shapes[name]) for name in names)
    question = Question(Program(tensors, (one, other), ()), {"line": (LEFT, RIGHT)}, {})
    for found in answer(question, seed=seed):
        if found.equal:
            return Sure(POINTS, found.error, not found.general or found.numbers)
    return None


def _is_turning(node: Term) -> bool:
    return any(variable == LETTER for place in positions(node) for variable, _ in place.terms)
