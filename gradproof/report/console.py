"""A report to a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from textwrap import wrap
from typing import Protocol, TypeVar

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from gradproof.core.errors import UnknownName
from gradproof.core.told import told, told_row, told_sum
from gradproof.judge.stage import LITTLE
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.report.program import program_lines
from gradproof.report.report import WORDS, Batch, ForwardRow, GradientRow, Report, Turns
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.report.tensors import of_gradient, tensors
from gradproof.words import in_language, language, say, sentence
from gradproof.words.say import ENGLISH

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


class Lined(Protocol):
    """A report that has its lines: those of `check` and of `power`."""

    def lines(self, width: int, lang: str = ENGLISH) -> Iterator[Text]: ...


def show(
    report: Report | Lined,
    console: Console | None = None,
    *,
    values: bool = False,
    of: str | None = None,
    lang: str | None = None,
) -> None:
    """Prints a report; with `values` the tensors stand side by side at 8 digits.

    Args:
        report: what `verify`, `check` or `power` returned.
        console: where to; the terminal if not given.
        values: whether the tensors are shown, of what `verify` returned.
        of: a tensor whose gradient alone is shown, with its numbers; of a loop, that of the last t.
        lang: the language, ``"en"`` or ``"zh"``; the environment's (GRADPROOF_LANG) if not given.

    Raises:
        UnknownName: there is no gradient with respect to that tensor.
        DataError: there is no such language.
    """
    console = console or Console(highlight=False)
    lang = language(lang)
    if not isinstance(report, Report):
        with console:
            _print(report.lines(console.width, lang), console)
        return
    report = in_language(report, lang)
    with console:  # in a notebook, one output and not one for each line
        if of is not None:
            _print(_alone(report, of, console.width, lang), console)
        else:
            _show_all(report, console, lang, values=values)


def _show_all(report: Report, console: Console, lang: str, *, values: bool) -> None:
    for line in _head(report, console.width, lang):
        _print(wrapped(line, console.width, indent=8), console)
    for batch in report.batches:
        console.print()
        console.print(Text(f"── {batch_title(batch, lang)} ──", style="bold"))
        forward, gradients = tables(batch, report, lang)
        for table, below in ((forward, starts(batch, lang)), (gradients, [])):
            console.print()
            _print([*lay_out(table, console.width), *(Text(b, "dim") for b in below)], console)
        if batch.own:
            console.print()
            _print(_own(batch, console.width, lang), console)
        if batch.program is not None:
            console.print()
            console.print(Text(program_lines(batch, batch.program, report.engine, lang), "dim"))
        for detail in details(batch, report, lang):
            for line in detail.split("\n"):
                _print((Text("  ") + part for part in wrapped(line, console.width - 2)), console)
        if values:
            console.print()
            _print(tensors(batch, report.engine, console.width, lang), console)
    console.print()
    for note in notes(report, lang):
        _print(wrapped(Text(note, style="dim"), console.width), console)
    _print(wrapped(summary(report, lang), console.width), console)


def tables(batch: Batch, report: Report, lang: str) -> tuple[Table, Table]:
    """Forward values and gradients with their verdicts."""
    return _forward_table(batch, report, lang), _gradient_table(batch, report, lang)


def starts(batch: Batch, lang: str) -> list[str]:
    """Where the loops of forward begin."""
    return [say("where {line}", lang, line=line) for line in batch.starts]


def notes(report: Report, lang: str) -> list[str]:
    """What is said below the tables: how proofs were found, what has no formula, readings."""
    said = (*proof_lines(report), *_coverage(report), *report.notes, *_missing(report))
    return [in_language(note, lang) for note in said]


def _alone(report: Report, of: str, width: int, lang: str) -> Iterator[Text]:
    """One gradient of the last set of data: its formula, its verdicts, its numbers."""
    batch = report.batches[-1]
    named = {row.name: [row] for row in batch.gradients}
    for row in batch.gradients:
        if "[" in row.name:
            named.setdefault(row.name.partition("[")[0], []).append(row)
    if of not in named:
        raise UnknownName(
            told("There is no gradient with respect to {tensor}.", tensor=of),
            advice=told("There are those with respect to {tensors}.", tensors=_listed(list(named))),
        )
    group = named[of]
    last = max(group, key=lambda row: (len(row.name), row.name))
    loops = batch.gradient_loops if len(group) > 1 else ()
    for some, loop in _grouped(group, loops):
        if len(some) == 1 or loop is not None:
            yield Text(some[0].derived if loop is None else loop.formula, style="bold")
            yield from (
                Text("  ") + line
                for line in (*_below(some[0], loop, lang), *_range(loop, "", lang))
            )
    verdicts = Text(say("formula", lang) + " ")
    verdicts.append_text(_worst([(row.name, row.formula_verdict) for row in group], lang))
    verdicts.append(f" · {report.engine} ")
    verdicts.append_text(_worst([(row.name, row.engine_verdict) for row in group], lang))
    native = [(row.name, row.native_verdict) for row in group if row.native_verdict]
    if native:
        verdicts.append(f" · {say('its layers', lang)} ")
        verdicts.append_text(_worst(native, lang))
    digits_ = min(row.engine_verdict.digits for row in group)
    share = max(row.engine_verdict.share for row in group)
    figures = say(
        "{digits} digits, {share} of its bound",
        lang,
        digits=_digits(digits_, lang),
        share=_share(share),
    )
    verdicts.append(f" · {figures}")
    yield from wrapped(verdicts, width)
    for row in group:
        for detail in _row_details(row, report, lang):
            for line in detail.split("\n"):
                yield from wrapped(line, width)
    yield from of_gradient(last, report.engine, width, lang)


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


def _head(report: Report, width: int, lang: str) -> list[Text]:
    # A name and its shape stay on one line.
    alike: dict[tuple[str, str], list[str]] = {}
    for name, shape in report.shapes.items():
        alike.setdefault((name.partition("[")[0], shape), []).append(name)
    shapes = [f"{_listed(names)}\u00a0{shape}" for (_, shape), names in alike.items()]
    rows = wrap("  ".join(shapes), width - INDENT) or [""]
    engine, *others = conditions(report, lang)
    return [
        Text(f"gradproof verify {report.network}", style="bold"),
        Text(_labelled(*engine)),
        *(
            Text(_labelled(say("shapes", lang) if n == 0 else "", line.replace("\u00a0", " ")))
            for n, line in enumerate(rows)
        ),
        *(Text(_labelled(*one), style="dim") for one in others),
    ]


def conditions(report: Report, lang: str) -> list[tuple[str, str]]:
    """The engine with its dtype and seed, whose bounds hold, and what the data would show."""
    seed = say("seed {seed}", lang, seed=report.seed)
    engine = f"{report.engine} {report.engine_version} · {report.dtype} · {seed}"
    return [
        (say("engine", lang), engine),
        (say("bounds", lang), report.contract),
        (say("power", lang), _power(report, lang)),
    ]


INDENT = 8
"""Columns of what stands before a line of the head."""


def _labelled(label: str, said: str) -> str:
    return label + " " * (INDENT - cell_len(label)) + said


def _power(report: Report, lang: str) -> str:
    """What share of the elements a small error would show in, at the blindest gradient."""
    powers = [row.engine_verdict.power for b in report.batches for row in b.gradients]
    least = int(100 * min(powers, default=1.0))
    return say(
        "a relative error of {error:g} would show in at least {least}% of each gradient's elements",
        lang,
        error=LITTLE[report.dtype],
        least=least,
    )


def batch_title(batch: Batch, lang: str) -> str:
    """Which data these are, and how many."""
    sizes = ", ".join(f"{name} = {size}" for name, size in batch.sizes.items())
    titled = say("{title} ({sizes})", lang, title=batch.title, sizes=sizes)
    return titled if sizes else batch.title


def _forward_table(batch: Batch, report: Report, lang: str) -> Table:
    native = any(row.native_verdict is not None for row in batch.forward)
    columns = [
        Column(say("value", lang)),
        Column(say("formula", lang)),
        Column(report.engine, "right"),
        Column(say("by formula", lang), "right"),
        Column(say("of bound", lang), "right"),
        Column(say("engine", lang)),
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
            _worst([(one.name, one.verdict) for one in group], lang),
        ]
        if native:
            layers = [(r.name, r.native_verdict) for r in group if r.native_verdict]
            cells.append(_worst(layers, lang))
        rows.append(Row(tuple(cells), _range(loop, usual, lang)))
    if native:
        columns.append(Column(say("layers", lang)))
    title = say("Forward {note}", lang, note=_shown(usual, lang))
    return Table(title, tuple(columns), tuple(rows))


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


def _gradient_table(batch: Batch, report: Report, lang: str) -> Table:
    claimed = any(row.claimed is not None for row in batch.gradients)
    native = any(row.native_verdict is not None for row in batch.gradients)
    columns = (
        Column(say("gradient", lang)),
        Column(say("derived", lang)),
        *([Column(say("yours", lang))] if claimed else []),
        Column(report.engine, "right"),
        Column(say("of bound", lang), "right"),
        Column(say("digits", lang), "right"),
        Column(say("formula", lang)),
        Column(say("engine", lang)),
        *([Column(say("layers", lang))] if native else []),
    )
    rows = []
    usual = _usual(batch.gradient_loops)
    for group, loop in _grouped(batch.gradients, batch.gradient_loops):
        row = group[0]
        cells = (
            Text(_left_side(row, loop)),
            Text(_right_side(row.derived if loop is None else loop.formula)),
            *([Text(say(YOURS[_yours(row, loop)], lang), style="dim")] if claimed else []),
            Text(_number(row.engine)),
            Text(_share(max(one.engine_verdict.share for one in group))),
            Text(_digits(min(one.engine_verdict.digits for one in group), lang)),
            _worst([(one.name, one.formula_verdict) for one in group], lang),
            _worst([(one.name, one.engine_verdict) for one in group], lang),
            *(
                [_worst([(r.name, r.native_verdict) for r in group if r.native_verdict], lang)]
                if native
                else []
            ),
        )
        rows.append(Row(cells, (*_below(row, loop, lang), *_range(loop, usual, lang))))
    title = say("Gradients, back to front {note}", lang, note=_shown(usual, lang))
    return Table(title, columns, tuple(rows))


OWN = sentence("Your own values")


def _own(batch: Batch, width: int, lang: str) -> list[Text]:
    """The values of the user's backward that are no gradients, but that formulas name."""
    lines = [line for own in batch.own for line in wrapped(Text(own, style="dim"), width - 2)]
    return [
        Text(say(OWN, lang), style="bold"),
        *(Text("  ") + line for line in lines),
    ]


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


