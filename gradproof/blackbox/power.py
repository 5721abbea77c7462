"""A check to the known mistakes that its data cannot show from outside.

A mistake is made in the gradient of each tensor of the paper, and what follows for the inputs is
worked out, as in `mistaken.py`. It is seen if the gradient of an input lies outside what the check
permits, however the wrong function rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.mistaken import below_of, equations_of, led_to
from gradproof.core.errors import GradproofError
from gradproof.core.program import shapes
from gradproof.core.told import told, told_row
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.ball import Ball
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import FINE
from gradproof.judge.clinic import Clinic, open_clinic
from gradproof.judge.formula import first_disjoint, undefined
from gradproof.judge.generic import SMALL, choose_sizes, wider
from gradproof.judge.ground import Ground, same, value_of
from gradproof.judge.identity import prove
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.mutant import SEED, Kind, Mutant, mutants, mutated
from gradproof.judge.reference import Data, PaperReference
from gradproof.judge.sight import outside
from gradproof.judge.truth import true_values
from gradproof.report.checked import CheckReport
from gradproof.report.unseen import PowerReport, PowerRow, Proposal, Unseen, words_of
from gradproof.trace.signature import Signature
from gradproof.write.convention import Convention, shape_text

Rebuilt = Callable[[Mapping[str, int], str, int, int], Case]
"""Another case of the same check, its data drawn: with these sizes, a dtype and a seed, and as long
as the last number where an axis of an argument without annotation has the length 1."""

LONGER = 5
"""Elements in the place of one, where no annotation says which axes are one size."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What is right at some draws of a case, and what a check permits there."""

    reference: PaperReference
    wanted: frozenset[str]
    contract: Contract
    right: tuple[Mapping[str, Value], ...]
    below: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def after(self, mutant: Mutant) -> tuple[str, ...]:
        """The gradients that are made of the mutant's."""
        symbol = mutant.equation.target
        if symbol not in self.below:
            self.below[symbol] = below_of(symbol, self.reference)
        return self.below[symbol]


def scene(
    reference: PaperReference, wanted: Sequence[str], contract: Contract, draws: Sequence[Data]
) -> Scene:
    """A paper at some draws, everything in it enclosed."""
    right = tuple(reference.everything(data, contract) for data in draws)
    return Scene(reference, frozenset(wanted), contract, right)


def shows(mutant: Mutant, here: Scene) -> bool | None:
    """Whether a check would refute a function with a mistake; `None` where what follows from the
    mistake cannot be worked out."""
    known = [_shows(mutant, right, here) for right in here.right]
    return True if True in known else None if None in known else False


def _shows(mutant: Mutant, right: Mapping[str, Value], here: Scene) -> bool | None:
    gradients = here.reference.derivation.gradients
    ball = Ball(here.contract, opaque=True)
    wide = False
    for of, value in led_to(mutant.equation, here.after(mutant), here.reference, right, ball):
        if value is None:
            return True if of in here.wanted and mutant.mistake.reshapes else None
        if of in here.wanted:
            if outside(value, right[gradients[of]], OTHER_ALGORITHM).any():
                return True
            wide = wide or not np.all(np.isfinite(value[1]))
    return wide and _stops(mutant, right, here)


def _stops(mutant: Mutant, right: Mapping[str, Value], here: Scene) -> bool:
    """Whether a number comes back that is none, at exact operands."""
    exact = {name: Arb().lift(np.asarray(value[0])) for name, value in right.items()}
    gradients = here.reference.derivation.gradients
    with precision(BITS):
        after = led_to(mutant.equation, here.after(mutant), here.reference, exact, Arb())
        return any(
            value is not None
            and of in here.wanted
            and undefined(value[0], exact[gradients[of]][0]) is not None
            for of, value in after
        )


BITS = 160


# --- is it a mistake ------------------------------------------------------------------------------


