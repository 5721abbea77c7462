"""A case to its report: the draws are judged first, then the same function in other conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from gradproof.blackbox.battery import Resized, Smaller, Trial, second_call, trials
from gradproof.blackbox.case import Case
from gradproof.blackbox.exactly import Exactly, with_exact
from gradproof.blackbox.heard import (
    EXACTLY,
    Heard,
    are_few,
    enclosures,
    finding,
    has_least,
    hear,
    hear_least,
    judged_by,
    returned,
    symbol,
)
from gradproof.blackbox.jacobian import check_size, jacobian
from gradproof.blackbox.leading import Led, led_by
from gradproof.blackbox.likeness import draws_of, with_likeness
from gradproof.blackbox.mistaken import Seen, name_mistakes, seen
from gradproof.blackbox.nodes import Inside, first_wrong, nodes, right_inside
from gradproof.core.told import told, told_all, told_row, told_sentence
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, BoxFailed, Returned
from gradproof.engines.contract import contract as contract_of
from gradproof.judge.box import Finding, is_inside, judge_returned, merged, units
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.reference import Data, PaperReference, Unbounded, output
from gradproof.report.checked import CheckReport, CheckRow, Observation
from gradproof.report.nodes import lost, where
from gradproof.workbench import contract_words

NOTHING = told("nothing came back")

DRAWS = 3
"""Upstream gradients that are tried unless told otherwise; of large data one."""


def examine(
    case: Case,
    *,
    draws: int,
    seed: int,
    allow_ulps: float,
    may_overwrite: tuple[str, ...],
    battery: bool,
    diagnose: bool,
    full: bool,
    inside: bool,
    again: tuple[str, ...],
    resized: Resized | None = None,
    smaller: Smaller | None = None,
) -> CheckReport:
    """The report on a case.

    Args:
        case: what is checked.
        draws: how many data are drawn.
        seed: as the report says it.
        allow_ulps: units in the last place that are permitted in any case.
        may_overwrite: inputs that the function may overwrite.
        battery: whether it is tried in other conditions, too.
        diagnose: whether known mistakes are looked for.
        full: whether the Jacobian is looked at column by column.
        inside: whether all that the function names inside is told, and not only where it is wrong.
        again: the lines that repeat the check.
        resized: the case at other sizes, for the battery.
        smaller: makes a large case small, for the battery; `None` where it is not large.
    """
    if full:
        check_size(case)
    noticed: dict[Observation, None] = {}
    answered: list[tuple[Data, Answer]] = []
    broken: list[tuple[Data, Answer]] = []  # of these only the values came back
    for k in range(draws):
        data = case.data(k)
        try:
            answer = case.ask(data)
        except BoxFailed as problem:
            noticed[Observation("fault", told_sentence(problem.args[0]))] = None
            if problem.values:
                broken.append((data, Answer(problem.values, (), (), (), tuple)))
            if case.caller.stuck:
                break
            continue
        answered.append((data, answer))
        noticed.update((one, None) for one in _manners(case, data, answer, may_overwrite))
    answers = hear(case, answered)
    rows = _rows(case, answers or hear(case, broken), allow_ulps)
    piled = _piled_up(case, answers, {row.name for row in rows if row.kind == "refuted"})
    if answers:
        exactly = Exactly(case, answers)
        rows = tuple(
            replace(row, why=(PILED,)) if row.name in piled else with_exact(row, case, exactly)
            for row in rows
        )
        judged, mistaken = rows, any(row.kind == "refuted" for row in rows)
        if diagnose and mistaken and isinstance(case.reference, PaperReference):
            finest = _finest(case, case.reference, exactly)
            # A program of the second order is long: making each mistake in it takes a minute.
            named = name_mistakes(rows, case.reference, finest, further=not case.first)
            rows = tuple(
                row if row.why == (PILED,) or _is_no_second(row, case, answers) else other
                for row, other in zip(rows, named, strict=True)
            )
        if diagnose and mistaken:
            draws_made = partial(draws_of, case, exactly)
            rows = with_likeness(rows, judged, draws_made, partial(symbol, case))
    looked = Inside((), ())
    wrong = any(row.kind == "refuted" and row.why != (PILED,) for row in rows)
    paper = case.reference
    if answers and isinstance(paper, PaperReference) and not case.first and (inside or wrong):
        looked = nodes(case, paper)
        kinds = {row.name: row.kind for row in rows}
        noticed.update((where(*one), None) for one in first_wrong(looked, kinds, paper))
        noticed.update((lost(one), None) for one in right_inside(looked, kinds, paper))
    if case.first and case.machine.name == "torch":
        noticed.update((one, None) for one in _saved_in_forward(rows, case))
    tried: list[str] = []
    if battery and answers and not case.caller.stuck:
        kinds = {row.name: row.kind for row in rows}
        for words, found in _conditions(case, answers[0], kinds, allow_ulps, resized, smaller):
            tried.append(words)
            noticed.update((one, None) for one in found)
    if full and answers and not case.caller.stuck:
        noticed.update((one, None) for one in jacobian(case, answers[0].data, allow_ulps))
    noticed.update((one, None) for one in _overwritten(case, answers))
    words = contract_words(case.contract)
    if not isinstance(case.reference, Unbounded):
        words = told(
            "{contract}; from the inputs on, times {times} for another algorithm",
            contract=words,
            times=OTHER_ALGORITHM,
        )
    return CheckReport(
        again[1].partition("check(")[2].partition(",")[0],
        case.reference.words,
        case.machine.title,
        case.machine.version(),
        case.dtype,
        seed,
        draws,
        words,
        allow_ulps,
        rows,
        tuple(noticed),
        tuple(tried),
        again,
        nodes=(*looked.values, *looked.gradients) if inside else (),
    )


def _is_no_second(row: CheckRow, case: Case, answers: Sequence[Heard]) -> bool:
    """Whether nothing comes back for a second gradient: terms that cancel explain nothing then."""
    found = [returned(case, one.answer)[row.name].array for one in answers]
    return bool(case.first) and not any(a is not None and np.any(a) for a in found)


def _saved_in_forward(rows: Sequence[CheckRow], case: Case) -> Iterator[Observation]:
    """What is nearly always the reason where only the second gradients of inputs are wrong."""
    wrong = {row.name for row in rows if row.kind == "refuted"}
    if wrong and wrong <= set(case.first):
        yield Observation(
            "note",
            told(
                "PyTorch differentiates a backward pass as a function of the upstream gradient and "
                "of the inputs and outputs that forward saved. Whatever else forward saved is a "
                "constant there: compute it again in backward, or return it from forward too."
            ),
        )


# --- the draws ------------------------------------------------------------------------------------


def _rows(case: Case, heard: Sequence[Heard], allow_ulps: float) -> tuple[CheckRow, ...]:
    shapes = {output(k): shape for k, shape in enumerate(case.reference.outputs())}
    inputs = (heard[0].data if heard else case.data(0)).inputs
    shapes |= {name: inputs[name].shape for name in case.gradients()}
    rows = []
    for name, shape in shapes.items():
        sharp = case.dtype == EXACTLY
        findings = [finding(name, case, one, allow_ulps, sharp=sharp) for one in heard]
        known = [f for f in findings if f is not None]
        if known:
            found = merged(known)
        elif name not in case.wanted and not all(one.has(name) for one in heard):
            continue  # a value that the reference hides
        else:
            found = Finding("undecided", float("nan"), because=NOTHING)
        shown = "×".join(map(str, shape)) if shape else told("scalar")
        rows.append(CheckRow(name, symbol(case, name), shown, found))
    return tuple(rows)


PILED = told(
    "Each call returns the sum of all calls so far: gradients are added up and never reset."
)


def _piled_up(case: Case, heard: Sequence[Heard], refuted: set[str]) -> set[str]:
    """Those of the refuted inputs whose second gradient is right once the first is subtracted."""
    found: set[str] = set()
    for before, after in pairwise(heard):
        for name in refuted.intersection(case.gradients()):
            a, b = (returned(case, one.answer)[name] for one in (before, after))
            if a.array is None or b.array is None or name not in after.enclosure:
                continue
            m, r, e = after.enclosure[name]
            if not a.array.shape == b.array.shape == m.shape or not np.any(a.array):
                continue
            with np.errstate(all="ignore"):
                own = Returned(b.array.astype(np.float64) - a.array, b.dtype)
                # Subtracting leaves the roundings of what was added up before.
                wide = (m, r, e + 4 * units(np.abs(a.array) + np.abs(b.array), case.contract))
            if judge_returned(own, wide, after.truth().get(name), case.contract).kind == "agrees":
                found.add(name)
    return found


def _finest(case: Case, reference: PaperReference, exactly: Exactly) -> list[Seen]:
    """The draws in float64 where the function computes in it, else in the dtype. Those in float64
    are compared with float32's room for rounding: float64's is no wider than its enclosures."""
    fine = exactly.heard if case.dtype == EXACTLY else exactly.fine()
    contract = contract_of(case.machine.name, "float32") if fine else case.contract
    return [
        seen(reference, one.data, _gradients(case, one.answer), contract)
        for one in fine or exactly.heard
    ]


def _gradients(case: Case, answer: Answer) -> dict[str, Returned]:
    return dict(zip(case.gradients(), answer.gradients, strict=True))


# --- how it behaves -------------------------------------------------------------------------------


def _manners(
    case: Case, data: Data, answer: Answer, may_overwrite: tuple[str, ...]
) -> list[Observation]:
    """Wrong dtypes, and what was overwritten."""
    noticed = []
    for name, one in zip(case.gradients(), answer.gradients, strict=True):
        if one.array is not None and one.dtype != case.dtype:
            text = told(
                "{symbol} comes back in {dtype}; {name} is {dtype2}.",
                symbol=symbol(case, name),
                dtype=one.dtype,
                name=name,
                dtype2=case.dtype,
            )
            noticed.append(Observation("fault", text))
    for k, y in enumerate(answer.values):
        if y.dtype != case.dtype:
            text = told(
                "{value} is {dtype}; the inputs are {inputs}",
                value=symbol(case, output(k)),
                dtype=y.dtype,
                inputs=case.dtype,
            )
            noticed.append(Observation("note", told_sentence(text)))
    for k in answer.changed:
        name = case.inputs[k].name
        if name not in may_overwrite:
            text = told(
                "It overwrites its input {name}.  If that is meant, say may_overwrite=('{name}',).",
                name=name,
            )
            noticed.append(Observation("fault", text))
    if answer.changed_upstream:
        noticed.append(
            Observation(
                "fault", told("The backward pass overwrites the upstream gradient it is given.")
            )
        )
    return noticed


Told = tuple[str, list[Observation]]
"""What was tried, and what it showed."""


def _conditions(
    case: Case,
    first: Heard,
    kinds: Mapping[str, str],
    allow_ulps: float,
    resized: Resized | None,
    smaller: Smaller | None,
) -> Iterator[Told]:
    """Other conditions: of a large case all but a second call at small sizes, where it has them."""
    agreeing = {name for name, kind in kinds.items() if kind == "agrees"}
    here = Tried(case, first, agreeing, allow_ulps)
    again = second_call(first.data)
    yield again.words, here.shown(again)
    open_ = {name for name, kind in kinds.items() if kind == "undecided"}
    small = _small(smaller, here, open_) if smaller is not None else None
    if not isinstance(small, Shrunk):
        if small is not None:
            yield small
        waiting = [t for t in trials(case, first.data, resized) if not t.repeats]
        yield from _battery(here, waiting, _ahead(case, first.data, waiting), resized)
        return
    wrong = {name for name, kind in kinds.items() if kind == "refuted"}
    there = replace(small.here, agreeing=small.here.agreeing - wrong)
    yield there.sizes, []
    yield from _battery(there, small.waiting, small.ahead, small.resized)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A case at small sizes: what further calls are held against, its trials with their
    enclosures, and the case at other sizes."""

    here: Tried
    waiting: list[Trial]
    ahead: dict[str, dict[str, Value]]
    resized: Resized


