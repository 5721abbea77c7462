"""The indices of an equation to letters."""

from __future__ import annotations

from collections.abc import Mapping, Set

from gradproof.core.index import Affine, Index, Size
from gradproof.core.program import Equation
from gradproof.core.term import SizeOf, Term, bound, children, positions, reads, walk
from gradproof.write.notation import Letter, Position

SPARE = "ijkpqrstuvw"


def letters(equation: Equation, names: Mapping[str, str]) -> dict[Index, Letter]:
    """A letter for every index: that of its size where it is free, else i, j, k.

    Sums beside one another use the same letters, sums inside one another never do.
    """
    taken: set[str] = {names.get(read.tensor, read.tensor) for read in reads(equation.term)}
    taken |= {names.get(equation.target, equation.target)}
    for node in walk(equation.term):
        if isinstance(node, SizeOf):
            taken.add(node.size)
        for position in positions(node):
            taken |= {v for v, _ in position.terms if isinstance(v, str)}
    chosen: dict[Index, Letter] = {}
    sizes: dict[str, Size] = {}

    def choose(indices: tuple[Index, ...], around: frozenset[str]) -> frozenset[str]:
        for index in indices:
            other = {name for name, size in sizes.items() if size != index.size}
            name = (
                chosen[index].name if index in chosen else _free_name(index, taken | around | other)
            )
            chosen[index] = Letter(name, index.size)
            sizes[name] = index.size
            around |= {name}
        return around

    def below(term: Term, around: frozenset[str]) -> None:
        inside = choose(bound(term), around)
        for child in children(term):
            below(child, inside)

    below(equation.term, choose(equation.free, frozenset()))
    return chosen


def _free_name(index: Index, taken: Set[str]) -> str:
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
