"""A report to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from textwrap import wrap

import numpy as np
from rich.console import Console
from rich.text import Text

from gradproof.judge.stage import LITTLE
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.report.program import program_lines
from gradproof.report.report import Batch, GradientRow, Report
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.report.tensors import tensors

MARKS = {"proved": "✓", "agrees": "✓", "derived": "·", "refuted": "✗", "undecided": "?"}
COLOURS = {
    "proved": "green",
    "agrees": "green",
    "derived": "dim",
    "refuted": "bold red",
    "undecided": "yellow",
}

FIRST = "(number shown: the first element)"


def show(report: Report, console: Console | None = None, *, values: bool = False) -> None:
    """Prints a report; with `values` the tensors stand side by side at 8 digits."""
    console = console or Console(highlight=False)
    for line in _head(report, console.width):
        _print(wrapped(line, console.width, indent=8), console)
    for batch in report.batches:
        console.print()
        console.print(Text(_batch_head(batch), style="bold"))
        for table in (_forward_table(batch, report), _gradient_table(batch, report)):
            console.print()
            _print(lay_out(table, console.width), console)
        if batch.own:
            console.print()
            _print(_own(batch, console.width), console)
        if batch.program is not None:
            console.print()
            console.print(program_lines(batch, batch.program, report.engine), style="dim")
        for detail in _details(batch, report):
            for line in detail.split("\n"):
                _print((Text("  ") + part for part in wrapped(line, console.width - 2)), console)
        if values:
            console.print()
            _print(tensors(batch, report.engine, console.width), console)
    console.print()
    for note in (*_proofs(report), *_coverage(report), *report.notes, *_missing(report)):
        _print(wrapped(Text(note, style="dim"), console.width), console)
    _print(wrapped(summary(report), console.width), console)


def _print(lines: Iterable[Text], console: Console) -> None:
    """Lines that fit; a single word that is wider than the terminal is folded, never cut."""
    for line in lines:
        console.print(line, overflow="fold")


def _head(report: Report, width: int) -> list[Text]:
    # A name and its shape stay on one line.
    shapes = [f"{name}\u00a0{shape}" for name, shape in report.shapes.items()]
    engine = f"{report.engine} {report.engine_version} · {report.dtype} · seed {report.seed}"
    return [
        Text(f"gradproof verify {report.network}", style="bold"),
        Text(f"engine  {engine}"),
        *(
            Text(line.replace("\u00a0", " "))
            for line in wrap(
                "  ".join(shapes), width, initial_indent="shapes  ", subsequent_indent=" " * 8
            )
        ),
        Text(f"bounds  {report.contract}", style="dim"),
        Text(f"power   {_power(report)}", style="dim"),
    ]


def _power(report: Report) -> str:
    """What share of the elements a small error would show in, at the blindest gradient."""
    powers = [row.engine_verdict.power for b in report.batches for row in b.gradients]
    least = int(100 * min(powers, default=1.0))
    error = LITTLE[report.dtype]
    return (
        f"a relative error of {error:g} would show in at least {least}% of each gradient's elements"
    )


def _batch_head(batch: Batch) -> str:
    sizes = ", ".join(f"{name} = {size}" for name, size in batch.sizes.items())
    return f"── {batch.title}" + (f" ({sizes})" if sizes else "") + " ──"


def _forward_table(batch: Batch, report: Report) -> Table:
    native = any(row.native_verdict is not None for row in batch.forward)
    columns = [
        Column("value"),
        Column("formula"),
        Column(report.engine, "right"),
        Column("by formula", "right"),
        Column("of bound", "right"),
        Column("engine"),
    ]
    rows = []
    for row in batch.forward:
        cells = [
            Text(row.name),
            Text(_right_side(row.formula)),
            Text(_number(row.engine)),
            Text(_number(row.plain)),
            Text(_share(row.verdict.share)),
            _verdict(row.verdict),
        ]
        if native:
            cells.append(_verdict(row.native_verdict) if row.native_verdict else Text())
        rows.append(Row(tuple(cells)))
    if native:
        columns.append(Column("layers"))
    return Table(f"Forward {FIRST}", tuple(columns), tuple(rows))


def _right_side(formula: str) -> str:
    return formula.partition(" = ")[2] or formula


def _number(array: np.ndarray) -> str:
    return digits(array.reshape(-1)[0]) if array.size else ""


def digits(value: np.floating) -> str:
    """A number at 8 digits, as NumPy prints its dtype."""
    return (
        np.format_float_positional(value, precision=8, unique=True, trim="-")
        if (1e-4 <= abs(value) < 1e8 or value == 0)
        else np.format_float_scientific(value, precision=7, unique=True)
    )


def _gradient_table(batch: Batch, report: Report) -> Table:
    claimed = any(row.claimed is not None for row in batch.gradients)
    native = any(row.native_verdict is not None for row in batch.gradients)
    columns = (
        Column("gradient"),
        Column("derived"),
        *([Column("yours")] if claimed else []),
        Column(report.engine, "right"),
        Column("of bound", "right"),
        Column("digits", "right"),
        Column("formula"),
        Column("engine"),
        *([Column("layers")] if native else []),
    )
    rows = []
    for row in batch.gradients:
        layers = _verdict(row.native_verdict) if row.native_verdict else Text()
        cells = (
            Text(row.symbol),
            Text(_right_side(row.derived)),
            *([Text(_yours(row), style="dim")] if claimed else []),
            Text(_number(row.engine)),
            Text(_share(row.engine_verdict.share)),
            Text(_digits(row.engine_verdict.digits)),
            _verdict(row.formula_verdict),
            _verdict(row.engine_verdict),
            *([layers] if native else []),
        )
        rows.append(Row(cells, _below(row)))
    return Table(f"Gradients, back to front {FIRST}", columns, tuple(rows))


def _own(batch: Batch, width: int) -> list[Text]:
    """The values of the user's backward that are no gradients, but that formulas name."""
    lines = [line for own in batch.own for line in wrapped(Text(own, style="dim"), width - 2)]
    return [Text("Your own values", style="bold"), *(Text("  ") + line for line in lines)]


