"""A pytest session to an audit: its passing tests run again, once for each wrong gradient."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from _pytest.runner import runtestprotocol

from gradproof.audit.change import CHANGES, Change
from gradproof.audit.report import Audited, AuditReport, Outcome, Tried
from gradproof.audit.spy import Spies, Spy, forget_traces, spy_on, spy_on_all
from gradproof.audit.tolerance import watch_tolerances


class Audit:
    """Which tests run which backward pass, and what they say when it is wrong."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.targets = targets
        self.spies = Spies()
        self.runs: dict[Spy, list[Any]] = {}
        self.failed: list[str] = []
        self.modules = 0

    def begin(self) -> None:
        """Sets the spies; the test modules are imported by now.

        Raises:
            DataError: a target is not there.
        """
        for target in self.targets:
            spy_on(target, self.spies)
        self._look()
        forget_traces()

    def _look(self) -> bool:
        """Spies on what was imported since the last time; whether that is anything new."""
        if self.targets or self.modules == len(sys.modules):
            return False
        self.modules = len(sys.modules)
        known = len(self.spies.known), len(self.spies.frameworks)
        spy_on_all(self.spies)
        return known != (len(self.spies.known), len(self.spies.frameworks))

    def before(self) -> None:
        """Before a test."""
        for spy in self.spies.all():
            spy.ran = False

    def after(self, item: Any, following: Any, passed: bool, failed: bool) -> None:
        """After a test that runs as it is; what is skipped neither passes nor fails. One that
        imported what nothing had imported before runs once more, under the eyes of new spies."""
        if failed:
            self.failed.append(item.name)
        if not passed:
            return
        if self._look():
            forget_traces()
            _passes(item, following)
        for spy in self.spies.all():
            if spy.ran:
                self.runs.setdefault(spy, []).append(item)

    def finish(self) -> AuditReport:
        """Every wrong gradient, tried on the tests that run it."""
        watch_tolerances(self.spies)
        try:
            functions = tuple(self._audited(spy, items) for spy, items in self.runs.items())
        finally:
            self.spies.put_back()
            forget_traces()
        return AuditReport(functions, tuple(self.failed))

    def _audited(self, spy: Spy, items: Sequence[Any]) -> Audited:
        tried = tuple(self._tried(spy, items))
        return Audited(spy.name, spy.place, tuple(item.name for item in items), tried)

    def _tried(self, spy: Spy, items: Sequence[Any]) -> Iterator[Tried]:
        for k in range(len(spy.shapes)):
            for change in CHANGES:
                if change.fits(k, spy.shapes):
                    outcome, by = self._outcome(spy, k, change, items)
                    tolerated = outcome == "passes" and spy.tolerated
                    yield Tried(spy.input(k), change.name, outcome, by, tolerated)

    def _outcome(
        self, spy: Spy, k: int, change: Change, items: Sequence[Any]
    ) -> tuple[Outcome, str]:
        spy.change, spy.of, spy.differed = change, k, False
        spy.wrong, spy.tolerated = None, False
        forget_traces()
        try:
            for number, item in enumerate(items):
                following = items[number + 1] if number + 1 < len(items) else None
                if not _passes(item, following):
                    _tear_down(item)
                    return "caught", item.name
        finally:
            spy.change = spy.wrong = None
        return ("passes" if spy.differed else "equal"), ""


def _passes(item: Any, following: Any) -> bool:
    """Whether a test passes once more, its fixtures made anew and nothing of it reported."""
    item._initrequest()
    reports = runtestprotocol(item, nextitem=following, log=False)
    return all(report.outcome != "failed" for report in reports)


def _tear_down(item: Any) -> None:
    """Ends the fixtures that were kept for a test that does not follow."""
    item.session._setupstate.teardown_exact(None)
