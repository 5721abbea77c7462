"""Makes every mistake in every formula of some networks, and counts what is said of it.

Usage: python benchmarks/diagnosis.py [K]     (to the prover every K-th mutant, or every 40th)

Writes the section "Diagnosis" of docs/numbers.md.

Each mutant is a claim of its own, judged by the same prover and the same certified arithmetic as a
user's; the gradients that it builds on are the right ones.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import gradproof as gp
from gradproof.core.program import Equation, Program
from gradproof.core.term import Number, Power, walk
from gradproof.gallery import catalogue
from gradproof.judge.clinic import Clinic, candidates, open_clinic
from gradproof.judge.diagnose import diagnose
from gradproof.judge.formula import first_disjoint
from gradproof.judge.generic import draw
from gradproof.judge.identity import prove
from gradproof.judge.mutant import SEED, in_balls, mutated
from gradproof.judge.truth import TrueValues, true_values
from gradproof.trace.source import Source
from gradproof.workbench import Traced, read

PAGE = Path(__file__).parent.parent / "docs" / "numbers.md"
TITLE = "## Diagnosis"
GALLERY = ("fnn", "softmax_regression", "mlp", "conv2d")


# --- small networks, each with what a kind of mistake needs ---


def square(x: "n 4", W1: "4 4", W2: "4 4", W3: "4 4", y: "n 4, data"):
    z1 = x @ W1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    z3 = a2 @ W3
    return 0.5 * np.sum((z3 - y) ** 2)


def twice_used(x: "n 3", W1: "3 4", W2: "4 4", W3: "4 2", b: "4", y: "n 2, data"):
    z1 = x @ W1 + b
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    r = a1 + a2
    p = r @ W3
    return np.sum((p - y) ** 2)


def cross_entropy(x: "n d", W1: "d h", b1: "h", W2: "h k", b2: "k", y: "n k, probabilities, data"):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    p = gp.softmax(z2)
    return -np.sum(y * np.log(p)) / x.shape[0]


def recurrent(x: "n 3 d", U: "d h", V: "h h", b: "h", w: "h k", y: "n k, data"):
    h = np.tanh(x[:, 0] @ U + b)
    hs = [h]
    for t in range(1, 3):
        h = np.tanh(x[:, t] @ U + h @ V + b)
        hs.append(h)
    o = h @ w
    return 0.5 * np.sum((o - y) ** 2)


def layer_norm(x: "n d", W: "d h", g: "h", b: "h", y: "n h, data"):
    z = x @ W
    m = np.mean(z, axis=1, keepdims=True)
    c = z - m
    v = np.mean(c**2, axis=1, keepdims=True)
    s = np.sqrt(v + 1e-3)
    u = c / s
    o = u * g + b
    return 0.5 * np.sum((o - y) ** 2)


def mean_loss(x: "n 3", W1: "3 4", b1: "4", W2: "4 2", y: "n 2, data"):
    z1 = x @ W1 + b1
    a1 = gp.relu(z1)
    o = a1 @ W2
    return np.mean((o - y) ** 2)


def deep(depth: int) -> Callable[..., Any]:
    """A tanh network of `depth` layers of four units."""

    def forward(x, Ws, y):  # type: ignore[no-untyped-def]
        a = x
        for W in Ws:
            z = a @ W
            a = np.tanh(z)
        return np.sum((a - y) ** 2) / 2

    forward.__annotations__ = {"x": "n 4", "Ws": ["4 4"] * depth, "y": "n 4, data"}
    return forward


DEPTHS = {2: (1, 1), 8: (8, 1), 32: (20, 5), 128: (60, 37)}
"""Layers, and which mutants are tried: each n-th one of each m-th gradient."""

NETWORKS = {
    "square layers": square,
    "value used twice": twice_used,
    "softmax and cross-entropy": cross_entropy,
    "recurrent, 3 steps": recurrent,
    "layer norm": layer_norm,
    "mean over the batch, relu": mean_loss,
}


# --- the mutants ---


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


def judged(
    here: Setting, of: str, name: str, wrong: Equation, network: str, *, proving: bool
) -> Outcome:
    """One mutant through certified arithmetic, the diagnosis and, if asked, the prover.

    Where certified arithmetic sees no difference the prover is always asked.
    """
    derivation = here.traced.derivation
    paper, claim = mutated(of, wrong, here.traced.paper, derivation)
    right = here.truth.balls[derivation.gradients[of]]
    value = in_balls(wrong, here.truth, here.sizes)
    differs = first_disjoint(value, right, here.truth.bits) is not None
    if (proving or not differs) and prove(paper, derivation, SEED)[of].chain:
        return Outcome(network, of, name, "FALSE PROOF" if differs else "equivalent", "", wrong)
    if not differs:
        return Outcome(network, of, name, "undecided", "", wrong)
    rooted = any(isinstance(n, Power) and n.exponent.denominator == 2 for n in walk(wrong.term))
    found = diagnose(claim, paper, here.rooted if rooted else here.clinic)
    said = [] if found is None else [*found.explanations, *found.only_here]
    names = {n for e in said for n in (e.mistake, *e.alike)}
    how = "as made" if name in names else ("otherwise" if names else "not")
    return Outcome(network, of, name, "refuted", how, wrong)


def campaign(
    network: str, source: Source, every: int = 1, step: int = 1, gradients: int = 1
) -> Iterator[Outcome]:
    """Every `step`-th mutant of every `gradients`-th gradient of a network; every `every`-th of
    these is given to the prover too."""
    here = setting(source)
    for one in here.traced.derivation.steps[::gradients]:
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


def page(counts: dict[str, Count], every: int, seconds: float) -> str:
    """The section, with the list of what was not named."""
    outcomes = [o for c in counts.values() for o in c.outcomes]
    verdicts = Counter(o.verdict for o in outcomes)
    refuted = [o for o in outcomes if o.verdict == "refuted"]
    named = sum(o.named == "as made" for o in refuted)
    lines = [
        TITLE,
        "",
        f"`python benchmarks/diagnosis.py`: every mistake of `gradproof/mistakes/` made in every "
        f"gradient of {len(counts)} networks on generic data (in the deep ones a share of them), "
        f"{len(outcomes)} mutants in {seconds:.0f} s. Each is tried by certified arithmetic; each "
        f"{every}th, and each in which that sees no difference, by the prover too. Proved although "
        f"certified arithmetic refutes it: {verdicts['FALSE PROOF']}. Of {len(refuted)} refuted "
        f"ones {named} are named as made ({100 * named / len(refuted):.2f} %). An *equivalent* "
        "mutant is proved equal to the right formula, and certified arithmetic sees no "
        "difference; an *undecided* one has no signal on this data (a dead unit), or is equal and "
        "was not proved so.",
        "",
        *table(counts),
        "",
        "Refuted and not named as made:",
        "",
    ]
    rest = Counter((o.network, o.of, o.mistake) for o in refuted if o.named != "as made")
    lines += [f"- {n}: {m} in ∂l/∂{of} ({count})" for (n, of, m), count in rest.items()] or ["none"]
    lines += ["", "Undecided:", ""]
    rest = Counter((o.network, o.of, o.mistake) for o in outcomes if o.verdict == "undecided")
    lines += [f"- {n}: {m} in ∂l/∂{of} ({count})" for (n, of, m), count in rest.items()] or ["none"]
    return "\n".join(lines) + "\n"


def main() -> None:
    # The folder of a script is on the path, and only then.
    from correct import put_section

    every = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    counts: dict[str, Count] = {}
    begin = time.perf_counter()
    for name, source in sources().items():
        start = time.perf_counter()
        counts[name] = Count(list(campaign(name, source, every)))
        print(name, len(counts[name].outcomes), f"{time.perf_counter() - start:.1f} s", flush=True)
    for depth, (step, gradients) in DEPTHS.items():
        start, name = time.perf_counter(), f"tanh × {depth}"
        source = Source(name, deep(depth))
        counts[name] = Count(list(campaign(name, source, every, step, gradients)))
        print(name, len(counts[name].outcomes), f"{time.perf_counter() - start:.1f} s", flush=True)
    body = page(counts, every, time.perf_counter() - begin)
    print(body)
    put_section(PAGE, TITLE, body)


if __name__ == "__main__":
    main()
