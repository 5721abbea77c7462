"""What a black box answered to verdicts on its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, Returned
from gradproof.engines.dtype import FINE
from gradproof.judge.box import Finding, judge_returned
from gradproof.judge.kink import Kink
from gradproof.judge.reference import Data, Unbounded, output
from gradproof.judge.truth import LARGE

EXACTLY = "float64"

FEW = 20_000
"""Elements of all data together that are enclosed at once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer of the black box, and what it is judged by.

    The radii of an enclosure that is ``narrow`` do for float64 too. ``truth`` works out the true
    values where the enclosure does not decide, ``kinks`` looks for them, and ``coarse`` works out
    the enclosure of what stores its 16-bit sums in parts: each once.
    """

    data: Data
    answer: Answer
    enclosure: Mapping[str, Value]
    narrow: bool
    truth: Callable[[], Mapping[str, Value]]
    kinks: Callable[[], tuple[Kink, ...]]
    coarse: Callable[[], Mapping[str, Value]]


def hear(case: Case, answered: Sequence[tuple[Data, Answer]]) -> list[Heard]:
    """Answers with what they are judged by."""
    # In float32 large tensors often have no signal, and then float64 is asked.
    narrow = case.dtype == "float32" and not are_few([data for data, _ in answered])
    wholes = enclosures(case, [data for data, _ in answered], narrow=narrow)
    return [
        judged_by(case, data, answer, whole, narrow=narrow)
        for (data, answer), whole in zip(answered, wholes, strict=True)
    ]


def enclosures(
    case: Case, several: Sequence[Data], *, narrow: bool = False
) -> list[dict[str, Value]]:
    """What the reference has for each of several data; for small ones in one evaluation."""
    if are_few(several):
        return case.reference.enclosures(several, case.contract)
    return [case.reference.enclosure(d, case.contract, narrow=narrow) for d in several]


def are_few(several: Sequence[Data]) -> bool:
    """Whether several data together are small."""
    return sum(map(_elements, several)) <= FEW


def _elements(data: Data) -> int:
    return sum(array.size for array in data.inputs.values())


def judged_by(
    case: Case,
    data: Data,
    answer: Answer,
    enclosure: Mapping[str, Value],
    *,
    narrow: bool = False,
    sharp: bool = True,
) -> Heard:
    """An answer with what it is judged by. Of large data in less than float64 the enclosure is
    narrow enough, and true values are not worked out; nor where they need not be `sharp`."""
    reference = case.reference
    sharp = sharp and (case.dtype == EXACTLY or _elements(data) < LARGE)
    return Heard(
        data,
        answer,
        enclosure,
        narrow,
        cache(lambda: reference.truth(data) if sharp else {}),
        cache(lambda: reference.kinks(data, case.contract)),
        cache(lambda: reference.enclosure(data, case.contract, coarse=True)),
    )


def returned(case: Case, answer: Answer, frozen: str = "") -> dict[str, Returned]:
    """What an answer holds, by the reference's names."""
    found = {output(k): y for k, y in enumerate(answer.values)}
    if answer.gradients:
        found.update(zip(case.gradients(frozen), answer.gradients, strict=True))
    return found


def symbol(case: Case, name: str) -> str:
    """How a page writes a tensor: a value by its name, a gradient as ∂l/∂x; of the second order
    the values are gradients, and the gradients are those of s."""
    count = len(case.reference.outputs())
    if name in case.wanted:
        return f"∂s/∂{name}" if case.first else f"∂l/∂{name}"
    if case.first:
        return f"∂l/∂{case.first[int(name[2:-1])]}"
    if count == 1:
        return told("value")
    return told("value {number}", number=int(name[2:-1]) + 1)


def finding(
    name: str,
    case: Case,
    heard: Heard,
    allow_ulps: float,
    frozen: str = "",
    *,
    sharp: bool = False,
) -> Finding | None:
    """The verdict on one tensor of an answer, if the reference knows it and it came back.

    Args:
        name: the tensor.
        case: what is checked.
        heard: the answer.
        allow_ulps: units in the last place that are permitted in any case.
        frozen: the input whose gradient was not asked for.
        sharp: whether distances are those from the true values also where the enclosure decides.
    """
    one = returned(case, heard.answer, frozen).get(name)
    if one is None or (name not in heard.enclosure and name not in case.wanted):
        return None
    zero = np.zeros(heard.data.inputs[name].shape) if name in case.wanted else np.zeros(())
    enclosure = heard.enclosure.get(name, (zero, zero, zero))  # the outputs do not depend on it
    truth = heard.truth().get(name) if sharp else None
    found = judge_returned(one, enclosure, truth, case.contract, allow_ulps)
    if found.kind != "agrees" and not sharp:
        truth = heard.truth().get(name)
        if truth is not None:
            found = judge_returned(one, enclosure, truth, case.contract, allow_ulps)
    if found.kind == "refuted" and case.contract.dtype not in FINE and name in heard.coarse():
        found = judge_returned(one, heard.coarse()[name], truth, case.contract, allow_ulps)
    if found.kind == "refuted" and name in case.wanted and heard.kinks():
        kink = heard.kinks()[0]
        at = f" ({kink.place.file}:{kink.place.line})" if kink.place else ""
        because = told(
            "{function} has no derivative at these data, in {tensor}{place}",
            function=kink.function,
            tensor=kink.tensor,
            place=at,
        )
        return replace(found, kind="undecided", because=because)
    if isinstance(case.reference, Unbounded):
        because = told(
            "no bound is known: {because}", because=case.reference.words.partition("no bound: ")[2]
        )
        return replace(found, because=because)
    return found
