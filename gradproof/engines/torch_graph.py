"""What `make_fx` writes down of a function to a flat list of aten operations."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch._decomp import decomposition_table
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradproof.core.told import told
from gradproof.engines.aten import ATEN
from gradproof.engines.backward_program import (
    Numbered,
    Operand,
    Operation,
    Table,
    Unattempted,
    packet,
    read_back,
)

READING = threading.RLock()
"""Held while `make_fx` writes a network down: it cannot do so in two threads at once."""


class Written(NamedTuple):
    """The numbers of what enters, the operations, the results, and the coarsest dtype that floats
    have in it."""

    entered: list[int]
    operations: tuple[Operation, ...]
    results: list[Operand]
    precision: str


_READ: dict[str, tuple[int, ...]] = {
    "aten.ones_like": (),
    "aten.zeros_like": (),
    "aten.new_ones": (),
    "aten.new_zeros": (),
    "aten.full_like": (1,),
    "aten.new_full": (1,),
    "aten.max_pool2d_with_indices_backward": (0, 1),
    "aten.linalg_lu_solve": (0, 2),
}
"""Of which operands the elements count; of others it is the shape, or what is worked out again."""

_SETTINGS = {
    "aten.linalg_vector_norm": ("ord",),
    "aten.var": ("correction",),
    "prims.var": ("correction",),
    "aten.std": ("correction",),
}
"""Numbers that are settings, and no operands."""

# fmt: off
_FACTORIES = frozenset(
    {
        "ones", "zeros", "full", "arange", "eye", "scalar_tensor", "lift_fresh_copy", "new_ones",
        "new_full", "full_like", "ones_like", "zeros_like", "new_zeros", "_to_copy", "tril", "triu",
        "view", "expand", "unsqueeze", "squeeze", "permute", "transpose", "t", "slice", "select",
        "clone", "detach", "alias", "repeat", "flip", "where", "masked_fill", "neg", "empty",
        "new_empty", "empty_like", "empty_permuted", "new_empty_strided", "empty_strided", "eq",
        "ne", "gt", "ge", "lt", "le", "logical_not", "bitwise_not",
    }
)
"""Operators on constants that round nothing: they make other constants."""

_MOVED = frozenset(
    {
        "roll", "rot90", "repeat", "split", "split_with_sizes", "unsafe_split",
        "unsafe_split_with_sizes", "unbind", "diagonal", "diag_embed", "tril", "triu", "unfold",
        "im2col", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "upsample_nearest1d",
        "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
        "replication_pad1d", "replication_pad2d", "replication_pad3d", "constant_pad_nd", "stack",
        "index", "_unsafe_index", "index_select", "embedding", "gather", "masked_select",
        "as_strided", "slice_scatter", "select_scatter", "diagonal_scatter", "scatter", "index_put",
        "index_copy", "masked_scatter", "copy", "trace_backward", "split_copy", "unbind_copy",
        "diagonal_copy", "unfold_copy", "as_strided_copy", "as_strided_scatter",
    }
)
"""Operators whose every result is an element of one of their tensors, or zero."""

_ADDED = {
    "index_put": 2,
    "_unsafe_index_put": 2,
    "index_add": 3,
    "scatter_add": 3,
    "embedding_dense_backward": 0,
    "upsample_nearest1d_backward": 0,
    "upsample_nearest2d_backward": 0,
    "reflection_pad1d_backward": 0,
    "reflection_pad2d_backward": 0,
    "replication_pad1d_backward": 0,
    "replication_pad2d_backward": 0,
    "unfold_backward": 0,
    "col2im": 0,
}
# fmt: on
"""Operators that add each element of one argument somewhere, and which argument that is; in those
that have another tensor of floats, the first argument is what is added to."""


def _name(node: Any) -> str:
    return str(node.target).removesuffix(".default")


def _short(node: Any) -> str:
    return packet(_name(node)).removeprefix("aten.")


def _is_call(node: Any) -> bool:
    return bool(node.op == "call_function" and node.target is not operator.getitem)


def written_down(function: Callable[..., Any], entered: Sequence[torch.Tensor]) -> Written:
    """A function of tensors that returns a list of them, as aten operations.

    What has no meaning here, and what overwrites tensors, is written in other operators, as PyTorch
    itself says what these do.

    Raises:
        Unattempted: it has something that cannot be written down.
    """
    with READING:
        with sdpa_kernel(SDPBackend.MATH):
            module = make_fx(function, _error_on_data_dependent_ops=False)(*entered)
        _refuse_numbers(module)
        calls = [node for node in module.graph.nodes if _is_call(node)]
        if not all(_is_plain(node) for node in calls):
            plain = torch.func.functionalize(module, remove="mutations")
            natives = [one.detach() for one in entered]
            with torch.no_grad():
                module = make_fx(
                    plain, decomposition_table=_others(), _error_on_data_dependent_ops=False
                )(*natives)
    return read_module(module)


def _depending(module: Any) -> set[Any]:
    """The nodes that depend on what enters."""
    found: set[Any] = set()
    for node in module.graph.nodes:
        empty = _is_call(node) and "empty" in _short(node)
        read = node.all_input_nodes
        if node.op == "placeholder" or not (empty or found.isdisjoint(read)):
            found.add(node)
    return found


def _refuse_numbers(module: Any) -> None:
    """That no tensor that depends on what enters becomes a number of Python's.

    Raises:
        Unattempted: one does; at other data it is another number.
    """
    depending = _depending(module)
    for node in module.graph.nodes:
        if (
            node in depending
            and _is_call(node)
            and _short(node) in ("_local_scalar_dense", "nonzero")
        ):
            raise Unattempted(told("a number that is taken out of a tensor of the inputs"))


def _is_plain(node: Any) -> bool:
    schema = getattr(node.target, "_schema", None)
    return _has_meaning(node.target) and schema is not None and not schema.is_mutable


def _has_meaning(target: Any) -> bool:
    name = str(target).removesuffix(".default")
    short = packet(name).removeprefix("aten.")
    ours = (_MOVED, _ADDED, _FACTORIES)
    return name in ATEN or packet(name) in ATEN or any(short in one for one in ours)


@cache
def _others() -> dict[Any, Any]:
    """PyTorch's own decompositions of what has no meaning here."""
    return {
        target: how
        for target, how in decomposition_table.items()
        if isinstance(target, torch._ops.OpOverload) and not _has_meaning(target)
    }


