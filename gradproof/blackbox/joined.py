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

    A call leaves out one gradient at the most. So what lies otherwise in memory is tried in two of
    them, or in one that leaves out none: then each gradient is seen with it.

    Args:
        waiting: the trials.
        data: those of the first call, which trials with the same numbers have too.
    """
    free = [t for t in waiting if t.data is data and t.case is None and not t.gross]
    frozen = [t for t in free if t.frozen]
    layouts = [t for t in free if not t.frozen and LAYOUTS.issuperset(t.changes)]
    numbers = [t for t in waiting if t.data is not data and t.case is None and not t.gross]
    found = [[trial] for trial in numbers]
    for mine, trial in zip(found, frozen, strict=False):
        mine.append(trial)
    for trial in layouts:
        able = [mine for mine in found if not _collides(trial, mine)]
        # An upstream gradient that is mostly zero, or one number, shows less than a generic one.
        able.sort(key=lambda mine: (mine[0].data.upstream is not data.upstream, len(mine)))
        whole = [mine for mine in able if not any(one.frozen for one in mine)]
        for mine in whole[:1] or (able[:2] if len(able) > 1 else ()):
            mine.append(trial)
    return [_joined(mine) for mine in found if len(mine) > 1]


def _collides(trial: Trial, others: Sequence[Trial]) -> bool:
    """Whether another one changes what a trial changes."""
    return any(not trial.changes.keys().isdisjoint(other.changes) for other in others)


def _joined(parts: Sequence[Trial]) -> Joined:
    first, *others = parts
    changes = {key: value for one in parts for key, value in one.changes.items()}
    frozen = next((one.frozen for one in others if one.frozen), "")
    words = first.words
    for one in others:
        words = told("{trial} and {other}", trial=words, other=one.words)
    return Joined(replace(first, words=words, changes=changes, frozen=frozen), tuple(parts))
