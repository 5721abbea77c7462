"""The verbs, wired together: the only file that knows all workers."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradproof.core.errors import ClaimShape, DataError, GradproofError, NetworkError, NotYet
from gradproof.core.index import Size
from gradproof.core.nested import each
from gradproof.core.program import (
    Claim,
    Derivation,
    Equation,
    Named,
    Paper,
    Program,
    Step,
    counts,
    shape_of,
    shapes,
)
from gradproof.core.term import reads
from gradproof.core.told import told, told_as_is, told_lines, told_list
from gradproof.derivation import SYMBOLS
from gradproof.derivation import derive as derive_program
from gradproof.derivation.blanks import with_blanks_filled
from gradproof.engines.arithmetic import Value
from gradproof.engines.backward_program import BackwardProgram
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import carrier, check_dtype, in_dtype
from gradproof.engines.engine import ENGINES, Engine, Run, installed, load
from gradproof.engines.numpy import record_plain, run_plain
from gradproof.judge.breach import explain_breach
from gradproof.judge.formula import judge_formula
from gradproof.judge.generic import by_parameter, check_seed, choose_sizes, draw
from gradproof.judge.heat import shares
from gradproof.judge.identity import Proof, prove
from gradproof.judge.kink import Kink, kinks, sentence, tied_values
from gradproof.judge.layers import Layers, compared, judge_layer, run_layers
from gradproof.judge.normal_form import claims_written_out
from gradproof.judge.program_identity import Capture, ProgramProof, prove_program
from gradproof.judge.stage import judge_stage, stage_middle
from gradproof.judge.truth import TrueValues, digits_in_common, middle, true_values
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict
from gradproof.prims.caller import reported
from gradproof.report.cards import AS_IN_CODE, document
from gradproof.report.console import proof_lines
from gradproof.report.diagnosis import with_mistake, with_reasons
from gradproof.report.document import Document, Listing
from gradproof.report.equations import BRIEF, MATRIX, STEPS, Equations, check_layout, convention_of
from gradproof.report.evidence import with_certificates, witness_note
from gradproof.report.looks import Looks
from gradproof.report.notebook import Code, notebook
from gradproof.report.program import program_said
from gradproof.report.report import (
    Batch,
    ForwardRow,
    GradientRow,
    Report,
    with_program,
)
from gradproof.report.sheet import Sheet, shape_words, sheet_of
from gradproof.trace.graph import too_small
from gradproof.trace.paper import trace
from gradproof.trace.parts import file_of, functions, names_in, package_of, surroundings, text_of
from gradproof.trace.signature import (
    Signature,
    read_signature,
    symbols,
    tensors,
    where_defined,
    with_one,
)
from gradproof.trace.source import Source
from gradproof.trace.uniform import same_equations, trace_uniformly
from gradproof.words.say import ENGLISH
from gradproof.write.convention import Convention
from gradproof.write.orient import oriented
from gradproof.write.rolled import page_of


@dataclass(frozen=True, slots=True)
class Traced:
    """A source with its program and its gradients."""

    source: Source
    signature: Signature
    paper: Paper
    derivation: Derivation
    layout: Convention


def derive(
    forward: Callable[..., Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    gradient: str = "partial",
    layout: str = "gradient",
    layers: str = "subscript",
    one: str = "",
) -> Equations:
    """The gradient of the loss that `forward` returns with respect to every value.

    Args:
        forward: the network, written as NumPy code; it returns a scalar.
        inputs: arrays or shapes for parameters without annotation.
        sizes: numbers for size symbols, for code that asks for a size.
        gradient: ``"partial"``, ``"delta"`` or ``"bar"``: gradients are written ``∂l/∂z``, ``δz``
            or ``z̄``.
        layout: ``"gradient"``, ``∂l/∂W`` has the shape of W, or ``"jacobian"``, that of Wᵀ.
        layers: ``"subscript"`` or ``"superscript"``, where the number of a layer stands: W2 is
            ``W₂`` or ``W⁽²⁾``.
        one: a size symbol that is 1, such as the number of samples: vectors stand in the place of
            the batch's matrices, and no sum is over it.

    Raises:
        GradproofError: `forward` is not a network; the message names the line.
    """
    source = Source(name_of(forward), forward)
    return derive_source(source, inputs or {}, sizes or {}, gradient, layout, layers, one)


def derive_source(
    source: Source,
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    gradient: str = "partial",
    layout: str = "gradient",
    layers: str = "subscript",
    one: str = "",
) -> Equations:
    """`derive` for a paper; formulas of its own have no part in it."""
    check_looks(Looks(gradient=gradient, layout=layout, layers=layers))
    source = replace(source, backward=None)
    traced, chosen = read(source, inputs, sizes, one)
    if one:
        _check_single(traced, one)
    found = Equations(
        source.name, _signed(traced, gradient), traced.paper.notes, layout=layout, layers=layers
    )
    asked = [s for s in symbols(read_signature(source.forward, inputs)) if s in chosen]
    asked = [s for s in asked if s not in symbols(traced.signature)]
    if not asked:
        return found
    lengths = {symbol: chosen[symbol] for symbol in asked}
    longer = _for_all_lengths(found, source, inputs, lengths, gradient, one)
    return replace(longer, layout=layout, layers=layers)


def _check_single(traced: Traced, one: str) -> None:
    """That a page for one sample has rows and columns alone.

    Raises:
        NotYet: a value, or what is left of an input in a turn of a loop, has more than two axes, of
            which one is that of the single sample.
    """
    for equation in traced.paper.forward.equations:
        shape = shape_of(equation)
        if len(shape) > MATRIX_AXES and 1 in shape:
            raise NotYet(
                told(
                    "{name} has {count} axes and would keep that of {one}, over one element.",
                    name=equation.target,
                    count=len(shape),
                    one=one,
                ),
                advice=told("Leave --one out: the page has each sample's matrix by itself."),
                place=equation.place,
            )
    cut = page_of(traced.derivation, traced.layout).cut
    for tensor in traced.paper.forward.inputs:
        shape = [size for axis, size in enumerate(tensor.shape) if (tensor.name, axis) not in cut]
        if len(shape) > MATRIX_AXES and 1 in shape:
            raise NotYet(
                told(
                    "{name} has {count} axes and would keep that of {one}, over one element.",
                    name=tensor.name,
                    count=len(shape),
                    one=one,
                ),
                advice=told("Leave --one out: the page has each sample's matrix by itself."),
            )


def _signed(traced: Traced, gradient: str) -> Derivation:
    """The derivation with its gradients under other names."""
    if gradient == "partial":
        return traced.derivation
    return derive_program(traced.paper.forward, SYMBOLS[gradient])


MATRIX_AXES = 2

LENGTHS = range(5, 50)
"""Lengths of loops that may be compared; those that are another axis' size are left out."""


