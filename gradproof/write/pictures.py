"""The tensors that windows slide over: where gradients lie as Jacobians, theirs lie as in code.

A window slides over the rows and columns of a picture, and over those of its gradient. Were one of
them laid on its side, the window would have to be, too; and what the numerator layout is for,
products of matrices without transposes, is not there to be gained.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradproof.core.index import Affine, Index, indices_of
from gradproof.core.program import Derivation, Equation, shapes
from gradproof.core.term import Fold, Read, Sum, Term, children, reads

MATRIX_AXES = 2


def pictures(derivation: Derivation) -> frozenset[str]:
    """The tensors of more than two axes that a window slides over, or that share an equation with
    one, and so on: names without the number of a turn."""
    known = shapes(derivation.forward)
    deep = {name for name, shape in known.items() if len(shape) > MATRIX_AXES}
    found: set[str] = set()
    near: list[set[str]] = []
    for equation in derivation.forward.equations:
        both = {equation.target, *(read.tensor for read in reads(equation.term))} & deep
        near.append(both)
        if any(read.tensor in deep and _slides(read, equation) for read in reads(equation.term)):
            found |= both
    while True:
        more = set().union(*(both for both in near if both & found)) - found
        if not more:
            return frozenset(name.partition("[")[0] for name in found)
        found |= more


def _slides(read: Read, equation: Equation) -> bool:
    """Whether a position of a read moves with an index that is summed and with another: a reshape's
    positions have none that is summed."""
    summed = set(_summed(equation.term))
    return any(_is_window(position, summed) for position in read.at)


def _is_window(position: Affine, summed: set[Index]) -> bool:
    here = indices_of(position)
    return len(here) > 1 and bool(summed & set(here))


def _summed(term: Term) -> Iterator[Index]:
    match term:
        case Sum(over, _) | Fold(_, over, _):
            yield from over
        case _:
            pass
    for child in children(term):
        yield from _summed(child)
