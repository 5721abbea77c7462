"""A network on one engine to its verdicts, at once, and to the rows of a report, when they are
looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gradproof.bench import Bench
from gradproof.core.program import Equation, Step, shape_of
from gradproof.core.term import reads
from gradproof.core.told import told
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import carrier
from gradproof.engines.engine import load
from gradproof.judge.breach import explain_breach
from gradproof.judge.formula import judge_formula
from gradproof.judge.heat import shares
from gradproof.judge.kink import Kink, sentence
from gradproof.judge.layers import judge_layer
from gradproof.judge.plan import Plans, plan_of
from gradproof.judge.stage import judge_stage, stage_middle
from gradproof.judge.together import Asked, judge_stages
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.report.diagnosis import with_reasons
from gradproof.report.report import (
    Batch,
    ForwardRow,
    ForwardVerdicts,
    GradientRow,
    GradientVerdicts,
)
from gradproof.report.sheet import shape_words
from gradproof.trace.signature import tensors


@dataclass(frozen=True, slots=True)
class Judged:
    """All verdicts on one set of data, row by row; those on engines have no digits yet."""

    bench: Bench
    forward: tuple[ForwardVerdicts, ...]
    gradients: tuple[GradientVerdicts, ...]


def judged(bench: Bench, plans: Plans | None = None) -> Judged:
    """The verdicts on every forward value and every gradient.

    Args:
        bench: an engine's run on some data.
        plans: of this network on this engine, where it is judged again and again.
    """
    traced, run = bench.traced, bench.run
    known = None if plans is None else plans.at(bench.sizes)
    values = [e for e in traced.paper.forward.equations if e.target in run.values]
    stages = [
        *((e, run.values[e.target], _constants(e.target, bench)) for e in values),
        *(
            (e, run.gradients[step.of], traced.scaled.get(step.of, 0))
            for step, e in zip(traced.derivation.steps, traced.uncollected, strict=True)
        ),
    ]
    asked = [
        Asked(e, computed, scaled, plan_of(e, bench.operands, bench.sizes, known))
        for e, computed, scaled in stages
    ]
    ball = Ball(bench.contract, remembers=True)
    verdicts = judge_stages(asked, bench.operands, bench.sizes, bench.contract, ball)
    verdicts = [
        _explained(verdict, one.equation, bench)
        for verdict, one in zip(verdicts, asked, strict=True)
    ]
    forward = tuple(
        ForwardVerdicts(e.target, verdict, *_layer(e.target, e, bench, gradient=False))
        for e, verdict in zip(values, verdicts[: len(values)], strict=True)
    )
    gradients = tuple(
        _on_gradient(step, uncollected, verdict, bench)
        for step, uncollected, verdict in zip(
            traced.derivation.steps, traced.uncollected, verdicts[len(values) :], strict=True
        )
    )
    return Judged(bench, forward, gradients)


def _constants(name: str, bench: Bench) -> int:
    """How many constants the user's code multiplies by on the way to a value."""
    return bench.traced.paper.scalings.get(name, 0)


NO_FORMULA = FormulaVerdict("derived", told("no formula of yours"))


def _on_gradient(
    step: Step, uncollected: Equation, verdict: EngineVerdict, bench: Bench
) -> GradientVerdicts:
    derivation, of = bench.traced.derivation, step.of
    if verdict.kind != "agrees" and of in bench.kinks:
        verdict = _beside_kink(bench.kinks[of], uncollected, verdict, bench)
    claim = bench.claims.get(of)
    if claim is None:
        line, formula = "", NO_FORMULA
    else:
        line = f"{claim.place.file}:{claim.place.line}" if claim.place else ""
        formula = judge_formula(
            claim,
            bench.traced.paper,
            derivation,
            bench.proofs[of],
            bench.truths.values,
            bench.sizes,
            bench.kinks.get(of),
            float(bench.contract.u_store),
            bench.tied,
        )
    return GradientVerdicts(
        of,
        step.equation.target,
        line,
        formula,
        verdict,
        _hand_verdict(of, bench),
        *_layer(of, uncollected, bench, gradient=True),
    )


def _explained(verdict: EngineVerdict, equation: Equation, bench: Bench) -> EngineVerdict:
    """The verdict on one stage; a refuted one says so where the engine's functions are at fault."""
    if verdict.kind != "refuted":
        return verdict
    engine = load(bench.run.engine)
    because = explain_breach(equation, bench.operands, bench.sizes, engine, bench.contract)
    return replace(verdict, because=because or verdict.because)


def _layer(
    name: str, equation: Equation, bench: Bench, *, gradient: bool
) -> tuple[np.ndarray | None, EngineVerdict | None]:
    if bench.layers is None:
        return None, None
    true = bench.truths.values.values.get(equation.target)
    computed, verdict = judge_layer(name, equation, bench.layers, true, gradient=gradient)
    if gradient and verdict is not None and verdict.kind == "refuted" and bench.kinks:
        # End to end a slope that was chosen anywhere after a tensor is in its gradient.
        kink = bench.kinks.get(name) or next(iter(bench.kinks.values()))
        said = sentence(kink, load(bench.run.engine), bench.contract.dtype)
        verdict = replace(verdict, kind="undecided", because=said)
    return computed, verdict