def _for_all_lengths(
    found: Equations,
    source: Source,
    inputs: Mapping[str, Any],
    asked: Mapping[str, int],
    gradient: str,
    one_size: str,
) -> Equations:
    """The equations with a symbol for the length of a loop, if they are the same at others."""
    if len(asked) != 1 or any(not isinstance(v, str | tuple) for v in inputs.values()):
        return found
    ((symbol, _),) = asked.items()
    taken = {size for t in tensors(read_signature(source.forward, inputs)) for size in t.shape}
    one, other, last = [n for n in LENGTHS if n not in taken][:3]
    pages = []
    for length in (one, other, last):
        try:
            traced, _ = read(source, inputs, {symbol: length}, one_size)
        except GradproofError:
            return found
        words = {length: symbol, length - 1: f"{symbol}−1", length + 1: f"{symbol}+1"}
        pages.append(Equations(source.name, _signed(traced, gradient), (), words))
    if len({page.to_text() for page in pages}) > 1:
        return found
    note = told(
        "The loops were compared at {symbol} = {one}, {other} and {last}: only their bounds "
        "differ.",
        symbol=symbol,
        one=one,
        other=other,
        last=last,
    )
    return replace(pages[0], notes=(note,))


def name_of(forward: Any) -> str:
    return getattr(forward, "__name__", type(forward).__name__)


