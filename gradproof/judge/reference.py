"""References to what a correct function may return: values and gradients, from the inputs on.

Inside a black box nothing is seen, so its bound is that of all stages of the reference together,
carried along by the same balls (`engines/ball.py`) that judge single stages elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.index import Index
from gradproof.core.program import Derivation, Equation, Paper, Program, shape_of
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Arithmetic, Value, structural
from gradproof.engines.backward_program import BackwardProgram, Unattempted, work
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.evaluate import evaluate, number_of
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.least import Least, is_for
from gradproof.engines.program_evaluation import evaluate_program
from gradproof.judge.kink import Kink, kinks, uses
from gradproof.judge.stacked import stacked
from gradproof.judge.tapes import Tapes
from gradproof.judge.truth import true_values

PROGRAM_BITS = 160
"""Arb's precision for a framework's program: its gradients keep far more than float64's 53 bits."""

MOST_WORK = 200_000
"""Numbers that Arb computes in about a second; for larger programs float64's balls must do."""


@dataclass(frozen=True, slots=True)
class Data:
    """What one call is given, by name: the inputs, and the gradients that arrive at the outputs."""

    inputs: Mapping[str, np.ndarray]
    upstream: tuple[np.ndarray, ...]


TRIALS = Index(-1, "the data")
"""The index over several data; no size symbol has a space."""