def _small(smaller: Smaller, large: Tried, undecided: set[str]) -> Shrunk | Told | None:
    """A large case at small sizes, where what agrees agrees too. Where the function is not right at
    such sizes, which it need not be, what they show of the tensors that are `undecided`, if
    anything."""
    made = smaller()
    if made is None:
        return None
    case, ups = made.case, large.allow_ulps
    try:
        answered = [(data, case.ask(data)) for data in map(case.data, range(DRAWS))]
    except BoxFailed:
        return None
    several = [data for data, _ in answered]
    waiting = [t for t in trials(case, several[0], made.resized) if not t.repeats]
    others = [trial for trial in waiting if _differs(trial, several[0])]
    wholes = enclosures(case, [*several, *(trial.data for trial in others)])
    draws = [judged_by(case, *one, whole) for one, whole in zip(answered, wholes, strict=False)]
    judged = [draws[0], *(one for one in draws[1:] if not _is_whole_inside(case, one))]
    rows = _rows(case, judged, ups)
    kinds = {row.name: row.kind for row in rows}
    agreeing = {name for name, kind in kinds.items() if kind == "agrees"}
    if "refuted" in kinds.values() or not large.agreeing <= agreeing:
        seen_there = [r.symbol for r in rows if r.kind == "refuted" and r.name in undecided]
        if not seen_there or not large.agreeing <= agreeing:
            return None
        text = told(
            "{sizes}, where a small error shows more, {symbols} would be refuted",
            sizes=made.words,
            symbols=told_row(seen_there),
        )
        return made.words, [Observation("note", told_sentence(text))]
    pairs = zip(others, wholes[len(several) :], strict=True)
    ahead = {trial.words: whole for trial, whole in pairs}
    return Shrunk(Tried(case, draws[0], agreeing, ups, made.words), waiting, ahead, made.resized)


