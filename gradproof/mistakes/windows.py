"""What goes wrong where elements move: a kernel that is not turned, a factor that stays behind."""

from __future__ import annotations

from collections.abc import Iterator

from gradproof.core.index import Affine, Index, combine, extent, indices_of, is_index, shift
from gradproof.core.term import Bracket, Product, Read, Term, reads, transform
from gradproof.mistakes.record import Mistake, Scene, Wrong, spots, wrong


def _sliding(product: Product) -> frozenset[Index]:
    """The indices that stand beside another one in a position or a condition, as in x[i+r]."""
    places = [place for f in product.factors if isinstance(f, Read) for place in f.at]
    places += [f.position for f in product.factors if isinstance(f, Bracket)]
    together = [indices_of(place) for place in places]
    return frozenset(index for found in together if len(found) > 1 for index in found)


def _not_turned(scene: Scene) -> Iterator[Wrong]:
    """An operand backwards along every axis that windows slide over, which are two or more: along
    one it is an operand that is flipped."""
    for node, put in spots(scene.right.term):
        if not isinstance(node, Product):
            continue
        sliding = _sliding(node)
        for spot, factor in enumerate(node.factors):
            if not isinstance(factor, Read):
                continue
            axes = [n for n, p in enumerate(factor.at) if sliding & set(indices_of(p))]
            if len(axes) < 2:
                continue
            places = list(factor.at)
            for axis in axes:
                end = shift(extent(scene.shapes[factor.tensor][axis]), -1)
                places[axis] = combine(end, factor.at[axis], -1)
            turned = Read(factor.tensor, tuple(places))
            body = Product((*node.factors[:spot], turned, *node.factors[spot + 1 :]))
            yield wrong(scene, put(body), tensor=factor.tensor)


def _left_behind(scene: Scene) -> Iterator[Wrong]:
    """A tensor that does not move with the others, as where two halves are swapped."""
    moved = {r.tensor for r in reads(scene.right.term) if any(map(_shifted, r.at))}
    for tensor in sorted(moved):
        if moved == {tensor}:
            continue

        def stay(node: Term, tensor: str = tensor) -> Term:
            match node:
                case Read(name, places) if name == tensor:
                    kept = (shift(p, -p.constant) if _shifted(p) else p for p in places)
                    return Read(name, tuple(kept))
                case _:
                    return node

        yield wrong(scene, transform(scene.right.term, stay), tensor=tensor)


def _shifted(position: Affine) -> bool:
    """Whether a position is an index that is moved, as i − 3."""
    return position.constant != 0 and is_index(shift(position, -position.constant))


WINDOWS = (
    Mistake(
        "kernel not turned",
        "{tensor} is not turned by 180 degrees, or is turned where it must not be.",
        _not_turned,
    ),
    Mistake(
        "left behind",
        "{tensor} stays where it is, and the elements that it belongs to move: it stands outside "
        "of what shifts, swaps or rotates them, and belongs inside.",
        _left_behind,
    ),
)
