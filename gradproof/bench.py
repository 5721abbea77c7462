"""A network on one set of data and one engine: everything that its verdicts and rows are made of.

The engine is run at once. What only a reader of the report wants, true values and written formulas,
is worked out when it is first asked for: from arrays that nobody else holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gradproof.core.errors import NetworkError
from gradproof.core.index import Size
from gradproof.core.nested import each
from gradproof.core.program import Claim, Derivation, Equation, Named, Paper, counts, shapes
from gradproof.core.term import reads
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import carrier, in_dtype
from gradproof.engines.engine import Engine, Run
from gradproof.engines.numpy import record_plain, run_plain
from gradproof.judge.generic import by_parameter
from gradproof.judge.identity import Proof
from gradproof.judge.kink import Kink, Uses, kinks, tied_values, uses
from gradproof.judge.layers import Layers, compared, run_layers
from gradproof.judge.normal_form import claims_written_out
from gradproof.judge.truth import TrueValues, digits_in_common, middle, true_values
from gradproof.prims.caller import reported
from gradproof.report.sheet import Sheet, sheet_of
from gradproof.trace.signature import Signature, where_defined
from gradproof.trace.source import Source
from gradproof.write.convention import Convention
from gradproof.write.orient import oriented


@dataclass(frozen=True)
class Traced:
    """A source with its program and its gradients."""

    source: Source
    signature: Signature
    paper: Paper
    derivation: Derivation

    @cached_property
    def layout(self) -> Convention:
        """How its vectors lie where it is written."""
        return oriented(self.derivation, Convention("row"))

    @cached_property
    def shapes(self) -> dict[str, tuple[Size, ...]]:
        """The shape of every tensor that a formula may read."""
        programs = [self.paper.forward, self.derivation.backward]
        if self.paper.backward is not None:
            programs.append(self.paper.backward)
        return {name: shape for program in programs for name, shape in shapes(program).items()}

    @cached_property
    def written(self) -> Mapping[str, Equation]:
        """The user's formulas by the tensor whose gradient they are."""
        return claims_written_out(self.paper)

    @cached_property
    def scaled(self) -> Mapping[str, int]:
        """How many constants multiply each tensor's gradient, at most: those that the tensor meets,
        in what is worked out again and in what is passed back."""
        found: dict[str, int] = {}
        for equation in self.paper.forward.equations:
            count = 2 * self.paper.scalings.get(equation.target, 0)
            if count:
                for read in reads(equation.term):
                    found[read.tensor] = max(found.get(read.tensor, 0), count)
        return found

    @cached_property
    def uses(self) -> Uses:
        """Where its program uses functions with kinks or ties."""
        return uses(self.paper.forward)

    @cached_property
    def uncollected(self) -> tuple[Equation, ...]:
        """The gradients with all their paths, as an engine adds them up."""
        return tuple(
            Equation(step.equation.target, step.equation.free, step.raw)
            for step in self.derivation.steps
        )


class Truths(NamedTuple):
    """Enclosures of true values, how many digits the engine's have in common with them, and the
    middles of those of gradients."""

    values: TrueValues
    digits: Mapping[str, float]
    middles: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Bench:
    """One set of data on one engine.

    ``given`` are the inputs and the network's constants, ``operands`` these with the engine's
    values and gradients, ``plain`` what plain arrays give
    and ``hand`` what the user's own backward does.
    """

    traced: Traced
    run: Run
    title: str
    sizes: Mapping[str, int]
    contract: Contract
    given: Mapping[str, np.ndarray]
    operands: Mapping[str, np.ndarray]
    plain: Mapping[str, np.ndarray]
    layers: Layers | None
    hand: Mapping[str, np.ndarray]
    kinks: Mapping[str, Kink]
    tied: Mapping[str, np.ndarray]
    proofs: Mapping[str, Proof]
    claims: Mapping[str, Claim]
    pictures: bool = False

    @cached_property
    def truths(self) -> Truths:
        """The true values: the first that asks for them has them worked out."""
        return truths(self.traced, self.run, self.given, self.sizes, self.layers)

    @cached_property
    def sheet(self) -> Sheet:
        """The equations as a page has them."""
        return sheet_of(self.traced.paper, self.traced.derivation, self.traced.layout)


def constants_of(paper: Paper, dtype: str) -> dict[str, np.ndarray]:
    """The plain arrays that the functions brought along."""
    return {
        # Whole numbers, such as an axis' positions, are compared and stay exact.
        n: a if np.asarray(a).dtype.kind in "iu" and counts(n) else in_dtype(np.asarray(a), dtype)
        for n, a in paper.constants.items()
    }


