"""The user's function to a list of operations: what the tracer's tensors record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, final

import numpy as np

from gradproof.core.errors import DataError, Never, NotYet, Place, ShapeError
from gradproof.core.index import Size
from gradproof.core.program import Least, Tensor, counting
from gradproof.core.term import ONE, SizeOf, Term, size_term
from gradproof.core.told import told
from gradproof.prims.caller import place, place_of, user_frame
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.face import Face
from gradproof.prims.linalg import INVERSE, LOGDET
from gradproof.prims.number import was_computed
from gradproof.trace.arrangement import NAMES, arranged_shape
from gradproof.trace.gathered_shapes import NAMES as GATHERED
from gradproof.trace.gathered_shapes import counted_sizes, gathered_shape
from gradproof.trace.names import Namer
from gradproof.trace.sizes import SizeNumber, SizeRatio, note_asked, number_of, term_of
from gradproof.trace.window_shapes import OPERATIONS, show_shape, window_shape


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation, an input (``operation == "input"``) or a number (``"number"``).

    ``boolean`` is said of what NumPy computes as truth values, such as a comparison.
    """

    number: int
    operation: str
    operands: tuple[Node, ...]
    attributes: dict[str, Any]
    shape: tuple[Size, ...]
    place: Place | None
    term: Term | None = None
    boolean: bool = False


BLANK = "the gradient with respect to "
"""How the name of an input begins that stands for a missing gradient."""


@dataclass(slots=True, eq=False)
class Recording:
    """The operations of one run, in order, and the names seen for them.

    ``constants`` are the plain arrays that the function brought along, ``known`` those of an
    earlier run, and ``outside`` the names that the function's globals have for arrays.
    ``readings`` are the floats that were computed by Python, in order; ``positions`` has, for
    the tensors whose elements are positions along an axis, its size; ``least`` is what constant
    positions ask of the sizes. ``blanks`` are the inputs that stand for a missing gradient, each
    with the tensor whose gradient it is; only a run of backward has them. ``after`` is the place
    of what is added to a run that is over, which has no line of its own.
    """

    sizes: dict[str, int]
    known: Mapping[str, np.ndarray] = field(default_factory=dict)
    outside: Mapping[int, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, Size] = field(default_factory=dict)
    given: dict[int, str] = field(default_factory=dict)
    operations: dict[int, int] = field(default_factory=dict)
    namer: Namer = field(default_factory=Namer)
    readings: dict[float, None] = field(default_factory=dict)
    positions: Mapping[str, Size] = field(default_factory=dict)
    least: dict[Least, None] = field(default_factory=dict)
    blanks: dict[str, str] | None = None
    after: Place | None = None

    def node(
        self,
        operation: str,
        operands: tuple[Node, ...],
        shape: tuple[Size, ...],
        where: Place | None = None,
        term: Term | None = None,
        boolean: bool = False,
        **attributes: Any,
    ) -> Node:
        """Records a node."""
        made = Node(len(self.nodes), operation, operands, attributes, shape, where, term, boolean)
        self.nodes.append(made)
        return made

    def input(self, name: str, shape: tuple[Size, ...], *, boolean: bool = False) -> Traced:
        """A tensor that is given from outside, under its name."""
        made = self.node("input", (), shape, boolean=boolean)
        self.given[made.number] = name
        return Traced(self, made)

    def counted(self, size: Size) -> str:
        """The name of the numbers of an axis' positions, 0, 1, 2, …: data of the program's own."""
        name = counting(size)
        if name not in self.known:
            self.constants[name] = np.arange(number_of(size, self.sizes))
            self.counts[name] = size
        return name

    def data(self) -> tuple[Tensor, ...]:
        """The plain arrays that the function brought along, as tensors."""
        return tuple(
            Tensor(name, (self.counts[name],) if name in self.counts else array.shape, role="data")
            for name, array in self.constants.items()
        )

    def blank(self, shape: tuple[int, ...], value: Any) -> Traced:
        """A tensor of one number everywhere, which is no operation of any engine's."""
        term = term_of(value)
        if term is None or not _is_float64(value):
            raise _not_finite(told("An array is filled with {number}", number=float(value)))
        sizes = tuple(_size_of(size) for size in shape)
        made = Traced(self, self.node("blank", (), sizes, place(), term))
        if not any(isinstance(size, str) for size in sizes):
            made.remember(np.full(shape, float(value)))
        return made


