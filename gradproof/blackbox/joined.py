"""Trials in one call: mostly a function is right in all of them, and that shows together.

Some trials have other numbers, and some have the same numbers otherwise: how they lie in memory, or
which gradient is not asked for. Of these several can be tried in a call with other numbers. If it
shows nothing, none of them would have; if it shows anything, each is tried alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradproof.blackbox.battery import Trial
from gradproof.core.told import told
from gradproof.judge.reference import Data

LAYOUTS = frozenset(("layout", "upstream_layout"))


@dataclass(frozen=True, slots=True)
class Joined:
    """Several trials in one call."""

    whole: Trial
    parts: tuple[Trial, ...]


def joined(waiting: Sequence[Trial], data: Data) -> list[Joined]:
    """The calls in which trials are joined.

    A call leaves out one gradient at the most, and each gradient must be seen in each condition. So
    where gradients are left out, what a call has besides is tried in two of them that leave out
    different ones.

    Args:
        waiting: the trials.
        data: those of the first call, which trials with the same numbers have too.
    """
    able = [t for t in waiting if t.case is None and not t.gross]
    frozen = [t for t in able if t.data is data and t.frozen]
    layouts = [t for t in able if t.data is data and LAYOUTS.issuperset(t.changes) and t.changes]
    numbers = [t for t in able if t.data is not data]
    # An upstream gradient that is mostly zero, or one number, shows less than a generic one.
    numbers.sort(key=lambda trial: not _is_generic(trial, data))
    calls: list[list[Trial]] = []
    for trial in numbers:
        some, frozen = (frozen[:2], frozen[2:]) if len(frozen) > 1 else ([], frozen)
        calls += [[trial, one] for one in some] or [[trial]]
    calls += [[one] for one in frozen]
    for trial in layouts:
        free = sorted((mine for mine in calls if not _collides(trial, mine)), key=len)
        generic = [mine for mine in free if _is_generic(mine[0], data)]
        for mine in _seeing_all(generic) or _seeing_all(free):
            mine.append(trial)
    return [_joined(mine) for mine in calls if len(mine) > 1]


def _is_generic(trial: Trial, data: Data) -> bool:
    return trial.data.upstream is data.upstream


def _seeing_all(calls: list[list[Trial]]) -> list[list[Trial]]:
    """One call that leaves out no gradient, or two that leave out different ones; else none."""
    whole = [mine for mine in calls if not any(one.frozen for one in mine)]
    return whole[:1] or (calls[:2] if len(calls) > 1 else [])


def _collides(trial: Trial, others: Sequence[Trial]) -> bool:
    """Whether another one changes what a trial changes."""
    return any(not trial.changes.keys().isdisjoint(other.changes) for other in others)


def _joined(parts: Sequence[Trial]) -> Joined:
    first, *others = parts
    changes = {key: value for one in parts for key, value in one.changes.items()}
    frozen = next((one.frozen for one in parts if one.frozen), "")
    words = first.words
    for one in others:
        words = told("{trial} and {other}", trial=words, other=one.words)
    return Joined(replace(first, words=words, changes=changes, frozen=frozen), tuple(parts))
