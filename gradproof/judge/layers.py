"""What a framework's own layers give, to verdicts: forward values and gradients, end to end.

What a layer computes inside is not seen, so its results are judged from the inputs on: the bound is
that of every stage of the network together, each as the engine's contract has it. A layer may use
another algorithm for the same function; so it may be off by `OTHER_ALGORITHM` times as much. Where
the bound says nothing in the dtype, the same layers are judged in float64: what a layer computes,
and in which layout, does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradproof.core.program import Derivation, Equation, Program
from gradproof.core.term import reads
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.engine import Argument, Engine, NativeRun
from gradproof.engines.evaluate import evaluate
from gradproof.judge.stage import judge_enclosed, judge_stage
from gradproof.judge.verdict import EngineVerdict

OTHER_ALGORITHM = 4
"""A fused layer adds up in another order, works out a variance from other sums, or has a softmax's
gradient in one formula: each of these is off by a small multiple of what the written formulas are.
The largest share of the bound that a layer of the gallery used is in docs/numbers.md."""

EXACTLY = "float64"


@dataclass(frozen=True, slots=True)
class Given:
    """What layers gave in one dtype, and the enclosure of the whole network that it is judged by.

    ``inputs`` are the network's own, as the engine had them.
    """

    run: NativeRun
    inputs: Mapping[str, np.ndarray]
    enclosure: Mapping[str, Value]
    contract: Contract


@dataclass(frozen=True)
class Layers:
    """What an engine's own layers gave in the dtype; `exact` is what they give in float64, which is
    run when it is first asked for."""

    shown: Given
    sizes: Mapping[str, int]
    run_exactly: Callable[[], Given]

    @cached_property
    def exact(self) -> Given:
        return self.run_exactly()


def run_layers(
    layers: Callable[..., Mapping[str, Any]],
    engine: Engine,
    dtype: str,
    derivation: Derivation,
    arguments: Mapping[str, Argument],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> Layers:
    """Runs an engine's own layers, and encloses what they should give.

    Args:
        layers: takes the framework and the arguments, and returns values by name.
        engine: the framework.
        dtype: of the run that is shown.
        derivation: the network and its gradients.
        arguments: those of the network's function, in the dtype's numbers.
        inputs: the same by the names of their tensors, and the network's constants.
        sizes: a number for each size symbol.
    """

    def given(kind: str) -> Given:
        run = engine.native(layers, arguments, derivation.loss, kind)
        permitted = contract_of(engine.name, kind)
        return Given(run, inputs, enclosed(derivation, inputs, sizes, permitted), permitted)

    return Layers(given(dtype), sizes, lambda: given(EXACTLY))


def enclosed(
    derivation: Derivation,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    permitted: Contract,
) -> dict[str, Value]:
    """The whole forward and backward program over balls that carry an engine's error along."""
    ball = Ball(permitted, coarse=True)
    raw = tuple(Equation(s.equation.target, s.equation.free, s.raw) for s in derivation.steps)
    program = Program((), (*derivation.forward.equations, *raw), ())
    lifted = {name: ball.lift(array) for name, array in inputs.items()}
    with np.errstate(all="ignore"):
        return evaluate(program, lifted, sizes, ball)


def compared(layers: Layers | None, derivation: Derivation) -> frozenset[str]:
    """The tensors and gradients that layers gave, whose true values tell about them."""
    if layers is None:
        return frozenset()
    values = {*layers.shown.run.values, *layers.exact.run.values.keys()}
    gradients = {*layers.shown.run.gradients, *layers.exact.run.gradients}
    known = derivation.gradients
    return frozenset(values | {known[of] for of in gradients if of in known})


def judge_layer(
    name: str, equation: Equation, layers: Layers, truth: Value | None, *, gradient: bool
) -> tuple[np.ndarray | None, EngineVerdict | None]:
    """What the layers gave for a tensor or its gradient, and the verdict on that; nothing where
    they did not give it.

    Args:
        name: the tensor.
        equation: its own equation, or that of its gradient.
        layers: what was given.
        truth: the enclosure of the true tensor, or `None`.
        gradient: whether its gradient is asked for.
    """

    def of(given: Given) -> Mapping[str, np.ndarray]:
        return given.run.gradients if gradient else given.run.values

    if name not in of(layers.shown):
        return None, None
    computed = of(layers.shown)[name]
    verdict = _judged(equation, computed, layers.shown, layers.sizes, truth)
    if verdict.kind == "undecided" and layers.shown.contract.dtype != EXACTLY:
        again = _judged(equation, of(layers.exact)[name], layers.exact, layers.sizes, truth)
        return computed, replace(again, because=again.because or told("in {dtype}", dtype=EXACTLY))
    return computed, verdict


def _judged(
    equation: Equation,
    computed: np.ndarray,
    given: Given,
    sizes: Mapping[str, int],
    truth: Value | None,
) -> EngineVerdict:
    """Stage by stage where the layers also gave what it is made of, else from the inputs on."""
    known = {**given.inputs, **given.run.values}
    if all(read.tensor in known for read in reads(equation.term)):
        found = judge_stage(equation, computed, known, sizes, given.contract, truth)
        if found.kind == "agrees":
            return found
    middle, radius, error = given.enclosure[equation.target]
    enclosure = (middle, radius, OTHER_ALGORITHM * error)
    return judge_enclosed(computed, enclosure, given.contract, truth)
