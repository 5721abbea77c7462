"""A user's formulas against the derived ones: equality over the reals, proved or not.

Each claim is first proved for itself, with the right gradients in the place of the claims that it
builds on: by normal form, and where that does not decide, at random points. A chain of claims holds
if each link does. What is left is tested as a whole. A failure to prove is never a refutation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gradproof.core.program import Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Apply, Compare, Fold, Power, Read, Term, reads, walk
from gradproof.core.told import told
from gradproof.judge.choices import choices, with_choices
from gradproof.judge.normal_form import Stage, equal, named_functions, stages
from gradproof.judge.pieces import TIES, piecewise_values
from gradproof.judge.points import Answer, Question, answer
from gradproof.judge.ties import Ties
from gradproof.judge.wide import VALUE, far_away

WINDOWS = (3, 6, 1_000_000)
"""How many equations back the forward values of a stage are worked out; older ones are atoms."""

NORMAL_FORM = told("normal form")
RANDOM_POINTS = told("exact evaluation at random points")
BOTH = told("normal form and exact evaluation at random points")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the identity test found for one claim.

    ``chain`` means equal as the user's own chain of formulas computes it, ``own`` equal when the
    earlier gradients that it reads are the right ones. ``general`` means at every size, not only
    at the ``sizes`` tried, and ``numbers`` that sizes which are numbers were kept. ``error`` bounds
    the probability that this is wrong, over the random choices of this run. ``needs`` are
    hypotheses under which an unproved claim would hold.
    """

    of: str
    chain: bool = False
    own: bool = False
    method: str = ""
    hypotheses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    sizes: tuple[Mapping[str, int], ...] = ()
    general: bool = True
    numbers: bool = False
    error: float = 0.0


def prove(paper: Paper, derivation: Derivation, seed: bytes | None = None) -> dict[str, Proof]:
    """One proof, or failed attempt, for each claim of a paper.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        seed: for a repetition; without it randomness comes from the system, after the formulas.
    """
    ties = Ties(paper, derivation)
    paper, derivation = with_choices(paper, derivation)
    links = stages(paper, derivation)
    known = named_functions(paper.forward)
    found = {claim.of: Proof(claim.of) for claim in paper.claims}
    pieces = piecewise_values(paper.forward)
    for of, stage in links.items():
        hypotheses = equal(stage, known, pieces)
        if hypotheses is not None and not (TIES in hypotheses and ties.common(of)):
            terms = (stage.claimed, stage.right.term)
            if _picks(terms, paper.forward):
                hypotheses = tuple(dict.fromkeys((*hypotheses, TIES)))
            hypotheses = (*_domain(terms, paper.forward), *hypotheses)
            found[of] = Proof(of, own=True, method=NORMAL_FORM, hypotheses=hypotheses)
    laws = frozenset(t.name for t in paper.forward.inputs if t.law in ("probabilities", "one-hot"))
    always = choices(paper)
    for assumed in (always, laws) if laws > always else (always,):
        _link_by_points(found, links, paper, derivation, ties, assumed, seed)
        found = _chained(found, links)
        _whole_by_points(found, paper, derivation, ties, assumed, seed)
        found = _chained(found, links)
    found = _looked_at(found, paper, derivation)
    if paper.fixed:  # the code asks for numbers: at others it may be another program
        found = {of: replace(proof, numbers=True) for of, proof in found.items()}
    return _with_needs(found, paper, derivation, laws, seed)


def _looked_at(found: dict[str, Proof], paper: Paper, derivation: Derivation) -> dict[str, Proof]:
    """The proofs after a look at inputs far away: with the hypothesis that a claim has a value,
    and without those that certified numbers contradict."""
    far = far_away(paper, derivation, [of for of, proof in found.items() if proof.chain])
    result = dict(found)
    for of in far.undefined:
        result[of] = replace(found[of], hypotheses=(*found[of].hypotheses, VALUE))
    for of in far.wrong:
        if not found[of].hypotheses:
            result[of] = Proof(of)
    return result


