"""A diagnosis to sentences, and the rows of a report with the reasons of what is refuted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gradproof.core.errors import ClaimShape
from gradproof.core.index import Index, Size, indices_of
from gradproof.core.normal import tidy
from gradproof.core.program import Claim, Derivation, Equation, Paper, shapes
from gradproof.core.term import Term, free, positions, reads, walk
from gradproof.core.told import told, told_all, told_row, told_sum
from gradproof.ink.terminal import text
from gradproof.judge.clinic import Diagnosis, Explanation, open_clinic
from gradproof.judge.diagnose import diagnose, diagnose_shape
from gradproof.judge.ground import MOST_ELEMENTS
from gradproof.judge.identity import Proof
from gradproof.report.report import GradientRow
from gradproof.write.convention import Convention
from gradproof.write.matrix import write

ROW = Convention("row")

NOTHING_FOUND = told("No known mistake gives these numbers.")
NOT_SEARCHED = told(
    "No mistake was searched for: the network has more than {most:,} numbers, or none that exact "
    "arithmetic can give. At smaller sizes it may be named.",
    most=MOST_ELEMENTS,
)


def sentences(diagnosis: Diagnosis, shapes: Mapping[str, tuple[Size, ...]]) -> tuple[str, ...]:
    """What was done, in words: one line for each mistake that gives the numbers.

    Args:
        diagnosis: of one claim.
        shapes: of every tensor, for writing formulas.
    """
    here = ", ".join(f"{name} = {size}" for name, size in diagnosis.sizes.items())
    other = ", ".join(f"{name} = {size}" for name, size in diagnosis.other_sizes.items())
    lines = [sentence(e, shapes) for e in diagnosis.explanations]
    if diagnosis.explanations and diagnosis.only_here:
        names = told_row(
            [told("“{mistake}”", mistake=told(e.mistake)) for e in diagnosis.only_here]
        )
        lines.append(
            told(
                "At {here} the same numbers come out of {names}; at {other} they differ, and there "
                "it is the mistake above.",
                here=here,
                names=names,
                other=other,
            )
        )
    elif diagnosis.only_here:
        several = told(
            "Each of these gives the numbers at {here}, but not at {other}; data of that size "
            "decides:",
            here=here,
            other=other,
        )
        one = told(
            "This gives the numbers at {here}, but not at {other}; data of that size decides:",
            here=here,
            other=other,
        )
        lines.append(several if len(diagnosis.only_here) > 1 else one)
        lines += [told("· {line}", line=sentence(e, shapes)) for e in diagnosis.only_here]
    return tuple(lines)


def sentence(explanation: Explanation, shapes: Mapping[str, tuple[Size, ...]]) -> str:
    """What was done, with the formulas in it written as a person writes them."""
    slots = {
        name: slot if isinstance(slot, str) else formula(slot, shapes)
        for name, slot in explanation.slots.items()
    }
    said = told(explanation.words, **slots)
    if explanation.constant == 1:
        return said
    return told_all([said, told("And it is {factor} times that.", factor=explanation.constant)])


def formula(term: Term, shapes: Mapping[str, tuple[Size, ...]]) -> str:
    """A part of a formula as a person writes it, standing alone."""
    axes = _appearance(tidy(term))
    written = text(write(Equation("_", axes, tidy(term)), ROW, shapes=shapes))
    return written.partition(" = ")[2]


def _appearance(term: Term) -> tuple[Index, ...]:
    outer = free(term)
    seen: dict[Index, None] = {}
    for node in walk(term):
        for position in positions(node):
            seen.update((i, None) for i in indices_of(position) if i in outer)
    return tuple(seen)


def with_reasons(
    rows: tuple[GradientRow, ...],
    paper: Paper,
    derivation: Derivation,
    sizes: Mapping[str, int],
    proofs: Mapping[str, Proof],
    known: Mapping[str, tuple[Size, ...]],
) -> tuple[GradientRow, ...]:
    """The rows, those refuted with what was done, or with the mistake that they inherit."""
    wrong = {row.name for row in rows if row.formula_verdict.kind == "refuted"}
    if not wrong or paper.backward is None:
        return rows
    own = {row.name for row in rows if row.name in wrong and not row.formula_verdict.inherited}
    clinic = open_clinic(paper, derivation, sizes, own)
    claims = {claim.of: claim for claim in paper.claims}
    below = _below(paper)
    found: list[GradientRow] = []
    for row in rows:
        why: tuple[str, ...] = ()
        if row.name in own:
            diagnosis = diagnose(claims[row.name], paper, clinic)
            nothing = NOTHING_FOUND if clinic.here else NOT_SEARCHED
            why = (nothing,) if diagnosis is None else sentences(diagnosis, known)
            others = [r for r in rows if r.name in own and r.name in below[row.name]]
            if others:
                listed = told_row([r.symbol for r in others])
                also = told("It also builds on what is wrong already: {listed}.", listed=listed)
                why = (*why, also)
        elif row.name in wrong:
            roots = [r.symbol for r in rows if r.name in own and r.name in below[row.name]]
            proof = proofs.get(row.name)
            if proof is not None and proof.own:
                mended = told("With {roots} mended, this formula is proved.", roots=told_sum(roots))
            else:
                mended = told(
                    "With {roots} mended, this formula is right on this data.",
                    roots=told_sum(roots),
                )
            why = (mended,)
        found.append(replace(row, why=why))
    return tuple(found)


def with_mistake(
    problem: ClaimShape, paper: Paper, derivation: Derivation, sizes: Mapping[str, int]
) -> ClaimShape:
    """The error about a claim's shape, with the mistake that gives the claim's numbers.

    Args:
        problem: the error.
        paper: the paper, traced with claims of any shape.
        derivation: its right gradients.
        sizes: a number for each size symbol.
    """
    assert paper.backward is not None
    known, mine = shapes(paper.forward), shapes(paper.backward)
    claim = next(c for c in paper.claims if mine[c.name] != known[c.of])
    clinic = open_clinic(replace(paper, backward=None), derivation, sizes)
    diagnosis = diagnose_shape(claim, paper, clinic)
    if diagnosis is None:
        return problem
    advice = problem.advice
    ended = advice if advice.endswith(".") else told("{advice}.", advice=advice)
    before = (ended,) if advice else ()
    said = told_all((*before, *sentences(diagnosis, known)))
    return ClaimShape(
        problem.why, advice=said, place=problem.place, claim=problem.claim, of=problem.of
    )


def _below(paper: Paper) -> dict[str, set[str]]:
    """For each claim the claims that it builds on, near and far."""
    assert paper.backward is not None
    claims: dict[str, Claim] = {claim.name: claim for claim in paper.claims}
    built: dict[str, set[str]] = {}
    for equation in paper.backward.equations:
        mine: set[str] = set()
        for read in reads(equation.term):
            mine |= built.get(read.tensor, set())
            if read.tensor in claims:
                mine.add(claims[read.tensor].of)
        built[equation.target] = mine
    return {claim.of: built.get(claim.name, set()) for claim in paper.claims}
