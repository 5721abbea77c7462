"""Gradients that a paper leaves blank to the derived ones, so that the others can be judged."""

from __future__ import annotations

from dataclasses import replace

from gradproof.core.errors import NetworkError
from gradproof.core.program import Claim, Derivation, Equation, Paper
from gradproof.core.term import reads, rename
from gradproof.core.told import told


def with_blanks_filled(paper: Paper, derivation: Derivation) -> Paper:
    """The paper, with the derived gradient wherever its backward has a blank.

    So each formula is judged as if what is still missing before it were there, and right.

    Args:
        paper: the traced paper.
        derivation: its gradients.

    Raises:
        NetworkError: the blank is for data, which has no gradient; or a formula is made from the
            blank of a gradient that is found from it, such as its own.
    """
    if not paper.blanks or paper.backward is None:
        return paper
    for of in paper.blanks.values():
        if of not in derivation.gradients:
            raise NetworkError(
                told(
                    "gp.blank({of}) stands for a gradient, but {of} is given and has none.", of=of
                ),
                advice=told("Leave {of} out of backward's formulas.", of=of),
            )
    _check_order(paper, derivation)
    names = {blank: derivation.gradients[of] for blank, of in paper.blanks.items()}
    known = {t.name for t in paper.backward.inputs}
    inputs = tuple(
        replace(t, name=names.get(t.name, t.name))
        for t in paper.backward.inputs
        if names.get(t.name) not in known
    )
    equations = tuple(replace(e, term=rename(e.term, names)) for e in paper.backward.equations)
    listed = ", ".join(names.values())
    note = f"Blank, and taken as right by what builds on it: {listed}."
    return replace(
        paper,
        backward=replace(paper.backward, inputs=inputs, equations=equations),
        notes=(*paper.notes, note),
    )


def _check_order(paper: Paper, derivation: Derivation) -> None:
    """That each formula uses only blanks that come before it, from the loss on back."""
    assert paper.backward is not None
    order = {step.of: number for number, step in enumerate(derivation.steps)}
    defined = {equation.target: equation for equation in paper.backward.equations}
    below: dict[str, frozenset[str]] = {}
    for equation in paper.backward.equations:
        below[equation.target] = _blanks_of(equation, defined, below, paper)
    for claim in paper.claims:
        for of in sorted(below[claim.name], key=order.__getitem__, reverse=True):
            if order[of] >= order[claim.of]:
                raise NetworkError(
                    _circular(claim, of),
                    advice=told("A formula may use the blanks of what comes nearer to the loss."),
                    place=claim.place,
                )


def _blanks_of(
    equation: Equation,
    defined: dict[str, Equation],
    below: dict[str, frozenset[str]],
    paper: Paper,
) -> frozenset[str]:
    """The tensors whose missing gradients an equation is made from, near and far."""
    names = {read.tensor for read in reads(equation.term)}
    own = frozenset(paper.blanks[name] for name in names if name in paper.blanks)
    return own.union(*(below[name] for name in names if name in defined))


def _circular(claim: Claim, of: str) -> str:
    if of == claim.of:
        return f"{claim.name} is made from gp.blank({of}), the gradient that it should find."
    return f"{claim.name} is made from gp.blank({of}), whose gradient is found from it."
