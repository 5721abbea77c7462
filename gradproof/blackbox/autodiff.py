"""A callable of a framework to the reference that the framework's autodiff makes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.engines.backward_program import Unattempted
from gradproof.engines.black_box import Answer, BoxFailed
from gradproof.engines.contract import contract as contract_of
from gradproof.judge.box import judge_returned
from gradproof.judge.reference import Data, ProgramReference, Reference, Unbounded, output


def of_autodiff(function: Callable[..., Any], name: str, case: Case) -> Reference:
    """The program that the framework's autodiff writes for a callable, if it gives what autodiff
    gives in float64: what was misread must not judge anything. Else its numbers, without a bound.

    Args:
        function: the callable.
        name: what the report calls it.
        case: what it is a reference for; the case's own reference is not looked at.
    """
    machine, title = case.machine, case.machine.title
    data = case.data(0)
    shapes = tuple(g.shape for g in data.upstream)
    because = told("{title} shows no program", title=title)
    try:
        program = machine.pullback_program(
            function, case.question(data, dtype="float64", device="cpu")
        )
        if program is not None:
            names = tuple(t.name for t in case.inputs)
            words = told(
                "{name}, {title}'s autodiff in float64; bounds from the program that it writes",
                name=name,
                title=title,
            )
            if program.precision != "float64":
                words = told(
                    "{name}, {title}'s autodiff in float64; bounds from the program that it "
                    "writes, which computes in {dtype} inside",
                    name=name,
                    title=title,
                    dtype=program.precision,
                )
            written = ProgramReference(words, program, names, shapes)
            if confirmed(written, function, case):
                return written
            because = told("its program is not what its autodiff gives")
    except Unattempted as problem:
        because = told("its program has {problem}, which cannot be read", problem=problem)
    except (NotImplementedError, RuntimeError, TypeError) as problem:
        because = told("its program cannot be written down ({kind})", kind=type(problem).__name__)

    def run(data: Data) -> dict[str, np.ndarray]:
        answer = _pulled(function, case, data)
        found = {output(k): y.array for k, y in enumerate(answer.values) if y.array is not None}
        for name, g in zip(case.gradients(), answer.gradients, strict=True):
            found[name] = np.zeros_like(data.inputs[name]) if g.array is None else g.array
        return {name: array.astype(np.float64) for name, array in found.items()}

    return Unbounded(
        told(
            "{name}, {title}'s autodiff in float64; no bound: {because}",
            name=name,
            title=title,
            because=because,
        ),
        shapes,
        run,
    )


def confirmed(candidate: Reference, function: Callable[..., Any], case: Case) -> bool:
    """Whether a reference is what autodiff in float64 makes of a callable, at the first data."""
    data = case.data(0)
    exact = contract_of(case.machine.name, "float64")
    enclosure, truth = candidate.enclosure(data, exact), cache(lambda: candidate.truth(data))
    answer = _pulled(function, case, data)
    returned = {output(k): y for k, y in enumerate(answer.values)}
    returned |= dict(zip(case.gradients(), answer.gradients, strict=True))
    return all(
        judge_returned(one, enclosure[name], None, exact).kind == "agrees"
        or judge_returned(one, enclosure[name], truth().get(name), exact).kind != "refuted"
        for name, one in returned.items()
        if name in enclosure
    )


def _pulled(function: Callable[..., Any], case: Case, data: Data) -> Answer:
    """What autodiff in float64 makes of a callable.

    Raises:
        DataError: it makes nothing of it.
    """
    try:
        return case.machine.pull(function, case.question(data, dtype="float64", device="cpu"))
    except BoxFailed as problem:
        title = case.machine.title
        raise DataError(
            told(
                "{title} cannot differentiate the reference: {problem}.",
                title=title,
                problem=problem,
            ),
            advice=told(
                "Write it with {title}'s own functions, or as a paper: NumPy with shapes as "
                'annotations, as in  x: "n 3"',
                title=title,
            ),
        ) from problem
