"""Writes into arrays to terms: the new values where they stand, the old ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from gradproof.core.index import Affine, Index, at, combine, extent, shift
from gradproof.core.normal import certain, negate, plus, product
from gradproof.core.term import ONE, ZERO, Add, Bracket, Product, Sum, Term
from gradproof.trace.graph import Node
from gradproof.trace.writer import Writer


@dataclass(frozen=True, slots=True)
class _Spot:
    """What a key names: where it is (conditions on the axes, and indices that count its steps) and
    the positions in what is written there."""

    conditions: tuple[Bracket, ...]
    steps: tuple[Index, ...]
    places: tuple[Affine, ...]

    def holds(self, *factors: Term) -> Term:
        """The factors there, zero elsewhere."""
        inside = product(*factors, *self.conditions)
        return Sum(self.steps, inside) if self.steps else inside


def write_into(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """The array after ``a[key] = b``, and after ``a[key] += b`` without reading a twice.

    What has a name is read by its name: its gradient comes from here.
    """
    whole, new = node.operands
    old = writer.use(whole, tuple(at(i) for i in axes))
    spot = _spot(writer, node, axes)
    added = None if new.number in writer.names else _added(node)
    if added is not None:
        value = writer.spread_at(added, spot.places)
        more = spot.holds(negate(value) if new.operation == "subtract" else value)
        return more if old == ZERO else plus(old, more)
    written = spot.holds(writer.spread_at(new, spot.places))
    kept = [part for term in _terms(old) for part in _outside(writer, node, axes, term)]
    parts = [*kept, *([] if written == ZERO else [written])]
    return plus(*parts) if parts else ZERO


def _terms(term: Term) -> tuple[Term, ...]:
    if term == ZERO:
        return ()
    return term.terms if isinstance(term, Add) else (term,)


def _added(node: Node) -> Node | None:
    """What is added where it stands: b in ``a[key] = a[key] + b``."""
    whole, new = node.operands
    if new.operation not in ("add", "subtract"):
        return None
    first, second = new.operands
    same = first.operation == "getitem" and first.operands == (whole,)
    if same and first.attributes["key"] == node.attributes["key"] and first.shape == new.shape:
        return second
    return None


def _spot(writer: Writer, node: Node, axes: tuple[Index, ...]) -> _Spot:
    conditions: list[Bracket] = []
    steps: list[Index] = []
    places: list[Affine] = []
    for index, part in zip(axes, node.attributes["key"], strict=True):
        if isinstance(part, int):
            here = Affine((), part) if part >= 0 else shift(extent(index.size), part)
            conditions.append(Bracket("==", combine(at(index), here, -1)))
        elif part == slice(None) or not isinstance(index.size, int):
            places.append(at(index))
        else:
            start, stop, step = part.indices(index.size)
            if step == 1:
                places.append(shift(at(index), -start))
                conditions.append(Bracket(">=", shift(at(index), -start)))
                last = combine(Affine((), stop - 1), at(index), -1)
                conditions.append(Bracket(">=", last))
            else:
                writer.fresh += 1
                k = Index(writer.fresh, len(range(start, stop, step)))
                steps.append(k)
                places.append(at(k))
                there = combine(Affine((), start), at(k), step)
                conditions.append(Bracket("==", combine(at(index), there, -1)))
    open_ones = tuple(c for c in conditions if not certain(c))
    return _Spot(open_ones, tuple(steps), tuple(places))


def _outside(writer: Writer, node: Node, axes: tuple[Index, ...], term: Term) -> Iterator[Term]:
    """What is left of one term of the old values: all of it, none, or that outside the key."""
    spot = _spot(writer, node, axes)
    if not spot.conditions:
        return
    old = tuple(_conditions(term))
    if set(spot.conditions) <= set(old):
        return
    mine, theirs = _ranges(spot.conditions, axes), _ranges(old, axes)
    beside = any(a.stop <= b.start or b.stop <= a.start for a, b in zip(mine, theirs, strict=True))
    if beside or any(_never_meet(_steps(spot.conditions, i), _steps(old, i)) for i in axes):
        yield term
    elif (
        spot.steps
        # A range that a symbol ends, as of ``x[-1]``, is less than `_ranges` says.
        or not all(_ends_at_a_number(condition) for condition in spot.conditions)
        or any(b.start < a.start or b.stop > a.stop for a, b in zip(mine, theirs, strict=True))
    ):
        yield product(term, plus(ONE, negate(spot.holds())))


def _conditions(term: Term) -> Iterator[Bracket]:
    """The conditions without which a term is zero."""
    match term:
        case Bracket():
            yield term
        case Product(factors):
            for factor in factors:
                yield from _conditions(factor)
        case Sum(_, body):
            yield from _conditions(body)
        case _:
            return


def _steps(conditions: tuple[Bracket, ...], axis: Index) -> list[tuple[int, int]]:
    """For each ``axis = s·k + c`` the step s and the rest c; s is 0 where nothing is counted."""
    found = []
    for condition in conditions:
        places = dict(condition.position.terms)
        sign = places.pop(axis, 0)
        if condition.relation == "==" and abs(sign) == 1:
            symbols = [1 for v in places if isinstance(v, str)]
            found.append((gcd(*symbols, *places.values()), -sign * condition.position.constant))
    return found


def _never_meet(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
    """Whether two sequences of steps have no position in common, as the even and the odd ones."""
    pairs = [(gcd(s, t), a - b) for s, a in one for t, b in other]
    return any(difference % step if step else difference for step, difference in pairs)


def _ends_at_a_number(condition: Bracket) -> bool:
    match condition.position:
        case Affine(((Index(), 1 | -1),), _):
            return True
        case _:
            return False


def _ranges(conditions: tuple[Bracket, ...], axes: tuple[Index, ...]) -> list[range]:
    """The positions that conditions on one axis each leave, an unknown end being far away."""
    far = 2**60
    found = {i: (0, i.size if isinstance(i.size, int) else far) for i in axes}
    for condition in conditions:
        match condition.position:
            case Affine(((Index() as index, 1 | -1 as sign),), constant) if index in found:
                low, high = found[index]
                edge = -sign * constant
                if condition.relation == "==" or sign == 1:
                    low = max(low, edge)
                if condition.relation == "==" or sign == -1:
                    high = min(high, edge + 1)
                found[index] = low, high
            case _:
                pass
    return [range(*found[index]) for index in axes]
