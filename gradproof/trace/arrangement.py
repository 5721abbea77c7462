"""Operations that move elements or contract axes: the shapes of their results, and their terms.

A reshape joins axes by a bracket, ``y[k] = Σ x[c,i,j]·[k = c·HW + i·W + j]``, and splits one by
reading it there, ``y[c,i,j] = x[c·HW + i·W + j]``: each is what the other's gradient is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from gradproof.core.errors import NotYet, Place, ShapeError
from gradproof.core.index import Affine, Index, Size, affine, at, combine, shift
from gradproof.core.normal import plus, product
from gradproof.core.term import Bracket, Number, SizeOf, Sum, Term
from gradproof.core.told import told
from gradproof.trace.sizes import term_of

Shape = tuple[Size, ...]
Use = Callable[[int, tuple[Affine, ...]], Term]
"""The element of an operand, by its number, at positions."""

NAMES = ("reshape", "broadcast", "concatenate", "einsum")


def arranged_shape(
    name: str, shapes: Sequence[Shape], attributes: dict[str, Any], where: Place | None
) -> Shape:
    """The shape of the result.

    Raises:
        ShapeError: the operands do not fit; it names the shapes.
        NotYet: a size would be a product of symbols.
    """
    match name:
        case "reshape" | "broadcast":
            wanted = tuple(_size(size, where) for size in attributes["sizes"])
            if name == "reshape":
                groups(shapes[0], wanted, where)
            return wanted
        case "concatenate":
            return _joined_shape(shapes, attributes["axis"], where)
        case _:
            return _einsum_shape(shapes, attributes["signature"], where)


def arranged_term(
    name: str,
    shapes: Sequence[Shape],
    attributes: dict[str, Any],
    axes: tuple[Index, ...],
    use: Use,
    fresh: Callable[[Size], Index],
) -> Term:
    """The result's element at its axes; `fresh` gives a new index over a size."""
    match name:
        case "reshape":
            return _reshape(shapes[0], axes, use, fresh)
        case "broadcast":
            own = axes[len(axes) - len(shapes[0]) :]
            pairs = zip(shapes[0], own, strict=True)
            return use(0, tuple(_single() if s == 1 else at(i) for s, i in pairs))
        case "concatenate":
            return _concatenate(shapes, attributes["axis"], axes, use)
        case _:
            return _einsum(shapes, attributes["signature"], axes, use, fresh)


def _single() -> Affine:
    return Affine(())


def _size(value: Any, where: Place | None) -> Size:
    match term_of(value):
        case Number(number):
            return int(number)
        case SizeOf(size):
            return size
        case _:
            raise NotYet(
                told("An axis whose size is made of symbols, such as n·3, is not supported yet."),
                advice=told("Give the axes that are joined numbers in the annotation."),
                place=where,
            )


# --- reshape -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Axes of the operand and axes of the result that hold the same elements in one order."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def groups(before: Shape, after: Shape, where: Place | None) -> list[Group]:
    """The least groups of axes that a reshape rearranges by themselves.

    Raises:
        ShapeError: the shapes hold different numbers of elements.
        NotYet: an axis with a symbolic size would be joined with others.
    """
    found: list[Group] = []
    old, new = list(range(len(before))), list(range(len(after)))
    while old or new:
        mine, theirs = old[:1], new[:1]
        old, new = old[1:], new[1:]
        while (count := _count(before, mine)) != (wanted := _count(after, theirs)):
            if old and (not new or _divides(count, wanted)):
                mine.append(old.pop(0))
            elif new:
                theirs.append(new.pop(0))
            else:
                raise ShapeError(
                    told(
                        "{shown} cannot be reshaped to {shown2}.",
                        shown=_shown(before),
                        shown2=_shown(after),
                    ),
                    advice=told(
                        "A size that is a symbol, such as n, is taken from x.shape, or is −1."
                    ),
                    place=where,
                )
        if len(mine) + len(theirs) > 2 and count[1]:
            raise NotYet(
                told(
                    "Joining or splitting axes of which one has the symbolic size {next} is not "
                    "supported yet.",
                    next=next(iter(count[1])),
                ),
                advice=told("Give it a number in the annotation."),
                place=where,
            )
        found.append(Group(tuple(mine), tuple(theirs)))
    return found


def _count(shape: Shape, axes: Sequence[int]) -> tuple[int, Counter[str]]:
    """A number of elements: a number, and size symbols with their powers."""
    sizes = [shape[axis] for axis in axes]
    numbers = prod(size for size in sizes if isinstance(size, int))
    return numbers, Counter(size for size in sizes if isinstance(size, str))


def _divides(count: tuple[int, Counter[str]], wanted: tuple[int, Counter[str]]) -> bool:
    """Whether the first is a proper part of the second, so that it needs more axes."""
    return wanted[0] % max(1, count[0]) == 0 and count[1] <= wanted[1]