def _worst(verdicts: Sequence[tuple[str, FormulaVerdict | EngineVerdict]], lang: str) -> Text:
    """The worst verdict on the turns of a loop, and on which of them where others differ."""
    if not verdicts:
        return Text()
    worst = min((verdict for _, verdict in verdicts), key=lambda v: RANK.index(v.kind))
    text = _verdict(worst, lang)
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


def _range(loop: Turns | None, usual: str, lang: str) -> tuple[Text, ...]:
    """For which t a row holds, where that is not said above the table."""
    if loop is None or loop.range == usual:
        return ()
    return (Text(say("for {range}", lang, range=loop.range), style="dim"),)


def _usual(loops: Sequence[Turns]) -> str:
    """For which t most of the loops hold: it is said once."""
    counts = Counter(loop.range for loop in loops)
    return counts.most_common(1)[0][0] if counts else ""


def _shown(usual: str, lang: str) -> str:
    """Which number stands in a row, and for which t the rows hold."""
    if not usual:
        return say("(number shown: the first element)", lang)
    return say("(number shown: the first element of the last t; {range})", lang, range=usual)


YOURS = {"none": sentence("none"), "same": sentence("same"), "below": sentence("below")}


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


def _below(row: GradientRow, loop: Turns | None, lang: str) -> tuple[Text, ...]:
    """The user's formula where it is written in another way, and what is odd."""
    lines = []
    if _yours(row, loop) == "below":
        mine, _ = _formulas(row, loop)
        one = len(mine) == 1
        lines += [
            Text(
                say("yours: {formula}", lang, formula=_right_side(line) if one else line),
                style="dim",
            )
            for line in mine
        ]
    if row.zero:
        lines.append(Text(say("the loss does not depend on it", lang), style="dim"))
    return tuple(lines)


