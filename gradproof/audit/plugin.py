"""The hooks by which pytest runs an audit."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, final

import pytest

from gradproof.audit.report import AuditReport
from gradproof.audit.session import Audit
from gradproof.core.errors import DataError
from gradproof.words import language, say

WIDTH = 100
"""The widest that lines become."""


@final
class AuditPlugin:
    """Watches the tests run as they are, and then runs them again with wrong gradients."""

    def __init__(self, targets: Sequence[str], *, alone: bool = False) -> None:
        """`alone` says that xdist was asked for, and that the tests run in this process instead."""
        self.audit = Audit(targets)
        self.alone = alone
        self.report: AuditReport | None = None
        self.outcomes: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Spies are set when all tests are collected, and wrong gradients tried when all ran.

        Raises:
            UsageError: what is to be audited is not there.
        """
        if session.config.option.collectonly:
            return (yield)
        try:
            self.audit.begin()
        except DataError as problem:
            raise pytest.UsageError(str(problem)) from problem
        try:
            result = yield
        finally:
            self.report = self.audit.finish()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        """Which spies a test runs, and whether it passes."""
        self.audit.before()
        self.outcomes.clear()
        result = yield
        outcomes = list(self.outcomes)
        self.audit.after(item, nextitem, outcomes == ["passed"] * 3, "failed" in outcomes)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What the setup, the call and the end of a test came to."""
        self.outcomes.append(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The exit code says what the audit found, where all tests pass."""
        if self.report is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = self.report.exit_code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The report."""
        if self.report is None:
            return
        terminalreporter.section("gradproof audit")
        width = min(terminalreporter._tw.fullwidth, WIDTH)
        if self.alone:
            said = say("An audit runs in one process: -n was left out.", language())
            terminalreporter.write_line(said)
        for line in self.report.lines(width, language()):
            markup = {"red": True} if line.plain.startswith("✗") else {}
            terminalreporter.write_line(line.plain.rstrip(), **markup)
