"""Sums over windows to the notation of textbooks: planes that slide over one another.

``Σ_c,q,r x[n,i+q,j+r,c] W[q,r,c,k]`` is ``Σ_c x[n,:,:,c] ⋆ W[:,:,c,k]``. Along each axis a window
slides over, three positions meet: ``big = s·one + d·other − p``. Whichever of the three belongs to
the left side says which form it is: the correlation with a stride, that with the gradient spread
out, or, for the big one, the full convolution: zeros around, and the kernel turned by 180 degrees.
Nothing here looks at conditions: whether a form is equal to its sum is for a proof to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gradproof.core.index import Affine, Index, Size, at, indices_of, is_index, the_index
from gradproof.core.normal import apart, highest
from gradproof.core.program import Equation
from gradproof.core.term import Add, Bracket, Number, Product, Read, Sum, Term
from gradproof.write.convention import Convention, layout, lies_transposed, placed
from gradproof.write.letters import letters, position_of
from gradproof.write.notation import (
    Correlation,
    Equality,
    Letter,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    Padded,
    Plus,
    Position,
    Sliced,
    Span,
    Symbol,
    Times,
    Transposed,
    Turned,
    Widened,
)

MOST_AXES = 2


class _NoPlanes(Exception):
    """A term that is not made of planes that slide over one another."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """``big = strides[0]·… + strides[1]·… − ahead`` along one axis.

    ``spots`` has the axis of the target, the first and the second factor; ``sizes`` theirs;
    ``big`` says which of the three it is, and the strides are those of the other two, in order.
    """

    spots: tuple[int, int, int]
    sizes: tuple[int, int, int]
    big: int
    strides: tuple[int, int]
    ahead: int


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a term is written under."""

    equation: Equation
    convention: Convention
    names: Mapping[str, str]
    shapes: Mapping[str, tuple[Size, ...]]
    letters: Mapping[Index, Letter]


def write_planes(
    equation: Equation,
    convention: Convention,
    names: Mapping[str, str],
    shapes: Mapping[str, tuple[Size, ...]],
) -> Equality | None:
    """An equation between planes; `None` where nothing slides, or not as textbooks have it.

    Args:
        equation: what to write.
        convention: row or column vectors.
        names: how tensors are called on the page, where not by their names.
        shapes: of every tensor.
    """
    term, _ = apart(equation.term, highest(equation.term, equation.free) + 1)
    terms = term.terms if isinstance(term, Add) else (term,)
    sheet = _Sheet(
        equation, convention, names, shapes, letters(Equation("", equation.free, term), names)
    )
    try:
        windows = [found for one in terms if (found := _windows(one, sheet)) is not None]
        if not windows or any(w.spots != windows[0].spots for w in windows):
            return None
        planes = windows[0].spots
        written = [_term(one, planes, sheet) for one in terms]
    except _NoPlanes:
        return None
    left = _slice(
        Read(equation.target, tuple(at(i) for i in equation.free)), dict.fromkeys(planes), sheet
    )
    right = written[0] if len(written) == 1 else Plus(tuple(written))
    if isinstance(left, Transposed):  # of a plane that lies transposed, as all beside it do not
        return Equality(left.body, Transposed(right))
    return Equality(left, right)


@dataclass(frozen=True, slots=True)
class _Windows:
    """A term's two reads, its number, its axes with windows and the letters it is summed over."""

    number: Fraction
    reads: tuple[Read, Read]
    axes: tuple[_Axis, ...]
    over: tuple[Index, ...]
    spots: tuple[int, ...]


def _windows(term: Term, sheet: _Sheet) -> _Windows | None:
    """What slides in a term, or `None` where nothing does.

    Raises:
        _NoPlanes: something does, but not as planes do.
    """
    number, over, factors = _parts(term)
    reads = [f for f in factors if isinstance(f, Read)]
    conditions = [f for f in factors if isinstance(f, Bracket)]
    if not over or len(reads) != 2 or len(reads) + len(conditions) != len(factors):
        return None
    groups = _groups(reads, conditions)
    target = Read(sheet.equation.target, tuple(at(i) for i in sheet.equation.free))
    three = (target, reads[0], reads[1])
    axes = tuple(_axis(group, three, conditions, sheet) for group in groups if len(group) > 1)
    axes = tuple(sorted(axes, key=lambda axis: axis.spots))
    if not axes:
        return None
    in_order = all(sorted(s) == s for s in map(list, zip(*(a.spots for a in axes), strict=True)))
    if len(axes) > MOST_AXES or not in_order or len({axis.big for axis in axes}) > 1:
        raise _NoPlanes
    moving = frozenset().union(*(group for group in groups if len(group) > 1))
    left = tuple(i for i in over if i not in moving)
    return _Windows(number, (reads[0], reads[1]), axes, left, tuple(a.spots[0] for a in axes))