def _said(laws: Iterable[str]) -> tuple[str, ...]:
    # Of a choice, which is named in brackets, that is no hypothesis: it is made so.
    return tuple(
        told("each row of {name} sums to 1", name=name) for name in sorted(laws) if name[0] != "["
    )


def _proof(of: str, found: Answer, hypotheses: tuple[str, ...], *, chain: bool) -> Proof:
    return Proof(
        of,
        chain,
        own=True,
        method=RANDOM_POINTS,
        hypotheses=hypotheses,
        sizes=found.sizes,
        general=found.general,
        numbers=found.numbers,
        error=found.error,
    )


def _chained(found: dict[str, Proof], links: Mapping[str, Stage]) -> dict[str, Proof]:
    """A link that holds, and builds on claims whose chain holds, holds as a chain."""
    result = dict(found)
    for of, stage in links.items():
        proof = result[of]
        below = [result[name] for name in stage.builds_on]
        if proof.own and not proof.chain and all(p.chain for p in below):
            result[of] = replace(
                proof,
                chain=True,
                method=proof.method if all(p.method == proof.method for p in below) else BOTH,
                hypotheses=tuple(dict.fromkeys(h for p in (proof, *below) for h in p.hypotheses)),
                general=all(p.general for p in (proof, *below)),
                numbers=any(p.numbers for p in (proof, *below)),
                sizes=max((p.sizes for p in (proof, *below)), key=len),
                error=min(1.0, sum(p.error for p in (proof, *below))),
            )
    return result


# --- one link at a time -----------------------------------------------------------------------


def _link_by_points(
    found: dict[str, Proof],
    links: Mapping[str, Stage],
    paper: Paper,
    derivation: Derivation,
    ties: Ties,
    laws: frozenset[str],
    seed: bytes | None,
) -> None:
    """Proves links at random points, the gradients that they read being random themselves."""
    for window in WINDOWS:
        waiting = [stage for of, stage in links.items() if not found[of].own]
        for stage in waiting:
            question = _link(stage, paper, derivation, window)
            for result in answer(question, laws, seed):
                if stage.of in result.equal and not (result.apart and ties.common(stage.of)):
                    terms = tuple(e.term for e in question.program.equations)
                    domain = _domain(terms, paper.forward)
                    hypotheses = (*_said(laws), *domain, *_ties(question.program, result))
                    found[stage.of] = _proof(stage.of, result, hypotheses, chain=False)


def _domain(terms: Iterable[Term], program: Program) -> tuple[str, ...]:
    """That the inputs are positive of which a logarithm or a root is taken; values that a formula
    computes are where it is defined."""
    unknown = {t.name for t in program.inputs if t.law not in ("positive", "nonnegative")}
    found: dict[str, None] = {}
    for node in (node for term in terms for node in walk(term)):
        match node:
            case Apply("log" | "sqrt", (Read(tensor),), _) if tensor in unknown:
                found[f"{tensor} > 0"] = None
            case Power(Read(tensor), exponent) if exponent.denominator > 1 and tensor in unknown:
                found[f"{tensor} > 0"] = None
            case _:
                pass
    return tuple(found)


def _picks(terms: Iterable[Term], program: Program) -> bool:
    """Whether a term asks which element is the largest: of two that are, the derived gradient
    takes both, which is none of the slopes that there are."""
    largest = {
        e.target
        for e in program.equations
        if any(isinstance(n, Fold) and n.function == "max" for n in walk(e.term))
    }
    return any(
        any(r.tensor in largest for r in reads(node))
        or any(isinstance(n, Fold) and n.function == "max" for n in walk(node))
        for term in terms
        for node in walk(term)
        if isinstance(node, Compare) and node.relation == "=="
    )