def read(
    source: Source, inputs: Mapping[str, Any], sizes: Mapping[str, int], one: str = ""
) -> tuple[Traced, dict[str, int]]:
    """The source traced and derived, with a number for each size symbol; `one` of them is 1."""
    signature = read_signature(source.forward, inputs)
    signature = with_one(signature, one) if one else signature
    chosen = choose_sizes(signature, sizes, inputs)
    try:
        paper, signature = trace_uniformly(source.forward, source.backward, signature, chosen)
    except ClaimShape as problem:
        loose = trace(source.forward, source.backward, signature, chosen, any_shape=True)
        raise with_mistake(problem, loose, derive_program(loose.forward), chosen) from problem
    derivation = derive_program(paper.forward)
    paper = with_blanks_filled(paper, derivation)
    layout = oriented(derivation, Convention("row"))
    return Traced(source, signature, paper, derivation, layout), chosen


def verify(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    seed: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    certificates: bool = False,
    witness: bool = False,
) -> Report:
    """Checks every gradient of a network: the formulas, and an engine's numbers.

    Args:
        forward: the network, written as NumPy code; it returns the scalar loss.
        backward: your formulas for its gradients, or `None`.
        inputs: parameter names to arrays, shapes or lists of either; what is missing is drawn.
        engine: ``"numpy"``, ``"tensorflow"``, ``"torch"``, ``"jax"`` or ``"auto"``.
        dtype: ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``, in which the engine
            computes.
        seed: of the data that is drawn, 0 if not given; if given, of the proofs' random points too.
        sizes: numbers for size symbols.
        certificates: whether each refuted formula comes with its certificate.
        witness: whether each derived gradient is compared with a certified derivative in a random
            direction that no derivative rule had a part in; a note of the report says the result.

    Raises:
        GradproofError: the call or the input is wrong; the message says what to try.
    """
    source = Source(name_of(forward), forward, backward)
    return verify_source(
        source,
        inputs or {},
        engine,
        dtype,
        seed,
        sizes or {},
        certificates=certificates,
        witness=witness,
    )


def verify_source(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int | None,
    sizes: Mapping[str, int],
    *,
    certificates: bool = False,
    witness: bool = False,
    pictures: bool = False,
    one: str = "",
    studies: dict[str, Study] | None = None,
) -> Report:
    """`verify` for a paper: its own samples are checked beside the data given or drawn.

    With `pictures` every row says how much of its bound each element uses. With `one` that size
    symbol is 1, and the paper's samples, which have more, are left out. `studies` are those of
    earlier calls with the same source, inputs, sizes and seed, which may differ in engine and
    dtype: what is there is not done again, and what is not is put there.
    """
    check_dtype(dtype)
    check_seed(seed)
    # Proofs are drawn from the system's randomness unless a repetition is asked for.
    chance = None if seed is None else hashlib.sha256(f"proof {seed}".encode()).digest()
    seed = 0 if seed is None else seed
    machine = load(choose_engine(engine))
    contract_of(machine.name, dtype)  # before anything is run: the engine may lack the dtype
    data: list[tuple[str, Mapping[str, Any]]] = []
    if not inputs and not sizes and not one:
        data += ((told_as_is(title), sample) for title, sample in source.samples.items())
    data.append((told("your data") if inputs else told("generic data"), inputs))
    batches: list[Batch] = []
    notes: list[str] = []
    studies = {} if studies is None else studies
    programs: dict[Program, ProgramProof | None] = {}
    for title, given in data:
        if title not in studies:
            studies[title] = _studied(source, given, sizes, chance, tuple(studies.values()), one)
        traced, chosen, proofs = studies[title]
        arrays = draw(traced.signature, chosen, given, dtype, seed)
        program = traced.paper.forward
        if program not in programs:
            capture = capture_of(traced, machine)
            programs[program] = prove_program(traced.paper, traced.derivation, capture, chance)
        batch = _batch(title, traced, machine, dtype, chosen, arrays, proofs, pictures=pictures)
        batch = with_program(batch, programs[program])
        constants = constants_of(traced.paper, dtype)
        if certificates:
            batch = with_certificates(batch, traced.paper, constants, source.name)
        if witness:
            notes.append(witness_note(batch, traced.derivation, constants, seed))
        batches.append(batch)
    return Report(
        source.name,
        traced.paper.loss,
        dtype,
        seed,
        machine.title,
        machine.version(),
        contract_words(contract_of(machine.name, dtype)),
        _shape_words(traced),
        tuple(batches),
        (*traced.paper.notes, *_dtype_notes(dtype), *notes),
        _missing(),
    )


