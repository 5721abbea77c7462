"""The verbs, wired together: the only file that knows all workers."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradproof.bench import Traced, bench_of, constants_of
from gradproof.core.errors import ClaimShape, DataError, GradproofError, NotYet, Place
from gradproof.core.index import Size
from gradproof.core.program import (
    Derivation,
    Paper,
    Program,
    shape_of,
    shapes,
)
from gradproof.core.told import told, told_as_is, told_lines, told_list
from gradproof.derivation import SYMBOLS
from gradproof.derivation import derive as derive_program
from gradproof.derivation.blanks import with_blanks_filled
from gradproof.engines.backward_program import BackwardProgram
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import carrier, check_dtype
from gradproof.engines.engine import ENGINES, Engine, installed, load
from gradproof.judge.generic import by_parameter, check_inputs, check_seed, choose_sizes, draw
from gradproof.judge.identity import Proof, prove
from gradproof.judge.program_identity import Capture, ProgramProof, prove_program
from gradproof.judged import Judged, judged, rows_of
from gradproof.report.cards import AS_IN_CODE, document
from gradproof.report.console import proof_lines
from gradproof.report.diagnosis import with_mistake
from gradproof.report.document import Document, Listing
from gradproof.report.equations import BRIEF, MATRIX, STEPS, Equations, check_layout, convention_of
from gradproof.report.evidence import with_certificates, witness_note
from gradproof.report.looks import Looks
from gradproof.report.notebook import Code, notebook
from gradproof.report.program import program_said
from gradproof.report.report import Later, Report, Written, with_program, written_later
from gradproof.report.sheet import shape_words, sheet_of
from gradproof.trace.graph import too_small
from gradproof.trace.paper import trace
from gradproof.trace.parts import file_of, functions, names_in, package_of, surroundings, text_of
from gradproof.trace.signature import (
    read_signature,
    symbols,
    tensors,
    with_one,
)
from gradproof.trace.source import Source
from gradproof.trace.uniform import same_equations, trace_uniformly
from gradproof.words.say import ENGLISH
from gradproof.write.rolled import page_of


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
        _check_rows_and_columns(equation.target, shape_of(equation), one, equation.place)
    cut = page_of(traced.derivation, traced.layout).cut
    for tensor in traced.paper.forward.inputs:
        shape = [size for axis, size in enumerate(tensor.shape) if (tensor.name, axis) not in cut]
        _check_rows_and_columns(tensor.name, shape, one)


def _check_rows_and_columns(
    name: str, shape: Sequence[Size], one: str, place: Place | None = None
) -> None:
    if len(shape) > MATRIX_AXES and 1 in shape:
        raise NotYet(
            told(
                "{name} has {count} axes and would keep that of {one}, over one element.",
                name=name,
                count=len(shape),
                one=one,
            ),
            advice=told("Leave --one out: the page has each sample's matrix by itself."),
            place=place,
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
    return Traced(source, signature, paper, derivation), chosen


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
    check_inputs(inputs)
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
    chance = repeated(seed)
    seed = 0 if seed is None else seed
    machine = load(choose_engine(engine))
    contract_of(machine.name, dtype)  # before anything is run: the engine may lack the dtype
    data: list[tuple[str, Mapping[str, Any]]] = []
    if not inputs and not sizes and not one:
        data += ((told_as_is(title), sample) for title, sample in source.samples.items())
    data.append((told("your data") if inputs else told("generic data"), inputs))
    found: list[tuple[Judged, ProgramProof | None]] = []
    studies = {} if studies is None else studies
    programs: dict[Program, ProgramProof | None] = {}
    for title, given in data:
        if title not in studies:
            studies[title] = studied(source, given, sizes, chance, tuple(studies.values()), one)
        traced, chosen, proofs = studies[title]
        arrays = draw(traced.signature, chosen, given, dtype, seed)
        program = traced.paper.forward
        if program not in programs:
            programs[program] = programs_of(traced, machine, chance)
        bench = bench_of(title, traced, machine, dtype, chosen, arrays, proofs, pictures=pictures)
        found.append((judged(bench), programs[program]))
    report = report_of(source.name, machine, dtype, seed, found)
    if not (certificates or witness):
        return report
    batches, notes = list(report.batches), list(report.notes)
    for number, (one, _) in enumerate(found):
        paper, derivation = one.bench.traced.paper, one.bench.traced.derivation
        constants = constants_of(paper, dtype)
        if certificates:
            batches[number] = with_certificates(batches[number], paper, constants, source.name)
        if witness:
            notes.append(witness_note(batches[number], derivation, constants, seed))
    return replace(report, batches=tuple(batches), notes=tuple(notes))


def report_of(
    name: str,
    machine: Engine,
    dtype: str,
    seed: int,
    found: Sequence[tuple[Judged, ProgramProof | None]],
) -> Report:
    """The report on a network: its verdicts, and its rows when they are asked for.

    Args:
        name: of the network.
        machine: the engine.
        dtype: in which it computed.
        seed: of what was drawn.
        found: the verdicts on each set of data, with what was proved of the engine's own program.
    """
    traced = found[-1][0].bench.traced

    def write() -> Written:
        batches = tuple(with_program(rows_of(one), proof) for one, proof in found)
        return Written(_shape_words(traced), batches, _missing())

    return written_later(
        Later(tuple(one for one, _ in found), write),
        network=name,
        loss=traced.paper.loss,
        dtype=dtype,
        seed=seed,
        engine=machine.title,
        engine_version=machine.version(),
        contract=contract_words(contract_of(machine.name, dtype)),
        notes=(*traced.paper.notes, *_dtype_notes(dtype)),
    )


def repeated(seed: int | None) -> bytes | None:
    """What repeats a proof's random points; without a seed they are the system's own."""
    return None if seed is None else hashlib.sha256(f"proof {seed}".encode()).digest()


class Study(NamedTuple):
    """A paper as it was read, its sizes and its proofs: what no engine and no dtype changes."""

    traced: Traced
    sizes: Mapping[str, int]
    proofs: Mapping[str, Proof]


def studied(
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


def programs_of(traced: Traced, engine: Engine, chance: bytes | None) -> ProgramProof | None:
    """What is proved of an engine's own program; `None` where it shows none."""
    return prove_program(traced.paper, traced.derivation, capture_of(traced, engine), chance)


def capture_of(traced: Traced, engine: Engine) -> Capture:
    """What writes down the engine's own backward program at given sizes."""
    paper, signature = traced.paper, traced.signature

    def capture(sizes: Mapping[str, int]) -> BackwardProgram | None:
        if not engine.writes_programs:  # then nothing is drawn for it
            return None
        # Any numbers will do, but matrices of equal ones have no inverse.
        arrays = draw(signature, sizes, {}, "float64", 0)
        arguments = by_parameter(signature, arrays)
        return engine.backward_program(
            traced.source.forward, arguments, paper.operations, paper.loss
        )

    return capture
