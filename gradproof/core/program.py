"""Equations, programs and derivations: what the workers hand to one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradproof.core.errors import Place
from gradproof.core.index import Index, Size
from gradproof.core.term import Bracket, Product, Read, Sum, Term, reads, walk


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor: its axes' sizes, and what is known of its elements.

    ``law`` is ``""`` or one of ``LAWS``; ``role`` is ``"input"``, or ``"data"`` for what is
    given and not differentiated (targets, masks).
    """

    name: str
    shape: tuple[Size, ...]
    law: str = ""
    role: str = "input"


LAWS = ("positive", "probabilities", "one-hot", "nonnegative")
"""What an annotation may promise of the elements, after a comma: ``"n k, probabilities"``."""


@dataclass(frozen=True, slots=True)
class Equation:
    """``target[free] = term``. The free indices are the axes of the target, in order."""

    target: str
    free: tuple[Index, ...]
    term: Term
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A flat list of named index equations over inputs.

    Every equation reads only inputs and targets of earlier equations, and no name is defined
    twice: `spec.check` is the executable form of this law.
    """

    inputs: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A user's formula for the gradient with respect to ``of``: the tensor ``name``.

    ``turn`` says that it is one of the values that a loop bound a variable to.
    """

    of: str
    name: str
    place: Place | None = None
    turn: bool = False


@dataclass(frozen=True, slots=True)
class Least:
    """That a size symbol's number must be at least ``size``, because of what stands at a place."""

    symbol: str
    size: int
    because: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Stands for the tensor of this name in what a function is given."""

    name: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A traced paper: the forward program, and the user's own backward as a program.

    ``backward`` has the forward's inputs and values among its inputs. ``operations`` maps
    each named forward value to the number of the operation that made it, which is how an
    engine's run of the same function finds the same value. ``notes`` are sentences for the
    reader, such as that names had to be invented. ``constants`` holds the plain arrays that the
    functions brought along; ``parameters`` says what each parameter of backward is: a tensor, by
    `Named`, or a container of them. ``blanks`` are the inputs of ``backward`` that stand for a
    gradient which is still to be found, each with the tensor whose gradient it is. ``least`` holds
    what constant positions ask of the sizes. ``asked`` are the size symbols whose numbers the
    functions compare or cut, and ``fixed`` those that have become numbers because of such things:
    what is said of the paper is then said at these numbers only. ``scalings`` counts, for a target,
    the constants by which its code multiplies or divides on the way: an equation has one number of
    them, or none, as of ``0.1 * x * 10``.
    """

    forward: Program
    loss: str
    backward: Program | None
    claims: tuple[Claim, ...]
    operations: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    constants: Mapping[str, object] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    blanks: Mapping[str, str] = field(default_factory=dict)
    least: tuple[Least, ...] = ()
    asked: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    scalings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One gradient equation; ``paths`` names the values through which it reaches the loss.

    ``raw`` is the equation's term with nothing collected or cancelled, as an engine adds it up:
    rounding errors are bounded on it.
    """

    of: str
    equation: Equation
    paths: tuple[str, ...]
    raw: Term


@dataclass(frozen=True, slots=True)
class Derivation:
    """The gradient of ``loss`` with respect to every value and input, back to front.

    ``backward`` is a program whose inputs are the forward's tensors; ``gradients`` maps each
    tensor to the name of its gradient. ``zero`` lists what the loss does not depend on.
    """

    forward: Program
    loss: str
    backward: Program
    gradients: Mapping[str, str]
    steps: tuple[Step, ...]
    zero: tuple[str, ...] = ()


DIFFERENTIAL = "ⅆ"
"""What stands before a tensor's name in the name of its differential; no user's name begins so."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way from a tensor to the loss: through one equation that reads it.

    ``whole`` is the differential of the equation's right side with everything moving, at the
    equation's free indices, and ``part`` that with only the tensor moving, at ``free``; they read
    differentials by their names (`DIFFERENTIAL`). ``pushed`` reads the differential of the
    equation's target at ``free``, and ``upstream`` is the gradient there, 1 for the loss itself.
    ``moved`` reads the tensor's differential at ``axes``, which are those of the slice that the
    equation reads, and ``contribution`` is what the route adds to the gradient there; elsewhere it
    adds nothing.
    """

    of: str
    reader: Equation
    free: tuple[Index, ...]
    pushed: Read
    upstream: Term
    whole: Term
    part: Term
    axes: tuple[Index, ...]
    moved: Read
    contribution: Term


INDEX = "index "
"""Begins the law of integers that are positions along an axis: ``"index v"``."""


def wholes(program: Program) -> frozenset[str]:
    """The tensors of integers that are positions: inputs, and what only moves their elements."""
    found = {tensor.name for tensor in program.inputs if tensor.law.startswith(INDEX)}
    for equation in program.equations:
        names = {read.tensor for read in reads(equation.term)}
        if names and names <= found and _moves(equation.term):
            found.add(equation.target)
    return frozenset(found)


def _moves(term: Term) -> bool:
    """Whether a term only chooses elements: it is made of reads, conditions and sums over them."""
    return all(isinstance(node, Read | Bracket | Product | Sum) for node in walk(term))


def differentiable(program: Program) -> frozenset[str]:
    """The tensors that a loss can be differentiated by: neither data nor positions."""
    data = {tensor.name for tensor in program.inputs if tensor.role == "data"}
    return frozenset(shapes(program)) - data - wholes(program)


def shape_of(equation: Equation) -> tuple[Size, ...]:
    """The sizes of a target's axes."""
    return tuple(index.size for index in equation.free)


def shapes(program: Program) -> dict[str, tuple[Size, ...]]:
    """The shape of every tensor that a program names."""
    known: dict[str, tuple[Size, ...]] = {t.name: t.shape for t in program.inputs}
    known.update((e.target, shape_of(e)) for e in program.equations)
    return known


def counting(size: Size) -> str:
    """The name of the tensor of an axis' positions: 0, 1, 2, …"""
    return f"range({size})"


def counts(name: str) -> bool:
    """Whether a tensor holds the positions of an axis (`counting`)."""
    return name.startswith("range(")
