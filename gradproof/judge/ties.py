"""Formulas that compare values which are equal on a whole region, as ``relu(x) ≥ 0`` does.

That no two values that are compared are equal holds for nearly every input where they are smooth
functions. There it is a fair hypothesis; where it fails for every negative x it would be an excuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.monomials import TooLong
from gradproof.core.program import Derivation, Equation, Paper
from gradproof.core.term import Term, free, reads
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.generic import choose_sizes, draw
from gradproof.judge.ground import all_equations
from gradproof.judge.pieces import comparisons

BITS = 192
SEEDS = range(4)
"""How many generic inputs are looked at."""


class Ties:
    """What a paper's formulas compare, at a few generic inputs; worked out when it is asked for."""

    def __init__(self, paper: Paper, derivation: Derivation) -> None:
        self._paper = paper
        self._derivation = derivation
        self._equations = {e.target: e for e in all_equations(paper, derivation)}

    def common(self, of: str) -> bool:
        """Whether the claim of a tensor, or its right gradient, compares values that are equal at
        generic inputs; also where that cannot be worked out."""
        claim = next(claim for claim in self._paper.claims if claim.of == of)
        equations = self._behind((claim.name, self._derivation.gradients[of]))
        try:
            compared = [d for equation in equations for d in comparisons(equation.term)]
            return any(_is_zero_somewhere(d, room) for room in self._rooms for d in compared)
        except (NotYet, TooLong, KeyError, IndexError):
            return True

    def _behind(self, names: tuple[str, ...]) -> list[Equation]:
        """The equations of these tensors and of all that they read."""
        found: dict[str, Equation] = {}
        left = list(names)
        while left:
            name = left.pop()
            if name in self._equations and name not in found:
                found[name] = self._equations[name]
                left.extend(read.tensor for read in reads(found[name].term))
        return list(found.values())

    @cached_property
    def _rooms(self) -> list[Room]:
        inputs = {t.name: t for t in self._paper.forward.inputs}
        constants = self._paper.constants
        sizes = choose_sizes(inputs, {}, constants)
        return [self._room(draw(inputs, sizes, constants, "float64", s), sizes) for s in SEEDS]

    def _room(self, data: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> Room:
        arb = Arb()
        tensors: dict[str, Value] = {}
        room = Room(tensors, sizes, arb)
        with precision(BITS):
            for name, array in data.items():
                tensors[name] = arb.lift(array)
            for equation in all_equations(self._paper, self._derivation):
                tensors[equation.target] = evaluate_equation(equation, room)
        return room


def _is_zero_somewhere(term: Term, room: Room) -> bool:
    axes = tuple(sorted(free(term), key=lambda index: index.number))
    with precision(BITS):
        (balls,) = evaluate_equation(Equation("", axes, term), room)
    return any(ball.contains(0) for ball in balls.reshape(-1))
