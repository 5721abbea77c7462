"""A paper and its numbers to reasons: which mistake, and which order of rounding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gradproof.bench import Bench, bench_of
from gradproof.core.program import Equation
from gradproof.core.term import rename
from gradproof.core.told import told, told_as_is, told_row, told_sum
from gradproof.engines.engine import load
from gradproof.judge.generic import draw
from gradproof.judge.last_digit import LastDigit, Origin, by_names, last_digit, origin
from gradproof.report.console import digits
from gradproof.report.report import Batch, GradientRow, Report
from gradproof.report.table import wrapped
from gradproof.trace.source import Source
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH
from gradproof.workbench import (
    choose_engine,
    proofs_of,
    read,
    verify_source,
)

HAND = told("by formula")
LEGEND = sentence("fma: multiplied and added with one rounding; Σ[n]: a sum over n.")


def explain_source(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int | None,
    sizes: Mapping[str, int],
    *,
    solution: bool = False,
    lang: str = ENGLISH,
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
        lang: the language of the page.
    """
    report = in_language(verify_source(source, inputs, engine, dtype, seed, sizes), lang)
    drawn = say("seed {seed}", lang, seed=report.seed)
    lines = [
        f"gradproof explain {source.name}",
        f"{say('engine', lang)}  {report.engine} {report.engine_version} · {dtype} · {drawn}",
        "",
        *_mistakes(report, lang, solution=solution),
        "",
        say("The last digit", lang),
    ]
    if dtype != "float32":
        only = say("Orders of rounding are searched in float32 only.", lang)
        return "\n".join([*lines, f"  {only}"]), report.exit_code
    wrong = frozenset(
        row.name for row in report.batches[-1].gradients if row.formula_verdict.kind == "refuted"
    )
    for title, bench in _benches(source, inputs, engine, dtype, report.seed, sizes):
        lines += ["", f"  {in_language(title, lang)}", *_last_digits(bench, wrong, lang)]
    return "\n".join(_fitted([*lines, "", f"  {say(LEGEND, lang)}"])), report.exit_code


def _fitted(lines: list[str]) -> list[str]:
    """Lines of at most 100 columns; what is longer goes on deeper in."""
    found: list[str] = []
    for line in lines:
        margin = " " * (len(line) - len(line.lstrip()))
        if cell_len(line) > len(line):  # Chinese, which has no spaces to break at
            parts = wrapped(Text(line.lstrip()), 100 - len(margin), indent=4)
            found += [margin + part.plain for part in parts]
            continue
        inside = margin + " " * 4
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


def _mistakes(report: Report, lang: str, *, solution: bool) -> list[str]:
    batch = report.batches[-1]
    covered = [row for row in batch.gradients if row.covered]
    if not covered:
        return [
            say("Mistakes", lang),
            f"  {say('There is no formula of yours to explain.', lang)}",
        ]
    wrong = [row for row in covered if row.formula_verdict.kind == "refuted"]
    own = [row for row in wrong if not row.formula_verdict.inherited]
    lines = [say("Mistakes, in the order of the chain", lang)]
    if not wrong:
        lines.append(f"  {say('None was found: no formula of yours is refuted.', lang)}")
    for row in wrong:
        first = bool(own) and row is own[0]
        lines += _mistake(row, batch, lang, first=first, solution=solution)
    for kind, template in (
        ("proved", sentence("Right: {names}.")),
        ("undecided", sentence("Undecided: {names}.")),
    ):
        names = [row.symbol for row in covered if row.formula_verdict.kind == kind]
        if names:
            lines.append(f"  {say(template, lang, names=told_row(names))}")
    return lines


FIRST, TOO = sentence("the first mistake"), sentence("wrong too")
INHERITS = sentence("inherits a mistake")


def _mistake(
    row: GradientRow, batch: Batch, lang: str, *, first: bool, solution: bool
) -> list[str]:
    inherits = row.formula_verdict.inherited
    kind = INHERITS if inherits else FIRST if first else TOO
    lines = [f"  {row.symbol}  {row.line}  {say(kind, lang)}"]
    if not inherits:
        lines.append(f"    {say('yours:', lang)}  {row.claimed}")
    lines += [f"    {line}" for line in row.why]
    if solution and not inherits:
        lines.append(f"    {say('right:', lang)}  {row.derived}")
    return lines


# --- the last digit --------------------------------------------------------------------------


