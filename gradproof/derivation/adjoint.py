"""A program to its derivation: the gradient of the loss with respect to every tensor.

One named gradient for each named value, and nothing is ever inlined: the result is as long as the
program. There is no recursion over equations.
"""

from __future__ import annotations

from gradproof.core.collector import without_collector
from gradproof.core.index import Index, at
from gradproof.core.normal import add, canonical, factored, positive_first
from gradproof.core.program import (
    Derivation,
    Equation,
    Program,
    Step,
    Tensor,
    differentiable,
    shapes,
)
from gradproof.core.spec import check
from gradproof.core.term import ONE, ZERO, Add, Read, Term, reads
from gradproof.derivation.pull import Contribution, pull

SYMBOL = "∂l/∂"
"""What stands before a tensor's name in the name of its gradient."""

SYMBOLS = {"partial": SYMBOL, "delta": "δ/∂", "bar": "¯/∂"}
"""The same, for gradients that are written ``∂l/∂z``, ``δz`` or ``z̄``."""


@without_collector
def derive(program: Program, symbol: str = SYMBOL) -> Derivation:
    """The gradients of a program's one scalar output, back to front.

    A value used in several places gets the sum of its paths. What the loss does not depend on
    has a gradient of zero and is listed; integers have none. `symbol` stands before a tensor's name
    in the name of its gradient: a program that holds gradients already is derived again under
    another one.
    """
    (loss,) = program.outputs
    known = shapes(program)
    active = differentiable(program)
    leaves = active - {e.target for e in program.equations}
    first_use = _first_use(program)
    pending: dict[str, list[tuple[str, Contribution]]] = {name: [] for name in active}
    steps: list[Step] = []
    zero: list[str] = []

    def settle(name: str) -> None:
        equation, paths, raw = _gradient(symbol + name, known[name], pending.pop(name))
        if equation.term == ZERO:
            zero.append(name)
        steps.append(Step(name, equation, paths, raw))

    for position in reversed(range(len(program.equations))):
        forward = program.equations[position]
        if forward.target == loss:
            seed: Term = ONE
        elif forward.target not in active:
            seed = ZERO
        else:
            settle(forward.target)
            seed = Read(symbol + forward.target, tuple(at(i) for i in forward.free))
            if steps[-1].equation.term == ZERO:
                seed = ZERO
        if seed != ZERO:
            for contribution in pull(forward, seed, known, active):
                pending[contribution.tensor].append((forward.target, contribution))
        for name in _by_kind(first_use.get(position, []), known):
            if name in leaves:
                settle(name)
    for name in (t.name for t in program.inputs if t.name in leaves and t.name in pending):
        settle(name)
    equations = tuple(step.equation for step in steps)
    inputs = tuple(Tensor(name, shape) for name, shape in known.items())
    gradients = {step.of: step.equation.target for step in steps}
    backward = check(Program(inputs, equations, tuple(gradients.values())))
    return Derivation(program, loss, backward, gradients, tuple(steps), tuple(zero))


def _first_use(program: Program) -> dict[int, list[str]]:
    """For each equation the tensors that no earlier equation reads, in reading order."""
    seen: set[str] = set()
    first: dict[int, list[str]] = {}
    for position, equation in enumerate(program.equations):
        for read in reads(equation.term):
            if read.tensor not in seen:
                seen.add(read.tensor)
                first.setdefault(position, []).append(read.tensor)
    return first


def _by_kind(names: list[str], known: dict[str, tuple[int | str, ...]]) -> list[str]:
    """Parameters first, then what has a batch: a person ends at the input."""
    return sorted(names, key=lambda name: any(isinstance(s, str) for s in known[name][:1]))


def _gradient(
    target: str, shape: tuple[int | str, ...], paths: list[tuple[str, Contribution]]
) -> tuple[Equation, tuple[str, ...], Term]:
    free = tuple(Index(axis, size) for axis, size in enumerate(shape))
    tidy = [canonical(c.free, c.term)[1] for _, c in paths]
    raw = [
        one if c.raw == c.term else canonical(c.free, c.raw)[1]
        for one, (_, c) in zip(tidy, paths, strict=True)
    ]
    if len(paths) == 1:
        term, uncollected = tidy[0], raw[0]
    else:
        _, term = canonical(free, _collected([reader for reader, _ in paths], tidy))
        _, uncollected = canonical(free, Add((ZERO, *raw)))
    readers = tuple(dict.fromkeys(reader for reader, _ in paths))
    return Equation(target, free, term), readers, uncollected


def _collected(readers: list[str], terms: list[Term]) -> Term:
    """The sum of all paths; those through one value have its gradient in front of a sum."""
    groups: dict[str, list[Term]] = {}
    for reader, term in zip(readers, terms, strict=True):
        groups.setdefault(reader, []).append(term)
    return positive_first(add(*(factored(add(*group)) for group in groups.values())))
