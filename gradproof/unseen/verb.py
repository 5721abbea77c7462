"""The verb `power`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradproof.core.errors import GradproofError
from gradproof.core.program import Program, shapes
from gradproof.core.told import told, told_row
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import check_dtype, in_dtype
from gradproof.engines.engine import load
from gradproof.engines.evaluate import evaluate, number_of
from gradproof.judge.clinic import open_clinic
from gradproof.judge.freed import constant_upstream, freed
from gradproof.judge.generic import NEAR_ZERO, check_seed, choose_sizes, draw, pairs
from gradproof.judge.mutant import (
    Kind,
    Mutant,
    compare,
    differs,
    mutants,
    same_numbers,
    touchstone,
)
from gradproof.judge.sight import View
from gradproof.report.unseen import PowerReport, PowerRow, Proposal, Unseen, words_of
from gradproof.trace.source import Source
from gradproof.unseen.looking import Asked, Looked, look, plain_of
from gradproof.unseen.others import Other, others
from gradproof.workbench import Traced, choose_engine, constants_of
from gradproof.write.convention import shape_text


def power(
    forward: Callable[..., Any],
    inputs: Mapping[str, Any] | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    seed: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> PowerReport:
    """Which known mistakes in a network's gradients a check at these data could not see.

    Every mistake of `gradproof.mistakes` is made in every gradient. It counts as seen if the
    numbers of the wrong formula lie outside what the verdict on the right one permits, however
    they are rounded. For what is not seen other data are tried, and proposed where they show it.

    Args:
        forward: the network, written as NumPy code; it returns the scalar loss.
        inputs: parameter names to arrays, shapes or lists of either; what is missing is drawn.
        engine: whose bounds are meant: ``"numpy"``, ``"tensorflow"``, ``"torch"``, ``"jax"`` or
            ``"auto"``.
        dtype: ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        seed: of the data that is drawn, 0 if not given.
        sizes: numbers for size symbols.

    Raises:
        GradproofError: the call or the input is wrong; the message says what to try.
    """
    source = Source(getattr(forward, "__name__", type(forward).__name__), forward)
    return power_source(source, inputs or {}, engine, dtype, seed or 0, sizes or {})


def power_source(
    source: Source,
    inputs: Mapping[str, Any],
    engine: str,
    dtype: str,
    seed: int,
    sizes: Mapping[str, int],
) -> PowerReport:
    """`power` for a paper; what its own samples show counts as seen, because `verify` has them."""
    check_dtype(dtype)
    check_seed(seed)
    machine = load(choose_engine(engine))
    contract_of(machine.name, dtype)  # before anything is run: the engine may lack the dtype
    asked = Asked(replace(source, backward=None), machine, dtype, seed, inputs, sizes)
    here = look(asked)
    own = [] if inputs or sizes else list(source.samples.values())
    beside = [look(replace(asked, inputs=one)) for one in own]
    beside = [one for one in beside if one.same_program(here)]
    found = _sorted_out(here, beside)
    found = _told_apart(found, asked, here)
    found = _looked_for(found, asked, here)
    return _report(found, asked, here, len(beside))


# --- what is seen, and what is no mistake ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """The mutants of a network by what became of them.

    ``counts`` has for each tensor how many there are, and ``made`` which mistakes; ``by`` the words
    of the proposal that shows one that is hidden. ``absent`` are mistakes that these sizes leave no
    place for; ``for_loss`` are right for this loss and no other; ``beneath`` are wrong by less than
    any format of numbers can hold; ``left_out`` cannot be evaluated.
    """

    counts: Mapping[str, int]
    made: frozenset[tuple[str, str]]
    equal: tuple[Mutant, ...]
    unseen: tuple[Mutant, ...]
    open: tuple[Mutant, ...] = ()
    beneath: tuple[Mutant, ...] = ()
    for_loss: tuple[Mutant, ...] = ()
    absent: tuple[Mutant, ...] = ()
    left_out: int = 0
    proposals: tuple[Proposal, ...] = ()
    by: Mapping[Mutant, str] = field(default_factory=dict)


def _sorted_out(here: Looked, beside: Sequence[Looked]) -> Found:
    """Every mutant that the data do not show, and those of them that are the right formula."""
    paper, derivation = here.traced.paper, here.traced.derivation
    sizes = choose_sizes(here.traced.signature, {}, {})
    clinic = open_clinic(paper, derivation, sizes)
    counts: dict[str, int] = {}
    made: set[tuple[str, str]] = set()
    equal: list[Mutant] = []
    unseen: list[Mutant] = []
    left_out = 0
    for step in derivation.steps:
        counts[step.of] = 0
        for mutant in mutants(step.of, clinic):
            seen = here.shows(mutant)
            if seen is None:
                left_out += 1
                continue
            counts[step.of] += 1
            made.add((step.of, mutant.mistake.name))
            if seen or any(one.shows(mutant) for one in beside):
                continue
            (equal if same_numbers(mutant, clinic) else unseen).append(mutant)
    return Found(counts, frozenset(made), tuple(equal), tuple(unseen), left_out=left_out)


# --- what is a mistake at all ---------------------------------------------------------------------


def _told_apart(found: Found, asked: Asked, here: Looked) -> Found:
    """What is unseen, as wrong, equal or open; and what is right for this loss only."""
    traced = here.traced
    sizes = choose_sizes(traced.signature, {}, {})
    constants = constants_of(traced.paper, "float32")
    draws = [
        {**draw(traced.signature, sizes, {}, "float32", asked.seed + k), **constants}
        for k in range(2)
    ]
    kinds: dict[Mutant, Kind] = {}
    if found.unseen:
        stone = touchstone(traced.paper, traced.derivation, draws, sizes)
        kinds = {mutant: compare(mutant, stone) for mutant in found.unseen}
    left = [mutant for mutant, kind in kinds.items() if kind == "open"]
    if left:
        near = [
            {**draws[0], name: (draws[0][name] * NEAR_ZERO).astype(np.float32)}
            for name in sorted(plain_of(traced.signature))
        ]
        by_zero = touchstone(traced.paper, traced.derivation, near, sizes)
        kinds |= {mutant: "different" for mutant in left if differs(mutant, by_zero)}
    equal = (*found.equal, *(m for m, kind in kinds.items() if kind == "equal"))
    return replace(
        found,
        equal=equal,
        open=tuple(m for m, kind in kinds.items() if kind == "open"),
        beneath=tuple(m for m, kind in kinds.items() if kind == "beneath"),
        unseen=tuple(m for m, kind in kinds.items() if kind == "different"),
        for_loss=tuple(_for_this_loss(equal, here, draws[0], sizes, asked)),
    )


def _for_this_loss(
    equal: Sequence[Mutant],
    here: Looked,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    asked: Asked,
) -> Iterator[Mutant]:
    """What is seen once every value that the loss only adds up is weighed."""
    traced = here.traced
    network = freed(traced.paper, traced.derivation)
    if network is None:
        return
    paper, derivation = network
    random = np.random.default_rng(asked.seed)
    weights = {
        t.name: in_dtype(
            random.normal(size=tuple(number_of(s, sizes) for s in t.shape)), asked.dtype
        )
        for t in paper.forward.inputs
        if t.name not in inputs
    }
    contract = here.view.contract
    ball = Ball(contract)
    lifted = {n: ball.lift(in_dtype(a, asked.dtype)) for n, a in {**inputs, **weights}.items()}
    whole = Program((), (*paper.forward.equations, *derivation.backward.equations), ())
    with np.errstate(all="ignore"):
        values = evaluate(whole, lifted, sizes, ball)
    operands = {name: in_dtype(value[0], asked.dtype) for name, value in values.items()}
    weighed = replace(traced, paper=paper, derivation=derivation)
    there = Looked(weighed, View(operands, sizes, contract))
    for mutant in equal:
        alike = there.step(mutant.of).equation == here.step(mutant.of).equation
        if alike and there.shows(mutant):
            yield mutant


# --- what would show it ---------------------------------------------------------------------------


def _looked_for(found: Found, asked: Asked, here: Looked) -> Found:
    """The data at which what is unseen was seen, and what was done away with by these sizes."""
    shown: list[tuple[Other, frozenset[Mutant]]] = []
    absent: tuple[Mutant, ...] = ()
    for other in others(asked, here.view.sizes):
        if not found.unseen and not here.traced.paper.fixed:
            break
        try:
            there = look(other.asked)
        except GradproofError:  # no such network: another size than the code can have
            continue
        if there.same_program(here):
            shown.append((other, frozenset(m for m in found.unseen if there.shows(m))))
        elif not absent:
            absent = tuple(_only_there(found, here, there))
            shown.append((other, frozenset(absent)))
    chosen = _fewest(shown)
    by = {mutant: other.words for other, those in reversed(chosen) for mutant in those}
    proposals = tuple(
        Proposal(other.words, other.options, sum(w == other.words for w in by.values()))
        for other, _ in chosen
    )
    return replace(found, absent=absent, proposals=proposals, by=by)


def _only_there(found: Found, here: Looked, there: Looked) -> Iterator[Mutant]:
    """Mistakes that are made and seen at other sizes, where the code has another program."""
    paper, derivation = there.traced.paper, there.traced.derivation
    clinic = open_clinic(paper, derivation, there.view.sizes)
    for of in found.counts:
        if of in derivation.gradients:
            for mutant in mutants(of, clinic):
                if (of, mutant.mistake.name) not in found.made and there.shows(mutant):
                    yield mutant


def _fewest(
    shown: Sequence[tuple[Other, frozenset[Mutant]]],
) -> list[tuple[Other, frozenset[Mutant]]]:
    """Few proposals that together show all that any shows: each next one shows the most of the
    rest, and of equal ones it is the one that changes least."""
    chosen: list[tuple[Other, frozenset[Mutant]]] = []
    left = frozenset().union(*(those for _, those in shown))
    while left:
        best = max(shown, key=lambda one: len(one[1] & left))
        chosen.append(best)
        left -= best[1]
    return chosen


# --- the report -----------------------------------------------------------------------------------


def _report(found: Found, asked: Asked, here: Looked, beside: int) -> PowerReport:
    traced = here.traced
    known = {**shapes(traced.paper.forward), **shapes(traced.derivation.backward)}

    def written(mutant: Mutant) -> Unseen:
        symbol = traced.derivation.gradients[mutant.of]
        words = words_of(mutant, known)
        return Unseen(mutant.of, symbol, mutant.mistake.name, words, found.by.get(mutant, ""))

    unseen = (*found.unseen, *found.absent)
    rows = []
    for step in traced.derivation.steps:
        equal, open_, beneath, hidden, absent = (
            sum(m.of == step.of for m in some)
            for some in (found.equal, found.open, found.beneath, found.unseen, found.absent)
        )
        here_made = found.counts[step.of] - equal - open_ - beneath
        name = step.equation.target
        shape = shape_text(name, known[name], traced.layout)
        seen = here_made - hidden
        rows.append(PowerRow(step.of, name, shape, here_made + absent, seen, equal, open_))
    return PowerReport(
        asked.source.name,
        _data(asked, here, beside),
        f"{asked.machine.title} {asked.machine.version()}",
        asked.dtype,
        asked.seed,
        tuple(rows),
        tuple(written(m) for m in unseen),
        tuple(written(m) for m in found.open),
        tuple(written(m) for m in found.for_loss),
        tuple(
            traced.derivation.gradients[of]
            for of in constant_upstream(traced.paper, traced.derivation)
        ),
        found.proposals,
        tuple(_notes(found, traced)),
        tuple(written(m) for m in found.beneath),
    )


def _data(asked: Asked, here: Looked, beside: int) -> str:
    given = bool(pairs(here.traced.signature, asked.inputs))
    sizes = [f"{symbol} = {size}" for symbol, size in here.view.sizes.items()]
    said = told_row([told("your arrays") if given else told("drawn"), *sizes])
    if not beside:
        return said
    return told("{data}; and {count} of the file's own samples", data=said, count=beside)


def _notes(found: Found, traced: Traced) -> Iterator[str]:
    yield from traced.paper.notes
    zero = [traced.derivation.gradients[of] for of in traced.derivation.zero]
    if zero:
        yield told("Zero at these sizes, whatever the data: {names}.", names=told_row(zero))
    if found.left_out:
        yield told(
            "{count} wrong formulas have no numbers here and are left out.", count=found.left_out
        )
    numbers = all(isinstance(size, int) for t in traced.paper.forward.inputs for size in t.shape)
    if numbers and found.unseen and not traced.paper.fixed:
        yield told(
            'All sizes are numbers here. With symbols in the annotations, as in  x: "n 3"  other '
            "sizes can be tried."
        )
