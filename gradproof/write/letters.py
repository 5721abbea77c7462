"""The indices of an equation to letters."""

from __future__ import annotations

from collections.abc import Mapping

from gradproof.core.index import Affine, Index
from gradproof.core.program import Equation
from gradproof.core.term import SizeOf, bound, positions, reads, walk
from gradproof.write.notation import Letter, Position

SPARE = "ijkpqrstuvw"


def letters(equation: Equation, names: Mapping[str, str]) -> dict[Index, Letter]:
    """A letter for every index: that of its size where it is free, else i, j, k."""
    taken = {names.get(read.tensor, read.tensor) for read in reads(equation.term)}
    taken |= {names.get(equation.target, equation.target)}
    for node in walk(equation.term):
        if isinstance(node, SizeOf):
            taken.add(node.size)
        for position in positions(node):
            taken |= {v for v, _ in position.terms if isinstance(v, str)}
    indices = [*equation.free, *(i for node in walk(equation.term) for i in bound(node))]
    chosen: dict[Index, Letter] = {}
    for index in indices:
        if index not in chosen:
            chosen[index] = Letter(_free_name(index, taken), index.size)
            taken.add(chosen[index].name)
    return chosen


def _free_name(index: Index, taken: set[str]) -> str:
    wanted = [index.size.lower()] if isinstance(index.size, str) else []
    for name in (*wanted, *SPARE):
        if name not in taken:
            return name
    primes = "′"
    while "i" + primes in taken:
        primes += "′"
    return "i" + primes


def position_of(position: Affine, chosen: Mapping[Index, Letter]) -> Position:
    """An affine position with letters for its indices."""
    terms = tuple((v if isinstance(v, str) else chosen[v], c) for v, c in position.terms)
    return Position(terms, position.constant)
