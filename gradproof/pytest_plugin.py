"""A pytest plugin: the fixture and the marker `gradproof`, `--gradproof-seed`, and audits.

Nothing of gradproof is imported until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from gradproof.report.checked import CheckReport

MARKER = (
    "gradproof(engine=..., dtype=..., ...): options of every check that the test makes with the "
    "fixture gradproof, as gradproof.check takes them"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that repeats a failure."""
    group = parser.getgroup("gradproof")
    group.addoption(
        "--gradproof-seed",
        type=int,
        default=None,
        metavar="SEED",
        help="the seed of what gradproof draws, for tests that do not say one (0 if not given)",
    )
    group.addoption(
        "--gradproof-audit",
        action="store_true",
        help="run the passing tests again with the gradients of the project's own backward passes "
        "made wrong, one way after another, and say which wrong gradients they let pass",
    )
    group.addoption(
        "--gradproof-audit-of",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="audit this function or class and no other: also what cannot be found, as a function "
        "that returns its value and a pullback",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and the audit where one is asked for: in this process, also where tests
    are to run in several, because a gradient that is changed here is not changed there."""
    config.addinivalue_line("markers", MARKER)
    targets = config.getoption("--gradproof-audit-of")
    if not (config.getoption("--gradproof-audit") or targets):
        return
    from gradproof.audit.plugin import AuditPlugin

    alone = bool(getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None))
    if alone:  # xdist reads these when it is configured, after this
        config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []
    config.pluginmanager.register(AuditPlugin(targets, alone=alone), "gradproof-audit")


@final
class Gradproof:
    """What the fixture gives: checks with the options of the test's marker, and the seed of the
    command line. Called, it asserts; `check` returns the report and asserts nothing."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = dict(options)

    def __call__(
        self,
        layer: Any,
        reference: Callable[..., Any],
        inputs: Sequence[Any] | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> CheckReport:
        """Asserts that the layer's gradients are the reference's; see
        `gradproof.testing.assert_gradients`."""
        __tracebackhide__ = True
        from gradproof.testing import assert_gradients

        try:
            return assert_gradients(layer, reference, inputs, **{**self.options, **options})
        except AssertionError as problem:
            story = str(problem).strip()
        # Raised anew and without a cause, so that pytest shows the story and nothing else.
        raise pytest.fail.Exception(story, pytrace=False)

    def check(
        self,
        layer: Any,
        reference: Callable[..., Any],
        inputs: Sequence[Any] | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> CheckReport:
        """The report on a layer, whatever it says."""
        from gradproof.blackbox.verb import check

        asked = {**self.options, **options}
        asked.pop("allow_undecided", None)
        return check(layer, inputs, reference=reference, **asked)


@pytest.fixture
def gradproof(request: pytest.FixtureRequest) -> Gradproof:
    """Asserts that hand-written gradients are right: ``gradproof(layer, reference, inputs)``."""
    options: dict[str, Any] = {}
    seed = request.config.getoption("--gradproof-seed")
    if seed is not None:
        options["seed"] = seed
    for marker in reversed(list(request.node.iter_markers("gradproof"))):
        if marker.args:
            raise pytest.UsageError(
                f"{request.node.nodeid}: @pytest.mark.gradproof takes options by name, such as "
                'engine="torch".'
            )
        options |= marker.kwargs
    return Gradproof(options)
