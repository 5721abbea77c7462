"""What an operation's expression is written with: indices of its own, and its operands' terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradproof.core.index import Affine, Index, at
from gradproof.core.normal import apart
from gradproof.core.program import Equation
from gradproof.core.term import Term, substitute
from gradproof.trace.graph import Node


@dataclass(frozen=True, slots=True)
class Expression:
    """A term and the indices of its axes."""

    axes: tuple[Index, ...]
    term: Term


@dataclass(slots=True, eq=False)
class Writer:
    """Turns nodes into expressions, in order; named ones become equations.

    ``scaled`` counts the constants by which a node's expression is multiplied or divided along any
    path, and ``scalings`` those of the equations: in a term they are one number, or none.

    With ``name_forward`` what a derivative would have to repeat (a sum or function inside a
    product or a function) is given a name of its own.
    """

    names: dict[int, str]
    base_names: dict[int, str]
    name_forward: bool
    equations: list[Equation] = field(default_factory=list)
    expressions: dict[int, Expression] = field(default_factory=dict)
    fresh: int = 0
    scaled: dict[int, int] = field(default_factory=dict)
    scalings: dict[str, int] = field(default_factory=dict)

    def index(self, node: Node, axis: int) -> Index:
        """A new index for an axis of a node."""
        self.fresh += 1
        return Index(self.fresh, node.shape[axis])

    def axes(self, node: Node) -> tuple[Index, ...]:
        """New indices for all axes of a node."""
        return tuple(self.index(node, axis) for axis in range(len(node.shape)))

    def use(self, node: Node, places: tuple[Affine, ...]) -> Term:
        """The node's element at these positions, with bound indices of its own."""
        expression = self.expressions[node.number]
        term, self.fresh = apart(expression.term, self.fresh + 1)
        mapping = dict(zip(expression.axes, places, strict=True))
        return substitute(term, mapping)

    def spread(self, node: Node, result: tuple[Index, ...]) -> Term:
        """The node broadcast against the result's axes."""
        own = result[len(result) - len(node.shape) :]
        places = tuple(
            Affine((), 0) if size == 1 and index.size != 1 else at(index)
            for size, index in zip(node.shape, own, strict=True)
        )
        return self.use(node, places)

    def spread_at(self, node: Node, places: tuple[Affine, ...]) -> Term:
        """The node broadcast against positions of the last axes."""
        sizes = node.shape[max(0, len(node.shape) - len(places)) :]
        own = places[len(places) - len(sizes) :]
        ones = (Affine(()),) * (len(node.shape) - len(sizes))
        spread = (Affine(()) if s == 1 else p for s, p in zip(sizes, own, strict=True))
        return self.use(node, (*ones, *spread))
