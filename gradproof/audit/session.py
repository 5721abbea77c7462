"""A pytest session to an audit: its passing tests run again, once for each wrong gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from _pytest.runner import runtestprotocol

from gradproof.audit.change import CHANGES, Change
from gradproof.audit.report import Audited, AuditReport, Outcome, Tried
from gradproof.audit.spy import Spies, Spy, forget_traces, spy_on, spy_on_frameworks


class Audit:
    """Which tests run which backward pass, and what they say when it is wrong."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.targets = targets
        self.spies = Spies()
        self.runs: dict[Spy, list[Any]] = {}
        self.failed: list[str] = []

    def begin(self) -> None:
        """Sets the spies; the test modules are imported by now.

        Raises:
            DataError: a target is not there.
        """
        for target in self.targets:
            spy_on(target, self.spies)
        if not self.targets:
            spy_on_frameworks(self.spies)
        forget_traces()

    def before(self) -> None:
        """Before a test."""
        for spy in self.spies.all():
            spy.ran = False

    def after(self, item: Any, passed: bool, failed: bool) -> None:
        """After a test that runs as it is; what is skipped neither passes nor fails."""
        if failed:
            self.failed.append(item.name)
        if not passed:
            return
        for spy in self.spies.all():
            if spy.ran:
                self.runs.setdefault(spy, []).append(item)

    def finish(self) -> AuditReport:
        """Every wrong gradient, tried on the tests that run it."""
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
                    yield Tried(spy.input(k), change.name, outcome, by)

    def _outcome(
        self, spy: Spy, k: int, change: Change, items: Sequence[Any]
    ) -> tuple[Outcome, str]:
        spy.change, spy.of, spy.differed = change, k, False
        forget_traces()
        try:
            for number, item in enumerate(items):
                following = items[number + 1] if number + 1 < len(items) else None
                if not _passes(item, following):
                    _tear_down(item)
                    return "caught", item.name
        finally:
            spy.change = None
        return ("passes" if spy.differed else "equal"), ""


def _passes(item: Any, following: Any) -> bool:
    """Whether a test passes once more, its fixtures made anew and nothing of it reported."""
    item._initrequest()
    reports = runtestprotocol(item, nextitem=following, log=False)
    return all(report.outcome != "failed" for report in reports)


def _tear_down(item: Any) -> None:
    """Ends the fixtures that were kept for a test that does not follow."""
    item.session._setupstate.teardown_exact(None)
