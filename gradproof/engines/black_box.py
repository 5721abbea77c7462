"""A function with a backward pass of its own, seen from outside: what it is asked, and answers."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from gradproof.core.told import told, told_row
from gradproof.engines.engine import Argument

_HOUSE = str(Path(__file__).parent.parent)

Layout = Literal["contiguous", "strided", "expanded", "transposed"]
"""How numbers lie in memory: in order, every second place, repeated elements once (stride 0), or
with the last two axes exchanged."""


class Layer(Protocol):
    """A NumPy layer as courses write it: an object that remembers its forward pass."""

    def forward(self, *arguments: Any) -> Any:
        """The values."""
        ...

    def backward(self, *upstream: Any) -> Any:
        """The gradients with respect to the arguments of the last forward pass."""
        ...


def is_layer(box: Any) -> bool:
    """Whether a black box is a `Layer`; asking the protocol itself takes ten times as long."""
    methods = (getattr(box, "forward", None), getattr(box, "backward", None))
    return all(map(callable, methods))


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a black box.

    ``arguments`` hold numbers of the dtype, or integers; ``wanted`` says of each tensor among them
    whether its gradient is asked for, ``upstream`` is the gradient of every output. ``names`` are
    those of the parameters, where they are known. Of an answer that is not ``kept`` until the next
    call gradients are not copied, and nobody looks whether anything was overwritten.
    """

    arguments: tuple[Argument, ...]
    wanted: tuple[bool, ...]
    upstream: tuple[np.ndarray, ...]
    dtype: str
    layout: Layout = "contiguous"
    upstream_layout: Layout = "contiguous"
    device: str = "cpu"
    names: tuple[str, ...] = ()
    kept: bool = True

    @property
    def tensors(self) -> tuple[np.ndarray, ...]:
        """All tensors among the arguments, in order."""
        return tuple(
            one
            for given in self.arguments
            for one in (given if isinstance(given, list) else [given])
        )

    def arranged(self, natives: Sequence[Any]) -> list[Any]:
        """The arguments, from whatever stands for each tensor."""
        waiting = iter(natives)
        return [
            [next(waiting) for _ in given] if isinstance(given, list) else next(waiting)
            for given in self.arguments
        ]


@dataclass(frozen=True, slots=True)
class Returned:
    """One tensor that a black box returned, with its own dtype; ``array`` is `None` where it
    returned none, and then ``dtype`` is what it returned instead."""

    array: np.ndarray | None
    dtype: str


