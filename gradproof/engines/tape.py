"""An evaluation to the list of operations that it was, to be done again on other numbers.

What `engines/evaluate.py` does with an equation depends on its sizes and not on its numbers: which
factors are joined, along which axes, in which order. A tape keeps the outcome, so that a second
evaluation is the same verbs of the same arithmetic on the same views of its arrays, and nothing
else. What the arithmetic decides by looking at numbers it decides anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from gradproof.core.program import Equation, Program
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Followed, Value, rearranged
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation
from gradproof.engines.moves import Filled, Reshaped, Stacked

Held = list[Any]
"""The values of an evaluation by their numbers; `None` in the place of what nothing reads again."""

Operation = Callable[[Arithmetic, Held], Value]

MOST_HELD = 2**16
"""Elements of constants, such as the masks of an equation's brackets, that a tape may keep."""


class NotFollowed(Exception):
    """A value was made of another one by something else than a verb or a move of its elements."""


@dataclass(frozen=True, slots=True)
class Tape:
    """The operations of equations at fixed sizes, on operands in the order of ``names``.

    Values are numbered: the operands first, then what each of the ``steps`` makes, which also has
    the numbers of those that nothing reads after it. ``results`` are the numbers of what is asked
    for.
    """

    names: tuple[str, ...]
    steps: tuple[tuple[Operation, tuple[int, ...]], ...]
    results: tuple[int, ...]

    def play(self, held: Held, arithmetic: Arithmetic) -> list[Value]:
        """What the equations give for operands of the shapes that were recorded; the list of them
        is used up."""
        for operation, over in self.steps:
            held.append(operation(arithmetic, held))
            for number in over:
                held[number] = None
        return [held[number] for number in self.results]


