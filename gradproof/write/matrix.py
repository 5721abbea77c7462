"""Index equations to the matrix notation that a person writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gradproof.core.index import Affine, Index, Size, at, indices_of, is_index, the_index
from gradproof.core.normal import apart, highest
from gradproof.core.program import Equation
from gradproof.core.term import (
    ZERO,
    Bracket,
    Fold,
    Read,
    Sum,
    Term,
    bound,
    children,
    reads,
    rebuild,
    substitute,
    walk,
)
from gradproof.write.convention import Convention, placed
from gradproof.write.digits import write_placed
from gradproof.write.indexed import write_indexed
from gradproof.write.join import pieces
from gradproof.write.lay import Desk, fill, lay, places
from gradproof.write.letters import letters
from gradproof.write.nest import NoMatrixForm, nest
from gradproof.write.notation import Equality, Joined, Notation, Position, Sliced


def write(
    equation: Equation,
    convention: Convention,
    names: Mapping[str, str] | None = None,
    shapes: Mapping[str, tuple[Size, ...]] | None = None,
) -> Equality:
    """An equation in matrix notation, or in index notation where it has no matrix form.

    Args:
        equation: what to write.
        convention: row or column vectors.
        names: how tensors are called on the page, where not by their names.
        shapes: of the tensors; axes of size 1 are known from it.
    """
    names = names or {}
    term, _ = apart(equation.term, highest(equation.term, equation.free) + 1)
    whole = Equation(equation.target, equation.free, term, equation.place)
    if convention.style == "index":
        return write_indexed(whole, names)
    joined = _joined(whole, convention, names, shapes or {})
    if joined is not None:
        return joined
    placed_on_the_left = write_placed(whole, names)
    if placed_on_the_left is not None:
        return placed_on_the_left
    single = _single_axes(whole, shapes or {})
    flat = without_size_one(whole)
    chosen = letters(flat, names)
    for fixed in _choices_of_letters(flat, whole.free):
        try:
            body = nest(flat.term, fixed)
            return _equality(
                flat, body, Desk(convention, names, chosen, fixed, single, shapes or {})
            )
        except NoMatrixForm:
            continue
    return write_indexed(whole, names)


def _joined(
    equation: Equation,
    convention: Convention,
    names: Mapping[str, str],
    shapes: Mapping[str, tuple[Size, ...]],
) -> Equality | None:
    """An equation whose right side is made of tensors beside each other; `None` if it is not."""
    found = pieces(equation.term, equation.free, highest(equation.term, equation.free) + 1)
    if found is None:
        return None
    axis, parts = found
    written = []
    for piece in parts:
        own = tuple(piece.axis if index == axis else index for index in equation.free)
        known = {**shapes, equation.target: tuple(index.size for index in own)}
        part = Equation(equation.target, own, piece.term or ZERO)
        written.append(write(part, convention, names, known))
    left = written[0].left
    kept = left.places if isinstance(left, Sliced) else (None,) * len(equation.free)
    if any(one.left != left for one in written) or len(kept) != len(equation.free):
        return None
    rows, columns = placed(
        equation.target, equation.free, tuple(p is None for p in kept), convention
    )
    if axis not in (rows, columns):
        return None
    sizes = tuple(piece.stop - piece.start for piece in parts)
    whole = Joined("rows" if axis == rows else "columns", tuple(w.right for w in written), sizes)
    return Equality(left, whole)


def write_term(
    term: Term,
    axes: tuple[Index, ...],
    convention: Convention,
    names: Mapping[str, str] | None = None,
    shapes: Mapping[str, tuple[Size, ...]] | None = None,
) -> Notation:
    """The right side alone, as a tensor with these axes."""
    equation = Equation("", axes, term)
    written = write(equation, convention, names, shapes)
    if not _on_the_left(written.left):
        return written.right
    return write_indexed(equation, names or {}).right


def _on_the_left(left: Notation) -> bool:
    """Whether the left side says where things stand, as in ``y[3i+j] = x[i,j]``."""
    places = left.places if isinstance(left, Sliced) else ()
    return any(isinstance(place, Position) and len(place.terms) > 1 for place in places)


def _single_axes(
    equation: Equation, shapes: Mapping[str, tuple[Size, ...]]
) -> frozenset[tuple[str, int]]:
    names = {equation.target, *(read.tensor for read in reads(equation.term))}
    found = {(name, n) for name in names for n, s in enumerate(shapes.get(name, ())) if s == 1}
    found |= {(equation.target, n) for n, index in enumerate(equation.free) if index.size == 1}
    for node in walk(equation.term):
        if isinstance(node, Read):
            for n, position in enumerate(node.at):
                if is_index(position) and the_index(position).size == 1:
                    found.add((node.tensor, n))
    return frozenset(found)


def without_size_one(equation: Equation) -> Equation:
    """An index over one element is 0, and summing over it does nothing."""
    everything = {*equation.free, *(i for node in walk(equation.term) for i in bound(node))}
    ones = {i: Affine(()) for i in everything if i.size == 1}
    if not ones:
        return equation
    term = substitute(_unbound(equation.term), ones)
    left = tuple(i for i in equation.free if i.size != 1)
    return Equation(equation.target, left, term, equation.place)


def _unbound(term: Term) -> Term:
    """Σ and folds over one element removed: each fold of a single number is that number."""
    below = tuple(_unbound(child) for child in children(term))
    kept = tuple(i for i in bound(term) if i.size != 1)
    match term:
        case Sum() if not kept:
            return below[0]
        case Sum():
            return Sum(kept, below[0])
        case Fold() if not kept:
            return below[0]
        case Fold(function, _, _):
            return Fold(function, kept, below[0])
        case _:
            return rebuild(term, below) if below else term


def _choices_of_letters(equation: Equation, axes: tuple[Index, ...]) -> Iterator[frozenset[Index]]:
    """Which indices to write as letters: the fewer and the more like a batch, the earlier.

    ``axes`` are those of the left side with those over one element: of n×T×1 n is a letter.
    """
    surplus = frozenset(axes[: max(0, len(axes) - 2)]) & frozenset(equation.free)
    leading = frozenset(_leading(equation.term)) - frozenset(equation.free)
    bracketed = frozenset(_bracketed(equation.term)) & frozenset(equation.free)
    if bracketed | surplus == frozenset(equation.free):
        bracketed = frozenset()
    summed = [i for node in walk(equation.term) if isinstance(node, Sum) for i in node.over]
    singles = [frozenset((index,)) for index in summed]
    tried: list[frozenset[Index]] = []
    everything = frozenset(summed) if leading and _is_for_features(equation) else frozenset()
    for more in (frozenset(), everything, leading, bracketed, bracketed | leading, *singles):
        if surplus | more not in tried:
            tried.append(surplus | more)
            yield surplus | more


def _is_for_features(equation: Equation) -> bool:
    """Whether it is a vector along the last axis of whatever it reads, as the gradient of a bias
    that meets all samples and positions: ``Σ_n,t ∂l/∂z[n,t]``."""
    if len(equation.free) != 1:
        return False
    (index,) = equation.free
    found = [read.at for read in reads(equation.term)]
    return all(index not in indices_of(p) for places in found for p in places[:-1])


def _leading(term: Term) -> Iterator[Index]:
    """The indices of batches and heads: those that stand before the last two axes of a read."""
    for read in reads(term):
        for position in read.at[:-2]:
            yield from indices_of(position)


def _bracketed(term: Term) -> Iterator[Index]:
    for node in walk(term):
        if isinstance(node, Bracket):
            yield from indices_of(node.position)


def _equality(equation: Equation, body: Term, desk: Desk) -> Equality:
    remaining = iter(equation.free)
    single = [axis for name, axis in desk.single if name == equation.target]
    at_places = tuple(
        Affine(()) if axis in single else at(next(remaining))
        for axis in range(len(equation.free) + len(single))
    )
    left = Read(equation.target, at_places)
    rows, columns = places(left, desk)
    return Equality(lay(left, rows, columns, desk), fill(body, rows, columns, desk))
