"""A report to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from textwrap import wrap
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.text import Text

from gradproof.core.errors import UnknownName
from gradproof.judge.stage import LITTLE
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.report.program import program_lines
from gradproof.report.report import Batch, ForwardRow, GradientRow, Report, Turns
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.report.tensors import of_gradient, tensors

AnyRow = TypeVar("AnyRow", ForwardRow, GradientRow)

MARKS = {"proved": "✓", "agrees": "✓", "derived": "·", "refuted": "✗", "undecided": "?"}
COLOURS = {
    "proved": "green",
    "agrees": "green",
    "derived": "dim",
    "refuted": "bold red",
    "undecided": "yellow",
}


NOTEBOOK_WIDTH = 110
"""Columns of a report in a notebook."""


def show(
    report: Report,
    console: Console | None = None,
    *,
    values: bool = False,
    of: str | None = None,
) -> None:
    """Prints a report; with `values` the tensors stand side by side at 8 digits.

    Args:
        report: what `verify` returned.
        console: where to; the terminal if not given.
        values: whether the tensors are shown.
        of: a tensor whose gradient alone is shown, with its numbers; of a loop, that of the last t.

    Raises:
        UnknownName: there is no gradient with respect to that tensor.
    """
    console = console or Console(highlight=False)
    with console:  # in a notebook, one output and not one for each line
        if of is not None:
            _print(_alone(report, of, console.width), console)
        else:
            _show_all(report, console, values=values)


def _show_all(report: Report, console: Console, *, values: bool) -> None:
    for line in _head(report, console.width):
        _print(wrapped(line, console.width, indent=8), console)
    for batch in report.batches:
        console.print()
        console.print(Text(_batch_head(batch), style="bold"))
        for table, below in (
            (_forward_table(batch, report), [f"where {line}" for line in batch.starts]),
            (_gradient_table(batch, report), []),
        ):
            console.print()
            _print([*lay_out(table, console.width), *(Text(b, "dim") for b in below)], console)
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
    for note in (*proof_lines(report), *_coverage(report), *report.notes, *_missing(report)):
        _print(wrapped(Text(note, style="dim"), console.width), console)
    _print(wrapped(summary(report), console.width), console)


def _alone(report: Report, of: str, width: int) -> Iterator[Text]:
    """One gradient of the last set of data: its formula, its verdicts, its numbers."""
    batch = report.batches[-1]
    named = {row.name: [row] for row in batch.gradients}
    for row in batch.gradients:
        if "[" in row.name:
            named.setdefault(row.name.partition("[")[0], []).append(row)
    if of not in named:
        raise UnknownName(
            f"There is no gradient with respect to {of}.",
            advice=f"There are those with respect to {_listed(list(named))}.",
        )
    group = named[of]
    last = max(group, key=lambda row: (len(row.name), row.name))
    loops = batch.gradient_loops if len(group) > 1 else ()
    for some, loop in _grouped(group, loops):
        if len(some) == 1 or loop is not None:
            yield Text(some[0].derived if loop is None else loop.formula, style="bold")
            yield from (Text("  ") + line for line in (*_below(some[0], loop), *_range(loop, "")))
    verdicts = Text("formula ")
    verdicts.append_text(_worst([(row.name, row.formula_verdict) for row in group]))
    verdicts.append(f" · {report.engine} ")
    verdicts.append_text(_worst([(row.name, row.engine_verdict) for row in group]))
    native = [(row.name, row.native_verdict) for row in group if row.native_verdict]
    if native:
        verdicts.append(" · its layers ")
        verdicts.append_text(_worst(native))
    digits_ = min(row.engine_verdict.digits for row in group)
    share = max(row.engine_verdict.share for row in group)
    verdicts.append(f" · {_digits(digits_)} digits, {_share(share)} of its bound")
    yield from wrapped(verdicts, width)
    for row in group:
        for detail in _row_details(row, report):
            for line in detail.split("\n"):
                yield from wrapped(line, width)
    yield from of_gradient(last, report.engine, width)


def html(report: Report) -> str:
    """A report as a terminal shows it, for a notebook."""
    console = Console(
        record=True,
        width=NOTEBOOK_WIDTH,
        file=StringIO(),
        highlight=False,
        color_system="truecolor",
        force_jupyter=False,
    )
    show(report, console)
    inside = '<pre style="overflow-x:auto;white-space:pre;line-height:1.3">{code}</pre>'
    return console.export_html(inline_styles=True, code_format=inside)


def _print(lines: Iterable[Text], console: Console) -> None:
    """Lines that fit; a single word that is wider than the terminal is folded, never cut."""
    for line in lines:
        console.print(line, overflow="fold")


def _head(report: Report, width: int) -> list[Text]:
    # A name and its shape stay on one line.
    alike: dict[tuple[str, str], list[str]] = {}
    for name, shape in report.shapes.items():
        alike.setdefault((name.partition("[")[0], shape), []).append(name)
    shapes = [f"{_listed(names)}\u00a0{shape}" for (_, shape), names in alike.items()]
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
    usual = _usual(batch.forward_loops)
    for group, loop in _grouped(batch.forward, batch.forward_loops):
        row = group[-1]
        cells = [
            Text(row.name if loop is None else loop.name),
            Text(_right_side(row.formula if loop is None else loop.formula)),
            Text(_number(row.engine)),
            Text(_number(row.plain)),
            Text(_share(max(one.verdict.share for one in group))),
            _worst([(one.name, one.verdict) for one in group]),
        ]
        if native:
            cells.append(_worst([(r.name, r.native_verdict) for r in group if r.native_verdict]))
        rows.append(Row(tuple(cells), _range(loop, usual)))
    if native:
        columns.append(Column("layers"))
    return Table(f"Forward {_shown(usual)}", tuple(columns), tuple(rows))


def _left_side(row: GradientRow, loop: Turns | None) -> str:
    """The gradient's name, with the index t where it has one."""
    left = (row.derived if loop is None else loop.formula).partition(" = ")[0]
    return left if loop is not None or left == f"{row.symbol}[t]" else row.symbol


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
    usual = _usual(batch.gradient_loops)
    for group, loop in _grouped(batch.gradients, batch.gradient_loops):
        row = group[0]
        cells = (
            Text(_left_side(row, loop)),
            Text(_right_side(row.derived if loop is None else loop.formula)),
            *([Text(_yours(row, loop), style="dim")] if claimed else []),
            Text(_number(row.engine)),
            Text(_share(max(one.engine_verdict.share for one in group))),
            Text(_digits(min(one.engine_verdict.digits for one in group))),
            _worst([(one.name, one.formula_verdict) for one in group]),
            _worst([(one.name, one.engine_verdict) for one in group]),
            *(
                [_worst([(r.name, r.native_verdict) for r in group if r.native_verdict])]
                if native
                else []
            ),
        )
        rows.append(Row(cells, (*_below(row, loop), *_range(loop, usual))))
    return Table(f"Gradients, back to front {_shown(usual)}", columns, tuple(rows))