def record(
    equation: Equation,
    operands: Mapping[str, Value],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> tuple[Value, Tape | None]:
    """One equation evaluated, and the tape of it; `None` where something cannot be taped.

    Args:
        equation: the equation.
        operands: by name, all that it reads.
        sizes: a number for each size symbol.
        arithmetic: in which it is evaluated.
    """
    taped = _taped(
        lambda entered, a: [evaluate_equation(equation, Room(entered, sizes, a))],
        operands,
        arithmetic,
    )
    if taped is not None:
        (value,), tape = taped
        return value, tape
    return evaluate_equation(equation, Room(operands, sizes, arithmetic)), None


def record_program(
    program: Program,
    operands: Mapping[str, Value],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
    wanted: Sequence[str],
) -> tuple[list[Value], Tape | None]:
    """The `wanted` tensors of a program evaluated, and the tape of them, as `record` has it."""

    def values(entered: Mapping[str, Value], a: Arithmetic) -> list[Value]:
        found = evaluate(program, entered, sizes, a)
        return [found[name] for name in wanted]

    return _taped(values, operands, arithmetic) or (values(operands, arithmetic), None)


def _taped(
    evaluated: Callable[[Mapping[str, Value], Arithmetic], list[Value]],
    operands: Mapping[str, Value],
    arithmetic: Arithmetic,
) -> tuple[list[Value], Tape | None] | None:
    """What is made of operands, and how; `None` where that depends on more than their shapes.

    That is so of sums at places that integers name, whose bounds count what arrives there, and of
    16-bit numbers, whose sums are made otherwise where a factor is a power of two.
    """
    if arithmetic.adds_finely or arithmetic.in_parts:
        return None
    recorder = _Recorder(arithmetic)
    entered = {name: recorder.enter(value) for name, value in operands.items()}
    try:
        found = [recorder.known(value) for value in evaluated(entered, recorder)]
    except NotFollowed:
        return None
    tape = recorder.tape(tuple(operands), tuple(value.number for value in found))
    return [value.plain for value in found], tape


@final
class _Recorder(Arithmetic):
    """An arithmetic that does what another one does, and notes it."""

    def __init__(self, inner: Arithmetic) -> None:
        self.inner = inner
        self.scatters = inner.scatters
        self._count = 0
        self._steps: list[tuple[Operation, tuple[int, ...]]] = []
        self._constants: set[int] = set()
        self._kept = 0

    def enter(self, value: Value) -> Followed:
        """A value with the next number."""
        self._count += 1
        return Followed(value, self._count - 1, self.moved)

    def tape(self, names: tuple[str, ...], results: tuple[int, ...]) -> Tape | None:
        """All that was noted; `None` where it would keep too much."""
        if self._kept > MOST_HELD:
            return None
        last = {n: k for k, (_, read) in enumerate(self._steps) for n in read}
        for number in results:
            last.pop(number, None)
        steps = [
            (operation, tuple(n for n in dict.fromkeys(read) if last.get(n) == k))
            for k, (operation, read) in enumerate(self._steps)
        ]
        return Tape(names, tuple(steps), results)

    def moved(self, value: Followed, change: Callable[[np.ndarray], np.ndarray]) -> Value:
        """The value with its arrays rearranged."""
        if isinstance(change, Stacked) and change.stays:
            return value
        if isinstance(change, Reshaped | Filled):
            return self._asked((value,), lambda _, one: _in_shape(one, change))
        return self._asked((value,), lambda _, one: rearranged(one, change))

    def _asked(self, values: Sequence[Value], ask: Callable[..., Value]) -> Value:
        """What `ask` makes of an arithmetic and these values."""
        made = self._perhaps(values, ask)
        assert made is not None
        return made

    def _perhaps(self, values: Sequence[Value], ask: Callable[..., Value | None]) -> Value | None:
        """The same of what an arithmetic may leave to others; whether it does depends on the
        name alone."""
        sources = [self.known(value) for value in values]
        numbers = tuple(source.number for source in sources)
        made = ask(self.inner, *(source.plain for source in sources))
        if made is None:
            return None
        if self._constants.issuperset(numbers):
            return self._constant(made)
        return self._noted(made, numbers, _operation(ask, numbers))

    def known(self, value: Value) -> Followed:
        """A value of which it is noted how it was made.

        Raises:
            NotFollowed: it is none.
        """
        if isinstance(value, Followed) and value.follow == self.moved:
            return value
        raise NotFollowed

    def _noted(self, value: Value, read: tuple[int, ...], operation: Operation) -> Followed:
        self._steps.append((operation, read))
        return self.enter(value)

    def _constant(self, value: Value) -> Value:
        self._kept += sum(part.size for part in value)
        self._constants.add(self._count)
        return self._noted(value, (), lambda _, __: value)

    # --- the verbs ------------------------------------------------------------------------------

    def lift(self, array: np.ndarray) -> Value:
        return self._constant(self.inner.lift(array))

    def table(self, array: np.ndarray) -> Value:
        return self._constant(self.inner.table(array))

    def number(self, value: Fraction) -> Value:
        return self._constant(self.inner.number(value))

    def pi(self) -> Value:
        return self._constant(self.inner.pi())

    def add(self, values: Sequence[Value]) -> Value:
        return self._asked(values, lambda a, *these: a.add(these))

    def repeat(self, value: Value, count: int) -> Value:
        return self._asked((value,), lambda a, one: a.repeat(one, count))

    def multiply(self, left: Value, right: Value) -> Value:
        return self._asked((left, right), lambda a, one, other: a.multiply(one, other))

    def product(self, values: Sequence[Value]) -> Value:
        if len(values) == 1:  # which is itself in every arithmetic
            return self.known(values[0])
        return self._asked(values, lambda a, *these: a.product(these))

    def power(self, base: Value, exponent: Fraction) -> Value:
        return self._asked((base,), lambda a, one: a.power(one, exponent))

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return self._asked((value,), lambda a, one: a.total(one, axes))

    def matmul(self, left: Value, right: Value) -> Value:
        return self._asked((left, right), lambda a, one, other: a.matmul(one, other))

    def elementary(self, name: str, value: Value) -> Value:
        return self._asked((value,), lambda a, one: a.elementary(name, one))

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        return self._asked((left, right), lambda a, one, other: a.compare(relation, one, other))

    def largest(self, value: Value, axis: int) -> Value:
        return self._asked((value,), lambda a, one: a.largest(one, axis))

    def slope(self, value: Value) -> Value:
        return self._asked((value,), lambda a, one: a.slope(one))

    def inverse(self, value: Value) -> Value:
        return self._asked((value,), lambda a, one: a.inverse(one))

    def logdet(self, value: Value) -> Value:
        return self._asked((value,), lambda a, one: a.logdet(one))

    def scattered(
        self, value: Value, additions: np.ndarray, rounded: int, size: np.ndarray
    ) -> Value:
        raise NotFollowed

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        return self._perhaps(arguments, lambda a, *these: a.function(name, these, order))

    def along(self, name: str, value: Value) -> Value | None:
        return self._perhaps((value,), lambda a, one: a.along(name, one))

    def fold(self, name: str, value: Value) -> Value | None:
        return self._perhaps((value,), lambda a, one: a.fold(name, one))


def _in_shape(value: Value, change: Reshaped | Filled) -> Value:
    """A value whose arrays mostly have the shape already that they should have."""
    if all(part.shape == change.shape for part in value):
        return value
    return rearranged(value, change)


def _operation(ask: Callable[..., Any], numbers: tuple[int, ...]) -> Operation:
    match numbers:
        case (k,):
            return lambda a, held: ask(a, held[k])
        case (j, k):
            return lambda a, held: ask(a, held[j], held[k])
        case _:
            return lambda a, held: ask(a, *(held[k] for k in numbers))
