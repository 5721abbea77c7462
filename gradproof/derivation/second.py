"""A derivation to its second order: how values and gradients move where inputs move.

The differential of every equation, forward and backward, along one direction for each input that
moves. That of a value is the Jacobian times the direction, that of a gradient the Hessian times it,
and neither matrix is ever formed (B. A. Pearlmutter, "Fast exact multiplication by the Hessian",
Neural Computation 6, 1994). The result is as long as the derivation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gradproof.core.errors import DataError
from gradproof.core.index import Affine, is_index, the_index
from gradproof.core.normal import canonical, factored
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Program, Tensor
from gradproof.core.term import ZERO, Add, Apply, Read, Term, transform
from gradproof.core.told import told, told_list
from gradproof.derivation.differential import push

Known = Mapping[tuple[str, tuple[str, ...]], str]
"""The name of a value that is a function of others, element by element."""


@dataclass(frozen=True, slots=True)
class Second:
    """The differentials of a derivation's equations.

    ``directions`` are the tensors in whose direction inputs move, each under its input's name with
    `DIFFERENTIAL` before it. ``values`` and ``gradients`` are the differentials of the forward and
    the gradient equations that move at all, in their order.
    """

    directions: tuple[Tensor, ...]
    values: tuple[Equation, ...]
    gradients: tuple[Equation, ...]


def second(derivation: Derivation, along: Collection[str] = ()) -> Second:
    """The second order of a derivation.

    Args:
        derivation: the gradients of a network.
        along: the inputs that move; all that have a gradient, if none are given.

    Raises:
        DataError: one of them is no input, or has no gradient.
    """
    check_along(derivation, along)
    inputs = [t for t in derivation.forward.inputs if t.name in derivation.gradients]
    chosen = [t for t in inputs if t.name in along or not along]
    moving = {t.name for t in chosen}
    known = dict(_functions(derivation.forward.equations))
    values = _moved(derivation.forward.equations, moving, known)
    gradients = _moved(derivation.backward.equations, moving, known)
    directions = tuple(Tensor(DIFFERENTIAL + t.name, t.shape, "data") for t in chosen)
    return Second(directions, values, gradients)


def check_along(derivation: Derivation, along: Collection[str]) -> None:
    """That inputs can move.

    Raises:
        DataError: one of them is no input, or has no gradient.
    """
    names = [t.name for t in derivation.forward.inputs if t.name in derivation.gradients]
    unknown = [name for name in along if name not in names]
    if unknown:
        raise DataError(
            told("{name} is no input that the loss is differentiated by.", name=unknown[0]),
            advice=told("These can move: {names}.", names=told_list(names)),
        )


def whole_program(derivation: Derivation, found: Second) -> Program:
    """Everything as one program: inputs and directions, values and gradients, and how both
    move."""
    equations = (
        *derivation.forward.equations,
        *derivation.backward.equations,
        *found.values,
        *found.gradients,
    )
    return Program((*derivation.forward.inputs, *found.directions), equations, ())


def _moved(equations: Iterable[Equation], moving: set[str], known: Known) -> tuple[Equation, ...]:
    """The differentials that are not zero; the tensors that move grow by theirs."""
    found = []
    for equation in equations:
        moved = push(equation, moving)
        if moved.term != ZERO:
            moving.add(equation.target)
            term = transform(transform(moved.term, lambda n: _named(n, known)), _collected)
            free, term = canonical(moved.free, term)
            found.append(Equation(moved.target, free, term, moved.place))
    return tuple(found)


def _collected(node: Term) -> Term:
    return factored(node) if isinstance(node, Add) else node


def _functions(equations: Iterable[Equation]) -> Iterable[tuple[tuple[str, tuple[str, ...]], str]]:
    """The values that are functions of whole tensors, such as ``a = σ(z)``."""
    for equation in equations:
        match equation.term:
            case Apply(function, arguments, 0):
                places = {a.at for a in arguments if isinstance(a, Read)}
                plain = all(isinstance(a, Read) for a in arguments) and len(places) == 1
                if plain and _indices(*places) == equation.free:
                    names = tuple(a.tensor for a in arguments if isinstance(a, Read))
                    yield (function, names), equation.target
            case _:
                pass


def _indices(places: tuple[Affine, ...]) -> tuple[object, ...]:
    return tuple(the_index(p) if is_index(p) else None for p in places)


def _named(node: Term, known: Known) -> Term:
    """A function's value by its name, at whatever place it is."""
    match node:
        case Apply(function, arguments, 0) if all(isinstance(a, Read) for a in arguments):
            reads = [a for a in arguments if isinstance(a, Read)]
            name = known.get((function, tuple(r.tensor for r in reads)))
            same = len({r.at for r in reads}) == 1
            return Read(name, reads[0].at) if name is not None and same else node
        case _:
            return node
