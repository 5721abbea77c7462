"""A wrong-looking formula to the right one that it is: by what functions keep, or by itself.

Numbers at random points know sums and products. They do not know that ``leaky_relu(z) > 0`` where
``z > 0``, and that a softmax does not see what is added to all of its elements; and of a whole
network there may be none, because its roots have roots in them. So terms are made plainer first,
and one formula is compared with another where only they are: whatever they read is drawn freely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from gradproof.core.errors import NotYet
from gradproof.core.index import Affine, Index, indices_of
from gradproof.core.program import Derivation, Equation, Program, Tensor, shapes
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Number,
    Power,
    Product,
    Read,
    Term,
    bound,
    free,
    reads,
    substitute,
    transform,
    walk,
)
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.engines.field import UnluckyPoint
from gradproof.engines.modular import Modular
from gradproof.judge.ground import same
from gradproof.judge.points import POINT, Question, drawn, with_points

POSITIVE_WITH = {
    "relu": (">",),
    "leaky_relu": (">", ">="),
    "elu": (">", ">="),
    "tanh": (">", ">="),
}
"""Functions that are positive where their argument is, and which comparisons with 0 they keep."""

SEEDS = (b"alone", b"alone again")


def plainer(equation: Equation, forward: Program) -> Equation:
    """The same formula, with what stands for the same thing written in one way.

    Args:
        equation: a formula.
        forward: the forward program, which says what the values that it reads are.
    """
    made = {e.target: e for e in forward.equations}
    binary = frozenset(t.name for t in forward.inputs if t.law == "one-hot")

    def change(node: Term) -> Term:
        return _once(_unshifted(_by_argument(node, made), made), binary)

    return replace(equation, term=transform(equation.term, change))


def _by_argument(node: Term, made: Mapping[str, Equation]) -> Term:
    """A comparison of ``leaky_relu(z)`` with 0, as that of z."""
    match node:
        case Compare(relation, Read(tensor, places), Number(zero)) if zero == 0 and tensor in made:
            match made[tensor].term:
                case Apply(function, (Read() as argument, *constants), 0) if (
                    relation in POSITIVE_WITH.get(function, ())
                    and all(isinstance(c, Number) and c.value > 0 for c in constants)
                ):
                    at_places = _at(argument, made[tensor], places)
                    return Compare(relation, at_places, Number(zero))
        case _:
            pass
    return node


def _unshifted(node: Term, made: Mapping[str, Equation]) -> Term:
    """A softmax, without what is added to all of its elements."""
    match node:
        case Along("softmax", over, Read(tensor, places), position) if tensor in made:
            whole = made[tensor]
            moving = {
                i for i, place in zip(whole.free, places, strict=True) if over in indices_of(place)
            }
            terms = whole.term.terms if isinstance(whole.term, Add) else ()
            kept = [term for term in terms if free(term) & moving]
            # What is kept binds nothing, so that no index of the formula is captured in it.
            if 0 < len(kept) < len(terms) and not any(bound(n) for t in kept for n in walk(t)):
                body = kept[0] if len(kept) == 1 else Add(tuple(kept))
                return Along("softmax", over, _at(body, whole, places), position)
        case _:
            pass
    return node


def _at(term: Term, equation: Equation, places: tuple[Affine, ...]) -> Term:
    """A part of an equation in which nothing is bound, at other positions."""
    mapping: dict[Index, Affine] = dict(zip(equation.free, places, strict=True))
    return substitute(term, mapping)


def _once(node: Term, binary: frozenset[str]) -> Term:
    """What is 0 or 1 and stands twice, once: these are their own squares."""
    match node:
        case Product(factors):
            return Product(
                tuple(
                    f
                    for k, f in enumerate(factors)
                    if not (f in factors[:k] and _is_binary(f, binary))
                )
            )
        case Power(base, exponent) if exponent > 0 and _is_binary(base, binary):
            return base
        case _:
            return node


def _is_binary(term: Term, binary: frozenset[str]) -> bool:
    """Whether a term is 0 or 1: a condition, an element of a one-hot tensor, or 1 − such a one."""
    match term:
        case Bracket() | Compare():
            return True
        case Read(tensor, _):
            return tensor in binary
        case Add((Number(one), Product((Number(minus), other)))):
            return (one, minus) == (1, -1) and _is_binary(other, binary)
        case _:
            return False


def same_alone(
    wrong: Equation, right: Equation, derivation: Derivation, sizes: Mapping[str, int]
) -> bool:
    """Whether a formula is the right one whatever the rest of the network is.

    Every tensor that they read is drawn freely in a finite field, but for forward values: these are
    made by their equations of what they read. So what is the same is the same in every
    network that has these equations; what is not may still be.

    Args:
        wrong: a formula.
        right: that of the derivation.
        derivation: of the network.
        sizes: a number for each size symbol.
    """
    return all(_same_at(wrong, right, derivation, sizes, seed) for seed in SEEDS)


def _same_at(
    wrong: Equation,
    right: Equation,
    derivation: Derivation,
    sizes: Mapping[str, int],
    seed: bytes,
) -> bool:
    known = {**shapes(derivation.forward), **shapes(derivation.backward)}
    laws = {t.name: t.law for t in derivation.forward.inputs}
    machine = Modular(hashlib.sha256(seed).digest(), rooted=True, apart=True)
    with_one = {**sizes, str(POINT.size): 1}
    question = Question(Program((), (), ()), {}, {})
    lawful = frozenset(name for name, law in laws.items() if law in ("probabilities", "one-hot"))
    tensors: dict[str, Value] = {}

    def draw(term: Term) -> None:
        for name in {read.tensor for read in reads(term)} - tensors.keys():
            tensor = Tensor(name, known[name], laws.get(name, ""))
            tensors[name] = drawn(tensor, question, lawful, with_one, machine)

    def value(equation: Equation) -> Value:
        return evaluate_equation(with_points(equation), Room(tensors, with_one, machine))

    read = {r.tensor for term in (wrong.term, right.term) for r in reads(term)}
    try:
        for equation in derivation.forward.equations:
            if equation.target in read:
                draw(equation.term)
                with suppress(UnluckyPoint):  # a root of a root that is none here: drawn, too
                    tensors[equation.target] = value(equation)
        draw(wrong.term)
        draw(right.term)
        return same(value(wrong), value(right))
    except (NotYet, UnluckyPoint):
        return False
