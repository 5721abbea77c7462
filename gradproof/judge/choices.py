"""What an index chooses to a matrix of zeros and ones, as proofs see it.

``[idx_n = v]`` over all positions v of an axis is a row of zeros with a one in it. A proof reads
any matrix in its place of which each row sums to 1: what holds for all of these holds for those.
"""

from __future__ import annotations

from dataclasses import replace

from gradproof.core.index import Size, is_index, the_index
from gradproof.core.program import INDEX, Derivation, Equation, Paper, Program, Tensor, counting
from gradproof.core.term import Compare, Read, Term, substitute, transform


def with_choices(paper: Paper, derivation: Derivation) -> tuple[Paper, Derivation]:
    """Both, with a tensor of its own for the choices of each index."""
    indices = {t.name: t for t in paper.forward.inputs if t.law.startswith(INDEX)}
    if not indices:
        return paper, derivation
    made: dict[str, Tensor] = {}
    moved = _moved(paper, frozenset(indices))

    def change(node: Term) -> Term:
        match node:
            case Compare("==", Read() as read, Read(counted, (position,))):
                index = _followed(read, moved)
                if (
                    index.tensor in indices
                    and counted == counting(size := indices[index.tensor].law.removeprefix(INDEX))
                    and is_index(position)
                    and str(the_index(position).size) == size
                ):
                    name = f"[{index.tensor}]"
                    one = the_index(position).size
                    shape: tuple[Size, ...] = (*indices[index.tensor].shape, one)
                    made[name] = Tensor(name, shape, "one-hot", "data")
                    return Read(name, (*index.at, position))
                return node
            case _:
                return node

    def equations(program: Program) -> tuple[Equation, ...]:
        return tuple(replace(e, term=transform(e.term, change)) for e in program.equations)

    first, derived = equations(paper.forward), equations(derivation.backward)
    own = equations(paper.backward) if paper.backward is not None else ()
    steps = tuple(
        replace(
            step,
            equation=replace(step.equation, term=transform(step.equation.term, change)),
            raw=transform(step.raw, change),
        )
        for step in derivation.steps
    )

    def program(old: Program, new: tuple[Equation, ...]) -> Program:
        return Program((*old.inputs, *made.values()), new, old.outputs)

    forward = program(paper.forward, first)
    backward = None if paper.backward is None else program(paper.backward, own)
    return (
        replace(paper, forward=forward, backward=backward),
        replace(
            derivation,
            forward=forward,
            backward=program(derivation.backward, derived),
            steps=steps,
        ),
    )


def _moved(paper: Paper, indices: frozenset[str]) -> dict[str, Equation]:
    """The equations that give a part of an index, or of such a part, a name of its own.

    Backward has no name of forward's for another value: `spec.check` sees to that.
    """
    found: dict[str, Equation] = {}
    programs = (paper.forward, *([paper.backward] if paper.backward is not None else []))
    for equation in (equation for program in programs for equation in program.equations):
        match equation.term:
            case Read(tensor, _) if tensor in indices or tensor in found:
                found[equation.target] = equation
            case _:
                pass
    return found


def _followed(read: Read, moved: dict[str, Equation]) -> Read:
    """The element of an input that an element of a named part of it is."""
    while (equation := moved.get(read.tensor)) is not None:
        below = substitute(equation.term, dict(zip(equation.free, read.at, strict=True)))
        assert isinstance(below, Read)
        read = below
    return read


def choices(paper: Paper) -> frozenset[str]:
    """The tensors of choices that `with_choices` made."""
    return frozenset(t.name for t in paper.forward.inputs if t.name.startswith("["))