def _is_whole_inside(case: Case, one: Heard) -> bool:
    """Whether all tensors of an answer are inside their bounds, so that none is refuted."""
    found = returned(case, one.answer)
    return all(
        name in found and is_inside(found[name], enclosure, case.contract)
        for name, enclosure in one.enclosure.items()
        if name in case.wanted or name in found
    )


def _differs(trial: Trial, data: Data) -> bool:
    return trial.case is None and trial.data is not data


def _ahead(case: Case, data: Data, waiting: Sequence[Trial]) -> dict[str, dict[str, Value]]:
    """The enclosures of trials with other numbers, of small ones in one evaluation."""
    others = [trial for trial in waiting if _differs(trial, data)]
    several = [trial.data for trial in others]
    if not are_few(several):
        return {}
    found = enclosures(case, several)
    return {trial.words: whole for trial, whole in zip(others, found, strict=True)}


def _battery(
    here: Tried,
    waiting: Sequence[Trial],
    ahead: Mapping[str, Mapping[str, Value]],
    resized: Resized | None,
) -> Iterator[Told]:
    """Every trial, and other numbers of axes."""
    for trial in waiting:
        found = here.shown(trial, ahead.get(trial.words))
        if any(one.kind == "fault" for one in found):
            found = here.smallest(trial) or found
        yield trial.words, found
    for led in led_by(here.case, resized):
        yield led.words, here.refuted(led)


