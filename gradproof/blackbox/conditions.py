"""A case in other conditions: more calls, held against the first one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradproof.blackbox.battery import (
    Resized,
    Smaller,
    Trial,
    other_numbers,
    second_call,
    trials,
)
from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import (
    EXACTLY,
    Heard,
    are_few,
    enclosures,
    finding,
    has_least,
    hear_least,
    judged_by,
    returned,
    symbol,
)
from gradproof.blackbox.leading import Led, led_by
from gradproof.blackbox.manners import is_same
from gradproof.blackbox.rows import rows_of
from gradproof.core.told import told, told_all, told_row, told_sentence
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import BoxFailed
from gradproof.engines.dtype import FINE
from gradproof.judge.box import Finding, agree_plainly, are_inside, judge_returned, units
from gradproof.judge.reference import Data
from gradproof.report.checked import Observation

DRAWS = 3
"""Upstream gradients that are tried unless told otherwise; of large data one."""

Told = tuple[str, list[Observation]]
"""What was tried, and what it showed."""


def conditions(
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
    if case.caller.stuck:
        return
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
        first = case.data(0)
        answer = case.ask(first)
    except BoxFailed:
        return None
    another = other_numbers(case.data(1))
    waiting = [another, *(t for t in trials(case, first, made.resized) if not t.repeats)]
    others = [trial for trial in waiting if _differs(trial, first)]
    wholes = enclosures(case, [first, *(trial.data for trial in others)])
    heard = judged_by(case, first, answer, wholes[0])
    agreeing = _agreeing_plainly(case, heard) if not ups else set()
    rows = () if agreeing else rows_of(case, [heard], ups)
    agreeing |= {row.name for row in rows if row.kind == "agrees"}
    if any(row.kind == "refuted" for row in rows) or not large.agreeing <= agreeing:
        seen_there = [r.symbol for r in rows if r.kind == "refuted" and r.name in undecided]
        if not seen_there or not large.agreeing <= agreeing:
            return None
        text = told(
            "{sizes}, where a small error shows more, {symbols} would be refuted",
            sizes=made.words,
            symbols=told_row(seen_there),
        )
        return made.words, [Observation("note", told_sentence(text))]
    pairs = zip(others, wholes[1:], strict=True)
    ahead = {trial.words: whole for trial, whole in pairs}
    return Shrunk(Tried(case, heard, agreeing, ups, made.words), waiting, ahead, made.resized)


def _agreeing_plainly(case: Case, one: Heard) -> set[str]:
    """All tensors of an answer, if that takes no more than a look; else none."""
    found = returned(case, one.answer)
    known = one.enclosure.keys() & found.keys()
    if not known.issuperset(case.wanted):
        return set()
    pairs = [(found[name], one.enclosure[name]) for name in known]
    return set(known) if agree_plainly(pairs, case.contract) else set()


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
    """Every trial, each in a call of its own, and other numbers of axes; what does not return is
    not called again.

    Two trials in one call would hide each other: where elements are zero a gradient may have no
    derivative, and with an upstream gradient that is not contiguous a function may well go another
    way, in which it is right.
    """
    for trial in waiting:
        if here.case.caller.stuck:
            return
        found = here.shown(trial, ahead.get(trial.words))
        if any(one.kind == "fault" for one in found):
            found = here.smallest(trial) or found
        yield trial.words, found
    if here.case.caller.stuck:
        return
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
        try:
            answer = case.ask(trial.data, frozen=trial.frozen, kept=False, **trial.changes)
        except BoxFailed as problem:
            text = told("{trial}: {problem}", trial=self.words(trial), problem=problem.args[0])
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
        now, same = returned(case, answer, trial.frozen), set()
        if trial.data is first.data:
            before = returned(self.case, first.answer)
            same = {name for name, one in now.items() if is_same(before[name], one)}
        noticed: list[Observation] = []
        # What the first call gave agrees, and so does what is the same.
        open_ = [name for name in now if name in self.agreeing and name not in same]
        if open_ and not again.least:
            known = [name for name in open_ if name in again.enclosure]
            within = are_inside([(now[name], again.enclosure[name]) for name in known])
            inside = {name for name, one in zip(known, within, strict=True) if one}
            open_ = [name for name in open_ if name not in inside]
        wrong = [
            (name, found)
            for name in open_
            if (found := finding(name, case, again, self.allow_ulps, trial.frozen)) is not None
            and found.kind == "refuted"
            and (not trial.gross or _is_gross(name, case, again))
        ]
        for name, found in wrong:  # the next call may overwrite what is looked at
            if not self._is_coarse(name, trial, again):
                noticed.append(fault(self.words(trial), symbol(case, name), found))
        if trial.repeats:
            noticed = [_accumulated(one, case, first, again) for one in noticed]
            noticed += _repeated(case, first, again, same)
        return noticed

    def _is_coarse(self, name: str, trial: Trial, again: Heard) -> bool:
        """Whether numbers of 16 bits are right in float64, where they may be far off: of 1 − s for
        a sigmoid near 1 no digit is left."""
        case = trial.case or self.case
        array = returned(case, again.answer, trial.frozen)[name].array
        if not trial.gross or case.dtype in FINE or array is None:
            return False
        if not np.all(np.isfinite(array)):
            return False
        try:
            answer = case.ask(trial.data, frozen=trial.frozen, dtype=EXACTLY, **trial.changes)
        except BoxFailed:
            return False
        fine = returned(case, answer, trial.frozen)[name]
        if fine.dtype != EXACTLY:
            return False
        enclosure = again.enclosure[name]
        return judge_returned(fine, enclosure, None, case.contract).kind == "agrees"

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
            replace(fault(led.words, symbol(self.case, name), found), kind="note")
            for name, found in led.refuted.items()
            if name in self.agreeing
        ]


def fault(words: str, tensor: str, found: Finding) -> Observation:
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
