"""Other conditions in which a right function gives right gradients: trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain
from typing import Any

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.free import is_free
from gradproof.core.errors import GradproofError
from gradproof.core.index import Index
from gradproof.core.program import Tensor
from gradproof.core.term import Term, bound, walk
from gradproof.core.told import told
from gradproof.engines.dtype import FINE
from gradproof.engines.evaluate import number_of
from gradproof.judge.reference import Data, PaperReference
from gradproof.trace.signature import positions_of

STRIDED = ("numpy", "torch")
"""The engines whose tensors can lie in memory in other ways."""

Resized = Callable[[Mapping[str, int]], Case]
"""The same check at other sizes, its data drawn."""


@dataclass(frozen=True, slots=True)
class Small:
    """A case at small sizes, the same at others, and the words for these sizes."""

    case: Case
    resized: Resized
    words: str


Smaller = Callable[[], Small | None]
"""Makes a case small, if it can be."""

ABOVE = (33, 17, 65, 9, 5)
"""Sizes one above powers of two: of what works in blocks, the last one holds a single row."""

LONG = 129
"""Longer than the blocks that kernels usually have."""

LADDER = (1, 2, 3, 5, 9, 17, 33, 65)
"""Sizes that are tried when a fault is to be seen at the smallest."""

MOST = 3_000_000
"""Products that are added up in a case, up to which it is tried at other sizes: about a second."""

LARGE = 128
"""By so much numbers grow so that what saturates does, and probabilities are 0 or 1."""

SMALL = 2.0**-20


@dataclass(frozen=True, slots=True)
class Trial:
    """One more call: its words, its data, and how it differs from the first call.

    ``repeats`` says that it is the first call again; ``frozen`` names an input whose gradient is
    not asked for; ``case`` is the check at other sizes. Where ``gross`` is true rounding errors may
    be large, and only what is no number or far off counts. ``may_refuse`` says that the function
    need not take such data, and ``changes_integers`` that these stand at other places. ``smaller``
    are trials of the same kind, the smallest first, that are tried when this one shows a fault.
    """

    words: str
    data: Data
    changes: Mapping[str, Any] = field(default_factory=dict)
    frozen: str = ""
    repeats: bool = False
    case: Case | None = None
    gross: bool = False
    may_refuse: bool = False
    changes_integers: bool = False
    smaller: Callable[[], Iterator[Trial]] = lambda: iter(())


def trials(case: Case, data: Data, resized: Resized | None) -> Iterator[Trial]:
    """Every trial of a case.

    Args:
        case: what is checked.
        data: those of the first call.
        resized: the case at other sizes; `None` where the reference has no size symbols.
    """
    yield second_call(data)
    stated = resized is not None
    for trial in (*_layouts(case, data, stated=stated), *_arriving(case, data)):
        # Given numbers may saturate what they meet, which a sum over the batch does not show.
        yield trial if stated or trial.data is data else replace(trial, gross=True)
    if len(case.wanted) > 1 and case.machine.name != "numpy":
        for name in case.gradients():
            yield Trial(told("with {name} frozen", name=name), data, frozen=name)
    if resized is not None:
        yield from _values(case, data)
        yield from _sizes(case, resized)


def second_call(data: Data) -> Trial:
    """The first call again."""
    return Trial(told("called a second time"), data, repeats=True)


def other_numbers(data: Data) -> Trial:
    """Another draw of all numbers."""
    return Trial(told("with other numbers"), data)


# --- how numbers lie, and what arrives ------------------------------------------------------------


def _layouts(case: Case, data: Data, *, stated: bool) -> Iterator[Trial]:
    if case.machine.name not in STRIDED:
        return
    yield Trial(told("with inputs that are not contiguous"), data, {"layout": "strided"})
    yield Trial(
        told("with an upstream gradient that is not contiguous"),
        data,
        {"upstream_layout": "strided"},
    )
    if any(g.ndim > 1 for g in data.upstream):
        yield Trial(
            told("with a transposed upstream gradient"), data, {"upstream_layout": "transposed"}
        )
    if any(a.ndim > 1 for a in data.inputs.values()):
        yield Trial(told("with transposed inputs"), data, {"layout": "transposed"})
    broadcast = {
        t.name: np.broadcast_to(a[:1], a.shape).copy()
        for t in case.inputs
        if t.name in case.wanted and t.law == "" and (a := data.inputs[t.name]).ndim > 1
        if stated or is_free(a, coarse=case.dtype not in FINE)
    }
    if broadcast:
        whole = Data({**data.inputs, **broadcast}, data.upstream)
        words = told("with broadcast inputs")
        yield Trial(words, whole, {"layout": "expanded"}, may_refuse=True)  # as singular matrices


def _arriving(case: Case, data: Data) -> Iterator[Trial]:
    if not any(g.ndim for g in data.upstream):
        return
    expanded = {"upstream_layout": "expanded"} if case.machine.name in STRIDED else {}
    one = tuple(np.full_like(g, g.flat[0]) if g.size else g for g in data.upstream)
    yield Trial(told("with one number as upstream gradient"), Data(data.inputs, one), expanded)
    if any(g.ndim > 1 for g in data.upstream):
        rows = tuple(_by_row(g) for g in data.upstream)
        yield Trial(told("with one upstream gradient per row"), Data(data.inputs, rows), expanded)
    alone = tuple(_one_hot(g) for g in data.upstream)
    yield Trial(told("with a one-hot upstream gradient"), Data(data.inputs, alone))


def _one_hot(g: np.ndarray) -> np.ndarray:
    """One element of an upstream gradient; the others are zero."""
    alone = np.zeros_like(g)
    if g.size:
        spot = g.size // 2
        alone.flat[spot] = g.flat[spot]
    return alone


def _by_row(g: np.ndarray) -> np.ndarray:
    """The first number of each row, throughout the row."""
    return np.broadcast_to(g[..., :1], g.shape).copy() if g.ndim > 1 else g


# --- other numbers --------------------------------------------------------------------------------

Edit = Callable[[np.ndarray], np.ndarray]


def _values(case: Case, data: Data) -> Iterator[Trial]:
    """Numbers that a draw does not have: zeros, ties, repeated positions, large ones, edges."""
    free = [t for t in case.inputs if t.law == "" and data.inputs[t.name].ndim]
    integers = [t for t in case.inputs if positions_of(t) is not None]
    floats = [t for t in free if t not in integers and t.name in case.wanted]
    yield from edited(zero_in, data, floats, with_zeros)
    yield from edited(equal_in, data, floats, with_ties)
    yield from edited(same_in, data, integers, repeated)
    if case.dtype not in FINE:  # 16 bits overflow where 32 do not
        return
    yield from edited(larger, data, floats, lambda a: a * a.dtype.type(LARGE), gross=True)
    edges: dict[str, Edit] = {
        "positive": lambda a: a * a.dtype.type(SMALL),
        "nonnegative": with_zeros,
        "probabilities": _most_likely,
    }
    for law, edit in edges.items():
        bound = [t for t in case.inputs if t.law == law and data.inputs[t.name].ndim]
        yield from edited(_at_the_edge, data, bound, edit, gross=True)


def zero_in(names: str) -> str:
    return told("with zeros in {names}", names=names)


def equal_in(names: str) -> str:
    return told("with equal elements in {names}", names=names)


def same_in(names: str) -> str:
    return told("with the same integer throughout {names}", names=names)


def larger(names: str) -> str:
    return told("with {names} {factor} times larger", names=names, factor=LARGE)


def _at_the_edge(names: str) -> str:
    return told("with {names} at the edge of its domain", names=names)


def edited(
    words: Callable[[str], str],
    data: Data,
    tensors: Sequence[Tensor],
    edit: Edit,
    *,
    gross: bool = False,
) -> Iterator[Trial]:
    """Inputs changed in one way: all of them, and, when that shows a fault, each alone."""

    def trial(chosen: Sequence[Tensor]) -> Trial:
        new = {t.name: edit(data.inputs[t.name]) for t in chosen}
        said = words(", ".join(new))
        whole = Data({**data.inputs, **new}, data.upstream)
        return Trial(said, whole, gross=gross, may_refuse=True)

    if tensors:
        alone = (lambda: map(trial, ([t] for t in tensors))) if len(tensors) > 1 else None
        whole = trial(tensors)
        yield replace(whole, smaller=alone) if alone else whole


def with_zeros(a: np.ndarray) -> np.ndarray:
    """The first row, or element, zero."""
    new = a.copy()
    new[:1] = 0
    return new


def repeated(a: np.ndarray) -> np.ndarray:
    """One integer throughout."""
    return np.full_like(a, a.flat[0]) if a.size else a


def with_ties(a: np.ndarray) -> np.ndarray:
    """Equal elements in the first row, and the second row equal to the last."""
    new = a.copy()
    if a.ndim > 1:
        new[0] = a[0].flat[0] if a[0].size else a[0]
    new[1:2] = a[-1:]
    return new


def _most_likely(a: np.ndarray) -> np.ndarray:
    """All probability on one of the largest: on each of two they would not sum to 1."""
    return np.eye(a.shape[-1], dtype=a.dtype)[a.argmax(axis=-1)]


# --- other sizes ----------------------------------------------------------------------------------


def _sizes(case: Case, resized: Resized) -> Iterator[Trial]:
    reference = case.reference
    if not isinstance(reference, PaperReference):
        return
    generic = dict(reference.sizes)
    # What code loops over or cuts is another program at another size, and often another function.
    asked = reference.paper.asked | reference.paper.fixed
    free = [symbol for symbol in generic if symbol not in asked]
    if not free:
        return
    first, last = free[0], free[-1]
    above = {s: ABOVE[k % len(ABOVE)] + 16 * (k // len(ABOVE)) for k, s in enumerate(free)}
    yield from _at({first: 1}, generic, resized)
    yield from _at(above, generic, resized)
    for symbol in dict.fromkeys((first, last)):
        yield from _at({symbol: LONG}, generic, resized)


def _at(
    changed: Mapping[str, int], generic: Mapping[str, int], resized: Resized
) -> Iterator[Trial]:
    """The check at other sizes, where the paper has a program for them that is small enough; and
    at smaller ones."""
    try:
        other = resized({**generic, **changed})
    except GradproofError:  # a size that the paper cannot have
        return
    if is_large(other):
        return

    def smaller() -> Iterator[Trial]:
        for symbol, most in changed.items():
            for size in (*LADDER, *((most,) if len(changed) > 1 else ())):
                if size <= most and changed != {symbol: size} and size != generic[symbol]:
                    for trial in _at({symbol: size}, generic, resized):
                        yield replace(trial, smaller=lambda: iter(()))

    said = ", ".join(f"{symbol} = {size}" for symbol, size in changed.items())
    yield Trial(
        told("with {sizes}", sizes=said),
        other.data(0),
        case=other,
        may_refuse=True,
        smaller=smaller,
    )


SHRUNK = (17, 9, 11, 13, 15, 19, 21, 23, 25, 27)
"""Sizes that large ones become, all different: a block and one more, and less than one."""


def is_large(case: Case) -> bool:
    """Whether a case is so large that a call at small sizes costs next to nothing beside it."""
    return any(most > MOST for most in accumulate(_work(case)))


def shrunk(case: Case, data: Data) -> dict[int, int] | None:
    """Small numbers for the sizes of a case; `None` where integers say what sizes there must be."""
    reference = case.reference
    if not isinstance(reference, PaperReference):
        return None
    if any(array.dtype.kind != "f" for array in data.inputs.values()):
        return None
    sizes = {number_of(s, reference.sizes): None for t in case.inputs for s in t.shape}
    free = iter(size for size in SHRUNK if size not in sizes)
    changed = {size: new for size in sizes if size > SHRUNK[1] and (new := next(free, size)) < size}
    return changed or None


def _work(case: Case) -> Iterator[int]:
    """How many terms each of the reference's equations has, over all its indices."""
    reference = case.reference
    if not isinstance(reference, PaperReference):
        return
    forward = ((e.free, e.term) for e in reference.paper.forward.equations)
    backward = ((s.equation.free, s.raw) for s in reference.derivation.steps)
    for free, term in chain(forward, backward):
        over = {*free, *_summed(term)}
        yield math.prod(number_of(index.size, reference.sizes) for index in over)


def _summed(term: Term) -> Iterator[Index]:
    yield from (index for node in walk(term) for index in bound(node))
