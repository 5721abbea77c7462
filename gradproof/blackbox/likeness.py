"""A wrong gradient to what it is of right tensors: a multiple, a transpose, another gradient.

The reference may be a callable, whose formulas nobody reads, so only tensors are looked at: what
came back, beside what is right. Said is only what holds in every draw and every element, within the
rounding errors of the dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.exactly import Exactly
from gradproof.blackbox.heard import EXACTLY
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import FINE
from gradproof.judge.box import judge_returned
from gradproof.judge.near import NEAR, nearness, sampled, usual_size
from gradproof.judge.reference import Data, Unbounded
from gradproof.report.checked import CheckRow
from gradproof.words import sentence

SIMPLE = 64
"""The largest numerator and denominator of a constant that is named as a fraction."""

SHARP = 2.0**-10
"""What half of the elements show of a relative error where a bound alone tells likenesses apart."""

MOST_ELEMENTS = 1_000_000
"""Elements of all tensors together, of data that are looked at."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw: what came back for each input, what is right, and the data."""

    data: Data
    returned: Mapping[str, Returned]
    right: Mapping[str, Value]
    contract: Contract

    def gives(self, of: str, value: Value, *, times: np.ndarray | None = None) -> bool:
        """Whether a value is what came back, or that times an array."""
        one = self.returned[of]
        if one.array is None or one.array.shape != np.shape(value[0]):
            return False
        if times is not None:
            one = Returned(one.array.astype(np.float64) * times, one.dtype)
        return fits(one, value, self.contract)


def fits(returned: Returned, value: Value, contract: Contract) -> bool:
    """Whether a tensor is what came back, and not only inside a bound that fits others as well."""
    found = judge_returned(returned, value, None, contract)
    if found.kind != "agrees" or found.sees <= SHARP or found.hiding:
        return found.kind == "agrees"
    if returned.array is None:
        return False
    m, r, _ = (np.broadcast_to(part, returned.array.shape) for part in value)
    return nearness(returned.array, m, r, contract.dtype) is not None


def with_likeness(
    rows: tuple[CheckRow, ...],
    judged: tuple[CheckRow, ...],
    draws: Callable[[], Sequence[Draw]],
    called: Callable[[str], str],
) -> tuple[CheckRow, ...]:
    """The rows, with what a wrong gradient is of right tensors where no mistake was named.

    Args:
        rows: with the mistakes that were named.
        judged: before these were looked for.
        draws: makes all draws; none where rounding hides what is like what.
        called: how a page writes the gradient of an input.
    """
    wrong = [
        row.name
        for row, before in zip(rows, judged, strict=True)
        if row.kind == "refuted" and row.why in (before.why, ())
    ]
    seen = draws() if wrong else ()
    found = {
        name: likeness(name, seen, called) for name in wrong if seen and name in seen[0].returned
    }
    return tuple(
        replace(row, why=(*row.why, said)) if (said := found.get(row.name)) else row for row in rows
    )


def draws_of(case: Case, exactly: Exactly) -> list[Draw]:
    """The draws of a check, in float64 where the function computes in it, held against float32's
    room for rounding; none in 16 bits, or where no bound is known."""
    fine = exactly.fine() if case.dtype != EXACTLY else exactly.heard
    if isinstance(case.reference, Unbounded) or (not fine and case.dtype not in FINE):
        return []
    contract = contract_of(case.machine.name, "float32") if fine else case.contract
    return [
        Draw(
            one.data,
            dict(zip(case.gradients(), one.answer.gradients, strict=True)),
            case.reference.enclosure(one.data, contract),
            contract,
        )
        for one in fine or exactly.heard
    ]


