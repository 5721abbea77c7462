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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from math import ceil
from operator import add, sub
from typing import TypeVar

from gradproof.core.index import Affine, Index, Size, indices_of
from gradproof.core.normal import canonical
from gradproof.core.program import Equation
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    free,
)
from gradproof.engines.evaluate import written_out
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.elementwise import ELEMENTARY

Count = Mapping[Size, Fraction]
"""A number for each size; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Side:
    """Of any monomial above, or below, the line of a fraction: how many summed indices it has, how
    many axes its factors have, and the least and greatest power of each size in its coefficient.

    An index variable stands on an axis of a factor: so both are bounds on the variables.
    """

    summed: Count = field(default_factory=dict)
    axes: Count = field(default_factory=dict)
    least: Count = field(default_factory=dict)
    most: Count = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A term as a fraction; the indices that stand in all its monomials, and in some.

    ``below`` has the powers of what it is divided by, each under a name that equal divisors share.
    """

    above: Side = Side()
    below: Mapping[str, Fraction] = field(default_factory=dict)
    always: frozenset[Index] = frozenset()
    ever: frozenset[Index] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a tensor: its part, and which axes stand in every or some monomial."""

    part: Part
    always: tuple[bool, ...]
    ever: tuple[bool, ...]


Key = TypeVar("Key")


def _merged(
    choose: Callable[[Fraction, Fraction], Fraction],
    left: Mapping[Key, Fraction],
    right: Mapping[Key, Fraction],
) -> dict[Key, Fraction]:
    zero = Fraction(0)
    return {s: choose(left.get(s, zero), right.get(s, zero)) for s in {**left, **right}}


def _plus(left: Side, right: Side) -> Side:
    """The monomials of a product."""
    return Side(
        _merged(add, left.summed, right.summed),
        _merged(add, left.axes, right.axes),
        _merged(add, left.least, right.least),
        _merged(add, left.most, right.most),
    )


def _either(left: Side, right: Side) -> Side:
    """The monomials of a sum."""
    return Side(
        _merged(max, left.summed, right.summed),
        _merged(max, left.axes, right.axes),
        _merged(min, left.least, right.least),
        _merged(max, left.most, right.most),
    )


def _times(side: Side, times: Fraction) -> Side:
    return Side(
        *({s: n * times for s, n in c.items()} for c in (side.summed, side.axes)),
        *({s: n * times for s, n in c.items()} for c in (side.least, side.most)),
    )


def _tally(indices: Iterable[Index]) -> dict[Size, Fraction]:
    return {size: Fraction(n) for size, n in Counter(i.size for i in indices).items()}


class Extents:
    """The counts of each tensor of some programs, gathered equation by equation.

    ``needs`` is how large each size must be, ``degrees`` the degree of the coefficients in it.
    """

    def __init__(self, inputs: Mapping[str, tuple[Index, ...]], fixed: frozenset[str]) -> None:
        """`inputs` has the axes of each; `fixed` are given numbers, not variables."""
        self._known = {
            name: Known(
                Part(Side(axes=_tally(axes))), (name not in fixed,) * len(axes), (True,) * len(axes)
            )
            for name, axes in inputs.items()
        }
        self._divisors: dict[str, Side] = {}
        self._outside: dict[str, frozenset[Size]] = {}
        self._roots: dict[str, Side] = {}
        self._needs: dict[Size, Fraction] = {}
        self.degrees: dict[Size, Fraction] = {}

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
        self._note(axes, self._known[left], self._known[right])

    def need(self, size: Size) -> int:
        """How large a size must be. Half a root is one more factor when roots are cleared."""
        halves = [min(r.summed.get(size, 0), r.axes.get(size, 0)) for r in self._roots.values()]
        return ceil(self._needs.get(size, Fraction(0)) + Fraction(sum(halves)))

    def crossed(self) -> bool:
        """Whether a divisor sums over what another depends on, and the other way round: then
        the argument, which takes one kind of index after another, does not apply."""
        kinds = [
            (frozenset(side.summed), self._outside[name]) for name, side in self._divisors.items()
        ]
        return any(
            sums & other_axes and other_sums & axes
            for k, (sums, axes) in enumerate(kinds)
            for other_sums, other_axes in kinds[k:]
        )

    def _cleared(self, free_indices: tuple[Index, ...], a: Known, b: Known) -> list[Side]:
        """Two numerators over a common denominator.

        A divisor may stand in a monomial with as many different indices as the monomial has.
        """
        common = _merged(max, a.part.below, b.part.below)
        outside = _tally(free_indices)
        counts = _merged(max, a.part.above.summed, b.part.above.summed)
        instances = _merged(add, counts, outside)
        more = {}
        for name, power in common.items():
            kinds = self._outside[name]
            times = max((instances.get(s, Fraction(1)) for s in kinds), default=1)
            more[name] = power * max(times, 1)
        return [
            _plus(one.above, self._product_of(_merged(sub, more, one.below)))
            for one in (a.part, b.part)
        ]

    def _product_of(self, divisors: Mapping[str, Fraction]) -> Side:
        sides = (_times(self._divisors[name], power) for name, power in divisors.items())
        return reduce(_plus, sides, Side())

    def _note(self, free_indices: Iterable[Index], a: Known, b: Known) -> None:
        """Both fractions are multiplied by their common denominator."""
        free_indices = tuple(free_indices)
        lacking = [
            index for k, index in enumerate(free_indices) if not (a.always[k] and b.always[k])
        ]
        cleared = self._cleared(free_indices, a, b)
        for both in cleared:
            by_sums = _merged(add, both.summed, _tally(free_indices))
            by_axes = _merged(add, both.axes, _tally(lacking))
            self._needs = _merged(max, self._needs, _merged(min, by_sums, by_axes))
        hull = _either(*cleared)
        width = _merged(sub, hull.most, hull.least)
        self.degrees = _merged(max, self.degrees, width)

    def _argument(self, part: Part, term_free: frozenset[Index]) -> Part:
        """A random function's value: a fresh variable for each value of its argument."""
        axes = tuple(sorted(term_free, key=lambda i: i.number))
        known = Known(part, tuple(i in part.always for i in axes), tuple(True for _ in axes))
        self._note(axes, known, known)
        return Part(Side(axes=_tally(part.ever)), {}, part.ever, part.ever)

    def _part(self, term: Term, given: Mapping[str, Part]) -> Part:
        match term:
            case Number() | Pi():
                return Part()
            case SizeOf(size):
                one = {size: Fraction(1)}
                return Part(Side(least=one, most=one))
            case Read(tensor, places):
                return given[tensor] if tensor in given else self._read(tensor, places)
            case Add(terms):
                return self._sum_of([self._part(t, given) for t in terms])
            case Product(factors):
                return reduce(_product, (self._part(f, given) for f in factors))
            case Sum(over, body):
                return _summed(over, self._part(body, given))
            case Power(base, exponent):
                return self._power(self._part(base, given), base, exponent)
            case Apply(name, (argument,), 0) if name in ELEMENTARY:
                value = self._argument(self._part(argument, given), free(argument))
                if name in ("sin", "cos"):  # (1 − t²)/(1 + t²) and 2t/(1 + t²)
                    square = _product(value, value)
                    return self._divided(square, Apply("cos", (argument,)), Fraction(1))
                # E(−z) is 1/E(z): the variable stands above or below.
                return self._divided(value, argument, Fraction(1)) if name == "exp" else value
            case Apply(function, arguments, order):
                return self._function(function, arguments, order, given)
            case Compare(_, left, right):
                both = self._sum_of([self._part(left, given), self._part(right, given)])
                return self._argument(both, free(left) | free(right))
            case Bracket(_, position):
                seen = frozenset(indices_of(position))
                return Part(Side(axes=_tally(seen)), {}, seen, seen)
            case Fold(_, over, body):
                inside = self._part(body, given)
                choice = self._argument(inside, free(body))
                return _summed(over, _product(inside, choice))
            case Along(_, over, body, position):
                return self._along(over, self._part(body, given), body, position)

    def _function(
        self, name: str, arguments: tuple[Term, ...], order: int, given: Mapping[str, Part]
    ) -> Part:
        rule = written_out(ELEMENTWISE_BY_NAME[name], order)
        parts = {f"#{k}": self._part(a, given) for k, a in enumerate(arguments)}
        for part, argument in zip(parts.values(), arguments, strict=True):
            self._argument(part, free(argument))
        return self._part(rule, parts)

    def _along(self, over: Index, inside: Part, body: Term, position: Affine) -> Part:
        """An exponential over the sum of a row of them."""
        value = self._argument(inside, free(body))
        here = (value.ever - {over}) | frozenset(indices_of(position))
        row = Side({over.size: Fraction(1)}, value.above.axes)
        name = self._named(Sum((over,), body), row)
        return Part(Side(axes=_tally(here)), {name: Fraction(1)}, here, here)

    def _named(self, divisor: Term, side: Side) -> str:
        """The name of a divisor, by what it is up to its indices' numbers."""
        axes = tuple(sorted(free(divisor), key=lambda i: i.number))
        name = str(canonical(axes, divisor))
        known = self._divisors.get(name, side)
        self._divisors[name] = _either(known, side)
        self._outside[name] = frozenset(index.size for index in axes)
        return name

    def _divided(self, part: Part, divisor: Term, times: Fraction) -> Part:
        name = self._named(divisor, part.above)
        return replace(part, below={**part.below, name: part.below.get(name, Fraction(0)) + times})

    def _power(self, base: Part, term: Term, exponent: Fraction) -> Part:
        times = abs(exponent)
        if exponent.denominator != 1:
            half = _plus(base.above, self._product_of(base.below))
            self._roots[self._named(term, base.above)] = _times(half, Fraction(1, 2))
        # 1/(x + c) is a function of x although one of its monomials is not.
        always = base.always if exponent > 0 and exponent.denominator == 1 else base.ever
        if exponent > 0:
            below = {name: power * times for name, power in base.below.items()}
            return Part(_times(base.above, times), below, always, base.ever)
        above = _times(self._product_of(base.below), times)
        return Part(above, {self._named(term, base.above): times}, always, base.ever)

    def _sum_of(self, parts: list[Part]) -> Part:
        """Over a common denominator."""
        common = reduce(lambda x, y: _merged(max, x, y), (p.below for p in parts))
        above = reduce(
            _either,
            (_plus(p.above, self._product_of(_merged(sub, common, p.below))) for p in parts),
        )
        always = frozenset.intersection(*(p.always for p in parts))
        return Part(above, common, always, frozenset[Index]().union(*(p.ever for p in parts)))

    def _read(self, tensor: str, places: tuple[Affine, ...]) -> Part:
        known = self._known[tensor]
        always = [i for p, a in zip(places, known.always, strict=True) if a for i in indices_of(p)]
        ever = [i for p, e in zip(places, known.ever, strict=True) if e for i in indices_of(p)]
        return Part(known.part.above, known.part.below, frozenset(always), frozenset(ever))


def _product(left: Part, right: Part) -> Part:
    return Part(
        _plus(left.above, right.above),
        _merged(add, left.below, right.below),
        left.always | right.always,
        left.ever | right.ever,
    )


def _summed(over: tuple[Index, ...], body: Part) -> Part:
    """A summed index that some monomial lacks multiplies that monomial by its size."""
    hidden = frozenset(over)
    missing = _tally(i for i in over if i not in body.always)
    above = body.above
    return Part(
        Side(
            _merged(add, above.summed, _tally(over)),
            above.axes,
            above.least,
            _merged(add, above.most, missing),
        ),
        body.below,
        body.always - hidden,
        body.ever - hidden,
    )