class Study(NamedTuple):
    """A paper as it was read, its sizes and its proofs: what no engine and no dtype changes."""

    traced: Traced
    sizes: Mapping[str, int]
    proofs: Mapping[str, Proof]


def _studied(
    source: Source,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    chance: bytes | None,
    others: Sequence[Study],
    one: str = "",
) -> Study:
    """A source read and proved; the samples of a paper share proofs with its generic data."""
    traced, chosen = read(source, given, sizes, one)
    check_sizes(traced.paper, chosen)
    known = (study.proofs for study in others if _same(study.traced.paper, traced.paper))
    proofs = next(known, None)
    return Study(traced, chosen, proofs_of(traced, chance) if proofs is None else proofs)


def check_sizes(paper: Paper, sizes: Mapping[str, int]) -> None:
    """That every constant position is there.

    Raises:
        ShapeError: a size is too small.
    """
    for least in paper.least:
        if sizes[least.symbol] < least.size:
            raise too_small(least, sizes[least.symbol])


def document_source(
    source: Source,
    inputs: Mapping[str, Any],
    reports: Sequence[Report],
    sizes: Mapping[str, int],
    *,
    what: str = "",
    command: str = "",
    looks: Looks = AS_IN_CODE,
) -> Document:
    """Everything about one network that a page shows.

    Args:
        source: the network.
        inputs: as `verify_source` had them.
        reports: of this network on these inputs, one for each engine, with pictures.
        sizes: as `verify_source` had them.
        what: what the network is, a sentence.
        command: the words that make the page again.
        looks: how its equations are written; the reports are of its one sample, if it says so.

    Raises:
        DataError: one of the looks is none of its words.
        NotYet: a page for one sample would keep an axis over it.
    """
    check_looks(looks)
    traced, _ = read(source, inputs, sizes, looks.one)
    if looks.one:
        _check_single(traced, looks.one)
    derivation = _signed(traced, looks.gradient)
    convention = convention_of(looks.vectors, derivation, looks.style, looks.layout)
    last = [(report.batches[-1], report.engine) for report in reports]
    return document(
        reports,
        sheet_of(traced.paper, derivation, convention),
        what=what,
        command=command,
        listing=_listing(source),
        proofs=tuple(proof_lines(reports[0])),
        programs=tuple(
            told_lines(program_said(batch, batch.program, engine))
            for batch, engine in last
            if batch.program is not None
        ),
        looks=looks,
    )


def check_looks(looks: Looks) -> None:
    """That there are such looks.

    Raises:
        DataError: one of them is none of its words.
    """
    check_layout(looks.layout, looks.layers)
    if looks.gradient not in SYMBOLS:
        raise DataError(
            told(
                "A gradient is written as {signs}, not {gradient}.",
                signs=told_list(list(SYMBOLS)),
                gradient=looks.gradient,
            )
        )


def notebook_source(
    source: Source,
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    engine: str,
    vectors: str = "row",
    *,
    how: Mapping[str, str] | None = None,
    detail: str = STEPS,
    style: str = MATRIX,
    lang: str = ENGLISH,
    what: str = "",
) -> str:
    """A notebook that derives a network and verifies it on an engine, as JSON.

    Args:
        source: the network, in a file.
        inputs: as for `derive_source`.
        sizes: as for `derive_source`.
        engine: on which the notebook's cells verify, or ``"auto"``.
        vectors: the convention of its equations.
        how: its `gradient`, `layout` and `layers`, as for `derive`.
        detail: as for `Equations.to_text`; the steps are there to be unfolded below each gradient.
        style: as for `Equations.to_text`.
        lang: as for `Equations.to_text`; its cells print in this language too.
        what: what the network is, a sentence.

    Raises:
        NetworkError: the network has no file to take its functions from.
    """
    nowhere = told("{source} has no file to make a notebook from.", source=source.name)
    text = file_of(source, nowhere).read_text(encoding="utf-8")
    tree = ast.parse(text)
    defined = functions(tree)
    chosen = [defined[name] for name in ("forward", "backward") if name in defined]
    around = surroundings(tree, text, frozenset[str]().union(*map(names_in, chosen)))
    shown = [text_of(part, text) for part in chosen]
    head = "\n\n\n".join(["\n".join(around.imports), *around.others])
    code = Code(head, shown[0], "".join(shown[1:]), package_of(tree))
    equations = derive_source(source, inputs, sizes, **(how or {}))
    steps = None if detail == BRIEF else equations.steps(vectors, detail=detail, style=style)
    page = equations.rows(vectors, style, lang)
    return notebook(page, code, choose_engine(engine), what, steps=steps, lang=lang)


