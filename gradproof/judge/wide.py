"""Proved formulas at inputs far from the data: some have no value there, and none may be wrong.

A proof is one of formulas, and ``exp(log(x − 5))`` is ``x − 5`` as a formula; but where x is less
than 5 it is no number. Such a region is found by trying, and is a hypothesis then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.program import Derivation, Paper, shapes
from gradproof.core.term import Apply, Power, Read, Term, reads, walk
from gradproof.core.told import told
from gradproof.engines.arb import Arb, precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.generic import choose_sizes, draw
from gradproof.judge.ground import all_equations
from gradproof.judge.pieces import has_pieces

VALUE = told("nothing is divided by zero, and no root or logarithm is of a negative number")

SCALES = (2.0, 16.0)
"""How much larger than data the inputs are that are tried."""

BITS = 1024
MOST_ELEMENTS = 4_000
"""A network with more numbers than this is not evaluated: that would take seconds."""


@dataclass(frozen=True, slots=True)
class Far:
    """The tensors whose claims have no value somewhere, and those whose claims are wrong there,
    although the right gradients have one."""

    undefined: frozenset[str]
    wrong: frozenset[str]


def far_away(paper: Paper, derivation: Derivation, proved: Collection[str]) -> Far:
    """What claims are worth at a few generic inputs that are larger than data.

    Args:
        paper: the traced paper.
        derivation: its right gradients.
        proved: the tensors whose claims are looked at: those that compare, divide, or take a root
            or a logarithm, themselves or by what they build on.
    """
    claims = {claim.of: claim.name for claim in paper.claims if claim.of in proved}
    regional = _regional(paper)
    claims = {of: name for of, name in claims.items() if name in regional}
    undefined, wrong = set[str](), set[str]()
    if not claims:
        return Far(frozenset(), frozenset())
    inputs = {t.name: t for t in paper.forward.inputs}
    sizes = choose_sizes(inputs, {}, paper.constants)
    if _elements(paper, sizes) > MOST_ELEMENTS or not _fit(paper, sizes):
        return Far(frozenset(), frozenset())
    (loss,) = paper.forward.outputs
    for seed, scale in enumerate(SCALES):
        data = draw(inputs, sizes, paper.constants, "float64", seed)
        for name, tensor in inputs.items():
            if name not in paper.constants and tensor.law in ("", "positive", "nonnegative"):
                data[name] = scale * data[name]
        try:
            values = _values(paper, derivation, data, sizes)
        except NotYet:
            continue
        if not values[loss][0].item().is_finite():
            continue
        for of, name in claims.items():
            right = values[derivation.gradients[of]][0].reshape(-1)
            pairs = list(zip(values[name][0].reshape(-1), right, strict=True))
            if any(r.is_finite() and not c.is_finite() for c, r in pairs):
                undefined.add(of)
            if any(r.is_finite() and c.is_finite() and not c.overlaps(r) for c, r in pairs):
                wrong.add(of)
    return Far(frozenset(undefined), frozenset(wrong))


def _regional(paper: Paper) -> frozenset[str]:
    """The user's formulas that may have no value somewhere, or are another one there, and what
    builds on them."""
    found = set[str]()
    if paper.backward is not None:
        for equation in paper.backward.equations:
            below = {read.tensor for read in reads(equation.term)}
            if _has_regions(equation.term) or not below.isdisjoint(found):
                found.add(equation.target)
    return frozenset(found)


def _has_regions(term: Term) -> bool:
    return has_pieces(term) or any(
        (isinstance(n, Apply) and n.function in ("log", "sqrt"))
        or (
            isinstance(n, Power)
            and (n.exponent < 0 or n.exponent.denominator > 1)
            and any(isinstance(below, Read) for below in walk(n.base))
        )
        for n in walk(term)
    )


def _values(
    paper: Paper,
    derivation: Derivation,
    data: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> dict[str, Value]:
    arb = Arb()
    tensors: dict[str, Value] = {}
    room = Room(tensors, sizes, arb)
    with precision(BITS):
        for name, array in (*paper.constants.items(), *data.items()):
            tensors[name] = arb.lift(np.asarray(array))
        for equation in all_equations(paper, derivation):
            tensors[equation.target] = evaluate_equation(equation, room)
    return tensors


def _lengths(shape: Iterable[int | str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else sizes[size] for size in shape)


def _elements(paper: Paper, sizes: Mapping[str, int]) -> int:
    return sum(prod(_lengths(shape, sizes)) for shape in shapes(paper.forward).values())


def _fit(paper: Paper, sizes: Mapping[str, int]) -> bool:
    """Whether the arrays of the code have these sizes."""
    known = {t.name: t.shape for t in paper.forward.inputs}
    if paper.backward is not None:
        known = {**{t.name: t.shape for t in paper.backward.inputs}, **known}
    return all(
        name not in known or np.shape(array) == _lengths(known[name], sizes)
        for name, array in paper.constants.items()
    )
