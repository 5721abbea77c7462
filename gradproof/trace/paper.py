"""A paper's forward and backward functions to programs and claims."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from gradproof.core.errors import (
    ClaimShape,
    GradproofError,
    NetworkError,
    Place,
    ShapeError,
    UnknownName,
)
from gradproof.core.index import Index, Size, at
from gradproof.core.nested import each
from gradproof.core.program import (
    Claim,
    Equation,
    Named,
    Paper,
    Program,
    Tensor,
    differentiable,
    shapes,
    wholes,
)
from gradproof.core.term import Number, Read
from gradproof.core.told import told
from gradproof.prims.caller import reported
from gradproof.prims.canvas import canvases
from gradproof.prims.number import constant, words
from gradproof.trace.again import Earlier
from gradproof.trace.equations import Writer
from gradproof.trace.graph import Node, Recording, Traced, moved_from, show_shape
from gradproof.trace.names import distinct
from gradproof.trace.signature import Signature, positions_of, tensors, where_defined
from gradproof.trace.sizes import asking

PREFIXES = ("my_dl_d", "dl_d", "grad_", "d_", "d")
"""How a claim is spelled: a prefix and the name of a value; the longest prefix is tried first."""

SURE_PREFIXES = ("my_dl_d", "dl_d", "grad_")
"""With these a claim is meant, so an unknown name after them is an error."""


@dataclass(frozen=True, slots=True)
class ForwardRun:
    """A finished run of forward: its program, and the user's own objects by name."""

    program: Program
    loss: str
    recording: Recording
    names: dict[int, str]
    locals: dict[str, Any]
    notes: tuple[str, ...]
    scalings: Mapping[str, int]


def trace(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
    *,
    any_shape: bool = False,
    earlier: Earlier | None = None,
) -> Paper:
    """Runs both functions on traced tensors and writes down what they compute.

    Args:
        forward: the network; it returns the scalar loss.
        backward: the user's formulas, or `None`.
        signature: the tensors that forward takes (see `read_signature`).
        sizes: a number for each size symbol, for code that asks for a size.
        any_shape: whether a claim may have another shape than its tensor.
        earlier: what runs of the same functions recorded, and this one does, if it is the first.

    Raises:
        ClaimShape: a claim has not the shape of its tensor.
        GradproofError: the functions are not a network, or use what gradproof does not know;
            the message names the user's line.
    """
    with asking() as asked:
        paper = _traced(
            forward, backward, signature, sizes, earlier or Earlier(), any_shape=any_shape
        )
    return replace(paper, asked=frozenset(asked))


def _traced(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
    earlier: Earlier,
    *,
    any_shape: bool,
) -> Paper:
    first = _trace_forward(forward, signature, sizes, earlier)
    operations = {
        first.names[number]: count
        for number, count in first.recording.operations.items()
        if number in first.names
    }
    if backward is None:
        return Paper(
            first.program,
            first.loss,
            None,
            (),
            operations,
            first.notes,
            dict(first.recording.constants),
            least=tuple(first.recording.least),
            scalings=first.scalings,
        )
    program, claims, parameters, second, scalings = _trace_backward(
        backward, first, sizes, earlier, any_shape=any_shape
    )
    return Paper(
        first.program,
        first.loss,
        program,
        claims,
        operations,
        tuple(dict.fromkeys((*first.notes, *_readings(second)))),
        {**first.recording.constants, **second.constants},
        parameters,
        dict(second.blanks or {}),
        (*first.recording.least, *second.least),
        scalings={**scalings, **first.scalings},
    )