def likeness(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """A sentence on what came back for an input, or `None`.

    Args:
        of: the input, whose gradient is refuted.
        draws: all of them.
        called: how a page writes the gradient of an input.
    """
    first = draws[0]
    array, right = first.returned[of].array, first.right.get(of)
    size = sum(np.size(v[0]) for v in first.right.values())
    if array is None or right is None or size > MOST_ELEMENTS or not np.any(right[0]):
        return None
    if array.shape != np.shape(right[0]) or not np.all(np.isfinite(array)) or not np.any(array):
        return None
    if all(draw.gives(of, draw.right[of]) for draw in draws):
        return None  # it is right in float64: the rounding, or an overflow, is wrong
    for search in (_constant, _another, _moved, _factor, _addend, _some):
        said = search(of, draws, called)
        if said is not None:
            return said
    return None


# --- constants ------------------------------------------------------------------------------------


def _constant(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """The same wrong constant in every element of every draw."""
    ratio = _ratio(of, draws[0], draws[0].right[of])
    if ratio is None or not _is_multiple(of, draws, Fraction(ratio)):
        return None
    for constant, said in _named(draws[0].data):
        if abs(constant / ratio - 1) < 1e-3 and _is_multiple(of, draws, Fraction(constant)):
            return said
    simple = Fraction(ratio).limit_denominator(SIMPLE)
    if abs(simple.numerator) <= SIMPLE and simple and _is_multiple(of, draws, simple):
        shown = str(simple) if simple.denominator < 10 else f"{float(simple):.6g}"
        return told("It is {constant} times the gradient.", constant=shown)
    return told("It is {constant} times the gradient.", constant=f"{ratio:.6g}")


def _ratio(of: str, draw: Draw, value: Value) -> float | None:
    """By which number the largest element of a value is to be multiplied."""
    array = draw.returned[of].array
    spot = np.unravel_index(int(np.argmax(np.abs(value[0]))), np.shape(value[0]))
    if array is None or not value[0][spot] or not array[spot]:
        return None
    return float(array[spot]) / float(value[0][spot])


def _is_multiple(of: str, draws: Sequence[Draw], constant: Fraction) -> bool:
    for draw in draws:
        ball = Ball(draw.contract, opaque=True)
        if not draw.gives(of, ball.multiply(ball.number(constant), draw.right[of])):
            return False
    return True


def _named(data: Data) -> Iterator[tuple[float, str]]:
    """Constants that have a meaning, with what is said of them: those of a size first where they
    are one of the data's."""
    yield -1.0, told("The sign is wrong: it is −1 times the gradient.")
    yield 0.5, told("It is ½ of the gradient: a factor 2 is missing.")
    shapes = [array.shape for array in (*data.inputs.values(), *data.upstream)]
    for n in sorted({n for shape in shapes for n in shape if n > 2}):
        yield (
            float(n),
            told(
                "It is {size} times the gradient, as if a division by {size} were missing.", size=n
            ),
        )
        yield (
            1 / n,
            told(
                "It is the gradient divided by {size}, as if it were averaged once too often.",
                size=n,
            ),
        )
        if isqrt(n) ** 2 != n:
            yield n**0.5, told("It is √{size} times the gradient.", size=n)
            yield n**-0.5, told("It is the gradient divided by √{size}.", size=n)
        yield (
            n / (n - 1),
            told(
                "It is {size}/({size}−1) times the gradient, as if divided by {size}−1 instead of "
                "{size}.",
                size=n,
            ),
        )
        yield (
            (n - 1) / n,
            told(
                "It is ({size}−1)/{size} times the gradient, as if divided by {size} instead of "
                "{size}−1.",
                size=n,
            ),
        )
    yield 2.0, told("It is 2 times the gradient.")


# --- other tensors --------------------------------------------------------------------------------


def _another(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """Another input's gradient, or the input itself."""
    for other in (n for n in draws[0].data.inputs if n != of):
        if all(other in d.right and d.gives(of, d.right[other]) for d in draws):
            return told(
                "This is {other}, not {own}: two results are swapped, or one was copied.",
                other=called(other),
                own=called(of),
            )
    for name in draws[0].data.inputs:
        if all(d.gives(of, _exact(d.data.inputs[name], d.contract)) for d in draws):
            return told("This is {tensor} itself, not its gradient.", tensor=name)
    return None


def _moved(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """The right elements at other places: transposed, backwards, or moved by one."""
    shape = np.shape(draws[0].right[of][0])

    def holds(move: Callable[..., np.ndarray], *how: int) -> bool:
        return all(d.gives(of, _everywhere(d.right[of], move, *how)) for d in draws)

    if len(shape) >= 2 and shape[-1] == shape[-2] > 1 and holds(np.swapaxes, -1, -2):
        return told("This is the gradient transposed.")
    for axis, n in enumerate(shape):
        if n > 1 and holds(np.flip, axis):
            return told("Axis {axis} runs backwards.", axis=axis)
        for step, way in ((1, told("forwards")), (-1, told("backwards"))):
            if n > 2 and holds(np.roll, step, axis):
                return told(
                    "Axis {axis} is moved {way} by one position, around the end.",
                    axis=axis,
                    way=way,
                )
    return None


def _everywhere(value: Value, move: Callable[..., np.ndarray], *how: int) -> Value:
    shape = np.shape(value[0])
    return tuple(np.ascontiguousarray(move(np.broadcast_to(part, shape), *how)) for part in value)


def _exact(array: np.ndarray, contract: Contract) -> Value:
    return Ball(contract, opaque=True).lift(np.asarray(array))


def _tensors(draw: Draw) -> dict[str, np.ndarray]:
    """What a backward pass may have multiplied by, or added: inputs and upstream gradients."""
    found = {n: a for n, a in draw.data.inputs.items() if a.dtype.kind == "f" and a.size > 1}
    several = len(draw.data.upstream) > 1
    for k, array in enumerate(draw.data.upstream):
        name = told("the upstream gradient")
        if several:
            name = told("the upstream gradient {number}", number=k + 1)
        if array.size > 1:
            found[name] = array
    return found


def _factor(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """A tensor that was not multiplied by, or once too often."""
    shape = np.shape(draws[0].right[of][0])
    for name, array in _tensors(draws[0]).items():
        if array.shape != shape[len(shape) - array.ndim :]:
            continue
        if all(d.gives(of, d.right[of], times=_tensors(d)[name]) for d in draws):
            return told("The factor {factor} is missing.", factor=name)
        if all(_is_times(of, d, _tensors(d)[name]) for d in draws):
            return told(
                "It was multiplied by {tensor}, which has no place in it.",
                tensor=name,
            )
    return None


def _is_times(of: str, draw: Draw, factor: np.ndarray) -> bool:
    ball = Ball(draw.contract, opaque=True)
    m, r, e = draw.right[of]
    shape = np.shape(m)
    whole = tuple(np.broadcast_to(part, shape) for part in (m, r, e))
    return draw.gives(of, ball.multiply(ball.lift(np.broadcast_to(factor, shape)), whole))


def _addend(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """A multiple of another tensor that was added, or left out."""
    first = draws[0]
    returned, right = first.returned[of].array, first.right[of][0]
    assert returned is not None
    for name, array in _addends(of, first, called).items():
        spot = np.unravel_index(int(np.argmax(np.abs(array))), array.shape)
        if array.shape != np.shape(right) or not array[spot]:
            continue
        more = (float(returned[spot]) - float(right[spot])) / float(array[spot])
        constant = Fraction(more).limit_denominator(1000)
        if not constant or not all(
            _is_sum(of, d, _addends(of, d, called)[name], constant) for d in draws
        ):
            continue
        if abs(constant) == 1:
            words = sentence("It is the gradient minus {tensor}.")
            if constant == 1:
                words = sentence("It is the gradient plus {tensor}.")
            return told(words, tensor=name)
        return told(
            "It is the gradient plus {constant} times {tensor}.",
            constant=f"{float(constant):.6g}",
            tensor=name,
        )
    return None


def _addends(of: str, draw: Draw, called: Callable[[str], str]) -> dict[str, np.ndarray]:
    """What may have been added: other tensors, and other gradients."""
    others = [n for n in draw.data.inputs if n != of and n in draw.right]
    return {**_tensors(draw), **{called(n): np.asarray(draw.right[n][0]) for n in others}}


def _is_sum(of: str, draw: Draw, tensor: np.ndarray, constant: Fraction) -> bool:
    ball = Ball(draw.contract, opaque=True)
    added = ball.multiply(ball.number(constant), ball.lift(np.asarray(tensor)))
    m, r, e = ball.add((draw.right[of], added))
    # The other gradient, or the sum, is the function's own, and rounded as such.
    wide = e + 4 * draw.right[of][2] + 64 * float(draw.contract.u_store) * np.abs(added[0])
    return draw.gives(of, (m, r, wide))


# --- some of the elements -------------------------------------------------------------------------


def _some(of: str, draws: Sequence[Draw], called: Callable[[str], str]) -> str | None:
    """Where the wrong elements are, if they lie together."""
    wrong = [_wrong(of, draw) for draw in draws]
    arrays = [draw.returned[of].array for draw in draws]
    if any(w.all() or not w.any() for w in wrong):
        return None
    zero = all(a is not None and not np.any(a[w]) for a, w in zip(arrays, wrong, strict=True))
    seen = np.logical_or.reduce(wrong)
    if np.count_nonzero(seen) == 1 and seen.size > 1:
        index = [int(k) for k in np.argwhere(seen)[0]]
        where = f"[{', '.join(map(str, index))}]"
        return told("Only the element {where} is wrong; all others are right.", where=where)
    for axis in range(seen.ndim):
        rows = seen.any(axis=tuple(a for a in range(seen.ndim) if a != axis))
        if 2 * np.count_nonzero(rows) <= rows.size:
            words = sentence("Wrong only at positions {places} of axis {axis}; right elsewhere.")
            if np.count_nonzero(rows) == 1:
                words = sentence("Wrong only at position {places} of axis {axis}; right elsewhere.")
            if zero:
                words = sentence(
                    "Zero where the gradient is not, at positions {places} of axis {axis}; right "
                    "elsewhere."
                )
            return told(words, places=_places(np.flatnonzero(rows)), axis=axis)
    return _by_sign(of, draws, wrong, zero)


def _wrong(of: str, draw: Draw) -> np.ndarray:
    m, r, e = (np.asarray(part) for part in draw.right[of])
    size = np.abs(m)
    room = np.minimum(e, NEAR * np.maximum(size, usual_size(sampled(size))))
    with np.errstate(all="ignore"):
        return ~np.asarray(np.abs(np.asarray(draw.returned[of].array) - m) + r <= room)


def _places(rows: np.ndarray) -> str:
    """Positions in words: runs as "3–7"."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return ", ".join(f"{r[0]}–{r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs)


def _by_sign(of: str, draws: Sequence[Draw], wrong: Sequence[np.ndarray], zero: bool) -> str | None:
    """Wrong where an input of the same shape is negative, or where it is positive."""
    for name, array in draws[0].data.inputs.items():
        if array.shape != wrong[0].shape or array.dtype.kind != "f":
            continue
        signs = [np.sign(draw.data.inputs[name]) for draw in draws]
        if not all((s > 0).any() and (s < 0).any() for s in signs):
            continue
        for sign, words in (
            (-1, sentence("Wrong only where {tensor} is negative; right elsewhere.")),
            (1, sentence("Wrong only where {tensor} is positive; right elsewhere.")),
        ):
            here = [s == sign for s in signs]
            inside = all(not np.any(w & ~h) for w, h in zip(wrong, here, strict=True))
            if inside and all(
                2 * np.count_nonzero(w & h) > np.count_nonzero(h)
                for w, h in zip(wrong, here, strict=True)
            ):
                return told(words, tensor=name)
    return None
