"""A plan to the text of a source file: forward, backward, the framework's own idiom, a check."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from gradproof.code.array import Along as Softmax
from gradproof.code.array import (
    Array,
    Call,
    Member,
    Minus,
    Name,
    PiNumber,
    Plus,
    Reduced,
    Series,
    Stacked,
    is_number,
    walk,
)
from gradproof.code.checking import Bounds, check_lines, lists, regrouped
from gradproof.code.dialect import HELPERS, NEEDS, Dialect
from gradproof.code.factors import Line
from gradproof.code.fitting import fitted
from gradproof.code.plan import RANGE, RESERVED, Plan, lengths, size_variables, turn_variable
from gradproof.code.text import Ink, code, parts_of, turns
from gradproof.code.turns import Loop, roll
from gradproof.core.index import Size
from gradproof.core.program import Tensor
from gradproof.trace.signature import Signature, members

WIDTH = 88
"""Columns of a file: those of ruff and black where nothing else is said."""

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Order:
    """What is exported: a network by its name and signature, as a plan, for a framework."""

    network: str
    signature: Signature
    plan: Plan
    dialect: Dialect
    bounds: Bounds
    command: str


def source_file(order: Order) -> str:
    """The whole file, as text that ruff leaves as it is."""
    plan, dialect = order.plan, order.dialect
    ink = Ink(dialect, size_names(plan), turn_name(plan))
    forward, backward = (
        fitted(roll(lines), ink, WIDTH - 4, names_used(plan) | set(ink.sizes.values()))
        for lines in (plan.forward, plan.backward)
    )
    lines = [
        *_docstring(order),
        "",
        *imports([*plan.forward, *plan.backward], dialect),
        "",
        "",
        *helpers([*plan.forward, *plan.backward], dialect),
        *_forward(order, forward, ink),
        "",
        "",
        *_backward(order, backward, ink),
        "",
        "",
        *_idiom(order),
        *_check(order),
    ]
    return "\n".join(lines) + "\n"


# --- the head ----------------------------------------------------------------------------------


def function_name(network: str) -> str:
    """What the exported function is called."""
    plain = "".join(c if c.isalnum() or c == "_" else "_" for c in network)
    plain = plain if plain[:1].isalpha() else f"net_{plain}"
    return f"{plain}_" if plain in RESERVED else plain


def parameters(order: Order) -> list[str]:
    """What the functions call their parameters: as the network does, unless a file needs the name
    itself."""
    found = []
    for name, entry in order.signature.items():
        variable = None if isinstance(entry, list) else order.plan.variables[name]
        found.append(variable.name if isinstance(variable, Name) else safe(name))
    return found


def safe(name: str) -> str:
    return f"{name}_" if name in RESERVED or keyword.iskeyword(name) else name


def class_name(network: str) -> str:
    """What the exported ``autograd.Function`` is called."""
    return "".join(part.capitalize() for part in function_name(network).split("_") if part)


def _docstring(order: Order) -> list[str]:
    plan, dialect = order.plan, order.dialect
    name = function_name(order.network)
    called = ", ".join(parameters(order))
    output = plan.variables[plan.output]
    said = output.name if isinstance(output, Name) else "result"
    given = f", {_given(plan)}" if plan.given else ""
    if dialect.name == "numpy":
        usage = [
            f"    {said}, saved = forward({called})",
            f"    gradients = backward(saved{given})",
        ]
    else:
        usage = [f"    {said} = {name}({called})"]
    of = (
        "its loss"
        if plan.output == plan.derivation.loss or not _shape(plan, plan.output)
        else (said)
    )
    lines = [
        f'"""{order.network}: {of} and the derived gradients, for {dialect.title}.',
        "",
        *(part for line in usage for part in wrapped(line, "        ")),
        "",
        *wrapped(f"Shapes: {_shapes(order)}.", ""),
        *wrapped(_words_on_data(order), ""),
        "",
        f"Written by  {order.command}",
        *wrapped(
            f"python FILE.py checks the gradients {_check_words(dialect)}; the bounds are derived.",
            "",
        ),
        '"""',
    ]
    return [line.rstrip() for line in lines]


def _check_words(dialect: Dialect) -> str:
    if dialect.name == "numpy":
        return "against certified directional derivatives of the forward function"
    return f"against {dialect.title}'s own"


def _words_on_data(order: Order) -> str:
    data = [t.name for t in order.plan.inputs if t.name not in order.plan.gradients]
    return f"Data, without a gradient: {', '.join(data)}." if data else ""


