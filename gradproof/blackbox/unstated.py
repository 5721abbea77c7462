"""A function at data of which nobody said that it takes them: what it does wrong for certain.

Beside a callable the domain of the inputs is not stated. So nothing is said of data at which the
callable itself raises, is not finite, or is far off in the dtype of the check, and nothing of what
is not far off. What is, is held against the bound of the program that autodiff writes at these
data. Where a gradient differs right beside them there is a kink, at which a function may take any
slope between those on its sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from gradproof.blackbox.autodiff import of_autodiff
from gradproof.blackbox.battery import Trial
from gradproof.blackbox.build import name_of
from gradproof.blackbox.case import Case
from gradproof.blackbox.conditions import Told, fault
from gradproof.blackbox.given import trials_given
from gradproof.blackbox.heard import Heard, returned, symbol
from gradproof.core.errors import GradproofError
from gradproof.core.told import told, told_sentence
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.black_box import BoxFailed, Returned
from gradproof.engines.dtype import FINE
from gradproof.judge.box import judge_returned
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.reference import Data, Reference, Unbounded, output
from gradproof.report.observation import Observation

FAR = 0.25
"""A difference, as a share of a tensor's largest element, that is no loss of digits: another
algorithm for a variance loses half of them where numbers are equal."""

FAR_IN_ROWS = 2.0**-6
"""The same where the numbers are the given ones, and there are more rows of them, or one."""

BESIDE = 2.0**-36
"""How far beside the data, as a share of the largest number, a gradient is looked at."""

SAME = 2.0**-10
"""A difference, as a share of the largest, of gradients beside each other that is no kink's."""

SIDES = 3
"""Directions, each there and back, in which gradients are looked at beside the data."""

SUM = 0.125
"""How far off the sum of a gradient over tied elements must be, as a share of their sizes."""


def unstated(
    case: Case, first: Heard, kinds: Mapping[str, str], allow_ulps: float, *, own: bool
) -> Iterator[Told]:
    """What was tried beside a callable, and what it showed.

    Args:
        case: what is checked.
        first: its answer at the given data.
        kinds: the verdicts so far, by the tensors' names.
        allow_ulps: units in the last place that are permitted in any case.
        own: whether the callable is the function's own forward pass, read at the given data: it may
            be another at others.
    """
    known = not isinstance(case.reference, Unbounded)
    names = {name for name, kind in kinds.items() if kind == "agrees" or not known}
    here = Beside(case, names, allow_ulps, own)
    tried: set[str] = set()
    for trial in trials_given(case, first.data):
        if trial.words in tried:
            continue
        tried.add(trial.words)
        found = here.shown(trial)
        if found is None:  # perhaps one of the changed inputs alone leaves the domain
            for one in trial.smaller() if trial.case is None else ():
                alone = here.shown(one)
                tried.add(one.words)
                if alone is not None:
                    yield one.words, alone
            continue
        if any(one.kind == "fault" for one in found):
            smaller = (here.shown(one) or [] for one in trial.smaller())
            found = next((f for f in smaller if any(o.kind == "fault" for o in f)), found)
        yield trial.words, found
        if case.caller.stuck:
            return


@dataclass(frozen=True, slots=True)
class Beside:
    """What is checked, and the tensors of which something may be said; ``own`` as for
    `unstated`."""

    case: Case
    names: set[str]
    allow_ulps: float
    own: bool

    def shown(self, trial: Trial) -> list[Observation] | None:
        """What a function does at other data; `None` where these say nothing about it."""
        case, data = trial.case or self.case, trial.data
        right = right_at(case, data)
        if right is None:
            return None
        try:
            answer = case.ask(data)
        except BoxFailed as problem:
            return self._failed(trial, problem, right)
        found = returned(case, answer)
        named = [n for n in right if n in self.names and n in found]
        off = [name for name in named if is_off(found[name], right[name], _far(trial))]
        if not off:
            return []
        values = [name for name in off if name not in case.wanted]
        if values and (self.own or trial.case is not None or trial.changes_integers):
            return []  # another function, at sizes, places or data that nobody asked for
        if trial.changes_integers and not all(is_finite(found[name]) for name in off):
            return []  # what is no number there is outside of a domain: two points become one
        return self._judged(trial, right, found, off)

    def _failed(
        self, trial: Trial, problem: BoxFailed, right: Mapping[str, np.ndarray]
    ) -> list[Observation] | None:
        case = trial.case or self.case
        shapes = [right[output(k)].shape for k in range(len(trial.data.upstream))]
        got = [None if one.array is None else one.array.shape for one in problem.values]
        if trial.case is not None and got != shapes:
            return None
        if _in_dtype(case, trial.data) is None:
            return None
        text = told("{trial}: {problem}", trial=trial.words, problem=problem.args[0])
        return [Observation("fault" if problem.values else "note", told_sentence(text))]

    def _judged(
        self,
        trial: Trial,
        right: Mapping[str, np.ndarray],
        found: Mapping[str, Returned],
        off: Sequence[str],
    ) -> list[Observation] | None:
        """What of the tensors that are far `off` is wrong for certain."""
        case, data = trial.case or self.case, trial.data
        own = _in_dtype(case, data)
        around = gradients_beside(case, data)
        if own is None or around is None:
            return None
        far = _far(trial)
        off = [name for name in off if not is_off(own[name], right[name], far)]
        enclosure = enclosure_at(case, data)
        if not off or any(
            name in enclosure and _is_apart(enclosure[name], right[name]) for name in off
        ):
            return None
        exactly = cache(lambda: _in_float64(case, data))
        noticed = []
        for name in off:
            one, finite = found[name], is_finite(found[name])
            if finite and exactly() and not is_off(exactly()[name], right[name], far):
                continue  # its digits are lost, and its formula is right
            beside = [at[name] for at in around] if name in case.wanted else []
            unknown = right[name], np.array(np.inf), np.array(np.inf)
            known = enclosure.get(name, unknown)
            enclosed = widened(one, known, right[name], beside, case, far)
            finding = judge_returned(one, enclosed, None, case.contract, self.allow_ulps)
            if finding.kind == "refuted":
                noticed.append(fault(trial.words, symbol(case, name), finding))
            elif not finite:
                noticed.append(_not_finite(trial, symbol(case, name), one))
            elif name in enclosure and (sums := sums_at(one, right[name], beside)):
                noticed.append(_sums(trial, symbol(case, name), *sums))
        return noticed


