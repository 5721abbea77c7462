"""A stage to how it is judged at some sizes, which a second judgement does not find out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from gradproof.core.program import Equation
from gradproof.core.term import reads
from gradproof.engines.arithmetic import Arithmetic, Value
from gradproof.engines.evaluate import Room, evaluate_equation, number_of
from gradproof.engines.tape import Tape, record
from gradproof.judge.rows import Rows, in_rows

MOST_SIZES = 8
"""For how many sets of sizes a network's plans are kept."""


@final
class Plan:
    """The blocks of rows in which a stage is judged, and the operations of each.

    Which operations these are depends on sizes and on the arithmetic's contract: a plan is for one
    of both. A plan that ``records`` notes them when a block is first worked out, for a second time.
    """

    def __init__(
        self,
        equation: Equation,
        operands: Mapping[str, np.ndarray],
        sizes: Mapping[str, int],
        *,
        records: bool = False,
    ) -> None:
        self.equation = equation
        self.shape = tuple(number_of(index.size, sizes) for index in equation.free)
        self._sizes = sizes
        self._records = records
        self._names = tuple(dict.fromkeys(read.tensor for read in reads(equation.term)))
        self._shapes = [operands[name].shape for name in self._names]
        self._rows = tuple(in_rows(equation, self.shape, operands))
        self._tapes: dict[int, Tape | None] = {}

    def fits(self, operands: Mapping[str, np.ndarray]) -> bool:
        """Whether it is a plan for operands of these shapes."""
        return [operands[name].shape for name in self._names] == self._shapes

    def blocks(
        self,
        operands: Mapping[str, np.ndarray],
        arithmetic: Arithmetic,
        whole: Value | None = None,
    ) -> Iterator[tuple[Rows, Value]]:
        """Each block of rows, and what it is exactly, in an arithmetic; `whole` is the only block
        where that was worked out before."""
        if whole is not None:
            (rows,) = self._rows
            yield rows, whole
            return
        for number, rows in enumerate(self._rows):
            yield rows, self._worked_out(number, rows, operands, arithmetic)

    def _worked_out(
        self,
        number: int,
        rows: Rows,
        operands: Mapping[str, np.ndarray],
        arithmetic: Arithmetic,
    ) -> Value:
        lifted = [arithmetic.lift(rows.operand(n, operands[n])) for n in self._names]
        tape = self._tapes.get(number)
        if tape is not None:
            (value,) = tape.play(lifted, arithmetic)
            return value
        entered = dict(zip(self._names, lifted, strict=True))
        if not self._records or number in self._tapes:
            return evaluate_equation(rows.equation, Room(entered, self._sizes, arithmetic))
        value, self._tapes[number] = record(rows.equation, entered, self._sizes, arithmetic)
        return value


@final
class Plans:
    """The plans of a network's stages, by their names, for the sizes that were asked about last.

    A copy, and a pickle, knows none yet.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, int], ...], dict[str, Plan]] = {}

    def __reduce__(self) -> tuple[type[Plans], tuple[()]]:
        return Plans, ()

    def at(self, sizes: Mapping[str, int]) -> dict[str, Plan]:
        """Those for some sizes, to which others may be added."""
        key = tuple(sorted(sizes.items()))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_SIZES:
                self._known.clear()
            found = self._known.setdefault(key, {})
        return found


def plan_of(
    equation: Equation,
    operands: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    known: dict[str, Plan] | None,
) -> Plan:
    """The plan of a stage: one of those that are known, where its operands have the same shapes."""
    if known is None:
        return Plan(equation, operands, sizes)
    plan = known.get(equation.target)
    if plan is None or plan.equation is not equation or not plan.fits(operands):
        plan = known[equation.target] = Plan(equation, operands, sizes, records=True)
    return plan