def _own(batch: Batch, width: int) -> list[Text]:
    """The values of the user's backward that are no gradients, but that formulas name."""
    lines = [line for own in batch.own for line in wrapped(Text(own, style="dim"), width - 2)]
    return [Text("Your own values", style="bold"), *(Text("  ") + line for line in lines)]


RANK = ("refuted", "undecided", "derived", "agrees", "proved")
"""Verdicts, the worst first."""


def _grouped(
    rows: Sequence[AnyRow], loops: Sequence[Turns]
) -> Iterator[tuple[list[AnyRow], Turns | None]]:
    """The rows, those of a loop's turns together where the first of them stands."""
    loop_of = {name: loop for loop in loops for name in loop.members}
    by_name = {row.name: row for row in rows}
    seen: set[str] = set()
    for row in rows:
        loop = loop_of.get(row.name)
        if loop is None or any(name not in by_name for name in loop.members):
            yield [row], None
        elif loop.name not in seen:
            seen.add(loop.name)
            mine = set(loop.members)
            yield [one for one in rows if one.name in mine], loop


def _worst(verdicts: Sequence[tuple[str, FormulaVerdict | EngineVerdict]]) -> Text:
    """The worst verdict on the turns of a loop, and on which of them where others differ."""
    if not verdicts:
        return Text()
    worst = min((verdict for _, verdict in verdicts), key=lambda v: RANK.index(v.kind))
    text = _verdict(worst)
    names = [name for name, verdict in verdicts if verdict.kind == worst.kind]
    if len(names) < len(verdicts):
        numbers = [int(name[name.rindex("[") + 1 : -1]) for name in names]
        text.append(f" t={_ranges(numbers)}")
    return text


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers, neighbours as one range: ``1…5,8``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}…{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _range(loop: Turns | None, usual: str) -> tuple[Text, ...]:
    """For which t a row holds, where that is not said above the table."""
    if loop is None or loop.range == usual:
        return ()
    return (Text(f"for {loop.range}", style="dim"),)


def _usual(loops: Sequence[Turns]) -> str:
    """For which t most of the loops hold: it is said once."""
    counts = Counter(loop.range for loop in loops)
    return counts.most_common(1)[0][0] if counts else ""


def _shown(usual: str) -> str:
    """Which number stands in a row, and for which t the rows hold."""
    return f"(number shown: the first element{f' of the last t; {usual}' if usual else ''})"


def _yours(row: GradientRow, loop: Turns | None) -> str:
    """Whether the user's formula reads like the derived one."""
    if row.claimed is None:
        return "none"
    mine, derived = _formulas(row, loop)
    same = len(mine) == 1 and _right_side(mine[0]) == _right_side(derived)
    return "same" if same else "below"


def _formulas(row: GradientRow, loop: Turns | None) -> tuple[tuple[str, ...], str]:
    """The user's formulas and the derived one; of a loop, those for all of its turns."""
    if loop is None:
        return (row.claimed or "",), row.derived
    return loop.claimed, loop.formula


def _below(row: GradientRow, loop: Turns | None) -> tuple[Text, ...]:
    """The user's formula where it is written in another way, and what is odd."""
    lines = []
    if _yours(row, loop) == "below":
        mine, _ = _formulas(row, loop)
        one = len(mine) == 1
        lines += [
            Text(f"yours: {_right_side(line) if one else line}", style="dim") for line in mine
        ]
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
        lines += _row_details(row, report)
    for forward in batch.forward:
        lines += _engine_detail(forward.name, forward.verdict, forward.engine, report.engine)
        if forward.native_verdict is not None and forward.native is not None:
            lines += _engine_detail(
                forward.name, forward.native_verdict, forward.native, f"{report.engine}'s layer"
            )
    return lines


def _row_details(row: GradientRow, report: Report) -> list[Text]:
    lines = _formula_detail(row)
    lines += _engine_detail(row.symbol, row.engine_verdict, row.engine, report.engine)
    if row.hand is not None and row.hand_verdict is not None:
        lines += _engine_detail(row.symbol, row.hand_verdict, row.hand, row.line)
    if row.native is not None and row.native_verdict is not None:
        layer = f"{report.engine}'s layer"
        lines += _engine_detail(row.symbol, row.native_verdict, row.native, layer)
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


def proof_lines(report: Report) -> list[str]:
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
    names = _listed([row.symbol for row in rows])
    return f"Proved {scope} by {method}{chance}{assumed}: {names}."


def _listed(symbols: Sequence[str]) -> str:
    """Names one after the other, those of a loop's turns as one: ``∂l/∂h[1…6]``."""
    families: dict[str, list[int]] = {}
    for symbol in symbols:
        stem, bracket, number = symbol.partition("[")
        numbers = families.setdefault(stem, [])
        if bracket and number[:-1].isdigit():
            numbers.append(int(number[:-1]))
    said = []
    for stem, numbers in families.items():
        first, last = min(numbers, default=0), max(numbers, default=0)
        if not numbers:
            said.append(stem)
        elif len(numbers) > 2 and len(numbers) == last - first + 1:
            said.append(f"{stem}[{first}…{last}]")
        else:
            said += [f"{stem}[{n}]" for n in sorted(numbers)]
    return ", ".join(said)


def _coverage(report: Report) -> list[str]:
    rows = report.batches[-1].gradients
    if not any(row.covered for row in rows):
        return []
    bare = [row.symbol for row in rows if not row.covered]
    return [f"Not covered by a formula of yours: {_listed(bare)}."] if bare else []


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
