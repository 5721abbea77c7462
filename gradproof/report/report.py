"""A report as plain data: everything that a page or a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from gradproof.judge.program_identity import ProgramProof, ProgramVerdict
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.words import sentence


class RefutedError(AssertionError):
    """A formula or an engine was refuted, or something stayed undecided."""


WORDS = {
    "proved": sentence("proved"),
    "agrees": sentence("agrees"),
    "derived": sentence("derived"),
    "refuted": sentence("refuted"),
    "undecided": sentence("undecided"),
    "inherited": sentence("inherited"),
}
"""What a verdict is called; *inherited* is a refuted one that only builds on an earlier mistake."""


@dataclass(frozen=True, slots=True)
class ForwardRow:
    """One forward value: its formula, and the engine's number for it.

    ``heat`` is how much of its bound each element uses, where a picture of it was asked for.
    """

    name: str
    shape: str
    formula: str
    verdict: EngineVerdict
    engine: np.ndarray
    native: np.ndarray | None
    native_verdict: EngineVerdict | None
    plain: np.ndarray
    heat: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class GradientRow:
    """One gradient: the derived formula, the user's, and the engine's number for it.

    ``hand`` is what the user's function returns on plain arrays, and ``hand_verdict`` whether
    these are the numbers of the formulas that were traced. ``native`` is what autodiff gives
    through the framework's own layers.
    """

    name: str
    symbol: str
    shape: str
    derived: str
    claimed: str | None
    line: str
    formula_verdict: FormulaVerdict
    engine_verdict: EngineVerdict
    engine: np.ndarray
    hand: np.ndarray | None
    hand_verdict: EngineVerdict | None
    true: np.ndarray
    zero: bool
    program: ProgramVerdict | None = None
    why: tuple[str, ...] = ()
    native: np.ndarray | None = None
    native_verdict: EngineVerdict | None = None
    heat: np.ndarray | None = None

    @property
    def covered(self) -> bool:
        """Whether the user has a formula for it."""
        return self.claimed is not None


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a loop, which stand in one row: the tensors, the one equation that they have,
    those of the user's for the same turns, and for which t."""

    name: str
    members: tuple[str, ...]
    formula: str
    range: str
    claimed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """One set of data on which everything was checked.

    ``own`` are the equations of the user's backward for values that are no gradients. The loops say
    which rows are turns of one, and ``starts`` what their members 0 and slices are.
    """

    title: str
    sizes: Mapping[str, int]
    inputs: Mapping[str, np.ndarray]
    forward: tuple[ForwardRow, ...]
    gradients: tuple[GradientRow, ...]
    program: ProgramProof | None = None
    own: tuple[str, ...] = ()
    forward_loops: tuple[Turns, ...] = ()
    starts: tuple[str, ...] = ()
    gradient_loops: tuple[Turns, ...] = ()


def with_program(batch: Batch, proof: ProgramProof | None) -> Batch:
    """The batch with what was proved of the engine's own program, also row by row."""
    if proof is None:
        return batch
    rows = tuple(replace(row, program=proof.verdicts[row.name]) for row in batch.gradients)
    return replace(batch, gradients=rows, program=proof)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """Everything that was checked for one network on one engine."""

    network: str
    loss: str
    dtype: str
    seed: int
    engine: str
    engine_version: str
    contract: str
    shapes: Mapping[str, str]
    batches: tuple[Batch, ...]
    notes: tuple[str, ...]
    missing_engines: Mapping[str, str]

    def __getitem__(self, name: str) -> GradientRow:
        """The gradient with respect to a tensor, on the last set of data."""
        rows = {row.name: row for row in self.batches[-1].gradients}
        if name not in rows:
            raise KeyError(f"There is no gradient with respect to {name}; of: {', '.join(rows)}.")
        return rows[name]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every verdict of the report, in order."""
        found: list[str] = []
        for batch in self.batches:
            for forward in batch.forward:
                found.append(forward.verdict.kind)
                if forward.native_verdict is not None:
                    found.append(forward.native_verdict.kind)
            for gradient in batch.gradients:
                found += [gradient.formula_verdict.kind, gradient.engine_verdict.kind]
                for other in (gradient.hand_verdict, gradient.native_verdict):
                    if other is not None:
                        found.append(other.kind)
        return tuple(found)

    @property
    def exit_code(self) -> int:
        """0 all hold, 1 something refuted, 3 something undecided."""
        if "refuted" in self.kinds:
            return 1
        return 3 if "undecided" in self.kinds else 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.exit_code == 0

    def raise_if_refuted(self) -> None:
        """Raises `RefutedError` naming the first tensor that does not hold."""
        for batch in self.batches:
            for row in batch.gradients:
                for kind, because in (
                    (row.formula_verdict.kind, row.formula_verdict.because),
                    (row.engine_verdict.kind, row.engine_verdict.because),
                ):
                    if kind == "refuted":
                        raise RefutedError(f"{row.symbol} is refuted: {because} {row.line}")

    def __repr__(self) -> str:
        word = {0: "all hold", 1: "refuted", 3: "undecided"}[self.exit_code]
        return f"<report on {self.network}, {self.engine} {self.dtype}: {word}>"

    def _repr_html_(self) -> str:
        # What prints a report imports this module, so it is looked up only here.
        page: str = import_module("gradproof.report.console").html(self)
        return page

    def to_json(self) -> str:
        """The report as JSON; numbers are exact, infinities are strings."""
        return json.dumps(plain(asdict(self)), ensure_ascii=False, indent=1)


def plain(value: Any) -> Any:
    """Data that JSON can hold: infinities become strings."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
