"""Kinks and ties: where a function has no derivative, and engines choose one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradproof.core.errors import Place
from gradproof.core.index import Index, is_index, the_index
from gradproof.core.program import Equation, Program
from gradproof.core.term import Apply, Fold, Term, free, reads, walk
from gradproof.core.told import told
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.engine import Engine
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.ops import FUNCTIONS
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.formula import Formula


@dataclass(frozen=True, slots=True)
class Kink:
    """A use of a function at a point where it has no derivative.

    ``spots`` are the elements of the tensor that lie there, or `None` where only some read of it
    does; ``values`` are the arguments at the first of them; ``place`` is the user's line.
    """

    function: str
    tensor: str
    spots: np.ndarray | None
    values: tuple[float, ...]
    place: Place | None


class Uses(NamedTuple):
    """Where a program uses functions that have kinks or ties.

    ``functions`` has the equation of each use, the function's name, the use itself, what is zero at
    a kink, and what it reads; ``largest`` the values that are the largest of others.
    """

    functions: tuple[tuple[Equation, str, Term, Term, set[str]], ...]
    largest: Mapping[str, Fold]


def uses(program: Program) -> Uses:
    """The uses of functions with kinks or ties in a forward program."""
    functions = tuple((e, *use) for e in program.equations for use in _kinked(e.term))
    largest = {
        e.target: e.term for e in program.equations if isinstance(e.term, Fold) and _can_tie(e.term)
    }
    return Uses(functions, largest)


def kinks(
    used: Uses,
    values: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> dict[str, Kink]:
    """The tensors whose gradient passes through a kink at these values.

    Args:
        used: those of the forward program.
        values: an engine's tensors.
        sizes: a number for each size symbol.
        contract: of the engine that made them.
    """
    found: dict[str, Kink] = {}
    for equation, function, node, argument, read in used.functions:
        room = _room(read, values, sizes, contract)
        hits = _ties(argument, room) if isinstance(argument, Fold) else _zeros(argument, room)
        if not np.any(hits):
            continue
        at_first = _values(node, hits, room)
        for name in read:
            spots = hits if hits.shape == values[name].shape and _plain(node, name) else None
            found.setdefault(name, Kink(function, name, spots, at_first, equation.place))
    return found


def tied_values(
    used: Uses,
    values: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> dict[str, np.ndarray]:
    """The values that are the largest of others, with the elements where two of these are.

    Args:
        used: those of the forward program.
        values: an engine's tensors.
        sizes: a number for each size symbol.
        contract: of the engine that made them.
    """
    largest = used.largest
    if not largest:
        return {}
    names = {read.tensor for fold in largest.values() for read in reads(fold)}
    room = _room(names, values, sizes, contract)
    found = {target: _ties(fold, room) for target, fold in largest.items()}
    return {target: hits for target, hits in found.items() if np.any(hits)}


def _room(
    names: Iterable[str],
    values: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    contract: Contract,
) -> Room:
    ball = Ball(contract)
    return Room({name: ball.lift(values[name]) for name in names}, sizes, ball)


def _can_tie(fold: Fold) -> bool:
    return fold.function in FOLD_BY_NAME and FOLD_BY_NAME[fold.function].ties


def sentence(kink: Kink, engine: Engine, dtype: str) -> str:
    """Where a kink is, what the function's slopes are on both of its sides, and which one an engine
    chooses: it is asked."""
    at_place = f" ({kink.place.file}:{kink.place.line})" if kink.place else ""
    where = kink.tensor
    if kink.spots is not None:
        first = ", ".join(str(int(k)) for k in np.argwhere(kink.spots)[0])
        count = int(np.count_nonzero(kink.spots))
        if first:
            where = f"{kink.tensor}[{first}]"
        if first and count > 1:
            where = told("{element} and {others} more", element=where, others=count - 1)
    if not kink.values:
        return told(
            "{function} has a tie in {where}{at_place}: its gradient may go to either of "
            "the largest, or be shared",
            function=kink.function,
            where=where,
            at_place=at_place,
        )
    below, chosen, above = (slope_at(kink, engine, dtype, by) for by in (-STEP, 0.0, STEP))
    sides = told("{below:g} on one side and {above:g} on the other", below=below, above=above)
    return told(
        "{function} has no derivative at {where}{at_place}, where its slope is "
        "{sides}; {title} takes {chosen:g}",
        function=kink.function,
        where=where,
        at_place=at_place,
        sides=sides,
        title=engine.title,
        chosen=chosen,
    )


STEP = 2.0**-6
"""How far beside a kink its slopes are asked for: the records' functions are smooth there."""


def slope_at(kink: Kink, engine: Engine, dtype: str, by: float) -> float:
    """The slope by the first argument that an engine takes, at a kink or beside it."""
    function = FUNCTIONS[kink.function]
    first, *others = kink.values
    run = engine.run(
        lambda x: np.sum(function(x, *others)), {"x": np.array([first + by])}, {}, "loss", dtype
    )
    return float(run.gradients["x"][0])


def _kinked(term: Term) -> Iterator[tuple[str, Term, Term, set[str]]]:
    """Each use of a function with kinks: its name, itself, what is zero there, what it reads."""
    for node in walk(term):
        match node:
            case Apply(function, arguments, _):
                rule = ELEMENTWISE_BY_NAME[function].kink
                if rule is not None:
                    at_kink = rule(*(Formula(a) for a in arguments)).term
                    yield function, node, at_kink, {r.tensor for r in reads(node)}
            case Fold(function, _, _) if _can_tie(node):
                yield function, node, node, {r.tensor for r in reads(node)}
            case _:
                pass


def _zeros(term: Term, room: Room) -> np.ndarray:
    return _array(term, room) == 0


def _ties(fold: Fold, room: Room) -> np.ndarray:
    """Where the largest element stands more than once."""
    body = _array(fold.body, room, last=fold.over)
    body = body.reshape((*body.shape[: body.ndim - len(fold.over)], -1))
    top = body.max(axis=-1, keepdims=True)
    return np.sum(body == top, axis=-1) > 1


def _plain(node: Term, name: str) -> bool:
    """Whether a function reads a tensor element by element, axis by axis in order."""
    if isinstance(node, Fold):
        return False
    for read in reads(node):
        if read.tensor == name:
            numbers = [the_index(p).number for p in read.at if is_index(p)]
            if len(numbers) != len(read.at) or numbers != sorted(numbers):
                return False
    return True


def _values(node: Term, hits: np.ndarray, room: Room) -> tuple[float, ...]:
    """The arguments at the first hit; none for a tie."""
    if not isinstance(node, Apply):
        return ()
    axes = tuple(sorted(free(node), key=lambda index: index.number))
    spot = tuple(np.argwhere(hits)[0])
    arrays = [evaluate_equation(Equation("", axes, a), room)[0] for a in node.arguments]
    if any(array.shape != hits.shape for array in arrays):
        return ()
    return tuple(float(array[spot]) for array in arrays)


def _array(term: Term, room: Room, last: tuple[Index, ...] = ()) -> np.ndarray:
    """The midpoints of a term, over its free indices; those in `last` come last."""
    axes = sorted(free(term), key=lambda index: (index in last, index.number))
    return evaluate_equation(Equation("", tuple(axes), term), room)[0]
