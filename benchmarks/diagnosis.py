"""Makes every mistake in every formula of some networks, and counts what is said of it.

    python benchmarks/diagnosis.py            prints the table
    python benchmarks/diagnosis.py --write    writes it into docs/numbers.md too

Each mutant is a claim of its own, judged by the same prover and the same certified arithmetic as a
user's; the gradients that it builds on are the right ones.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from benchmarks.networks import NETWORKS
from gradproof.core.program import Claim, Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Number, Power, Term, reads, rename, walk
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.gallery import catalogue
from gradproof.judge.clinic import Clinic, candidates, open_clinic
from gradproof.judge.diagnose import diagnose
from gradproof.judge.formula import first_disjoint
from gradproof.judge.generic import draw
from gradproof.judge.identity import prove
from gradproof.judge.normal_form import inlined
from gradproof.judge.truth import TrueValues, true_values
from gradproof.trace.source import Source
from gradproof.workbench import Traced, read

SEED = b"0" * 32
GALLERY = ("fnn", "softmax_regression", "mlp")


@dataclass(frozen=True, slots=True)
class Setting:
    """One network on generic data."""

    traced: Traced
    sizes: dict[str, int]
    truth: TrueValues
    clinic: Clinic
    rooted: Clinic


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of one mutant."""

    network: str
    of: str
    mistake: str
    verdict: str
    named: str = ""
    mutant: Equation | None = None


@dataclass
class Count:
    """A row of the table."""

    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, verdict: str) -> int:
        return sum(o.verdict == verdict for o in self.outcomes)

    def named(self, how: str) -> int:
        return sum(o.verdict == "refuted" and o.named == how for o in self.outcomes)


def sources() -> dict[str, Source]:
    """The networks of the gallery and the small ones, without formulas of their own."""
    found = {name: replace(catalogue.find(name), backward=None) for name in GALLERY}
    return {**found, **{name: Source(name, forward) for name, forward in NETWORKS.items()}}


def setting(source: Source) -> Setting:
    traced, sizes = read(source, {}, {})
    arrays = draw(traced.signature, sizes, {}, "float32", 0)
    inputs = {**arrays, **traced.paper.constants}
    programs = (traced.paper.forward, traced.derivation.backward)
    truth = true_values(programs, inputs, sizes)
    paper, derivation = traced.paper, traced.derivation
    # As with a claim of a user's that has a root in it: the exact numbers then have roots too.
    loss = Equation("_", (), Power(Number(Fraction(2)), Fraction(1, 2)))
    with_root = replace(paper, backward=Program((), (loss,), ()))
    return Setting(
        traced,
        sizes,
        truth,
        open_clinic(paper, derivation, sizes),
        open_clinic(with_root, derivation, sizes),
    )


def mutated(of: str, wrong: Equation, paper: Paper, derivation: Derivation) -> tuple[Paper, Claim]:
    """The paper of a person who has one formula wrong, and right those that it builds on."""
    right = {e.target: e for e in derivation.backward.equations}
    wrong = replace(wrong, term=_from_before(wrong, derivation))
    needed: dict[str, Equation] = {}
    waiting = [r.tensor for r in reads(wrong.term) if r.tensor in right]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = right[name]
            waiting += [r.tensor for r in reads(right[name].term) if r.tensor in right]
    names = {g: f"dl_d{name}" for name, g in derivation.gradients.items()}
    mine = names[derivation.gradients[of]]
    equations = [
        Equation(names[e.target], e.free, rename(e.term, names))
        for e in derivation.backward.equations
        if e.target in needed and e.target != wrong.target
    ]
    equations.append(Equation(mine, wrong.free, rename(wrong.term, names)))
    by_gradient = {names[g]: name for name, g in derivation.gradients.items()}
    claims = tuple(Claim(by_gradient[e.target], e.target) for e in equations)
    inputs = tuple(Tensor(name, shape) for name, shape in shapes(paper.forward).items())
    program = Program(inputs, tuple(equations), tuple(c.name for c in claims))
    return replace(paper, backward=program, claims=claims), claims[-1]


