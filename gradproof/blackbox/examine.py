"""A case to its report: the draws are judged first, then the same function in other conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import numpy as np

from gradproof.blackbox.battery import Resized, Trial, trials
from gradproof.blackbox.case import Case
from gradproof.blackbox.jacobian import check_size, jacobian
from gradproof.blackbox.leading import Led, led_by
from gradproof.blackbox.mistaken import Seen, name_mistakes, seen
from gradproof.blackbox.nodes import Inside, first_wrong, nodes, right_inside
from gradproof.core.told import told, told_all, told_sentence
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, BoxFailed, Returned
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import FINE, in_dtype
from gradproof.judge.box import Finding, judge_returned, merged, units
from gradproof.judge.kink import Kink
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.reference import Data, PaperReference, Unbounded, output
from gradproof.judge.truth import LARGE
from gradproof.report.checked import CheckReport, CheckRow, Observation
from gradproof.report.nodes import lost, where
from gradproof.workbench import contract_words

EXACTLY = "float64"
NOTHING = told("nothing came back")

NEAR = 16
"""So many times its bound a result may be off and stay undecided, where the same function agrees
in float64: an algorithm for the same function that rounds more often than the reference's
equations is no mistake. Formulas that are wrong are wrong in float64 too."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer of the black box, and what it is judged by.

    ``kinks`` looks for them, and ``coarse`` works out the enclosure of what stores its 16-bit sums
    in parts: each once, when something is refuted.
    """

    data: Data
    answer: Answer
    enclosure: Mapping[str, Value]
    truth: Mapping[str, Value]
    kinks: Callable[[], tuple[Kink, ...]]
    coarse: Callable[[], Mapping[str, Value]]


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
    """
    if full:
        check_size(case)
    noticed: dict[Observation, None] = {}
    heard: list[Heard] = []
    broken: list[Heard] = []  # of these only the values came back
    for k in range(draws):
        data = case.data(k)
        try:
            answer = case.ask(data)
        except BoxFailed as problem:
            noticed[Observation("fault", told_sentence(problem.args[0]))] = None
            if problem.values:
                answer = Answer(problem.values, (), (), (), tuple)
                broken.append(_heard(case, data, answer))
            if case.caller.stuck:
                break
            continue
        heard.append(_heard(case, data, answer))
        noticed.update((one, None) for one in _manners(case, data, answer, may_overwrite))
    rows = _rows(case, heard or broken, allow_ulps)
    piled = _piled_up(case, heard)
    if heard:
        exactly = Exactly(case, heard)
        rows = tuple(
            replace(row, why=(PILED,))
            if row.name in piled and row.kind == "refuted"
            else _with_exact(row, case, exactly)
            for row in rows
        )
        mistaken = any(row.kind == "refuted" for row in rows)
        if diagnose and mistaken and isinstance(case.reference, PaperReference):
            finest = _finest(case, case.reference, exactly)
            # A program of the second order is long: making each mistake in it takes a minute.
            named = name_mistakes(rows, case.reference, finest, further=not case.first)
            rows = tuple(
                row if row.why == (PILED,) or _is_no_second(row, case, heard) else other
                for row, other in zip(rows, named, strict=True)
            )
    looked = Inside((), ())
    wrong = any(row.kind == "refuted" and row.why != (PILED,) for row in rows)
    paper = case.reference
    if heard and isinstance(paper, PaperReference) and not case.first and (inside or wrong):
        looked = nodes(case, paper)
        kinds = {row.name: row.kind for row in rows}
        noticed.update((where(*one), None) for one in first_wrong(looked, kinds, paper))
        noticed.update((lost(one), None) for one in right_inside(looked, kinds, paper))
    if case.first and case.machine.name == "torch":
        noticed.update((one, None) for one in _saved_in_forward(rows, case))
    tried: list[str] = []
    if battery and heard and not case.caller.stuck:
        agreeing = {row.name for row in rows if row.kind == "agrees"}
        for trial in trials(case, heard[0].data, resized):
            tried.append(trial.words)
            found = _tried(trial, case, heard[0], agreeing, allow_ulps)
            if any(one.kind == "fault" for one in found):
                found = _smallest(trial, case, heard[0], agreeing, allow_ulps) or found
            noticed.update((one, None) for one in found)
        for led in led_by(case, resized):
            tried.append(led.words)
            noticed.update((o, None) for o in _refuted_there(led, case, agreeing))
    if full and heard and not case.caller.stuck:
        noticed.update((one, None) for one in jacobian(case, heard[0].data, allow_ulps))
    noticed.update((one, None) for one in _overwritten(case, heard))
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