def _beside_kink(
    kink: Kink, equation: Equation, verdict: EngineVerdict, bench: Bench
) -> EngineVerdict:
    """The verdict where an engine chose a slope: what is no kink is judged as ever."""
    computed = bench.run.gradients[kink.tensor]
    if kink.spots is not None:
        exact = stage_middle(equation, bench.operands, bench.sizes, bench.contract)
        elsewhere = np.where(kink.spots, exact, computed).astype(computed.dtype)
        scaled = bench.traced.scaled.get(kink.tensor, 0)
        beside = judge_stage(
            equation, elsewhere, bench.operands, bench.sizes, bench.contract, None, scaled
        )
        if beside.kind == "refuted" and np.all(np.isfinite(elsewhere)):
            return replace(beside, digits=verdict.digits)
    said = sentence(kink, load(bench.run.engine), bench.contract.dtype)
    return replace(verdict, kind="undecided", because=said)


def _hand_verdict(of: str, bench: Bench) -> EngineVerdict | None:
    """Whether the user's function, run on plain arrays, gives the numbers of its formulas."""
    if of in bench.claims and of not in bench.hand and not bench.claims[of].turn:
        because = told(
            "run on plain arrays your function does not return this as an array: does it do "
            "something else on numbers?"
        )
        return EngineVerdict("undecided", float("inf"), 0.0, 0.0, (), because)
    if of not in bench.hand or of not in bench.traced.written:
        return None
    names = {claim.of: claim.name for claim in bench.claims.values()}
    if any(claim.turn for claim in bench.claims.values()):
        read_here = {read.tensor for read in reads(bench.traced.written[of].term)}
        if not read_here <= {*bench.plain, *(names[one] for one in bench.hand)}:
            return None  # it is made of values of earlier turns, which nobody returns
    operands = {**bench.plain, **{names[one]: array for one, array in bench.hand.items()}}
    permitted = contract_of("numpy", carrier(bench.contract.dtype))
    truth = bench.truths.values.values[names[of]]
    scaled = max(bench.traced.paper.scalings.values(), default=0)
    verdict = judge_stage(
        bench.traced.written[of], bench.hand[of], operands, bench.sizes, permitted, truth, scaled
    )
    if verdict.kind == "refuted":
        because = told(
            "run on numbers your function gives something else than the formulas that were read "
            "from it: does it depend on more than its arguments?"
        )
        return replace(verdict, kind="undecided", because=because)
    # A kink or a cancellation is no news: it is the formula's verdict that counts.
    return replace(verdict, kind="agrees") if verdict.kind == "undecided" else verdict


# --- what a reader sees ----------------------------------------------------------------------


def rows_of(found: Judged) -> Batch:
    """The rows of a report: verdicts with their digits, formulas and numbers, and reasons."""
    bench, traced = found.bench, found.bench.traced
    paper, derivation, sheet = traced.paper, traced.derivation, bench.sheet
    equations = {equation.target: equation for equation in paper.forward.equations}
    forward = tuple(_forward_row(equations[one.name], one, bench) for one in found.forward)
    own = {e.target: e for e in paper.backward.equations} if paper.backward else {}
    rows = tuple(
        _gradient_row(step, uncollected, one, bench, own)
        for step, uncollected, one in zip(
            derivation.steps, traced.uncollected, found.gradients, strict=True
        )
    )
    gradients = with_reasons(rows, paper, derivation, bench.sizes, bench.proofs, traced.shapes)
    return Batch(
        bench.title,
        dict(bench.sizes),
        {tensor.name: bench.given[tensor.name] for tensor in tensors(traced.signature)},
        forward,
        gradients,
        own=sheet.own_values(),
        forward_loops=sheet.forward_loops(),
        starts=sheet.starts(),
        gradient_loops=sheet.gradient_loops(),
    )


def _with_digits(verdict: EngineVerdict, target: str, bench: Bench) -> EngineVerdict:
    """The verdict with the digits that the engine's tensor has in common with the true one."""
    if not np.isnan(verdict.digits):
        return verdict
    return replace(verdict, digits=bench.truths.digits.get(target, float("nan")))


def _forward_row(equation: Equation, one: ForwardVerdicts, bench: Bench) -> ForwardRow:
    computed = bench.run.values[one.name]
    return ForwardRow(
        one.name,
        shape_words(one.name, shape_of(equation), bench.traced.layout),
        bench.sheet.on(equation),
        _with_digits(one.verdict, one.name, bench),
        computed,
        one.native,
        one.native_verdict,
        bench.plain[one.name],
        _heat(equation, computed, bench, _constants(one.name, bench)),
    )


def _gradient_row(
    step: Step,
    uncollected: Equation,
    one: GradientVerdicts,
    bench: Bench,
    own: Mapping[str, Equation],
) -> GradientRow:
    claim, computed = bench.claims.get(one.name), bench.run.gradients[one.name]
    claimed = None if claim is None else bench.sheet.on(own[claim.name])
    scaled = bench.traced.scaled.get(one.name, 0)
    return GradientRow(
        one.name,
        one.symbol,
        shape_words(one.symbol, shape_of(step.equation), bench.traced.layout),
        bench.sheet.on(step.equation),
        claimed,
        one.line,
        one.formula_verdict,
        _with_digits(one.engine_verdict, one.symbol, bench),
        computed,
        bench.hand.get(one.name),
        one.hand_verdict,
        bench.truths.middles[one.symbol],
        one.name in bench.traced.derivation.zero,
        None,
        (),
        one.native,
        one.native_verdict,
        _heat(uncollected, computed, bench, scaled),
    )


def _heat(equation: Equation, computed: np.ndarray, bench: Bench, scaled: int) -> np.ndarray | None:
    """How much of its bound each element uses, where a picture was asked for."""
    if not bench.pictures:
        return None
    return shares(equation, computed, bench.operands, bench.sizes, bench.contract, scaled)
