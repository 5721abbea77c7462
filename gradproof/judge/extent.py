"""How large the sizes must be, and how many must be tried, for an identity to hold at all sizes.

Written out as a sum of monomials, a difference of two formulas is ``Σ_k c_k(n) T_k``: each ``T_k``
a product of tensor elements with its indices summed, no two alike, each ``c_k`` a polynomial in
the sizes. At sizes no smaller than the number of index variables of any ``T_k`` it vanishes only
if every ``c_k`` does: give the variables of a ``T_k`` that has most of them different values; no
other term has that monomial. And a polynomial of degree d that vanishes at d + 1 sizes vanishes.
At smaller sizes there are identities that fail in general: ``AB = BA`` at size 1, and ``S₄ = 0``
for 2×2 matrices (Amitsur and Levitzki, "Minimal identities for algebras", Proc. AMS 1, 1950).

The counts here are upper bounds, found in one walk over each equation. Values of random functions
(exp, a comparison) start afresh; their arguments are counted for themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import ceil

from gradproof.core.index import Affine, Index, Size, indices_of, is_index
from gradproof.core.program import Equation, Program
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    free,
    positions,
    walk,
)
from gradproof.engines.evaluate import written_out
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

Counts = Counter[Size]


@dataclass(frozen=True, slots=True)
class Part:
    """Of any monomial of a term: the summed indices above and below the line, and the degree of
    its coefficient, by size; the indices that stand in every monomial, and in some."""

    above: Counts = field(default_factory=Counter)
    below: Counts = field(default_factory=Counter)
    degree: Counts = field(default_factory=Counter)
    always: frozenset[Index] = frozenset()
    ever: frozenset[Index] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a tensor: its part, and which axes stand in every or some monomial."""

    part: Part
    always: tuple[bool, ...]
    ever: tuple[bool, ...]


def rigid_sizes(program: Program) -> frozenset[Size]:
    """The sizes whose indices are shifted, compared or fixed, as in ``x[1:]``: the argument about
    all sizes does not cover them."""
    return frozenset(
        size
        for equation in program.equations
        for node in walk(equation.term)
        for position in positions(node)
        if not is_index(position) and not _is_equality(node)
        for size in _sizes_near(position, node, program)
    )


def _is_equality(node: Term) -> bool:
    """``[i = j]``, which only names one index twice."""
    match node:
        case Bracket("==", Affine(((Index() as i, a), (Index() as j, b)), 0)):
            return i.size == j.size and a == -b and a * a == 1
        case _:
            return False


def _sizes_near(position: Affine, node: Term, program: Program) -> Iterable[Size]:
    yield from (v if isinstance(v, str) else v.size for v, _ in position.terms)
    match node:
        case Read(tensor, places):
            for known in program.inputs:
                if known.name == tensor:
                    yield known.shape[places.index(position)]
            for equation in program.equations:
                if equation.target == tensor:
                    yield equation.free[places.index(position)].size
        case Along(_, over, _, _):
            yield over.size
        case _:
            pass


