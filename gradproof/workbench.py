"""The verbs, wired together: the only file that knows all workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.core.errors import DataError
from gradproof.core.program import Derivation, Equation, Paper, shapes
from gradproof.derive import derive as derive_program
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.engine import ENGINES, Engine, Run, installed, load
from gradproof.engines.numpy import record_plain, run_plain
from gradproof.ink.latex import latex
from gradproof.ink.terminal import text
from gradproof.report.report import Batch, ForwardRow, GradientRow, Report
from gradproof.trace.paper import trace
from gradproof.trace.signature import Signature, read_signature
from gradproof.trace.source import Source
from gradproof.verify.formula import judge_formula
from gradproof.verify.generic import by_parameter, choose_sizes, draw
from gradproof.verify.identity import Proof, prove
from gradproof.verify.stage import judge_stage
from gradproof.verify.truth import TrueValues, true_values
from gradproof.verify.verdict import FormulaVerdict
from gradproof.write.convention import Convention, shape_text
from gradproof.write.matrix import write

DTYPES = ("float32", "float64")
ROW = Convention("row")


@dataclass(frozen=True, slots=True)
class Traced:
    """A source with its program and its gradients."""

    source: Source
    signature: Signature
    paper: Paper
    derivation: Derivation


def derive(
    forward: Callable[..., Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Derivation:
    """The gradient of the loss that `forward` returns with respect to every value.

    Args:
        forward: the network, written as NumPy code; it returns a scalar.
        inputs: arrays or shapes for parameters without annotation.
        sizes: numbers for size symbols, for code that asks for a size.

    Raises:
        GradproofError: `forward` is not a network; the message names the line.
    """
    return read(Source(_name(forward), forward), inputs or {}, sizes or {})[0].derivation


def _name(forward: Any) -> str:
    return getattr(forward, "__name__", type(forward).__name__)


def read(
    source: Source, inputs: Mapping[str, Any], sizes: Mapping[str, int]
) -> tuple[Traced, dict[str, int]]:
    """The source traced and derived, with a number for each size symbol."""
    signature = read_signature(source.forward, inputs)
    chosen = choose_sizes(signature, sizes, inputs)
    paper = trace(source.forward, source.backward, signature, chosen)
    return Traced(source, signature, paper, derive_program(paper.forward)), chosen


def verify(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    seed: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Report:
    """Checks every gradient of a network: the formulas, and an engine's numbers.

    Args:
        forward: the network, written as NumPy code; it returns the scalar loss.
        backward: your formulas for its gradients, or `None`.
        inputs: parameter names to arrays, shapes or lists of either; what is missing is drawn.
        engine: ``"numpy"``, ``"tensorflow"``, ``"torch"``, ``"jax"`` or ``"auto"``.
        dtype: ``"float32"`` or ``"float64"``, in which the engine computes.
        seed: of the data that is drawn; 0 if not given.
        sizes: numbers for size symbols.

    Raises:
        GradproofError: the call or the input is wrong; the message says what to try.
    """
    source = Source(_name(forward), forward, backward)
    return verify_source(source, inputs or {}, engine, dtype, seed, sizes or {})


def verify_source(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int | None,
    sizes: Mapping[str, int],
) -> Report:
    """`verify` for a paper: its own samples are checked beside the data given or drawn."""
    if dtype not in DTYPES:
        raise DataError(f"The dtype {dtype!r} is not one of {', '.join(DTYPES)}.")
    seed = 0 if seed is None else seed
    traced, chosen = read(source, inputs, sizes)
    machine = load(choose_engine(engine))
    proofs = _proofs(traced)
    batches: list[Batch] = []
    if not inputs and not sizes:
        for title, sample in source.samples.items():
            sample_sizes = choose_sizes(traced.signature, {}, sample)
            arrays = draw(traced.signature, sample_sizes, sample, dtype, seed)
            batches.append(_batch(title, traced, machine, dtype, sample_sizes, arrays, proofs))
    arrays = draw(traced.signature, chosen, inputs, dtype, seed)
    title = "your data" if inputs else "generic data"
    batches.append(_batch(title, traced, machine, dtype, chosen, arrays, proofs))
    return Report(
        source.name,
        traced.paper.loss,
        dtype,
        seed,
        machine.title,
        machine.version(),
        _contract_words(machine.name, dtype),
        _shape_words(traced),
        tuple(batches),
        traced.paper.notes,
        _missing(),
    )


def choose_engine(name: str) -> str:
    """The engine meant by ``auto``: the first framework installed, else NumPy."""
    if name != "auto":
        return name
    here = installed()
    return next((n for n in ("tensorflow", "torch", "jax") if here[n]), "numpy")


def _missing() -> dict[str, str]:
    return {
        ENGINES[name].title: f'pip install "gradproof[{ENGINES[name].extra}]"'
        for name, present in installed().items()
        if not present and ENGINES[name].extra
    }


def _contract_words(engine: str, dtype: str) -> str:
    c = contract_of(engine, dtype)
    return f"u = 2^{int(np.log2(float(c.u_store)))}, elementary functions within {c.elementary:g} u"


def _shape_words(traced: Traced) -> dict[str, str]:
    return {n: shape_text(s, ROW) for n, s in shapes(traced.paper.forward).items()}


def _proofs(traced: Traced) -> dict[str, Proof]:
    if not traced.paper.claims:
        return {}
    return prove(traced.paper, traced.derivation)


def _batch(
    title: str,
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    proofs: Mapping[str, Proof],
) -> Batch:
    paper, source = traced.paper, traced.source
    arguments = by_parameter(traced.signature, arrays)
    run = engine.run(source.forward, arguments, paper.operations, paper.loss, dtype)
    constants = {n: np.asarray(a).astype(dtype) for n, a in paper.constants.items()}
    inputs = {**{n: np.asarray(a) for n, a in arrays.items()}, **constants}
    programs = [paper.forward, traced.derivation.backward]
    if paper.backward is not None:
        programs.append(paper.backward)
    truth = true_values(tuple(programs), inputs, sizes)
    plain = record_plain(source.forward, arguments, paper.operations, dtype).values
    hand = _hand_values(traced, {**inputs, **plain}, dtype)
    native = _native(source, engine, arguments, dtype)
    forward = tuple(
        _forward_row(e, traced, run, native, {**inputs, **plain}, constants, sizes, engine, truth)
        for e in paper.forward.equations
        if e.target in run.values
    )
    gradients = tuple(
        _gradient_row(of, traced, run, constants, hand, sizes, engine, truth, proofs)
        for of in traced.derivation.gradients
    )
    return Batch(title, dict(sizes), dict(arrays), forward, gradients)


def _native(
    source: Source, engine: Engine, arguments: Mapping[str, Any], dtype: str
) -> dict[str, np.ndarray]:
    layers = source.native.get(engine.name)
    return {} if layers is None else engine.native(layers, arguments, dtype)


def _hand_values(
    traced: Traced, values: Mapping[str, np.ndarray], dtype: str
) -> dict[str, np.ndarray]:
    """What the user's own backward returns on plain arrays, by the tensor it claims."""
    source, paper = traced.source, traced.paper
    if source.backward is None:
        return {}
    arguments = {
        name: [values[t] for t in tensor]
        if isinstance(tensor, tuple)
        else values[tensor]
        if isinstance(tensor, str) and tensor in values
        else tensor
        for name, tensor in paper.parameters.items()
    }
    result = run_plain(source.backward, arguments, dtype)
    flat: dict[str, np.ndarray] = {}
    for key, value in result.items():
        if isinstance(value, list | tuple):
            flat.update({f"{key}[{k}]": np.asarray(v) for k, v in enumerate(value, 1)})
        elif isinstance(value, np.ndarray | np.generic):
            flat[key] = np.asarray(value)
    return {c.of: flat[c.name] for c in paper.claims if c.name in flat}


