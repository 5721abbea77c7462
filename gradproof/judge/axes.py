"""The axes of a program to their kinds: which of them must have one size for it to make sense.

Two axes that were given the same size and never meet are of different kinds, and which number a
size is, is mostly none of a formula's business. So a formula is tested in the greatest generality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gradproof.core.index import Affine, Index, Size, is_index, the_index
from gradproof.core.program import Equation, Program, shapes
from gradproof.core.term import (
    Along,
    Bracket,
    Fold,
    Read,
    SizeOf,
    Sum,
    Term,
    bound,
    positions,
    transform,
    walk,
)
from gradproof.prims.linalg import takes_matrix

Axis = tuple[str, int] | tuple[str, Index] | Size


@dataclass(frozen=True, slots=True)
class Typed:
    """A program whose sizes are the kinds of its axes, and the kinds that the argument about all
    sizes does not cover: those of indices that are shifted, compared or fixed, as in ``x[1:]``."""

    program: Program
    rigid: frozenset[Size]


def rigid_sizes(program: Program) -> frozenset[Size]:
    """The sizes whose indices are shifted, compared or fixed, as in ``x[1:]``."""
    sizes = dict(_axes(program))
    return frozenset(
        sizes[axis] if isinstance(axis, tuple) else axis
        for equation in program.equations
        for axis in _fixed(equation)
    )


class _Kinds:
    """Sets of axes that were found to be of one kind."""

    def __init__(self) -> None:
        self._above: dict[Axis, Axis] = {}

    def of(self, axis: Axis) -> Axis:
        """The representative of an axis' kind."""
        path = []
        while (above := self._above.setdefault(axis, axis)) != axis:
            path.append(axis)
            axis = above
        for one in path:
            self._above[one] = axis
        return axis

    def join(self, one: Axis, other: Axis) -> None:
        """Makes two axes one kind; a size stands for its kind before any axis."""
        a, b = self.of(one), self.of(other)
        if a != b:
            if isinstance(b, int | str):
                a, b = b, a
            self._above[b] = a


def typed(
    program: Program, constants: frozenset[str], pairs: Iterable[tuple[str, str]] = ()
) -> Typed:
    """The program over kinds of axes.

    Args:
        program: any program.
        constants: the inputs that are given numbers, and keep their sizes.
        pairs: tensors of one shape, whose axes are of the same kinds.
    """
    kinds, rigid = _Kinds(), set[Axis]()
    numbers = {n.size for e in program.equations for n in walk(e.term) if isinstance(n, SizeOf)}
    for axis, size in _axes(program):
        # An axis of one element is broadcast; a size that is also a number must be that number.
        if size == 1 or size in numbers or (isinstance(axis[1], int) and axis[0] in constants):
            kinds.join(size, axis)
    for equation in program.equations:
        for one, other in _meetings(equation):
            kinds.join(one, other)
        rigid |= set(_fixed(equation))
    for left, right in pairs:
        for k in range(_order(program, left)):
            kinds.join((left, k), (right, k))
    for axis, size in _axes(program):
        if kinds.of(axis) in {kinds.of(r) for r in rigid}:
            kinds.join(size, axis)
    names = _names(program, kinds)
    sizes = dict(_axes(program))

    def name(axis: Axis) -> Size:
        """A kind with a size of its own may have several: a window and what it slides over meet in
        one position, and each keeps its own."""
        kind = kinds.of(axis)
        return sizes[axis] if isinstance(kind, int | str) else names[kind]

    fixed = {kinds.of(axis) for axis in rigid}
    stiff = {name(axis) for axis in sizes if kinds.of(axis) in fixed}
    stiff |= {axis for axis in rigid if not isinstance(axis, tuple)}
    return Typed(_renamed(program, name), frozenset(stiff))


def _axes(program: Program) -> Iterator[tuple[tuple[str, int] | tuple[str, Index], Size]]:
    """Every axis of every tensor, and every index of every equation, with its size."""
    for tensor in program.inputs:
        yield from (((tensor.name, k), size) for k, size in enumerate(tensor.shape))
    for equation in program.equations:
        name = equation.target
        yield from (((name, k), index.size) for k, index in enumerate(equation.free))
        yield from (((name, index), index.size) for index in equation.free)
        for node in walk(equation.term):
            yield from (((name, index), index.size) for index in bound(node))


