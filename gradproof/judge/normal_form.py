"""Claims to proofs by normal form, one stage at a time: deterministic, and for all sizes.

Forward values, and the gradients that a claim builds on, are atoms. Both sides are brought to the
same atoms: a user's helper values are written out, and so are gradients that only one side reads.
σ′(z) is written by its rule, and σ(z) by the name that the forward pass gave it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gradproof.core.index import Index, at, indices_of
from gradproof.core.monomials import TooLong, polynomial, same
from gradproof.core.normal import apart, highest
from gradproof.core.program import Derivation, Equation, Paper, Program
from gradproof.core.term import (
    Along,
    Apply,
    Fold,
    Read,
    Term,
    free,
    positions,
    reads,
    rename,
    substitute,
    transform,
    walk,
)
from gradproof.engines.evaluate import written_out
from gradproof.judge.pieces import TIES, has_pieces, masked
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

Named = tuple[str, tuple[int, ...]]
"""A tensor, and for each of its axes which index of the pattern stands there."""

MOST_NODES = 1500
MOST_STAGES = 24


@dataclass(frozen=True, slots=True)
class Stage:
    """A claim and the derived gradient as terms over the same atoms.

    ``builds_on`` are the claims that it reads, which stand in it as the right gradients.
    """

    of: str
    builds_on: frozenset[str]
    free: tuple[Index, ...]
    claimed: Term
    right: Equation


@dataclass(frozen=True, slots=True)
class _Context:
    """Where the names in a claim come from."""

    helpers: Mapping[str, Equation]
    gradients: Mapping[str, Equation]
    order: Mapping[str, int]
    claimed: Mapping[str, str]


def stages(
    paper: Paper, derivation: Derivation, only: Collection[str] | None = None
) -> dict[str, Stage]:
    """Each claim's stage, in the order of the chain; without those that are too long.

    Args:
        paper: the traced paper, with claims.
        derivation: its right gradients.
        only: the tensors whose claims are wanted, or `None` for all.
    """
    assert paper.backward is not None
    claimed = {claim.name: derivation.gradients[claim.of] for claim in paper.claims}
    by_name = {claim.name: claim.of for claim in paper.claims}
    context = _Context(
        {e.target: e for e in paper.backward.equations if e.target not in claimed},
        {e.target: e for e in derivation.backward.equations},
        {e.target: k for k, e in enumerate(derivation.backward.equations)},
        claimed,
    )
    found: dict[str, Stage] = {}
    for equation in paper.backward.equations:
        if equation.target not in claimed:
            continue
        of = by_name[equation.target]
        if only is not None and of not in only:
            continue
        right = context.gradients[claimed[equation.target]]
        try:
            mine = inlined(equation.term, context.helpers)
            names = {r.tensor for r in reads(mine)} & set(claimed)
            left, other = _common(rename(mine, claimed), right.term, context)
        except TooLong:
            continue
        builds_on = frozenset(by_name[name] for name in names)
        found[of] = Stage(
            of, builds_on, equation.free, left, Equation(right.target, right.free, other)
        )
    return found


def claims_written_out(paper: Paper) -> dict[str, Equation]:
    """Each claim's equation over forward values and other claims, by the tensor it is for;
    without those that are too long."""
    if paper.backward is None:
        return {}
    by_name = {claim.name: claim.of for claim in paper.claims}
    helpers = {e.target: e for e in paper.backward.equations if e.target not in by_name}
    found: dict[str, Equation] = {}
    for equation in paper.backward.equations:
        if equation.target in by_name:
            try:
                term = inlined(equation.term, helpers)
            except TooLong:
                continue
            found[by_name[equation.target]] = Equation(equation.target, equation.free, term)
    return found


def equal(
    stage: Stage, known: Mapping[str, Named], pieces: Mapping[str, Equation]
) -> tuple[str, ...] | None:
    """The hypotheses under which both sides of a stage have one normal form, mostly none; `None`
    where they have not, which says nothing.

    Args:
        stage: the two terms.
        known: the forward program's functions, as `named_functions` finds them.
        pieces: its piecewise values, as `piecewise_values` finds them.
    """
    right = stage.right
    if same(stage.free, prepared(stage.claimed, known), right.free, prepared(right.term, known)):
        return ()
    try:
        mine, other = inlined(stage.claimed, pieces), inlined(right.term, pieces)
        if not (has_pieces(mine) or has_pieces(other)):
            return None
        for apart in (False, True):
            one, two = masked(mine, apart=apart), masked(other, apart=apart)
            if same(stage.free, prepared(one.term, known), right.free, prepared(two.term, known)):
                return (TIES,) if one.ties or two.ties else ()
    except TooLong:
        pass
    return None


def _common(left: Term, right: Term, context: _Context) -> tuple[Term, Term]:
    """Both sides in terms of the same gradients: one that only one side reads is written out."""
    for _ in range(MOST_STAGES):
        mine = {r.tensor for r in reads(left)} & set(context.gradients)
        theirs = {r.tensor for r in reads(right)} & set(context.gradients)
        if mine == theirs:
            return left, right
        last = max(mine ^ theirs, key=lambda name: context.order[name])
        definition = {last: context.gradients[last]}
        left, right = inlined(left, definition), inlined(right, definition)
    raise TooLong


def inlined(term: Term, definitions: Mapping[str, Equation]) -> Term:
    """The term with these tensors written out, wherever they are read."""
    while any(r.tensor in definitions for r in reads(term)):
        first = highest(term) + 1
        for read in dict.fromkeys(r for r in reads(term) if r.tensor in definitions):
            equation = definitions[read.tensor]
            first = max(first, highest(equation.term, equation.free) + 1)
            body, first = apart(equation.term, first)
            moved = substitute(body, dict(zip(equation.free, read.at, strict=True)))
            term = transform(term, lambda node, old=read, new=moved: new if node == old else node)
        if sum(1 for _ in walk(term)) > MOST_NODES:
            raise TooLong
        # What stood twice in the term now has its summed indices twice.
        term, _ = apart(term, highest(term) + 1)
    return term


# --- functions by their rules and names -------------------------------------------------------


def prepared(term: Term, known: Mapping[str, Named]) -> Term:
    """Slopes written by their rules, and function values by the names they have."""

    def change(node: Term) -> Term:
        match node:
            case Apply(function, arguments, 1):
                rule = written_out(ELEMENTWISE_BY_NAME[function], 1)
                places = {f"#{k}": argument for k, argument in enumerate(arguments)}
                return transform(rule, lambda n: _placed(n, places))
            case _:
                return node

    def named(node: Term) -> Term:
        match node:
            case Apply(_, _, 0) | Fold() | Along():
                pattern = _pattern(node)
                if pattern is None or pattern not in known:
                    return node
                target, axes = known[pattern]
                seen = _appearance(node)
                return Read(target, tuple(at(seen[k]) for k in axes))
            case _:
                return node

    return transform(transform(term, change), named)


def _placed(node: Term, places: Mapping[str, Term]) -> Term:
    return places[node.tensor] if isinstance(node, Read) and node.tensor in places else node


def named_functions(program: Program) -> dict[str, Named]:
    """Each function of named tensors in a program, as a pattern, to its own name."""
    found: dict[str, Named] = {}
    for equation in program.equations:
        match equation.term:
            case Apply(_, _, 0) | Fold() | Along():
                seen = _appearance(equation.term)
                pattern = _pattern(equation.term)
                if pattern is not None and set(equation.free) == set(seen):
                    axes = tuple(seen.index(index) for index in equation.free)
                    found.setdefault(pattern, (equation.target, axes))
            case _:
                pass
    return found


def _pattern(term: Term) -> str | None:
    """A term up to the names of its indices."""
    seen = tuple(_appearance(term))
    try:
        return str(([i.size for i in seen], sorted(polynomial(seen, term).items())))
    except TooLong:
        return None


def _appearance(term: Term) -> list[Index]:
    """The free indices in the order in which they appear."""
    outer = free(term)
    seen: dict[Index, None] = {}
    for node in walk(term):
        for position in positions(node):
            seen.update((i, None) for i in indices_of(position) if i in outer)
    return list(seen)
