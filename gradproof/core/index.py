"""Indices, and the affine positions at which a tensor is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Size = int | str
"""The size of an axis: a number, or the name of a size symbol such as ``"n"``."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index variable: it runs over ``0 .. size-1``.

    Two indices are the same variable if and only if they are equal; the number tells
    variables of one equation apart and means nothing between equations.
    """

    number: int
    size: Size


@dataclass(frozen=True, slots=True)
class Affine:
    """A position ``Σ coefficient·variable + constant``, such as ``n``, ``t-1`` or ``2*i+r``.

    A variable is an `Index`, or a `str` for a size symbol. ``terms`` are sorted and have no
    zero coefficient: build positions with `affine`, never directly.
    """

    terms: tuple[tuple[Index | str, int], ...]
    constant: int = 0


def _rank(variable: Index | str) -> tuple[int, int, str]:
    if isinstance(variable, str):
        return (1, 0, variable)
    return (0, variable.number, str(variable.size))


def affine(coefficients: Mapping[Index | str, int], constant: int = 0) -> Affine:
    """The affine position with these coefficients; zeros are dropped."""
    kept = [(v, c) for v, c in coefficients.items() if c]
    return Affine(tuple(sorted(kept, key=lambda pair: _rank(pair[0]))), constant)


def at(index: Index) -> Affine:
    """The position that is just this index."""
    return Affine(((index, 1),))


def extent(size: Size) -> Affine:
    """A size as an affine expression."""
    return Affine((), size) if isinstance(size, int) else Affine(((size, 1),))


def combine(left: Affine, right: Affine, scale: int = 1) -> Affine:
    """``left + scale * right``."""
    total = dict(left.terms)
    for variable, coefficient in right.terms:
        total[variable] = total.get(variable, 0) + scale * coefficient
    return affine(total, left.constant + scale * right.constant)


def shift(position: Affine, offset: int) -> Affine:
    """The position moved by a constant."""
    return Affine(position.terms, position.constant + offset)


def indices_of(position: Affine) -> tuple[Index, ...]:
    """The index variables that occur in a position."""
    return tuple(v for v, _ in position.terms if isinstance(v, Index))


def is_index(position: Affine) -> bool:
    """Whether the position is one index and nothing else."""
    match position:
        case Affine(((Index(), 1),), 0):
            return True
        case _:
            return False


def the_index(position: Affine) -> Index:
    """The index that a position consists of.

    Raises:
        ValueError: the position is not a bare index.
    """
    match position:
        case Affine(((Index() as index, 1),), 0):
            return index
        case _:
            raise ValueError(f"not a bare index: {position}")


def replace(position: Affine, mapping: Mapping[Index, Affine]) -> Affine:
    """The position with indices replaced by positions, all at once."""
    if len(position.terms) == 1 and position.constant == 0:
        ((variable, coefficient),) = position.terms
        if coefficient == 1:  # a bare index: nearly all there are
            return mapping.get(variable, position) if isinstance(variable, Index) else position
    if not any(isinstance(v, Index) and v in mapping for v, _ in position.terms):
        return position
    total = Affine((), position.constant)
    for variable, coefficient in position.terms:
        if isinstance(variable, Index):
            total = combine(total, mapping.get(variable, at(variable)), coefficient)
        else:
            total = combine(total, affine({variable: coefficient}))
    return total


def digits_of(position: Affine) -> tuple[Index, tuple[Index, ...]] | None:
    """Of ``k − (c·HW + i·W + j)`` the index k and the digits c, i, j that make it up.

    They run together over all elements, each one once, as a reshape joins axes; `None` for any
    other position. Sizes are numbers here.
    """
    if position.constant or len(position.terms) < 3:
        return None
    terms: list[tuple[Index, int]] = []
    for variable, coefficient in position.terms:
        if not isinstance(variable, Index) or not isinstance(variable.size, int):
            return None
        terms.append((variable, coefficient))
    for sign in (1, -1):
        whole = [v for v, c in terms if c * sign > 0]
        if len(whole) == 1:
            digits = sorted((t for t in terms if t[0] != whole[0]), key=lambda t: -abs(t[1]))
            stride = 1
            for digit, coefficient in reversed(digits):
                if abs(coefficient) != stride:
                    return None
                assert isinstance(digit.size, int)
                stride *= digit.size
            unit = next(abs(c) for v, c in terms if v == whole[0])
            if unit == 1 and stride == whole[0].size:
                return whole[0], tuple(digit for digit, _ in digits)
    return None