def _forward_row(
    equation: Equation,
    traced: Traced,
    run: Run,
    native: Mapping[str, np.ndarray],
    plain: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    engine: Engine,
    truth: TrueValues,
) -> ForwardRow:
    name = equation.target
    contract = contract_of(engine.name, run.dtype)
    balls = truth.balls[name]
    verdict = judge_stage(
        equation, run.values[name], {**run.values, **constants}, sizes, contract, balls
    )
    native_verdict = None
    if name in native:
        operands = {**run.values, **constants, **native}
        native_verdict = judge_stage(equation, native[name], operands, sizes, contract, balls)
    return ForwardRow(
        name,
        shape_text(_shape(equation), ROW),
        text(write(equation, ROW)),
        verdict,
        run.values[name],
        native.get(name),
        native_verdict,
        plain[name],
    )


def _shape(equation: Equation) -> tuple[Any, ...]:
    return tuple(index.size for index in equation.free)


def _gradient_row(
    of: str,
    traced: Traced,
    run: Run,
    constants: Mapping[str, np.ndarray],
    hand: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    engine: Engine,
    truth: TrueValues,
    proofs: Mapping[str, Proof],
) -> GradientRow:
    derivation, paper = traced.derivation, traced.paper
    step = next(s for s in derivation.steps if s.of == of)
    symbol = derivation.gradients[of]
    balls = truth.balls[symbol]
    uncollected = Equation(symbol, step.equation.free, step.raw)
    gradients = {
        derivation.gradients[n]: g for n, g in run.gradients.items() if n in derivation.gradients
    }
    operands = {**run.values, **constants, **gradients}
    verdict = judge_stage(
        uncollected, run.gradients[of], operands, sizes, contract_of(engine.name, run.dtype), balls
    )
    claim = next((c for c in paper.claims if c.of == of), None)
    if claim is None or paper.backward is None:
        claimed, line, formula = None, "", FormulaVerdict("derived", "no formula of yours")
    else:
        names = {c.name: derivation.gradients[c.of] for c in paper.claims}
        own = next(e for e in paper.backward.equations if e.target == claim.name)
        claimed = text(write(own, ROW, names))
        line = f"{claim.place.file}:{claim.place.line}" if claim.place else ""
        formula = judge_formula(claim, paper, derivation, proofs[of], truth, sizes)
    nearest = np.array([float(b.mid()) for b in balls.flat]).reshape(balls.shape)
    return GradientRow(
        of,
        symbol,
        shape_text(_shape(step.equation), ROW),
        text(write(step.equation, ROW)),
        claimed,
        line,
        formula,
        verdict,
        run.gradients[of],
        hand.get(of),
        nearest,
        of in derivation.zero,
    )


