"""A paper and its numbers to reasons: which mistake, and which order of rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import numpy as np

from gradproof.core.program import Equation
from gradproof.core.term import rename
from gradproof.core.told import told, told_as_is
from gradproof.engines.engine import load
from gradproof.judge.generic import draw
from gradproof.judge.last_digit import LastDigit, Origin, by_names, last_digit, origin
from gradproof.report.console import digits
from gradproof.report.report import Batch, GradientRow, Report
from gradproof.trace.source import Source
from gradproof.workbench import (
    Bench,
    bench_of,
    choose_engine,
    proofs_of,
    read,
    verify_source,
)

HAND = "by formula"
LEGEND = "fma: multiplied and added with one rounding; Σ[n]: a sum over n."


def explain_source(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int | None,
    sizes: Mapping[str, int],
    *,
    solution: bool = False,
) -> tuple[str, int]:
    """The page of `gradproof explain`, and the exit code of `verify`.

    Args:
        source: the paper.
        inputs: parameter names to arrays; what is missing is drawn.
        engine: whose numbers are explained.
        dtype: in which it computes.
        seed: of the data that is drawn.
        sizes: numbers for size symbols.
        solution: whether the right formula is shown beside a wrong one.
    """
    report = verify_source(source, inputs, engine, dtype, seed, sizes)
    lines = [
        f"gradproof explain {source.name}",
        f"engine  {report.engine} {report.engine_version} · {dtype} · seed {report.seed}",
        "",
        *_mistakes(report, solution=solution),
        "",
        "The last digit",
    ]
    if dtype != "float32":
        return "\n".join([*lines, "  Orders of rounding are searched in float32 only."]), (
            report.exit_code
        )
    wrong = frozenset(
        row.name for row in report.batches[-1].gradients if row.formula_verdict.kind == "refuted"
    )
    for title, bench in _benches(source, inputs, engine, dtype, report.seed, sizes):
        lines += ["", f"  {title}", *_last_digits(bench, wrong)]
    return "\n".join(_fitted([*lines, "", f"  {LEGEND}"])), report.exit_code


def _fitted(lines: list[str]) -> list[str]:
    """Lines of at most 100 columns; what is longer goes on deeper in."""
    found: list[str] = []
    for line in lines:
        inside = " " * (len(line) - len(line.lstrip()) + 4)
        found += wrap(line, 100, subsequent_indent=inside, break_long_words=False) or [""]
    return found


def _benches(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int,
    sizes: Mapping[str, int],
) -> Iterator[tuple[str, Bench]]:
    data: list[tuple[str, Mapping[str, Any]]] = []
    if not inputs and not sizes:
        data += ((told_as_is(title), sample) for title, sample in source.samples.items())
    data.append((told("your data") if inputs else told("generic data"), inputs))
    for title, given in data:
        traced, chosen = read(source, given, sizes)
        arrays = draw(traced.signature, chosen, given, dtype, seed)
        machine = load(choose_engine(engine))
        bench = bench_of(title, traced, machine, dtype, chosen, arrays, proofs_of(traced))
        yield title, bench


# --- mistakes --------------------------------------------------------------------------------


def _mistakes(report: Report, *, solution: bool) -> list[str]:
    batch = report.batches[-1]
    covered = [row for row in batch.gradients if row.covered]
    if not covered:
        return ["Mistakes", "  There is no formula of yours to explain."]
    wrong = [row for row in covered if row.formula_verdict.kind == "refuted"]
    own = [row for row in wrong if not row.formula_verdict.inherited]
    lines = ["Mistakes, in the order of the chain"]
    if not wrong:
        lines.append("  None was found: no formula of yours is refuted.")
    for row in wrong:
        lines += _mistake(row, batch, first=bool(own) and row is own[0], solution=solution)
    for kind, said in (("proved", "Right"), ("undecided", "Undecided")):
        names = [row.symbol for row in covered if row.formula_verdict.kind == kind]
        if names:
            lines.append(f"  {said}: {', '.join(names)}.")
    return lines


def _mistake(row: GradientRow, batch: Batch, *, first: bool, solution: bool) -> list[str]:
    inherits = row.formula_verdict.inherited
    kind = "inherits a mistake" if inherits else "the first mistake" if first else "wrong too"
    lines = [f"  {row.symbol}  {row.line}  {kind}"]
    if not inherits:
        lines.append(f"    yours:  {row.claimed}")
    lines += [f"    {line}" for line in row.why]
    if solution and not inherits:
        lines.append(f"    right:  {row.derived}")
    return lines


# --- the last digit --------------------------------------------------------------------------


def _last_digits(bench: Bench, wrong: frozenset[str]) -> list[str]:
    lines: list[str] = []
    same: list[str] = []
    for found in _searched(bench, wrong):
        if isinstance(found, LastDigit) and found.differing == 0:
            same.append(found.tensor)
        else:
            lines += said(found) if isinstance(found, LastDigit) else alone(found[0], found[1])
    if same:
        lines.append(f"    Rounded alike, bit for bit, on the same operands: {', '.join(same)}.")
    return lines


def _searched(bench: Bench, wrong: frozenset[str]) -> Iterator[LastDigit | tuple[str, Origin]]:
    """Every tensor of an engine beside its formula in NumPy: forward, then back to front."""
    forward = bench.traced.paper.forward
    for equation in forward.equations:
        name = equation.target
        if name in bench.run.values and name in bench.plain:
            stage = by_names(equation, forward)
            yield last_digit(
                (bench.title, HAND),
                (stage, stage),
                (_array(bench.run.values[name]), _array(bench.plain[name])),
                (bench.operands, bench.plain),
                bench.sizes,
            )
    derivation = bench.traced.derivation
    right = {claim.name: derivation.gradients[claim.of] for claim in bench.claims.values()}
    hand = {**bench.plain, **{derivation.gradients[of]: a for of, a in bench.hand.items()}}
    for step in derivation.steps:
        stage = by_names(step.equation, forward)
        value = _array(bench.run.gradients[step.of])
        claim = bench.written.get(step.of)
        if claim is None or step.of not in bench.hand or step.of in wrong:
            side = origin(bench.title, stage, value, bench.operands, bench.sizes)
            yield step.equation.target, side
            continue
        mine = Equation(stage.target, claim.free, rename(claim.term, right))
        yield last_digit(
            (bench.title, HAND),
            (stage, by_names(mine, forward)),
            (value, _array(bench.hand[step.of])),
            (bench.operands, hand),
            bench.sizes,
        )


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, dtype=np.float32)


def said(found: LastDigit) -> list[str]:
    """One tensor's two sides, in lines."""
    one, two = found.sides
    tally = f"{one.side} is nearer in {found.wins[0]}, {two.side} in {found.wins[1]}"
    head = f"    {found.tensor}: {found.differing} of {one.elements} differ; {tally}"
    width = max(len(one.side), len(two.side))
    lines = [head, *(f"      {side.side:<{width}}  {_form(side)}" for side in found.sides)]
    if found.pair is None:
        lines.append("      Their operands differ already; each is measured on its own.")
        return lines
    where = f"[{', '.join(map(str, found.pair.index))}]" if found.pair.index else "its value"
    # Nine significant digits tell any two float32 apart; eight are what NumPy prints.
    eight = [digits(v) for v in found.pair.values]
    shown = eight if eight[0] != eight[1] else [f"{float(v):.9g}" for v in found.pair.values]
    numbers = " and ".join(
        f"{v} ({u:.2f} ulp away)" for v, u in zip(shown, found.pair.ulps, strict=True)
    )
    lines.append(f"      {where}: {numbers}; exact {found.pair.exact}")
    return lines


def alone(tensor: str, side: Origin) -> list[str]:
    """A tensor for which there is no second side."""
    return [f"    {tensor}: no right formula of yours", f"      {side.side}  {_form(side)}"]


def _form(side: Origin) -> str:
    if side.form:
        return f"{side.form}  (at most {side.ulps:.2f} ulp from exact)"
    if side.nearest:
        return (
            f"no order found for all bits; one gives {side.nearest} of {side.elements} "
            f"(at most {side.ulps:.2f} ulp from exact)"
        )
    return f"no order of rounding found (at most {side.ulps:.2f} ulp from exact)"