class Reference(ABC):
    """A function with known gradients: ``y[k]`` are its outputs, and the gradients have the names
    of the inputs. ``words`` say where it comes from."""

    words: str

    @abstractmethod
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each output."""

    @abstractmethod
    def enclosure(
        self, data: Data, contract: Contract, *, coarse: bool = False, narrow: bool = False
    ) -> dict[str, Value]:
        """A midpoint and a radius for each exact tensor, and what a correct function may be off
        by; with `coarse` one whose 16-bit sums are stored in parts, and with `narrow` with radii
        that do for float64 as well."""

    def enclosures(self, several: Sequence[Data], contract: Contract) -> list[dict[str, Value]]:
        """`enclosure`, for each of several data of the same shapes."""
        return [self.enclosure(data, contract) for data in several]

    def least(self, data: Data, contract: Contract) -> dict[str, Value]:
        """The same with the least that a correct function may be off by, for a fraction of the
        cost; empty where there is nothing of the kind."""
        if not is_for(contract):
            return {}
        try:
            with np.errstate(all="ignore"):
                return self.over(data, Least(contract))
        except (NotYet, Unattempted):
            return {}

    @abstractmethod
    def over(self, data: Data, arithmetic: Arithmetic) -> dict[str, Value]:
        """The outputs and gradients over any arithmetic; empty where no equations are known."""

    @abstractmethod
    def truth(self, data: Data) -> dict[str, Value]:
        """The exact tensors, enclosed more sharply than float64; what is missing is not known."""

    @abstractmethod
    def kinks(self, data: Data, contract: Contract) -> tuple[Kink, ...]:
        """Where the function has no derivative at these data, as far as that is seen."""


def output(k: int) -> str:
    """The name under which a reference has its output number k."""
    return f"y[{k}]"


@final
@dataclass(frozen=True, slots=True)
class PaperReference(Reference):
    """A paper whose loss is the sum of its outputs times the upstream gradients.

    ``outputs_named`` are the tensors that are the outputs, or empty where the paper hides them, and
    ``tapes`` those of the paper's program.
    """

    words: str
    paper: Paper
    derivation: Derivation
    sizes: Mapping[str, int]
    constants: Mapping[str, np.ndarray]
    upstream: tuple[str, ...]
    outputs_named: tuple[str, ...]
    tapes: Tapes = field(default_factory=Tapes, compare=False)

    def outputs(self) -> tuple[tuple[int, ...], ...]:
        known = {t.name: t.shape for t in self.paper.forward.inputs}
        return tuple(tuple(number_of(size, self.sizes) for size in known[g]) for g in self.upstream)

    def tensors(self, data: Data) -> dict[str, np.ndarray]:
        """Every input of the program: the data, the upstream gradients and the paper's arrays."""
        return {
            **self.constants,
            **data.inputs,
            **dict(zip(self.upstream, data.upstream, strict=True)),
        }

    def _lifted(self, data: Data, arithmetic: Arithmetic) -> dict[str, Value]:
        return {name: arithmetic.lift(array) for name, array in self.tensors(data).items()}

    def everything(
        self, data: Data, contract: Contract, *, coarse: bool = False, narrow: bool = False
    ) -> dict[str, Value]:
        """`enclosure`, of all tensors and gradients by their own names."""
        ball = Ball(contract, opaque=True, coarse=coarse, narrow=narrow)
        lifted = self._lifted(data, ball)
        with np.errstate(all="ignore"):
            return evaluate(self._program(), lifted, self.sizes, ball)

    def _program(self) -> Program:
        raw = tuple(
            Equation(s.equation.target, s.equation.free, s.raw) for s in self.derivation.steps
        )
        loss = self.paper.loss  # nothing reads it
        forward = (e for e in self.paper.forward.equations if e.target != loss)
        return Program((), (*forward, *raw), ())

    def enclosure(
        self, data: Data, contract: Contract, *, coarse: bool = False, narrow: bool = False
    ) -> dict[str, Value]:
        ball = Ball(contract, opaque=True, coarse=coarse, narrow=narrow)
        with np.errstate(all="ignore"):
            return self._evaluated(("ball", coarse, narrow), data, ball)

    def _evaluated(self, kind: Hashable, data: Data, arithmetic: Ball | Least) -> dict[str, Value]:
        """`over`, by its tape; `kind` says the arithmetic, but for its contract."""
        lifted = self._lifted(data, arithmetic)
        found = self._played(kind, self._program, lifted, self.sizes, arithmetic)
        return dict(zip(self._names(), found, strict=True))

    def _played(
        self,
        kind: Hashable,
        program: Callable[[], Program],
        lifted: Mapping[str, Value],
        sizes: Mapping[str, int],
        arithmetic: Ball | Least,
    ) -> list[Value]:
        """The tensors of `_names`, in a program that is made of the paper's."""
        contract = arithmetic.contract
        return self.tapes.evaluate(
            (kind, contract.engine, contract.dtype),
            (self.paper.forward, self.derivation.steps, contract),
            program,
            lifted,
            sizes,
            arithmetic,
            tuple(self._names().values()),
        )

    def over(self, data: Data, arithmetic: Arithmetic) -> dict[str, Value]:
        if isinstance(arithmetic, Least):  # which is asked in every check
            return self._evaluated("least", data, arithmetic)
        lifted = self._lifted(data, arithmetic)
        return self._named(evaluate(self._program(), lifted, self.sizes, arithmetic))

    def enclosures(self, several: Sequence[Data], contract: Contract) -> list[dict[str, Value]]:
        """All data at once, one further index over them: an evaluation of small ones is mostly
        Python, which takes no longer for many."""
        if len(several) < 2:
            return [self.enclosure(data, contract) for data in several]
        given = [self.tensors(data) for data in several]
        differing = {
            name: np.stack([one[name] for one in given])
            for name, array in given[0].items()
            if any(one[name] is not array for one in given)
        }
        ball = Ball(contract, opaque=True)
        lifted = {n: ball.lift(array) for n, array in (given[0] | differing).items()}
        changing = frozenset(differing)
        names, ranks = self._names(), self._ranks()
        with np.errstate(all="ignore"):
            values = self._played(
                changing,
                lambda: stacked(self._program(), changing, TRIALS)[0],
                lifted,
                {**self.sizes, str(TRIALS.size): len(several)},
                ball,
            )
        apart = [
            list(zip(*value, strict=True))
            if value[0].ndim > ranks[name]
            else [value] * len(several)
            for name, value in zip(names.values(), values, strict=True)
        ]
        return [dict(zip(names, each, strict=True)) for each in zip(*apart, strict=True)]

    def truth(self, data: Data) -> dict[str, Value]:
        programs = (self.paper.forward, self.derivation.backward)
        return self._named(dict(true_values(programs, self.tensors(data), self.sizes).values))

    def kinks(self, data: Data, contract: Contract) -> tuple[Kink, ...]:
        ball = Ball(contract, opaque=True)
        lifted = self._lifted(data, ball)
        with np.errstate(all="ignore"):
            values = evaluate(self.paper.forward, lifted, self.sizes, ball)
            plain = {name: np.asarray(value[0]) for name, value in values.items()}
            return tuple(kinks(uses(self.paper.forward), plain, self.sizes, contract).values())

    def _names(self) -> dict[str, str]:
        """How the program calls each output and each gradient that it has."""
        outputs = {output(k): name for k, name in enumerate(self.outputs_named)}
        known = self._ranks()
        named = {**outputs, **self.derivation.gradients}
        return {of: name for of, name in named.items() if name in known}

    def _ranks(self) -> dict[str, int]:
        """How many axes each tensor of the program has."""
        inputs = {t.name: len(t.shape) for t in self.paper.forward.inputs}
        forward = {e.target: len(e.free) for e in self.paper.forward.equations}
        steps = {s.equation.target: len(s.equation.free) for s in self.derivation.steps}
        return {**inputs, **forward, **steps}

    def _named(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {of: values[name] for of, name in self._names().items() if name in values}

    def shape(self, of: str) -> tuple[int, ...]:
        """The shape of a tensor's gradient."""
        step = next(s for s in self.derivation.steps if s.of == of)
        return tuple(number_of(size, self.sizes) for size in shape_of(step.equation))


@final
@dataclass(frozen=True, slots=True)
class ProgramReference(Reference):
    """A program that a framework's autodiff wrote for a callable; ``names`` are the inputs'."""

    words: str
    program: BackwardProgram
    names: Sequence[str]
    shapes: tuple[tuple[int, ...], ...]

    def outputs(self) -> tuple[tuple[int, ...], ...]:
        return self.shapes

    def enclosure(
        self, data: Data, contract: Contract, *, coarse: bool = False, narrow: bool = False
    ) -> dict[str, Value]:
        if contract.dtype == "float64":  # the function may compute where the reference does
            contract = contract_of(contract.engine, self.program.precision)
        with np.errstate(all="ignore"):
            return self.over(data, Ball(contract, opaque=True, coarse=coarse, narrow=narrow))

    def truth(self, data: Data) -> dict[str, Value]:
        given = {f"x[{k}]": data.inputs[name].shape for k, name in enumerate(self.names)}
        given |= {f"g[{k}]": g.shape for k, g in enumerate(data.upstream)}
        if work(self.program, given) > MOST_WORK:
            return {}
        with precision(PROGRAM_BITS):
            return self.over(data, Arb())

    def kinks(self, data: Data, contract: Contract) -> tuple[Kink, ...]:
        return ()

    def over(self, data: Data, arithmetic: Arithmetic) -> dict[str, Value]:
        arrays = {f"x[{k}]": data.inputs[name] for k, name in enumerate(self.names)}
        arrays |= {f"g[{k}]": g for k, g in enumerate(data.upstream)}
        entered = {
            name: structural(arithmetic.lift(arrays[name]), _one_point)
            for name in self.program.inputs
        }
        found = evaluate_program(self.program, entered, Interpreter(arithmetic, splits=False))
        spelled = {f"x[{k}]": name for k, name in enumerate(self.names)}
        return {
            spelled.get(name, name): structural(value, lambda p: p.reshape(p.shape[1:]))
            for name, value in found.items()
        }


def _one_point(part: np.ndarray) -> Any:
    return np.asarray(part)[None]


@final
@dataclass(frozen=True, slots=True)
class Unbounded(Reference):
    """Values and gradients by a framework's autodiff in float64, of which no bound is known."""

    words: str
    shapes: tuple[tuple[int, ...], ...]
    run: Callable[[Data], Mapping[str, np.ndarray]]

    def outputs(self) -> tuple[tuple[int, ...], ...]:
        return self.shapes

    def enclosure(
        self, data: Data, contract: Contract, *, coarse: bool = False, narrow: bool = False
    ) -> dict[str, Value]:
        return {
            name: (array, np.full_like(array, np.inf), np.full_like(array, np.inf))
            for name, array in self.run(data).items()
        }

    def over(self, data: Data, arithmetic: Arithmetic) -> dict[str, Value]:
        return {}

    def truth(self, data: Data) -> dict[str, Value]:
        return {}

    def kinks(self, data: Data, contract: Contract) -> tuple[Kink, ...]:
        return ()
