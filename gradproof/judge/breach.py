"""A refuted stage to its cause, where an engine's function alone is not what its contract says.

A processor or a build that breaks its contract makes right formulas look wrong. So each elementary
function of the stage is run by itself, on the operands that the engine used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradproof.ops as ops
from gradproof.core.program import Equation
from gradproof.core.term import Along, Apply, Fold, Power, Term, free, reads, walk
from gradproof.core.told import told
from gradproof.engines import exponential
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.dtype import in_dtype
from gradproof.engines.engine import Engine
from gradproof.engines.evaluate import Room, evaluate_equation

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "exp": (np.exp, exponential.exp),
    "log": (np.log, exponential.log),
    "sqrt": (np.sqrt, np.sqrt),
    "sigmoid": (ops.sigmoid, exponential.sigmoid),
    "tanh": (np.tanh, exponential.tanh),
}
"""Each function as an engine runs it, and in float64 with a proved error."""

PROVED_UNITS = 16
"""More than any of these is off, in units 2^-53 of its result."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A function that is farther from the truth than its contract permits, and where."""

    function: str
    argument: float
    units: float
    permitted: int


def breach(
    function: str, arguments: np.ndarray, engine: Engine, contract: Contract
) -> Breach | None:
    """Where an engine's function breaks its contract on some arguments, if anywhere."""
    x = in_dtype(np.unique(arguments), contract.dtype)
    if function in ("log", "sqrt"):
        x = x[x > 0]
    units = errors(function, x, engine, contract)
    if not units.size or not units.max() > contract.units(function):
        return None
    worst = int(np.argmax(units))
    return Breach(function, float(x[worst]), float(units[worst]), contract.units(function))


def errors(function: str, x: np.ndarray, engine: Engine, contract: Contract) -> np.ndarray:
    """The least error that an engine's function surely has at each argument, in units u.

    Where the argument or the result is subnormal, or the result overflows, nothing is promised
    and the error is 0. An engine's value that is not finite elsewhere is infinitely wrong.
    """
    if not x.size:
        return np.zeros(0)
    run, proved = FUNCTIONS[function]
    made = engine.run(lambda x: np.sum(run(x)), {"x": x}, {"y": 0}, "loss", contract.dtype)
    y, exact = made.values["y"].astype(np.float64), x.astype(np.float64)
    with np.errstate(all="ignore"):
        true = proved(exact)
        size = np.abs(true)
        off = np.abs(y - true) - PROVED_UNITS * 2.0**-53 * size - float(contract.tiny)
        units = off / (float(contract.u_store) * size)
        promised = (size >= float(contract.tiny)) & (size < float(contract.largest))
        promised &= (np.abs(exact) >= float(contract.tiny)) | (exact == 0)
    return np.where(promised, np.where(np.isfinite(y), np.maximum(units, 0.0), np.inf), 0.0)


def explain_breach(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    engine: Engine,
    contract: Contract,
) -> str:
    """A sentence on the first function of a stage that breaks the contract; empty if none does."""
    for function, argument in _uses(equation.term):
        ball = Ball(contract)
        names = {read.tensor for read in reads(argument)}
        room = Room({n: ball.lift(operands[n]) for n in names}, sizes, ball)
        axes = tuple(sorted(free(argument), key=lambda index: index.number))
        with np.errstate(all="ignore"):
            values = evaluate_equation(Equation("", axes, argument), room)[0]
        found = breach(function, values[np.isfinite(values)], engine, contract)
        if found is not None:
            return told(
                "{title} breaks its contract: its {function} alone is {units:.3g} u from the "
                "true value at {argument!r}, and {permitted} u are permitted; this says "
                "nothing against the formula",
                title=engine.title,
                function=found.function,
                units=found.units,
                argument=found.argument,
                permitted=found.permitted,
            )
    return ""


def _uses(term: Term) -> Iterator[tuple[str, Term]]:
    """The elementary functions that an engine calls for a term, with their arguments."""
    for node in walk(term):
        match node:
            case Apply(function, (argument,), _) if function in FUNCTIONS:
                yield function, argument
            case Power(base, exponent) if exponent.denominator == 2:
                yield "sqrt", base
            case Along("softmax", _, body, _) | Fold("logsumexp", _, body):
                yield "exp", body
            case _:
                pass
