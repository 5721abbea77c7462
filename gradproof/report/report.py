"""A report as plain data: everything that a page or a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from typing import Any, NamedTuple, Protocol

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
class ForwardVerdicts:
    """What was found of one forward value, and what the framework's own layers give for it."""

    name: str
    verdict: EngineVerdict
    native: np.ndarray | None
    native_verdict: EngineVerdict | None


@dataclass(frozen=True, slots=True)
class GradientVerdicts:
    """What was found of one gradient, as in its row."""

    name: str
    symbol: str
    line: str
    formula_verdict: FormulaVerdict
    engine_verdict: EngineVerdict
    hand_verdict: EngineVerdict | None
    native: np.ndarray | None
    native_verdict: EngineVerdict | None


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


class Findings(Protocol):
    """The verdicts of a set of data: a `Batch`, or what there is before its rows are written."""

    @property
    def forward(self) -> Sequence[ForwardRow | ForwardVerdicts]: ...
    @property
    def gradients(self) -> Sequence[GradientRow | GradientVerdicts]: ...


class Written(NamedTuple):
    """What of a report is for readers."""

    shapes: Mapping[str, str]
    batches: tuple[Batch, ...]
    missing_engines: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Later:
    """Verdicts, and what writes the rest of their report."""

    found: tuple[Findings, ...]
    write: Callable[[], Written]


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """Everything that was checked for one network on one engine.

    A report of `verify` knows its verdicts at once. Its rows, with formulas, true values and
    digits, are written when one is first looked at, printed, pickled or saved; nothing that can
    change meanwhile has a part in them. A report equals itself alone: `to_json` compares two.
    """

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

    def __getattr__(self, name: str) -> Any:
        """A field that is not there yet: Python asks for no others here."""
        later = self.__dict__.get(LATER)
        if name not in Written._fields or later is None:
            if name in self.__dict__:  # another thread has just written it
                return self.__dict__[name]
            raise AttributeError(f"'Report' object has no attribute {name!r}")
        self.__dict__.update(later.write()._asdict())
        self.__dict__.pop(LATER, None)
        return self.__dict__[name]

    def __getstate__(self) -> dict[str, Any]:
        """All fields, those that were not written yet, too: a copy knows no way to write them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __getitem__(self, name: str) -> GradientRow:
        """The gradient with respect to a tensor, on the last set of data."""
        rows = {row.name: row for row in self.batches[-1].gradients}
        if name not in rows:
            raise KeyError(f"There is no gradient with respect to {name}; of: {', '.join(rows)}.")
        return rows[name]

    @property
    def found(self) -> Sequence[Findings]:
        """The verdicts of each set of data; asking for them writes nothing."""
        later = self.__dict__.get(LATER)
        return self.batches if later is None else later.found

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every verdict of the report, in order."""
        found: list[str] = []
        for batch in self.found:
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
        for batch in self.found:
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

    def _repr_markdown_(self) -> str:
        said: str = import_module("gradproof.report.verdicts").markdown(self)
        return said

    def _repr_latex_(self) -> str:
        said: str = import_module("gradproof.report.verdicts").tex(self)
        return said

    def to_json(self) -> str:
        """The report as JSON; numbers are exact, infinities are strings."""
        return json.dumps(plain(asdict(self)), ensure_ascii=False, indent=1)


LATER = "later"
"""Under which name a report keeps what is still to be written."""


def written_later(later: Later, **known: Any) -> Report:
    """A report whose rows are written when one is first looked at.

    Args:
        later: its verdicts, and what writes it.
        known: all other fields.
    """
    report = object.__new__(Report)
    report.__dict__.update(known)
    report.__dict__[LATER] = later
    return report


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
