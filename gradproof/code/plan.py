"""A derivation to the lines of a forward and of a backward function, and what passes between."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradproof.code.array import ANY, Array, Grid, Identity, Length, Member, Name, transform, walk
from gradproof.code.factors import Line, with_common_factors
from gradproof.code.lay import lay_equation
from gradproof.code.tensors import Bench
from gradproof.core.errors import NotYet
from gradproof.core.index import Index, Size, at
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Program, Tensor, shapes
from gradproof.core.term import Along, Apply, Product, Read, Sum, reads
from gradproof.core.told import told
from gradproof.ink.terminal import text
from gradproof.prims.linalg import INVERSE
from gradproof.write.convention import Convention
from gradproof.write.loops import Initial, initial_values, member
from gradproof.write.rolled import page_of, rolled

SYMBOL = "∂l/∂"

UPSTREAM = "what follows"
"""The gradient of whatever follows the output, where a backward function is given it."""

RANGE = "   ("
"""What stands between the formula of a loop and its turns."""

TOTAL = "the whole loss"
"""What it is all differentiated from then; no variable of a user's has such a name."""

RESERVED = {
    *("np", "torch", "jax", "jnp", "tf", "math", "forward", "backward", "saved", "check", "draw"),
    *("sigmoid", "softmax", "logsumexp", "erf", "silu", "gelu", "gelu_tanh", "sum", "range"),
    *("ctx", "dict", "enumerate", "zip", "pullback", "BOUNDS", "SLOPES", "inputs", "gradients"),
}
"""Names that an exported file has of its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What both functions are: their lines, and the tensors that pass from one to the other.

    ``inputs`` are the tensors that forward takes, ``output`` is what it returns, ``given`` the
    gradient that backward is given, if any, and ``gradients`` the variable of each input's
    gradient, where it has one. ``variables`` are those of all tensors.
    """

    inputs: tuple[Tensor, ...]
    output: str
    given: str | None
    forward: tuple[Line, ...]
    backward: tuple[Line, ...]
    saved: tuple[str, ...]
    gradients: Mapping[str, Array]
    variables: Mapping[str, Array]
    starts: Mapping[str, str]
    shapes: Mapping[str, tuple[Size, ...]]
    derivation: Derivation


def seeded(program: Program, output: str) -> Program:
    """The program whose loss is ``⟨upstream, output⟩``: what its output is used for, whatever
    that is, enters by its gradient."""
    kept = needed(program, output)
    shape = shapes(program)[output]
    free = tuple(Index(k, size) for k, size in enumerate(shape))
    places = tuple(at(i) for i in free)
    body = Product((Read(UPSTREAM, places), Read(output, places)))
    total = Equation(TOTAL, (), Sum(free, body) if free else body)
    used = {read.tensor for equation in kept for read in reads(equation.term)}
    inputs = tuple(tensor for tensor in program.inputs if tensor.name in used)
    upstream = Tensor(UPSTREAM, shape, role="data")
    return Program((*inputs, upstream), (*kept, total), (TOTAL,))


def needed(program: Program, output: str) -> tuple[Equation, ...]:
    """The equations that an output is made of."""
    alive = {output}
    kept = []
    for equation in reversed(program.equations):
        if equation.target in alive:
            alive.update(read.tensor for read in reads(equation.term))
            kept.append(equation)
    return tuple(reversed(kept))


def before_the_loss(program: Program) -> str:
    """The value that the loss is taken of.

    Raises:
        NotYet: it is taken of several, or of inputs only.
    """
    (loss,) = program.outputs
    made = {equation.target: equation for equation in program.equations}
    given = {tensor.name for tensor in program.inputs if tensor.role != "data"}
    found = dict.fromkeys(read.tensor for read in reads(made[loss].term))
    values = [name for name in found if name in made]
    if len(values) != 1 or any(name in given for name in found):
        of = ", ".join(name for name in found if name in made or name in given)
        raise NotYet(
            told(
                "The loss is taken of {of}: --vjp needs one value that everything passes through.",
                of=of,
            ),
            advice=told("Without --vjp the gradients of the loss itself are exported."),
            place=made[loss].place,
        )
    return values[0]


