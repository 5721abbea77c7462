"""Data in the words of a call, to a network at these data with all that verdicts are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradproof.core.program import Step
from gradproof.engines.arithmetic import Value
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.engine import Engine
from gradproof.judge.generic import by_parameter, draw
from gradproof.judge.kink import kinks, uses
from gradproof.judge.mutant import Mutant
from gradproof.judge.sight import View, right_stage, shows
from gradproof.trace.signature import Signature, positions_of, tensors
from gradproof.trace.source import Source
from gradproof.workbench import Traced, check_sizes, constants_of, read


@dataclass(frozen=True, slots=True)
class Asked:
    """Which arrays are given, which sizes, and how the rest is drawn: `scale` times as large, or
    only the tensor `scaled` so."""

    source: Source
    machine: Engine
    dtype: str
    seed: int
    inputs: Mapping[str, Any]
    sizes: Mapping[str, int]
    scale: float = 1.0
    scaled: str = ""


@dataclass(frozen=True, eq=False)
class Looked:
    """A network at some data, as an engine computes it. ``right`` keeps its right gradients."""

    traced: Traced
    view: View
    right: dict[str, Value | None] = field(default_factory=dict, repr=False)

    def step(self, of: str) -> Step:
        """How a gradient is derived."""
        return next(step for step in self.traced.derivation.steps if step.of == of)

    def shows(self, mutant: Mutant) -> bool | None:
        """Whether a mistake is seen; `None` where the wrong formula has no number."""
        if mutant.of not in self.right:
            self.right[mutant.of] = right_stage(self.step(mutant.of), self.view)
        return shows(mutant, self.right[mutant.of], self.view)

    def same_program(self, other: Looked) -> bool:
        """Whether a formula of one network is one of the other's."""
        mine, theirs = self.traced.derivation, other.traced.derivation
        return (mine.forward, mine.backward) == (theirs.forward, theirs.backward)


def plain_of(signature: Signature) -> set[str]:
    """The tensors whose numbers may be any."""
    return {t.name for t in tensors(signature) if not t.law and positions_of(t) is None}


def look(asked: Asked) -> Looked:
    """The network, run by the engine on the data that are asked for.

    Raises:
        GradproofError: there are no such data.
    """
    traced, chosen = read(asked.source, asked.inputs, asked.sizes)
    check_sizes(traced.paper, chosen)
    arrays = draw(traced.signature, chosen, asked.inputs, asked.dtype, asked.seed)
    if asked.scale != 1:
        plain = {asked.scaled} if asked.scaled else plain_of(traced.signature)
        arrays = {n: a * a.dtype.type(asked.scale) if n in plain else a for n, a in arrays.items()}
    paper, derivation = traced.paper, traced.derivation
    arguments = by_parameter(traced.signature, arrays)
    run = asked.machine.run(
        asked.source.forward, arguments, paper.operations, paper.loss, asked.dtype
    )
    gradients = {
        derivation.gradients[n]: g for n, g in run.gradients.items() if n in derivation.gradients
    }
    operands = {**constants_of(paper, asked.dtype), **run.values, **gradients}
    contract = contract_of(asked.machine.name, asked.dtype)
    return Looked(
        traced,
        View(operands, chosen, contract, kinks(uses(paper.forward), operands, chosen, contract)),
    )