def _ties(program: Program, found: Answer) -> tuple[str, ...]:
    """Random points say nothing about where two elements are the largest."""
    nodes = (node for equation in program.equations for node in walk(equation.term))
    largest = any(isinstance(n, Fold) and n.function == "max" for n in nodes)
    return (TIES,) if found.apart or largest else ()


def _link(stage: Stage, paper: Paper, derivation: Derivation, window: int) -> Question:
    left = Equation(f"{stage.of} claimed", stage.free, stage.claimed)
    right = Equation(f"{stage.of} derived", stage.right.free, stage.right.term)
    forward = {e.target: e for e in paper.forward.equations}
    level = {read.tensor for side in (left, right) for read in reads(side.term)}
    worked_out: set[str] = set()
    for _ in range(window):
        level = {name for name in level if name in forward and name not in worked_out}
        if not level:
            break
        worked_out |= level
        level = {read.tensor for name in level for read in reads(forward[name].term)}
    equations = tuple(e for e in paper.forward.equations if e.target in worked_out)
    return _question(
        (*equations, left, right), {stage.of: (left.target, right.target)}, paper, derivation
    )


def _question(
    equations: tuple[Equation, ...],
    pairs: Mapping[str, tuple[str, str]],
    paper: Paper,
    derivation: Derivation,
) -> Question:
    """The equations over whatever they read and do not define."""
    defined = {e.target for e in equations}
    needed = {read.tensor for e in equations for read in reads(e.term)} - defined
    inputs = {t.name: t for t in paper.forward.inputs}
    known = {**shapes(paper.forward), **shapes(derivation.backward)}
    if paper.backward is not None:
        known = {**shapes(paper.backward), **known}
    tensors = tuple(inputs.get(name, Tensor(name, known[name])) for name in sorted(needed))
    constants = {n: np.asarray(a) for n, a in paper.constants.items() if n in needed}
    return Question(Program(tensors, equations, ()), pairs, constants)


# --- the whole chain --------------------------------------------------------------------------


def _whole(paper: Paper, derivation: Derivation, wanted: Iterable[str]) -> Question:
    assert paper.backward is not None
    equations = (
        *paper.forward.equations,
        *derivation.backward.equations,
        *paper.backward.equations,
    )
    names = {claim.of: claim.name for claim in paper.claims}
    pairs = {of: (names[of], derivation.gradients[of]) for of in wanted}
    return _question(equations, pairs, paper, derivation)


def _whole_by_points(
    found: dict[str, Proof],
    paper: Paper,
    derivation: Derivation,
    ties: Ties,
    laws: frozenset[str],
    seed: bytes | None,
) -> None:
    """Proves what is left as the user's chain computes it, everything from the inputs on."""
    left = [of for of, proof in found.items() if not proof.chain]
    if not left:
        return
    question = _whole(paper, derivation, left)
    for result in answer(question, laws, seed):
        for of in result.equal:
            if result.apart and ties.common(of):
                continue
            terms = tuple(e.term for e in question.program.equations)
            domain = _domain(terms, paper.forward)
            hypotheses = (*_said(laws), *domain, *_ties(question.program, result))
            found[of] = _proof(of, result, hypotheses, chain=True)


def _with_needs(
    found: dict[str, Proof],
    paper: Paper,
    derivation: Derivation,
    laws: frozenset[str],
    seed: bytes | None,
) -> dict[str, Proof]:
    """For unproved claims: a sum of rows, of some data tensor, that would make them hold."""
    left = [of for of, proof in found.items() if not proof.chain]
    for tensor in paper.forward.inputs if left else ():
        if tensor.role != "data" or tensor.name in laws or not tensor.shape:
            continue
        question = _whole(paper, derivation, left)
        helped = {of for r in answer(question, laws | {tensor.name}, seed) for of in r.equal}
        for of in helped:
            found[of] = replace(found[of], needs=_said([tensor.name]))
    return found