def _last_digits(bench: Bench, wrong: frozenset[str], lang: str) -> list[str]:
    lines: list[str] = []
    same: list[str] = []
    for found in _searched(bench, wrong):
        if isinstance(found, LastDigit) and found.differing == 0:
            same.append(found.tensor)
        else:
            pair = isinstance(found, LastDigit)
            lines += said(found, lang) if pair else alone(found[0], found[1], lang)
    if same:
        alike = say(
            "Rounded alike, bit for bit, on the same operands: {names}.",
            lang,
            names=told_row(same),
        )
        lines.append(f"    {alike}")
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
        claim = bench.traced.written.get(step.of)
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


def said(found: LastDigit, lang: str = ENGLISH) -> list[str]:
    """One tensor's two sides, in lines."""
    one, two = found.sides
    head = say(
        "{tensor}: {differing} of {elements} differ; {one} is nearer in {first}, {two} in {second}",
        lang,
        tensor=found.tensor,
        differing=found.differing,
        elements=one.elements,
        one=one.side,
        first=found.wins[0],
        two=two.side,
        second=found.wins[1],
    )
    sides = [(in_language(side.side, lang), _form(side, lang)) for side in found.sides]
    width = max(cell_len(side) for side, _ in sides)
    lines = [f"    {head}"]
    lines += [f"      {set_cell_size(side, width)}  {form}" for side, form in sides]
    if found.pair is None:
        apart = say("Their operands differ already; each is measured on its own.", lang)
        return [*lines, f"      {apart}"]
    where = say("its value", lang)
    if found.pair.index:
        where = f"[{', '.join(map(str, found.pair.index))}]"
    # Nine significant digits tell any two float32 apart; eight are what NumPy prints.
    eight = [digits(v) for v in found.pair.values]
    shown = eight if eight[0] != eight[1] else [f"{float(v):.9g}" for v in found.pair.values]
    numbers = [
        told("{number} ({ulps:.2f} ulp away)", number=v, ulps=u)
        for v, u in zip(shown, found.pair.ulps, strict=True)
    ]
    last = say(
        "{where}: {numbers}; exact {exact}",
        lang,
        where=where,
        numbers=told_sum(numbers),
        exact=found.pair.exact,
    )
    return [*lines, f"      {last}"]


def alone(tensor: str, side: Origin, lang: str = ENGLISH) -> list[str]:
    """A tensor for which there is no second side."""
    head = say("{tensor}: no right formula of yours", lang, tensor=tensor)
    return [f"    {head}", f"      {in_language(side.side, lang)}  {_form(side, lang)}"]


ORDERS = {
    r" in order, each step fused": sentence(", in order, each step fused"),
    r" from the end, each step fused": sentence(", from the end, each step fused"),
    r" in (?P<lanes>\d+) lanes, each step fused, added in order": sentence(
        ", in {lanes} lanes, each step fused, added in order"
    ),
    r" in (?P<lanes>\d+) lanes, each step fused": sentence(", in {lanes} lanes, each step fused"),
    r" in (?P<lanes>\d+) lanes, added in order": sentence(", in {lanes} lanes, added in order"),
    r" in (?P<lanes>\d+) lanes": sentence(", in {lanes} lanes"),
    r" in order": sentence(", in order"),
    r" from the end": sentence(", from the end"),
    r" in halves": sentence(", in halves"),
    r" in float64, rounded once": sentence(", in float64, rounded once"),
}
"""The orders in which a form adds (`judge/rounding.py`), with what is said of them."""


def _in_words(form: str, lang: str) -> str:
    """A form of rounding, with the orders of its sums in a language."""
    if lang == ENGLISH:
        return form
    for pattern, template in ORDERS.items():
        form = re.sub(pattern, lambda found, t=template: say(t, lang, **found.groupdict()), form)
    return form


def _form(side: Origin, lang: str) -> str:
    if side.form:
        return say(
            "{form}  (at most {ulps:.2f} ulp from exact)",
            lang,
            form=_in_words(side.form, lang),
            ulps=side.ulps,
        )
    if side.nearest:
        return say(
            "no order found for all bits; one gives {nearest} of {elements} (at most {ulps:.2f} "
            "ulp from exact)",
            lang,
            nearest=side.nearest,
            elements=side.elements,
            ulps=side.ulps,
        )
    return say(
        "no order of rounding found (at most {ulps:.2f} ulp from exact)", lang, ulps=side.ulps
    )
