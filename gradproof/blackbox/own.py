"""A function's own forward pass to the reference that its backward pass is checked against."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradproof.blackbox.build import engine_of, read_arrays
from gradproof.blackbox.case import Case
from gradproof.blackbox.heard import finding, hear
from gradproof.blackbox.verb import check_case, spoken
from gradproof.core.errors import DataError, NotYet
from gradproof.core.told import told
from gradproof.engines.backward_program import Unattempted
from gradproof.engines.black_box import Answer, BoxFailed, Question
from gradproof.engines.dtype import in_dtype
from gradproof.engines.engine import Engine, load
from gradproof.judge.reference import Data, output
from gradproof.report.checked import CheckReport, Observation

NUDGE = 2.0**-6
"""By so much of itself every number is moved, to see whether the forward pass was read whole."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of tensors alone, and its tensors by name; constants are written into it."""

    function: Callable[..., Any]
    tensors: Mapping[str, Any]


def call_of(function: Callable[..., Any], arguments: Sequence[Any]) -> Call:
    """A function and its arguments, without those that are neither arrays nor lists of arrays."""
    names = _names(function, len(arguments))
    places = [k for k, one in enumerate(arguments) if _is_tensor(one)]
    if not places:
        raise DataError(
            told("None of the inputs is a tensor."), advice=told("Give arrays, as in  (x, w)")
        )

    def of_tensors(*tensors: Any) -> Any:
        whole = list(arguments)
        for k, tensor in zip(places, tensors, strict=True):
            whole[k] = tuple(tensor) if isinstance(arguments[k], tuple) else tensor
        return function(*whole)

    given = {names[k]: list(one) if isinstance(one := arguments[k], tuple) else one for k in places}
    return Call(of_tensors, given)


def each_tensor(tensors: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every tensor with its name, those of a list one by one, as `check` calls them."""
    for name, one in tensors.items():
        if isinstance(one, list):
            yield from ((f"{name}[{k}]", part) for k, part in enumerate(one, 1))
        else:
            yield name, one


def check_own(
    function: Callable[..., Any],
    call: Call,
    wrt: Sequence[str] | None,
    note: str,
    seed: int,
    **options: Any,
) -> CheckReport:
    """The report on a function's backward pass, whose reference is its own forward pass.

    Args:
        function: as the user calls it; the report has its name.
        call: the function with its tensors.
        wrt: the tensors whose gradients are checked.
        note: what the report says once beside the verdicts.
        seed: of all that is drawn.
        options: those of `gradproof.check`.

    Raises:
        NotYet: the forward pass cannot be read, so that there is nothing to check against.
        GradproofError: the call is wrong.
    """
    machine = load(engine_of(function, call.tensors))
    reference = _reference(call, machine)
    report = check_case(
        call.function,
        dict(call.tensors),
        reference=reference,
        engine=machine.name,
        wrt=wrt,
        seed=seed,
        look=lambda case: _read_whole(case, seed),
        own=True,
        **options,
    )
    words = report.reference.replace("alone", "the function's own forward pass", 1)
    seen = (*report.observations, Observation("note", note))
    return replace(report, function=spoken(function), reference=words, observations=seen, again=())


def _reference(call: Call, machine: Engine) -> Callable[..., Any]:
    arrays, _ = read_arrays(call.tensors, machine)
    arguments = tuple(arrays.values())
    question = Question(arguments, (), (), "float64")
    try:
        alone = machine.forward_alone(call.function, question)
    except (BoxFailed, Unattempted) as problem:
        raise NotYet(
            told(
                "The forward pass cannot be read, so there is nothing to check against: {problem}.",
                problem=problem,
            ),
            advice=told("Give a reference: gp.check(function, inputs, reference=paper)"),
        ) from problem
    if alone is None:
        raise NotYet(
            told("{engine} does not show what a forward pass computes.", engine=machine.title),
            advice=told("Give a reference: gp.check(function, inputs, reference=paper)"),
        )
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in call.tensors
    ]

    def reference(*tensors: Any, **named: Any) -> Any:
        return alone(*tensors, *(named[name] for name in call.tensors if name in named))

    reference.__annotations__ = {}  # those of a paper are shapes
    reference.__qualname__ = "alone"
    reference.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return reference


def _read_whole(case: Case, seed: int) -> None:
    """That what was read gives the function's values at other inputs too: a branch on data, or a
    number that was taken out of a tensor, would have been read as a constant.

    Raises:
        NotYet: it does not.
    """
    random = np.random.default_rng([seed, 1])

    def nudged(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        moved = array * (1 + NUDGE * random.uniform(-1, 1, array.shape))
        return in_dtype(moved, case.dtype)

    data = case.data(0)
    moved = Data({name: nudged(array) for name, array in data.inputs.items()}, data.upstream)
    try:
        answer = case.ask(moved)
    except BoxFailed as problem:  # the report says so of the numbers that are given
        if not problem.values:
            return
        answer = Answer(problem.values, (), (), (), tuple)
    (heard,) = hear(case, [(moved, answer)])
    found = [finding(output(k), case, heard, 0.0) for k in range(len(case.reference.outputs()))]
    if any(one is not None and one.kind == "refuted" for one in found):
        raise NotYet(
            told(
                "The forward pass cannot be read: at other inputs it gives other values than what "
                "was read of it, as with a branch on data or a number taken out of a tensor."
            ),
            advice=told("Give a reference: gp.check(function, inputs, reference=paper)"),
        )


def _is_tensor(one: Any) -> bool:
    if isinstance(one, list | tuple):
        return bool(one) and all(map(_is_tensor, one))
    return hasattr(one, "dtype") and hasattr(one, "shape")


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's arguments; of a torch.autograd.Function those of its forward."""
    owner = getattr(function, "__self__", None)
    looked_at = getattr(owner, "forward", None) if isinstance(owner, type) else None
    try:
        found = list(inspect.signature(looked_at or function).parameters.values())
    except (TypeError, ValueError):
        found = []
    plain = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    plain = plain[1:] if looked_at is not None and plain[:1] == ["ctx"] else plain
    return [plain[k] if k < len(plain) else f"x{k + 1}" for k in range(count)]