# --- the callable itself --------------------------------------------------------------------------


def right_at(case: Case, data: Data) -> dict[str, np.ndarray] | None:
    """What a reference has at these data in float64; `None` where it raises, or is not finite."""
    if case.machine.name == "numpy":
        found = case.reference.enclosure(data, case.contract)
        known = all(np.all(np.isfinite(part)) for value in found.values() for part in value)
        return {name: value[0] for name, value in found.items()} if known else None
    question = case.question(data, dtype="float64", device="cpu")
    try:
        with np.errstate(all="ignore"):
            answer = case.machine.pull(case.written, question)
    except BoxFailed:
        return None
    arrays = {}
    for name, one in returned(case, answer).items():
        if one.array is None and name in case.wanted:
            arrays[name] = np.zeros(data.inputs[name].shape)
        elif one.array is None or one.array.dtype.kind == "c":
            return None
        else:
            arrays[name] = np.asarray(one.array, dtype=np.float64)
    return arrays if all(np.all(np.isfinite(a)) for a in arrays.values()) else None


def gradients_beside(case: Case, data: Data) -> list[dict[str, np.ndarray]] | None:
    """The reference's tensors right beside these data, there and back; `None` where there are
    none."""
    if case.machine.name == "numpy":
        return []
    random = np.random.default_rng(0)
    found = []
    for _ in range(SIDES):
        step = {
            name: random.normal(size=data.inputs[name].shape)
            * (BESIDE * float(np.abs(data.inputs[name]).max(initial=0.0)) or BESIDE)
            for name in case.wanted
        }
        for sign in (1.0, -1.0):
            moved = {n: data.inputs[n].astype(np.float64) + sign * d for n, d in step.items()}
            one = right_at(case, Data({**data.inputs, **moved}, data.upstream))
            if one is None:
                return None
            found.append(one)
    return found


def _in_dtype(case: Case, data: Data) -> dict[str, Returned] | None:
    """What the callable itself has in the dtype of the check; `None` where that is not finite."""
    if case.machine.name == "numpy":
        arrays = right_at(case, data)
        return None if arrays is None else {n: Returned(a, "float64") for n, a in arrays.items()}
    try:
        answer = case.machine.pull(case.written, case.question(data))
    except BoxFailed:
        return None
    found = returned(case, answer)
    return found if all(map(is_finite, found.values())) else None


def _in_float64(case: Case, data: Data) -> dict[str, Returned]:
    """What the function answers in float64; nothing where it does not compute in it."""
    try:
        answer = case.ask(data, dtype="float64")
    except BoxFailed:
        return {}
    found = returned(case, answer)
    fine = all(one.dtype in ("float64", "NoneType") for one in found.values())
    return found if fine else {}


# --- far off, and for certain ---------------------------------------------------------------------


def is_finite(one: Returned) -> bool:
    """Whether all of a tensor are numbers; none returned counts as zeros."""
    if one.array is None:
        return one.dtype == "NoneType"
    return bool(np.all(np.isfinite(one.array.astype(np.float64))))


def is_off(one: Returned, right: np.ndarray, far: float) -> bool:
    """Whether a tensor is no number somewhere, has another shape, or is off by more than `far`, as
    a share of the largest element."""
    if not is_finite(one):
        return True
    if one.array is not None and one.array.shape != right.shape:
        return True
    got = 0.0 if one.array is None else one.array.astype(np.float64)
    return bool(np.any(np.abs(got - right) > far * np.abs(right).max(initial=0.0)))