MOVES = ("getitem", "transpose", "reshape", "broadcast")
"""The operations that only move elements: integers stay integers."""


def moved_from(node: Node) -> Node:
    """The node whose elements a node has, moved."""
    while node.operation in MOVES:
        (node,) = node.operands
    return node


def _check_index(recording: Recording, index: Node, size: Size | None, where: Place | None) -> None:
    """That what picks is made of integers, and not of numbers or truth values, and that these are
    positions along the axis of this size; `None` where none is picked from.

    Raises:
        NotYet: it is a mask, whose choice depends on data, or nothing says that it is integers.
        ShapeError: the positions are those of another axis.
    """
    if index.boolean:
        raise NotYet(
            told("A mask picks as many elements as it happens to have: the shape depends on data."),
            advice=told("Multiply by the mask, or use np.where."),
            place=where,
        )
    index = moved_from(index)
    name = recording.given.get(index.number, "")
    array = recording.constants.get(name, recording.known.get(name))
    if name in recording.positions:
        if size is not None:
            _check_bound(recording, name, size, where)
    elif index.operation != "input":
        raise NotYet(
            told("An index that is computed is not supported yet."),
            advice=told('Give the positions themselves, annotated as in  y: "n, index 10"'),
            place=where,
        )
    elif array is None or array.dtype.kind not in "iu":
        raise NotYet(
            told("Nothing says that this index is made of integers."),
            advice=told(
                'Annotate it, as in  {name}: "n, index 10"  for positions 0 to 9.', name=name
            ),
            place=where,
        )


def _check_bound(recording: Recording, name: str, size: Size, where: Place | None) -> None:
    """That positions up to an annotation's size are positions along an axis."""
    bound = recording.positions[name]
    if bound == size or (isinstance(bound, int) and isinstance(size, int) and bound < size):
        return
    if isinstance(bound, int) and isinstance(size, str):
        _ask(
            recording,
            Least(
                size,
                bound,
                told("{name} may name its position {last}", name=name, last=bound - 1),
                where,
            ),
        )
        return
    raise ShapeError(
        told(
            '{name} is annotated "index {bound}", and picks from an axis of the size {size}.',
            name=name,
            bound=bound,
            size=size,
        ),
        advice=told(
            'Annotate {name} "…, index {size}", or give that axis the size {bound}.',
            name=name,
            size=size,
            bound=bound,
        ),
        place=where,
    )


def outside(position: int, size: int, axis: int, where: Place | None) -> ShapeError:
    """The error about a position that an axis does not have."""
    return ShapeError(
        told(
            "Index {position} is outside axis {axis}, which has {size} positions: 0 to {number}.",
            position=position,
            axis=axis,
            size=size,
            number=size - 1,
        ),
        advice=told(
            "From the end they are −{size} to −1; or give the axis another size.", size=size
        ),
        place=where,
    )


def _ask(recording: Recording, least: Least) -> None:
    """Asks that a size be so large.

    Raises:
        ShapeError: it is not.
    """
    if recording.sizes[least.symbol] < least.size:
        raise too_small(least, recording.sizes[least.symbol])
    recording.least[least] = None


def too_small(least: Least, number: int) -> ShapeError:
    """The error about a size symbol with a number that is smaller than it must be."""
    return ShapeError(
        told(
            "The size {symbol} is {number} here, and {because}: it must be at least {size}.",
            symbol=least.symbol,
            number=number,
            because=least.because,
            size=least.size,
        ),
        advice=told(
            'Try sizes={{"{symbol}": {size}}}, on the command line --size {symbol}={size}.',
            symbol=least.symbol,
            size=least.size,
        ),
        place=least.place,
    )


def _note_spots(
    recording: Recording, node: Node, key: tuple[Any, ...], where: Place | None
) -> None:
    """What single positions ask of the sizes that are symbols."""
    parts = [part for part in key if part is not None]
    for part, size in zip(parts, node.shape, strict=True):
        if isinstance(part, int) and isinstance(size, str):
            least = part + 1 if part >= 0 else -part
            recording.least[Least(size, least, told("{part} is read there", part=part), where)] = (
                None
            )


def _size_of(value: int) -> Size:
    """The symbol that a number from a shape stands for, or the number."""
    match term_of(value):
        case SizeOf(symbol):
            return symbol
        case _:
            return int(value)


