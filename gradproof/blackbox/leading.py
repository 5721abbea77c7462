"""One leading axis more, and one fewer, where a black box takes them.

Inputs whose first axis is the batch get a further axis in front, or lose theirs. What the function
then is, only its values say: if they are, slice by slice, the paper's, then its gradients must be
those of the slices, and for what all slices share their sum. Where the values are something else,
or it raises, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gradproof.blackbox.battery import Resized
from gradproof.blackbox.case import Case
from gradproof.core.errors import GradproofError
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, BoxFailed, Returned
from gradproof.judge.box import Finding, judge_returned
from gradproof.judge.reference import Data, PaperReference, output

SLICES = 2


@dataclass(frozen=True, slots=True)
class Led:
    """What a call with another number of axes showed: its words, and the gradients that are
    refuted."""

    words: str
    refuted: Mapping[str, Finding]


def led_by(case: Case, resized: Resized | None) -> Iterator[Led]:
    """What other numbers of axes show, where the function takes them.

    Args:
        case: what is checked.
        resized: the case at other sizes; `None` where the reference has no size symbols.
    """
    if resized is not None and _batched(case):
        yield from (led for led in (one_more(case), one_fewer(case, resized)) if led is not None)


def one_more(case: Case) -> Led | None:
    """Inputs with a batch, stacked; `None` where the function does not take them so."""
    batched = _batched(case)
    if not batched:
        return None
    first, second = case.data(0), case.data(1)
    shared = {n: a for n, a in first.inputs.items() if n not in batched}
    slices = [first, Data({**second.inputs, **shared}, second.upstream)]
    inputs = {
        name: np.stack([one.inputs[name] for one in slices]) if name in batched else a
        for name, a in first.inputs.items()
    }
    upstream = tuple(map(np.stack, zip(*(one.upstream for one in slices), strict=True)))
    answer = _asked(case, Data(inputs, upstream))
    if answer is None or _kinked(case, slices):
        return None
    found = [case.reference.enclosure(one, case.contract) for one in slices]
    u = float(case.contract.u_store)

    def whole(name: str) -> Value:
        parts = [[np.broadcast_to(part, one[name][0].shape) for part in one[name]] for one in found]
        m, r, e = (np.stack(some) for some in zip(*parts, strict=True))
        if name in batched or name not in case.wanted:
            return m, r, e
        return m.sum(0), r.sum(0), e.sum(0) + SLICES * u * np.abs(m).sum(0)

    return _judged(told("with one more leading axis"), case, answer, whole)


def one_fewer(case: Case, resized: Resized) -> Led | None:
    """Inputs without their batch; `None` where the function does not take them so."""
    batched = _batched(case)
    reference = case.reference
    if not batched or not isinstance(reference, PaperReference):
        return None
    (symbol,) = {t.shape[0] for t in case.inputs if t.name in batched}
    try:
        alone = resized({**reference.sizes, str(symbol): 1})
    except GradproofError:
        return None
    data = alone.data(0)
    inputs = {n: a[0] if n in batched else a for n, a in data.inputs.items()}
    answer = _asked(alone, Data(inputs, tuple(g[0] for g in data.upstream)))
    if answer is None or _kinked(alone, [data]):
        return None
    found = alone.reference.enclosure(data, alone.contract)

    def without(name: str) -> Value:
        m, r, e = (np.broadcast_to(part, found[name][0].shape) for part in found[name])
        return (m[0], r[0], e[0]) if name in batched or name not in case.wanted else (m, r, e)

    return _judged(told("with one leading axis fewer"), alone, answer, without)


def _batched(case: Case) -> set[str]:
    """The inputs whose first axis is that of every output, if there is such an axis."""
    if not isinstance(case.reference, PaperReference) or not case.inputs:
        return set()
    shapes = case.reference.outputs()
    first = next((t.shape[0] for t in case.inputs if t.shape and isinstance(t.shape[0], str)), None)
    size = case.reference.sizes.get(first or "", 0)
    if first is None or not all(shape and shape[0] == size for shape in shapes):
        return set()
    inner = {s for t in case.inputs for s in t.shape[1:]}
    # An axis that is another tensor's inner one is no batch.
    return set() if first in inner else {t.name for t in case.inputs if t.shape[:1] == (first,)}


def _asked(case: Case, data: Data) -> Answer | None:
    try:
        return case.ask(data)
    except BoxFailed:
        return None


def _kinked(case: Case, slices: list[Data]) -> bool:
    return any(case.reference.kinks(one, case.contract) for one in slices)


def _judged(words: str, case: Case, answer: Answer, right: Callable[[str], Value]) -> Led | None:
    values = {output(k): y for k, y in enumerate(answer.values)}
    for name, one in values.items():
        if _finding(one, right(name), case).kind != "agrees":
            return None
    refuted = {}
    for name, one in zip(case.gradients(), answer.gradients, strict=True):
        found = _finding(one, right(name), case)
        if found.kind == "refuted":
            refuted[name] = found
    return Led(words, refuted)


def _finding(one: Returned, right: Value, case: Case) -> Finding:
    return judge_returned(one, right, None, case.contract)