def _heard(case: Case, data: Data, answer: Answer, *, sharp: bool = True) -> Heard:
    """The answer with what it is judged by. Of large data in less than float64 the enclosure is
    narrow enough, and true values are not worked out; nor where they need not be `sharp`."""
    reference = case.reference
    size = sum(array.size for array in data.inputs.values())
    sharp = sharp and (case.dtype == EXACTLY or size < LARGE)
    return Heard(
        data,
        answer,
        reference.enclosure(data, case.contract),
        reference.truth(data) if sharp else {},
        cache(lambda: reference.kinks(data, case.contract)),
        cache(lambda: reference.enclosure(data, case.contract, coarse=True)),
    )


def returned(case: Case, answer: Answer, frozen: str = "") -> dict[str, Returned]:
    """What an answer holds, by the reference's names."""
    found = {output(k): y for k, y in enumerate(answer.values)}
    if answer.gradients:
        found.update(zip(case.gradients(frozen), answer.gradients, strict=True))
    return found


def symbol(case: Case, name: str) -> str:
    """How a page writes a tensor: a value by its name, a gradient as ∂l/∂x; of the second order
    the values are gradients, and the gradients are those of s."""
    count = len(case.reference.outputs())
    if name in case.wanted:
        return f"∂s/∂{name}" if case.first else f"∂l/∂{name}"
    if case.first:
        return f"∂l/∂{case.first[int(name[2:-1])]}"
    if count == 1:
        return told("value")
    return told("value {number}", number=int(name[2:-1]) + 1)


def _is_no_second(row: CheckRow, case: Case, heard: Sequence[Heard]) -> bool:
    """Whether nothing comes back for a second gradient: terms that cancel explain nothing then."""
    found = [returned(case, one.answer)[row.name].array for one in heard]
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
        findings = [_finding(name, case, one, allow_ulps) for one in heard]
        known = [f for f in findings if f is not None]
        if known:
            found = merged(known)
        elif name not in case.wanted and any(name not in one.enclosure for one in heard):
            continue  # a value that the reference hides
        else:
            found = Finding("undecided", float("nan"), because=NOTHING)
        shown = "×".join(map(str, shape)) if shape else told("scalar")
        rows.append(CheckRow(name, symbol(case, name), shown, found))
    return tuple(rows)


PILED = told(
    "Each call returns the sum of all calls so far: gradients are added up and never reset."
)


def _piled_up(case: Case, heard: Sequence[Heard]) -> set[str]:
    """The inputs whose second gradient is right once the first is subtracted."""
    found: set[str] = set()
    for before, after in pairwise(heard):
        for name in case.gradients():
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
            if judge_returned(own, wide, after.truth.get(name), case.contract).kind == "agrees":
                found.add(name)
    return found


def _finding(
    name: str, case: Case, heard: Heard, allow_ulps: float, frozen: str = ""
) -> Finding | None:
    one = returned(case, heard.answer, frozen).get(name)
    if one is None or (name not in heard.enclosure and name not in case.wanted):
        return None
    zero = np.zeros(heard.data.inputs[name].shape) if name in case.wanted else np.zeros(())
    enclosure = heard.enclosure.get(name, (zero, zero, zero))  # the outputs do not depend on it
    truth = heard.truth.get(name)
    found = judge_returned(one, enclosure, truth, case.contract, allow_ulps)
    if found.kind == "refuted" and case.contract.dtype not in FINE and name in heard.coarse():
        found = judge_returned(one, heard.coarse()[name], truth, case.contract, allow_ulps)
    if found.kind == "refuted" and name in case.wanted and heard.kinks():
        kink = heard.kinks()[0]
        at = f" ({kink.place.file}:{kink.place.line})" if kink.place else ""
        because = told(
            "{function} has no derivative at these data, in {tensor}{place}",
            function=kink.function,
            tensor=kink.tensor,
            place=at,
        )
        return replace(found, kind="undecided", because=because)
    if isinstance(case.reference, Unbounded):
        because = told(
            "no bound is known: {because}", because=case.reference.words.partition("no bound: ")[2]
        )
        return replace(found, because=because)
    return found