def plan(
    derivation: Derivation,
    convention: Convention,
    output: str,
    given: str | None,
    constants: Mapping[str, np.ndarray],
) -> Plan:
    """The lines of a forward and a backward function.

    Args:
        derivation: of the loss, or of a program that `seeded` made.
        convention: of the formulas above the lines.
        output: what forward returns.
        given: the gradient that backward is given, if any.
        constants: the arrays that the network brings along.

    Raises:
        NotYet: an equation has no code yet; the message names its line.
    """
    program = derivation.forward
    known = {**shapes(program), **shapes(derivation.backward)}
    initial = initial_values(program.equations)
    variables = variables_of(known, initial)
    bench = bench_of(program, known, variables, constants)
    page = page_of(derivation, convention)
    written = formulas_of(derivation, page)
    forward = [e for e in program.equations if not (given and e.target == derivation.loss)]
    forward = [e for e in forward if e in needed(program, output)]
    backward = _backward(derivation, given)
    taken = RESERVED | {v.name if isinstance(v, Name) else "" for v in variables.values()}

    def lines(equations: Sequence[Equation]) -> tuple[Line, ...]:
        laid = [
            Line(variables[e.target], lay_equation(e, bench), written[e.target])  # type: ignore[arg-type]
            for e in equations
        ]
        return tuple(with_common_factors(with_dtypes(laid, bench, program), {*taken}))

    first, second = lines(forward), lines(backward)
    used = {node for line in second for node in walk(line.value)}
    saved = tuple(
        name for name in known if not name.startswith(SYMBOL) and variables.get(name) in used
    )
    saved = (*saved, *_for_sizes(lengths(second), saved, given, program, known))
    inputs = tuple(t for t in program.inputs if t.name not in constants and t.name != UPSTREAM)
    gradients = {
        t.name: variables[derivation.gradients[t.name]]
        for t in inputs
        if t.name in derivation.gradients
    }
    starts = {name: family for family, name in initial.names.items()}
    return Plan(
        inputs, output, given, first, second, saved, gradients, variables, starts, known, derivation
    )


def bench_of(
    program: Program,
    known: Mapping[str, tuple[Size, ...]],
    variables: Mapping[str, Array],
    constants: Mapping[str, np.ndarray],
) -> Bench:
    """What a program's equations are laid out under; ``known`` are the shapes of all tensors."""
    return Bench(
        lambda name: variable_of(name, variables, constants),
        known,
        outputs_of(program.equations),
        frozenset(t.name for t in program.inputs if t.law.startswith("index ")) | {*constants},
    )


def _for_sizes(
    symbols: Iterable[str],
    saved: Sequence[str],
    given: str | None,
    program: Program,
    known: Mapping[str, tuple[Size, ...]],
) -> list[str]:
    """Inputs that are saved for nothing but the sizes that backward divides by."""
    held = {size for name in (*saved, *([given] if given else [])) for size in known[name]}
    found: list[str] = []
    for symbol in symbols:
        if symbol not in held:
            one = next(tensor for tensor in program.inputs if symbol in tensor.shape)
            found.append(one.name)
            held.update(one.shape)
    return found


def _backward(derivation: Derivation, given: str | None) -> list[Equation]:
    """The gradient equations that the inputs' gradients are made of."""
    inputs = {t.name for t in derivation.forward.inputs}
    alive = {name for of, name in derivation.gradients.items() if of in inputs}
    kept = []
    for step in reversed(derivation.steps):
        if step.equation.target in alive and step.equation.target != given:
            alive.update(read.tensor for read in reads(step.equation.term))
            kept.append(step.equation)
    return list(reversed(kept))


def with_dtypes(lines: Sequence[Line], bench: Bench, program: Program) -> list[Line]:
    """The lines with a tensor that has the dtype of constants, where their equation reads none."""
    read = {node for line in lines for node in walk(line.value)}
    floats = [t.name for t in program.inputs if t.name not in bench.whole and t.name != UPSTREAM]
    made = [equation.target for equation in program.equations]
    known = [bench.variable(name) for name in (*made, *floats)]
    usual = next((one for one in known if one in read), known[-1])
    found = []
    for spot, line in enumerate(lines):
        later = {other.target for other in lines[spot:]}
        near = [node for node in walk(line.value) if node in known and node not in later]
        like = usual if usual not in later else next(iter(near), known[-1])
        found.append(replace(line, value=transform(line.value, _put_for_any(like))))
    return found


def _put_for_any(like: Array) -> Callable[[Array], Array]:
    return lambda node: like if node == ANY else node


def formulas_of(derivation: Derivation, page: object) -> dict[str, str]:
    """The formula of each target, a loop's that of all its turns."""
    found: dict[str, str] = {}
    for program in (derivation.forward, derivation.backward):
        for line in rolled(program.equations, page):  # type: ignore[arg-type]
            said = text(line.equality)
            for target in line.members or (line.target,):
                found[target] = f"{said}{RANGE}{line.range})" if line.range else said
    for program in (derivation.forward, derivation.backward):
        for equation in program.equations:
            name = equation.target
            found.setdefault(name, found.get(f"{name}[t]", name))
    return found


