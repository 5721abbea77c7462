"""A case to that of its second order: the backward pass is the function, differentiated again.

Its values are the first gradients; its own backward pass is what the framework makes of the box's
when it is asked for the gradient of ``s = Σ ⟨v, ∂l/∂x⟩``, with random weights v as upstream
gradients. So everything that judges a black box judges this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradproof.blackbox.autodiff import of_autodiff
from gradproof.blackbox.build import name_of
from gradproof.blackbox.case import Case
from gradproof.core.program import Tensor
from gradproof.core.told import told
from gradproof.derivation.again import derive_again
from gradproof.engines.dtype import in_dtype
from gradproof.judge.reference import Data, PaperReference, Reference

EXACTLY = "float64"


def second_case(case: Case, seed: int) -> Case:
    """The case of the second order.

    Args:
        case: that of the first.
        seed: of the weights of the first gradients.

    Raises:
        EngineError: the engine's backward passes cannot be differentiated.
    """
    first = case.data(0)
    names = _names(case, len(first.upstream))
    wanted = case.gradients()

    def data(k: int) -> Data:
        before = case.data(k)
        random = np.random.default_rng([seed, k, 2])
        weights = tuple(
            in_dtype(random.normal(0.0, 1.0, before.inputs[name].shape), case.dtype)
            for name in wanted
        )
        arriving = dict(zip(names, before.upstream, strict=True))
        return Data({**before.inputs, **arriving}, weights)

    passed = [Tensor(n, g.shape) for n, g in zip(names, first.upstream, strict=True)]
    again = replace(
        case,
        function=case.machine.backward(case.function, case.question(first)),
        inputs=(*case.inputs, *passed),
        lists=(*case.lists, *((name, 0) for name in names)),
        wanted=(*case.wanted, *names),
        data=data,
        first=wanted,
    )
    return replace(again, reference=_reference(case, again, first))


def _names(case: Case, count: int) -> tuple[str, ...]:
    """How the upstream gradients are called."""
    if isinstance(case.reference, PaperReference):
        return case.reference.upstream
    taken = {t.name for t in case.inputs}
    letter = "g"
    while letter in taken or f"{letter}1" in taken:
        letter += "_"
    return (letter,) if count == 1 else tuple(f"{letter}{k}" for k in range(1, count + 1))


def _reference(case: Case, again: Case, first: Data) -> Reference:
    """The reference's gradients, differentiated again."""
    match case.reference:
        case PaperReference():
            return _paper(case.reference, case.gradients())
        case _:
            question = case.question(first, dtype=EXACTLY, device="cpu")
            words = told("{reference}, differentiated again", reference=name_of(case.written))
            twice = case.machine.backward(case.written, question)
            return of_autodiff(twice, words, again)


def _paper(reference: PaperReference, wanted: Sequence[str]) -> PaperReference:
    found = derive_again(reference.derivation, wanted, reference.upstream)
    return replace(
        reference,
        words=told("{reference}, differentiated again", reference=reference.words),
        paper=replace(reference.paper, forward=found.program, loss=found.program.outputs[0]),
        derivation=found.derivation,
        upstream=found.weights,
        outputs_named=found.gradients,
    )