def compare(mutant: Mutant, here: Scene, clinic: Clinic, exact: Scene) -> Kind:
    """Whether a mistake is none when it is seen from outside: the inputs' gradients are the right
    ones at random points at two sets of sizes, or the prover says that the formula is right."""
    if all(on is not None and _same(mutant, on, here) for on in (clinic.here, clinic.elsewhere)):
        return "equal"
    gradients = here.reference.derivation.gradients
    for right in exact.right:
        with precision(BITS):
            after = led_to(mutant.equation, exact.after(mutant), exact.reference, right, Arb())
            for of, value in after:
                if value is None or of not in here.wanted:
                    continue
                balls = right[gradients[of]][0]
                apart = first_disjoint(value[0], balls, BITS) is not None
                if apart or undefined(value[0], balls) is not None:
                    return "different"
    if mutant.mistake.reshapes:
        return "open"
    paper, derivation = here.reference.paper, here.reference.derivation
    with_it, claim = mutated(mutant.of, mutant.equation, paper, derivation)
    return "equal" if prove(with_it, derivation, SEED)[claim.of].chain else "open"


def _same(mutant: Mutant, on: Ground, here: Scene) -> bool:
    tensors = dict(on.tensors)
    room = Ground(tensors, on.sizes, on.machine)
    by_gradient = {g: of for of, g in here.reference.derivation.gradients.items()}
    for equation in (mutant.equation, *equations_of(here.after(mutant), here.reference)):
        value = value_of(equation, room)
        if value is None or equation.target not in on.tensors:
            return False
        if by_gradient[equation.target] in here.wanted and not same(
            value, on.tensors[equation.target]
        ):
            return False
        tensors[equation.target] = value
        room.known.clear()
    return True


def in_arb(here: Scene, reference: PaperReference, data: Data) -> Scene:
    """A paper at one draw, in balls of Arb."""
    programs = (reference.paper.forward, reference.derivation.backward)
    truth = true_values(programs, reference.tensors(data), reference.sizes)
    balls = {name: (truth.balls[name],) for name in truth.balls}
    return replace(here, reference=reference, right=(balls,))


# --- the report -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Other:
    """Other data to try: what is different in them, and how to ask for them; ``longer`` says
    that what had one element along an axis has more."""

    words: str
    options: str
    case: Case
    scale: float = 1.0
    longer: bool = False


def power_of(
    case: Case, report: CheckReport, rebuilt: Rebuilt, *, given: bool
) -> PowerReport | None:
    """What a check could not have seen; `None` where the reference is no paper.

    Args:
        case: what was checked.
        report: what the check found.
        rebuilt: makes the same check at other sizes, in another dtype or with another seed.
        given: whether arguments were.
    """
    reference = case.reference
    if not isinstance(reference, PaperReference):
        return None
    # In 16 bits the function is asked in float64 too, where it can be.
    fine = case.dtype not in FINE and any(row.exact is not None for row in report.rows)
    contract = contract_of(case.machine.name, "float32") if fine else case.contract
    draws = [case.data(k) for k in range(report.draws)]
    here = scene(reference, case.wanted, contract, draws)
    # The paper's own have a number where its code asks for a size.
    signature: Signature = {t.name: t for t in case.inputs}
    generic = choose_sizes(signature, {}, {})
    clinic = open_clinic(reference.paper, reference.derivation, generic)
    counts, made, unseen, left_out = _unseen(here, clinic)
    kinds: dict[Mutant, Kind] = {}
    proposals: list[Proposal] = []
    by: dict[Mutant, str] = {}
    if unseen:
        wide = rebuilt({**reference.sizes, **generic}, case.dtype, report.seed, 1)
        exact = in_arb(here, reference, case.data(0))
        if isinstance(wide.reference, PaperReference) and _alike(wide.reference, reference):
            exact = in_arb(here, wide.reference, wide.data(0))
        kinds = {mutant: compare(mutant, here, clinic, exact) for mutant in unseen}
    hidden = [m for m, kind in kinds.items() if kind == "different"]
    known = made - {(m.of, m.mistake.name) for m, kind in kinds.items() if kind != "different"}
    absent: tuple[Mutant, ...] = ()
    for other in _others(case, report, rebuilt, signature, generic, given=given):
        there = other.case.reference
        if not isinstance(there, PaperReference):
            continue
        if _alike(there, reference):
            shown = list(_shown(hidden, by, other, here, fine=fine))
        elif not absent and other.longer:
            shown = list(_only_there(known, other, here, fine=fine))
            absent = tuple(shown)
        else:
            continue
        if shown:
            by.update(dict.fromkeys(shown, other.words))
            proposals.append(Proposal(other.words, other.options, len(shown)))
    kinds |= dict.fromkeys(absent, "different")
    for mutant in absent:
        counts[mutant.of] = counts.get(mutant.of, 0) + 1
    return _reported(case, report, reference, counts, kinds, by, proposals, left_out)


