"""A list of operations to a program of index equations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from gradproof.core.index import Affine, Index, Size, at, combine, extent, shift
from gradproof.core.normal import canonical, decided, negate, plus, power, product
from gradproof.core.program import Equation
from gradproof.core.term import (
    ZERO,
    Along,
    Apply,
    Compare,
    Fold,
    Read,
    Sum,
    Term,
    walk,
)
from gradproof.core.told import told
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.linalg import INVERSE, LOGDET, inverse
from gradproof.trace.arrangement import NAMES, arranged_term
from gradproof.trace.gathered import gathered_term
from gradproof.trace.gathered_shapes import NAMES as GATHERED
from gradproof.trace.graph import Node
from gradproof.trace.window_shapes import OPERATIONS as WINDOWED
from gradproof.trace.windowed import window_term
from gradproof.trace.writer import Expression, Writer
from gradproof.trace.written import write_into


def write_equations(
    nodes: list[Node], names: dict[int, str], last: Node, *, name_forward: bool
) -> Writer:
    """Every named node as an equation; the expressions of the others are inlined."""
    uses = Counter(operand.number for node in nodes for operand in node.operands)
    base = _base_names(nodes, names)
    writer = Writer(dict(names), base, name_forward)
    taken = set(names.values())
    parts = _parts_of_sums(nodes, names, last)
    for node in nodes:
        if node.operation in ("input", "number", "blank"):
            _enter_leaf(writer, node)
            if node.operation == "blank" and node.number in writer.names:
                _equate(writer, node)
            continue
        if node.number in parts:
            continue  # the whole sum is written at once: it would be copied for every piece
        if name_forward:
            for operand in _to_name(writer, node):
                _name(writer, operand, taken)
        axes = writer.axes(node)
        term = _term(writer, node, axes)
        writer.scaled[node.number] = _scaled(writer, node)
        writer.expressions[node.number] = Expression(axes, term)
        # An inverse has a name at once: gradients are written with it.
        shared = name_forward and (
            node.operation == INVERSE or (uses[node.number] > 1 and _heavy(term))
        )
        if node.number in writer.names or node is last:
            _equate(writer, node)
        elif shared:
            _name(writer, node, taken)
    return writer


def _scaled(writer: Writer, node: Node) -> int:
    """How many constants multiply or divide something on the way to a node, at most."""
    constant = node.operation in ("multiply", "divide") and any(
        not any(isinstance(part, Read) for part in walk(writer.expressions[operand.number].term))
        for operand in node.operands
    )
    below = (writer.scaled.get(operand.number, 0) for operand in _written(writer, node))
    return constant + max(below, default=0)


def _written(writer: Writer, node: Node) -> list[Node]:
    """The operands, those of sums that are written as one included."""
    if node.operation in ("add", "subtract"):
        return [operand for operand, _ in _addends(node, writer.expressions)]
    return list(node.operands)


def _parts_of_sums(nodes: list[Node], names: dict[int, str], last: Node) -> frozenset[int]:
    """The unnamed sums that are only added to, or lessened, in one other sum of the same shape."""
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for operand in node.operands:
            users.setdefault(operand.number, []).append(node)
    return frozenset(
        node.number
        for node in nodes
        if node.operation in ("add", "subtract")
        and node.number not in names
        and node is not last
        and _is_part(node, users.get(node.number, []))
    )


def _is_part(node: Node, users: list[Node]) -> bool:
    match users:
        case [Node(operation="add" | "subtract" as operation, operands=operands, shape=shape)]:
            return shape == node.shape and (operation == "add" or operands[0] is node)
        case _:
            return False


def _addends(node: Node, known: Mapping[int, Expression]) -> list[tuple[Node, bool]]:
    """What a sum is made of, through sums that are written as parts of it, and whether each is
    taken away."""
    found: list[tuple[Node, bool]] = []
    stack = [(node, False)]
    while stack:
        part, away = stack.pop()
        if part is not node and part.number in known:
            found.append((part, away))
        else:
            left, right = part.operands
            stack += [(right, part.operation == "subtract"), (left, away)]
    return found


def _base_names(nodes: list[Node], names: dict[int, str]) -> dict[int, str]:
    """For each unnamed node the name of the first named result that it enters."""
    base: dict[int, str] = {}
    for node in reversed(nodes):
        here = names.get(node.number) or base.get(node.number)
        if here is not None:
            for operand in node.operands:
                base[operand.number] = here
    return base


def _enter_leaf(writer: Writer, node: Node) -> None:
    axes = writer.axes(node)
    if node.term is not None and node.operation == "blank":
        writer.expressions[node.number] = Expression(axes, node.term)
    elif node.term is not None:
        writer.expressions[node.number] = Expression((), node.term)
    else:
        read = Read(writer.names[node.number], tuple(at(i) for i in axes))
        writer.expressions[node.number] = Expression(axes, read)


def _equate(writer: Writer, node: Node) -> None:
    expression = writer.expressions[node.number]
    left, term = canonical(expression.axes, expression.term)
    target = writer.names[node.number]
    writer.equations.append(Equation(target, left, term, node.place))
    writer.scalings[target] = writer.scaled.pop(node.number, 0)
    axes = writer.axes(node)
    read = Read(target, tuple(at(i) for i in axes))
    writer.expressions[node.number] = Expression(axes, read)


def _name(writer: Writer, node: Node, taken: set[str]) -> None:
    """Invents a name for a node, from the name of the result that it enters."""
    base, bracket, number = writer.base_names.get(node.number, "v").partition("[")
    count = 1
    # Of h[3] it is h_1[3], so that what belongs to one turn of a loop has one number.
    while f"{base}_{count}{bracket}{number}" in taken:
        count += 1
    writer.names[node.number] = f"{base}_{count}{bracket}{number}"
    taken.add(writer.names[node.number])
    _equate(writer, node)


def _heavy(term: Term) -> bool:
    return any(isinstance(part, Sum | Apply | Fold | Along) for part in walk(term))


def _has_sum(term: Term) -> bool:
    return any(isinstance(part, Sum | Fold | Along) for part in walk(term))


def _to_name(writer: Writer, node: Node) -> list[Node]:
    """The operands that need a name because a derivative of this operation repeats them."""

    def term(operand: Node) -> Term:
        return writer.expressions[operand.number].term

    operands = node.operands
    match node.operation:
        case "multiply":
            varying = [o for o in operands if o.operation != "number"]
            found = [o for o in varying if _has_sum(term(o))] if len(varying) > 1 else []
        case "divide":
            found = [o for o in operands[1:] if _heavy(term(o))]
            if operands[1].operation != "number":
                found += [o for o in operands[:1] if _has_sum(term(o))]
        case "reshape" if not isinstance(term(operands[0]), Read):
            found = [o for o in operands if _has_sum(term(o))]
        case "reshape" | "broadcast" | "concatenate":
            found = []
        case "power" | "matmul" | "einsum":
            found = [o for o in operands if _heavy(term(o))]
        case "greater" | "greater_equal" | "equal":
            found = [o for o in operands if _heavy(term(o))]
        case "add" | "subtract" | "negative" | "sum" | "transpose" | "getitem":
            found = []
        case "windows" | "pad" | "one_hot":
            found = []
        case "gather":
            found = [o for o in operands[:1] if _heavy(term(o))]
        case _:
            found = [o for o in operands if _heavy(term(o))]
    return list({o.number: o for o in found if not isinstance(term(o), Read)}.values())


def _term(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    operands = node.operands
    match node.operation:
        case "add" | "subtract":
            # Adding 0, as a sum that starts with it, rounds nothing: it is left out.
            addends = _addends(node, writer.expressions)
            known = writer.expressions
            kept = [(o, away) for o, away in addends if known[o.number].term != ZERO]
            kept = kept or addends[:1]
            terms = [(writer.spread(o, axes), away) for o, away in kept]
            return plus(*(negate(term) if away else term for term, away in terms))
        case "multiply":
            return product(*(writer.spread(o, axes) for o in operands))
        case "divide":
            left, right = (writer.spread(o, axes) for o in operands)
            return product(left, power(right, Fraction(-1)))
        case "negative":
            return negate(writer.spread(operands[0], axes))
        case "power":
            return power(writer.spread(operands[0], axes), node.attributes["exponent"])
        case "matmul":
            return _matmul(writer, node, axes)
        case "sum":
            return _sum(writer, node, axes)
        case "transpose":
            order = node.attributes["order"]
            places = {axis: at(axes[spot]) for spot, axis in enumerate(order)}
            return writer.use(operands[0], tuple(places[a] for a in range(len(order))))
        case "getitem":
            return _getitem(writer, node, axes)
        case name if name in NAMES:
            return _arranged(writer, node, axes)
        case name if name in GATHERED:
            return gathered_term(writer, node, axes)
        case "setitem":
            return write_into(writer, node, axes)
        case name if name in WINDOWED:
            return window_term(writer, node, axes)
        case "greater":
            return _compare(writer, ">", node, axes)
        case "greater_equal":
            return _compare(writer, ">=", node, axes)
        case "equal":
            return _compare(writer, "==", node, axes)
        case name if name in ELEMENTWISE_BY_NAME:
            arguments = tuple(writer.spread(o, axes) for o in operands)
            return Apply(name, arguments, node.attributes.get("order", 0))
        case "inverse":
            rows, columns = (writer.index(operands[0], axis) for axis in range(2))
            body = writer.use(operands[0], (at(rows), at(columns)))
            return inverse(rows, columns, body, (at(axes[0]), at(axes[1])))
        case "logdet":
            over = tuple(writer.index(operands[0], axis) for axis in range(2))
            return Fold(LOGDET, over, writer.use(operands[0], tuple(map(at, over))))
        case name if name in FOLD_BY_NAME:
            return _fold(writer, node, axes)
        case name if name in ALONG_BY_NAME:
            return _along(writer, node, axes)
        case name:
            raise AssertionError(told("an operation without a meaning: {name}", name=name))


def _arranged(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    def fresh(size: Size) -> Index:
        writer.fresh += 1
        return Index(writer.fresh, size)

    def use(number: int, places: tuple[Affine, ...]) -> Term:
        return writer.use(node.operands[number], places)

    shapes = [operand.shape for operand in node.operands]
    term = arranged_term(node.operation, shapes, node.attributes, axes, use, fresh)
    return _summed(term.over, term.body) if isinstance(term, Sum) else term


def _compare(writer: Writer, relation: str, node: Node, axes: tuple[Index, ...]) -> Term:
    left, right = (writer.spread(o, axes) for o in node.operands)
    return Compare(relation, left, right)  # type: ignore[arg-type]


def _matmul(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    left, right = node.operands
    k = writer.index(left, len(left.shape) - 1)
    has_rows, has_columns = len(left.shape) > 1, len(right.shape) > 1
    batch = axes[: len(axes) - has_rows - has_columns]
    rows = (at(axes[len(batch)]),) if has_rows else ()
    columns = (at(axes[-1]),) if has_columns else ()
    left_term = writer.use(left, (*_batch(left, batch), *rows, at(k)))
    right_term = writer.use(right, (*_batch(right, batch), at(k), *columns))
    if ZERO in (left_term, right_term):
        return ZERO
    return _summed((k,), product(left_term, right_term))


def _batch(node: Node, batch: tuple[Index, ...]) -> tuple[Affine, ...]:
    sizes = node.shape[:-2]
    own = batch[len(batch) - len(sizes) :]
    return tuple(
        Affine((), 0) if size == 1 and index.size != 1 else at(index)
        for size, index in zip(sizes, own, strict=True)
    )


def _reduced_places(
    writer: Writer, node: Node, axes: tuple[Index, ...], gone: tuple[int, ...]
) -> tuple[tuple[Affine, ...], tuple[Index, ...]]:
    """Positions in the operand of a reduction, and the indices that it reduces."""
    operand = node.operands[0]
    over = {axis: writer.index(operand, axis) for axis in gone}
    kept = iter(
        axes
        if not node.attributes["keepdims"]
        else [i for axis, i in enumerate(axes) if axis not in gone]
    )
    places = tuple(
        at(over[axis]) if axis in over else at(next(kept)) for axis in range(len(operand.shape))
    )
    return places, tuple(over[axis] for axis in gone)


def _sum(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    places, over = _reduced_places(writer, node, axes, node.attributes["axes"])
    return _summed(over, writer.use(node.operands[0], places))


def _summed(over: tuple[Index, ...], body: Term) -> Term:
    """A sum as it was written: nested sums become one, and nothing is cancelled."""
    return Sum((*over, *body.over), body.body) if isinstance(body, Sum) else Sum(over, body)


def _fold(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    axis = node.attributes["axis"]
    gone = axis if isinstance(axis, tuple) else (axis,)
    places, over = _reduced_places(writer, node, axes, gone)
    return Fold(node.operation, over, writer.use(node.operands[0], places))


def _along(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    axis = node.attributes["axis"]
    over = writer.index(node, axis)
    places = tuple(at(over) if a == axis else at(i) for a, i in enumerate(axes))
    return Along(node.operation, over, writer.use(node.operands[0], places), at(axes[axis]))


def _getitem(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    operand = node.operands[0]
    result = iter(axes)
    places: list[Affine] = []
    for part in node.attributes["key"]:
        size = operand.shape[len(places)] if len(places) < len(operand.shape) else 1
        if part is None:
            next(result)
        elif isinstance(part, int):
            places.append(Affine((), part) if part >= 0 else shift(extent(size), part))
        elif part == slice(None):
            places.append(at(next(result)))
        else:
            start, _, step = part.indices(size)
            places.append(shift(combine(Affine(()), at(next(result)), step), start))
    return decided(writer.use(operand, tuple(places)))
