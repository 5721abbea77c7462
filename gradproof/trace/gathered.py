"""Indexing by integers to terms: what is picked is a sum over all positions, with a condition.

``E[idx]`` is ``Σ_v [idx_n = v]·E[v,d]``: a matrix of zeros and ones times E, so that its gradient
adds up where an index stands twice, and nothing new has to be differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradproof.core.errors import NotYet
from gradproof.core.index import Affine, Index, Size, at, combine, shift
from gradproof.core.normal import negate, plus, product
from gradproof.core.term import ONE, ZERO, Bracket, Compare, Read, Sum, Term, substitute
from gradproof.core.told import told
from gradproof.prims.gather import EACH
from gradproof.trace.gathered_shapes import first_index
from gradproof.trace.graph import Node
from gradproof.trace.writer import Writer


def gathered_term(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """The element of the result at these axes."""
    match node.operation:
        case "one_hot":
            return _is(writer, node, 0, node.operands[0], axes[:-1], axes[-1])
        case "gather":
            return _gather(writer, node, axes)
        case "add_at":
            return _add_at(writer, node, axes)
        case _:
            return _put(writer, node, axes)


def _fresh(writer: Writer, size: Size) -> Index:
    writer.fresh += 1
    return Index(writer.fresh, size)


def _is(
    writer: Writer, node: Node, number: int, index: Node, here: Sequence[Index], position: Index
) -> Term:
    """1 where the index is this position."""
    counted = Read(node.attributes["ranges"][number], (at(position),))
    return Compare("==", writer.use(index, tuple(at(i) for i in here)), counted)


def _gather(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    whole, *indices = node.operands
    key, first = node.attributes["key"], first_index(node.attributes["key"])
    rank = len(indices[0].shape)
    here, kept = axes[first : first + rank], iter((*axes[:first], *axes[first + rank :]))
    over: list[Index] = []
    conditions: list[Term] = []
    places: list[Affine] = []
    for part, size in zip(key, whole.shape, strict=True):
        if part == slice(None):
            places.append(at(next(kept)))
        elif part == EACH:
            places.append(at(here[0]))
        else:
            position = _fresh(writer, size)
            over.append(position)
            conditions.append(_is(writer, node, part, indices[part], here, position))
            places.append(at(position))
    element = writer.use(whole, tuple(places))
    return ZERO if element == ZERO else Sum(tuple(over), product(*conditions, element))


def _spots(
    writer: Writer, node: Node, axes: tuple[Index, ...]
) -> tuple[tuple[Index, ...], list[Term], list[Affine]]:
    """Where a key writes to: the indices of the index that are summed, the conditions on the axes,
    and the positions in what is written."""
    _, _, *indices = node.operands
    key, first = node.attributes["key"], first_index(node.attributes["key"])
    each = next((axis for axis, part in enumerate(key) if part == EACH), None)
    here = (
        (axes[each],)
        if each is not None
        else tuple(_fresh(writer, size) for size in indices[0].shape)
    )
    conditions = [
        _is(writer, node, part, indices[part], here, axes[axis])
        for axis, part in enumerate(key)
        if isinstance(part, int)
    ]
    kept = [at(i) for i, part in zip(axes, key, strict=True) if part == slice(None)]
    places = [*kept[:first], *(at(i) for i in here), *kept[first:]]
    return (() if each is not None else here), conditions, places


def _add_at(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    over, conditions, places = _spots(writer, node, axes)
    more = product(*conditions, writer.spread_at(node.operands[1], tuple(places)))
    more = Sum(over, more) if over else more
    old = writer.use(node.operands[0], tuple(at(i) for i in axes))
    return more if old == ZERO else plus(old, more)


def _put(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """The array after ``a[key] = b``: where an index stands twice, NumPy keeps the last of them."""
    whole, new, *_ = node.operands
    old = writer.use(whole, tuple(at(i) for i in axes))
    over, conditions, places = _spots(writer, node, axes)
    if not over:  # np.arange beside it: every row is written once
        added = _added(node)
        if added is not None:
            value = writer.spread_at(added, tuple(places))
            more = product(*conditions, negate(value) if new.operation == "subtract" else value)
            return more if old == ZERO else plus(old, more)
        inside = product(*conditions, writer.spread_at(new, tuple(places)))
        outside = product(old, plus(ONE, negate(product(*conditions))))
        return inside if old == ZERO else plus(outside, inside)
    if len(over) != 1:
        raise NotYet(
            told(
                "Writing at positions that are given by an array of several axes is not "
                "supported yet."
            ),
            advice=told("np.add.at adds there, and repeated positions add up."),
            place=node.place,
        )
    (m,) = over
    k = _fresh(writer, m.size)
    there = product(*(substitute(condition, {m: at(k)}) for condition in conditions))
    later = Bracket(">=", shift(combine(at(k), at(m), -1), -1))
    is_last = Compare("==", Sum((k,), product(later, there)), ZERO)
    value = writer.spread_at(new, tuple(places))
    written = Sum((m,), product(*conditions, is_last, value))
    untouched = Compare("==", Sum((k,), there), ZERO)
    return written if old == ZERO else plus(product(old, untouched), written)


def _added(node: Node) -> Node | None:
    """What is added where it stands: b in ``a[key] = a[key] + b``."""
    whole, new, *indices = node.operands
    if new.operation not in ("add", "subtract"):
        return None
    first, second = new.operands
    same = first.operation == "gather" and first.operands == (whole, *indices)
    if same and first.attributes["key"] == node.attributes["key"] and first.shape == new.shape:
        return second
    return None