def _yours(row: GradientRow) -> str:
    """Whether the user's formula reads like the derived one."""
    if row.claimed is None:
        return "none"
    return "same" if _right_side(row.claimed) == _right_side(row.derived) else "below"


def _below(row: GradientRow) -> tuple[Text, ...]:
    """The user's formula where it is written in another way, and what is odd."""
    lines = []
    if _yours(row) == "below" and row.claimed is not None:
        lines.append(Text(f"yours: {_right_side(row.claimed)}", style="dim"))
    if row.zero:
        lines.append(Text("the loss does not depend on it", style="dim"))
    return tuple(lines)


def _share(share: float) -> str:
    if not np.isfinite(share):
        return "—"
    return f"{share:.2f}" if share < 1000 else f"{share:.1e}"


def _digits(found: float) -> str:
    if np.isnan(found):
        return "—"
    return "all" if np.isinf(found) else f"{found:.1f}"


def _verdict(verdict: FormulaVerdict | EngineVerdict) -> Text:
    kind: str = verdict.kind
    word = "inherited" if getattr(verdict, "inherited", False) else kind
    return Text(f"{MARKS[kind]} {word}", style=COLOURS[kind])


def _details(batch: Batch, report: Report) -> list[Text]:
    lines: list[Text] = _layers_elsewhere(batch, report)
    for row in batch.gradients:
        lines += _formula_detail(row)
        lines += _engine_detail(row.symbol, row.engine_verdict, row.engine, report.engine)
        if row.hand is not None and row.hand_verdict is not None:
            lines += _engine_detail(row.symbol, row.hand_verdict, row.hand, row.line)
        if row.native is not None and row.native_verdict is not None:
            lines += _engine_detail(
                row.symbol, row.native_verdict, row.native, f"{report.engine}'s layer"
            )
    for forward in batch.forward:
        lines += _engine_detail(forward.name, forward.verdict, forward.engine, report.engine)
        if forward.native_verdict is not None and forward.native is not None:
            lines += _engine_detail(
                forward.name, forward.native_verdict, forward.native, f"{report.engine}'s layer"
            )
    return lines


