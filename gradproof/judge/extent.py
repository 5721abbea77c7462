"""How large the sizes must be, and how many must be tried, for an identity to hold at all sizes.

Written out as a sum of monomials, a difference of two formulas is ``Σ_k c_k(n) T_k``: each ``T_k``
a product of tensor elements with its indices summed, no two alike, each ``c_k`` a polynomial in
the sizes. At sizes no smaller than the number of index variables of any ``T_k`` it vanishes only
if every ``c_k`` does: give the variables of a ``T_k`` that has most of them different values; no
other term has that monomial. And a polynomial of degree d that vanishes at d + 1 sizes vanishes.
At smaller sizes there are identities that fail in general: ``AB = BA`` at size 1, and ``S₄ = 0``
for 2×2 matrices (Amitsur and Levitzki, "Minimal identities for algebras", Proc. AMS 1, 1950).

The counts here are upper bounds, found in one walk over each equation. Values of random functions
(exp, a comparison) start afresh; their arguments are counted for themselves, and against one
another: at size 3, ``exp(mx)`` and ``exp(3x)`` are one number by accident. Each accident may hide a
difference at a size of its own, so that many more sizes are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from math import ceil, floor
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
    walk,
)
from gradproof.engines.evaluate import written_out
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.elementwise import ELEMENTARY

Amount = int | Fraction
"""A whole number is an `int`, which Python adds and compares much faster. Nothing here divides."""

Count = Mapping[Size, Amount]
"""A number for each size; 0 where there is none."""

TWICE = frozenset({"exp", "erf", "circle", "step", "equal", "root"})
"""What is known at −z where it is known at z, and the root, which is known of every multiple."""


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


NOTHING = Side()
"""The one monomial of a number that is not 0."""


@dataclass(frozen=True, slots=True)
class Part:
    """A term as a fraction; the indices that stand in all its monomials, and in some.

    ``below`` has the powers of what it is divided by, each under a name that equal divisors share.
    """

    above: Side = NOTHING
    below: Mapping[str, Amount] = field(default_factory=dict)
    always: frozenset[Index] = frozenset()
    ever: frozenset[Index] = frozenset()


Given = Mapping[str, tuple[Part, Term]]
"""What the arguments of a function's meaning stand for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a tensor: its part, and which axes stand in every or some monomial."""

    part: Part
    always: tuple[bool, ...]
    ever: tuple[bool, ...]


Key = TypeVar("Key")


def _merged(
    choose: Callable[[Amount, Amount], Amount],
    left: Mapping[Key, Amount],
    right: Mapping[Key, Amount],
) -> dict[Key, Amount]:
    if choose is add and not (left and right):
        return {**left, **right}
    return {s: choose(left.get(s, 0), right.get(s, 0)) for s in {**left, **right}}


def _plus(left: Side, right: Side) -> Side:
    """The monomials of a product."""
    if left is NOTHING or right is NOTHING:
        return right if left is NOTHING else left
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


def _whole(number: Amount) -> Amount:
    return number.numerator if number.denominator == 1 else number


def _times(side: Side, times: Amount) -> Side:
    return Side(
        *({s: _whole(n * times) for s, n in c.items()} for c in (side.summed, side.axes)),
        *({s: _whole(n * times) for s, n in c.items()} for c in (side.least, side.most)),
    )


def _width(sides: Iterable[Side]) -> dict[Size, Amount]:
    """The degree in each size that a sum of such monomials has, up to a power of the size."""
    hull = reduce(_either, sides)
    return _merged(sub, hull.most, hull.least)


def _tally(indices: Iterable[Index]) -> dict[Size, Amount]:
    return dict(Counter(i.size for i in indices))