@dataclass(frozen=True, slots=True)
class Tried:
    """What further calls are held against: a case, its first answer, the tensors that agree, and
    the units in the last place that are permitted; ``sizes`` says which, where they are smaller."""

    case: Case
    first: Heard
    agreeing: set[str]
    allow_ulps: float
    sizes: str = ""

    def words(self, trial: Trial) -> str:
        """The trial as it is named where it shows something."""
        if not self.sizes:
            return trial.words
        return told("{sizes}, {trial}", sizes=self.sizes, trial=trial.words)

    def shown(
        self, trial: Trial, enclosure: Mapping[str, Value] | None = None
    ) -> list[Observation]:
        """What one more call shows that the first ones did not."""
        case, first = trial.case or self.case, self.first
        words = self.words(trial)
        try:
            answer = case.ask(trial.data, frozen=trial.frozen, **trial.changes)
        except BoxFailed as problem:
            text = told("{trial}: {problem}", trial=words, problem=problem.args[0])
            # A function may refuse sizes and numbers, but not go back where it went forward.
            refused = trial.may_refuse and not problem.values
            return [Observation("note" if refused else "fault", told_sentence(text))]
        again = replace(first, data=trial.data, answer=answer)
        if trial.data is not first.data:
            # Of what is far off, the enclosure says so.
            sharp = trial.case is None and not trial.gross
            if enclosure is None and has_least(case, [trial.data]):
                again = hear_least(case, trial.data, answer, sharp=sharp)
            else:
                enclosure = enclosure or case.reference.enclosure(trial.data, case.contract)
                again = judged_by(case, trial.data, answer, enclosure, sharp=sharp)
        before, now = returned(self.case, first.answer), returned(case, answer, trial.frozen)
        same = {
            name
            for name, one in now.items()
            if trial.data is first.data and _is_same(before[name], one)
        }
        noticed: list[Observation] = []
        # What the first call gave agrees, and so does what is the same.
        for name in (n for n in now if n in self.agreeing and n not in same):
            whole = None if again.least else again.enclosure.get(name)
            if whole is not None and is_inside(now[name], whole, case.contract):
                continue
            found = finding(name, case, again, self.allow_ulps, trial.frozen)
            if found is None or found.kind != "refuted":
                continue
            if not trial.gross or _is_gross(name, case, again):
                noticed.append(_fault(words, symbol(case, name), found))
        if trial.repeats:
            noticed = [_accumulated(one, case, first, again) for one in noticed]
            noticed += _repeated(case, first, again, same)
        return noticed

    def smallest(self, trial: Trial) -> list[Observation]:
        """What the smallest trial of the same kind shows, if a smaller one shows anything."""
        for one in trial.smaller():
            found = self.shown(one)
            if any(o.kind == "fault" for o in found):
                return found
        return []

    def refuted(self, led: Led) -> list[Observation]:
        """What is wrong with another number of axes: the paper does not say that it must be
        right."""
        return [
            replace(_fault(led.words, symbol(self.case, name), found), kind="note")
            for name, found in led.refuted.items()
            if name in self.agreeing
        ]


