"""Every network of the gallery on every engine: verified one after the other, and summed up."""

from __future__ import annotations

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gradproof.core.errors import GradproofError
from gradproof.core.told import told
from gradproof.engines.dtype import check_dtype
from gradproof.engines.engine import ENGINES, installed, load
from gradproof.gallery import catalogue
from gradproof.judge.verdict import EngineVerdict
from gradproof.report.report import WORDS, Report
from gradproof.words import sentence
from gradproof.workbench import Study, verify_source


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one network on one engine.

    ``formulas``, ``numbers`` and ``layers`` count verdicts by kind, the numbers those of forward
    values and of gradients. ``problems`` say what does not hold, one sentence each; ``failed`` says
    why there is no report at all.
    """

    network: str
    engine: str
    exit_code: int
    seconds: float
    formulas: Mapping[str, int]
    numbers: Mapping[str, int]
    layers: Mapping[str, int]
    largest_share: float
    problems: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """All outcomes; ``missing`` says how each engine that is not here is installed."""

    dtype: str
    seed: int
    outcomes: tuple[Outcome, ...]
    missing: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """1 something refuted, else 2 something could not be verified, else 3 undecided, else 0."""
        codes = {one.exit_code for one in self.outcomes}
        return next((code for code in (1, 2, 3) if code in codes), 0)

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.exit_code == 0

    def to_json(self) -> str:
        """The survey as JSON."""
        said = {"exit_code": self.exit_code, **asdict(self)}
        return json.dumps(said, ensure_ascii=False, indent=1)


def verify_all(
    engines: Sequence[str] | None = None,
    dtype: str = "float32",
    seed: int | None = None,
    *,
    networks: Sequence[str] | None = None,
    watch: Callable[[str, str, int, int], None] | None = None,
    studies: dict[str, dict[str, Study]] | None = None,
) -> Survey:
    """Verifies every network on every engine; what cannot be verified is an outcome, too.

    Args:
        engines: names of engines; those installed if not given.
        dtype: in which the engines compute.
        seed: as for `verify`.
        networks: names of networks of the gallery; all if not given.
        watch: called before each network with its name, its engine, how many are done and how many
            there are.
        studies: by network those of earlier calls with the same seed; each network is read and
            proved once.

    Raises:
        GradproofError: an engine or a network of that name does not exist, or the dtype does not.
    """
    check_dtype(dtype)
    here = installed()
    for engine in engines or ():  # asked for by name: a missing one is an error
        load(engine)
    chosen = tuple(name for name in ENGINES if here[name]) if engines is None else tuple(engines)
    names = catalogue.names() if networks is None else tuple(networks)
    for name in names:
        catalogue.describe(name)
    pairs = [(network, engine) for engine in chosen for network in names]
    outcomes = []
    studies = {} if studies is None else studies
    for done, (network, engine) in enumerate(pairs):
        if watch is not None:
            watch(network, engine, done, len(pairs))
        outcomes.append(_outcome(network, engine, dtype, seed, studies.setdefault(network, {})))
    missing = {
        listing.title: f'pip install "gradproof[{listing.extra}]"'
        for name, listing in ENGINES.items()
        if engines is None and not here[name] and listing.extra
    }
    return Survey(dtype, seed or 0, tuple(outcomes), missing)


def _outcome(
    network: str, engine: str, dtype: str, seed: int | None, studies: dict[str, Study]
) -> Outcome:
    start = time.perf_counter()
    source = catalogue.find(network)
    try:
        report = verify_source(source, {}, engine, dtype, seed, {}, studies=studies)
    except GradproofError as problem:
        return _failure(network, engine, start, " ".join(str(problem).split()))
    except Exception as problem:  # noqa: BLE001  # one network that fails must not stop the others
        frame = traceback.extract_tb(problem.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        return _failure(network, engine, start, f"{type(problem).__name__} at {place}: {problem}")
    rows = [row for batch in report.batches for row in batch.gradients]
    forward = [row for batch in report.batches for row in batch.forward]
    native = [row.native_verdict for row in (*forward, *rows) if row.native_verdict is not None]
    verdicts = [row.verdict for row in forward] + [row.engine_verdict for row in rows]
    return Outcome(
        network,
        engine,
        report.exit_code,
        time.perf_counter() - start,
        _counted(row.formula_verdict.kind for row in rows),
        _counted(verdict.kind for verdict in verdicts),
        _counted(verdict.kind for verdict in native),
        max((v.share for v in (*verdicts, *native) if v.kind == "agrees"), default=0.0),
        _problems(report),
    )


def _failure(network: str, engine: str, start: float, why: str) -> Outcome:
    return Outcome(network, engine, 2, time.perf_counter() - start, {}, {}, {}, 0.0, (), why)


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(Counter(kinds))


def _problems(report: Report) -> tuple[str, ...]:
    """A sentence for each verdict that is refuted or undecided."""
    found: list[str] = []
    for batch in report.batches:
        for row in batch.forward:
            for party, verdict in ((ALONE, row.verdict), (LAYERS, row.native_verdict)):
                if verdict is not None and verdict.kind != "agrees":
                    found.append(told(party, problem=_problem(row.name, verdict)))
        for gradient in batch.gradients:
            formula = gradient.formula_verdict
            if formula.kind in ("refuted", "undecided"):
                found.append(
                    told(
                        "{gradient}, the formula is {verdict}: {because}",
                        gradient=gradient.symbol,
                        verdict=told(WORDS[formula.kind]),
                        because=formula.because,
                    )
                )
            for party, verdict in (
                (ALONE, gradient.engine_verdict),
                (LAYERS, gradient.native_verdict),
                (PLAIN, gradient.hand_verdict),
            ):
                if verdict is not None and verdict.kind != "agrees":
                    found.append(told(party, problem=_problem(gradient.symbol, verdict)))
    return tuple(dict.fromkeys(found))


ALONE = "{problem}"
LAYERS = sentence("own layers: {problem}")
PLAIN = sentence("on plain arrays: {problem}")


def _problem(tensor: str, verdict: EngineVerdict) -> str:
    return told(
        "{tensor} is {verdict}: {because}",
        tensor=tensor,
        verdict=told(WORDS[verdict.kind]),
        because=verdict.because,
    )