class Extents:
    """The counts of each tensor of some programs, gathered equation by equation.

    `need` is how large each size must be, and `tries` at how many sizes it takes to tell.
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
        self._needs: dict[Size, Amount] = {}
        self._degrees: dict[Size, Amount] = {}
        self._arguments: dict[str, dict[str, tuple[tuple[Index, ...], Known]]] = {}
        self._accidents: dict[Size, Amount] = {}
        self._mixed: set[Size] = set()
        self._constants: dict[str, frozenset[Size]] = {}
        self._radicands: dict[str, frozenset[Size]] = {}

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
        """Notes what it takes to tell two tensors apart; a copy made before does not see it."""
        self._note(axes, self._known[left], self._known[right])

    def need(self, size: Size) -> int:
        """How large a size must be. Half a root is one more factor when roots are cleared."""
        halves = [min(r.summed.get(size, 0), r.axes.get(size, 0)) for r in self._roots.values()]
        return ceil(self._needs.get(size, 0) + sum(halves))

    def tries(self, size: Size) -> int:
        """At how many sizes a difference must vanish to vanish at all: one more than the degree of
        its coefficients, and one more for each size at which numbers may be equal by accident.

        √m is not a polynomial, but the product over both of its signs is one of twice the degree.
        The ratio of two other roots may be such a root, as of ``√(3x/m)`` and ``√x``.
        """
        roots = sum(size in sizes for sizes in self._constants.values())
        if any(size in sizes for sizes in self._radicands.values()):
            roots += len(self._radicands) - 1
        degree = self._degrees.get(size, 0) * 2**roots
        return floor(degree) + 1 + ceil(self._accidents.get(size, 0))

    def mixed(self, size: Size) -> bool:
        """Whether sums of exponents, with whole coefficients, may be 0 at some sizes only."""
        return size in self._mixed

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
            times = max((instances.get(s, 1) for s in kinds), default=1)
            more[name] = power * max(times, 1)
        return [
            _plus(one.above, self._product_of(_merged(sub, more, one.below)))
            for one in (a.part, b.part)
        ]

    def _product_of(self, divisors: Mapping[str, Amount]) -> Side:
        sides = (_times(self._divisors[name], power) for name, power in divisors.items() if power)
        return reduce(_plus, sides, NOTHING)

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
        self._degrees = _merged(max, self._degrees, _width(cleared))

    def _argument(self, function: str, part: Part, term: Term, given: Given) -> Part:
        """A random function's value: a fresh variable for each value of its argument."""
        axes, known = self._axes_of(part, term, given)
        self._note(axes, known, known)
        self._meet(function, _text(term, given), axes, known)
        return Part(Side(axes=_tally(part.ever)), {}, part.ever, part.ever)

    def _axes_of(self, part: Part, term: Term, given: Given) -> tuple[tuple[Index, ...], Known]:
        found = free(term).union(*(free(one) for _, one in given.values()))
        axes = tuple(sorted(found, key=lambda i: i.number))
        return axes, Known(part, tuple(i in part.always for i in axes), tuple(True for _ in axes))

    def _meet(self, function: str, text: str, axes: tuple[Index, ...], known: Known) -> None:
        """Notes at how many sizes a new argument may be 0 by accident, or one of the others, or
        its opposite, or for a logarithm its inverse."""
        seen = self._arguments.setdefault(function, {})
        if text in seen:
            return
        none = Known(Part(), (), ())
        zero = _width(self._cleared(axes, known, known))
        self._accidents = _merged(add, self._accidents, zero)
        seen[text] = (axes, known)
        for other_axes, other in seen.values():  # other elements of itself, too
            both = (*axes, *other_axes)
            cleared = self._cleared(both, known, other)
            if known.part.below or other.part.below:
                more = _tally(both)
                for side in cleared:
                    enough = _merged(add, _merged(min, side.summed, side.axes), more)
                    self._needs = _merged(max, self._needs, enough)
            width = _width(cleared)
            if function == "exp":
                self._mixed |= {size for size, degree in width.items() if degree}
            times = 2 if function in TWICE else 1
            self._accidents = _merged(
                add, self._accidents, {s: w * times for s, w in width.items()}
            )
            if function == "log":
                together = Known(_product(known.part, other.part), (), ())
                width = _width(self._cleared(both, together, none))
                self._accidents = _merged(add, self._accidents, width)

    def _part(self, term: Term, given: Given) -> Part:
        match term:
            case Number() | Pi():
                return Part()
            case SizeOf(size):
                one = {size: 1}
                return Part(Side(least=one, most=one))
            case Read(tensor, places):
                return given[tensor][0] if tensor in given else self._read(tensor, places)
            case Add(terms):
                return self._sum_of([self._part(t, given) for t in terms])
            case Product(factors):
                return reduce(_product, (self._part(f, given) for f in factors))
            case Sum(over, body):
                return _summed(over, self._part(body, given))
            case Power(base, exponent):
                return self._power(self._part(base, given), base, exponent, given)
            case Apply(name, (argument,), 0) if name in ELEMENTARY:
                function = "circle" if name in ("sin", "cos") else name
                value = self._argument(function, self._part(argument, given), argument, given)
                if name in ("sin", "cos"):  # (1 − t²)/(1 + t²) and 2t/(1 + t²)
                    square = _product(value, value)
                    return self._divided(square, Apply("cos", (argument,)), 1)
                if name == "exp":  # E(−z) is 1/E(z): the variable stands above or below
                    value = self._divided(value, argument, 1)
                    # Of it the logarithm is known.
                    self._meet("log", _text(term, given), *self._axes_of(value, term, given))
                return value
            case Apply(function, arguments, order):
                return self._function(function, arguments, order, given)
            case Compare(relation, left, right):
                both = self._sum_of([self._part(left, given), self._part(right, given)])
                function = "equal" if relation == "==" else "step"
                return self._argument(function, both, Add((left, right)), given)
            case Bracket(_, position):
                seen = frozenset(indices_of(position))
                return Part(Side(axes=_tally(seen)), {}, seen, seen)
            case Fold(function, over, body):
                inside = self._part(body, given)
                name = "exp" if function == "logsumexp" else function
                choice = self._argument(name, inside, body, given)
                if function == "logsumexp":
                    total = Sum(over, Apply("exp", (body,)))
                    self._argument("log", _summed(over, choice), total, given)
                return _summed(over, _product(inside, choice))
            case Along(_, over, body, position):
                return self._along(over, self._part(body, given), body, position)

    def _function(self, name: str, arguments: tuple[Term, ...], order: int, given: Given) -> Part:
        rule = written_out(ELEMENTWISE_BY_NAME[name], order)
        parts = {f"#{k}": (self._part(a, given), a) for k, a in enumerate(arguments)}
        for part, argument in parts.values():
            axes, known = self._axes_of(part, argument, given)
            self._note(axes, known, known)
        value = self._part(rule, parts)
        if name == "relu" and not order:  # of it, too, the sign is known
            self._argument("step", value, Apply(name, arguments), given)
        return value

    def _along(self, over: Index, inside: Part, body: Term, position: Affine) -> Part:
        """An exponential over the sum of a row of them."""
        value = self._argument("exp", inside, body, {})
        here = (value.ever - {over}) | frozenset(indices_of(position))
        row = Side({over.size: 1}, value.above.axes)
        name = self._named(Sum((over,), body), row)
        return Part(Side(axes=_tally(here)), {name: 1}, here, here)

    def _named(self, divisor: Term, side: Side) -> str:
        """The name of a divisor, by what it is up to its indices' numbers."""
        axes = tuple(sorted(free(divisor), key=lambda i: i.number))
        name = str(canonical(axes, divisor))
        known = self._divisors.get(name, side)
        self._divisors[name] = _either(known, side)
        self._outside[name] = frozenset(index.size for index in axes)
        return name

    def _divided(self, part: Part, divisor: Term, times: Amount) -> Part:
        name = self._named(divisor, part.above)
        return replace(part, below={**part.below, name: part.below.get(name, 0) + times})

    def _power(self, base: Part, term: Term, exponent: Fraction, given: Given) -> Part:
        whole, rest = divmod(exponent, 1)
        if rest and rest != Fraction(1, 2):  # the fraction that is left over is random
            value = self._argument(f"power {rest}", base, term, given)
            return (
                _product(self._power(base, term, Fraction(whole), given), value) if whole else value
            )
        times = _whole(abs(exponent))
        if exponent.denominator != 1:
            half = _plus(base.above, self._product_of(base.below))
            self._roots[self._named(term, base.above)] = _times(half, Fraction(1, 2))
            self._root(base, term, given)
        # 1/(x + c) is a function of x although one of its monomials is not.
        always = base.always if exponent > 0 and exponent.denominator == 1 else base.ever
        if exponent > 0:
            below = {name: _whole(power * times) for name, power in base.below.items()}
            return Part(_times(base.above, times), below, always, base.ever)
        above = _times(self._product_of(base.below), times)
        return Part(above, {self._named(term, base.above): times}, always, base.ever)

    def _root(self, base: Part, term: Term, given: Given) -> None:
        """Notes the sizes in a number under a root."""
        sides = [base.above, *(self._divisors[name] for name in base.below)]
        sizes = frozenset(s for side in sides for count in (side.least, side.most) for s in count)
        text = _text(term, given)
        if base.ever:
            self._radicands[text] = sizes
        else:
            self._constants[text] = sizes
        if any(isinstance(node, Read) for node in walk(term)):
            self._meet("root", text, *self._axes_of(base, term, given))

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


def _text(term: Term, given: Given) -> str:
    """A term up to the numbers of its indices."""
    whole = Product((term, *(one for _, one in given.values())))
    return str(canonical(tuple(sorted(free(whole), key=lambda i: i.number)), whole))


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
