"""What a black box answered to verdicts on its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import final

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, Returned
from gradproof.engines.dtype import FINE
from gradproof.judge.box import Finding, judge_returned
from gradproof.judge.kink import Kink
from gradproof.judge.least import agrees_by_least
from gradproof.judge.reference import Data, Unbounded, output
from gradproof.judge.truth import LARGE, digits_of

EXACTLY = "float64"

FEW = 20_000
"""Elements of all data together that are enclosed at once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer of the black box, and what it is judged by.

    ``least`` has the least that each tensor may be off by, where that is known: what is inside
    agrees, and else the enclosure judges.
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
    least: Mapping[str, Value] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the reference knows a tensor, other than that nothing depends on it."""
        return name in (self.least or self.enclosure)


@final
class Later(Mapping[str, Value]):
    """An enclosure that is worked out when a verdict needs it."""

    def __init__(self, enclose: Callable[[], Mapping[str, Value]]) -> None:
        self._whole = cache(enclose)

    def __getitem__(self, name: str) -> Value:
        return self._whole()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())


def hear(case: Case, answered: Sequence[tuple[Data, Answer]]) -> list[Heard]:
    """Answers with what they are judged by."""
    several = [data for data, _ in answered]
    if has_least(case, several):
        return [hear_least(case, data, answer, narrow=True) for data, answer in answered]
    pairs = zip(answered, enclosures(case, several), strict=True)
    return [judged_by(case, data, answer, whole) for (data, answer), whole in pairs]


def has_least(case: Case, several: Sequence[Data]) -> bool:
    """Whether the least error is asked first: large tensors in float32 mostly agree by it."""
    return case.dtype == "float32" and not are_few(several)


def hear_least(
    case: Case, data: Data, answer: Answer, *, narrow: bool = False, sharp: bool = True
) -> Heard:
    """An answer with the least error of each tensor; the enclosure is for what is outside. It may
    be `narrow`, as float64 is asked then."""

    def enclose() -> Mapping[str, Value]:
        return case.reference.enclosure(data, case.contract, narrow=narrow)

    heard = judged_by(case, data, answer, Later(enclose), narrow=narrow, sharp=sharp)
    return replace(heard, least=case.reference.least(data, case.contract))


def enclosures(case: Case, several: Sequence[Data]) -> list[dict[str, Value]]:
    """What the reference has for each of several data; for small ones in one evaluation."""
    if are_few(several):
        return case.reference.enclosures(several, case.contract)
    return [case.reference.enclosure(data, case.contract) for data in several]


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
    if name in case.wanted:
        return f"∂s/∂{name}" if case.first else f"∂l/∂{name}"
    if case.first:
        return f"∂l/∂{case.first[int(name[2:-1])]}"
    if len(case.reference.outputs()) == 1:
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
    if one is None or (not heard.has(name) and name not in case.wanted):
        return None
    if name in heard.least and not sharp and not allow_ulps:
        agreed = agrees_by_least(one, heard.least[name], case.contract)
        if agreed is not None:
            return agreed
    if heard.has(name):
        enclosure = heard.enclosure[name]
    else:  # the outputs do not depend on it
        zero = np.zeros(heard.data.inputs[name].shape)
        enclosure = (zero, zero, zero)
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
    if isinstance(case.reference, Unbounded) and found.kind == "undecided":
        digits = _digits(one, enclosure[0])
        because = told(
            "no bound is known: {because}. {same}",
            because=case.reference.words.partition("no bound: ")[2],
            same=told("{digits:.1f} decimal digits are the same", digits=digits)
            if np.isfinite(digits)
            else told("All numbers are the same"),
        )
        return replace(found, because=because)
    return found


def _digits(one: Returned, other: np.ndarray) -> float:
    """Decimal digits in common with another tensor, in the largest norm."""
    exact = np.zeros(other.shape) if one.array is None else one.array.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(exact - other).max(initial=0.0)
    largest = float(np.abs(other).max(initial=0.0))
    return digits_of(float(apart), largest) if np.isfinite(apart) else 0.0
