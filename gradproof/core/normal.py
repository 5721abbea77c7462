"""Terms to tidy terms: renaming apart, flattening, like factors, equality up to renaming."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import isqrt

from gradproof.core.index import (
    Affine,
    Index,
    at,
    combine,
    digits_of,
    extent,
    is_index,
    replace,
    shift,
    the_index,
)
from gradproof.core.term import (
    ONE,
    ZERO,
    Add,
    Along,
    Bracket,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    bound,
    children,
    free,
    rebuild,
    size_term,
    substitute,
    walk,
)


def highest(term: Term, among: Iterable[Index] = ()) -> int:
    """The highest index number in use."""
    numbers = [index.number for index in among]
    numbers += [index.number for node in walk(term) for index in bound(node)]
    numbers += [index.number for index in free(term)]
    return max(numbers, default=-1)


def apart(term: Term, first: int) -> tuple[Term, int]:
    """The term with every bound index renumbered from `first`, and the next free number.

    Without it the indices of a factor that stands twice would capture each other. `first` is
    higher than every index that is free in the term.
    """
    return _renamed(term, {}, first)


def _renamed(term: Term, mapping: dict[Index, Affine], first: int) -> tuple[Term, int]:
    """Free indices replaced by the mapping and bound ones renumbered, in one walk.

    All are replaced at once, so nothing is captured as long as the new numbers are new.
    """
    outside = mapping
    mine = bound(term)
    new: tuple[Index, ...] = ()
    if mine:
        new = tuple(Index(first + k, index.size) for k, index in enumerate(mine))
        first += len(new)
        mapping = {**mapping, **{old: at(i) for old, i in zip(mine, new, strict=True)}}
    below = []
    for child in children(term):
        renamed, first = _renamed(child, mapping, first)
        below.append(renamed)
    match term:
        case Read(tensor, places):
            return Read(tensor, tuple(replace(p, mapping) for p in places)), first
        case Bracket(relation, position):
            return Bracket(relation, replace(position, mapping)), first
        case Sum():
            return Sum(new, below[0]), first
        case Fold(function, _, _):
            return Fold(function, new, below[0]), first
        case Along(function, _, _, position):
            return Along(function, new[0], below[0], replace(position, outside)), first
        case _:
            return (rebuild(term, tuple(below)) if below else term), first


def product(*factors: Term) -> Term:
    """The product, flattened, numbers in front and multiplied; a zero swallows it."""
    number = Fraction(1)
    rest: list[Term] = []
    stack = list(reversed(factors))
    while stack:
        factor = stack.pop()
        match factor:
            case Product(below):
                stack.extend(reversed(below))
            case Number(value):
                number *= value
            case _:
                rest.append(factor)
    if number == 0:
        return ZERO
    rest = _cancel_constants(rest)
    if number != 1 or not rest:
        rest.insert(0, Number(number))
    return rest[0] if len(rest) == 1 else Product(tuple(rest))


def _cancel_constants(factors: list[Term]) -> list[Term]:
    """``n · n^-1`` removed: size symbols and π are positive numbers and commute."""
    exponents: dict[SizeOf | Pi, Fraction] = {}
    for factor in factors:
        match factor:
            case SizeOf() | Pi():
                exponents[factor] = exponents.get(factor, Fraction(0)) + 1
            case Power(SizeOf() | Pi() as base, exponent):
                exponents[base] = exponents.get(base, Fraction(0)) + exponent
            case _:
                pass
    if not exponents:
        return factors
    others = [f for f in factors if not isinstance(f, SizeOf | Pi) and not _is_constant_power(f)]
    constants: list[Term] = [c if e == 1 else Power(c, e) for c, e in exponents.items() if e]
    return constants + others


def _is_constant_power(term: Term) -> bool:
    return isinstance(term, Power) and isinstance(term.base, SizeOf | Pi)


def plus(*terms: Term) -> Term:
    """The sum as it was written: flattened, and nothing else."""
    flat: list[Term] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Add) else (term,))
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def add(*terms: Term) -> Term:
    """The sum, flattened; numbers and like terms are collected, zeros dropped."""
    together = plus(*terms) if terms else ZERO
    flat = together.terms if isinstance(together, Add) else (together,)
    counts: dict[Term, Fraction] = {}
    for term in flat:
        scale, core = _scaled(term)
        counts[core] = counts.get(core, Fraction(0)) + scale
    kept = [product(Number(scale), core) for core, scale in counts.items() if scale]
    if not kept:
        return ZERO
    return kept[0] if len(kept) == 1 else Add(tuple(kept))


def _scaled(term: Term) -> tuple[Fraction, Term]:
    match term:
        case Number(value):
            return value, ONE
        case Product((Number(value), *rest)):
            return value, (rest[0] if len(rest) == 1 else Product(tuple(rest)))
        case _:
            return Fraction(1), term


def factored(term: Term) -> Term:
    """A sum with the factors that all its terms share in front: ``g·a - g·b`` is ``g·(a - b)``."""
    match term:
        case Add(terms):
            scaled = [_scaled(one) for one in terms]
        case _:
            return term
    first, *others = (_factors(core) for _, core in scaled)
    counts = Counter(first)
    for other in others:
        counts &= Counter(other)
    shared = list(counts.elements())
    size = abs(scaled[0][0])
    if any(abs(scale) != size for scale, _ in scaled):
        size = Fraction(1)
    if not shared and size == 1:
        return term
    rest = [
        product(Number(scale / size), *_without(_factors(core), shared)) for scale, core in scaled
    ]
    return product(Number(size), *shared, positive_first(add(*rest)))


def _factors(term: Term) -> list[Term]:
    match term:
        case Product(factors):
            return list(factors)
        case _:
            return [] if term == ONE else [term]


def _without(factors: list[Term], shared: list[Term]) -> list[Term]:
    left = list(factors)
    for factor in shared:
        left.remove(factor)
    return left


def positive_first(term: Term) -> Term:
    """A sum that begins with a term without a minus sign, where it has one."""
    match term:
        case Add(terms) if _scaled(terms[0])[0] < 0:
            spot = next((n for n, one in enumerate(terms) if _scaled(one)[0] > 0), 0)
            return Add((terms[spot], *terms[:spot], *terms[spot + 1 :]))
        case _:
            return term


def negate(term: Term) -> Term:
    """The term with the opposite sign."""
    return product(Number(Fraction(-1)), term)


def power(base: Term, exponent: Fraction) -> Term:
    """A power; exponents 0 and 1, numbers and nested integer powers are worked out."""
    if exponent == 1:
        return base
    if exponent == 0:
        return ONE
    match base:
        case Number(value) if exponent.denominator == 1 and (value or exponent > 0):
            return Number(value**exponent.numerator)
        case Power(inner, e) if exponent.denominator == 1 and e.denominator == 1:
            return power(inner, e * exponent)
        case Number(value) if value > 0:
            return _rational_root(value, exponent)
        case Power(SizeOf() | Pi() as constant, e):
            return power(constant, e * exponent)
        case Power(Number(value) as constant, e) if value > 0:
            return power(constant, e * exponent)
        case Product(factors) if all(map(_is_positive, factors)):
            return product(*(power(f, exponent) for f in factors))
        case Product(factors) if exponent.denominator == 1 and any(map(_is_count, factors)):
            counts = [power(f, exponent) for f in factors if _is_count(f)]
            others = [f for f in factors if not _is_count(f)]
            return product(*counts, *([power(product(*others), exponent)] if others else []))
        case _:
            return Power(base, exponent)


def _rational_root(value: Fraction, exponent: Fraction) -> Term:
    """A square root as a number times the root of a whole number without square factors: √8 is
    2·√2, and √(1/2) is ½·√2. Other roots stay as they are."""
    if exponent.denominator != 2:
        return Power(Number(value), exponent)
    whole = value**exponent.numerator
    outside, inside = Fraction(1, whole.denominator), whole.numerator * whole.denominator
    if inside > LARGEST_ROOT:
        return Power(Number(value), exponent)
    for root in range(isqrt(inside), 1, -1):
        if inside % root**2 == 0:
            outside, inside = outside * root, inside // root**2
            break
    left = Power(Number(Fraction(inside)), Fraction(1, 2))
    return Number(outside) if inside == 1 else product(Number(outside), left)


LARGEST_ROOT = 10**6
"""Above it a whole number is not searched for square factors."""


def _is_positive(term: Term) -> bool:
    """A constant above zero, whose roots are those of its factors."""
    match term:
        case Number(value) | Power(Number(value), _):
            return value > 0
        case _:
            return isinstance(term, SizeOf | Pi) or _is_constant_power(term)


def _is_count(term: Term) -> bool:
    """A number, a size or π: what is collected in front of a product."""
    return isinstance(term, Number | SizeOf | Pi) or _is_constant_power(term)


def total(over: Iterable[Index], body: Term) -> Term:
    """The sum over indices; what does not depend on one is multiplied by its size."""
    indices = tuple(over)
    if body == ZERO:
        return ZERO
    match body:
        case Sum(inner, inside):
            return total((*indices, *inner), inside)
        case _:
            pass
    used = free(body)
    kept = tuple(i for i in indices if i in used)
    sizes = [size_term(i.size) for i in indices if i not in used]
    if not kept:
        return product(*sizes, body)
    scale, core = _scaled(body)
    outside: list[Term] = [*sizes, Number(scale)]
    match core:
        case Product(factors):
            constant = [f for f in factors if isinstance(f, SizeOf | Pi) or _is_constant_power(f)]
            rest = [f for f in factors if f not in constant]
            if constant and rest:
                outside += constant
                core = product(*rest)
        case _:
            pass
    return product(*outside, Sum(kept, core))


def tidy(term: Term) -> Term:
    """The term rebuilt from its leaves with the rules above; sums stay inside products."""
    below = tuple(tidy(child) for child in children(term))
    match term:
        case Product():
            return product(*below)
        case Add():
            return add(*below)
        case Sum(over, _):
            return total(over, below[0])
        case Power(_, exponent):
            return power(below[0], exponent)
        case _:
            return rebuild(term, below) if below else term


def canonical(free_indices: tuple[Index, ...], term: Term) -> tuple[tuple[Index, ...], Term]:
    """Free indices numbered from 0 in order, bound ones after them in reading order."""
    left = tuple(Index(number, index.size) for number, index in enumerate(free_indices))
    mapping = {old: at(new) for old, new in zip(free_indices, left, strict=True)}
    return left, _renamed(term, mapping, len(left))[0]


def solve(
    places: tuple[Affine, ...], targets: tuple[Index, ...], unknown: frozenset[Index]
) -> tuple[dict[Index, Affine], list[Bracket]]:
    """Solves ``places == targets`` for the unknown indices.

    Returns what to substitute for the solved unknowns, and the brackets that remain: those of
    equations with no unknown of unit coefficient (strides, diagonals), and those of the domain
    that a solved index leaves behind (``t-1 = p`` leaves ``[p+1 <= T-1]``).
    """
    from_index: dict[Index, Affine] = {}
    brackets: list[Bracket] = []
    for place, target in zip(places, targets, strict=True):
        difference = combine(replace(place, from_index), at(target), -1)
        if _joins(difference, target, unknown - from_index.keys()):
            brackets.append(Bracket("==", _positive(difference)))
            continue
        chosen = next(
            (
                (variable, coefficient)
                for variable, coefficient in difference.terms
                if isinstance(variable, Index)
                and variable in unknown
                and variable not in from_index
                and abs(coefficient) == 1
            ),
            None,
        )
        if chosen is None or _strided(difference, chosen[0], unknown - set(from_index)):
            if difference.terms or difference.constant:
                brackets.append(Bracket("==", _positive(difference)))
            continue
        index, coefficient = chosen
        # coefficient·index + rest = 0, and coefficient is ±1: index = −coefficient·rest
        rest = Affine(tuple(t for t in difference.terms if t[0] != index), difference.constant)
        solution = combine(Affine(()), rest, -coefficient)
        from_index = {k: replace(v, {index: solution}) for k, v in from_index.items()}
        from_index[index] = solution
        # A solved index leaves its domain behind.
        if not (is_index(solution) and the_index(solution).size == index.size):
            brackets.append(Bracket(">=", solution))
            brackets.append(Bracket(">=", shift(combine(extent(index.size), solution, -1), -1)))
    replaced = [Bracket(b.relation, replace(b.position, from_index)) for b in brackets]
    return from_index, [b for b in replaced if not certain(b)]


def _joins(position: Affine, target: Index, unknown: frozenset[Index]) -> bool:
    """Whether a position makes the target of unknown digits: solving it for one of them would
    say the same in a longer way."""
    found = digits_of(position)
    return found is not None and found[0] == target and set(found[1]) <= unknown


def without_brackets(over: tuple[Index, ...], factors: tuple[Term, ...]) -> Term:
    """``Σ`` of a product, without brackets that always hold, and without the indices that a bracket
    ``[k = …]`` among the factors says, whatever the others are."""
    kept = tuple(f for f in factors if not (isinstance(f, Bracket) and certain(f)))
    for spot, factor in enumerate(kept):
        if isinstance(factor, Bracket) and factor.relation == "==":
            for index in over:
                solution = _solved(factor.position, index)
                if solution is not None:
                    others = kept[:spot] + kept[spot + 1 :]
                    left = tuple(i for i in over if i != index)
                    moved = tuple(substitute(f, {index: solution}) for f in others)
                    return without_brackets(left, moved)
    inside = product(*kept)
    return Sum(over, inside) if over else inside


def _solved(position: Affine, index: Index) -> Affine | None:
    """What the index is where the position is 0, if that always lies in its range."""
    coefficient = dict(position.terms).get(index, 0)
    if abs(coefficient) != 1:
        return None
    rest = Affine(tuple(t for t in position.terms if t[0] != index), position.constant)
    solution = combine(Affine(()), rest, -coefficient)
    above = shift(combine(extent(index.size), solution, -1), -1)
    inside = is_index(solution) and the_index(solution).size == index.size
    if inside or (certain(Bracket(">=", solution)) and certain(Bracket(">=", above))):
        return solution
    return None


def _strided(difference: Affine, chosen: Index, unknown: frozenset[Index]) -> bool:
    """Whether an unknown with a step, as i in ``2i + r = p``, is longer than the one to solve for:
    then the equation says more as a condition than a long sum over i does."""
    return any(
        isinstance(v, Index)
        and v in unknown
        and abs(c) > 1
        and (
            not isinstance(v.size, int) or not isinstance(chosen.size, int) or v.size > chosen.size
        )
        for v, c in difference.terms
    )


def _positive(position: Affine) -> Affine:
    """The position or its negative, whichever begins with a positive coefficient."""
    if position.terms and position.terms[0][1] < 0:
        return combine(Affine(()), position, -1)
    return position


def certain(bracket: Bracket) -> bool:
    """Whether a bracket holds whatever the indices are."""
    position = bracket.position
    if bracket.relation == "==":
        # An index over one element is 0.
        moving = [v for v, _ in position.terms if isinstance(v, str) or v.size != 1]
        return not moving and position.constant == 0
    low = position.constant
    for variable, coefficient in position.terms:
        if isinstance(variable, str):
            if coefficient < 0:
                return False
            low += coefficient  # a size is at least 1
        elif coefficient < 0:
            if not isinstance(variable.size, int):
                return _upper_bound_holds(position)
            low += coefficient * (variable.size - 1)
    return low >= 0


def impossible(bracket: Bracket) -> bool:
    """Whether a bracket fails whatever the indices are."""
    position = bracket.position
    above = Bracket(">=", shift(position, -1))
    below = Bracket(">=", shift(combine(Affine(()), position, -1), -1))
    return certain(below) or (bracket.relation == "==" and certain(above))


def _upper_bound_holds(position: Affine) -> bool:
    """``n - 1 - i >= 0`` for an index i of size n, plus what else cannot be negative."""
    total_terms = dict(position.terms)
    low = position.constant
    for variable, coefficient in position.terms:
        if isinstance(variable, Index) and coefficient < 0:
            size = variable.size
            if isinstance(size, int):
                low += coefficient * (size - 1)
            else:  # i <= n - 1, so -i >= 1 - n
                total_terms[size] = total_terms.get(size, 0) + coefficient
                low -= coefficient
    if any(isinstance(v, str) and c < 0 for v, c in total_terms.items()):
        return False
    low += sum(c for v, c in total_terms.items() if isinstance(v, str))
    return low >= 0


def decided(term: Term) -> Term:
    """The term without conditions that hold or fail whatever the indices are, and without those
    that another one in the same product implies.

    So what was written at a place is what is read there.
    """
    below = tuple(decided(child) for child in children(term))
    match term:
        case Bracket() if certain(term):
            return ONE
        case Bracket() if impossible(term):
            return ZERO
        case _ if below == children(term) and not isinstance(term, Product):
            return term
        case Product():
            return product(*_strongest(below))
        case Add():
            kept = [one for one in below if one != ZERO]
            return plus(*kept) if kept else ZERO
        case Sum(over, _) if below[0] == ZERO or not set(over) <= free(below[0]):
            return total(over, below[0])
        case _:
            return rebuild(term, below)


def _strongest(factors: tuple[Term, ...]) -> list[Term]:
    """Of conditions ``x >= 1`` and ``x >= 2`` the second, once."""
    lowest: dict[object, int] = {}
    for factor in factors:
        match factor:
            case Bracket(">=", Affine(terms, constant)):
                lowest[terms] = min(constant, lowest.get(terms, constant))
            case _:
                pass
    kept: list[Term] = []
    for factor in factors:
        match factor:
            case Bracket(">=", Affine(terms, constant)):
                if constant == lowest.get(terms):
                    kept.append(factor)
                    del lowest[terms]
            case Bracket("==", _) if factor in kept:
                pass
            case _:
                kept.append(factor)
    return kept