def _listing(source: Source) -> Listing | None:
    """The file in which forward stands; `None` for a function without source."""
    try:
        path = inspect.getsourcefile(source.forward)
        lines, _ = inspect.findsource(source.forward)
    except (OSError, TypeError):
        return None
    if path is None:
        return None
    return Listing(Path(path).name, tuple(line.rstrip("\n") for line in lines))


def choose_engine(name: str) -> str:
    """The engine meant by ``auto``: the first framework installed, else NumPy."""
    if name != "auto":
        return name
    here = installed()
    return next((n for n in ENGINES if here[n] and n != "numpy"), "numpy")


def _missing() -> dict[str, str]:
    return {
        ENGINES[name].title: f'pip install "gradproof[{ENGINES[name].extra}]"'
        for name, present in installed().items()
        if not present and ENGINES[name].extra
    }


def contract_words(c: Contract) -> str:
    """What an engine may do, in a few words."""
    most = max(units for name, units in c.elementary.items() if name != "other")
    words = told(
        "u = 2^{power}, elementary functions within {most} u",
        power=int(np.log2(float(c.u_store))),
        most=most,
    )
    if c.u_accumulate != c.u_store:
        sums = c.dtype if c.low_sums else "float32"
        words = told("{words}, sums in {dtype} or in stored parts", words=words, dtype=sums)
    if c.rounding == "faithful":
        words = told("{words}, products may truncate", words=words)
    return words


def _dtype_notes(dtype: str) -> tuple[str, ...]:
    if carrier(dtype) == dtype:
        return ()
    return (
        told(
            "What stands under “by formula” is {carrier}: NumPy has no {dtype}.",
            carrier=carrier(dtype),
            dtype=dtype,
        ),
    )


def _shapes(traced: Traced) -> dict[str, tuple[Size, ...]]:
    """The shape of every tensor that a formula may read."""
    paper = traced.paper
    programs = [paper.forward, traced.derivation.backward]
    if paper.backward is not None:
        programs.append(paper.backward)
    return {name: shape for program in programs for name, shape in shapes(program).items()}


def _shape_words(traced: Traced) -> dict[str, str]:
    return {n: shape_words(n, s, traced.layout) for n, s in shapes(traced.paper.forward).items()}


def _same(one: Paper, other: Paper) -> bool:
    """Whether what is proved of one paper is proved of the other, for the same sizes."""
    return one.fixed == other.fixed and same_equations(one, other)


def proofs_of(traced: Traced, chance: bytes | None = None) -> dict[str, Proof]:
    """What is proved of each claim; `chance` repeats the random points of an earlier run."""
    if not traced.paper.claims:
        return {}
    return prove(traced.paper, traced.derivation, chance)


def capture_of(traced: Traced, engine: Engine) -> Capture:
    """What writes down the engine's own backward program at given sizes."""
    paper, signature = traced.paper, traced.signature

    def capture(sizes: Mapping[str, int]) -> BackwardProgram | None:
        # Any numbers will do, but matrices of equal ones have no inverse.
        arrays = draw(signature, sizes, {}, "float64", 0)
        arguments = by_parameter(signature, arrays)
        return engine.backward_program(
            traced.source.forward, arguments, paper.operations, paper.loss
        )

    return capture


@dataclass(frozen=True, slots=True)
class Bench:
    """One set of data on one engine: everything that its rows are made from."""

    traced: Traced
    run: Run
    title: str
    sizes: Mapping[str, int]
    contract: Contract
    truth: TrueValues
    digits: Mapping[str, float]
    middles: Mapping[str, np.ndarray]
    operands: Mapping[str, np.ndarray]
    plain: Mapping[str, np.ndarray]
    layers: Layers | None
    hand: Mapping[str, np.ndarray]
    written: Mapping[str, Equation]
    kinks: Mapping[str, Kink]
    tied: Mapping[str, np.ndarray]
    proofs: Mapping[str, Proof]
    claims: Mapping[str, Claim]
    shapes: Mapping[str, tuple[Size, ...]]
    sheet: Sheet
    scaled: Mapping[str, int]
    pictures: bool = False