def enclosure_at(case: Case, data: Data) -> dict[str, Value]:
    """The bound of a right function at these data, as wide as any engine makes it, where a tie of
    exact numbers is either; nothing where no program can be read."""
    reference: Reference = case.reference
    if isinstance(reference, Unbounded):
        return {}
    if case.machine.name != "numpy":
        there = replace(case, data=lambda k: data)
        try:
            reference = of_autodiff(case.written, name_of(case.written), there)
        except GradproofError:
            return {}
    ball = Ball(case.contract, opaque=True, coarse=case.dtype not in FINE, either=True)
    with np.errstate(all="ignore"):
        return reference.over(data, ball)


def _is_apart(enclosure: Value, right: np.ndarray) -> bool:
    """Whether a bound and autodiff in float64 do not fit together: then neither is trusted."""
    m, r, e = enclosure
    if m.shape != right.shape:
        return True
    room = SAME * np.abs(right).max(initial=0.0)
    with np.errstate(all="ignore"):
        return bool(np.any(np.abs(m - right) > r + OTHER_ALGORITHM * e + room))


def widened(
    one: Returned,
    enclosure: Value,
    right: np.ndarray,
    beside: Sequence[np.ndarray],
    case: Case,
    far: float,
) -> Value:
    """An enclosure outside of which nothing is that is not far off, or that a kink explains.

    Args:
        one: what came back.
        enclosure: where a right function is.
        right: what autodiff in float64 has.
        beside: what it has right beside the data.
        case: what is checked.
        far: the share of the largest element that is far.
    """
    m, r, e = (np.array(np.broadcast_to(part, right.shape)) for part in enclosure)
    scale = float(np.abs(right).max(initial=0.0))
    # Beside nothing but zeros no number is far off.
    tiny, wide = float(case.contract.tiny), float(case.contract.largest) / (2 * OTHER_ALGORITHM)
    least = far / OTHER_ALGORITHM * scale if scale > tiny else wide
    at_kink = kinked(right, beside)
    # A kink that the bound does not see: two numbers are called equal, and then one is not.
    unseen = at_kink & (r + e < SAME * scale)
    e = np.where(unseen, np.inf, np.maximum(e, least))
    if one.array is None or one.array.shape != right.shape:
        return m, r, e
    # What is no number is right at a kink, if anywhere.
    wrong = ~np.isfinite(one.array.astype(np.float64)) & ~at_kink
    return np.where(wrong, right, m), np.where(wrong, 0.0, r), np.where(wrong, least, e)


def kinked(right: np.ndarray, beside: Sequence[np.ndarray]) -> np.ndarray:
    """The elements of a gradient that are others right beside the data."""
    room = SAME * np.abs(right).max(initial=0.0)
    found = np.zeros(right.shape, dtype=bool)
    for one in beside:
        found |= np.abs(one - right) > room
    return found


def sums_at(
    one: Returned, right: np.ndarray, beside: Sequence[np.ndarray]
) -> tuple[float, float] | None:
    """The sum of a gradient over the elements at a kink, and the right one, where those differ
    though on all sides the sum is the same: of equal elements it does not matter which is the
    largest, but only one is."""
    places = kinked(right, beside)
    if one.array is None or one.array.shape != right.shape or not np.any(places):
        return None
    # Of many that are tied, some are the largest on no side that was looked at.
    places |= np.abs(one.array.astype(np.float64) - right) > SAME * np.abs(right).max()
    true, got = (float(a[places].astype(np.float64).sum()) for a in (right, one.array))
    size = max(float(np.abs(a[places]).sum()) for a in (right, *beside))
    moved = max(abs(float(a[places].sum()) - true) for a in beside)
    if moved > SAME * size or abs(got - true) <= SUM * size:
        return None
    return got, true


def _far(trial: Trial) -> float:
    return FAR if trial.case is None else FAR_IN_ROWS


# --- sentences ------------------------------------------------------------------------------------


def _not_finite(trial: Trial, tensor: str, one: Returned) -> Observation:
    count = 0 if one.array is None else int(np.sum(~np.isfinite(one.array.astype(np.float64))))
    text = told(
        "{trial}: {count} of {size} elements of {tensor} are not finite, and the reference's are",
        trial=trial.words,
        count=count,
        size=0 if one.array is None else one.array.size,
        tensor=tensor,
    )
    return Observation("note", told_sentence(text))


def _sums(trial: Trial, tensor: str, got: float, true: float) -> Observation:
    text = told(
        "{trial}: {tensor} is refuted, its elements that are tied sum to {got:.6g}, true "
        "{true:.6g}: however they share what arrives, that is their sum",
        trial=trial.words,
        tensor=tensor,
        got=got,
        true=true,
    )
    return Observation("fault", told_sentence(text))
