"""A loss that is a plain sum, to one that weighs: then what arrives back is no constant.

Where the loss is `np.sum(y)`, the gradient ∂l/∂y is 1 everywhere, whatever the data, and formulas
that are wrong for every other loss are right for this one. So the network is looked at with the
loss `l + Σ G·y`, too: every gradient but that of y has the same equation there.
"""

from __future__ import annotations

from dataclasses import replace

from gradproof.core.index import Index, at
from gradproof.core.normal import highest
from gradproof.core.program import Derivation, Equation, Paper, Program, Tensor, shape_of, shapes
from gradproof.core.term import Add, Product, Read, Sum, Term, reads
from gradproof.derivation import derive

WEIGHT = "G·"
"""Begins the names of the weights, which no name of a user's can be."""


def constant_upstream(paper: Paper, derivation: Derivation) -> tuple[str, ...]:
    """The values whose gradient is the same number for all data."""
    made = {equation.target for equation in paper.forward.equations}
    return tuple(
        step.of
        for step in derivation.steps
        if step.of in made - {paper.loss, *derivation.zero}
        and shape_of(step.equation)
        and not any(True for _ in reads(step.equation.term))
    )


def freed(paper: Paper, derivation: Derivation) -> tuple[Paper, Derivation] | None:
    """The network with every such value weighed; `None` where there is none."""
    names = constant_upstream(paper, derivation)
    if not names:
        return None
    known = shapes(paper.forward)
    weights = tuple(Tensor(WEIGHT + name, known[name], "", "data") for name in names)
    equations = tuple(
        replace(e, term=_weighed(e, names, known)) if e.target == paper.loss else e
        for e in paper.forward.equations
    )
    forward = Program((*paper.forward.inputs, *weights), equations, paper.forward.outputs)
    return replace(paper, forward=forward, backward=None, claims=()), derive(forward)


def _weighed(
    loss: Equation, names: tuple[str, ...], known: dict[str, tuple[int | str, ...]]
) -> Term:
    first = highest(loss.term, loss.free) + 1
    terms: list[Term] = [loss.term]
    for name in names:
        over = tuple(Index(first + k, size) for k, size in enumerate(known[name]))
        place = tuple(at(index) for index in over)
        terms.append(Sum(over, Product((Read(WEIGHT + name, place), Read(name, place)))))
    return Add(tuple(terms))
