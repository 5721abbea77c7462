"""Tensors put beside each other: the pieces of an axis that a sum is made of.

``[i ≤ 3] h[n,i] + [i ≥ 4] x[n,i−4]`` is ``[h, x]``: each term holds for a stretch of one axis, and
no two stretches meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradproof.core.index import Affine, Index, at, indices_of, shift
from gradproof.core.normal import product
from gradproof.core.term import Add, Bracket, Product, Sum, Term, substitute


@dataclass(frozen=True, slots=True)
class Piece:
    """The positions of an axis from ``start`` to before ``stop``, and what stands there, as a
    tensor with an axis of that size; `None` is zero."""

    start: int
    stop: int
    term: Term | None
    axis: Index


def pieces(term: Term, axes: tuple[Index, ...], fresh: int) -> tuple[Index, list[Piece]] | None:
    """The axis along which a term is joined, and its pieces; `None` if it is not.

    Args:
        term: what is written.
        axes: its free indices.
        fresh: a number from which on no index is in use.
    """
    terms = term.terms if isinstance(term, Add) else (term,)
    for axis in axes:
        if not isinstance(axis.size, int):
            continue
        found = [_piece(one, axis, axis.size, fresh) for one in terms]
        stretches = sorted((p for p in found if p is not None), key=lambda p: p.start)
        if len(stretches) == len(terms) and _apart(stretches, axis.size):
            return axis, list(_filled(stretches, axis.size, fresh))
    return None


def _piece(term: Term, axis: Index, size: int, fresh: int) -> Piece | None:
    over, body = (term.over, term.body) if isinstance(term, Sum) else ((), term)
    factors = body.factors if isinstance(body, Product) else (body,)
    start, stop, kept = 0, size, []
    for factor in factors:
        match factor:
            case Bracket(">=", Affine(((index, 1),), constant)) if index == axis:
                start = max(start, -constant)
            case Bracket(">=", Affine(((index, -1),), constant)) if index == axis:
                stop = min(stop, constant + 1)
            case Bracket(_, position) if axis in indices_of(position):
                return None
            case _:
                kept.append(factor)
    if stop <= start or (start, stop) == (0, size):
        return None
    own = Index(fresh, stop - start)
    inside = product(*kept)
    whole = Sum(over, inside) if over else inside
    return Piece(start, stop, substitute(whole, {axis: shift(at(own), start)}), own)


def _apart(stretches: list[Piece], size: int) -> bool:
    ends = [0, *(piece.stop for piece in stretches)]
    starts = [*(piece.start for piece in stretches), size]
    return all(end <= start for end, start in zip(ends, starts, strict=True))


def _filled(stretches: list[Piece], size: int, fresh: int) -> Iterator[Piece]:
    """The pieces, with zeros where there is none."""
    end = 0
    for piece in stretches:
        if piece.start > end:
            yield Piece(end, piece.start, None, Index(fresh, piece.start - end))
        yield piece
        end = piece.stop
    if end < size:
        yield Piece(end, size, None, Index(fresh, size - end))
