"""The law of a program, executable; it runs between workers."""

from __future__ import annotations

from collections.abc import Iterator

from gradproof.core.program import Equation, Program
from gradproof.core.term import Read, bound, free, reads, walk


def violations(program: Program) -> Iterator[str]:
    """Every way in which a program breaks its law, in words; nothing for a lawful one."""
    rank: dict[str, int] = {}
    for tensor in program.inputs:
        if tensor.name in rank:
            yield f"{tensor.name} is an input twice"
        rank[tensor.name] = len(tensor.shape)
    for equation in program.equations:
        if equation.target in rank:
            yield f"{equation.target} is defined twice"
        yield from _equation(equation, rank)
        rank[equation.target] = len(equation.free)
    for output in program.outputs:
        if output not in rank:
            yield f"the output {output} is not defined"


def _equation(equation: Equation, rank: dict[str, int]) -> Iterator[str]:
    here = equation.target
    if len(set(equation.free)) != len(equation.free):
        yield f"{here} has an index twice on its left"
    loose = free(equation.term) - set(equation.free)
    if loose:
        yield f"{here} reads indices that nothing binds: {sorted(i.number for i in loose)}"
    seen = set(equation.free)
    for node in walk(equation.term):
        for index in bound(node):
            if index in seen:
                yield f"{here} binds index {index.number} twice"
            seen.add(index)
    for read in reads(equation.term):
        yield from _read(here, read, rank)


def _read(here: str, read: Read, rank: dict[str, int]) -> Iterator[str]:
    if read.tensor not in rank:
        yield f"{here} reads {read.tensor}, which is not defined before it"
    elif rank[read.tensor] != len(read.at):
        yield f"{here} reads {read.tensor} at {len(read.at)} positions, not {rank[read.tensor]}"


def check(program: Program) -> Program:
    """The program itself, when it is lawful.

    Raises:
        AssertionError: a worker of gradproof broke the law; the message lists how.
    """
    found = list(violations(program))
    if found:
        raise AssertionError("an unlawful program: " + "; ".join(found))
    return program
