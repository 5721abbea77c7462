"""Another run of a function to the equations of an earlier one that recorded the same operations.

A network is run at several sizes to see that it is one program for all of them, and a function is
held against the same reference in many tests. What is written of a run depends on what was recorded
alone: so runs that recorded the same are written once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from gradproof.core.index import Size
from gradproof.core.program import Program
from gradproof.core.spec import check
from gradproof.trace.equations import write_equations
from gradproof.trace.graph import Node
from gradproof.trace.signature import Signature, tensors
from gradproof.trace.writer import Writer

PLAIN = frozenset((int, str, bool, float, Fraction, type(None), type(Ellipsis)))
"""What is the same if it is equal; a number made of sizes is none of these."""


@dataclass(slots=True)
class Earlier:
    """What an earlier run recorded of forward and of backward, and what was written of it; the
    shapes are those of forward's outputs."""

    runs: dict[bool, tuple[list[Node], dict[int, str], int, Writer]] = field(default_factory=dict)
    programs: dict[bool, Program] = field(default_factory=dict)
    shapes: tuple[tuple[Size, ...], ...] | None = None

    def written(
        self, nodes: list[Node], names: dict[int, str], last: Node, *, name_forward: bool
    ) -> Writer:
        """The equations of what was recorded, perhaps those of the run before."""
        if name_forward in self.runs:
            mine, called, end, writer = self.runs[name_forward]
            if (end, called) == (last.number, names) and same_nodes(mine, nodes):
                return writer
        writer = write_equations(nodes, names, last, name_forward=name_forward)
        self.runs.setdefault(name_forward, (nodes, dict(names), last.number, writer))
        return writer

    def lawful(self, program: Program, *, name_forward: bool) -> Program:
        """The program, seen to be lawful; one that is equal has been seen already.

        Raises:
            AssertionError: it is not.
        """
        if self.programs.get(name_forward) == program:
            return self.programs[name_forward]
        self.programs.setdefault(name_forward, program)
        return check(program)


MOST_SIGNATURES = 8
"""For how many sets of shapes a function's runs are kept."""

_KNOWN: WeakKeyDictionary[Any, dict[Hashable, Earlier]] = WeakKeyDictionary()


def earlier_of(function: Any, signature: Signature) -> Earlier:
    """What earlier runs of a function recorded with these inputs, as long as there is the
    function."""
    try:
        mine = _KNOWN.setdefault(function, {})
    except TypeError:  # it has no hash, or cannot be forgotten
        return Earlier()
    if len(mine) >= MOST_SIGNATURES:
        mine.clear()
    return mine.setdefault((*signature, *tensors(signature)), Earlier())


def same_nodes(left: list[Node], right: list[Node]) -> bool:
    """Whether two runs recorded the same operations; false where that is not beyond doubt."""
    return len(left) == len(right) and all(map(_same_node, left, right))


def _same_node(one: Node, other: Node) -> bool:
    return (
        one.number == other.number
        and one.operation == other.operation
        and one.boolean == other.boolean
        and _same(one.shape, other.shape)
        and [o.number for o in one.operands] == [o.number for o in other.operands]
        and one.place == other.place
        and one.term == other.term
        and _same(one.attributes, other.attributes)
    )


def _same(one: Any, other: Any) -> bool:
    """Whether two attributes are the same, in type and in what they are made of.

    A number made of sizes equals a plain one at some size, and means another thing: it never is
    the same as anything.
    """
    if type(one) is not type(other):
        return False
    if type(one) in PLAIN:
        return bool(one == other)
    match one:
        case tuple() | list():
            return len(one) == len(other) and all(map(_same, one, other))
        case slice():
            return _same((one.start, one.stop, one.step), (other.start, other.stop, other.step))
        case Mapping():
            return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
        case _ if is_dataclass(one):
            return all(_same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
        case _:
            return False
