"""Hessians times directions, proved by deriving the other way round.

The differential of a gradient is forward mode over reverse mode. The gradient of
``h = Σ ⟨∂l/∂v, dv⟩`` is reverse mode over reverse mode: other rules, in the other order, and the
same numbers, because a Hessian is symmetric. Both are compared at random points; and that of the
loss itself with h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradproof.core.index import Index, at
from gradproof.core.normal import add, canonical, product, total
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Program, Tensor, shapes
from gradproof.core.term import ZERO, Read
from gradproof.derivation import derive
from gradproof.derivation.second import Second, whole_program
from gradproof.judge.points import Question, answer

SCALAR = "ⅆl again"
SYMBOL = "∂ⅆl/∂"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Which differentials were proved: of the loss, and of the gradient of each input.

    ``error`` bounds the probability that one is listed although it is wrong, and ``general`` says
    whether the proof holds at every size.
    """

    proved: frozenset[str]
    wanted: frozenset[str]
    error: float
    general: bool


def agreement(
    derivation: Derivation,
    found: Second,
    constants: Mapping[str, np.ndarray],
    laws: frozenset[str] = frozenset(),
    seed: bytes | None = None,
) -> Agreement:
    """Compares the second order of a derivation with that of the other order of differentiation.

    Args:
        derivation: the gradients.
        found: its second order.
        constants: the inputs that are given numbers.
        laws: the inputs whose rows sum to 1.
        seed: for a repetition; without it randomness comes from the system.
    """
    moved = {e.target: e for e in (*found.values, *found.gradients)}
    whole = whole_program(derivation, found)
    scalar = _scalar(derivation, found)
    forward = Program(
        whole.inputs,
        (*derivation.forward.equations, *derivation.backward.equations, scalar),
        (SCALAR,),
    )
    again = derive(forward, SYMBOL)
    equations = [*whole.equations, scalar, *again.backward.equations]
    pairs: dict[str, tuple[str, str]] = {derivation.loss: (DIFFERENTIAL + derivation.loss, SCALAR)}
    known = shapes(whole)
    for tensor in derivation.forward.inputs:
        gradient = derivation.gradients.get(tensor.name)
        if gradient is None or tensor.name not in again.gradients:
            continue
        mine = DIFFERENTIAL + gradient
        if mine not in moved:
            equations.append(_zero(mine, tensor))
        pairs[gradient] = (mine, again.gradients[tensor.name])
    if DIFFERENTIAL + derivation.loss not in moved:
        equations.append(Equation(DIFFERENTIAL + derivation.loss, (), ZERO))
    question = Question(
        Program(whole.inputs, tuple(equations), ()),
        pairs,
        {name: np.asarray(a) for name, a in constants.items() if name in known},
    )
    answers = answer(question, laws, seed)
    proved = frozenset[str]().union(*(one.equal for one in answers))
    used = [one for one in answers if one.equal]
    return Agreement(
        proved,
        frozenset(pairs),
        min(1.0, sum(one.error for one in used)),
        all(one.general for one in used),
    )


def _scalar(derivation: Derivation, found: Second) -> Equation:
    """``Σ ⟨∂l/∂v, dv⟩`` over the inputs that move."""
    parts, first = [], 0
    for direction in found.directions:
        of = direction.name.removeprefix(DIFFERENTIAL)
        axes = tuple(Index(first + n, size) for n, size in enumerate(direction.shape))
        first += len(axes)
        places = tuple(at(axis) for axis in axes)
        gradient = Read(derivation.gradients[of], places)
        parts.append(total(axes, product(gradient, Read(direction.name, places))))
    _, term = canonical((), add(*parts))
    return Equation(SCALAR, (), term)


def _zero(name: str, tensor: Tensor) -> Equation:
    free = tuple(Index(axis, size) for axis, size in enumerate(tensor.shape))
    return Equation(name, free, ZERO)
