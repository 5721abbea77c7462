"""A user's formulas against the derived ones: equality over the reals, proved or not.

A failure to prove is never a refutation.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.index import Size
from gradproof.core.program import Claim, Derivation, Equation, Paper, Program, Tensor
from gradproof.core.term import rename
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation
from gradproof.engines.modular import PRIME, Modular, UnluckyPoint

POINTS = 3
DRAWS = ({"first": 4, "step": 1}, {"first": 5, "step": 2})
"""Two ways of choosing sizes: each symbol its own, at least as many as a term has indices."""

MOST_TRIES = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """What the identity test found for one claim.

    ``chain`` means equal as the user's own chain of formulas computes it, ``own`` equal when
    the earlier gradients that it reads are the right ones. ``error`` bounds the probability that
    this is wrong, over the random choices of this run.
    """

    of: str
    chain: bool
    own: bool
    method: str
    hypotheses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    sizes: tuple[Mapping[str, int], ...] = ()
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Which claims held at every point, in the chain and on their own, and what it cost."""

    chain: frozenset[str]
    own: frozenset[str]
    sizes: tuple[Mapping[str, int], ...]
    error: float


def prove(paper: Paper, derivation: Derivation, seed: bytes | None = None) -> dict[str, Proof]:
    """One proof, or failed attempt, for each claim of a paper.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        seed: for a repetition; without it randomness comes from the system, after the formulas.
    """
    laws = tuple(t for t in paper.forward.inputs if t.law in ("probabilities", "one-hot"))
    free = _attempt(paper, derivation, (), seed)
    names = {claim.of for claim in paper.claims}
    bound = _attempt(paper, derivation, laws, seed) if laws and free.chain != names else free
    said = tuple(f"each row of {t.name} sums to 1" for t in laws)
    needs = _needed(paper, derivation, laws, bound, seed) if bound.chain != names else {}
    return {
        claim.of: _proof(claim, free, bound, said, needs.get(claim.of, ()))
        for claim in paper.claims
    }


def _proof(
    claim: Claim, free: _Outcome, bound: _Outcome, said: tuple[str, ...], needs: tuple[str, ...]
) -> Proof:
    of = claim.of
    used = free if of in free.chain or bound is free else bound
    hypotheses = () if used is free else said
    chain, own = of in used.chain, of in free.own or of in bound.own
    method = "modular" if chain else ""
    return Proof(of, chain, own, method, hypotheses, needs, used.sizes, used.error)


def _needed(
    paper: Paper,
    derivation: Derivation,
    laws: tuple[Tensor, ...],
    bound: _Outcome,
    seed: bytes | None,
) -> dict[str, tuple[str, ...]]:
    """For unproved claims: a sum of rows, of some data tensor, that would make them hold."""
    found: dict[str, tuple[str, ...]] = {}
    for tensor in paper.forward.inputs:
        if tensor.role != "data" or tensor in laws or not tensor.shape:
            continue
        helped = _attempt(paper, derivation, (*laws, tensor), seed).chain - bound.chain
        found.update(dict.fromkeys(helped, (f"each row of {tensor.name} sums to 1",)))
    return found


def _attempt(
    paper: Paper, derivation: Derivation, laws: tuple[Tensor, ...], seed: bytes | None
) -> _Outcome:
    chain = own = frozenset(claim.of for claim in paper.claims)
    chosen, error = [], 1.0
    for draw in DRAWS:
        sizes = _sizes(paper.forward, draw["first"], draw["step"])
        chosen.append(sizes)
        worst = 0.0
        for point in range(POINTS):
            held = _point(paper, derivation, laws, sizes, _key(seed, draw["first"], point))
            if held is None:
                return _Outcome(frozenset(), frozenset(), tuple(chosen), 1.0)
            chain, own = chain & held.chain, own & held.own
            worst = max(worst, held.error)
        error = min(error, worst**POINTS)
    return _Outcome(chain, own, tuple(chosen), error)


def _key(seed: bytes | None, draw: int, point: int) -> bytes:
    fresh = secrets.token_bytes(32) if seed is None else seed
    return fresh[:32] + bytes([draw, point])


