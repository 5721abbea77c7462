"""Trials in one call: mostly a function is right in all of them, and that shows together.

How inputs lie in memory, and how an upstream gradient does, can be tried in one call, with the
numbers of the first one or with others drawn as they were. If that shows nothing, neither alone
would have; if it shows anything, each is tried alone.

Nothing is joined with special numbers: where elements are zero or equal, or an upstream gradient is
one number, a gradient may be zero or have no derivative, and shows no fault. And nothing is joined
with a gradient that is not asked for: a function may well have another way without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradproof.blackbox.battery import Trial
from gradproof.core.told import told
from gradproof.judge.reference import Data


@dataclass(frozen=True, slots=True)
class Joined:
    """Several trials in one call, which has the words of the first of them."""

    whole: Trial
    parts: tuple[Trial, ...]

    def named(self) -> Trial:
        """The call with the words of all its trials."""
        words = self.whole.words
        for one in self.parts[1:]:
            words = told("{trial} and {other}", trial=words, other=one.words)
        return replace(self.whole, words=words)


def joined(waiting: Sequence[Trial], data: Data) -> list[Joined]:
    """The calls in which trials are joined: inputs and an upstream gradient, which never lie alike.

    A function that reads one of them as if it lay as the other does is right where they do.

    Args:
        waiting: the trials.
        data: those of the first call, which trials with the same numbers have too.
    """
    plain = [t for t in waiting if t.data is data and t.case is None and not t.frozen]
    arriving = [t for t in plain if t.changes.keys() == {"upstream_layout"}]
    drawn = [t for t in waiting if t.drawn and t.case is None]
    found = []
    for trial in plain:
        if trial.changes.keys() != {"layout"}:
            continue
        mine = trial.changes["layout"]
        other = next((t for t in arriving if t.changes["upstream_layout"] != mine), None)
        if other is not None:
            arriving.remove(other)
            numbers = [drawn.pop(0)] if drawn else []
            found.append(_joined([*numbers, trial, other]))
    return found


def _joined(parts: Sequence[Trial]) -> Joined:
    changes = {key: value for one in parts for key, value in one.changes.items()}
    return Joined(replace(parts[0], changes=changes), tuple(parts))