def _layers_elsewhere(batch: Batch, report: Report) -> list[Text]:
    """Which tensors of layers were judged in float64, because the dtype's bound says nothing."""
    rows = [*((r.name, r.native_verdict) for r in batch.forward)]
    rows += [(r.symbol, r.native_verdict) for r in batch.gradients]
    names = [n for n, v in rows if v is not None and v.kind == "agrees" and v.because]
    if not names:
        return []
    said = f"{report.engine}'s layers, judged in float64 (their bound in {report.dtype} is too wide"
    return [Text(f"{said} to see anything): {', '.join(names)}", style="dim")]


def _formula_detail(row: GradientRow) -> list[Text]:
    verdict = row.formula_verdict
    if verdict.kind not in ("refuted", "undecided"):
        return []
    text = Text()
    text.append(f"{row.symbol}  {row.line}  ", style="bold")
    text.append(f"{verdict.kind}: {verdict.because}.")
    found = verdict.counter_example
    if found is not None:
        where = f"[{', '.join(map(str, found.index))}]" if found.index else ""
        text.append(f"\n  at {row.symbol}{where} yours is {found.claimed}")
        text.append(f"\n  {' ' * len(f'at {row.symbol}{where}')} the true one {found.true}")
    for line in row.why:
        text.append(f"\n  {line}", style="bold" if not verdict.inherited else "")
    if verdict.kind == "refuted" and not verdict.inherited and row.claimed:
        text.append(f"\n  yours:   {row.claimed}\n  derived: {row.derived}")
    return [text]


def _engine_detail(
    symbol: str, verdict: EngineVerdict, engine: np.ndarray, title: str
) -> list[Text]:
    if verdict.kind not in ("refuted", "undecided"):
        return []
    where = f"[{', '.join(map(str, verdict.worst))}]" if verdict.worst else ""
    text = Text()
    text.append(f"{symbol}  {title}  ", style="bold")
    text.append(f"{verdict.kind}: {verdict.because}; worst at {symbol}{where}")
    if verdict.worst or engine.ndim == 0:
        text.append(f" = {engine[verdict.worst]!s}")
    return [text]


def _proofs(report: Report) -> list[str]:
    """How the proofs were found, for which sizes, and what they assume: a line for each kind."""
    kinds: dict[tuple[str, str, tuple[str, ...]], list[GradientRow]] = {}
    for row in report.batches[-1].gradients:
        verdict = row.formula_verdict
        if verdict.kind == "proved":
            key = (verdict.method, verdict.scope, verdict.hypotheses)
            kinds.setdefault(key, []).append(row)
    return [_proof_line(*key, rows) for key, rows in kinds.items()]


def _proof_line(
    method: str, scope: str, hypotheses: tuple[str, ...], rows: list[GradientRow]
) -> str:
    error = sum(row.formula_verdict.error for row in rows)
    chance = f", wrong with probability below {error:.0e}" if error else ""
    assumed = f", if {' and '.join(hypotheses)}" if hypotheses else ""
    names = ", ".join(row.symbol for row in rows)
    return f"Proved {scope} by {method}{chance}{assumed}: {names}."


def _coverage(report: Report) -> list[str]:
    rows = report.batches[-1].gradients
    if not any(row.covered for row in rows):
        return []
    bare = [row.symbol for row in rows if not row.covered]
    return [f"Not covered by a formula of yours: {', '.join(bare)}."] if bare else []


def _missing(report: Report) -> list[str]:
    return [f"{title} is not installed: {how}" for title, how in report.missing_engines.items()]


def summary(report: Report) -> Text:
    """The last line: what holds and what does not."""
    formulas = Counter(row.formula_verdict.kind for row in report.batches[-1].gradients)
    engine = Counter(row.engine_verdict.kind for batch in report.batches for row in batch.gradients)
    shares = [row.engine_verdict.share for b in report.batches for row in b.gradients]
    said = ", ".join(f"{count} {kind}" for kind, count in formulas.items())
    heard = ", ".join(f"{count} {kind}" for kind, count in engine.items())
    word, style = {
        0: ("All hold", "bold green"),
        1: ("REFUTED", "bold red"),
        3: ("UNDECIDED", "bold yellow"),
    }[report.exit_code]
    text = Text()
    text.append(f"{word}: ", style=style)
    text.append(
        f"formulas: {said} · {report.engine}: {heard} "
        f"(largest share of a bound {_share(max(shares, default=0.0))})"
    )
    return text
