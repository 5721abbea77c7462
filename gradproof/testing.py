"""Assertions about gradients, in the style of `numpy.testing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradproof.blackbox.verb import check
from gradproof.report.checked import CheckReport


def assert_gradients(
    layer: Any,
    reference: Callable[..., Any],
    inputs: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    allow_undecided: bool = False,
    **options: Any,
) -> CheckReport:
    """Asserts that a layer's own backward pass gives the reference's gradients.

    Args:
        layer: the function or object whose backward pass is checked, as `gradproof.check` takes it.
        reference: a paper's forward, or a callable in the layer's framework.
        inputs: arrays, tensors or shapes; what is missing is drawn.
        allow_undecided: whether a tensor of which nothing can be said lets the assertion pass.
        options: those of `gradproof.check`, such as ``dtype="bfloat16"`` or ``seed=7``.

    Returns:
        The report, for further questions.

    Raises:
        AssertionError: a gradient is refuted, the function is at fault otherwise, or something
            stays undecided; the message tells the whole story.
        GradproofError: the call is wrong.
    """
    # A test's own frame ends at the call: what stands below is not its story.
    __tracebackhide__ = True
    report = check(layer, inputs, reference=reference, **options)
    if not (report.ok or (allow_undecided and report.exit_code == 3)):
        raise AssertionError(f"\n{report.story()}")
    return report