@final
class Traced(Face):
    """A tensor whose every use is recorded."""

    def __init__(self, recording: Recording, node: Node) -> None:
        super().__init__()
        self.recording = recording
        self.node = node

    @property
    def is_mask(self) -> bool:
        return self.node.boolean

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(number_of(size, self.recording.sizes) for size in self.node.shape)

    def __len__(self) -> int:
        length = super().__len__()
        note_asked(SizeNumber(length, size_term(self.node.shape[0])))
        return length

    def copy(self) -> Traced:
        return Traced(self.recording, self.node)

    def positions(self, array: np.ndarray, axis: int) -> np.ndarray:
        """Constant positions along an axis, none of them counted from its end.

        Raises:
            ShapeError: one of them is outside the axis.
            NotYet: they are counted from the end of an axis whose size is a symbol.
        """
        size, where = self.node.shape[axis], place()
        least, most = int(array.min(initial=0)), int(array.max(initial=-1))
        if isinstance(size, str):
            if least < 0:
                raise NotYet(
                    told(
                        "{least} counts from the end of an axis whose size is the symbol {size}.",
                        least=least,
                        size=size,
                    ),
                    advice=told("Give that axis a number in the annotation."),
                    place=where,
                )
            if most >= 0:
                _ask(
                    self.recording,
                    Least(size, most + 1, told("{part} is read there", part=most), where),
                )
        elif least < -size or most >= size:
            raise outside(most if most >= size else least, size, axis, where)
        return super().positions(array, axis)

    def keep_name(self) -> None:
        self.recording.namer.keep(self.node.number)

    def gradient(self) -> Traced:
        recording = self.recording
        of = recording.given.get(self.node.number)
        if recording.blanks is None or of is None or of in recording.blanks:
            return super().gradient()
        name = f"{BLANK}{of}"
        for number, given in recording.given.items():
            if given == name:
                return Traced(recording, recording.nodes[number])
        recording.blanks[name] = of
        return recording.input(name, self.node.shape)

    def constant(self, array: np.ndarray) -> Traced:
        return Traced(self.recording, _operand(self.recording, array))

    def become(self, result: Any) -> None:
        name = self.recording.given.get(self.node.number)
        if name is not None:
            raise Never(
                told(
                    "This writes into {name}, which was given to the function: who gave it would "
                    "see the change.",
                    name=name,
                ),
                advice=told(
                    "Assign the result to a new name instead of updating {name} in place.",
                    name=name,
                ),
                place=place(),
            )
        self.recording.namer.forget(self.node.number)
        self.node = result.node

    def operate(self, name: str, operands: tuple[Any, ...], **attributes: Any) -> Traced:
        recording = self.recording
        frame = user_frame()
        recording.namer.look(frame)
        where = recording.after or place_of(frame)
        nodes = tuple(_operand(recording, operand) for operand in operands)
        if name in GATHERED:
            if name == "one_hot":
                attributes["size"] = _size_of(attributes["size"])
            sizes = counted_sizes(name, [node.shape for node in nodes], attributes)
            indices = nodes[{"one_hot": 0, "gather": 1}.get(name, 2) :]
            for index, size in zip(indices, sizes, strict=True):
                _check_index(recording, index, None if name == "one_hot" else size, where)
            attributes["ranges"] = [recording.counted(size) for size in sizes]
        if name in ("getitem", "setitem"):
            _note_spots(recording, nodes[0], attributes["key"], where)
        shape = result_shape(name, nodes, attributes, where)
        boolean = result_boolean(name, nodes, where)
        node = recording.node(name, nodes, shape, where, boolean=boolean, **attributes)
        recording.operations[node.number] = len(recording.operations)
        return Traced(recording, node)

    def __repr__(self) -> str:
        return f"<tensor of shape {show_shape(self.node.shape)}>"