def _order(program: Program, tensor: str) -> int:
    """The number of axes of a tensor."""
    return len(shapes(program)[tensor])


def _meetings(equation: Equation) -> Iterator[tuple[Axis, Axis]]:
    """Pairs of axes that one equation makes one kind."""
    name = equation.target
    yield from (((name, k), (name, index)) for k, index in enumerate(equation.free))
    for node in walk(equation.term):
        match node:
            case Read(tensor, places):
                for k, place in enumerate(places):
                    yield from (((tensor, k), (name, i)) for i in _indices(place))
            case Along(_, over, _, position):
                yield from (((name, over), (name, i)) for i in _indices(position))
            case Bracket(_, position):
                first, *rest = [*_indices(position), None]
                yield from (((name, first), (name, i)) for i in rest if i is not None and first)
            case _:
                pass


def _fixed(equation: Equation) -> Iterator[Axis]:
    """The axes whose positions are more than an index: shifted, fixed, or compared."""
    name = equation.target
    for node in walk(equation.term):
        if takes_matrix(node):  # a determinant has as many factors as rows
            yield from ((name, index) for index in bound(node))
            yield from ((name, i) for position in positions(node) for i in _indices(position))
        for k, position in enumerate(positions(node)):
            if is_index(position) or _is_equality(node):
                continue
            yield from ((name, index) for index in _indices(position))
            yield from (v for v, _ in position.terms if isinstance(v, str))
            match node:
                case Read(tensor, _):
                    yield (tensor, k)
                case Along(_, over, _, _):
                    yield (name, over)
                case _:
                    pass


def _is_equality(node: Term) -> bool:
    """``[i = j]``, which only names one index twice."""
    match node:
        case Bracket("==", Affine(((Index() as i, a), (Index() as j, b)), 0)):
            return i.size == j.size and a == -b and a * a == 1
        case _:
            return False


def _indices(position: Affine) -> tuple[Index, ...]:
    if is_index(position):
        return (the_index(position),)
    return tuple(v for v, _ in position.terms if isinstance(v, Index))


def _names(program: Program, kinds: _Kinds) -> dict[Axis, Size]:
    """A size for each kind: its own where it must keep one, else a symbol after its size."""
    names: dict[Axis, Size] = {}
    taken: set[Size] = set()
    for axis, _ in _axes(program):
        kind = kinds.of(axis)
        if isinstance(kind, int | str):
            names[kind] = kind
            taken.add(kind)
    for axis, size in _axes(program):
        kind = kinds.of(axis)
        if kind not in names:
            name = str(size)
            while name in taken:
                name += "′"
            names[kind] = name
            taken.add(name)
    return names


def _renamed(program: Program, name: Callable[[Axis], Size]) -> Program:
    inputs = tuple(
        replace(t, shape=tuple(name((t.name, k)) for k in range(len(t.shape))))
        for t in program.inputs
    )
    return Program(inputs, tuple(_resized(e, name) for e in program.equations), program.outputs)


def _resized(equation: Equation, name: Callable[[Axis], Size]) -> Equation:
    def index(one: Index) -> Index:
        return Index(one.number, name((equation.target, one)))

    def place(position: Affine) -> Affine:
        moved = tuple((index(v) if isinstance(v, Index) else v, c) for v, c in position.terms)
        return Affine(moved, position.constant)

    def node(one: Term) -> Term:
        match one:
            case Read(tensor, places):
                return Read(tensor, tuple(place(p) for p in places))
            case Bracket(relation, position):
                return Bracket(relation, place(position))
            case Sum(over, body):
                return Sum(tuple(map(index, over)), body)
            case Fold(function, over, body):
                return Fold(function, tuple(map(index, over)), body)
            case Along(function, over, body, position):
                return Along(function, index(over), body, place(position))
            case _:
                return one

    free = tuple(map(index, equation.free))
    return Equation(equation.target, free, transform(equation.term, node))