def _unseen(
    here: Scene, clinic: Clinic
) -> tuple[dict[str, int], frozenset[tuple[str, str]], list[Mutant], int]:
    """How many mistakes there are for each tensor, which they are by their names, those that are
    not seen, and how many have no consequences that could be worked out."""
    counts: dict[str, int] = {}
    made: set[tuple[str, str]] = set()
    unseen: list[Mutant] = []
    left_out = 0
    for step in here.reference.derivation.steps:
        counts[step.of] = 0
        if not {step.equation.target, *below_of(step.equation.target, here.reference)} & {
            here.reference.derivation.gradients[of] for of in here.wanted
        }:
            continue  # nothing that comes back is made of it
        for mutant in mutants(step.of, clinic):
            if mutant.mistake.reshapes and step.of not in here.wanted:
                continue
            seen = shows(mutant, here)
            left_out += seen is None
            counts[step.of] += seen is not None
            if seen is not None:
                made.add((mutant.of, mutant.mistake.name))
            if seen is False:
                unseen.append(mutant)
    return counts, frozenset(made), unseen, left_out


def _alike(one: PaperReference, other: PaperReference) -> bool:
    mine, theirs = one.derivation, other.derivation
    return (mine.forward, mine.backward) == (theirs.forward, theirs.backward)


def _shown(
    hidden: Sequence[Mutant], by: Mapping[Mutant, str], other: Other, here: Scene, *, fine: bool
) -> Iterator[Mutant]:
    """The mistakes that other data show and no data before them."""
    there = _scene_of(other, here, fine=fine)
    yield from (m for m in hidden if m not in by and shows(m, there))


def _only_there(
    known: frozenset[tuple[str, str]], other: Other, here: Scene, *, fine: bool
) -> Iterator[Mutant]:
    """Mistakes that are made and seen at other sizes, where the code has another program, and are
    none here: a loop of one step has no weight between steps, a sum of one term is no sum."""
    there = _scene_of(other, here, fine=fine)
    paper, derivation = there.reference.paper, there.reference.derivation
    clinic = open_clinic(paper, derivation, there.reference.sizes)
    for step in derivation.steps:
        if step.of in here.reference.derivation.gradients:
            for mutant in mutants(step.of, clinic):
                if (step.of, mutant.mistake.name) not in known and _made(mutant, there):
                    yield mutant


def _made(mutant: Mutant, there: Scene) -> bool:
    """Whether a mistake is seen; in what does not come back, a wrong shape is nobody's."""
    if mutant.mistake.reshapes and mutant.of not in there.wanted:
        return False
    return bool(shows(mutant, there))


def _scene_of(other: Other, here: Scene, *, fine: bool) -> Scene:
    reference = other.case.reference
    assert isinstance(reference, PaperReference)
    data = other.case.data(0)
    if other.scale != 1:
        small = {
            n: a * a.dtype.type(other.scale) for n, a in data.inputs.items() if n in here.wanted
        }
        data = Data({**data.inputs, **small}, data.upstream)
    contract = contract_of(other.case.machine.name, "float32") if fine else other.case.contract
    return scene(reference, tuple(here.wanted), contract, [data])