def _operand(recording: Recording, value: Any) -> Node:
    if isinstance(value, Traced):
        if value.recording is not recording:
            raise NotYet(
                told("A tensor of forward came into backward inside an object of your own."),
                advice=told("Let backward take it by its name, or in a list, tuple or dictionary."),
                place=place(),
            )
        return value.node
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, int | float | np.number) and not _is_float64(value):
        raise _not_finite(
            told("This is {number}", number=value if isinstance(value, float) else float("inf"))
        )
    term = term_of(value)
    if term is not None:
        if isinstance(value, float) and not isinstance(value, SizeRatio) and was_computed(value):
            recording.readings[float(value)] = None
        boolean = np.asarray(value).dtype.kind == "b"
        return recording.node("number", (), (), term=term, boolean=boolean)
    # A copy: what is done to the array afterwards did not take part.
    array = np.asarray(value).copy()
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise NotYet(
            told("{kind} cannot be used in arithmetic here.", kind=type(value).__name__),
            place=place(),
        )
    if not np.all(np.isfinite(array)):
        raise _not_finite(
            told("An array has the element {number}", number=float(array[~np.isfinite(array)][0]))
        )
    boolean = array.dtype.kind == "b"
    name = _constant(recording, array.astype(float) if boolean else array, id(value))
    return recording.input(name, tuple(int(s) for s in array.shape), boolean=boolean).node


def _is_float64(value: Any) -> bool:
    """Whether a number has a finite float64; the complex ones are refused elsewhere."""
    if isinstance(value, complex | np.complexfloating):
        return True
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _not_finite(what: str) -> DataError:
    return DataError(
        told("{what}: no gradient can be checked with it.", what=what),
        advice=told(
            "Use a large number; a plain array that tensors were added to in place has "
            "no numbers under its other names."
        ),
        place=place(),
    )


def _constant(recording: Recording, array: np.ndarray, identity: int) -> str:
    """The name of a plain array: one for equal arrays, its own where it has one."""
    known = {**recording.known, **recording.constants}
    for name, other in known.items():
        if other.dtype == array.dtype and np.array_equal(other, array):
            return name
    name = recording.outside.get(identity, "")
    if not name or name in known or name in recording.given.values():
        name = f"constant[{len(known) + 1}]"
    recording.constants[name] = array
    return name


def result_shape(
    name: str, nodes: tuple[Node, ...], attributes: dict[str, Any], where: Place | None
) -> tuple[Size, ...]:
    """The shape of an operation's result.

    Raises:
        ShapeError: the operands' shapes do not meet; it names the line and the shapes.
    """
    shapes = [node.shape for node in nodes]
    match name:
        case "matmul":
            return _matmul_shape(shapes[0], shapes[1], where)
        case "sum":
            return _reduced(shapes[0], attributes["axes"], attributes["keepdims"])
        case "transpose":
            return tuple(shapes[0][axis] for axis in attributes["order"])
        case "getitem":
            return _item_shape(shapes[0], attributes["key"], where)
        case "setitem":
            return _written_shape(shapes[0], shapes[1], attributes["key"], where)
        case "power" | "negative":
            return shapes[0]
        case name if name in GATHERED:
            return gathered_shape(name, shapes, attributes, where)
        case name if name in NAMES:
            return arranged_shape(name, shapes, attributes, where)
        case "add" | "subtract" | "multiply" | "divide" | "greater" | "greater_equal" | "equal":
            return broadcast(shapes, where)
    if name in ELEMENTWISE_BY_NAME:
        return broadcast(shapes, where)
    if name in FOLD_BY_NAME:
        axis = attributes["axis"]
        gone = axis if isinstance(axis, tuple) else (axis,)
        return _reduced(shapes[0], gone, attributes["keepdims"])
    if name in OPERATIONS:
        return window_shape(name, shapes, attributes, where)
    if name == INVERSE:
        return shapes[0]
    if name == LOGDET:
        return ()
    if name in ALONG_BY_NAME:
        return shapes[0]
    raise NotYet(told("The tracer does not know the operation {name}.", name=name), place=where)


def result_boolean(name: str, nodes: tuple[Node, ...], where: Place | None) -> bool:
    """Whether NumPy gives truth values.

    Raises:
        NotYet: NumPy's arithmetic of truth values is not that of the numbers 0 and 1; or a
            condition is neither, so that ``mask·a + (1 − mask)·b`` is not what is chosen.
    """
    truths = [node.boolean for node in nodes]
    match name:
        case "greater" | "greater_equal" | "equal":
            return True
        case "multiply" | "maximum" | "minimum" | "getitem" | "transpose" | "max":
            return all(truths)
        case "reshape" | "broadcast" | "concatenate":
            return all(truths)
        case "add" | "subtract" | "matmul" | "einsum" | "negative" if all(truths):
            raise NotYet(
                told("NumPy computes with comparisons as truth values here: True + True is True."),
                advice=told("Make one of them a number first: 1.0 * (x > 0)."),
                place=where,
            )
        case "where":
            if not _is_mask(nodes[0]):
                raise NotYet(
                    told("The condition of np.where is not a comparison."),
                    advice=told("Compare it: np.where(mask > 0, a, b)."),
                    place=where,
                )
            return truths[1] and truths[2]
    return False


