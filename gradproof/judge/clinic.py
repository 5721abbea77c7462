"""A network to what diagnoses of its formulas need: its exact numbers, and wrong formulas."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from gradproof.core.index import Size
from gradproof.core.normal import canonical
from gradproof.core.program import Derivation, Equation, Paper, shapes
from gradproof.core.term import (
    Add,
    Apply,
    Number,
    Read,
    Term,
    reads,
    transform,
    walk,
)
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import written_out
from gradproof.judge.ground import (
    Ground,
    ground,
    value_of,
)
from gradproof.judge.normal_form import inlined, stages
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.mistakes.factors import LARGEST_EPSILON
from gradproof.mistakes.record import Mistake, Scene, Slots, Wrong
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

SEED = b"diagnosis"
OTHER_SIZES = (4, 6, 5, 7, 3, 8, 9, 10)


LONGEST_LINE = 100
"""Nodes of the longest formula in which mistakes are made: an LSTM's gate has about fifteen."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One mistake that gives the numbers of a claim.

    ``words`` is a sentence with slots, and ``wrong`` the formula that the mistake makes. ``alike``
    are other mistakes that make the same formula; ``constant`` is a wrong factor on top of it.
    """

    mistake: str
    words: str
    slots: Slots
    wrong: Equation | None
    alike: tuple[str, ...] = ()
    constant: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What gives a wrong claim's numbers.

    ``explanations`` hold at all sizes that were tried. ``only_here`` give the same numbers at the
    sizes of the data and others elsewhere: data of ``other_sizes`` tells them apart.
    """

    of: str
    explanations: tuple[Explanation, ...]
    only_here: tuple[Explanation, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    other_sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Clinic:
    """A network on two grounds: at the sizes of the data, and at other sizes."""

    derivation: Derivation
    here: Ground | None
    elsewhere: Ground | None
    bases: Mapping[str, tuple[Equation, ...]]
    shapes: Mapping[str, tuple[Size, ...]]


def open_clinic(
    paper: Paper,
    derivation: Derivation,
    sizes: Mapping[str, int],
    only: Collection[str] | None = None,
    seed: bytes = SEED,
) -> Clinic:
    """What every diagnosis of a paper needs.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        sizes: a number for each size symbol, those of the data.
        only: the tensors whose claims are to be diagnosed, or `None` for all.
        seed: of the random points.
    """
    others = _other_sizes(paper, sizes)
    here = ground(paper, derivation, sizes, seed)
    elsewhere = ground(paper, derivation, others, seed + b"'") if here else None
    known = {**shapes(paper.forward), **shapes(derivation.backward)}
    return Clinic(derivation, here, elsewhere, ways_of(paper, derivation, only), known)


def _other_sizes(paper: Paper, sizes: Mapping[str, int]) -> dict[str, int]:
    numbers = {s for shape in shapes(paper.forward).values() for s in shape if isinstance(s, int)}
    found: dict[str, int] = {}
    for symbol in sizes:
        taken = {*numbers, *found.values(), *sizes.values()}
        found[symbol] = next((s for s in OTHER_SIZES if s not in taken), max(taken) + 1)
    return found


def candidates(of: str, clinic: Clinic) -> Iterator[tuple[Mistake, Wrong]]:
    """Every mistake made on every way of writing a right formula; no formula twice."""
    seen: set[tuple[str, Equation]] = set()
    for base in clinic.bases.get(of, ()):
        scene = Scene(of, base, clinic.derivation, clinic.shapes)
        for mistake in MISTAKES:
            for made in mistake.wrongs(scene):
                free, term = canonical(made.equation.free, made.equation.term)
                equation = Equation(made.equation.target, free, term)
                if (mistake.name, equation) not in seen:
                    seen.add((mistake.name, equation))
                    yield mistake, Wrong(equation, made.slots)


@lru_cache(maxsize=64)
def tried(of: str, clinic: Clinic) -> tuple[tuple[Mistake, Wrong, Value | None], ...]:
    """Every candidate with its numbers at the sizes of the data."""
    assert clinic.here is not None
    return tuple(
        (m, made, value_of(made.equation, clinic.here)) for m, made in candidates(of, clinic)
    )


# --- ways of writing a right formula ---------------------------------------------------------


def ways_of(
    paper: Paper, derivation: Derivation, only: Collection[str] | None
) -> dict[str, tuple[Equation, ...]]:
    """Each gradient as it is derived, and in the other ways in which people write it."""
    links = stages(paper, derivation, only) if paper.backward is not None else {}
    found: dict[str, tuple[Equation, ...]] = {}
    guarded = {
        e.target: e for e in paper.forward.equations if any(_is_small(n) for n in walk(e.term))
    }
    for step in derivation.steps:
        right = step.equation
        ways = [right, replace(right, term=step.raw)]
        if step.of in links and _is_line(links[step.of].right.term):
            ways.append(links[step.of].right)
        ways.append(replace(right, term=transform(right.term, _by_rule)))
        if any(r.tensor in guarded for r in reads(right.term)):
            ways.append(replace(right, term=inlined(right.term, guarded)))
        plain = [Equation(w.target, *canonical(w.free, w.term)) for w in ways]
        found[step.of] = tuple(dict.fromkeys(plain))
    return found


def _is_line(term: Term) -> bool:
    """Whether a person would write a term in one line: longer ones take minutes to make mistakes
    in, one in every node, and no mistake that is found there could be read."""
    return len(list(islice(walk(term), LONGEST_LINE + 1))) <= LONGEST_LINE


def _is_small(node: Term) -> bool:
    return isinstance(node, Add) and any(
        isinstance(t, Number) and 0 < abs(t.value) <= LARGEST_EPSILON for t in node.terms
    )


def _by_rule(node: Term) -> Term:
    """σ′(z) as σ(z)(1 − σ(z))."""
    match node:
        case Apply(function, arguments, 1):
            rule = written_out(ELEMENTWISE_BY_NAME[function], 1)
            places = {f"#{k}": argument for k, argument in enumerate(arguments)}
            return transform(
                rule,
                lambda n: places[n.tensor] if isinstance(n, Read) and n.tensor in places else n,
            )
        case _:
            return node