def _others(
    case: Case,
    report: CheckReport,
    rebuilt: Rebuilt,
    signature: Signature,
    generic: Mapping[str, int],
    *,
    given: bool,
) -> Iterator[Other]:
    """Other data, the nearest first."""
    reference = case.reference
    assert isinstance(reference, PaperReference)
    sizes = {**reference.sizes}
    symbols = {symbol: size for symbol, size in sizes.items() if symbol in generic}
    dtype, seed = case.dtype, report.seed
    annotated = bool(getattr(case.written, "__annotations__", {}))
    anew = told("arguments of these shapes that are drawn")
    if annotated:
        anew = told("without arguments")
    yield Other(told("drawn data"), anew, rebuilt(sizes, dtype, seed, 1))
    for changed in wider(signature, symbols, generic):
        new = {symbol: size for symbol, size in changed.items() if size != symbols[symbol]}
        said = told_row([f"{symbol} = {size}" for symbol, size in new.items()])
        options = f"sizes={dict(changed)}"
        if given:
            options = told("{options} without arguments", options=options)
        try:
            there = rebuilt({**sizes, **changed}, dtype, seed, 1)
        except GradproofError:  # the paper cannot have such sizes
            continue
        ones = any(symbols[symbol] == 1 for symbol in new)
        yield Other(said, options, there, longer=ones)
    if any(size == 1 for tensor in case.inputs for size in tensor.shape) and not annotated:
        with suppress(GradproofError):  # an axis that has to be 1
            there = rebuilt(sizes, dtype, seed, LONGER)
            first = next(t for t in there.inputs if LONGER in t.shape)
            said = told("axes of {length} in the place of 1", length=LONGER)
            options = told(
                "arguments such as {name} of the shape {shape}", name=first.name, shape=first.shape
            )
            yield Other(said, options, there, longer=True)
    said = told("seed {seed}", seed=seed + 1)
    yield Other(said, f"seed={seed + 1}", rebuilt(sizes, dtype, seed + 1, 1))
    said, options = told("numbers 128 times smaller"), told("arguments with such numbers")
    yield Other(said, options, rebuilt(sizes, dtype, seed, 1), SMALL)
    if dtype != "float64":
        yield Other("float64", 'dtype="float64"', rebuilt(sizes, "float64", seed, 1))


def _reported(
    case: Case,
    report: CheckReport,
    reference: PaperReference,
    counts: Mapping[str, int],
    kinds: Mapping[Mutant, Kind],
    by: Mapping[Mutant, str],
    proposals: Sequence[Proposal],
    left_out: int,
) -> PowerReport:
    derivation = reference.derivation
    known = {**shapes(reference.paper.forward), **shapes(derivation.backward)}

    def written(kind: Kind) -> tuple[Unseen, ...]:
        return tuple(
            Unseen(
                m.of, derivation.gradients[m.of], m.mistake.name, words_of(m, known), by.get(m, "")
            )
            for m, mine in kinds.items()
            if mine == kind
        )

    rows = []
    for step in derivation.steps:
        mine = [kind for mutant, kind in kinds.items() if mutant.of == step.of]
        equal, open_, hidden = (mine.count(kind) for kind in ("equal", "open", "different"))
        total = counts[step.of] - equal - open_
        name = step.equation.target
        shape = shape_text(name, known[name], Convention("row"))
        rows.append(PowerRow(step.of, name, shape, total, total - hidden, equal, open_))
    notes = []
    if left_out:
        notes.append(
            told(
                "{count} wrong formulas lead to nothing that can be worked out: left out.",
                count=left_out,
            )
        )
    if not any(isinstance(s, str) for t in reference.paper.forward.inputs for s in t.shape):
        notes.append(
            told(
                "The sizes are numbers here. A paper with shapes as annotations lets other sizes "
                "be tried."
            )
        )
    return PowerReport(
        report.function,
        told_row(
            [
                told("{count} draws", count=report.draws),
                *(f"{symbol} = {size}" for symbol, size in reference.sizes.items()),
            ]
        ),
        f"{report.engine} {report.engine_version}",
        case.dtype,
        report.seed,
        tuple(rows),
        written("different"),
        written("open"),
        (),
        (),
        tuple(proposals),
        tuple(notes),
    )
