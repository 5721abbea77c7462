"""Kinks and ties: where a function has no derivative, and engines choose one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gradproof.core.index import Index
from gradproof.core.program import Equation, Program
from gradproof.core.term import Apply, Fold, Term, free, reads, walk
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.formula import Formula


def kinks(
    program: Program,
    values: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> dict[str, str]:
    """The tensors whose gradient passes through a kink at these values, with a sentence for each.

    Args:
        program: the forward program.
        values: an engine's tensors.
        sizes: a number for each size symbol.
        contract: of the engine that made them.
    """
    found: dict[str, str] = {}
    room = Room({}, sizes, Ball(contract))
    lifted = {name: room.arithmetic.lift(array) for name, array in values.items()}
    for equation in program.equations:
        for function, argument, read in _kinked(equation.term):
            room = Room(lifted, sizes, room.arithmetic)
            if _hits(function, argument, room):
                for name in read:
                    found[name] = (
                        f"{function} has no derivative at one of these values, "
                        "and engines choose differently there"
                    )
    return found


def _kinked(term: Term) -> Iterator[tuple[str, Term, set[str]]]:
    """Each use of a function with kinks: its name, what is zero at a kink, what it reads."""
    for node in walk(term):
        match node:
            case Apply(function, arguments, _):
                rule = ELEMENTWISE_BY_NAME[function].kink
                if rule is not None:
                    at_kink = rule(*(Formula(a) for a in arguments)).term
                    yield function, at_kink, {r.tensor for r in reads(node)}
            case Fold(function, _, _) if FOLD_BY_NAME[function].ties:
                yield function, node, {r.tensor for r in reads(node)}
            case _:
                pass


def _hits(function: str, term: Term, room: Room) -> bool:
    if isinstance(term, Fold):
        return _ties(term, room)
    value = _array(term, room)
    return bool(np.any(value == 0))


def _ties(fold: Fold, room: Room) -> bool:
    """Whether the largest element stands more than once."""
    body = _array(fold.body, room, last=fold.over)
    body = body.reshape((*body.shape[: body.ndim - len(fold.over)], -1))
    top = body.max(axis=-1, keepdims=True)
    return bool(np.any(np.sum(body == top, axis=-1) > 1))


def _array(term: Term, room: Room, last: tuple[Index, ...] = ()) -> np.ndarray:
    """The midpoints of a term, over its free indices; those in `last` come last."""
    axes = sorted(free(term), key=lambda index: (index in last, index.number))
    return evaluate_equation(Equation("", tuple(axes), term), room)[0]