def _moving(module: Any) -> set[Any]:
    """The nodes that depend on what enters, or compute with floats: those are no constants,
    because the function under test rounds there."""
    moving: set[Any] = set()
    for node in module.graph.nodes:
        if _is_call(node) and "empty" in _short(node):  # whatever stands there is overwritten
            continue
        rounds = _is_call(node) and _short(node) not in _FACTORIES
        if node.op == "placeholder" or any(
            one in moving or (rounds and _is_floating(one)) for one in node.all_input_nodes
        ):
            moving.add(node)
    return moving


def _is_floating(node: Any) -> bool:
    meta = _meta(node) if isinstance(node, torch.fx.Node) else None
    return isinstance(meta, torch.Tensor) and meta.is_floating_point()


def _solves(node: Any) -> bool:
    return _is_call(node) and _short(node) == "linalg_lu_solve"


def _is_factored(node: Any) -> bool:
    """Whether it has the factors of a matrix whose determinant was asked for."""
    call, part = _call(node)
    return _is_call(call) and (_short(call), part) == ("_linalg_slogdet", 2)


def _is_mask(node: Any) -> bool:
    """Whether truth values are made numbers, which rounds nothing."""
    return _short(node) == "_to_copy" and _meta(node.args[0]).dtype == torch.bool


def _meta(node: Any) -> Any:
    return node.meta.get("val", node.meta.get("tensor_meta"))


def _shape_of(meta: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in meta.shape)


def read_module(module: Any) -> Written:
    """What `make_fx` wrote down: the numbers of what enters, the operations, and the results.

    Raises:
        Unattempted: it has an operation that cannot be read; says which.
    """
    nodes = list(module.graph.nodes)
    numbers = {node: number for number, node in enumerate(nodes)}
    reading = _Reading(module, numbers, _moving(module))
    (results,) = (node.args[0] for node in nodes if node.op == "output")
    needed = {one for one in results if isinstance(one, torch.fx.Node)}
    order = []
    for node in reversed(nodes):
        if node in needed and node in reading.moving and node.op == "call_function":
            needed.update(reading.tensors(node))
            order.append(node)
    written = tuple(reading.operation(node) for node in reversed(order))
    entered = [numbers[node] for node in nodes if node.op == "placeholder"]
    operands = [reading.operand(result) for result in results]
    return Written(entered, written, operands, reading.precision)