class Extents:
    """The counts of each tensor of some programs, gathered equation by equation."""

    def __init__(self, inputs: Mapping[str, int], fixed: frozenset[str]) -> None:
        """`inputs` has the number of axes of each; `fixed` are given numbers, not variables."""
        self._known = {
            name: Known(Part(), (name not in fixed,) * axes, (True,) * axes)
            for name, axes in inputs.items()
        }
        self.needs: Counts = Counter()
        self.degrees: Counts = Counter()

    def add(self, equations: Iterable[Equation]) -> None:
        """Counts equations that build on what is known."""
        for equation in equations:
            part = self._part(equation.term, {})
            self._known[equation.target] = Known(
                part,
                tuple(index in part.always for index in equation.free),
                tuple(index in part.ever for index in equation.free),
            )

    def compare(self, left: str, right: str, axes: tuple[Index, ...]) -> None:
        """Notes what it takes to tell two tensors apart."""
        a, b = self._known[left].part, self._known[right].part
        self._note(Counter(i.size for i in axes), a, b)

    def _note(self, axes: Counts, a: Part, b: Part) -> None:
        self.needs |= axes + a.above + a.below + b.above + b.below
        self.degrees |= a.degree + b.degree

    def _argument(self, part: Part, term_free: frozenset[Index]) -> Part:
        """A random function's value: a fresh variable for each value of its argument."""
        self._note(Counter(i.size for i in term_free), part, part)
        return Part(always=part.ever, ever=part.ever)

    def _part(self, term: Term, given: Mapping[str, Part]) -> Part:
        match term:
            case Number():
                return Part()
            case SizeOf(size):
                return Part(degree=Counter({size: 1}))
            case Read(tensor, places):
                return given[tensor] if tensor in given else self._read(tensor, places)
            case Add(terms):
                return _sum_of([self._part(t, given) for t in terms])
            case Product(factors):
                return reduce(_times, (self._part(f, given) for f in factors))
            case Sum(over, body):
                return _summed(over, self._part(body, given))
            case Power(base, exponent):
                return _power(self._part(base, given), abs(ceil(abs(exponent))), exponent < 0)
            case Apply("exp" | "log", (argument,), 0):
                return self._argument(self._part(argument, given), free(argument))
            case Apply(function, arguments, order):
                rule = written_out(ELEMENTWISE_BY_NAME[function], order)
                parts = {f"#{k}": self._part(a, given) for k, a in enumerate(arguments)}
                for part, argument in zip(parts.values(), arguments, strict=True):
                    self._argument(part, free(argument))
                return self._part(rule, parts)
            case Compare(_, left, right):
                both = _sum_of([self._part(left, given), self._part(right, given)])
                return self._argument(both, free(left) | free(right))
            case Bracket(_, position):
                seen = frozenset(indices_of(position))
                return Part(always=seen, ever=seen)
            case Fold(_, over, body):
                inside = self._part(body, given)
                self._argument(inside, free(body))
                return _summed(over, _times(inside, Part(always=frozenset(over))))
            case Along(_, over, body, position):
                inside = self._argument(self._part(body, given), free(body))
                here = (inside.ever - {over}) | frozenset(indices_of(position))
                return Part(Counter(), Counter({over.size: 1}), Counter(), here, here)

    def _read(self, tensor: str, places: tuple[Affine, ...]) -> Part:
        known = self._known[tensor]
        always = [i for p, a in zip(places, known.always, strict=True) if a for i in indices_of(p)]
        ever = [i for p, e in zip(places, known.ever, strict=True) if e for i in indices_of(p)]
        part = known.part
        return Part(part.above, part.below, part.degree, frozenset(always), frozenset(ever))


def _sum_of(parts: list[Part]) -> Part:
    """Over a common denominator."""
    below = sum((p.below for p in parts), Counter())
    above = reduce(lambda x, y: x | y, (p.above + (below - p.below) for p in parts))
    degree = reduce(lambda x, y: x | y, (p.degree for p in parts))
    always = frozenset.intersection(*(p.always for p in parts))
    return Part(above, below, degree, always, frozenset().union(*(p.ever for p in parts)))


def _times(left: Part, right: Part) -> Part:
    return Part(
        left.above + right.above,
        left.below + right.below,
        left.degree + right.degree,
        left.always | right.always,
        left.ever | right.ever,
    )


def _summed(over: tuple[Index, ...], body: Part) -> Part:
    """A summed index that some monomial lacks multiplies that monomial by its size."""
    hidden = frozenset(over)
    return Part(
        body.above + Counter(i.size for i in over),
        body.below,
        body.degree + Counter(i.size for i in over if i not in body.always),
        body.always - hidden,
        body.ever - hidden,
    )


def _power(base: Part, times: int, inverted: bool) -> Part:
    above, below = (base.below, base.above) if inverted else (base.above, base.below)
    return Part(
        _scaled(above, times),
        _scaled(below, times),
        _scaled(base.degree, times),
        base.ever if inverted else base.always,  # 1/(x + c) is a function of x
        base.ever,
    )


def _scaled(counts: Counts, times: int) -> Counts:
    return Counter({size: count * times for size, count in counts.items()})