def _batch(
    title: str,
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    proofs: Mapping[str, Proof],
    *,
    pictures: bool = False,
) -> Batch:
    bench = bench_of(title, traced, engine, dtype, sizes, arrays, proofs)
    bench = replace(bench, pictures=pictures)
    forward = tuple(
        _forward_row(equation, bench)
        for equation in traced.paper.forward.equations
        if equation.target in bench.run.values
    )
    own = {e.target: e for e in traced.paper.backward.equations} if traced.paper.backward else {}
    rows = tuple(_gradient_row(step, bench, own) for step in traced.derivation.steps)
    gradients = with_reasons(rows, traced.paper, traced.derivation, sizes, proofs, bench.shapes)
    return Batch(
        title,
        dict(sizes),
        dict(arrays),
        forward,
        gradients,
        own=bench.sheet.own_values(),
        forward_loops=bench.sheet.forward_loops(),
        starts=bench.sheet.starts(),
        gradient_loops=bench.sheet.gradient_loops(),
    )


def constants_of(paper: Paper, dtype: str) -> dict[str, np.ndarray]:
    """The plain arrays that the functions brought along."""
    return {
        # Whole numbers, such as an axis' positions, are compared and stay exact.
        n: a if np.asarray(a).dtype.kind in "iu" and counts(n) else in_dtype(np.asarray(a), dtype)
        for n, a in paper.constants.items()
    }


def bench_of(
    title: str,
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    proofs: Mapping[str, Proof],
) -> Bench:
    paper, source, derivation = traced.paper, traced.source, traced.derivation
    arguments = by_parameter(traced.signature, arrays)
    run = engine.run(source.forward, arguments, paper.operations, paper.loss, dtype)
    constants = constants_of(paper, dtype)
    inputs = {**arrays, **constants}
    programs = [paper.forward, derivation.backward]
    if paper.backward is not None:
        programs.append(paper.backward)
    plain = {
        **inputs,
        **record_plain(source.forward, arguments, paper.operations, carrier(dtype)).values,
    }
    gradients = {
        derivation.gradients[n]: g for n, g in run.gradients.items() if n in derivation.gradients
    }
    contract = contract_of(engine.name, dtype)
    operands = {**constants, **run.values, **gradients}
    layers = _layers(traced, engine, dtype, sizes, inputs)
    # Only what is compared again later stays: the rest are digits, and the gradients' middles.
    kept = compared(layers, derivation) if paper.backward is None else None
    computed = {**run.values, **gradients}
    digits: dict[str, float] = {}
    middles: dict[str, np.ndarray] = {}
    symbols_of = frozenset(derivation.gradients.values())

    def look(name: str, value: Value) -> None:
        if name in computed and computed[name].shape == value[0].shape:
            digits[name] = digits_in_common(computed[name], value)
        if name in symbols_of:
            middles[name] = middle(value)

    truth = true_values(tuple(programs), inputs, sizes, kept=kept, look=look)
    missing = {
        of: middles[derivation.gradients[of]].astype(carrier(dtype)) for of in paper.blanks.values()
    }
    plain.update({derivation.gradients[of]: array for of, array in missing.items()})
    return Bench(
        traced,
        run,
        engine.title,
        sizes,
        contract,
        truth,
        digits,
        middles,
        operands,
        plain,
        layers,
        _hand_values(traced, plain, missing),
        claims_written_out(paper),
        kinks(paper.forward, operands, sizes, contract),
        tied_values(paper.forward, operands, sizes, contract),
        proofs,
        {claim.of: claim for claim in paper.claims},
        _shapes(traced),
        sheet_of(paper, traced.derivation, traced.layout),
        _scaled(paper),
    )


def _layers(
    traced: Traced,
    engine: Engine,
    dtype: str,
    sizes: Mapping[str, int],
    inputs: Mapping[str, np.ndarray],
) -> Layers | None:
    """What the engine's own layers give, where the source has them."""
    native = traced.source.native.get(engine.name)
    if native is None:
        return None
    arguments = by_parameter(traced.signature, inputs)
    return run_layers(native, engine, dtype, traced.derivation, arguments, inputs, sizes)


