"""Piecewise functions to masks, so that formulas with relu, abs or where become sums of products.

A function is written by its meaning, ``relu(z) = z·[z > 0]``, and every comparison in one way:
``[b ≥ a]`` is ``1 − [a > b]``. On request one of ``[d > 0]`` and ``[−d > 0]`` is written by the
other, which holds only where d is not 0. Sums of products know that a mask is its own square.
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
from gradproof.core.told import told
from gradproof.engines.evaluate import written_out
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

TIES = told("no two values that are compared are equal")


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


def comparisons(term: Term) -> list[Term]:
    """The differences d of which a term, or a piecewise function in it, asks whether d > 0.

    Raises:
        TooLong: a comparison of too long a sum.
    """
    return [
        add(node.left, negate(node.right))
        for node in walk(masked(term, apart=False).term)
        if isinstance(node, Compare) and node.relation != "=="
    ]


def piecewise_values(program: Program) -> dict[str, Equation]:
    """The values of a program that are piecewise functions of earlier ones."""
    return {
        equation.target: equation for equation in program.equations if has_pieces(equation.term)
    }


def masked(term: Term, *, apart: bool) -> Masked:
    """The term with its piecewise functions and comparisons written by masks.

    Args:
        term: any term.
        apart: whether of two values that are compared one is taken to be the larger.

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
        found = _one_way(node, apart=apart)
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


def _one_way(node: Compare, *, apart: bool) -> Masked:
    match node:
        case Compare(">=", left, right):  # exact, at ties too
            less = _one_way(Compare(">", right, left), apart=apart)
            return Masked(plus(ONE, negate(less.term)), less.ties)
        case Compare("==", left, right):
            return Masked(node, ties=False)
        case Compare(_, left, right):
            return _positive(add(left, negate(right)), apart=apart)


def _positive(difference: Term, *, apart: bool) -> Masked:
    """``[d > 0]``, with d up to a positive number and, where it is not 0, up to its sign."""
    lead = leading(difference)
    if lead is None:
        return Masked(Compare(">", difference, ZERO), ties=False)
    scaled = product(Number(1 / abs(lead)), difference)  # its leading coefficient is 1 or −1
    masks, rest = _split(scaled)
    if masks:  # [m·d > 0] is m·[d > 0] for a mask m
        found = _positive(rest, apart=apart)
        return Masked(product(*masks, found.term), found.ties)
    if lead > 0 or not apart:
        return Masked(Compare(">", scaled, ZERO), ties=False)
    return Masked(plus(ONE, negate(Compare(">", negate(scaled), ZERO))), ties=True)


def _split(difference: Term) -> tuple[list[Term], Term]:
    """The masks among the factors of a single product, and what else it is; no masks of a sum."""
    monomials = expanded(difference)
    if len(monomials) == 1 and not monomials[0].over:
        factors = monomials[0].factors
        masks: list[Term] = [f for f, e in factors.items() if isinstance(f, Compare) and e > 0]
        rest = [f if e == 1 else Power(f, e) for f, e in factors.items() if f not in masks]
        if rest:
            return masks, product(Number(monomials[0].coefficient), *rest)
    return [], difference