def _share(share: float) -> str:
    if not np.isfinite(share):
        return "—"
    return f"{share:.2f}" if share < 1000 else f"{share:.1e}"


def _digits(found: float, lang: str) -> str:
    if np.isnan(found):
        return "—"
    return say("all", lang) if np.isinf(found) else f"{found:.1f}"


def _verdict(verdict: FormulaVerdict | EngineVerdict, lang: str) -> Text:
    kind: str = verdict.kind
    word = WORDS["inherited" if getattr(verdict, "inherited", False) else kind]
    return Text(f"{MARKS[kind]} {say(word, lang)}", style=COLOURS[kind])


def details(batch: Batch, report: Report, lang: str) -> list[Text]:
    """What is said of each tensor that does not hold."""
    lines: list[Text] = _layers_elsewhere(batch, report, lang)
    layer = say("{engine}'s layer", lang, engine=report.engine)
    for row in batch.gradients:
        lines += _row_details(row, report, lang)
    for forward in batch.forward:
        lines += _engine_detail(forward.name, forward.verdict, forward.engine, report.engine, lang)
        if forward.native_verdict is not None and forward.native is not None:
            native = forward.native_verdict
            lines += _engine_detail(forward.name, native, forward.native, layer, lang)
    return lines


def _row_details(row: GradientRow, report: Report, lang: str) -> list[Text]:
    lines = _formula_detail(row, lang)
    lines += _engine_detail(row.symbol, row.engine_verdict, row.engine, report.engine, lang)
    if row.hand is not None and row.hand_verdict is not None:
        lines += _engine_detail(row.symbol, row.hand_verdict, row.hand, row.line, lang)
    if row.native is not None and row.native_verdict is not None:
        layer = say("{engine}'s layer", lang, engine=report.engine)
        lines += _engine_detail(row.symbol, row.native_verdict, row.native, layer, lang)
    return lines