def _layer(
    name: str, equation: Equation, bench: Bench, *, gradient: bool
) -> tuple[np.ndarray | None, EngineVerdict | None]:
    if bench.layers is None:
        return None, None
    true = bench.truth.values.get(equation.target)
    computed, verdict = judge_layer(name, equation, bench.layers, true, gradient=gradient)
    if gradient and verdict is not None and verdict.kind == "refuted" and bench.kinks:
        # End to end a slope that was chosen anywhere after a tensor is in its gradient.
        kink = bench.kinks.get(name) or next(iter(bench.kinks.values()))
        said = sentence(kink, load(bench.run.engine), bench.contract.dtype)
        verdict = replace(verdict, kind="undecided", because=said)
    return computed, verdict


def _hand_values(
    traced: Traced, values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the user's own backward returns on plain arrays, by the tensor it claims; where it has
    blanks, from the `missing` gradients."""
    source, paper = traced.source, traced.paper
    if source.backward is None:
        return {}

    def entered(item: Any) -> Any:
        return values[item.name] if isinstance(item, Named) else item

    arguments = {name: each(value, entered) for name, value in paper.parameters.items()}
    flat: dict[str, np.ndarray] = {}
    with reported(source.backward):
        gradients = {id(values[of]): array for of, array in missing.items()}
        returned = run_plain(source.backward, arguments, gradients)
    if not isinstance(returned, dict):
        raise NetworkError(
            told(
                "backward, run on plain arrays, returns {kind}, not its formulas.",
                kind=type(returned).__name__,
            ),
            advice=told("End it with  return locals()"),
            place=where_defined(source.backward),
        )
    for key, value in returned.items():
        several = isinstance(value, list | tuple)
        named = ((f"{key}[{k}]", v) for k, v in enumerate(value, 1)) if several else [(key, value)]
        flat.update((n, np.asarray(v)) for n, v in named if isinstance(v, np.ndarray | np.generic))
    spelled = {claim.of: claim.name.rstrip("'") for claim in paper.claims}
    # Of a name that a loop binds at every turn a function returns the last value.
    last = {c.name.partition("[")[0]: c.name.rstrip("'") for c in paper.claims if c.turn}
    flat.update({name: flat[key] for key, name in last.items() if key in flat})
    return {of: flat[name] for of, name in spelled.items() if name in flat}


def _judged(
    equation: Equation,
    computed: np.ndarray,
    operands: Mapping[str, np.ndarray],
    bench: Bench,
    scaled: int,
) -> EngineVerdict:
    """The verdict on one stage; a refuted one says so where the engine's functions are at fault."""
    verdict = judge_stage(equation, computed, operands, bench.sizes, bench.contract, None, scaled)
    digits = bench.digits.get(equation.target, float("nan"))
    verdict = replace(verdict, digits=digits if np.isnan(verdict.digits) else verdict.digits)
    if verdict.kind == "refuted":
        engine = load(bench.run.engine)
        because = explain_breach(equation, operands, bench.sizes, engine, bench.contract)
        verdict = replace(verdict, because=because or verdict.because)
    return verdict


def _forward_row(equation: Equation, bench: Bench) -> ForwardRow:
    name = equation.target
    scaled = bench.traced.paper.scalings.get(name, 0)
    verdict = _judged(equation, bench.run.values[name], bench.operands, bench, scaled)
    return ForwardRow(
        name,
        shape_words(name, shape_of(equation), bench.traced.layout),
        bench.sheet.on(equation),
        verdict,
        bench.run.values[name],
        *_layer(name, equation, bench, gradient=False),
        bench.plain[name],
        _heat(equation, bench.run.values[name], bench, scaled),
    )


def _scaled(paper: Paper) -> dict[str, int]:
    """How many constants multiply each tensor's gradient, at most: those that the tensor meets, in
    what is worked out again and in what is passed back."""
    found: dict[str, int] = {}
    for equation in paper.forward.equations:
        count = 2 * paper.scalings.get(equation.target, 0)
        if count:
            for read in reads(equation.term):
                found[read.tensor] = max(found.get(read.tensor, 0), count)
    return found


def _heat(equation: Equation, computed: np.ndarray, bench: Bench, scaled: int) -> np.ndarray | None:
    """How much of its bound each element uses, where a picture was asked for."""
    if not bench.pictures:
        return None
    return shares(equation, computed, bench.operands, bench.sizes, bench.contract, scaled)


def _beside_kink(
    kink: Kink, equation: Equation, verdict: EngineVerdict, bench: Bench
) -> EngineVerdict:
    """The verdict where an engine chose a slope: what is no kink is judged as ever."""
    computed = bench.run.gradients[kink.tensor]
    if kink.spots is not None:
        exact = stage_middle(equation, bench.operands, bench.sizes, bench.contract)
        elsewhere = np.where(kink.spots, exact, computed).astype(computed.dtype)
        scaled = bench.scaled.get(kink.tensor, 0)
        beside = judge_stage(
            equation, elsewhere, bench.operands, bench.sizes, bench.contract, None, scaled
        )
        if beside.kind == "refuted" and np.all(np.isfinite(elsewhere)):
            return replace(beside, digits=verdict.digits)
    said = sentence(kink, load(bench.run.engine), bench.contract.dtype)
    return replace(verdict, kind="undecided", because=said)


def _gradient_row(step: Step, bench: Bench, own: Mapping[str, Equation]) -> GradientRow:
    derivation, layout = bench.traced.derivation, bench.traced.layout
    symbol, of = step.equation.target, step.of
    uncollected = Equation(symbol, step.equation.free, step.raw)
    scaled = bench.scaled.get(of, 0)
    verdict = _judged(uncollected, bench.run.gradients[of], bench.operands, bench, scaled)
    if verdict.kind != "agrees" and of in bench.kinks:
        verdict = _beside_kink(bench.kinks[of], uncollected, verdict, bench)
    claim = bench.claims.get(of)
    if claim is None:
        claimed, line, formula = None, "", FormulaVerdict("derived", told("no formula of yours"))
    else:
        claimed = bench.sheet.on(own[claim.name])
        line = f"{claim.place.file}:{claim.place.line}" if claim.place else ""
        formula = judge_formula(
            claim,
            bench.traced.paper,
            derivation,
            bench.proofs[of],
            bench.truth,
            bench.sizes,
            bench.kinks.get(of),
            float(bench.contract.u_store),
            bench.tied,
        )
    return GradientRow(
        of,
        symbol,
        shape_words(symbol, shape_of(step.equation), layout),
        bench.sheet.on(step.equation),
        claimed,
        line,
        formula,
        verdict,
        bench.run.gradients[of],
        bench.hand.get(of),
        _hand_verdict(of, bench),
        bench.middles[symbol],
        of in derivation.zero,
        None,
        (),
        *_layer(of, uncollected, bench, gradient=True),
        _heat(uncollected, bench.run.gradients[of], bench, scaled),
    )


def _hand_verdict(of: str, bench: Bench) -> EngineVerdict | None:
    """Whether the user's function, run on plain arrays, gives the numbers of its formulas."""
    if of in bench.claims and of not in bench.hand and not bench.claims[of].turn:
        because = told(
            "run on plain arrays your function does not return this as an array: does it do "
            "something else on numbers?"
        )
        return EngineVerdict("undecided", float("inf"), 0.0, 0.0, (), because)
    if of not in bench.hand or of not in bench.written:
        return None
    names = {claim.of: claim.name for claim in bench.claims.values()}
    if any(claim.turn for claim in bench.claims.values()):
        read_here = {read.tensor for read in reads(bench.written[of].term)}
        if not read_here <= {*bench.plain, *(names[one] for one in bench.hand)}:
            return None  # it is made of values of earlier turns, which nobody returns
    operands = {**bench.plain, **{names[one]: array for one, array in bench.hand.items()}}
    permitted = contract_of("numpy", carrier(bench.contract.dtype))
    truth = bench.truth.values[names[of]]
    scaled = max(bench.traced.paper.scalings.values(), default=0)
    verdict = judge_stage(
        bench.written[of], bench.hand[of], operands, bench.sizes, permitted, truth, scaled
    )
    if verdict.kind == "refuted":
        because = told(
            "run on numbers your function gives something else than the formulas that were read "
            "from it: does it depend on more than its arguments?"
        )
        return replace(verdict, kind="undecided", because=because)
    # A kink or a cancellation is no news: it is the formula's verdict that counts.
    return replace(verdict, kind="agrees") if verdict.kind == "undecided" else verdict
