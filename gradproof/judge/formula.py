"""A user's formulas to verdicts: proved, refuted at a concrete input, or undecided."""

from __future__ import annotations

from collections.abc import Mapping

import flint
import numpy as np

from gradproof.core.program import Claim, Derivation, Equation, Paper
from gradproof.core.term import rename
from gradproof.core.told import told, told_sum
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.identity import Proof
from gradproof.judge.kink import Kink
from gradproof.judge.tied import touched
from gradproof.judge.truth import TrueValues
from gradproof.judge.verdict import CounterExample, FormulaVerdict
from gradproof.judge.wide import VALUE


def judge_formula(
    claim: Claim,
    paper: Paper,
    derivation: Derivation,
    proof: Proof,
    truth: TrueValues,
    sizes: Mapping[str, int],
    kink: Kink | None = None,
    unit: float = 2.0**-53,
    tied: Mapping[str, np.ndarray] | None = None,
) -> FormulaVerdict:
    """The verdict on one claim.

    Args:
        claim: the claim.
        paper: the traced paper that makes it.
        derivation: the right gradients.
        proof: what the identity test found.
        truth: Arb enclosures of forward, derived backward and the user's backward.
        sizes: a number for each size symbol.
        kink: where its tensor lies at a kink of a function that it is given to.
        unit: half the distance from 1 to the next number of the arrays that the code reads.
        tied: values that are the largest of others, with the elements where two of these are.
    """
    right = truth.balls[derivation.gradients[claim.of]]
    found = first_disjoint(truth.balls[claim.name], right, truth.bits)
    if proof.chain and found is not None and any(h != VALUE for h in proof.hypotheses):
        # A proof under hypotheses says nothing where they fail; against one without, certified
        # intervals have the last word.
        return FormulaVerdict(
            "undecided",
            told(
                "it holds if {hypotheses}, and at this input it does not hold",
                hypotheses=told_sum(proof.hypotheses),
            ),
            hypotheses=proof.hypotheses,
            counter_example=found,
        )
    equal = proof.chain and found is None
    nowhere = undefined(truth.balls[claim.name], right) if equal else None
    if nowhere is not None:
        return FormulaVerdict(
            "undecided",
            told(
                "as formulas they are equal, but at this input the claim has no value at "
                "{nowhere}: it divides by zero, or takes the root or logarithm of a negative "
                "number",
                nowhere=nowhere,
            ),
            hypotheses=proof.hypotheses,
        )
    if equal:
        return FormulaVerdict(
            "proved",
            told("by {method}", method=proof.method),
            hypotheses=proof.hypotheses,
            method=proof.method,
            scope=scope(proof),
            error=proof.error,
        )
    if found is None:
        because = told("no proof was found, and no difference at this input")
        if proof.needs:
            because = told(
                "no proof was found, and no difference at this input; it would hold if {needs}",
                needs=told_sum(proof.needs),
            )
        return FormulaVerdict("undecided", because)
    if paper.constants and _within(ROUNDINGS * unit, truth.balls[claim.name], right, truth.bits):
        return FormulaVerdict(
            "undecided",
            told(
                "it differs from the derived gradient by no more than a number in your code does "
                "from the same one rounded, in an array of it"
            ),
            counter_example=found,
        )
    if kink is not None and _only_at(kink.spots, truth.balls[claim.name], right, truth.bits):
        return FormulaVerdict(
            "undecided",
            told(
                "it differs from the derived gradient only where {function} has no "
                "derivative, and where either slope may be taken",
                function=kink.function,
            ),
            counter_example=found,
        )
    spots = touched(claim.of, tied, derivation, truth, sizes) if tied else None
    if _only_at(spots, truth.balls[claim.name], right, truth.bits):
        return FormulaVerdict(
            "undecided",
            told(
                "it differs from the derived gradient only where the largest of some values stands "
                "twice, and where its gradient may be shared"
            ),
            counter_example=found,
        )
    inherited = (proof.own and not proof.chain) or first_disjoint(
        _own_value(claim, paper, derivation, truth, sizes), right, truth.bits
    ) is None
    because = (
        told("the formula is right; it builds on an earlier mistake")
        if inherited
        else told("the two values lie in disjoint certified intervals")
    )
    return FormulaVerdict("refuted", because, inherited, counter_example=found)


def scope(proof: Proof) -> str:
    """For which sizes a proof holds, in words."""
    if proof.general and not proof.numbers:
        return told("for all sizes")
    if proof.general and any(proof.sizes):
        return told("for every value of the symbols, at the sizes that are numbers")
    if proof.general:
        return told("for the sizes given")
    tried = "; ".join(
        ", ".join(f"{name} = {size}" for name, size in sizes.items()) for sizes in proof.sizes
    )
    return (
        told("for the sizes tried ({tried})", tried=tried) if tried else told("for the sizes given")
    )


def _own_value(
    claim: Claim,
    paper: Paper,
    derivation: Derivation,
    truth: TrueValues,
    sizes: Mapping[str, int],
) -> np.ndarray:
    """The claim on right operands; its own helper values are worked out again on them too."""
    assert paper.backward is not None
    right = {c.name: derivation.gradients[c.of] for c in paper.claims if c.name != claim.name}
    arb = Arb()
    tensors = {name: (balls,) for name, balls in truth.balls.items()}
    with precision(truth.bits):
        for equation in paper.backward.equations:
            moved = Equation(equation.target, equation.free, rename(equation.term, right))
            tensors[equation.target] = evaluate_equation(moved, Room(tensors, sizes, arb))
            if equation.target == claim.name:
                break
    return tensors[claim.name][0]


def first_disjoint(claimed: np.ndarray, right: np.ndarray, bits: int) -> CounterExample | None:
    """The element at which the two enclosures are farthest apart, if any are disjoint."""
    best: tuple[float, tuple[int, ...]] | None = None
    with precision(bits):
        for index in np.ndindex(*right.shape):
            a, b = claimed[index], right[index]
            if not a.overlaps(b):
                size = max(float(abs(b).mid()), 2.0**-1000)
                gap = min(float(abs((a - b).mid())) / size, 1e300)
                if best is None or gap > best[0]:
                    best = (gap, index)
        if best is None:
            return None
        index = best[1]
        return CounterExample(index, _show(claimed[index]), _show(right[index]), bits)


ROUNDINGS = 4
"""How many units two formulas may be apart that read one number rounded and exact."""


def _within(share: float, claimed: np.ndarray, right: np.ndarray, bits: int) -> bool:
    """Whether no element differs by more than this share: 0.1 in code is 1/10, and in an array
    the nearest number of its dtype."""
    with precision(bits):
        return all(
            bool(abs(claimed[index] - right[index]) <= share * abs(right[index]))
            for index in np.ndindex(*right.shape)
        )


def _only_at(spots: np.ndarray | None, claimed: np.ndarray, right: np.ndarray, bits: int) -> bool:
    """Whether two enclosures are disjoint at no elements but these."""
    if spots is None or spots.shape != right.shape:
        return False
    with precision(bits):
        return all(
            spots[index] or claimed[index].overlaps(right[index])
            for index in np.ndindex(*right.shape)
        )


def undefined(claimed: np.ndarray, right: np.ndarray) -> tuple[int, ...] | None:
    """The first element at which the right value exists and the claimed one does not."""
    for index in np.ndindex(*right.shape):
        if right[index].is_finite() and not claimed[index].is_finite():
            return index
    return None


def _show(ball: flint.arb) -> str:
    return str(ball.str(15))