@dataclass(slots=True, eq=False)
class Exactly:
    """The same draws answered in float64, once, and judged at float64's or float32's precision."""

    case: Case
    heard: Sequence[Heard]
    known: dict[str, list[Heard]] = field(default_factory=dict)

    def findings(self, name: str, precision: str) -> list[Finding]:
        """The verdicts on one tensor; none where the function does not compute in float64."""
        if precision not in self.known:
            self.known[precision] = self._answered(precision)
        contract = contract_of(self.case.machine.name, precision)
        case = replace(self.case, contract=contract)
        found = [self._found(name, case, k) for k in range(len(self.known[precision]))]
        return [one for one in found if one is not None]

    def _found(self, name: str, case: Case, k: int) -> Finding | None:
        """The verdict on one draw. True values cost a hundred times as much as the answer: they are
        worked out where the enclosure alone leaves a tensor undecided in float64."""
        one = self.known[case.contract.dtype][k]
        found = _finding(name, case, one, 0.0)
        if found is None or found.kind != "undecided":
            return found
        if case.contract.dtype != EXACTLY or one.truth:
            return found
        one = replace(one, truth=self.case.reference.truth(one.data))
        self.known[EXACTLY][k] = one
        return _finding(name, case, one, 0.0)

    def _answered(self, precision: str) -> list[Heard]:
        contract = contract_of(self.case.machine.name, precision)
        answers = [one.answer for one in next(iter(self.known.values()), [])]
        if not answers:
            try:
                answers = [self.case.ask(one.data, dtype=EXACTLY) for one in self.heard]
            except BoxFailed:
                return []
            if any(_is_coarse(one, self.case.dtype) for a in answers for one in _all(a)):
                return []  # it computes in the dtype whatever it is given
        reference = self.case.reference
        return [
            replace(
                one,
                answer=a,
                enclosure=reference.enclosure(one.data, contract),
            )
            for one, a in zip(self.heard, answers, strict=True)
        ]


def _all(answer: Answer) -> tuple[Returned, ...]:
    return (*answer.values, *answer.gradients)


def _is_coarse(one: Returned, dtype: str) -> bool:
    """Whether float64 inputs gave numbers of 16 bits throughout, which are not all equal."""
    if one.array is None or dtype in FINE or len(np.unique(one.array)) < 3:
        return False
    with np.errstate(all="ignore"):
        return bool(np.array_equal(in_dtype(one.array, dtype), one.array))


def _with_exact(row: CheckRow, case: Case, exactly: Exactly) -> CheckRow:
    """The row with what the same function gives in float64: where it does not agree, and always
    in 16 bits, whose rounding errors hide more than float64's."""
    f = row.finding
    if isinstance(case.reference, Unbounded) or (f.kind == "agrees" and case.dtype in FINE):
        return row
    if case.dtype == EXACTLY:
        if f.kind == "refuted" and _all_agree(exactly.findings(row.name, "float32")):
            said = told("It agrees in float32's precision: something in it is computed in float32.")
            return replace(row, why=(said,))
        return row
    fine = exactly.findings(row.name, EXACTLY)
    if not _all_agree(fine):  # what casts to float32 inside stays float32 for float64 inputs
        fine = exactly.findings(row.name, "float32")
    if not fine:
        return row
    exact = merged(fine)
    row = replace(row, exact=exact)
    if f.kind == "agrees" and exact.kind != "refuted":
        return row
    if exact.kind == "agrees":
        if f.kind == "refuted" and f.share <= NEAR:
            because = told(
                "{because}, {share:.1f} times it at most, while the same function agrees in "
                "float64: its algorithm may only round more than the reference's equations",
                because=f.because,
                share=f.share,
            )
            return replace(row, finding=replace(f, kind="undecided", because=because))
        said = told(
            "In float64 the same function agrees: the formula is right, the rounding is not."
        )
        if f.kind == "undecided":
            said = told("In float64 the same function agrees: the formula is right.")
        return replace(row, why=(said,))
    if exact.kind == "refuted" and f.kind == "refuted":
        said = told("In float64 it is refuted too: the formula is wrong, not the rounding.")
        return replace(row, why=(said,))
    if exact.kind == "refuted" and case.dtype not in FINE:
        because = told(
            "with float64 inputs {because}; {dtype} hides it",
            because=exact.because,
            dtype=case.dtype,
        )
        return replace(row, finding=replace(exact, because=because))
    return row