def _from_before(wrong: Equation, derivation: Derivation) -> Term:
    """The formula in terms of gradients that come before it: no formula builds on itself."""
    order = {e.target: k for k, e in enumerate(derivation.backward.equations)}
    later = {
        e.target: e for e in derivation.backward.equations if order[e.target] >= order[wrong.target]
    }
    return inlined(wrong.term, later)


def judged(
    here: Setting, of: str, name: str, wrong: Equation, network: str, *, proving: bool
) -> Outcome:
    """One mutant through certified arithmetic, the diagnosis and, if asked, the prover.

    Where certified arithmetic sees no difference the prover is always asked.
    """
    derivation = here.traced.derivation
    paper, claim = mutated(of, wrong, here.traced.paper, derivation)
    right = here.truth.balls[derivation.gradients[of]]
    with precision(here.truth.bits):
        tensors = {n: (balls,) for n, balls in here.truth.balls.items()}
        value = evaluate_equation(wrong, Room(tensors, here.sizes, Arb()))[0]
    apart = first_disjoint(value, right, here.truth.bits) is not None
    if (proving or not apart) and prove(paper, derivation, SEED)[of].chain:
        return Outcome(network, of, name, "FALSE PROOF" if apart else "equivalent", "", wrong)
    if not apart:
        return Outcome(network, of, name, "undecided", "", wrong)
    rooted = any(isinstance(n, Power) and n.exponent.denominator == 2 for n in walk(wrong.term))
    found = diagnose(claim, paper, here.rooted if rooted else here.clinic)
    said = [] if found is None else [*found.explanations, *found.only_here]
    names = {n for e in said for n in (e.mistake, *e.alike)}
    how = "as made" if name in names else ("otherwise" if names else "not")
    return Outcome(network, of, name, "refuted", how, wrong)


def campaign(network: str, source: Source, every: int = 1, step: int = 1) -> Iterator[Outcome]:
    """Every `step`-th mutant of a network; every `every`-th of these is given to the prover too."""
    here = setting(source)
    for one in here.traced.derivation.steps:
        made = [
            (mistake.name, wrong.equation)
            for mistake, wrong in candidates(one.of, here.clinic)
            if not mistake.reshapes
        ]
        for number, (name, equation) in enumerate(made[::step]):
            proving = number % every == 0
            yield judged(here, one.of, name, equation, network, proving=proving)


def table(counts: dict[str, Count]) -> list[str]:
    rows = [
        "| network | mutants | equivalent | undecided | refuted | named as made | named otherwise "
        "| not named |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    total = Count([o for c in counts.values() for o in c.outcomes])
    for name, count in {**counts, "all": total}.items():
        rows.append(
            f"| {name} | {len(count.outcomes)} | {count.of('equivalent')} | "
            f"{count.of('undecided')} | {count.of('refuted')} | {count.named('as made')} | "
            f"{count.named('otherwise')} | {count.named('not')} |"
        )
    return rows


def main() -> None:
    every = int(next((a for a in sys.argv[1:] if a.isdigit()), "1"))
    counts: dict[str, Count] = {}
    for name, source in sources().items():
        start = time.perf_counter()
        counts[name] = Count(list(campaign(name, source, every)))
        print(name, len(counts[name].outcomes), f"{time.perf_counter() - start:.1f} s", flush=True)
    print("\n".join(table(counts)))
    outcomes = [o for c in counts.values() for o in c.outcomes]
    print(Counter(o.verdict for o in outcomes))
    for o in outcomes:
        if o.verdict in ("FALSE PROOF", "undecided", "no formula") or (
            o.verdict == "refuted" and o.named != "as made"
        ):
            print(o.network, "|", o.of, "|", o.mistake, "|", o.verdict, o.named)


if __name__ == "__main__":
    main()