def _run(recording: Recording, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    recording.namer.root = sys._getframe()
    recording.namer.kind = Traced
    with ExitStack() as unless_it_returns, reported(function), canvases(recording.blank):
        unless_it_returns.callback(recording.namer.release)
        result = function(**arguments)
        unless_it_returns.pop_all()
        return result


def record(
    forward: Callable[..., Any], signature: Signature, sizes: Mapping[str, int]
) -> tuple[Any, Recording, dict[str, Any]]:
    """Runs forward on traced tensors: what it returns, the recording, and its arguments.

    Raises:
        GradproofError: it uses what gradproof does not know.
    """
    found = {t.name: positions_of(t) for t in tensors(signature)}
    named = {name: size for name, size in found.items() if size is not None}
    recording = Recording(dict(sizes), outside=_arrays_outside(forward), positions=named)
    arguments: dict[str, Any] = {}
    for name, entry in signature.items():
        if isinstance(entry, list):
            arguments[name] = [recording.input(t.name, t.shape) for t in entry]
        else:
            arguments[name] = recording.input(entry.name, entry.shape)
    return _run(recording, forward, arguments), recording, arguments


def _trace_forward(
    forward: Callable[..., Any],
    signature: Signature,
    sizes: Mapping[str, int],
    earlier: Earlier,
) -> ForwardRun:
    result, recording, arguments = record(forward, signature, sizes)
    place = where_defined(forward)
    last = _loss_node(result, recording, place)
    outermost = recording.namer.finish()
    for node in recording.nodes:
        if node.operation == "blank":  # a number everywhere: no engine has an operation for it
            recording.namer.forget(node.number)
    names = _named(recording, partial=_scalar)
    invented_loss = last.number not in names or last.operation == "input"
    if last.operation == "input":
        raise NetworkError(
            told("forward returns one of its inputs: there is nothing to derive."), place=place
        )
    if invented_loss:
        names[last.number] = _unused("loss", set(names.values()))
    nodes = _needed(recording.nodes, last, names)
    writer = earlier.written(nodes, names, last, name_forward=True)
    inputs = (*tensors(signature), *recording.data())
    program = Program(inputs, tuple(writer.equations), (names[last.number],))
    program = earlier.lawful(program, name_forward=True)
    return ForwardRun(
        program,
        names[last.number],
        recording,
        writer.names,
        {**outermost, **arguments},
        (*_notes(names, writer, last), *_readings(recording)),
        writer.scalings,
    )


def _arrays_outside(function: Callable[..., Any]) -> dict[int, str]:
    """The plain arrays among a function's globals, by identity, with their names."""
    plain = inspect.unwrap(function)
    seen = getattr(plain, "__globals__", {})
    return {id(value): name for name, value in seen.items() if isinstance(value, np.ndarray)}


def _named(recording: Recording, partial: Callable[[Node], bool]) -> dict[int, str]:
    """The name of every value; of what is added up under one name only the whole has it."""
    wanted = {
        number: name
        for number, (_, _, name) in recording.namer.best.items()
        if number not in recording.given
    }
    for number in _partial_sums(recording.nodes, wanted):
        if partial(recording.nodes[number]):
            del wanted[number]
    return {**recording.given, **distinct(wanted, set(recording.given.values()))}


def _scalar(node: Node) -> bool:
    return node.shape == ()


def _partial_sums(nodes: list[Node], wanted: Mapping[int, str]) -> list[int]:
    """The values of which nothing is made but a larger sum that took over their name, as in
    ``loss = loss + term``."""
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for operand in node.operands:
            users.setdefault(operand.number, []).append(node)
    found = []
    for number, name in wanted.items():
        match users.get(number, []):
            case [
                Node(operation="add" | "subtract", number=whole, operands=parts, shape=shape)
            ] if (
                wanted.get(whole) == name
                and shape == nodes[number].shape
                and (nodes[whole].operation == "add" or parts[0].number == number)
            ):
                found.append(number)
            case _:
                pass
    return found


def _needed(nodes: list[Node], last: Node, names: dict[int, str]) -> list[Node]:
    """The nodes that a named value or the loss is made of; dead unnamed code is dropped."""
    alive = {last.number} | {n for n in names if nodes[n].operation != "number"}
    for node in reversed(nodes):
        if node.number in alive:
            alive.update(operand.number for operand in node.operands)
    return [node for node in nodes if node.number in alive]


def _loss_node(result: Any, recording: Recording, place: Place | None) -> Node:
    if not isinstance(result, Traced):
        kind = type(result).__name__
        raise NetworkError(
            told("forward returns {kind}, not a loss computed from its inputs.", kind=kind),
            advice=told("Return the scalar loss, such as 0.5 * np.sum((a - y)**2)."),
            place=place,
        )
    if result.node.shape != ():
        raise ShapeError(
            told(
                "The loss has the shape {shape}; a gradient needs a scalar.",
                shape=show_shape(result.node.shape),
            ),
            advice=told("Reduce it, for example with np.sum."),
            place=result.node.place or place,
        )
    return result.node


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _notes(names: dict[int, str], writer: Writer, last: Node) -> tuple[str, ...]:
    invented = [name for number, name in writer.names.items() if number not in names]
    if not invented:
        return ()
    listed = ", ".join(invented[:6]) + (", …" if len(invented) > 6 else "")
    return (told("Values without a name of their own were given one: {listed}.", listed=listed),)


def _readings(recording: Recording) -> tuple[str, ...]:
    """What computed floats were taken for, where that is another number."""
    said = {number: words(constant(number)) for number in recording.readings}
    return tuple(
        told("{number!r} is read as {word}.", number=number, word=word)
        for number, word in said.items()
        if Fraction(repr(number)) != constant(number).ratio or "√" in word or "π" in word
    )


# --- backward ---------------------------------------------------------------------------------


def _trace_backward(
    backward: Callable[..., Any],
    first: ForwardRun,
    sizes: Mapping[str, int],
    earlier: Earlier,
    *,
    any_shape: bool,
) -> tuple[Program, tuple[Claim, ...], dict[str, Any], Recording, Mapping[str, int]]:
    place = where_defined(backward)
    constants = first.recording.constants
    recording = Recording(
        dict(sizes),
        constants,
        _arrays_outside(backward),
        positions=_positions(first),
        blanks={},
    )
    known = shapes(first.program)
    entered = {name: recording.input(name, shape) for name, shape in known.items()}
    arguments = {}
    for name, parameter in inspect.signature(backward).parameters.items():
        found = _entered(name, first, entered)
        if found is not None:
            arguments[name] = found
        elif parameter.default is parameter.empty:
            raise UnknownName(
                told("backward asks for {name}, which forward does not have.", name=name),
                advice=told("It has: {known}.", known=", ".join(known)),
                place=place,
            )
    result = _run(recording, backward, arguments)
    if not isinstance(result, dict):
        raise NetworkError(
            told("backward returns {kind}, not its formulas by name.", kind=type(result).__name__),
            advice=told("End it with  return locals()"),
            place=place,
        )
    recording.namer.finish()
    _take_names(recording, result, set(known))
    names = _named(recording, partial=lambda node: True)
    clash = set(known)
    renamed = {
        n: (name if n in recording.given else _unprimed(name, clash)) for n, name in names.items()
    }
    missing = recording.blanks or {}
    if not recording.nodes:
        raise NetworkError(told("backward computes nothing."), place=place)
    nodes = _needed(recording.nodes, recording.nodes[-1], renamed)
    renamed.setdefault(recording.nodes[-1].number, "_last")
    writer = earlier.written(nodes, renamed, recording.nodes[-1], name_forward=False)
    bound = _bindings(recording)
    found = list(_claims(result, known, first, bound))
    claimed_by: dict[str, str] = {}
    free = differentiable(first.program)
    for label, of, value in found:
        if of not in free:
            raise _without_gradient(label, of, value, first)
        _check_claim(label, of, value, known, any_shape=any_shape)
        if claimed_by.setdefault(of, label) != label:
            raise NetworkError(
                told(
                    "{claimed_by} and {label} both claim to be the gradient of {of}.",
                    claimed_by=claimed_by[of],
                    label=label,
                    of=of,
                ),
                advice=told("Return one of them, or give the other a name that is no claim."),
                place=value.node.place,
            )
    labels, aliases = _labels(found, writer)
    claims = tuple(
        Claim(of, own, value.node.place, _is_turn(label, result))
        for own, (label, of, value) in zip(labels, found, strict=True)
    )
    equations = [*writer.equations, *aliases]
    data = recording.data()
    blanks = (Tensor(name, known[of]) for name, of in missing.items())
    inputs = (*(Tensor(name, shape) for name, shape in known.items()), *blanks, *data)
    program = Program(inputs, tuple(equations), tuple(c.name for c in claims))
    program = earlier.lawful(program, name_forward=False)
    parameters = {name: _tensor_names(value, recording) for name, value in arguments.items()}
    return program, claims, parameters, recording, writer.scalings


def _positions(first: ForwardRun) -> dict[str, Size]:
    """The sizes along which forward's integers are positions, its named parts of them too."""
    recording = first.recording
    found = dict(recording.positions)
    for number, name in first.names.items():
        source = recording.given.get(moved_from(recording.nodes[number]).number, "")
        if source in recording.positions:
            found[name] = recording.positions[source]
    return found


def _tensor_names(value: Any, recording: Recording) -> Any:
    """What an argument is made of: the names of its tensors in the containers that hold them."""

    def named(item: Any) -> Any:
        return Named(recording.given[item.node.number]) if isinstance(item, Traced) else item

    return each(value, named)


def _unprimed(name: str, clash: set[str]) -> str:
    while name in clash:
        name += "'"
    return name


def _entered(name: str, first: ForwardRun, entered: dict[str, Traced]) -> Any:
    """The forward's value that a parameter of backward names: a tensor, or containers of them.

    Raises:
        UnknownName: a container holds a value of forward that has no name there.
    """
    value = first.locals.get(name)
    if isinstance(value, Traced):  # what the name means where forward ends
        filled = _filled(value)
        return entered.get(first.names.get(value.node.number, "")) if filled is None else filled
    if name in entered:
        return entered[name]
    if value is None or callable(value):
        return None

    def change(item: Any) -> Any:
        if not isinstance(item, Traced):
            return item
        filled = _filled(item)
        if filled is not None:
            return filled
        if item.node.number not in first.names:
            raise UnknownName(
                told("{name} holds a value that has no name in forward.", name=name),
                advice=told("Bind it to a variable before it goes into {name}.", name=name),
                place=item.node.place,
            )
        return entered[first.names[item.node.number]]

    return each(value, change)


def _filled(value: Traced) -> np.ndarray | None:
    """The plain array that NumPy makes of one number, where nothing was written into it; `None` of
    any other value."""
    match value.node:
        case Node(operation="blank", term=Number(number)):
            return np.full(tuple(map(int, value.shape)), float(number))
        case _:
            return None


def _take_names(recording: Recording, result: dict[str, Any], taken: set[str]) -> None:
    """The keys of the returned dictionary name what they hold, before any local variable."""
    for key, value in result.items():
        items = value if isinstance(value, list | tuple) else [value]
        for number, item in enumerate(items, 1):
            if isinstance(item, Traced) and item.node.number not in recording.given:
                label = f"{key}[{number}]" if isinstance(value, list | tuple) else key
                old = recording.namer.best.get(item.node.number)
                if old is None or old[2] not in result:
                    recording.namer.best[item.node.number] = (0, 0, label)


def _claims(
    result: dict[str, Any],
    known: Mapping[str, Any],
    first: ForwardRun,
    bound: Mapping[str, list[Traced]],
) -> Iterator[tuple[str, str, Any]]:
    """The name of each claim, the tensor whose gradient it claims to be, and what it is.

    A name that a loop binds again and again, ``dh`` for ``h``, is a claim at every turn.
    """
    for key, value in result.items():
        if _is_given(key, value, first):
            continue  # forward's own value, such as dx = x - mean, which locals() returns too
        of = claimed(key, known, first.locals)
        if of is not None and _is_blank(of, value, first):
            continue
        turns = _turns(of, known, first) if of is not None and isinstance(value, Traced) else []
        if len(turns) > 1 and len(bound.get(key, [])) > 1:
            yield from _claims_of_turns(key, turns, bound[key])
        elif of is not None:
            for label, name, item in _targets(key, of, value, first):
                yield _unprimed(label, set(known)), name, item
        elif isinstance(value, Traced | list) and key.startswith(SURE_PREFIXES):
            raise UnknownName(
                told("{key} claims a gradient of a value that forward does not have.", key=key),
                advice=told("It has: {known}.", known=", ".join(known)),
                place=value.node.place if isinstance(value, Traced) else None,
            )


def _bindings(recording: Recording) -> dict[str, list[Traced]]:
    """The values that each local variable was bound to, in order, without parts of sums."""
    wanted = {
        number: name
        for number, (_, _, name) in recording.namer.best.items()
        if number not in recording.given
    }
    parts = set(_partial_sums(recording.nodes, wanted))
    found: dict[str, list[Traced]] = {}
    for number in sorted(wanted):
        if number not in parts:
            found.setdefault(wanted[number], []).append(Traced(recording, recording.nodes[number]))
    return found


def _turns(of: str, known: Mapping[str, Any], first: ForwardRun) -> list[str]:
    """The values ``h[1], h[2], …`` that forward's variable h was bound to, turn after turn."""
    if of in known or not isinstance(first.locals.get(of), Traced):
        return []
    found = []
    while f"{of}[{len(found) + 1}]" in known:
        found.append(f"{of}[{len(found) + 1}]")
    return found


def _claims_of_turns(
    key: str, turns: list[str], values: list[Traced]
) -> Iterator[tuple[str, str, Any]]:
    """A claim for every turn. A backward loop mostly runs from the last to the first; that it runs
    the other way is seen from what it reads.

    Raises:
        NetworkError: the two loops have not the same number of turns.
    """
    if len(values) != len(turns):
        raise NetworkError(
            told(
                "{key} is bound {count} times, but there are {count2} values {turns} … "
                "{turns2}: which is the gradient of which?",
                key=key,
                count=len(values),
                count2=len(turns),
                turns=turns[0],
                turns2=turns[-1],
            ),
            advice=told("Bind it once at every turn, or collect the gradients in a list."),
            place=values[-1].node.place,
        )
    early, late = _number_read(values[0]), _number_read(values[-1])
    order = turns if early is not None and late is not None and early < late else turns[::-1]
    for number, (of, value) in enumerate(zip(order, values, strict=True), 1):
        yield f"{key}[{number}]", of, value


def _is_turn(label: str, result: Mapping[str, Any]) -> bool:
    """Whether a claim is one of the values of a variable, not an item of a list."""
    return label.endswith("]") and isinstance(result.get(label.partition("[")[0]), Traced)


NEAR = 8
"""Through so many operations it is searched which turn of forward a value belongs to."""


def _number_read(value: Traced) -> int | None:
    """The number of the nearest forward value, or slice, that a value is made of."""
    level = [value.node]
    for _ in range(NEAR):
        for node in level:
            name = value.recording.given.get(node.number, "")
            if name.endswith("]"):
                return int(name[name.index("[") + 1 : -1])
            if node.operation == "getitem":
                whole = [part for part in node.attributes["key"] if isinstance(part, int)]
                if whole:
                    return whole[0]
        level = [operand for node in level for operand in node.operands]
    return None


def _labels(found: list[tuple[str, str, Any]], writer: Writer) -> tuple[list[str], list[Equation]]:
    """The name of the tensor that each claim is. A claim that is another tensor under a second
    name, or whose name another tensor has, gets an equation of its own."""
    taken = {equation.target for equation in writer.equations} | set(writer.names.values())
    labels: list[str] = []
    aliases: list[Equation] = []
    for label, _, value in found:
        name = writer.names[value.node.number]
        if name != label or label in labels:
            label = _unprimed(label, taken)
            free = tuple(Index(axis, size) for axis, size in enumerate(value.node.shape))
            read = Read(name, tuple(at(i) for i in free))
            aliases.append(Equation(label, free, read, value.node.place))
            taken.add(label)
        labels.append(label)
    return labels, aliases


def _is_given(key: str, value: Any, first: ForwardRun) -> bool:
    """Whether backward returns, under its own name, a value that forward gave it."""
    if not isinstance(value, Traced) or value.node.number not in value.recording.given:
        return False
    own = first.locals.get(key)
    named = first.names.get(own.node.number) if isinstance(own, Traced) else key
    return value.recording.given[value.node.number] == named


def _is_blank(of: str, value: Any, first: ForwardRun) -> bool:
    """Whether a gradient, or each of a list, is still to be found."""
    own = first.locals.get(of)
    tensors_ = own if isinstance(own, list) else [own]
    names = {first.names.get(t.node.number) for t in tensors_ if isinstance(t, Traced)} | {of}
    items = value if isinstance(value, list | tuple) else [value]
    return bool(items) and all(
        isinstance(item, Traced)
        and (item.recording.blanks or {}).get(item.recording.given.get(item.node.number, ""))
        in names
        for item in items
    )


def claimed(key: str, known: Mapping[str, Any], local: Mapping[str, Any]) -> str | None:
    """The value whose gradient a variable's name claims to be, or `None`."""
    for prefix in PREFIXES:
        rest = key.removeprefix(prefix)
        if rest != key and (rest in known or isinstance(local.get(rest), list | Traced)):
            return rest
    return None


def _targets(key: str, of: str, value: Any, first: ForwardRun) -> list[tuple[str, str, Any]]:
    target = first.locals.get(of)
    if isinstance(target, list) and isinstance(value, list | tuple):
        if len(target) != len(value):
            raise ShapeError(
                told(
                    "{key} has {count} gradients for the {count2} tensors of {of}.",
                    key=key,
                    count=len(value),
                    count2=len(target),
                    of=of,
                )
            )
        return [
            (f"{key}[{number}]", first.names[tensor.node.number], item)
            for number, (tensor, item) in enumerate(zip(target, value, strict=True), 1)
        ]
    if isinstance(target, Traced):
        return [(key, first.names[target.node.number], value)]
    return [(key, of, value)]


def _check_claim(
    label: str, of: str, value: Any, known: Mapping[str, Any], *, any_shape: bool
) -> None:
    if not isinstance(value, Traced):
        raise GradproofError(
            told(
                "{label} is {kind}, not a tensor computed from forward's values.",
                label=label,
                kind=type(value).__name__,
            ),
            advice=told("For a gradient that is zero, write 0 * {of}.", of=of),
        )
    if value.node.shape != known[of] and not any_shape:
        raise ClaimShape(
            told(
                "{label} is {shape}, but {of} is {shape2}; a gradient has the "
                "shape of its tensor, and nothing is broadcast.",
                label=label,
                shape=show_shape(value.node.shape),
                of=of,
                shape2=show_shape(known[of]),
            ),
            advice=_shape_advice(value.node.shape, known[of]),
            place=value.node.place,
            claim=label,
            of=of,
        )


def _without_gradient(label: str, of: str, value: Any, first: ForwardRun) -> NetworkError:
    """What is said of a claim about a tensor that is data, or made of integers."""
    where = value.node.place if isinstance(value, Traced) else None
    if of in wholes(first.program):
        return NetworkError(
            told(
                "{label} claims the gradient of {of}, whose elements are positions: integers "
                "have no gradient.",
                label=label,
                of=of,
            ),
            advice=told("Leave it out, or give {label} a name that claims none.", label=label),
            place=where,
        )
    if of in first.recording.constants:
        return NetworkError(
            told(
                "{label} claims the gradient of {of}, a plain array that forward does not take.",
                label=label,
                of=of,
            ),
            advice=told(
                "Make {of} a parameter of forward, or give {label} a name that claims none.",
                of=of,
                label=label,
            ),
            place=where,
        )
    return NetworkError(
        told(
            "{label} claims the gradient of {of}, which is data and is not differentiated.",
            label=label,
            of=of,
        ),
        advice=told(
            'Drop ", data" from the annotation of {of}, or give {label} a name that claims none.',
            of=of,
            label=label,
        ),
        place=where,
    )


def _shape_advice(got: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    if len(got) == 2 and got[::-1] == wanted:
        return told("It looks transposed: try .T")
    if len(got) == len(wanted) + 1 and got[1:] == wanted:
        return told("Sum over the first axis: .sum(axis=0), without keepdims.")
    return ""