def _sizes(program: Program, first: int, step: int) -> dict[str, int]:
    symbols: dict[Size, None] = {}
    for tensor in program.inputs:
        symbols.update((size, None) for size in tensor.shape if isinstance(size, str))
    return {str(s): first + step * k for k, s in enumerate(symbols)}


def _point(
    paper: Paper,
    derivation: Derivation,
    laws: tuple[Tensor, ...],
    sizes: dict[str, int],
    key: bytes,
) -> _Outcome | None:
    """The claims that hold at one random point; `None` where no point could be used."""
    assert paper.backward is not None
    for attempt in range(MOST_TRIES):
        machine = Modular(key + bytes([attempt]))
        try:
            inputs = {t.name: _drawn(t, paper, laws, sizes, machine) for t in paper.forward.inputs}
            constants = {n: machine.lift(np.asarray(a)) for n, a in paper.constants.items()}
            values = evaluate(paper.forward, {**inputs, **constants}, sizes, machine)
            right = evaluate(derivation.backward, values, sizes, machine)
            claimed = evaluate(paper.backward, values, sizes, machine)
            held = frozenset(
                c.of for c in paper.claims if _same(claimed[c.name], _right(c, derivation, right))
            )
            own = held | _own(paper, derivation, held, right, sizes, machine)
        except UnluckyPoint:
            continue
        except NotYet:
            return None
        return _Outcome(held, own, (sizes,), _miss(paper, machine, sizes))
    return None


def _right(claim: Claim, derivation: Derivation, values: Mapping[str, Value]) -> Value:
    return values[derivation.gradients[claim.of]]


def _same(left: Value, right: Value) -> bool:
    return left[0].shape == right[0].shape and bool(np.all(left[0] == right[0]))


def _own(
    paper: Paper,
    derivation: Derivation,
    held: frozenset[str],
    right: dict[str, Value],
    sizes: dict[str, int],
    machine: Modular,
) -> frozenset[str]:
    """The other claims, each on the right gradients in the place of earlier claims."""
    assert paper.backward is not None
    if len(held) == len(paper.claims):
        return frozenset()
    found: set[str] = set()
    names = {claim.name: derivation.gradients[claim.of] for claim in paper.claims}
    by_name = {claim.name: claim for claim in paper.claims}
    tensors = dict(right)
    for equation in paper.backward.equations:
        moved = Equation(equation.target, equation.free, rename(equation.term, names))
        value = evaluate_equation(moved, Room(tensors, sizes, machine))
        tensors[equation.target] = value
        claim = by_name.get(equation.target)
        if claim is not None and _same(value, _right(claim, derivation, right)):
            found.add(claim.of)
    return frozenset(found)


def _drawn(
    tensor: Tensor,
    paper: Paper,
    laws: tuple[Tensor, ...],
    sizes: Mapping[str, int],
    machine: Modular,
) -> Value:
    if tensor.name in paper.constants:
        return machine.lift(np.asarray(paper.constants[tensor.name]))
    shape = tuple(size if isinstance(size, int) else sizes[size] for size in tensor.shape)
    (array,) = machine.draw(shape, tensor.name)
    if tensor in laws:
        array[..., -1] = (1 - np.sum(array[..., :-1], axis=-1)) % PRIME
    if tensor.law in ("positive", "nonnegative"):
        array = np.asarray(array * array % PRIME, dtype=object)
    return (array,)


def _miss(paper: Paper, machine: Modular, sizes: Mapping[str, int]) -> float:
    """A bound on the probability that two different formulas agree at one point.

    Schwartz and Zippel: degree over the prime, and a collision of two arguments of a random
    function. The degree of one stage is at most 8 in what it reads; each stage multiplies it
    by no more than its own because every function starts afresh at degree 1.
    """
    assert paper.backward is not None
    stages = len(paper.forward.equations) + len(paper.backward.equations)
    arguments = max(machine.generators, 1)
    largest = max(sizes.values(), default=1)
    degree = 8.0 * largest * (stages + 1) ** 2
    return min(1.0, degree * arguments**2 / PRIME)
