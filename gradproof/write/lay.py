"""Nested sums to notation: what runs down the rows, what along the columns, where a ᵀ stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gradproof.core.index import Affine, Index, Size, at, indices_of, is_index, shift, the_index
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
    substitute,
)
from gradproof.write.convention import Convention, layout, placed
from gradproof.write.letters import position_of
from gradproof.write.nest import NoMatrixForm
from gradproof.write.notation import (
    Applied,
    Axis,
    Chain,
    Condition,
    Folded,
    Hadamard,
    Indicator,
    Inner,
    Inverted,
    Kept,
    Letter,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    Ones,
    PiSign,
    Plus,
    Position,
    Quotient,
    Raised,
    Ratio,
    SizeSymbol,
    Sliced,
    Span,
    Symbol,
    Times,
    Total,
    Transposed,
    children,
)

Place = Index | None
"""What runs down the rows, or along the columns; `None` where there is only one."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a term is written under.

    ``fixed`` are the indices that are written as letters, ``single`` the axes of size 1 and
    ``shapes`` those of the tensors; ``done`` remembers what has been laid out already.
    """

    convention: Convention
    names: Mapping[str, str]
    letters: Mapping[Index, Letter]
    fixed: frozenset[Index]
    single: frozenset[tuple[str, int]]
    shapes: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    done: dict[tuple[Term, Place, Place], Notation] = field(default_factory=dict)


def axes(term: Term, desk: Desk) -> frozenset[Index]:
    """The indices of a term that are rows or columns on the page."""
    return free(term) - desk.fixed


def lay(term: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    """A nested term, whose axes are exactly these rows and columns.

    Raises:
        NoMatrixForm: a part has more than two axes, a diagonal, or a condition on indices.
    """
    if axes(term, desk) != {rows, columns} - {None}:
        raise NoMatrixForm
    key = (term, rows, columns)
    if key not in desk.done:
        desk.done[key] = _lay(term, rows, columns, desk)
    return desk.done[key]


def _lay(term: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    def elementwise(r: Place, c: Place) -> Notation:
        match term:
            case Add(terms):
                return Plus(tuple(_fit(t, r, c, desk) for t in terms))
            case Power(base, exponent) if exponent > 0:
                return Raised(_fit(base, r, c, desk), exponent)
            case Power(base, exponent):
                below = base if exponent == -1 else Power(base, -exponent)
                return _quotient(Numeral(Fraction(1)), _fit(below, r, c, desk), r, c)
            case Apply(function, arguments, order):
                return Applied(function, tuple(_fit(a, r, c, desk) for a in arguments), order)
            case Compare(relation, left, right):
                return Indicator(relation, _fit(left, r, c, desk), _fit(right, r, c, desk))
            case _:
                raise NoMatrixForm

    match term:
        case Number(value):
            return Negative(Numeral(-value)) if value < 0 else Numeral(value)
        case SizeOf(size):
            return SizeSymbol(size)
        case Pi():
            return PiSign()
        case Read():
            return _read(term, rows, columns, desk)
        case Product(factors):
            return _product(factors, rows, columns, desk)
        case Sum(over, body):
            return _sum(over, body, rows, columns, desk)
        case Fold(function, over, body):
            return _reduced(
                lambda *parts: Folded(function, *parts), over, body, rows, columns, desk
            )
        case Along("inverse", i, Along("matrix", j, body, q), p):
            return _inverse((i, j), body, (p, q), (rows, columns), desk)
        case Along():
            return _cheaper(lambda r, c: _along(term, r, c, desk), rows, columns, desk)
        case Add() | Power() | Apply() | Compare():
            return _cheaper(elementwise, rows, columns, desk)
        case Bracket(relation, position) if not axes(term, desk):
            return Condition(relation, position_of(position, desk.letters))
        case Bracket():
            raise NoMatrixForm


def fill(term: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    """A nested term as a tensor of these rows and columns, with ones where it is constant."""
    have = axes(term, desk)
    if have == {rows, columns} - {None} or term == Number(Fraction(0)):
        return lay(term, *(place if place in have else None for place in (rows, columns)), desk)
    if not have:
        scalar = lay(term, None, None, desk)
        if isinstance(scalar, Negative):
            return Negative(_times([scalar.body], Ones(None)))
        return _times([scalar], Ones(None))
    return _spread(term, rows, columns, desk)


def places(read: Read, desk: Desk) -> tuple[Place, Place]:
    """The rows and columns of a tensor as the convention lays it out."""
    kept = _kept(read, desk)
    if len(kept) > 2:
        raise NoMatrixForm
    name = desk.names.get(read.tensor, read.tensor)
    every = tuple(kept.get(axis) for axis in range(len(read.at)))
    stays = tuple(axis in kept for axis in range(len(read.at)))
    return placed(name, every, stays, desk.convention)


def _natural(index: Index, desk: Desk) -> tuple[Place, Place]:
    return layout((index,), desk.convention)


def cost(notation: Notation) -> int:
    """How much a reader is asked to turn in the head: transposes, and vectors of ones."""
    here = 1 if isinstance(notation, Transposed) else 0
    if isinstance(notation, Ones) and notation.size is not None:
        here = 2
    return here + sum(cost(child) for child in children(notation))


def _cheaper(
    write_at: Callable[[Place, Place], Notation], rows: Place, columns: Place, desk: Desk
) -> Notation:
    """As asked for, or transposed as a whole where that needs fewer transposes inside; where
    gradients lie as Jacobians, where nothing inside is transposed then: no gradient is."""
    direct = write_at(rows, columns)
    if rows is columns is None or not cost(direct):
        return direct
    turned = write_at(columns, rows)
    least = 1 if desk.convention.gradients == "jacobian" else cost(direct)
    return direct if cost(turned) >= least else Transposed(turned)


# --- tensors ----------------------------------------------------------------------------------


def _kept(read: Read, desk: Desk) -> dict[int, Place]:
    """The axes of a tensor that are rows or columns, with what runs along them."""
    kept: dict[int, Place] = {}
    for axis, position in enumerate(read.at):
        moved = _moved(position)
        if moved is not None and moved not in desk.fixed:
            if moved in kept.values():
                raise NoMatrixForm
            kept[axis] = moved
        elif position == Affine(()) and (read.tensor, axis) in desk.single:
            kept[axis] = None
        elif any(index not in desk.fixed for index in indices_of(position)):
            raise NoMatrixForm
    return kept


def _moved(position: Affine) -> Place:
    """The index of a position ``j`` or ``j + 2``."""
    bare = shift(position, -position.constant)
    return the_index(bare) if is_index(bare) else None


def _span(read: Read, axis: int, index: Place, desk: Desk) -> Span | None:
    """The part of an axis over which an index runs; `None` if that is all of it."""
    if index is None:
        return None
    start, size = read.at[axis].constant, index.size
    whole = desk.shapes[read.tensor][axis] if read.tensor in desk.shapes else size
    if start == 0 and size == whole:
        return None
    if not isinstance(size, int):
        raise NoMatrixForm
    return Span(start, start + size)


def _read(read: Read, rows: Place, columns: Place, desk: Desk) -> Notation:
    name = desk.names.get(read.tensor, read.tensor)
    kept = _kept(read, desk)
    symbol: Notation = Symbol(name)
    at_places: list[Position | Span | None] = [
        _span(read, axis, kept[axis], desk) if axis in kept else position_of(position, desk.letters)
        for axis, position in enumerate(read.at)
    ]
    if any(place is not None for place in at_places):
        symbol = Sliced(name, tuple(at_places))
    return symbol if places(read, desk) == (rows, columns) else Transposed(symbol)


def _ones(rows: Place, columns: Place, desk: Desk) -> Notation:
    """The ones of a vector or of a matrix."""
    if rows is None or columns is None:
        index = rows or columns
        assert index is not None
        ones: Notation = Ones(index.size)
        return ones if _natural(index, desk) == (rows, columns) else Transposed(ones)
    return _chain(_ones(rows, None, desk), _ones(None, columns, desk))


def _spread(term: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    """A vector as the matrix whose every row or column it is, with a vector of ones."""
    if axes(term, desk) == {rows}:
        return _chain(lay(term, rows, None, desk), _ones(None, columns, desk))
    return _chain(_ones(rows, None, desk), lay(term, None, columns, desk))


def _fit(term: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    """A part of an elementwise expression: a row meets every row, a column every column."""
    have = axes(term, desk)
    if not have <= {rows, columns}:
        raise NoMatrixForm
    return lay(term, *(place if place in have else None for place in (rows, columns)), desk)


def _chain(*factors: Notation) -> Notation:
    """The matrix product, with the signs and the scalars of its factors in front."""
    negative = False
    scalars: list[Notation] = []
    flat: list[Notation] = []
    for factor in factors:
        if isinstance(factor, Negative):
            negative, factor = not negative, factor.body
        if isinstance(factor, Times):
            scalars += factor.factors[:-1]
            factor = factor.factors[-1]
        flat += factor.factors if isinstance(factor, Chain) else (factor,)
    result = _times(scalars, Chain(tuple(flat)))
    return Negative(result) if negative else result


# --- products ---------------------------------------------------------------------------------


def _product(factors: tuple[Term, ...], rows: Place, columns: Place, desk: Desk) -> Notation:
    """Number, sizes and scalars in front, the tensors elementwise or as an outer product."""
    number = Fraction(1)
    above: list[Notation] = []
    below: list[Notation] = []
    last: list[Notation] = []
    tensors: list[Term] = []
    for factor in factors:
        match factor:
            case Number(value):
                number *= value
            case _ if axes(factor, desk):
                tensors.append(factor)
            case Power(base, exponent) if exponent < 0:
                scalar = base if exponent == -1 else Power(base, -exponent)
                below.append(lay(scalar, None, None, desk))
            case Read() | SizeOf() | Pi():
                above.append(lay(factor, None, None, desk))
            case _:
                last.append(lay(factor, None, None, desk))
    if tensors:
        last.append(_tensors(tensors, rows, columns, desk))
    result = _times(_coefficient(abs(number), above, below), *last)
    return Negative(result) if number < 0 else result


def _coefficient(number: Fraction, above: list[Notation], below: list[Notation]) -> list[Notation]:
    """``½``, ``2 s``, ``1/(2n)``: what stands in front of a product."""
    if not below:
        return [*([Numeral(number)] if number != 1 else []), *above]
    tops = [*([Numeral(Fraction(number.numerator))] if number.numerator != 1 else []), *above]
    bottoms = [Numeral(Fraction(number.denominator))] if number.denominator != 1 else []
    return [Ratio(_times(tops), _times([*bottoms, *below]))]


def _times(coefficient: list[Notation], *last: Notation) -> Notation:
    factors: list[Notation] = []
    if last and coefficient == [Numeral(Fraction(1))]:
        coefficient = []
    for factor in (*coefficient, *last):
        factors += factor.factors if isinstance(factor, Times) else (factor,)
    if not factors:
        return Numeral(Fraction(1))
    return factors[0] if len(factors) == 1 else Times(tuple(factors))


def _tensors(factors: list[Term], rows: Place, columns: Place, desk: Desk) -> Notation:
    if len(factors) == 1:
        return lay(factors[0], rows, columns, desk)
    if rows and columns and all(len(axes(f, desk)) == 1 for f in factors):
        left = [f for f in factors if axes(f, desk) == {rows}]
        right = [f for f in factors if axes(f, desk) == {columns}]
        if len(left) + len(right) < len(factors) or not left or not right:
            raise NoMatrixForm
        return _chain(_tensors(left, rows, None, desk), _tensors(right, None, columns, desk))
    return _cheaper(lambda r, c: _elementwise_product(factors, r, c, desk), rows, columns, desk)


def _elementwise_product(factors: list[Term], rows: Place, columns: Place, desk: Desk) -> Notation:
    above: list[Notation] = []
    below: list[Notation] = []
    for factor in factors:
        match factor:
            case Power(base, exponent) if exponent < 0:
                part = base if exponent == -1 else Power(base, -exponent)
                below.append(_fit(part, rows, columns, desk))
            case _:
                above.append(_fit(factor, rows, columns, desk))
    top = _hadamard(above) if above else Numeral(Fraction(1))
    return _quotient(top, _hadamard(below), rows, columns) if below else top


def _hadamard(factors: list[Notation]) -> Notation:
    return factors[0] if len(factors) == 1 else Hadamard(tuple(factors))


def _quotient(above: Notation, below: Notation, rows: Place, columns: Place) -> Notation:
    return Ratio(above, below) if rows is columns is None else Quotient(above, below)


# --- sums -------------------------------------------------------------------------------------


def _sum(over: tuple[Index, ...], body: Term, rows: Place, columns: Place, desk: Desk) -> Notation:
    if over[0] in desk.fixed:
        chosen = tuple(desk.letters[index] for index in over)
        return LetterSum(chosen, lay(body, rows, columns, desk))
    match body:
        case Product((left, right)):
            if axes(left, desk) == axes(right, desk) == set(over):
                return _inner(left, right, over, desk)
            if len(over) == 1 and axes(left, desk) & axes(right, desk) == set(over):
                return _matrix_product(left, right, over[0], rows, columns, desk)
        case _:
            pass
    return _reduced(Total, over, body, rows, columns, desk)


def _inner(left: Term, right: Term, over: tuple[Index, ...], desk: Desk) -> Notation:
    rows, columns = _best(left, over, desk)
    return Inner(lay(left, rows, columns, desk), lay(right, rows, columns, desk))


def _best(term: Term, over: tuple[Index, ...], desk: Desk) -> tuple[Place, Place]:
    """Of the two ways to lay out a whole tensor, the one with fewer transposes."""
    direct = layout(over, desk.convention)
    turned = (direct[1], direct[0])
    return min((direct, turned), key=lambda place: cost(lay(term, *place, desk)))


def _matrix_product(
    left: Term, right: Term, index: Index, rows: Place, columns: Place, desk: Desk
) -> Notation:
    """The factor with the rows stands first; a vector stands where the result's shape wants it."""
    if rows in axes(right, desk) or columns in axes(left, desk):
        left, right = right, left
    if axes(left, desk) != {rows, index} - {None} or axes(right, desk) != {index, columns} - {None}:
        raise NoMatrixForm
    return _chain(lay(left, rows, index, desk), lay(right, index, columns, desk))