def variables_of(known: Mapping[str, object], initial: Initial) -> dict[str, Array]:
    """The variable of each tensor: ``dl_dW1`` for ``∂l/∂W1``, ``h[3]`` for a turn of a loop."""
    own = {_spelled(name).partition("[")[0] for name in known if not _is_gradient(name)}

    def spelled(name: str) -> str:
        family, bracket, rest = _spelled(name).partition("[")
        # A network may have a dW or a dl_dW of its own.
        while _is_gradient(name) and family in own:
            family += "_"
        return f"{family}{bracket}{rest}"

    families = {found[0] for name in known if (found := member(spelled(name))) is not None}
    plain = {spelled(name) for name in known}
    taken = set(RESERVED)
    names: dict[str, str] = {}

    def free(name: str) -> str:
        if name not in names:
            new = name
            while new in taken or keyword.iskeyword(new) or (name != new and new in plain):
                new += "_"
            taken.add(new)
            names[name] = new
        return names[name]

    found: dict[str, Array] = {}
    for name in known:
        one = (
            initial.numbered(spelled(name))
            if name in initial.names.values()
            else (member(spelled(name)))
        )
        if one is not None and one[0] in families:
            found[name] = Member(free(one[0]), one[1])
        else:
            found[name] = Name(free(spelled(name)))
    return found


def _is_gradient(name: str) -> bool:
    return SYMBOL in name or DIFFERENTIAL in name


def _spelled(name: str) -> str:
    return name.replace(DIFFERENTIAL, "d").replace(SYMBOL, "dl_d").replace("'", "_")


def size_variables(symbols: Collection[str], taken: Container[str]) -> dict[str, str]:
    """Variables for size symbols; a tensor may have the name of one."""
    found: dict[str, str] = {}
    for symbol in sorted(symbols):
        free = symbol not in taken and not keyword.iskeyword(symbol)
        new = symbol if free else f"size_{symbol}"
        while new in taken or new in found.values() or (new != symbol and new in symbols):
            new += "_"
        found[symbol] = new
    return found


def turn_variable(taken: Container[str]) -> str:
    """A variable that counts the turns of a loop."""
    new = next((name for name in ("t", "k", "turn") if name not in taken), "turn_")
    while new in taken:
        new += "_"
    return new


def variable_of(
    name: str, variables: Mapping[str, Array], constants: Mapping[str, np.ndarray]
) -> Array:
    if name in constants:
        size = name.removeprefix("range(").removesuffix(")")
        if name.startswith("range(") and size.isdecimal():
            return Grid(((1, int(size)),), 0)
        array = constants[name]
        if array.ndim == 2 and np.array_equal(array, np.eye(len(array))):
            return Identity(len(array), ANY)
        raise NotYet(
            told(
                "{name}, a plain array that the function brings along, cannot be exported yet.",
                name=name,
            ),
            advice=told('Make it a parameter with an annotation such as  M: "4 4, data".'),
        )
    return variables[name]


def outputs_of(equations: Sequence[Equation]) -> dict[tuple[str, str], str]:
    """The forward values that are a function of one other value, element by element, or the
    inverse of a matrix."""
    found: dict[tuple[str, str], str] = {}
    for equation in equations:
        match equation.term:
            case Apply(function, (Read(tensor, places),), 0) if places == tuple(
                at(i) for i in equation.free
            ):
                found[function, tensor] = equation.target
            case Along("inverse", i, Along(_, j, Read(tensor, places), column), row) if places == (
                at(i),
                at(j),
            ) and (row, column) == tuple(at(k) for k in equation.free):
                found[INVERSE, tensor] = equation.target
            case _:
                pass
    return found


def lengths(lines: Sequence[Line]) -> dict[str, None]:
    """The size symbols that lines need a number for, in order."""
    found: dict[str, None] = {}

    def note(size: object) -> None:
        if isinstance(size, str) and size:
            found[size] = None

    for line in lines:
        for node in walk(line.value):
            match node:
                case Length(size):
                    note(size)
                case Grid(places, _, within, _):
                    note(within)
                    for place in places:
                        note(place[1] if place else None)
                case _ if hasattr(node, "shape"):
                    for size in node.shape:
                        note(size)
                case _:
                    pass
    return found
