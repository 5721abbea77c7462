"""Piecewise functions to masks, so that formulas with relu, abs or where become sums of products.

A function is written by its meaning, ``relu(z) = z·[z > 0]``, and every comparison in one way:
``[b ≥ a]`` is ``1 − [a > b]``, and of ``[d > 0]`` and ``[−d > 0]`` one is written by the other. The
latter holds only where d is not 0. Sums of products know that a mask is its own square.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradproof.core.monomials import expanded, leading
from gradproof.core.normal import add, negate, plus, product
from gradproof.core.program import Equation, Program
from gradproof.core.term import (
    ONE,
    ZERO,
    Apply,
    Compare,
    Number,
    Power,
    Read,
    Term,
    transform,
    walk,
)
from gradproof.engines.evaluate import written_out
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

TIES = "no two values that are compared are equal"


@dataclass(frozen=True, slots=True)
class Masked:
    """A term in masks; ``ties`` says whether it is the same only where no compared values are
    equal."""

    term: Term
    ties: bool


def piecewise_functions() -> frozenset[str]:
    """The functions that are polynomials on either side of a comparison, or by a mask."""
    found = set[str]()
    for name, record in ELEMENTWISE_BY_NAME.items():
        if record.meaning is not None:
            nodes = list(walk(written_out(record, 0)))
            polynomial = not any(isinstance(node, Apply | Power) for node in nodes)
            if polynomial and (record.kink is not None or None in record.slopes):
                found.add(name)
    return frozenset(found)


PIECEWISE = piecewise_functions()


def has_pieces(term: Term) -> bool:
    """Whether a term compares, or has a piecewise function."""
    return any(
        isinstance(node, Compare) or (isinstance(node, Apply) and node.function in PIECEWISE)
        for node in walk(term)
    )


def piecewise_values(program: Program) -> dict[str, Equation]:
    """The values of a program that are piecewise functions of earlier ones."""
    return {
        equation.target: equation for equation in program.equations if has_pieces(equation.term)
    }


def masked(term: Term) -> Masked:
    """The term with its piecewise functions and comparisons written by masks.

    Raises:
        TooLong: a comparison of too long a sum.
    """
    ties = False

    def change(node: Term) -> Term:
        nonlocal ties
        match node:
            case Apply(function, arguments, order) if function in PIECEWISE:
                return transform(_meaning(function, order, arguments), change_comparison)
            case Compare():
                return change_comparison(node)
            case _:
                return node

    def change_comparison(node: Term) -> Term:
        nonlocal ties
        if not isinstance(node, Compare):
            return node
        found = _one_way(node)
        ties = ties or found.ties
        return found.term

    return Masked(transform(term, change), ties)


def _meaning(function: str, order: int, arguments: tuple[Term, ...]) -> Term:
    places: Mapping[str, Term] = {f"#{k}": argument for k, argument in enumerate(arguments)}
    rule = written_out(ELEMENTWISE_BY_NAME[function], order)
    written = transform(rule, lambda n: places.get(n.tensor, n) if isinstance(n, Read) else n)
    # A slope may be written with the function's own value.
    again = any(isinstance(n, Apply) and n.function == function for n in walk(rule))
    if not again:
        return written
    value = _meaning(function, 0, arguments)
    own = Apply(function, arguments)
    return transform(written, lambda n: value if n == own else n)


def _one_way(node: Compare) -> Masked:
    match node:
        case Compare(">=", left, right):  # exact, at ties too
            less = _one_way(Compare(">", right, left))
            return Masked(plus(ONE, negate(less.term)), less.ties)
        case Compare("==", left, right):
            return Masked(node, ties=False)
        case Compare(_, left, right):
            return _positive(add(left, negate(right)))


def _positive(difference: Term) -> Masked:
    """``[d > 0]``, with d up to a positive number and, where it is not 0, up to its sign."""
    lead = leading(difference)
    if lead is None:
        return Masked(Compare(">", difference, ZERO), ties=False)
    scaled = product(Number(1 / lead), difference)  # its leading coefficient is 1
    mask = _without_masks(scaled)
    if lead > 0:
        return Masked(mask, ties=False)
    return Masked(plus(ONE, negate(mask)), ties=True)


def _without_masks(difference: Term) -> Term:
    """``[m·d > 0]`` is ``m·[d > 0]`` for a mask m."""
    monomials = expanded(difference)
    if len(monomials) == 1 and monomials[0].coefficient == 1 and not monomials[0].over:
        masks = [f for f in monomials[0].factors if isinstance(f, Compare)]
        rest = [
            f if e == 1 else Power(f, e)
            for f, e in monomials[0].factors.items()
            if not isinstance(f, Compare)
        ]
        if masks and rest:
            return product(*masks, Compare(">", product(*rest), ZERO))
    return Compare(">", difference, ZERO)