def _parts(term: Term) -> tuple[Fraction, tuple[Index, ...], list[Term]]:
    """The number in front, the indices that are summed over, and the factors."""
    number, over, factors = Fraction(1), (), []
    for factor in term.factors if isinstance(term, Product) else (term,):
        match factor:
            case Number(value):
                number *= value
            case Sum(inner, Product(inside)):
                over += inner
                factors += inside
            case _:
                factors.append(factor)
    return number, over, factors


def _groups(reads: list[Read], conditions: list[Bracket]) -> list[frozenset[Index]]:
    """The indices that stand together in a position or a condition, as those of one axis do."""
    groups: list[frozenset[Index]] = []
    together = [indices_of(p) for read in reads for p in read.at]
    for found in (*together, *(indices_of(c.position) for c in conditions)):
        touched = [g for g in groups if g & set(found)]
        groups = [g for g in groups if g not in touched]
        if found:
            groups.append(frozenset(found).union(*touched))
    return groups


def _axis(
    group: frozenset[Index],
    three: tuple[Read, Read, Read],
    conditions: list[Bracket],
    sheet: _Sheet,
) -> _Axis:
    """The one axis of each of the three tensors that a group of indices is for."""
    spots = []
    for read in three:
        own = [n for n, p in enumerate(read.at) if group & set(indices_of(p))]
        if len(own) != 1:
            raise _NoPlanes
        spots.append(own[0])
    sizes = [sheet.shapes[read.tensor][n] for read, n in zip(three, spots, strict=True)]
    places = [read.at[n] for read, n in zip(three, spots, strict=True)]
    coefficients, constant = _relation(places, group, conditions)
    odd = [n for n, c in enumerate(coefficients) if sum(c * o > 0 for o in coefficients) == 1]
    if len(odd) != 1 or abs(coefficients[odd[0]]) != 1:
        raise _NoPlanes
    big = odd[0]
    strides = [abs(c) for n, c in enumerate(coefficients) if n != big]
    numbers = [size for size in sizes if isinstance(size, int) and size > 1]
    if len(numbers) != 3:
        raise _NoPlanes
    return _Axis(
        (spots[0], spots[1], spots[2]),
        (numbers[0], numbers[1], numbers[2]),
        big,
        (strides[0], strides[1]),
        coefficients[big] * constant,
    )


def _relation(
    places: list[Affine], group: frozenset[Index], conditions: list[Bracket]
) -> tuple[tuple[int, int, int], int]:
    """``a·first + b·second + c·third + constant = 0`` between three positions."""
    bare = [the_index(place) if is_index(place) else None for place in places]
    equal = [
        c.position for c in conditions if c.relation == "==" and group & set(indices_of(c.position))
    ]
    shifted = [n for n, index in enumerate(bare) if index is None]
    if len(equal) == 1 and not shifted and len(set(bare)) == 3:
        position = equal[0]
    elif not equal and len(shifted) == 1 and len(set(bare)) == 3:
        position = places[shifted[0]]
    else:
        raise _NoPlanes
    found = dict(position.terms)
    coefficients = [found.pop(index, 0) if index else -1 for index in bare]
    if found or not all(coefficients):
        raise _NoPlanes
    return (coefficients[0], coefficients[1], coefficients[2]), position.constant


# --- the notation -----------------------------------------------------------------------------


def _term(term: Term, planes: tuple[int, ...], sheet: _Sheet) -> Notation:
    """One term, as a plane over the axes of the target that windows slide over."""
    windows = _windows(term, sheet)
    if windows is None:
        return _same_everywhere(term, planes, sheet)
    body = _slid(windows, sheet)
    if windows.over:
        body = LetterSum(tuple(sheet.letters[i] for i in windows.over), body)
    size = abs(windows.number)
    body = body if size == 1 else Times((Numeral(size), body))
    return Negative(body) if windows.number < 0 else body


def _same_everywhere(term: Term, planes: tuple[int, ...], sheet: _Sheet) -> Notation:
    """A bias, or another plane of the same shape."""
    if not isinstance(term, Read):
        raise _NoPlanes
    running = [sheet.equation.free[n] for n in planes]
    kept = [n for n, place in enumerate(term.at) if set(indices_of(place)) & set(running)]
    if kept and [term.at[n] for n in kept] != [at(i) for i in running]:
        raise _NoPlanes
    return _slice(term, dict.fromkeys(kept), sheet)


