"""A report to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradproof.judge.stage import LITTLE
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.report.program import program_lines
from gradproof.report.report import Batch, ForwardRow, GradientRow, Report

MARKS = {"proved": "✓", "agrees": "✓", "derived": "·", "refuted": "✗", "undecided": "?"}
COLOURS = {
    "proved": "green",
    "agrees": "green",
    "derived": "dim",
    "refuted": "bold red",
    "undecided": "yellow",
}


def show(report: Report, console: Console | None = None, *, values: bool = False) -> None:
    """Prints a report; with `values` the tensors stand side by side at 8 digits."""
    console = console or Console(highlight=False)
    console.print(_head(report))
    for batch in report.batches:
        console.print()
        console.print(_batch_head(batch), style="bold")
        console.print()
        console.print(_forward_table(batch, report))
        console.print()
        console.print(_gradient_table(batch, report))
        if batch.program is not None:
            console.print()
            console.print(program_lines(batch, batch.program, report.engine), style="dim")
        for line in _details(batch, report):
            console.print(Padding(line, (0, 0, 0, 2)))
        if values:
            console.print(_values(batch, report))
    console.print()
    for note in (*_proofs(report), *_coverage(report), *report.notes, *_missing(report)):
        console.print(Text(note, style="dim"))
    console.print(summary(report))


def _head(report: Report) -> Text:
    shapes = "  ".join(f"{name} {shape}" for name, shape in report.shapes.items())
    text = Text()
    text.append(f"gradproof verify {report.network}\n", style="bold")
    text.append(
        f"engine  {report.engine} {report.engine_version} · {report.dtype} · seed {report.seed}\n"
    )
    text.append(f"shapes  {shapes}\n")
    text.append(f"bounds  {report.contract}\n", style="dim")
    text.append(f"power   {_power(report)}", style="dim")
    return text


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
    table = _table("Forward")
    table.add_column("value", no_wrap=True)
    table.add_column("formula", ratio=1)
    table.add_column(f"{report.engine} [0,0]", justify="right", no_wrap=True)
    table.add_column("by formula", justify="right", no_wrap=True)
    table.add_column("of bound", justify="right", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    if native:
        table.add_column("layers", no_wrap=True)
    for row in batch.forward:
        cells: list[Text | str] = [
            row.name,
            _right_side(row.formula),
            _number(row.engine),
            _number(row.plain),
            _share(row.verdict.share),
            _verdict(row.verdict),
        ]
        if native:
            cells.append(_verdict(row.native_verdict) if row.native_verdict else "")
        table.add_row(*cells)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


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
    said = " (yours below, where it reads otherwise)" if claimed else ""
    table = _table(f"Gradients, back to front{said}")
    table.add_column("gradient", no_wrap=True)
    table.add_column("derived", ratio=1)
    table.add_column(f"{report.engine} [0,0]", justify="right", no_wrap=True)
    table.add_column("of bound", justify="right", no_wrap=True)
    table.add_column("digits", justify="right", no_wrap=True)
    table.add_column("formula", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for row in batch.gradients:
        table.add_row(
            row.symbol,
            _formulas(row),
            _number(row.engine),
            _share(row.engine_verdict.share),
            _digits(row.engine_verdict.digits),
            _verdict(row.formula_verdict),
            _verdict(row.engine_verdict),
        )
    return table


def _formulas(row: GradientRow) -> Text:
    """The derived formula, and below it the user's where it is written in another way."""
    formula = Text(_right_side(row.derived))
    if row.claimed is not None and _right_side(row.claimed) != _right_side(row.derived):
        formula.append(f"\nyours: {_right_side(row.claimed)}", style="dim")
    if row.zero:
        formula.append("\nthe loss does not depend on it", style="dim")
    return formula


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
    lines: list[Text] = []
    for row in batch.gradients:
        lines += _formula_detail(row)
        lines += _engine_detail(row.symbol, row.engine_verdict, row.engine, report.engine)
        if row.hand is not None and row.hand_verdict is not None:
            lines += _engine_detail(row.symbol, row.hand_verdict, row.hand, row.line)
    for forward in batch.forward:
        lines += _engine_detail(forward.name, forward.verdict, forward.engine, report.engine)
        if forward.native_verdict is not None and forward.native is not None:
            lines += _engine_detail(
                forward.name, forward.native_verdict, forward.native, f"{report.engine}'s layer"
            )
    return lines


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


def _values(batch: Batch, report: Report) -> Group:
    parts: list[Text] = [Text()]
    for name, array in batch.inputs.items():
        parts.append(_side_by_side(name, [("", array)]))
    for row in batch.forward:
        parts.append(_side_by_side(row.name, _forward_columns(row, report)))
    for gradient in batch.gradients:
        columns = [(report.engine, gradient.engine)]
        if gradient.hand is not None:
            columns.append(("by hand", gradient.hand))
        columns.append(("true", gradient.true))
        parts.append(_side_by_side(f"{gradient.symbol}  {gradient.shape}", columns))
    return Group(*parts)


def _forward_columns(row: ForwardRow, report: Report) -> list[tuple[str, np.ndarray]]:
    columns = [(report.engine, row.engine), ("by formula", row.plain)]
    if row.native is not None:
        columns.append((f"{report.engine}'s layers", row.native))
    return columns


def _side_by_side(title: str, columns: Sequence[tuple[str, np.ndarray]]) -> Text:
    """Tensors beside one another where they fit in 96 columns, else one above the other."""
    blocks = [
        [
            *([label] if label else []),
            *np.array2string(a, precision=8, max_line_width=96).splitlines(),
        ]
        for label, a in columns
    ]
    widths = [max(len(line) for line in block) for block in blocks]
    text = Text(f"{title}\n", style="bold")
    if sum(widths) + 3 * len(widths) <= 96:
        height = max(len(block) for block in blocks)
        for k in range(height):
            cells = [
                (b[k] if k < len(b) else "").ljust(w) for b, w in zip(blocks, widths, strict=True)
            ]
            text.append("  " + "   ".join(cells).rstrip() + "\n", style="not bold")
    else:
        for block in blocks:
            text.append("  " + "\n    ".join(block) + "\n", style="not bold")
    return text


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