def _reduced(
    make: Callable[[Axis, str, Notation], Notation],
    over: tuple[Index, ...],
    body: Term,
    rows: Place,
    columns: Place,
    desk: Desk,
) -> Notation:
    """A reduction of a whole tensor, or of one axis of a matrix."""
    have = axes(body, desk)
    if have == set(over) and len(over) <= 2:
        return make("all", "", lay(body, *_best(body, over, desk), desk))
    if len(over) != 1 or len(have) != 2 or over[0] not in have:
        raise NoMatrixForm
    (index,) = over

    def along(r: Place, c: Place) -> Notation:
        axis: Axis = "rows" if r is None else "columns"
        label = _label(index, r or c or index, axis, desk)
        return make(axis, label, lay(body, r or index, c or index, desk))

    return _cheaper(along, rows, columns, desk)


def _label(index: Index, other: Index, axis: Axis, desk: Desk) -> str:
    """``n`` where that says which index runs; else i for the rows' and j for the columns'."""
    letters = {desk.letters[i].name for i in desk.fixed}
    label = "i" if axis == "rows" else "j"
    if isinstance(index.size, str) and index.size != other.size and index.size not in letters:
        label = index.size
    while label in letters:
        label += "′"
    return label


def _inverse(
    over: tuple[Index, Index],
    body: Term,
    places: tuple[Affine, Affine],
    edges: tuple[Place, Place],
    desk: Desk,
) -> Notation:
    """``A⁻¹``, or ``A⁻ᵀ`` where the rows of the page are those of the transpose."""
    i, j = over
    if not all(map(is_index, places)) or axes(body, desk) != {i, j}:
        raise NoMatrixForm
    p, q = map(the_index, places)
    if {p, q} & {i, j} or p == q or (p, q) not in (edges, edges[::-1]):
        raise NoMatrixForm
    inside = lay(body, *((i, j) if (p, q) == edges else (j, i)), desk)
    if isinstance(inside, Transposed):
        return Inverted(inside.body, True)
    return Inverted(inside, False)


def _along(term: Along, rows: Place, columns: Place, desk: Desk) -> Notation:
    if not is_index(term.position) or term.over not in free(term.body):
        raise NoMatrixForm
    index = the_index(term.position)
    if index in free(term.body) or index in desk.fixed:
        raise NoMatrixForm
    body = lay(substitute(term.body, {term.over: at(index)}), rows, columns, desk)
    axis: Axis = "rows" if rows == index else "columns"
    other = columns if rows == index else rows
    # Along each sample's features, which is what people mean when they write no index.
    usual = other is None or _natural(index, desk) in ((rows, None), (None, columns))
    return Kept(
        term.function, axis, "" if usual else _label(index, other or index, axis, desk), body
    )