def _slice(read: Read, kept: Mapping[int, Span | None], sheet: _Sheet) -> Notation:
    """A tensor's plane with its first axis down the page in row convention, however it lies."""
    name = sheet.names.get(read.tensor, read.tensor)
    places: tuple[Position | Span | None, ...] = tuple(
        kept[n] if n in kept else position_of(place, sheet.letters)
        for n, place in enumerate(read.at)
    )
    stays = tuple(not isinstance(place, Position) for place in places)
    lies = placed(name, tuple(range(len(places))), stays, sheet.convention)
    usual = layout(tuple(n for n, stay in enumerate(stays) if stay), sheet.convention)
    whole = all(place is None for place in places)
    plane: Notation = Symbol(name) if whole else Sliced(name, places)
    if lies_transposed(name, sheet.convention):
        lies, plane = lies[::-1], Transposed(plane) if kept else plane
    if lies != usual:  # a column among rows
        raise _NoPlanes
    return plane


def _slid(windows: _Windows, sheet: _Sheet) -> Notation:
    first, second = windows.reads
    big = windows.axes[0].big
    if big == 0:
        spread, kernel = (first, 1), (second, 2)
        if _count(windows, 1) < _count(windows, 2):
            spread, kernel = kernel, spread
        return _full(windows.axes, spread, kernel, sheet)
    return _strided(
        windows.axes, (windows.reads[big - 1], big), (windows.reads[2 - big], 3 - big), sheet
    )


def _count(windows: _Windows, which: int) -> int:
    total = 1
    for axis in windows.axes:
        total *= axis.sizes[which]
    return total


def _full(
    axes: tuple[_Axis, ...], spread: tuple[Read, int], kernel: tuple[Read, int], sheet: _Sheet
) -> Notation:
    """``pad(Z↑s) ⋆ rot180(W↑d)``: what every element of Z sends along the kernel."""
    steps, wide, ends = [], [], []
    for axis in axes:
        step, each = axis.strides[spread[1] - 1], axis.strides[kernel[1] - 1]
        reach = each * (axis.sizes[kernel[1]] - 1)
        last = step * (axis.sizes[spread[1]] - 1)
        steps.append(step)
        wide.append(each)
        ends.append((reach - axis.ahead, axis.sizes[0] - 1 + axis.ahead - last))
    if any(min(end) < 0 for end in ends):
        raise _NoPlanes
    samples, window = (
        _slice(read, {axis.spots[n]: None for axis in axes}, sheet) for read, n in (spread, kernel)
    )
    left = _padded(_widened(samples, steps), ends)
    right = Turned(_widened(window, wide), len(axes) == MOST_AXES)
    return Correlation(left, right, (1,) * len(axes))


def _strided(
    axes: tuple[_Axis, ...], big: tuple[Read, int], small: tuple[Read, int], sheet: _Sheet
) -> Notation:
    """``(pad(X) ⋆ Y↑e)↓f``: the second slides over the first."""
    kept: dict[int, Span | None] = {}
    steps, wide, ends = [], [], []
    for axis in axes:
        step, each = axis.strides
        size, reach = axis.sizes[big[1]], each * (axis.sizes[small[1]] - 1)
        least = step * (axis.sizes[0] - 1) + reach + 1 - size - axis.ahead
        # What is left over at the end is up to the steps; as much as before looks best.
        after = next((n for n in (axis.ahead, 0) if least <= n < least + step), least)
        start, stop = max(0, -axis.ahead), size - max(0, -after)
        kept[axis.spots[big[1]]] = None if (start, stop) == (0, size) else Span(start, stop)
        steps.append(step)
        wide.append(each)
        ends.append((max(0, axis.ahead), max(0, after)))
    left = _padded(_slice(big[0], kept, sheet), ends)
    window = _slice(small[0], {axis.spots[small[1]]: None for axis in axes}, sheet)
    return Correlation(left, _widened(window, wide), tuple(steps))


def _widened(body: Notation, steps: list[int]) -> Notation:
    return body if set(steps) == {1} else Widened(body, tuple(steps))


def _padded(body: Notation, ends: list[tuple[int, int]]) -> Notation:
    return body if set(ends) == {(0, 0)} else Padded(body, tuple(ends))
