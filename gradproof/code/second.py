"""A traced network to what its exported Hessian product is: lines, bounds, certified numbers.

The lines are those of forward, of the gradients that are needed, and of both's differentials
(`derivation/second.py`). The bounds are those of `code/checking.py`. For NumPy the numbers to
compare with are certified by a rigorous complex step through the *gradient's* program: nothing that
makes the second order has a part in them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import flint
import numpy as np

from gradproof.code import drawing
from gradproof.code.array import Array, Name, walk
from gradproof.code.checking import DIRECTION, FEW, Bounds, bounds, check_data, with_rounding
from gradproof.code.factors import Line, with_common_factors
from gradproof.code.lay import lay_equation
from gradproof.code.plan import (
    RESERVED,
    Plan,
    formulas_of,
    needed,
    outputs_of,
    variable_of,
    variables_of,
    with_dtypes,
)
from gradproof.code.tensors import Bench
from gradproof.core.errors import NotYet
from gradproof.core.index import Index, at
from gradproof.core.program import (
    DIFFERENTIAL,
    Derivation,
    Equation,
    Program,
    Step,
    Tensor,
    shapes,
)
from gradproof.core.term import Product, Read, Sum, reads
from gradproof.core.told import told
from gradproof.derivation.second import second
from gradproof.engines.acb import Kinked
from gradproof.engines.arb import Arb
from gradproof.engines.contract import contract
from gradproof.judge.direction import Forward, directional, tap
from gradproof.judge.layers import OTHER_ALGORITHM, enclosed
from gradproof.write.convention import Convention
from gradproof.write.loops import initial_values
from gradproof.write.rolled import page_of


@dataclass(frozen=True, slots=True)
class SecondPlan:
    """The loss's function, and that of the Hessian times directions.

    ``moving`` are the inputs that have a direction, and ``still`` those with a gradient that does
    not move.
    """

    loss: Plan
    product: Plan
    moving: tuple[str, ...]
    still: tuple[str, ...]


def differentiated(derivation: Derivation, along: Collection[str]) -> Derivation:
    """The second order in the form of a derivation: its program has the directions among its
    inputs, and the "gradient" of an input is how its gradient moves.

    Raises:
        DataError: one of `along` is no input, or has no gradient.
    """
    found = second(derivation, along)
    program = derivation.forward
    inputs = (*program.inputs, *found.directions)
    equations = (*derivation.backward.equations, *found.values, *found.gradients)
    made = {equation.target for equation in equations}
    names = {t.name for t in program.inputs}
    gradients = {
        of: DIFFERENTIAL + name
        for of, name in derivation.gradients.items()
        if of in names and DIFFERENTIAL + name in made
    }
    raw = {step.equation.target: step.raw for step in derivation.steps}
    of = {name: of for of, name in gradients.items()}
    steps = tuple(Step(of.get(e.target, ""), e, (), raw.get(e.target, e.term)) for e in equations)
    return Derivation(
        Program(inputs, program.equations, program.outputs),
        derivation.loss,
        Program(inputs, equations, ()),
        gradients,
        steps,
    )


def plan_second(
    derivation: Derivation,
    along: Collection[str],
    convention: Convention,
    constants: Mapping[str, np.ndarray],
) -> SecondPlan:
    """The lines of both functions.

    Args:
        derivation: of the network.
        along: the inputs that move; all that have a gradient, if none are given.
        convention: of the formulas above the lines.
        constants: the arrays that the network brings along.

    Raises:
        NotYet: an equation has no code yet, or no gradient moves.
        DataError: one of `along` is no input, or has no gradient.
    """
    whole = differentiated(derivation, along)
    if not whole.gradients:
        raise NotYet(
            told("No gradient moves: the loss is linear there, and its Hessian is zero."),
            advice=told("Let other inputs move (--along)."),
        )
    program = whole.forward
    turned = convention.turned | {DIFFERENTIAL + name for name in convention.turned}
    written = formulas_of(whole, page_of(whole, replace(convention, turned=turned)))
    known = {**shapes(program), **shapes(whole.backward)}
    variables = variables_of(known, initial_values(program.equations))
    bench = Bench(
        lambda name: variable_of(name, variables, constants),
        known,
        outputs_of(program.equations),
        frozenset(t.name for t in program.inputs if t.law.startswith("index ")) | {*constants},
    )
    taken = RESERVED | {v.name if isinstance(v, Name) else "" for v in variables.values()}

    def laid(equations: Sequence[Equation]) -> list[Line]:
        return [
            Line(variables[e.target], lay_equation(e, bench), written[e.target])  # type: ignore[arg-type]
            for e in equations
        ]

    def needed_by(wanted: set[str]) -> list[Equation]:
        """With values that no equation reads and code does, such as an inverse that has a name."""
        equations = _needed_for(whole, wanted)
        used = {node for line in laid(equations) for node in walk(line.value)}
        have = {equation.target for equation in equations}
        more = {e.target for e in program.equations if variables[e.target] in used} - have
        return needed_by(wanted | more) if more else equations

    def lines(equations: Sequence[Equation]) -> tuple[Line, ...]:
        return tuple(with_common_factors(with_dtypes(laid(equations), bench, program), {*taken}))

    starts = {name: family for family, name in initial_values(program.equations).names.items()}
    own = tuple(t for t in derivation.forward.inputs if t.name not in constants)
    directions = tuple(t for t in program.inputs if t.name.startswith(DIFFERENTIAL))

    def planned(
        inputs: tuple[Tensor, ...], equations: Sequence[Equation], gradients: Mapping[str, Array]
    ) -> Plan:
        return Plan(
            inputs,
            derivation.loss,
            None,
            lines(equations),
            (),
            (),
            gradients,
            variables,
            starts,
            known,
            whole,
        )

    returned = {
        t.name: variables[whole.gradients[t.name]] for t in own if t.name in whole.gradients
    }
    return SecondPlan(
        planned(own, needed(program, derivation.loss), {}),
        planned((*own, *directions), needed_by(set(whole.gradients.values())), returned),
        tuple(t.name.removeprefix(DIFFERENTIAL) for t in directions),
        tuple(
            t.name for t in own if t.name in derivation.gradients and t.name not in whole.gradients
        ),
    )


def _needed_for(whole: Derivation, wanted: set[str]) -> list[Equation]:
    """The equations that tensors are made of, in order."""
    alive, kept = {*wanted}, []
    for equation in reversed((*whole.forward.equations, *whole.backward.equations)):
        if equation.target in alive:
            alive.update(read.tensor for read in reads(equation.term))
            kept.append(equation)
    return kept[::-1]


# --- what the check compares with ---------------------------------------------------------------


def second_bounds(
    derivation: Derivation,
    along: Collection[str],
    sizes: Mapping[str, int],
    constants: Mapping[str, np.ndarray],
    engine: str,
) -> Bounds:
    """What the moving gradients are held to at the check's data.

    Raises:
        NotYet: the network has no second derivative there, or no bound on its rounding.
    """
    whole = differentiated(derivation, along)
    found = bounds(whole, sizes, constants, engine, slopes_too=False)
    if engine != "numpy":
        return found
    given = [tensor for tensor in whole.forward.inputs if tensor.name not in constants]
    inputs = {**check_data(given, sizes), **constants}
    if sum(np.size(a) for a in inputs.values()) > FEW:
        raise NotYet(
            told(
                "The Hessian product of so many numbers takes too long to certify for NumPy's "
                "check."
            ),
            advice=told("Export it with smaller sizes for its check (--size n=4)."),
        )
    enclosure = enclosed(whole, inputs, sizes, contract(engine, "float64"))
    slopes = {}
    for number, (of, name) in enumerate(_by_input(whole), 1):
        middle, radius, error = enclosure[name]
        direction = drawing.draw(DIRECTION + number, middle.shape)
        slope = _certified(derivation, of, direction, inputs, sizes)
        off = radius + OTHER_ALGORITHM * error
        slopes[of] = with_rounding(slope, middle, off, direction)
    return replace(found, slopes=slopes)


def _by_input(whole: Derivation) -> list[tuple[str, str]]:
    return [
        (t.name, whole.gradients[t.name]) for t in whole.forward.inputs if t.name in whole.gradients
    ]


def _certified(
    derivation: Derivation,
    of: str,
    direction: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> flint.arb:
    """``Σ_v d⟨∂l/∂of, direction⟩/dv · dv``, by complex steps through the gradients' equations."""
    program = derivation.forward
    gradient = derivation.gradients[of]
    shape = {**shapes(program), **shapes(derivation.backward)}[gradient]
    free = tuple(Index(k, size) for k, size in enumerate(shape))
    places = tuple(at(i) for i in free)
    body = Product((Read(gradient, places), Read(SECOND, places)))
    scalar = Equation(TOTAL, (), Sum(free, body) if free else body)
    equations = (*program.equations, *derivation.backward.equations, scalar)
    moved = Program(program.inputs, equations, (TOTAL,))
    forward = Forward(moved, {**inputs, SECOND: direction}, sizes)
    found = flint.arb(0)
    try:
        for name in inputs:
            if name.startswith(DIFFERENTIAL):
                (exact,) = Arb().lift(inputs[name])
                of_input = name.removeprefix(DIFFERENTIAL)
                found += directional(forward, tap(moved, of_input, exact)).ball
    except Kinked as problem:
        raise NotYet(
            told(
                "The gradient by {of} has no derivative at the data of the file's check: "
                "{problem}.",
                of=of,
                problem=problem,
            ),
            advice=told("Export it with other sizes (--size n=4)."),
        ) from problem
    return found


SECOND = "the other direction"
TOTAL = "the gradient in a direction"
"""No tensors of a user's have such names."""