def derivation_page(traced: Traced, vectors: str, form: str) -> str:
    """The forward and the gradient equations, with the shape of each, as text or LaTeX."""
    convention = Convention(vectors)  # type: ignore[arg-type]
    derivation = traced.derivation
    if form == "latex":
        lines = [
            latex(write(e, convention))
            for e in (*derivation.forward.equations, *derivation.backward.equations)
        ]
        body = " \\\\\n".join(line.replace("=", "&=", 1) for line in lines)
        return "\\begin{align*}\n" + body + "\n\\end{align*}"
    inputs = [f"  {t.name}  {shape_text(t.shape, convention)}" for t in derivation.forward.inputs]
    parts = [f"{traced.source.name}, in {vectors} convention", "", "Inputs", *inputs]
    for title, equations in (
        ("Forward", derivation.forward.equations),
        ("Gradients, back to front", derivation.backward.equations),
    ):
        written = [text(write(e, convention)) for e in equations]
        width = max((len(line) for line in written), default=0)
        parts += ["", title]
        parts += [
            f"  {line:<{width}}   {shape_text(_shape(e), convention)}"
            for line, e in zip(written, equations, strict=True)
        ]
    if derivation.zero:
        parts += ["", f"The loss does not depend on {', '.join(derivation.zero)}: zero."]
    return "\n".join([*parts, *([""] if traced.paper.notes else []), *traced.paper.notes])