def _is_same(one: Returned, other: Returned) -> bool:
    """Whether two tensors are the same numbers of the same dtype."""
    a, b = one.array, other.array
    return a is not None and b is not None and one.dtype == other.dtype and np.array_equal(a, b)


def _fault(words: str, tensor: str, found: Finding) -> Observation:
    """The sentence about a tensor that is refuted in other conditions."""
    at = f"[{', '.join(map(str, found.worst))}]" if found.worst else ""
    text = told(
        "{trial}: {tensor} is refuted, {because}",
        trial=words,
        tensor=tensor,
        because=found.because,
    )
    if np.isfinite(found.true):
        text = told(
            "{text}; {element} = {value:.6g}, true {true:.6g}",
            text=text,
            element=told("{tensor}{index}", tensor=tensor, index=at),
            value=found.value,
            true=found.true,
        )
    return Observation("fault", told_sentence(text))


GROSS = 2.0**-6
"""A difference, as a share of a tensor's largest element, that no right algorithm has where terms
cancel or functions saturate."""


def _is_gross(name: str, case: Case, heard: Heard) -> bool:
    """Whether what came back is no number where the right one is, or far off."""
    array = returned(case, heard.answer)[name].array
    if array is None or name not in heard.enclosure:
        return False
    # Where some result is huge, what the others are made of may well overflow.
    huge = math.sqrt(float(case.contract.largest))
    if not all(np.all(np.abs(one[0]) < huge) for one in heard.enclosure.values()):
        return False
    m, r, e = (np.asarray(part, dtype=np.float64) for part in heard.enclosure[name])
    if array.shape != m.shape:
        return True
    known = np.isfinite(r) & np.isfinite(e)
    scale = float(np.max(np.abs(m), where=known, initial=0.0))
    if not scale > float(case.contract.tiny):
        return bool(np.any(known & ~np.isfinite(array)))
    with np.errstate(all="ignore"):
        off = np.abs(array.astype(np.float64) - m) - r > GROSS * scale
    return bool(np.any(known & (off | ~np.isfinite(array))))


def _overwritten(case: Case, heard: Sequence[Heard]) -> list[Observation]:
    """Gradients that changed after they were returned."""
    noticed = {}
    for one in heard:
        kept = zip(case.gradients(), one.answer.gradients, one.answer.reread(), strict=True)
        for name, then, later in kept:
            if then.array is None or later.array is None:
                continue
            if _is_same(then, later):
                continue
            if not np.array_equal(then.array, later.array, equal_nan=True):
                text = told(
                    "The next call overwrites the {symbol} that was returned before.",
                    symbol=symbol(case, name),
                )
                noticed[Observation("fault", text)] = None
    return list(noticed)


def _accumulated(one: Observation, case: Case, first: Heard, second: Heard) -> Observation:
    """What is wrong only the second time, with the reason where it is the sum of both times."""
    before, now = returned(case, first.answer), returned(case, second.answer)
    for name in case.gradients():
        a, b = before[name].array, now[name].array
        if f"{symbol(case, name)} is refuted" in one.text and a is not None and b is not None:
            room = 4 * units(np.asarray(a, dtype=np.float64), case.contract)
            if a.shape == b.shape and np.all(np.abs(b - 2.0 * a) <= room):
                said = told("It is the sum of both calls: gradients are added up and never reset.")
                return Observation("fault", told_all([one.text, said]))
    return one


def _repeated(case: Case, first: Heard, second: Heard, same: set[str]) -> list[Observation]:
    """Differences between two runs on the same data, where not all is the same."""
    noticed = []
    before, now = returned(case, first.answer), returned(case, second.answer)
    largest, where = 0.0, ""
    for name, one in before.items():
        a, b = one.array, now[name].array
        if name in same or a is None or b is None or a.shape != b.shape or not a.size:
            continue
        middle = np.asarray(a, dtype=np.float64)
        with np.errstate(all="ignore"):
            apart = np.abs(np.asarray(b, dtype=np.float64) - middle) / units(middle, case.contract)
        apart = np.where(np.isnan(apart), 0.0, apart)
        if apart.max() > largest:
            largest, where = float(apart.max()), symbol(case, name)
    if largest:
        text = told(
            "Two runs on the same data differ by up to {largest:.3g} ulp, in {where}.",
            largest=largest,
            where=where,
        )
        noticed.append(Observation("note", text))
    return noticed
