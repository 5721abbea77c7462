"""A network to a check that is called again and again: read, derived and proved once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from gradproof.bench import bench_of
from gradproof.core.errors import DataError, NetworkError, ShapeError
from gradproof.core.told import told
from gradproof.derivation.blanks import with_blanks_filled
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import carrier, check_dtype
from gradproof.engines.engine import Engine, load
from gradproof.judge.generic import check_inputs, check_seed, choose_sizes, draw, pairs
from gradproof.judge.plan import Plans
from gradproof.judge.program_identity import ProgramProof
from gradproof.judged import judged
from gradproof.report.report import Report
from gradproof.trace.paper import trace
from gradproof.trace.signature import Signature, read_signature, where_defined
from gradproof.trace.source import Source
from gradproof.trace.uniform import same_equations
from gradproof.workbench import (
    Study,
    check_sizes,
    choose_engine,
    name_of,
    programs_of,
    repeated,
    report_of,
    studied,
)


@final
@dataclass(frozen=True)
class Prepared:
    """A network that was read, derived and proved; each call runs the engine and judges it.

    Globals, closures and files that the code reads count as they were when it was prepared.
    """

    source: Source
    signature: Signature
    study: Study
    machine: Engine
    dtype: str
    program: ProgramProof | None
    plans: Plans = field(default_factory=Plans, compare=False)

    def __call__(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        sizes: Mapping[str, int] | None = None,
        seed: int | None = None,
    ) -> Report:
        """The report on some data, as `verify` makes it.

        Args:
            inputs: parameter names to arrays or lists of them, in the dtype that the check was
                prepared for; what is missing is drawn.
            sizes: numbers for size symbols; others are those of the arrays, or of the preparation.
            seed: of the data that is drawn, 0 if not given.

        Raises:
            ShapeError: arrays have other shapes than those that the check was prepared for. A size
                symbol may have another number, unless the code asks for it.
            DataError: an array has another dtype, or is none to check a gradient at.
            NetworkError: something does not hold, and the code is another program by now.
            GradproofError: the call is wrong otherwise.
        """
        check_seed(seed)
        check_inputs(inputs)
        inputs, seed = inputs or {}, 0 if seed is None else seed
        traced, _, proofs = self.study
        chosen = self._sizes(inputs, sizes or {})
        self._check_dtypes(inputs)
        arrays = draw(traced.signature, chosen, inputs, self.dtype, seed)
        title = told("your data") if inputs else told("generic data")
        bench = bench_of(title, traced, self.machine, self.dtype, chosen, arrays, proofs)
        found = judged(bench, self.plans)
        report = report_of(
            self.source.name, self.machine, self.dtype, seed, [(found, self.program)]
        )
        if not report.ok:
            self._check_code(chosen)
        return report

    def __repr__(self) -> str:
        said = ", ".join(f"{name} = {size}" for name, size in self.study.sizes.items())
        at = f" at {said}" if said else ""
        return f"<prepared check of {self.source.name}, {self.machine.title} {self.dtype}{at}>"

    def _sizes(self, inputs: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, int]:
        """A number for each size symbol, the prepared one where nothing says another."""
        paper, prepared = self.study.traced.paper, self.study.sizes
        unknown = sorted(set(inputs) - set(self.signature))
        if unknown:
            raise DataError(
                told(
                    "The network has no parameter {surplus}; it takes {found}.",
                    surplus=", ".join(unknown),
                    found=", ".join(self.signature),
                )
            )
        bound = {size for tensor, _ in pairs(self.signature, inputs) for size in tensor.shape}
        left = {name: size for name, size in prepared.items() if name not in bound}
        chosen = choose_sizes(self.signature, {**left, **sizes}, inputs)
        for symbol in sorted(paper.fixed):
            if chosen[symbol] != prepared[symbol]:
                raise ShapeError(
                    told(
                        "{symbol} is {size} here, and this check was prepared for {symbol} = "
                        "{number}: the code asks for that number.",
                        symbol=symbol,
                        size=chosen[symbol],
                        number=prepared[symbol],
                    ),
                    advice=told("Prepare another check for these sizes."),
                )
        check_sizes(paper, chosen)
        return chosen

    def _check_dtypes(self, inputs: Mapping[str, Any]) -> None:
        """That no array has to be rounded first: what is checked is the call's own data."""
        wanted = carrier(self.dtype)
        for tensor, value in pairs(self.signature, inputs):
            array = np.asarray(value)
            if array.dtype.kind == "f" and array.dtype != wanted:
                raise DataError(
                    told(
                        "{tensor} is {dtype}, and this check was prepared for {wanted}.",
                        tensor=tensor.name,
                        dtype=str(array.dtype),
                        wanted=self.dtype,
                    ),
                    advice=told(
                        "Convert it, {tensor}.astype(np.{wanted}), or prepare a check with "
                        'dtype="{dtype}".',
                        tensor=tensor.name,
                        wanted=wanted,
                        dtype=str(array.dtype),
                    ),
                )

    def _check_code(self, sizes: Mapping[str, int]) -> None:
        """That the code still is the program that was prepared: what does not hold may be that.

        Raises:
            NetworkError: it is not.
        """
        traced, source = self.study.traced, self.source
        again = trace(source.forward, source.backward, traced.signature, sizes)
        if same_equations(with_blanks_filled(again, traced.derivation), traced.paper):
            return
        raise NetworkError(
            told("{name} is another program than when it was prepared.", name=source.name),
            advice=told(
                "What it reads beside its arguments has changed, such as a global array or a "
                "setting: prepare it again."
            ),
            place=where_defined(source.forward),
        )


def prepare(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    seed: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Prepared:
    """A check of a network's gradients to be called in a loop, ``ready = prepare(net)`` and then
    ``ready({"x": x, "W": W})``: what does not depend on data is done here, once.

    Args:
        forward: the network, written as NumPy code; it returns the scalar loss.
        backward: your formulas for its gradients, or `None`.
        inputs: parameter names to arrays, shapes or lists of either; of arrays only the shapes are
            kept.
        engine: as for `verify`.
        dtype: as for `verify`.
        seed: of the proofs' random points, which are drawn from the system's randomness if it is
            not given.
        sizes: numbers for size symbols.

    Raises:
        GradproofError: the call or the input is wrong; the message says what to try.
    """
    check_dtype(dtype)
    check_seed(seed)
    check_inputs(inputs)
    source, inputs = Source(name_of(forward), forward, backward), inputs or {}
    machine = load(choose_engine(engine))
    contract_of(machine.name, dtype)
    chance = repeated(seed)
    study = studied(source, inputs, sizes or {}, chance, ())
    signature = read_signature(forward, inputs)
    program = programs_of(study.traced, machine, chance)
    return Prepared(source, signature, study, machine, dtype, program)
