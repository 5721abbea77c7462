"""The verb `check`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradproof.blackbox.again import second_case
from gradproof.blackbox.battery import Small, is_large, shrunk
from gradproof.blackbox.build import build, drawn
from gradproof.blackbox.case import Case
from gradproof.blackbox.conditions import DRAWS
from gradproof.blackbox.examine import examine
from gradproof.blackbox.instrument import Instrumented
from gradproof.blackbox.power import power_of
from gradproof.blackbox.untyped import untyped
from gradproof.core.errors import DataError, GradproofError
from gradproof.core.told import told
from gradproof.judge.generic import check_seed
from gradproof.judge.reference import PaperReference, output
from gradproof.report.checked import CheckReport, Observation


def check(
    function: Any,
    arguments: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    reference: Callable[..., Any],
    dtype: str | None = None,
    seed: int | None = None,
    engine: str | None = None,
    draws: int | None = None,
    sizes: Mapping[str, int] | None = None,
    upstream: str | None = None,
    wrt: Sequence[str] | None = None,
    allow_ulps: float = 0.0,
    accumulate: str | None = None,
    may_overwrite: Sequence[str] = (),
    timeout: float | None = None,
    battery: bool = True,
    diagnose: bool = True,
    full: bool = False,
    power: bool = False,
    order: int = 1,
) -> CheckReport:
    """Checks the backward pass of a function of which nothing is seen but what it returns.

    The vector–Jacobian products with random upstream gradients are compared with the reference's,
    for every input, element by element, in the dtype in which the function is used.

    Args:
        function: takes tensors and returns one or several. With PyTorch, JAX and TensorFlow its own
            backward pass is what the framework's autodiff calls (`torch.autograd.Function`,
            `jax.custom_vjp`, `tf.custom_gradient`). With NumPy it returns ``(value, pullback)``,
            where ``pullback(upstream)`` gives the gradients of the inputs in order, or it is an
            object with the methods ``forward(*inputs)`` and ``backward(upstream)``. Of a function
            that `gradproof.instrument` returns the report also has what it names inside.
        arguments: arrays or tensors of the framework, in order or by the reference's names; also
            shapes as tuples. What is missing is drawn from the reference's annotations.
        reference: a paper's forward, in NumPy with annotated shapes, which returns the value; then
            true values and rounding bounds come from its equations. Or a callable in the same
            framework; then they come from the program that the framework's autodiff writes for it.
        dtype: ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``; by default that of the
            arguments, or float32.
        seed: of all that is drawn, 0 if not given.
        engine: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"tensorflow"``; by default that of the
            arguments or of the function.
        draws: how many upstream gradients are tried, and inputs where these are drawn: 3 unless
            told otherwise, and 1 of large data.
        sizes: numbers for size symbols of a paper.
        upstream: the paper's parameter that is the upstream gradient, where the paper returns the
            sum of its output times that.
        wrt: the inputs whose gradients are checked; all floating ones that are no data otherwise.
        allow_ulps: units in the last place that are permitted beyond the bound; the report says so.
        accumulate: in what the function adds up, where that is coarser than the engine's own
            kernels do: ``"tf32"``, ``"bfloat16"`` or ``"float16"``.
        may_overwrite: inputs that the function is known to overwrite.
        timeout: seconds after which a call counts as one that does not return.
        battery: whether it is also called twice, with inputs and upstream gradients that lie
            otherwise in memory, with each input frozen in turn, and with zeros, ties, repeated
            integers, large numbers and other sizes; what is large beside a paper is called twice,
            and tried in the other conditions at small sizes, if it is right there.
        diagnose: whether the known mistake is looked for that gives a refuted gradient's numbers.
        full: whether the whole Jacobian is looked at, column by column: each element of each output
            alone as upstream gradient, one call each.
        power: whether the report says which known mistakes these data could not have shown in this
            precision, and which data would (`CheckReport.power`); the reference must be a paper, or
            a callable that can be read as one.
        order: 2 to differentiate the backward pass again and check the gradients of
            ``s = Σ ⟨v, ∂l/∂x⟩``, with random v, with respect to the inputs and the upstream
            gradients (`CheckReport.second`). Not with NumPy, whose backward passes return arrays.

    Raises:
        GradproofError: the call is wrong. What the *function* does wrong stands in the report.
    """
    return check_case(
        function,
        arguments,
        reference=reference,
        dtype=dtype,
        seed=seed,
        engine=engine,
        draws=draws,
        sizes=sizes,
        upstream=upstream,
        wrt=wrt,
        allow_ulps=allow_ulps,
        accumulate=accumulate,
        may_overwrite=may_overwrite,
        timeout=timeout,
        battery=battery,
        diagnose=diagnose,
        full=full,
        power=power,
        order=order,
    )


def look_at_nothing(case: Case) -> None:
    """Looks at no case."""


def check_case(
    function: Any,
    arguments: Sequence[Any] | Mapping[str, Any] | None,
    *,
    reference: Callable[..., Any],
    dtype: str | None = None,
    seed: int | None = None,
    engine: str | None = None,
    draws: int | None = None,
    sizes: Mapping[str, int] | None = None,
    upstream: str | None = None,
    wrt: Sequence[str] | None = None,
    allow_ulps: float = 0.0,
    accumulate: str | None = None,
    may_overwrite: Sequence[str] = (),
    timeout: float | None = None,
    battery: bool = True,
    diagnose: bool = True,
    full: bool = False,
    power: bool = False,
    order: int = 1,
    look: Callable[[Case], None] = look_at_nothing,
    own: bool = False,
) -> CheckReport:
    """`check`, where `look` sees the case before anything is judged, and the reference may be the
    function's `own` forward pass as it was read at the given data."""
    reference = untyped(reference)
    if draws is not None and draws < 1:
        raise DataError(told("draws must be at least 1, not {draws}.", draws=draws))
    if order not in (1, 2):
        raise DataError(told("order must be 1 or 2, not {order}.", order=order))
    check_seed(seed)
    inside = isinstance(function, Instrumented)
    if inside:
        function = function.function
    options = {
        "engine": engine,
        "upstream": upstream,
        "wrt": wrt,
        "accumulate": accumulate,
        "timeout": timeout,
    }
    case = build(
        function, arguments, reference, dtype=dtype, seed=seed or 0, sizes=sizes or {}, **options
    )
    look(case)
    called = f"gp.instrument({spoken(function)})" if inside else spoken(function)
    chosen = {
        "engine": case.machine.name,
        "dtype": case.dtype,
        "seed": seed or 0,
        "sizes": dict(sizes or {}),
        "draws": draws,
        "upstream": upstream,
        "wrt": None if wrt is None else list(wrt),
        "allow_ulps": allow_ulps,
        "accumulate": accumulate,
        "may_overwrite": list(may_overwrite),
        "full": full,
        "order": order if order > 1 else None,
    }
    again = _again(called, arguments, reference, chosen)
    if inside and not isinstance(case.reference, PaperReference):
        raise DataError(
            told("The reference is not read as equations, so that its tensors have no names."),
            advice=told("Give a paper as reference, or check the function without instrument."),
        )

    def rebuilt(
        sizes: Mapping[str, int],
        dtype: str,
        seed: int,
        ones: int = 1,
        *,
        numbers: Mapping[int, int] = {},
    ) -> Case:
        given = drawn(arguments, reference, upstream, ones)
        named = {**options, "engine": case.machine.name, "sizes": sizes, "numbers": numbers}
        made = build(function, given, reference, dtype=dtype, seed=seed, **named)
        return replace(made, device=case.device)

    def smaller() -> Small | None:
        """The case at small sizes, if the reference has them."""
        numbers = shrunk(case, case.data(0))
        known = case.reference
        if numbers is None or not isinstance(known, PaperReference):
            return None
        sizes = {symbol: numbers.get(size, size) for symbol, size in known.sizes.items()}
        try:
            small = rebuilt(sizes, case.dtype, seed or 0, numbers=numbers)
        except GradproofError:
            return None
        said = ", ".join(f"{size} → {new}" for size, new in numbers.items())
        return Small(
            small,
            lambda other: rebuilt({**sizes, **other}, case.dtype, seed or 0, numbers=numbers),
            told("at smaller sizes ({sizes})", sizes=said),
        )

    annotated = bool(getattr(reference, "__annotations__", {}))
    large = is_large(case)
    # Made first: an engine that cannot differentiate twice says so before anything is judged.
    second = second_case(case, seed or 0) if order == 2 else None
    report = examine(
        case,
        draws=draws or (1 if large else DRAWS),
        seed=seed or 0,
        allow_ulps=allow_ulps,
        may_overwrite=tuple(may_overwrite),
        battery=battery,
        diagnose=diagnose,
        full=full,
        inside=inside,
        again=again,
        resized=(lambda sizes: rebuilt(sizes, case.dtype, seed or 0)) if annotated else None,
        smaller=smaller if large else None,
        own=own,
    )
    if second is not None:
        report = replace(report, second=_differentiated(second, report, diagnose))
    if not power:
        return report

    found = power_of(case, report, rebuilt, given=arguments is not None)
    if found is None:
        because = told(
            "What the data could not have shown is not known: the reference is no paper."
        )
        note = Observation("note", because)
        return replace(report, observations=(*report.observations, note))
    return replace(report, power=found)


