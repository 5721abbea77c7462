"""``exp(a − log b)`` to ``exp(a)/b``: in a finite field no exponential undoes the logarithm."""

from __future__ import annotations

from collections.abc import Mapping

from gradproof.core.index import Affine, Index
from gradproof.core.normal import apart, highest, plus, power, product
from gradproof.core.program import Equation, Program
from gradproof.core.term import (
    ONE,
    Add,
    Apply,
    Fold,
    Number,
    Product,
    Read,
    Sum,
    Term,
    substitute,
    transform,
    walk,
)

Written = Mapping[str, tuple[tuple[Index, ...], Term]]
"""Tensors to their axes and a term in these."""


def without_logarithms(program: Program) -> Program:
    """The same program, with exponentials of named logarithms written without them."""
    known: dict[str, tuple[tuple[Index, ...], Term]] = {}
    sums: dict[str, tuple[tuple[Index, ...], Term]] = {}
    equations: list[Equation] = []
    for equation in program.equations:
        term = equation.term
        exponential = _exponential(term, known)
        if exponential is not None:
            known[equation.target] = (equation.free, exponential)
        elif isinstance(term, Add) and any(_exponential(t, known) for t in term.terms):
            sums[equation.target] = (equation.free, term)
        if any(isinstance(n, Apply) and n.function == "exp" for n in walk(term)):
            term = transform(term, lambda node: _simpler(node, known, sums))
            term, _ = apart(term, highest(term, equation.free) + 1)
        equations.append(Equation(equation.target, equation.free, term, equation.place))
    return Program(program.inputs, tuple(equations), program.outputs)


def _exponential(term: Term, known: Written) -> Term | None:
    """exp of a term that is an integer times a logarithm; `None` for other terms."""
    match term:
        case Product((Number(value), core)) if value.denominator == 1:
            inside = _exponential(core, known)
            return None if inside is None else power(inside, value)
        case Read(tensor) if tensor in known:
            return _inside(term, known)
        case Apply("log", (argument,), 0):
            return argument
        case Fold("logsumexp", over, body):
            return Sum(over, Apply("exp", (body,)))
        case _:
            return None


def _simpler(node: Term, known: Written, sums: Written) -> Term:
    match node:
        case Apply("exp", (Read(tensor) as read,), 0) if tensor in sums:
            return _simpler(Apply("exp", (_inside(read, sums),)), known, sums)
        case Apply("exp", (argument,), 0):
            terms = argument.terms if isinstance(argument, Add) else (argument,)
        case _:
            return node
    exponentials = [_exponential(term, known) for term in terms]
    factors = [factor for factor in exponentials if factor is not None]
    rest = [term for term, factor in zip(terms, exponentials, strict=True) if factor is None]
    if not factors:
        return node
    return product(Apply("exp", (plus(*rest),)) if rest else ONE, *factors)


def _inside(read: Read, known: Written) -> Term:
    """The term of a tensor where it is read."""
    free, term = known[read.tensor]
    places: dict[Index, Affine] = dict(zip(free, read.at, strict=True))
    above = max((v.number for p in read.at for v, _ in p.terms if isinstance(v, Index)), default=-1)
    body, _ = apart(term, max(above, highest(term, free)) + 1)
    return substitute(body, places)