def _layers_elsewhere(batch: Batch, report: Report, lang: str) -> list[Text]:
    """Which tensors of layers were judged in float64, because the dtype's bound says nothing."""
    rows = [*((r.name, r.native_verdict) for r in batch.forward)]
    rows += [(r.symbol, r.native_verdict) for r in batch.gradients]
    names = [n for n, v in rows if v is not None and v.kind == "agrees" and v.because]
    if not names:
        return []
    said = say(
        "{engine}'s layers, judged in float64 (their bound in {dtype} is too wide to see "
        "anything): {names}",
        lang,
        engine=report.engine,
        dtype=report.dtype,
        names=told_row(names),
    )
    return [Text(said, style="dim")]


def _formula_detail(row: GradientRow, lang: str) -> list[Text]:
    verdict = row.formula_verdict
    if verdict.kind not in ("refuted", "undecided"):
        return []
    text = Text()
    text.append(f"{row.symbol}  {row.line}  ", style="bold")
    kind = say(WORDS[verdict.kind], lang)
    text.append(say("{verdict}: {because}.", lang, verdict=kind, because=verdict.because))
    found = verdict.counter_example
    if found is not None:
        where = f"[{', '.join(map(str, found.index))}]" if found.index else ""
        place = say("at {element}", lang, element=f"{row.symbol}{where}")
        yours, right = say("yours is", lang), say("the true one", lang)
        text.append(f"\n  {place} {yours} {found.claimed}")
        text.append(f"\n  {' ' * cell_len(place)} {right} {found.true}")
    for line in row.why:
        text.append(f"\n  {line}", style="bold" if not verdict.inherited else "")
    if verdict.kind == "refuted" and not verdict.inherited and row.claimed:
        yours, right = say("yours:", lang), say("derived:", lang)
        width = max(cell_len(yours), cell_len(right))
        text.append(f"\n  {set_cell_size(yours, width)} {row.claimed}")
        text.append(f"\n  {set_cell_size(right, width)} {row.derived}")
    return [text]


