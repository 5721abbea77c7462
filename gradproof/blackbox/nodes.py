"""What a black box names inside to verdicts, node by node: where a wrong gradient begins.

A local variable that has the name of one of the paper's tensors is that value, and ``dz1``,
``dl_dz1`` or ``grad_z1`` is its gradient. That is read from names, so it decides nothing: a name
may mean something else in the function than in the paper. It says where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.mistaken import below_of
from gradproof.blackbox.watching import Caught, watching
from gradproof.core.term import reads
from gradproof.engines.black_box import BoxFailed
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import FINE
from gradproof.judge.box import judge_returned
from gradproof.judge.reference import PaperReference, output
from gradproof.report.nodes import Node
from gradproof.trace.paper import PREFIXES


@dataclass(frozen=True, slots=True)
class Inside:
    """The paper's tensors that a box names, in the order in which they are worked out."""

    values: tuple[Node, ...]
    gradients: tuple[Node, ...]


def nodes(case: Case, reference: PaperReference) -> Inside:
    """The nodes of the first draw. In 16 bits the function is asked in float64, and judged by
    float32's room for rounding, because nodes far inside have no signal there.

    Args:
        case: what is checked; it is called once more.
        reference: its paper.
    """
    known = {e.target for e in reference.paper.forward.equations}
    of_gradient = {
        prefix + name: name for prefix in PREFIXES[::-1] for name in reference.derivation.gradients
    }
    caught: list[Caught] = []
    data = case.data(0)
    fine = case.dtype in FINE
    try:
        question = case.question(data, dtype=case.dtype if fine else "float64")
        with watching(
            lambda name: name in known or name in of_gradient, case.machine.returned, caught
        ):
            case.machine.pull(case.function, question)
    except BoxFailed:
        return Inside((), ())
    contract = contract_of(case.machine.name, case.dtype if fine else "float32")
    right = reference.everything(data, case.contract if fine else contract)

    def judged(one: Caught, symbol: str) -> Node:
        found = judge_returned(one.value, right[symbol], None, contract)
        return Node(symbol, one.name, one.function, one.place, found)

    once = _once(caught)
    values = [judged(one, one.name) for one in once if one.name in known]
    gradients = [
        judged(one, reference.derivation.gradients[of_gradient[one.name]])
        for one in once
        if one.name not in known and one.name in of_gradient
    ]
    order = [*(e.target for e in reference.paper.forward.equations)]
    order += [step.equation.target for step in reference.derivation.steps]
    place = {symbol: k for k, symbol in enumerate(order)}
    return Inside(
        tuple(sorted(values, key=lambda node: place[node.symbol])),
        tuple(sorted(gradients, key=lambda node: place[node.symbol])),
    )


def _once(caught: Sequence[Caught]) -> list[Caught]:
    """What each name stands for; a name with different numbers in several calls is left out."""
    first: dict[str, Caught] = {}
    several: set[str] = set()
    told = {one.name for one in caught if one.told}
    for one in caught:
        if one.value.array is None or (one.name in told and not one.told):
            continue
        before = first.setdefault(one.name, one)
        if not _same(before, one):
            several.add(one.name)
    return [one for name, one in first.items() if name not in several]


def _same(a: Caught, b: Caught) -> bool:
    x, y = a.value.array, b.value.array
    return x is not None and y is not None and np.array_equal(x, y, equal_nan=True)


def first_wrong(
    inside: Inside, kinds: Mapping[str, str], reference: PaperReference
) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """The first named value and the first named gradient that differ, each with those before it
    that agree. What differs counts only if something that comes of it is refuted and nothing that
    comes of it agrees: else the name means something else there.

    Args:
        inside: the nodes.
        kinds: the verdict on each returned tensor, by the reference's names.
        reference: the paper.
    """
    gradients = reference.derivation.gradients
    of_symbol = {symbol: kinds.get(name, "") for name, symbol in gradients.items()}
    of_value = dict(
        zip(
            reference.outputs_named,
            (kinds.get(output(k), "") for k in range(len(reference.outputs_named))),
            strict=True,
        )
    )
    for some, verdicts in ((inside.values, of_value), (inside.gradients, of_symbol)):
        agreeing: list[Node] = []
        for node in some:
            below = [node.symbol, *_after(node.symbol, reference)]
            ends = {verdicts.get(symbol, "") for symbol in below}
            if node.finding.kind == "agrees":
                agreeing.append(node)
            elif node.finding.kind == "refuted" and "refuted" in ends and "agrees" not in ends:
                yield node, tuple(agreeing)
                break


def right_inside(
    inside: Inside, kinds: Mapping[str, str], reference: PaperReference
) -> Iterator[Node]:
    """The gradients that agree where they are named, and are refuted as they are returned."""
    wrong = {
        g for name, g in reference.derivation.gradients.items() if kinds.get(name) == "refuted"
    }
    yield from (n for n in inside.gradients if n.symbol in wrong and n.finding.kind == "agrees")


def _after(symbol: str, reference: PaperReference) -> Sequence[str]:
    """What is made of a value, among the values; of a gradient, among the gradients."""
    if symbol in reference.derivation.gradients.values():
        return below_of(symbol, reference)
    made = {symbol}
    for equation in reference.paper.forward.equations:
        if any(read.tensor in made for read in reads(equation.term)):
            made.add(equation.target)
    return tuple(made)
