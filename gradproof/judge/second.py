"""The differentials of a second order, proved one equation at a time against the pullback.

``⟨s, dz⟩ = Σ ⟨what the pullback of s sends to v, dv⟩`` for every s: the Jacobian of forward mode is
that of reverse mode. So what moves along a chain of right differentials moves rightly, whatever the
length of the chain.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradproof.core.index import Index, Size, at
from gradproof.core.normal import add, apart, canonical, highest, product, total
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, shapes
from gradproof.core.term import Apply, Read, Term, reads
from gradproof.derivation.pull import pull
from gradproof.derivation.second import Second, whole_program
from gradproof.judge.equations import Sure, compared
from gradproof.judge.normal_form import inlined

SEED = "ⅆs"


def transposed(
    derivation: Derivation, found: Second, seed: bytes | None = None
) -> dict[str, Sure | None]:
    """How each differential was proved to be the transpose of its equation's pullback, or `None`.

    Args:
        derivation: the gradients.
        found: its second order.
        seed: for a repetition of what is decided at random points.
    """
    known = shapes(whole_program(derivation, found))
    equations = {
        e.target: e for e in (*derivation.forward.equations, *derivation.backward.equations)
    }
    functions = {e.target: e for e in derivation.forward.equations if isinstance(e.term, Apply)}
    moving = {t.name.removeprefix(DIFFERENTIAL) for t in found.directions}
    judged: dict[str, Sure | None] = {}
    for moved in (*found.values, *found.gradients):
        equation = equations[moved.target.removeprefix(DIFFERENTIAL)]
        # A function's value stands there by its name; here it must be known as what it is.
        own = {equation.target, *(read.tensor for read in reads(equation.term))}
        written = inlined(moved.term, {n: e for n, e in functions.items() if n not in own})
        left = total(moved.free, product(_seed(moved.free), written))
        right = add(*_sent(equation, known, frozenset(moving)))
        sizes = {**known, SEED: known[equation.target]}
        judged[moved.target] = compared(_scalar(left), _scalar(right), sizes, seed)
        moving.add(equation.target)
    return judged


def _seed(axes: tuple[Index, ...]) -> Read:
    return Read(SEED, tuple(at(axis) for axis in axes))


def _sent(
    equation: Equation, known: dict[str, tuple[Size, ...]], moving: frozenset[str]
) -> Iterator[Term]:
    """What the pullback of the seed sends to each tensor, times how that moves."""
    for one in pull(equation, _seed(equation.free), known, moving):
        term, _ = apart(one.term, highest(one.term, one.free) + 1)
        places = tuple(at(axis) for axis in one.free)
        yield total(one.free, product(term, Read(DIFFERENTIAL + one.tensor, places)))


def _scalar(term: Term) -> Equation:
    _, numbered = canonical((), term)
    return Equation("", (), numbered)
