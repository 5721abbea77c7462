"""A program to the same one for several data at once."""

from __future__ import annotations

from gradproof.core.index import Index, at
from gradproof.core.program import Equation, Program
from gradproof.core.term import Read, Term, children, reads, rebuild


def stacked(
    program: Program, differing: frozenset[str], index: Index
) -> tuple[Program, frozenset[str]]:
    """The program with one more index, the first of every tensor that depends on it; and these.

    Args:
        program: an index of its equations is not `index`.
        differing: the inputs that have the index.
        index: over the data.
    """
    moving, equations = set(differing), []
    for equation in program.equations:
        if moving.isdisjoint(read.tensor for read in reads(equation.term)):
            equations.append(equation)
            continue
        term = _indexed(equation.term, moving, index)
        equations.append(Equation(equation.target, (index, *equation.free), term))
        moving.add(equation.target)
    return Program(program.inputs, tuple(equations), program.outputs), frozenset(moving)


def _indexed(term: Term, moving: set[str], index: Index) -> Term:
    match term:
        case Read(tensor, places):
            return Read(tensor, (at(index), *places)) if tensor in moving else term
        case _:
            return rebuild(term, tuple(_indexed(t, moving, index) for t in children(term)))