def _shown(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a scalar"


def _reshape(
    before: Shape, axes: tuple[Index, ...], use: Use, fresh: Callable[[Size], Index]
) -> Term:
    after = tuple(index.size for index in axes)
    places: dict[int, Affine] = {}
    over: list[Index] = []
    brackets: list[Term] = []
    for group in groups(before, after, None):
        mine = [axis for axis in group.before if before[axis] != 1]
        theirs = [axes[axis] for axis in group.after if after[axis] != 1]
        places.update((axis, _single()) for axis in group.before if before[axis] == 1)
        if len(mine) == 1:
            places[mine[0]] = _flat(theirs)
        elif mine:
            digits = [fresh(before[axis]) for axis in mine]
            over += digits
            places.update(zip(mine, map(at, digits), strict=True))
            brackets.append(Bracket("==", combine(_flat(theirs), _flat(digits), -1)))
    element = use(0, tuple(places[axis] for axis in range(len(before))))
    return Sum(tuple(over), product(element, *brackets)) if over else element


def _flat(indices: Sequence[Index]) -> Affine:
    """The number of an element in the order of the last index first."""
    coefficients: dict[Index | str, int] = {}
    stride = 1
    for index in reversed(indices):
        coefficients[index] = stride
        stride *= index.size if isinstance(index.size, int) else 1  # a symbol stands alone
    return affine(coefficients)


# --- concatenate -------------------------------------------------------------------------------


def _joined_shape(shapes: Sequence[Shape], axis: int, where: Place | None) -> Shape:
    first = shapes[0]
    for shape in shapes[1:]:
        others = [(a, b) for k, (a, b) in enumerate(zip(first, shape, strict=False)) if k != axis]
        if len(shape) != len(first) or any(a != b for a, b in others):
            shown = " and ".join(_shown(s) for s in (first, shape))
            raise ShapeError(
                told(
                    "{shown} cannot be put one after the other along axis {axis}.",
                    shown=shown,
                    axis=axis,
                ),
                place=where,
            )
    lengths = [shape[axis] for shape in shapes]
    numbers = [length for length in lengths if isinstance(length, int)]
    if len(numbers) < len(lengths):
        if len(lengths) == 1:
            return first
        raise NotYet(
            told("Concatenating along an axis with a symbolic size is not supported yet."),
            advice=told("Give that axis a number in the annotation."),
            place=where,
        )
    return (*first[:axis], sum(numbers), *first[axis + 1 :])


def _concatenate(shapes: Sequence[Shape], axis: int, axes: tuple[Index, ...], use: Use) -> Term:
    parts: list[Term] = []
    start = 0
    whole = axes[axis].size
    for number, shape in enumerate(shapes):
        length = shape[axis]
        place = shift(at(axes[axis]), -start)
        inside: list[Term] = []
        if length == 1 and whole != 1:
            inside.append(Bracket("==", place))
            place = _single()
        elif isinstance(length, int) and isinstance(whole, int):
            if start:
                inside.append(Bracket(">=", place))
            if start + length < whole:
                inside.append(Bracket(">=", combine(Affine((), length - 1), place, -1)))
        places = tuple(place if k == axis else at(index) for k, index in enumerate(axes))
        parts.append(product(use(number, places), *inside))
        start += length if isinstance(length, int) else 0
    return plus(*parts) if len(parts) > 1 else parts[0]


# --- einsum ------------------------------------------------------------------------------------


def _sizes_of_letters(
    shapes: Sequence[Shape], signature: str, where: Place | None
) -> dict[str, Size]:
    inputs = signature.partition("->")[0].split(",")
    found: dict[str, Size] = {}
    for letters, shape in zip(inputs, shapes, strict=True):
        for letter, size in zip(letters, shape, strict=True):
            known = found.get(letter, 1)
            if 1 not in (known, size) and known != size:
                raise ShapeError(
                    told(
                        "In {signature!r} the letter {letter} is {known} and {size}.",
                        signature=signature,
                        letter=letter,
                        known=known,
                        size=size,
                    ),
                    place=where,
                )
            found[letter] = size if known == 1 else known
    return found


def _einsum_shape(shapes: Sequence[Shape], signature: str, where: Place | None) -> Shape:
    sizes = _sizes_of_letters(shapes, signature, where)
    return tuple(sizes[letter] for letter in signature.partition("->")[2])


def _einsum(
    shapes: Sequence[Shape],
    signature: str,
    axes: tuple[Index, ...],
    use: Use,
    fresh: Callable[[Size], Index],
) -> Term:
    left, _, right = signature.partition("->")
    sizes = _sizes_of_letters(shapes, signature, None)
    named = dict(zip(right, axes, strict=True))
    over = {letter: fresh(size) for letter, size in sizes.items() if letter not in named}
    named |= over
    factors = [
        use(
            number,
            tuple(
                _single() if size == 1 and sizes[letter] != 1 else at(named[letter])
                for letter, size in zip(letters, shapes[number], strict=True)
            ),
        )
        for number, letters in enumerate(left.split(","))
    ]
    body = product(*factors)
    return Sum(tuple(over.values()), body) if over else body