@final
class _Reading:
    """One module, whose nodes become operations; constants are worked out."""

    def __init__(self, module: Any, numbers: Mapping[Any, int], moving: set[Any]) -> None:
        self.module, self.numbers, self.moving = module, numbers, moving
        self.depending = _depending(module)
        self.known: dict[Any, Any] = {}
        self.precision = "float64"

    def operand(self, value: Any) -> Operand:
        if not isinstance(value, torch.fx.Node):
            return _number(float(value))
        if value in self.moving:
            return Numbered(self.numbers[value])
        found = self._constant(value).detach()
        if found.dtype == torch.bool:
            return Table(found.numpy())
        array = np.asarray(found.double().numpy())
        if array.ndim == 0 or (
            array.size and np.isinf(array).all() and np.ptp(np.sign(array)) == 0
        ):
            return _number(float(array.flat[0]))
        if np.isnan(array).any() or np.isposinf(array).any():
            raise Unattempted(told("a table with an infinity"))
        return Table(array)

    def _constant(self, value: Any) -> Any:
        """What depends on nothing that enters.

        Raises:
            Unattempted: it does.
        """
        if isinstance(value, tuple | list):
            return type(value)(self._constant(one) for one in value)
        if not isinstance(value, torch.fx.Node):
            return value
        if value in self.depending:
            raise Unattempted(told("integers that depend on the inputs"))
        if value not in self.known:
            self.known[value] = self._worked_out(value)
        return self.known[value]

    def _worked_out(self, node: Any) -> Any:
        if node.op == "get_attr":
            return getattr(self.module, node.target)
        if _is_call(node) and "empty" in _short(node):
            return torch.zeros(_meta(node).shape, dtype=_meta(node).dtype)
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or (schema is not None and schema.is_mutable):
            raise Unattempted(told("operation {target}", target=node.target))
        given = {name: self._constant(one) for name, one in node.kwargs.items()}
        return node.target(*self._constant(node.args), **given)

    # --- operations -----------------------------------------------------------------------------

    def tensors(self, result: Any) -> list[Any]:
        """The nodes that an operation reads."""
        node, _ = _call(result)
        if _name(node) not in _READ:
            return list(node.all_input_nodes)
        return [one for one in _operands(node)[0] if isinstance(one, torch.fx.Node)]

    def operation(self, result: Any) -> Operation:
        """An operation of one result."""
        node, part = _call(result)
        meta = _meta(result)
        if not isinstance(meta, torch.Tensor):
            raise Unattempted(told("operation {target}", target=node.target))
        if meta.dtype == torch.float32:
            self.precision = self.precision if _is_mask(node) else "float32"
        elif meta.is_floating_point() and meta.dtype != torch.float64:
            raise Unattempted(told("conversion to {attributes}", attributes=meta.dtype))
        shape, short = _shape_of(meta), _short(node)
        # The factors are read as the matrix that has them, and by what solves with them alone.
        if (short, part) == ("_linalg_slogdet", 2) and not all(map(_solves, result.users)):
            raise Unattempted(told("operation {target}", target=node.target))
        if _solves(node) and not _is_factored(node.args[0]):
            raise Unattempted(told("operation {target}", target=node.target))
        moved = short in _MOVED and not (short == "index_put" and node.args[3:4] == (True,))
        if moved and not self._by_order(node):
            return self._moved(node, part, self.numbers[result], shape)
        if short in _ADDED and not self._by_order(node):
            return self._added(node, self.numbers[result], shape)
        return self._plain(node, part, self.numbers[result], shape)

    def _by_order(self, node: Any) -> bool:
        """Whether it moves elements to where the order of numbers says."""
        return any(one in self.depending and not _is_floating(one) for one in node.all_input_nodes)

    def _plain(self, node: Any, part: int, number: int, shape: tuple[int, ...]) -> Operation:
        """A call of an operator: tensors and numbers apart from sizes, axes and settings."""
        name = _name(node)
        if node.target._schema.is_mutable and len(node.args[0].users) > 1:
            said = told("operation {name} on a tensor that is read elsewhere", name=name)
            raise Unattempted(said)
        entering, attributes = _operands(node)
        operands = tuple(map(self.operand, entering))
        return Operation(f"{name}:{part}" if part else name, operands, attributes, number, shape)

    def _moved(self, node: Any, part: int, number: int, shape: tuple[int, ...]) -> Operation:
        """What moves elements moves their numbers."""
        floats: list[Any] = []
        count = 0

        def numbered(value: Any) -> Any:
            nonlocal count
            if isinstance(value, tuple | list):
                return type(value)(map(numbered, value))
            if not isinstance(value, torch.fx.Node):
                return value
            if not (value in self.moving or _is_floating(value)):
                return self._constant(value)
            floats.append(value)
            size = _meta(value).numel()
            count += size
            first = torch.arange(count - size + 1, count + 1, dtype=torch.float64)
            return first.reshape(_meta(value).shape)

        arguments = [
            (a, value) for a, value in _arguments(node) if not isinstance(value, torch.dtype)
        ]
        attributes: dict[str, Any] = {}
        filled = []
        for argument, value in arguments:
            if str(argument.type) == "number" and value:  # what is filled in
                attributes["fill"] = read_back(float(value))
                value = 0
            filled.append((argument.name, numbered(value)))
        own = node.target._schema.arguments
        plain = {a.name: value for a, (_, value) in zip(own, filled, strict=True)}
        positional = [plain[a.name] for a in own if not a.kwarg_only]
        named = {a.name: plain[a.name] for a in own if a.kwarg_only}
        if not isinstance(attributes.get("fill", Fraction(0)), Fraction):
            raise Unattempted(told("operation {target}", target=node.target))
        made = node.target(*positional, **named)
        made = made[part] if isinstance(made, tuple | list) else made
        attributes["places"] = made.numpy().astype(np.int64) - 1
        operands = tuple(self.operand(one) for one in floats)
        return Operation("take", operands, attributes, number, shape)

    def _added(self, node: Any, number: int, shape: tuple[int, ...]) -> Operation:
        """What adds elements somewhere: the transpose of adding there is reading there."""
        spot = _ADDED[_short(node)]
        values = [value for _, value in _arguments(node)]
        update = values[spot]
        if not _is_floating(update) or values[-1] is None:
            raise Unattempted(told("operation {target}", target=node.target))
        entered = torch.zeros(_meta(update).shape, dtype=torch.float64, requires_grad=True)
        target: Operand = Table(np.zeros(shape))
        filled: list[Any] = []
        for k, value in enumerate(values):
            if k == spot:
                filled.append(entered)
            elif _short(node).endswith("_backward") and _is_floating(value):  # it says the shape
                filled.append(torch.zeros(_meta(value).shape, dtype=torch.float64))
            elif k == 0 and _is_floating(value):
                target = self.operand(value)
                filled.append(torch.zeros(_meta(value).shape, dtype=torch.float64))
            elif _is_floating(value):
                raise Unattempted(told("operation {target}", target=node.target))
            else:
                filled.append(self._constant(value))
        if _short(node) == "embedding_dense_backward" and filled[4]:
            raise Unattempted(told("operation {target}", target=node.target))
        positional = [
            v for (a, _), v in zip(_arguments(node), filled, strict=True) if not a.kwarg_only
        ]
        named = {
            a.name: v for (a, _), v in zip(_arguments(node), filled, strict=True) if a.kwarg_only
        }
        if named.get("alpha", 1) != 1:
            raise Unattempted(told("operation {target}", target=node.target))
        with torch.enable_grad():
            made = node.target(*positional, **named)
            counted = torch.arange(1, made.numel() + 1, dtype=torch.float64).reshape(made.shape)
            (found,) = torch.autograd.grad(made, entered, counted)
        places = found.numpy().astype(np.int64) - 1
        operands = (target, self.operand(update))
        return Operation("put_add", operands, {"places": places}, number, shape)