def changed(now: Sequence[np.ndarray], then: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Which arrays have not the numbers any more that they had; NaN is the same as NaN."""
    pairs = enumerate(zip(now, then, strict=True))
    return tuple(k for k, (after, before) in pairs if not have_same(after, before))


def have_same(now: np.ndarray, then: np.ndarray) -> bool:
    """Whether two arrays have the same numbers; mostly there is no NaN to look for."""
    if now.shape == then.shape and (now == then).all():
        return True
    return np.array_equal(now, then, equal_nan=True)


def as_real(one: Returned) -> Returned:
    """Complex numbers whose imaginary parts are zero as real ones; others as what is no tensor."""
    if one.array is None or one.array.dtype.kind != "c":
        return one
    return Returned(None if np.any(one.array.imag) else one.array.real, one.dtype)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a black box returned.

    ``gradients`` are those that were wanted. ``changed`` and ``changed_upstream`` are the numbers
    of the tensors that it overwrote. ``reread`` has the gradients as the box's own memory has
    them at the time of asking.
    """

    values: tuple[Returned, ...]
    gradients: tuple[Returned, ...]
    changed: tuple[int, ...]
    changed_upstream: tuple[int, ...]
    reread: Callable[[], tuple[Returned, ...]]


class BoxFailed(Exception):
    """A black box raised, or returned something that cannot be read; ``values`` are what its
    forward pass returned before that."""

    def __init__(self, why: str, values: tuple[Returned, ...] = ()) -> None:
        self.values = values
        super().__init__(why)


PHASES = {
    str(phase): phase
    for phase in (
        told("the reference"),
        told("the forward pass"),
        told("the forward pass, read operation by operation,"),
        told("the backward pass"),
    )
}


@contextmanager
def said_of(phase: str, values: tuple[Returned, ...] = ()) -> Iterator[None]:
    """Around a call of a black box: whatever it raises is said of it.

    Raises:
        BoxFailed: it raised.
    """
    try:
        yield
    except BoxFailed as problem:
        raise BoxFailed(problem.args[0], problem.values or values) from problem
    except (Exception, SystemExit) as problem:  # a stranger's code may raise anything
        first = (str(problem).strip().splitlines() or [""])[0]
        said = told(
            "{phase} raises {kind}: {what}{place}",
            phase=PHASES[phase],
            kind=type(problem).__name__,
            what=first,
            place=_place(problem),
        )
        raise BoxFailed(said, values) from problem


def _place(problem: BaseException) -> str:
    """The innermost line that is not a library's."""
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        if "site-packages" not in frame.filename and not frame.filename.startswith(_HOUSE):
            return f" ({Path(frame.filename).name}:{frame.lineno})"
    return ""


def several(result: Any) -> tuple[Any, ...]:
    """What a function returned, as a tuple."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def check_outputs(
    shapes: Sequence[tuple[int, ...]], question: Question, values: tuple[Returned, ...]
) -> None:
    """Whether the outputs, which are these values, are as many and as large as the reference's.

    Raises:
        BoxFailed: they are not; without that there is no upstream gradient to give.
    """
    wanted = [g.shape for g in question.upstream]
    if list(shapes) != wanted:
        one = len(shapes) == len(wanted) == 1
        got, right = (shapes[0], wanted[0]) if one else (list(shapes), wanted)
        if one:
            what = told("the value has the shape {got}, not {right}", got=got, right=right)
        else:
            what = told("the values have the shapes {got}, not {right}", got=got, right=right)
        raise BoxFailed(what, values)


def repeated_axes(array: np.ndarray) -> tuple[int, ...]:
    """The axes along which every element is repeated."""
    return tuple(
        axis
        for axis, length in enumerate(array.shape)
        if length > 1 and np.array_equal(array, np.broadcast_to(array.take([0], axis), array.shape))
    )


def once(array: np.ndarray) -> np.ndarray:
    """An array without its repetitions: those axes have length 1."""
    for axis in repeated_axes(array):
        array = array.take([0], axis)
    return array


def laid_out(array: np.ndarray, layout: Layout) -> np.ndarray:
    """The same numbers, lying in another way; what lies between them is no number."""
    match layout:
        case "contiguous":
            return np.array(array)
        case "expanded":
            return np.broadcast_to(np.array(once(array)), array.shape)
        case "transposed":
            if array.ndim < 2:
                return np.array(array)
            return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)
        case "strided":
            if not array.ndim:
                return np.array(array)
            gap = np.nan if array.dtype.kind == "f" else 0
            wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), gap, array.dtype)
            wide[..., ::2] = array
            return wide[..., ::2]


NAMED_SO = ("{}", "dl_d{}", "d{}", "d_{}", "grad_{}")
"""How a pullback may call the gradient of an input in a dictionary."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """An argument, and for each of its tensors whether the gradient is wanted."""

    name: str
    wanted: tuple[bool, ...]
    is_list: bool


def read_gradients(found: Any, question: Question) -> list[Any]:
    """The wanted gradients among what a NumPy pullback returned: one for each tensor, or for each
    wanted one, or for each argument (a list for a list), or for each argument that a gradient is
    wanted of; or a dictionary of them by the arguments' names. A dictionary beside all that, such
    as ``locals()``, is nothing that is judged.

    Raises:
        BoxFailed: there are more or fewer, or they have other names.
    """
    slots = _slots(question)
    if isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], Mapping):
        return read_gradients(found[0], question)
    if isinstance(found, Mapping):
        return _wanted(_named(found, slots), slots)
    given = several(found)
    count, some = len(question.wanted), sum(question.wanted)
    if not any(isinstance(one, list | tuple) for one in given) and len(given) in (count, some):
        kept = question.wanted if len(given) == count else [True] * some
        return [g for g, wanted in zip(given, kept, strict=True) if wanted]
    for those in (slots, [slot for slot in slots if any(slot.wanted)]):
        if len(given) == len(those):
            return _wanted(given, those)
    got = "None" if found is None else told("{count} gradients", count=len(given))
    raise BoxFailed(
        told(
            "the backward pass returns {got} for {count} inputs, {some} of them differentiable: "
            "return one for each of {names}, None where there is none, or a dictionary by these "
            "names",
            got=got,
            count=count,
            some=some,
            names=told_row([slot.name for slot in slots]),
        )
    )


def _slots(question: Question) -> list[_Slot]:
    waiting = iter(question.wanted)
    return [
        _Slot(
            question.names[k] if question.names else told("input {number}", number=k + 1),
            tuple(next(waiting) for _ in (given if isinstance(given, list) else [given])),
            isinstance(given, list),
        )
        for k, given in enumerate(question.arguments)
    ]


def _named(found: Mapping[Any, Any], slots: Sequence[_Slot]) -> list[Any]:
    """The gradients of a dictionary in the arguments' order, `None` where there is none."""
    keys = [next((k for f in NAMED_SO if (k := f.format(s.name)) in found), None) for s in slots]
    strange = [str(key) for key in found if key not in keys]
    missing = [s.name for s, key in zip(slots, keys, strict=True) if key is None and any(s.wanted)]
    if strange and missing:
        raise BoxFailed(
            told(
                "the backward pass returns a dictionary with {strange}, and nothing for {missing}: "
                "the keys are the inputs' names, such as {name} or dl_d{name}",
                strange=told_row(strange),
                missing=told_row(missing),
                name=missing[0],
            )
        )
    return [None if key is None else found[key] for key in keys]


def _wanted(given: Sequence[Any], slots: Sequence[_Slot]) -> list[Any]:
    """The wanted ones of the gradients of arguments."""
    found: list[Any] = []
    for one, slot in zip(given, slots, strict=True):
        if not slot.is_list:
            found += [one] if slot.wanted[0] else []
            continue
        number = len(slot.wanted)
        members = [None] * number if one is None else one
        several_ = isinstance(members, list | tuple | np.ndarray)
        if not several_ or len(members) != number:
            got = len(members) if several_ else type(members).__name__
            raise BoxFailed(
                told(
                    "the backward pass returns {got} where a list of {number} gradients is due, "
                    "those of {name}",
                    got=got,
                    number=number,
                    name=slot.name,
                )
            )
        found += [g for g, wanted in zip(members, slot.wanted, strict=True) if wanted]
    return found
