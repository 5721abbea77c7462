"""True values: whole programs in Arb, with precision raised until they are sharp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradproof.core.program import Program
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import evaluate

GOOD_BITS = 60
"""Bits of relative accuracy wanted of every element: more than float64 has."""


@dataclass(frozen=True, slots=True)
class TrueValues:
    """Arb enclosures of every tensor of some programs, and the precision that gave them."""

    balls: Mapping[str, np.ndarray]
    bits: int
    undecided: int


def true_values(
    programs: tuple[Program, ...],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    most_bits: int = 1500,
) -> TrueValues:
    """Every tensor of programs that build on one another, at inputs taken as exact."""
    bits = 96 + 6 * min(len(programs[0].equations), 200)
    while True:
        found = _at(programs, inputs, sizes, bits)
        worst = min((_accuracy(balls) for balls in found.balls.values()), default=GOOD_BITS)
        if worst >= GOOD_BITS or bits >= most_bits:
            return found
        bits = min(most_bits, max(2 * bits, bits + GOOD_BITS - worst))


def _at(
    programs: tuple[Program, ...],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    bits: int,
) -> TrueValues:
    arb = Arb()
    with precision(bits):
        tensors = {name: arb.lift(array) for name, array in inputs.items()}
        for program in programs:
            tensors = evaluate(program, tensors, sizes, arb)
    return TrueValues({name: value[0] for name, value in tensors.items()}, bits, arb.undecided)


def _accuracy(balls: np.ndarray) -> int:
    """The fewest good bits of any element; an element that is or hugs zero does not count."""
    return min(
        (ball.rel_accuracy_bits() for ball in balls.flat if not ball.contains(0)),
        default=GOOD_BITS,
    )