def _call(node: Any) -> tuple[Any, int]:
    """The call that a node is, or a result of, and which result."""
    if node.target is operator.getitem:
        return node.args[0], int(node.args[1])
    return node, 0


def _operands(node: Any) -> tuple[list[Any], dict[str, Any]]:
    """What an operator reads, apart from sizes, axes and settings."""
    name = _name(node)
    entering: list[Any] = []
    attributes: dict[str, Any] = {}
    given: list[str] = []
    for argument, value in _arguments(node):
        kind = str(argument.type)
        optional = kind.startswith("Optional[")
        setting = argument.name in _SETTINGS.get(packet(name), ())
        if kind == "List[Tensor]":
            entering += value
        elif setting or kind.removeprefix("Optional[").rstrip("]") not in ("Tensor", "number"):
            attributes[argument.name] = _listed(value)
        elif value is not None:
            entering.append(value)
            given += [argument.name] if optional else []
    if given:
        attributes["given"] = tuple(given)
    return [entering[k] for k in _READ.get(packet(name), range(len(entering)))], attributes


def _arguments(node: Any) -> Iterator[tuple[Any, Any]]:
    """The arguments of an operator's schema, with their values."""
    schema = node.target._schema.arguments
    given = dict(node.kwargs) | dict(zip((a.name for a in schema), node.args, strict=False))
    for argument in schema:
        yield argument, given.get(argument.name, argument.default_value)


def _number(value: float) -> Operand:
    """What a float stands for; what is no number stays so, and must not be chosen."""
    return value if value != value else read_back(value)


def _listed(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(map(_listed, value))
    return value if value is None or isinstance(value, int | str) else str(value)