def _engine_detail(
    symbol: str, verdict: EngineVerdict, engine: np.ndarray, title: str, lang: str
) -> list[Text]:
    if verdict.kind not in ("refuted", "undecided"):
        return []
    where = f"[{', '.join(map(str, verdict.worst))}]" if verdict.worst else ""
    text = Text()
    text.append(f"{symbol}  {title}  ", style="bold")
    element = f"{symbol}{where}"
    if verdict.worst or engine.ndim == 0:
        element += f" = {engine[verdict.worst]!s}"
    said = say(
        "{verdict}: {because}; worst at {element}",
        lang,
        verdict=say(WORDS[verdict.kind], lang),
        because=verdict.because,
        element=element,
    )
    text.append(said)
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
    names = _listed([row.symbol for row in rows])
    how: str = method
    if error:
        how = told("{method}, wrong with probability below {error:.0e}", method=method, error=error)
    if not hypotheses:
        return told("Proved {scope} by {method}: {names}.", scope=scope, method=how, names=names)
    return told(
        "Proved {scope} by {method}, if {hypotheses}: {names}.",
        scope=scope,
        method=how,
        hypotheses=told_sum(hypotheses),
        names=names,
    )


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
    return told_row(said)


def _coverage(report: Report) -> list[str]:
    rows = report.batches[-1].gradients
    if not any(row.covered for row in rows):
        return []
    bare = [row.symbol for row in rows if not row.covered]
    return (
        [told("Not covered by a formula of yours: {names}.", names=_listed(bare))] if bare else []
    )


def _missing(report: Report) -> list[str]:
    return [
        told("{engine} is not installed: {how}", engine=title, how=how)
        for title, how in report.missing_engines.items()
    ]


OUTCOMES = {
    0: (sentence("All hold"), "bold green"),
    1: (sentence("REFUTED"), "bold red"),
    3: (sentence("UNDECIDED"), "bold yellow"),
}


def summary(report: Report, lang: str = ENGLISH) -> Text:
    """The last line: what holds and what does not."""
    formulas = Counter(row.formula_verdict.kind for row in report.batches[-1].gradients)
    engine = Counter(row.engine_verdict.kind for batch in report.batches for row in batch.gradients)
    shares = [row.engine_verdict.share for b in report.batches for row in b.gradients]
    word, style = OUTCOMES[report.exit_code]
    text = Text()
    text.append(say("{outcome}: ", lang, outcome=say(word, lang)), style=style)
    text.append(
        say(
            "formulas: {formulas} · {engine}: {numbers} (largest share of a bound {share})",
            lang,
            formulas=_counted(formulas, lang),
            engine=report.engine,
            numbers=_counted(engine, lang),
            share=_share(max(shares, default=0.0)),
        )
    )
    return text


def _counted(kinds: Counter[str], lang: str) -> str:
    return told_row(
        [
            say("{count} {verdict}", lang, count=count, verdict=say(WORDS[kind], lang))
            for kind, count in kinds.items()
        ]
    )