def _finest(case: Case, reference: PaperReference, exactly: Exactly) -> list[Seen]:
    """The draws in float64 where the function computes in it, else in the dtype. Those in float64
    are compared with float32's room for rounding: float64's is no wider than its enclosures."""
    fine = exactly.heard if case.dtype == EXACTLY else exactly.known.get(EXACTLY, [])
    contract = contract_of(case.machine.name, "float32") if fine else case.contract
    return [
        seen(reference, one.data, _gradients(case, one.answer), contract)
        for one in fine or exactly.heard
    ]


def _gradients(case: Case, answer: Answer) -> dict[str, Returned]:
    return dict(zip(case.gradients(), answer.gradients, strict=True))


def _all_agree(findings: Sequence[Finding]) -> bool:
    return bool(findings) and all(one.kind == "agrees" for one in findings)


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


def _tried(
    trial: Trial, case: Case, first: Heard, agreeing: set[str], allow_ulps: float
) -> list[Observation]:
    """What one more call shows that the first ones did not."""
    case = trial.case or case
    try:
        answer = case.ask(trial.data, frozen=trial.frozen, **trial.changes)
    except BoxFailed as problem:
        text = told("{trial}: {problem}", trial=trial.words, problem=problem.args[0])
        # A function may refuse sizes and numbers, but not go back where it went forward.
        refused = trial.may_refuse and not problem.values
        return [Observation("note" if refused else "fault", told_sentence(text))]
    heard = replace(first, data=trial.data, answer=answer)
    if trial.data is not first.data:
        heard = _heard(case, trial.data, answer, sharp=trial.case is None)
    noticed: list[Observation] = []
    for name in sorted(agreeing, key=list(returned(case, first.answer)).index):
        found = _finding(name, case, heard, allow_ulps, trial.frozen)
        if trial.gross and found is not None and not _is_gross(name, case, heard):
            continue
        if found is not None and found.kind == "refuted":
            noticed.append(_fault(trial.words, symbol(case, name), found))
    if trial.repeats:
        noticed = [_accumulated(one, case, first, heard) for one in noticed]
        noticed += _repeated(case, first, heard)
    return noticed


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


def _refuted_there(led: Led, case: Case, agreeing: set[str]) -> list[Observation]:
    """What is wrong with another number of axes: the paper does not say that it must be right."""
    return [
        replace(_fault(led.words, symbol(case, name), found), kind="note")
        for name, found in led.refuted.items()
        if name in agreeing
    ]


def _smallest(
    trial: Trial, case: Case, first: Heard, agreeing: set[str], allow_ulps: float
) -> list[Observation]:
    """What the smallest trial of the same kind shows, if a smaller one shows anything."""
    for one in trial.smaller():
        found = _tried(one, case, first, agreeing, allow_ulps)
        if any(o.kind == "fault" for o in found):
            return found
    return []


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


def _repeated(case: Case, first: Heard, second: Heard) -> list[Observation]:
    """Differences between two runs on the same data."""
    noticed = []
    before, now = returned(case, first.answer), returned(case, second.answer)
    largest, where = 0.0, ""
    for name, one in before.items():
        a, b = one.array, now[name].array
        if a is None or b is None or a.shape != b.shape or not a.size:
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