def bench_of(
    title: str,
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    proofs: Mapping[str, Proof],
    *,
    pictures: bool = False,
) -> Bench:
    """Runs an engine on some data, and the user's own functions on plain arrays."""
    paper, source, derivation = traced.paper, traced.source, traced.derivation
    arguments = by_parameter(traced.signature, arrays)
    run = engine.run(source.forward, arguments, paper.operations, paper.loss, dtype)
    constants = constants_of(paper, dtype)
    given = {**arrays, **constants}
    plain = {
        **given,
        **record_plain(source.forward, arguments, paper.operations, carrier(dtype)).values,
    }
    gradients = {
        derivation.gradients[n]: g for n, g in run.gradients.items() if n in derivation.gradients
    }
    contract = contract_of(engine.name, dtype)
    operands = {**constants, **run.values, **gradients}
    layers = _layers(traced, engine, dtype, sizes, given)
    hand: dict[str, np.ndarray] = {}
    bench = Bench(
        traced,
        run,
        title,
        sizes,
        contract,
        given,
        operands,
        plain,
        layers,
        hand,
        kinks(traced.uses, operands, sizes, contract),
        tied_values(traced.uses, operands, sizes, contract),
        proofs,
        {claim.of: claim for claim in paper.claims},
        pictures,
    )
    missing = {
        of: bench.truths.middles[derivation.gradients[of]].astype(carrier(dtype))
        for of in paper.blanks.values()
    }
    plain.update({derivation.gradients[of]: array for of, array in missing.items()})
    hand.update(_hand_values(traced, plain, missing))
    return bench


def truths(
    traced: Traced,
    run: Run,
    given: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    layers: Layers | None,
) -> Truths:
    """The true values of a network, and how near an engine came to them."""
    paper, derivation = traced.paper, traced.derivation
    programs = [paper.forward, derivation.backward]
    if paper.backward is not None:
        programs.append(paper.backward)
    known = derivation.gradients
    gradients = {known[of]: array for of, array in run.gradients.items() if of in known}
    # Only what is compared again later stays: the rest are digits, and the gradients' middles.
    kept = compared(layers, derivation) if paper.backward is None else None
    computed = {**run.values, **gradients}
    digits: dict[str, float] = {}
    middles: dict[str, np.ndarray] = {}
    symbols_of = frozenset(known.values())

    def look(name: str, value: Value) -> None:
        if name in computed and computed[name].shape == value[0].shape:
            digits[name] = digits_in_common(computed[name], value)
        if name in symbols_of:
            middles[name] = middle(value)

    values = true_values(tuple(programs), given, sizes, kept=kept, look=look)
    return Truths(values, digits, middles)


def _layers(
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    inputs: Mapping[str, np.ndarray],
) -> Layers | None:
    """What the engine's own layers give, where the source has them."""
    native = traced.source.native.get(engine.name)
    if native is None:
        return None
    arguments = by_parameter(traced.signature, inputs)
    return run_layers(native, engine, dtype, traced.derivation, arguments, inputs, sizes)


def _hand_values(
    traced: Traced, values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the user's own backward returns on plain arrays, by the tensor it claims; where it has
    blanks, from the `missing` gradients."""
    source, paper = traced.source, traced.paper
    if source.backward is None:
        return {}

    def entered(item: Any) -> Any:
        return values[item.name] if isinstance(item, Named) else item

    arguments = {name: each(value, entered) for name, value in paper.parameters.items()}
    flat: dict[str, np.ndarray] = {}
    with reported(source.backward):
        gradients = {id(values[of]): array for of, array in missing.items()}
        returned = run_plain(source.backward, arguments, gradients)
    if not isinstance(returned, dict):
        raise NetworkError(
            told(
                "backward, run on plain arrays, returns {kind}, not its formulas.",
                kind=type(returned).__name__,
            ),
            advice=told("End it with  return locals()"),
            place=where_defined(source.backward),
        )
    for key, value in returned.items():
        several = isinstance(value, list | tuple)
        named = ((f"{key}[{k}]", v) for k, v in enumerate(value, 1)) if several else [(key, value)]
        flat.update((n, np.asarray(v)) for n, v in named if isinstance(v, np.ndarray | np.generic))
    spelled = {claim.of: claim.name.rstrip("'") for claim in paper.claims}
    # Of a name that a loop binds at every turn a function returns the last value.
    last = {c.name.partition("[")[0]: c.name.rstrip("'") for c in paper.claims if c.turn}
    flat.update({name: flat[key] for key, name in last.items() if key in flat})
    return {of: flat[name] for of, name in spelled.items() if name in flat}