def _is_mask(node: Node) -> bool:
    """Truth values, or one minus truth values."""
    return node.boolean or (
        node.operation == "subtract" and node.operands[0].term == ONE and node.operands[1].boolean
    )


def broadcast(shapes: list[tuple[Size, ...]], where: Place | None) -> tuple[Size, ...]:
    """NumPy's broadcasting over sizes that may be symbols."""
    rank = max(len(shape) for shape in shapes)
    result: list[Size] = [1] * rank
    for shape in shapes:
        for spot, size in zip(range(rank - len(shape), rank), shape, strict=True):
            if size == 1 or size == result[spot]:
                continue
            if result[spot] != 1:
                shown = " and ".join(show_shape(s) for s in shapes)
                raise ShapeError(
                    told(
                        "The shapes {shown} do not meet: {result} stands against {size}.",
                        shown=shown,
                        result=result[spot],
                        size=size,
                    ),
                    advice=_symbol_advice(result[spot], size),
                    place=where,
                )
            result[spot] = size
    return tuple(result)


def _symbol_advice(left: Size, right: Size) -> str:
    if isinstance(left, str) or isinstance(right, str):
        return told("If they are one size, give them one symbol in the annotations.")
    return told("Axes are matched from the last one backwards.")


def _matmul_shape(
    left: tuple[Size, ...], right: tuple[Size, ...], where: Place | None
) -> tuple[Size, ...]:
    if not left or not right:
        raise ShapeError(
            told("@ needs at least one axis on each side."), advice=told("Use *."), place=where
        )
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        raise ShapeError(
            told(
                "The left of @ is {shape} and the right is {shape2}: the last axis "
                "of the left ({left}) meets {inner}.",
                shape=show_shape(left),
                shape2=show_shape(right),
                left=left[-1],
                inner=inner,
            ),
            advice=_matmul_advice(left, right),
            place=where,
        )
    batch = broadcast([left[:-2], right[:-2]], where)
    rows = left[-2:-1] if len(left) > 1 else ()
    columns = right[-1:] if len(right) > 1 else ()
    return (*batch, *rows, *columns)


def _matmul_advice(left: tuple[Size, ...], right: tuple[Size, ...]) -> str:
    if len(right) == 2 and left[-1] == right[1]:
        return told("Try the transpose of the right one: .T")
    if len(left) == 2 and left[0] == right[0]:
        return told("Try the transpose of the left one: .T")
    return ""


def _reduced(shape: tuple[Size, ...], axes: tuple[int, ...], keep: bool) -> tuple[Size, ...]:
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _item_shape(
    shape: tuple[Size, ...], key: tuple[Any, ...], where: Place | None
) -> tuple[Size, ...]:
    result: list[Size] = []
    axis = 0
    for part in key:
        if part is None:
            result.append(1)
            continue
        size = shape[axis]
        axis += 1
        if isinstance(part, int):
            if isinstance(size, int) and not -size <= part < size:
                raise outside(part, size, axis - 1, where)
        elif part == slice(None):
            result.append(size)
        elif isinstance(size, int):
            result.append(len(range(*part.indices(size))))
        else:
            raise NotYet(
                told("A slice of the symbolic size {size} is not supported yet.", size=size),
                advice=told("Give that axis a number in the annotation."),
                place=where,
            )
    return tuple(result)


def _written_shape(
    whole: tuple[Size, ...], new: tuple[Size, ...], key: tuple[Any, ...], where: Place | None
) -> tuple[Size, ...]:
    """The shape of the whole, when the new values can be broadcast to what stands at the key."""
    part = _item_shape(whole, key, where)
    kept = new[max(0, len(new) - len(part)) :]
    surplus = new[: len(new) - len(kept)]
    own = part[len(part) - len(kept) :]
    if any(size != 1 for size in surplus) or any(
        size not in (1, wanted) for size, wanted in zip(kept, own, strict=True)
    ):
        raise ShapeError(
            told(
                "What stands there is {shape} and cannot hold {shape2}.",
                shape=show_shape(part),
                shape2=show_shape(new),
            ),
            place=where,
        )
    return whole
