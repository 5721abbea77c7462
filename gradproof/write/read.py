"""Notation back to index equations: what is printed is what is verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from gradproof.core.index import Affine, Index, Size, affine, at, combine, indices_of, shift
from gradproof.core.program import Equation
from gradproof.core.term import (
    ONE,
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
    substitute,
)
from gradproof.prims.linalg import inverse
from gradproof.write.convention import Convention, layout, placed
from gradproof.write.notation import (
    Applied,
    Axis,
    Chain,
    Condition,
    Correlation,
    Diagonal,
    Equality,
    Folded,
    Hadamard,
    Indicator,
    Inner,
    Inverted,
    Joined,
    Kept,
    Letter,
    LetterFold,
    LetterKept,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    Ones,
    Padded,
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
    Trace,
    Transposed,
    Turned,
    Widened,
)

Extent = tuple[Size | None, Size | None]
"""The sizes of rows and columns; `None` where there is only one."""


@dataclass(slots=True, eq=False)
class Reader:
    """What a reader knows of the page, and the indices given out so far."""

    shapes: Mapping[str, tuple[Size, ...]]
    convention: Convention
    letters: dict[Letter, Index] = field(default_factory=dict)
    count: int = 0

    def index(self, size: Size) -> Index:
        """A new index of this size."""
        self.count += 1
        return Index(self.count - 1, size)

    def letter(self, letter: Letter) -> Index:
        """The index that a letter stands for."""
        if letter not in self.letters:
            self.letters[letter] = self.index(letter.size)
        return self.letters[letter]


def read(
    notation: Equality, shapes: Mapping[str, tuple[Size, ...]], convention: Convention
) -> Equation:
    """The index equation that a written one means.

    Args:
        notation: the equation.
        shapes: of every tensor by its name on the page, the left one's included.
        convention: the one that it was written under.
    """
    reader = Reader(shapes, convention)
    match notation.left:
        case Symbol(name):
            left = tuple(reader.index(size) for size in shapes[name])
            rows, columns = placed(name, left, (True,) * len(left), convention)
        case Sliced(name, places):
            sizes = shapes[name]
            left = tuple(
                _left_index(place, sizes[axis], reader) for axis, place in enumerate(places)
            )
            rows, columns = placed(name, left, tuple(p is None for p in places), convention)
        case _:
            raise ValueError(f"not the left side of an equation: {notation.left}")
    term = read_term(notation.right, rows, columns, reader)
    if isinstance(notation.left, Sliced):
        term = _put_at(notation.left.places, left, term, reader)
    return Equation(name, left, term)


def _left_index(place: Position | Span | None, size: Size, reader: Reader) -> Index:
    """The index of an axis of the left side; one at whose positions things are put is new."""
    match place:
        case Position(((Letter() as letter, 1),), 0):
            return reader.letter(letter)
        case Position() | None:
            return reader.index(size)
        case Span():
            raise ValueError(f"not an index on the left side: {place}")


def _put_at(
    places: tuple[Position | Span | None, ...], left: tuple[Index, ...], term: Term, reader: Reader
) -> Term:
    """``y[3i+j] = x[i,j]`` as a sum over i and j, with a bracket for the position."""
    brackets: list[Term] = []
    over: dict[Index, None] = {}
    for place, index in zip(places, left, strict=True):
        if isinstance(place, Position) and len(place.terms) > 1:
            position = _affine(place, reader)
            brackets.append(Bracket("==", combine(at(index), position, -1)))
            over.update(dict.fromkeys(indices_of(position)))
    return Sum(tuple(over), Product((term, *brackets))) if brackets else term


def read_term(
    notation: Notation, rows: Index | None, columns: Index | None, reader: Reader
) -> Term:
    """The element of a written tensor at these rows and columns."""

    def here(part: Notation) -> Term:
        return read_term(part, rows, columns, reader)

    match notation:
        case Symbol(name):
            return _tensor(name, (None,) * len(reader.shapes[name]), rows, columns, reader)
        case Sliced(name, places):
            return _tensor(name, places, rows, columns, reader)
        case Numeral(value):
            return Number(value)
        case SizeSymbol(size):
            return SizeOf(size)
        case PiSign():
            return Pi()
        case Ones():
            return ONE
        case Transposed(body):
            return read_term(body, columns, rows, reader)
        case Inverted(body, transposed):
            assert rows is not None and columns is not None
            i, j = _indices(extent(body, reader), reader)
            assert i is not None and j is not None
            p, q = (columns, rows) if transposed else (rows, columns)
            return inverse(i, j, read_term(body, i, j, reader), (at(p), at(q)))
        case Chain(factors):
            return _chain(factors, rows, columns, reader)
        case Times(factors) | Hadamard(factors):
            return Product(tuple(here(f) for f in factors))
        case Ratio(above, below) | Quotient(above, below):
            return Product((here(above), Power(here(below), Fraction(-1))))
        case Plus(terms):
            return Add(tuple(here(t) for t in terms))
        case Negative(body):
            return Product((Number(Fraction(-1)), here(body)))
        case Raised(base, exponent):
            return Power(here(base), exponent)
        case Applied(function, arguments, order):
            return Apply(function, tuple(here(a) for a in arguments), order)
        case Total(axis, _, body):
            over, inside = _reduced(axis, body, rows, columns, reader)
            return Sum(over, inside)
        case Folded(function, axis, _, body):
            over, inside = _reduced(axis, body, rows, columns, reader)
            return Fold(function, over, inside)
        case Kept(function, axis, _, body):
            return _kept(function, axis, body, rows, columns, reader)
        case Inner(left, right):
            r, c = _indices(_together((left, right), reader), reader)
            both = (read_term(left, r, c, reader), read_term(right, r, c, reader))
            return Sum(tuple(i for i in (r, c) if i), Product(both))
        case Indicator(relation, left, right):
            return Compare(relation, here(left), here(right))
        case LetterSum(letters, body):
            return Sum(tuple(reader.letter(x) for x in letters), here(body))
        case LetterFold(function, letters, body):
            return Fold(function, tuple(reader.letter(x) for x in letters), here(body))
        case LetterKept(function, letter, body, position):
            return Along(function, reader.letter(letter), here(body), _affine(position, reader))
        case Condition(relation, position):
            return Bracket(relation, _affine(position, reader))
        case Joined(axis, parts, sizes):
            return _joined(axis, parts, sizes, rows, columns, reader)
        case Correlation(left, right, steps):
            return _correlation(left, right, steps, (rows, columns), reader)
        case Padded(body, ends):
            return _padded(body, ends, (rows, columns), reader)
        case Widened(body, steps):
            return _widened(body, steps, (rows, columns), reader)
        case Turned(body, _):
            return _at(
                body, [affine({i: -1}, _number(i.size) - 1) for i in (rows, columns) if i], reader
            )
        case Trace(body):
            size, other = extent(body, reader)
            assert size == other, f"the trace of {size} rows and {other} columns"
            if size is None:
                return here(body)
            index = reader.index(size)
            return Sum((index,), read_term(body, index, index, reader))
        case Diagonal(body):
            assert rows is not None and columns is not None
            same = Bracket("==", affine({rows: 1, columns: -1}))
            return Product((_lengthwise(body, rows, reader), same))
        case Equality():
            raise ValueError("an equation inside a formula")


def _lengthwise(vector: Notation, index: Index, reader: Reader) -> Term:
    """The element of a row or of a column."""
    rows, columns = extent(vector, reader)
    assert rows is None or columns is None, "a matrix in the place of a vector"
    return read_term(vector, *((None, index) if rows is None else (index, None)), reader)


def _affine(position: Position, reader: Reader) -> Affine:
    terms = {v if isinstance(v, str) else reader.letter(v): c for v, c in position.terms}
    return affine(terms, position.constant)


def _tensor(
    name: str,
    places: tuple[Position | Span | None, ...],
    rows: Index | None,
    columns: Index | None,
    reader: Reader,
) -> Read:
    axes = tuple(range(len(places)))
    kept = tuple(not isinstance(place, Position) for place in places)
    laid = dict(zip(placed(name, axes, kept, reader.convention), (rows, columns), strict=True))
    positions = []
    for axis, place in enumerate(places):
        index = laid.get(axis)
        if isinstance(place, Position):
            positions.append(_affine(place, reader))
        elif isinstance(place, Span):
            assert index is not None and index.size == place.stop - place.start
            positions.append(shift(at(index), place.start))
        elif index is None or reader.shapes[name][axis] == 1:
            assert reader.shapes[name][axis] == 1, f"{name} is read as if it had one {axis}"
            positions.append(Affine(()))
        else:
            assert reader.shapes[name][axis] == index.size, f"{name} does not fit"
            positions.append(at(index))
    return Read(name, tuple(positions))


def _chain(
    factors: tuple[Notation, ...], rows: Index | None, columns: Index | None, reader: Reader
) -> Term:
    inner: list[Index | None] = []
    for left, right in pairwise(factors):
        size, other = extent(left, reader)[1], extent(right, reader)[0]
        assert size == other, f"{size} meets {other}"
        inner.append(None if size is None else reader.index(size))
    edges = [rows, *inner, columns]
    parts = tuple(
        read_term(factor, edges[n], edges[n + 1], reader) for n, factor in enumerate(factors)
    )
    over = tuple(index for index in inner if index)
    return Sum(over, Product(parts)) if over else Product(parts)


def _indices(sizes: Extent, reader: Reader) -> tuple[Index | None, Index | None]:
    first, second = (None if size is None else reader.index(size) for size in sizes)
    return first, second


def _reduced(
    axis: Axis, body: Notation, rows: Index | None, columns: Index | None, reader: Reader
) -> tuple[tuple[Index, ...], Term]:
    r, c = _indices(extent(body, reader), reader)
    match axis:
        case "all":
            over = tuple(i for i in (r, c) if i)
        case "rows":
            assert r is not None
            over, c = (r,), columns
        case "columns":
            assert c is not None
            over, r = (c,), rows
    return over, read_term(body, r, c, reader)


def _kept(
    function: str,
    axis: Axis,
    body: Notation,
    rows: Index | None,
    columns: Index | None,
    reader: Reader,
) -> Term:
    here = rows if axis == "rows" else columns
    assert here is not None
    over = reader.index(here.size)
    inside = (over, columns) if axis == "rows" else (rows, over)
    return Along(function, over, read_term(body, *inside, reader), at(here))


def _joined(
    axis: Axis,
    parts: tuple[Notation, ...],
    sizes: tuple[int, ...],
    rows: Index | None,
    columns: Index | None,
    reader: Reader,
) -> Term:
    whole = rows if axis == "rows" else columns
    assert whole is not None and whole.size == sum(sizes)
    terms: list[Term] = []
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        own = reader.index(size)
        edges = (own, columns) if axis == "rows" else (rows, own)
        body = substitute(read_term(part, *edges, reader), {own: shift(at(whole), -start)})
        low = Bracket(">=", shift(at(whole), -start))
        high = Bracket(">=", affine({whole: -1}, start + size - 1))
        terms.append(Product((low, high, body)))
        start += size
    return Add(tuple(terms))


def _number(size: Size) -> int:
    """The size of an axis that windows slide over."""
    assert isinstance(size, int)
    return size


def _at(body: Notation, places: Sequence[Affine], reader: Reader) -> Term:
    """What is written, at these positions of the rows and columns that it has."""
    own = _indices(extent(body, reader), reader)
    there = dict(zip((i for i in own if i), places, strict=True))
    return substitute(read_term(body, *own, reader), there)


def _correlation(
    left: Notation,
    right: Notation,
    steps: tuple[int, ...],
    here: tuple[Index | None, Index | None],
    reader: Reader,
) -> Term:
    window = _indices(extent(right, reader), reader)
    over = tuple(i for i in window if i)
    each = layout(steps, reader.convention)
    places = [
        affine({i: s, r: 1}) for i, r, s in zip(here, window, each, strict=True) if i and r and s
    ]
    return Sum(over, Product((_at(left, places, reader), read_term(right, *window, reader))))


def _padded(
    body: Notation,
    ends: tuple[tuple[int, int], ...],
    here: tuple[Index | None, Index | None],
    reader: Reader,
) -> Term:
    places, inside = [], []
    for i, end in zip(here, layout(ends, reader.convention), strict=True):
        if i and end:
            places.append(shift(at(i), -end[0]))
            inside.append(Bracket(">=", shift(at(i), -end[0])))
            inside.append(Bracket(">=", affine({i: -1}, _number(i.size) - end[1] - 1)))
    return Product((_at(body, places, reader), *inside))


def _widened(
    body: Notation,
    steps: tuple[int, ...],
    here: tuple[Index | None, Index | None],
    reader: Reader,
) -> Term:
    own = _indices(extent(body, reader), reader)
    met = [
        Bracket("==", affine({i: 1, k: -s}))
        for i, k, s in zip(here, own, layout(steps, reader.convention), strict=True)
        if i and k and s
    ]
    return Sum(tuple(k for k in own if k), Product((read_term(body, *own, reader), *met)))


def extent(notation: Notation, reader: Reader) -> Extent:
    """The sizes of what is written."""
    match notation:
        case Symbol(name):
            return _laid_out(name, reader.shapes[name], (None,) * len(reader.shapes[name]), reader)
        case Sliced(name, places):
            return _laid_out(name, reader.shapes[name], places, reader)
        case Numeral() | SizeSymbol() | PiSign() | Inner() | Condition():
            return None, None
        case Ones(None):
            return None, None
        case Ones(size):
            return layout((size,), reader.convention)
        case Transposed(body) | Inverted(body, False):
            rows, columns = extent(body, reader)
            return columns, rows
        case Chain(factors):
            return extent(factors[0], reader)[0], extent(factors[-1], reader)[1]
        case Times(parts) | Hadamard(parts) | Plus(parts) | Applied(_, parts, _):
            return _together(parts, reader)
        case Ratio(left, right) | Quotient(left, right) | Indicator(_, left, right):
            return _together((left, right), reader)
        case Inverted(body, _):
            return extent(body, reader)
        case Negative(body) | Raised(body, _) | Kept(_, _, _, body) | LetterSum(_, body):
            return extent(body, reader)
        case LetterFold(_, _, body) | LetterKept(_, _, body, _):
            return extent(body, reader)
        case Total(axis, _, body) | Folded(_, axis, _, body):
            rows, columns = extent(body, reader)
            match axis:
                case "all":
                    return None, None
                case "rows":
                    return None, columns
                case "columns":
                    return rows, None
        case Joined(axis, parts, sizes):
            rows, columns = _across(axis, parts, reader)
            return (sum(sizes), columns) if axis == "rows" else (rows, sum(sizes))
        case Correlation(left, right, steps):
            each = layout(steps, reader.convention)
            sides = zip(extent(left, reader), extent(right, reader), each, strict=True)
            return _both(
                None if s is None or a is None or b is None else (_number(a) - _number(b)) // s + 1
                for a, b, s in sides
            )
        case Padded(body, ends):
            beside = zip(extent(body, reader), layout(ends, reader.convention), strict=True)
            return _both(
                None if n is None or end is None else _number(n) + sum(end) for n, end in beside
            )
        case Widened(body, steps):
            wider = zip(extent(body, reader), layout(steps, reader.convention), strict=True)
            return _both(
                None if n is None or s is None else s * (_number(n) - 1) + 1 for n, s in wider
            )
        case Turned(body, _):
            return extent(body, reader)
        case Trace():
            return None, None
        case Diagonal(body):
            rows, columns = extent(body, reader)
            return rows or columns, rows or columns
        case Equality():
            raise ValueError("an equation inside a formula")


def _both(sizes: Iterable[Size | None]) -> Extent:
    rows, columns = sizes
    return rows, columns


def _across(axis: Axis, parts: tuple[Notation, ...], reader: Reader) -> Extent:
    """The size that parts beside each other have in common, in its place."""
    found = [extent(part, reader) for part in parts]
    common = {rows if axis == "columns" else columns for rows, columns in found} - {None}
    size = common.pop() if common else None
    return (None, size) if axis == "rows" else (size, None)


def _laid_out(
    name: str,
    shape: tuple[Size, ...],
    places: tuple[Position | Span | None, ...],
    reader: Reader,
) -> Extent:
    kept = tuple(not isinstance(place, Position) for place in places)
    sizes = tuple(
        place.stop - place.start if isinstance(place, Span) else size
        for size, place in zip(shape, places, strict=True)
    )
    rows, columns = placed(name, sizes, kept, reader.convention)
    return None if rows == 1 else rows, None if columns == 1 else columns


def _together(parts: tuple[Notation, ...], reader: Reader) -> Extent:
    rows: Size | None = None
    columns: Size | None = None
    for part in parts:
        r, c = extent(part, reader)
        assert None in (rows, r) or rows == r, f"{rows} rows meet {r}"
        assert None in (columns, c) or columns == c, f"{columns} columns meet {c}"
        rows, columns = rows or r, columns or c
    return rows, columns