def _differentiated(case: Case, first: CheckReport, diagnose: bool) -> CheckReport:
    """The report on a backward pass differentiated again, at the data of the first order. First
    gradients that agree stand in the report on the first order."""
    report = examine(
        case,
        draws=first.draws,
        seed=first.seed,
        allow_ulps=first.allow_ulps,
        may_overwrite=(),
        battery=False,
        diagnose=diagnose,
        full=False,
        inside=False,
        again=first.again,
    )
    again = {output(k) for k in range(len(case.first))}
    rows = tuple(r for r in report.rows if r.name not in again or r.kind == "refuted")
    return replace(report, rows=rows)


def _again(
    called: str, arguments: Any, reference: Any, chosen: Mapping[str, Any]
) -> tuple[str, ...]:
    """Three lines that check the same again; `called` is how the user's code says the function, and
    `chosen` what the call chooses: what is empty or `None` has its default."""
    given = ", arguments" if arguments is not None else ""
    right = spoken(reference)
    right = "reference" if right == "function" else right
    said = ", ".join(
        f"{name}={json.dumps(value)}" if isinstance(value, str | list | dict) else f"{name}={value}"
        for name, value in chosen.items()
        if value or name == "seed"
    )
    return (
        "import gradproof as gp",
        f"report = gp.check({called}{given}, reference={right}, {said})",
        "print(report)",
    )


def spoken(function: Any) -> str:
    """How the user's code calls a function."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{function.__name__}"
    name = getattr(function, "__qualname__", None) or f"{type(function).__name__}()"
    return "function" if "<lambda>" in name else str(name).rpartition("<locals>.")[2]
