"""Assertions about gradients, in the style of `numpy.testing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.blackbox.own import call_of, check_own, each_tensor
from gradproof.blackbox.verb import check
from gradproof.core.errors import DataError, NotYet
from gradproof.core.told import told, told_row
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


UNUSED = "eps, atol and rtol are not used: the bounds are derived from the function's own forward."


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
    seed: int = 0,
) -> bool:
    """`torch.autograd.gradcheck` with bounds in the place of differences.

    The backward pass is compared with the derivative of the function's own forward pass, which is
    read operation by operation, in the dtype of the inputs; docs/drop_ins.md has what is different.
    ``eps``, ``atol``, ``rtol``, ``nondet_tol``, ``fast_mode`` and ``masked`` are taken and not
    used: there is no step and no tolerance. Dtypes are always checked, and undefined gradients
    only as far as outputs that are not reached.

    Args:
        func: takes the inputs and returns a tensor or several.
        inputs: a tensor, or a tuple of tensors and lists of tensors; gradients are checked of
            those that require one.
        raise_exception: whether what does not hold raises, or only returns `False`.
        seed: of the upstream gradients.

    Returns:
        `True` where everything agrees.

    Raises:
        AssertionError: a gradient is refuted or undecided; the message tells the whole story.
        NotYet: the forward pass cannot be read, or a check is asked for that is not there.
        GradproofError: the call is wrong.
    """
    __tracebackhide__ = True
    _refuse(
        {
            "check_batched_grad": check_batched_grad,
            "check_batched_forward_grad": check_batched_forward_grad,
            "check_forward_ad": check_forward_ad,
        }
    )
    if not check_backward_ad:
        raise DataError(told("With check_backward_ad=False there is nothing to check."))
    return _passed(_of_torch(func, inputs, seed, order=1), raising=raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
    seed: int = 0,
) -> bool:
    """`torch.autograd.gradgradcheck` with bounds in the place of differences.

    As `gradcheck`, and the backward pass is differentiated again, with respect to the inputs and
    the upstream gradients. These are drawn: ``grad_outputs`` is taken and not used.

    Args:
        func: takes the inputs and returns a tensor or several.
        inputs: a tensor, or a tuple of tensors and lists of tensors; gradients are checked of
            those that require one.
        raise_exception: whether what does not hold raises, or only returns `False`.
        seed: of the upstream gradients and of the weights of the first gradients.

    Returns:
        `True` where everything agrees.

    Raises:
        AssertionError: a gradient is refuted or undecided; the message tells the whole story.
        NotYet: the forward pass cannot be read, or a check is asked for that is not there.
        GradproofError: the call is wrong.
    """
    __tracebackhide__ = True
    if not check_rev_over_rev:
        raise DataError(told("With check_rev_over_rev=False there is nothing to check."))
    _refuse({"check_batched_grad": check_batched_grad, "check_fwd_over_rev": check_fwd_over_rev})
    return _passed(_of_torch(func, inputs, seed, order=2), raising=raise_exception)


def _refuse(asked: Mapping[str, bool]) -> None:
    for name, wanted in asked.items():
        if wanted:
            raise NotYet(
                told(
                    "{name} is not there: vector–Jacobian products are checked, one by one.",
                    name=name,
                )
            )


def _of_torch(func: Callable[..., Any], inputs: Any, seed: int, *, order: int) -> CheckReport:
    """The report on a function at PyTorch's tensors, of which those count that require a
    gradient."""
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    call = call_of(func, given)
    tensors = each_tensor(call.tensors)
    wrt = [name for name, one in tensors if getattr(one, "requires_grad", False)]
    if not wrt:
        raise DataError(
            told("None of the inputs requires a gradient."), advice=told("Say  x.requires_grad_()")
        )
    plain = {name: _detached(one) for name, one in call.tensors.items()}
    return check_own(func, replace(call, tensors=plain), wrt, UNUSED, seed, order=order)


def _detached(one: Any) -> Any:
    if isinstance(one, list):
        return [_detached(part) for part in one]
    return one.detach() if hasattr(one, "detach") else one


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    *,
    seed: int = 0,
) -> bool:
    """`jax.test_util.check_grads` with bounds in the place of differences.

    What reverse mode gives is compared with the derivative of the function's own forward pass,
    which is read operation by operation without its `custom_vjp` and `custom_jvp` rules, in the
    dtype of the arguments; docs/drop_ins.md has what is different. ``atol``, ``rtol`` and ``eps``
    are taken and not used: there is no step and no tolerance.

    Args:
        f: takes the arguments and returns an array or several.
        args: arrays, and lists of arrays.
        order: 1, or 2 for the gradient of the gradient as well.
        modes: ``"fwd"`` and ``"rev"``. A `custom_jvp` rule is checked by its transpose, which is
            what reverse mode makes of it.
        seed: of the upstream gradients.

    Returns:
        `True`; what does not hold raises.

    Raises:
        AssertionError: a gradient is refuted or undecided; the message tells the whole story.
        NotYet: the forward pass cannot be read, or the order is above 2.
        GradproofError: the call is wrong.
    """
    __tracebackhide__ = True
    if order not in (1, 2):
        raise NotYet(
            told(
                "Order {order} is not there: first and second derivatives are checked.", order=order
            )
        )
    if not modes or set(modes) - {"fwd", "rev"}:
        raise DataError(
            told(
                "modes are 'fwd' and 'rev', not {modes}.",
                modes=told_row(list(map(str, modes))) or told("none"),
            )
        )
    arrays = [np.float32(one) if isinstance(one, float) else one for one in args]
    report = check_own(f, call_of(f, arrays), None, UNUSED, seed, order=order)
    return _passed(report, raising=True)


def _passed(report: CheckReport, *, raising: bool) -> bool:
    __tracebackhide__ = True
    if not report.ok and raising:
        raise AssertionError(f"\n{report.story()}")
    return report.ok