def _shape(plan: Plan, name: str) -> tuple[Size, ...]:
    return plan.shapes[name]


def _shapes(order: Order) -> str:
    parts = []
    for tensor in order.plan.inputs:
        parts.append(f"{tensor.name} {shape_words(tensor.shape)}")
    shape = _shape(order.plan, order.plan.output)
    return ", ".join([*parts, f"{order.plan.output} {shape_words(shape)}"])


def shape_words(shape: Sequence[Size]) -> str:
    """A shape for a reader."""
    if not shape:
        return "scalar"
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def wrapped(text: str, indent: str, width: int = WIDTH) -> list[str]:
    lead = text[: len(text) - len(text.lstrip())]
    return wrap(
        text.strip(),
        width,
        initial_indent=lead,
        subsequent_indent=lead + indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def imports(lines: Sequence[Line], dialect: Dialect) -> list[str]:
    """The imports that lines need, and NumPy for the check."""
    nodes = [node for line in lines for node in walk(line.value)]
    functions = _functions(nodes, dialect)
    standard = any(isinstance(n, PiNumber) for n in nodes) or any(
        isinstance(n, Call) and n.function == "sqrt" and is_number(n.arguments[0]) for n in nodes
    )
    standard |= bool(functions & {"erf", "gelu", "gelu_tanh"})  # they have √2 and π
    lines = ["import math", ""] if standard else []
    both = [*dialect.imports, *(["import numpy as np"] if dialect.name != "numpy" else [])]
    return [*lines, *sorted(both, key=lambda line: line.split()[1])]


def _functions(nodes: Iterable[Array], dialect: Dialect) -> set[str]:
    """The functions that the file has to define."""
    defined = HELPERS[dialect.name]
    used: set[str] = set()
    for node in nodes:
        match node:
            case Call(function, _) if function in defined and function not in dialect.functions:
                used.add(function)
            case Softmax(function, _, _) | Reduced(function, _, _, _, _) if function in defined:
                used.add(function)
            case _:
                pass
    for function in tuple(used):
        used.update(name for name in NEEDS.get(function, ()) if name in defined)
    return used


def helpers(lines: Sequence[Line], dialect: Dialect) -> list[str]:
    used = _functions((node for line in lines for node in walk(line.value)), dialect)
    found: list[str] = []
    for name, text in HELPERS[dialect.name].items():
        if name in used:
            found += [*text.splitlines(), "", ""]
    return found


def names_used(plan: Plan) -> set[str]:
    """The names that are in use."""
    lines = (*plan.forward, *plan.backward)
    variables = (*plan.variables.values(), *(line.target for line in lines))
    found = {v.family if isinstance(v, Member) else getattr(v, "name", "") for v in variables}
    return found | RESERVED


def size_names(plan: Plan) -> dict[str, str]:
    """Variables for the size symbols; a tensor may have the name of one."""
    taken = names_used(plan)
    symbols = {size for shape in plan.shapes.values() for size in shape if isinstance(size, str)}
    return size_variables(symbols, taken)


def turn_name(plan: Plan) -> str:
    taken = names_used(plan) | set(size_names(plan).values())
    return turn_variable(taken)


# --- the functions -----------------------------------------------------------------------------


def _forward(order: Order, lines: Sequence[Line | Loop], ink: Ink) -> list[str]:
    plan = order.plan
    of = "loss" if _is_loss(plan) else plan.output
    body = [
        f'"""The {of}, and what backward needs."""'
        if _is_loss(plan)
        else (f'"""{of}, and what backward needs."""'),
        *entered(order),
        *sizes_read(plan.forward, ink, [t.name for t in plan.inputs], plan),
        *families(plan, plan.forward),
        *written(lines, ink),
        *returned(f"return {code(plan.variables[plan.output], ink)}, ", _packed(plan, ink)),
    ]
    return [*definition("forward", parameters(order)), *indented(body)]


def _is_loss(plan: Plan) -> bool:
    return not _shape(plan, plan.output)


def _given(plan: Plan) -> str:
    assert plan.given is not None
    variable = plan.variables[plan.given]
    if isinstance(variable, Member):
        return f"{variable.family}_{variable.number}"
    assert isinstance(variable, Name)
    return variable.name


def _backward(order: Order, lines: Sequence[Line | Loop], ink: Ink) -> list[str]:
    plan = order.plan
    names = ["saved", *([_given(plan)] if plan.given else [])]
    of = plan.output
    words = f"The gradients of {of} by the inputs"
    if plan.given:
        words = f"The gradients by the inputs, from {_given(plan)}, that by {of}"
    known = [*plan.saved, *([plan.given] if plan.given else [])]
    body = [
        f'"""{words}."""',
        *_unpacked(plan),
        *sizes_read(plan.backward, ink, known, plan),
        *families(plan, plan.backward),
        *written(lines, ink),
        *_gradients(order, ink),
    ]
    return [*definition("backward", names), *indented(body)]


def entered(order: Order) -> list[str]:
    """Lists as members, counted from 1; what starts a loop is its member 0."""
    found = []
    for name in lists(order.signature):
        member = order.plan.variables[f"{name}[1]"]
        assert isinstance(member, Member)
        found.append(f"{member.family} = dict(enumerate({safe(name)}, 1))")
    return found


def sizes_read(lines: Sequence[Line], ink: Ink, known: Sequence[str], plan: Plan) -> list[str]:
    found = []
    for symbol in lengths(lines):
        name = next(n for n in known if symbol in _shape(plan, n))
        axis = _shape(plan, name).index(symbol)
        said = code(plan.variables[name], ink)
        if name == plan.given:
            said = _given(plan)
        elif lines is plan.forward and isinstance(plan.variables[name], Member):
            # A list, or what a loop starts from, comes in under its own name.
            said = safe(name) if name in plan.starts else said
        found.append(f"{ink.sizes[symbol]} = {said}.shape[{axis}]")
    return found


def families(plan: Plan, lines: Sequence[Line]) -> list[str]:
    """Dictionaries for the members of loops, with what they start from."""
    made = dict.fromkeys(line.target.family for line in lines if isinstance(line.target, Member))
    forward = lines is plan.forward
    started = {}
    if forward:
        given_to_forward = {tensor.name for tensor in plan.inputs}
        for name in plan.starts:
            variable = plan.variables[name]
            # A value that forward works out becomes member 0 on the line that does so.
            if isinstance(variable, Member) and name in given_to_forward:
                started[variable.family] = name
    given = plan.variables[plan.given] if plan.given else None
    found = [f"{family} = {{0: {safe(name)}}}" for family, name in started.items()]
    if not forward and isinstance(given, Member):
        started[given.family] = plan.given or ""
        found.append(f"{given.family} = {{{given.number}: {_given(plan)}}}")
    empty = [family for family in made if family not in started]
    while empty:
        some: list[str] = []
        while empty and len(", ".join([*some, empty[0]])) + 4 * (len(some) + 1) < WIDTH - 10:
            some.append(empty.pop(0))
        found.append(f"{', '.join(some)} = {', '.join(['{}'] * len(some))}")
    return found


def written(lines: Sequence[Line | Loop], ink: Ink) -> list[str]:
    found: list[str] = []
    for one in lines:
        if isinstance(one, Loop):
            head = f"for {ink.turn} in {turns(one.first, one.last, down=one.down)}:"
            # The head of the loop says for which turns it is.
            plain = (replace(line, formula=line.formula.partition(RANGE)[0]) for line in one.lines)
            found += [head, *indented([t for line in plain for t in _line(line, ink, 8)])]
        else:
            found += _line(one, ink, 4)
    return found


def _line(line: Line, ink: Ink, indent: int) -> list[str]:
    """An assignment below its formula; what is too long has a line for each of its parts."""
    comment = wrapped(f"# {line.formula}", "#     ", WIDTH - indent) if line.formula else []
    target, said = code(line.target, ink), code(line.value, ink)
    free = WIDTH - indent
    if len(target) + len(said) + 3 <= free:
        return [*comment, f"{target} = {said}"]
    turned = _over_turns(line.value, ink, free - 4)
    if turned is not None:
        return [*comment, f"{target} = {turned[0]}", *turned[1:]]
    parts = parts_of(line.value, ink)
    if len(parts) == 1:
        return [*comment, f"{target} = {said}"]
    parts = [said] if len(said) <= free - 4 else parts
    return [*comment, f"{target} = (", *indented(parts), ")"]


def _over_turns(value: Array, ink: Ink, width: int) -> list[str] | None:
    """A sum or a stack over the turns of a loop on several lines; `None` for anything else."""
    match value:
        case Minus(body):
            inside = _over_turns(body, ink, width)
            return None if inside is None else [f"-{inside[0]}", *inside[1:]]
        case Plus((Series() as series,)):
            return ["sum(", *indented(_series(series, ink, width)), ")"]
        case Stacked((Series() as series,), _):
            head, _, tail = code(value, ink).partition("[" + code(series, ink) + "]")
            rest = tail.removeprefix(", ").removesuffix(")")
            line = f"[{code(series, ink)}]"
            if len(line) + len(rest) + 2 <= width:
                return [head, f"{INDENT}{line}, {rest}", ")"]
            one = (
                [f"{line},"]
                if len(line) < width
                else ["[", *indented(_series(series, ink, width - 4)), "],"]
            )
            return [head, *indented([*one, f"{rest},"]), ")"]
        case _:
            return None


def _series(series: Series, ink: Ink, width: int) -> list[str]:
    said = code(series, ink)
    if len(said) <= width:
        return [said]
    body = code(series.body, ink)
    parts = [body] if len(body) <= width else parts_of(series.body, ink)
    return [*parts, said[len(body) + 1 :]]


def _groups(plan: Plan) -> tuple[list[str], dict[str, list[int]]]:
    """What is saved: single tensors, and the numbers of members of each family."""
    single: list[str] = []
    several: dict[str, list[int]] = {}
    for name in plan.saved:
        variable = plan.variables[name]
        if isinstance(variable, Member):
            assert isinstance(variable.number, int)
            several.setdefault(variable.family, []).append(variable.number)
        else:
            assert isinstance(variable, Name)
            single.append(variable.name)
    return single, {family: sorted(numbers) for family, numbers in several.items()}


def _packed(plan: Plan, ink: Ink) -> list[str]:
    single, several = _groups(plan)
    found = [*single]
    for family, numbers in several.items():
        if numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 1:
            found.append(
                f"*({family}[{ink.turn}] for {ink.turn} in {turns(numbers[0], numbers[-1])})"
            )
        else:
            found += [f"{family}[{number}]" for number in numbers]
    return found


def _unpacked(plan: Plan) -> list[str]:
    single, several = _groups(plan)
    if not single and not several:
        return []
    head = [*single, *(["*turns"] if several else [])]
    found = returned("", head, " = saved")
    start = 0
    for family, numbers in several.items():
        stop = start + len(numbers)
        part = f"turns[{start}:{stop}]"
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            first = f", {numbers[0]}" if numbers[0] else ""
            found.append(f"{family} = dict(enumerate({part}{first}))")
        else:
            found.append(f"{family} = dict(zip({numbers}, {part}, strict=True))")
        start = stop
    return found


def _gradients(order: Order, ink: Ink) -> list[str]:
    said = {name: gradient_of(entry, order.plan, ink) for name, entry in order.signature.items()}
    if order.dialect.name == "numpy":
        pairs = [f'"{name}": {value}' for name, value in said.items() if value != "None"]
        return returned("return {", pairs, "}", around=False)
    return returned("return ", list(said.values()))


def gradient_of(entry: Tensor | list[Tensor], plan: Plan, ink: Ink) -> str:
    """A parameter's gradient: of a list the list of its members', and None where there is none."""
    each = [plan.gradients.get(tensor.name) for tensor in members(entry)]
    said = ["None" if one is None else code(one, ink) for one in each]
    if not isinstance(entry, list):
        return said[0]
    family = [one for one in each if isinstance(one, Member)]
    if [one.number for one in family] == list(range(1, len(entry) + 1)):
        return f"[{family[0].family}[{ink.turn}] for {ink.turn} in {turns(1, len(entry))}]"
    return f"[{', '.join(said)}]"


def returned(head: str, parts: Sequence[str], tail: str = "", *, around: bool = True) -> list[str]:
    """A tuple, or what stands in brackets already, on one line or one part a line."""
    comma = "," if len(parts) == 1 and around else ""
    plain = ", ".join(parts) + comma
    bare = head in ("", "return ")
    opened, closed = ("", "") if not around or (bare and parts) else ("(", ")")
    star = any(part.startswith("*") for part in parts) and head
    if around and (star or len(parts) < 2):
        opened, closed = "(", ")"
    line = f"{head}{opened}{plain}{closed}{tail}"
    if len(line) <= WIDTH - 4:
        return [line]
    opened, closed = ("(", ")") if around else ("", "")
    return [f"{head}{opened}", *(f"{INDENT}{part}," for part in parts), f"{closed}{tail}"]


def definition(name: str, parameters: Sequence[str]) -> list[str]:
    line = f"def {name}({', '.join(parameters)}):"
    if len(line) <= WIDTH - 4:
        return [line]
    return [f"def {name}(", *(f"{INDENT}{one}," for one in parameters), "):"]


def indented(lines: Iterable[str], by: str = INDENT) -> list[str]:
    return [f"{by}{line}" if line else line for line in lines]


# --- what each framework calls a function with its own gradient -----------------------------------


def _idiom(order: Order) -> list[str]:
    plan = order.plan
    name = function_name(order.network)
    own = parameters(order)
    docstring = [f'"""{_sentence(order)}"""']
    match order.dialect.name:
        case "torch":
            flat, again, spread = _flat(order)
            return [
                f"class {class_name(order.network)}(torch.autograd.Function):",
                f'{INDENT}"""{_sentence(order)}"""',
                "",
                f"{INDENT}@staticmethod",
                *indented(definition("forward", ["ctx", *flat])),
                *indented(_call(f"{_out(plan)}, saved = forward", again), INDENT * 2),
                f"{INDENT * 2}ctx.save_for_backward(*saved)",
                f"{INDENT * 2}return {_out(plan)}",
                "",
                f"{INDENT}@staticmethod",
                f"{INDENT}@torch.autograd.function.once_differentiable",
                f"{INDENT}def backward(ctx, {_given(plan)}):",
                *indented(_flattened(order, "ctx.saved_tensors"), INDENT * 2),
                "",
                "",
                *definition(name, own),
                *indented(docstring),
                *indented(_call(f"return {class_name(order.network)}.apply", spread)),
                "",
                "",
            ]
        case "jax":
            return [
                "@jax.custom_vjp",
                *definition(name, own),
                *indented(docstring),
                *indented(_call("return forward", own, "[0]")),
                "",
                "",
                f"{name}.defvjp(forward, backward)",
                "",
                "",
            ]
        case "tensorflow":
            flat, again, spread = _flat(order)
            inner = [
                "@tf.custom_gradient",
                *definition("with_gradient" if _has_list(order) else name, flat),
                *indented(docstring if not _has_list(order) else []),
                *indented(_call(f"{_out(plan)}, saved = forward", again)),
                "",
                f"{INDENT}def pullback({_given(plan)}):",
                *indented(_flattened(order, "saved"), INDENT * 2),
                "",
                f"{INDENT}return {_out(plan)}, pullback",
                "",
                "",
            ]
            outer = [
                *definition(name, own),
                *indented(docstring),
                *indented(_call("return with_gradient", spread)),
                "",
                "",
            ]
            return [*inner, *outer] if _has_list(order) else inner
        case _:
            return []


def _sentence(order: Order) -> str:
    of = "The loss" if _is_loss(order.plan) else order.plan.output
    return f"{of} of {order.network}, with the derived gradients."


def _out(plan: Plan) -> str:
    variable = plan.variables[plan.output]
    return variable.name if isinstance(variable, Name) else "result"


def _has_list(order: Order) -> bool:
    return bool(lists(order.signature))


def _flat(order: Order) -> tuple[list[str], list[str], list[str]]:
    """Parameters of a function that takes tensors only, what forward is called with then, and
    what it is called with itself."""
    if not _has_list(order):
        plain = parameters(order)
        return plain, plain, plain
    spread = [
        f"*{safe(name)}" if isinstance(entry, list) else safe(name)
        for name, entry in order.signature.items()
    ]
    return ["*tensors"], regrouped(order.signature), spread


def _flattened(order: Order, saved: str) -> list[str]:
    call = f"backward({saved}, {_given(order.plan)})"
    if not _has_list(order):
        return [f"return {call}"]
    names = [
        f"*{name}_" if isinstance(entry, list) else f"{name}_"
        for name, entry in order.signature.items()
    ]
    plain = [name.strip("*") for name in names]
    return [
        *returned("", plain, f" = {call}"),
        *returned("return ", names),
    ]


def _call(head: str, arguments: Sequence[str], tail: str = "") -> list[str]:
    line = f"{head}({', '.join(arguments)}){tail}"
    if len(line) <= WIDTH - 8:
        return [line]
    return [f"{head}(", *(f"{INDENT}{one}," for one in arguments), f"){tail}"]


# --- the check ---------------------------------------------------------------------------------


def _check(order: Order) -> list[str]:
    return check_lines(
        order.signature, order.plan, order.dialect, order.bounds, function_name(order.network)
    )
