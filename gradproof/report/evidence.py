"""What was checked to what anyone can check again: certificates, and an independent witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gradproof.certificate.document import certificate
from gradproof.certificate.numbers import NotConfirmed
from gradproof.core.errors import NotYet
from gradproof.core.program import Derivation, Paper
from gradproof.core.told import told
from gradproof.judge.direction import sentence, witnesses
from gradproof.judge.truth import true_values
from gradproof.report.report import Batch


def with_certificates(
    batch: Batch, paper: Paper, constants: Mapping[str, np.ndarray], network: str
) -> Batch:
    """The batch with a certificate beside each refuted formula, or the reason why there is none."""
    claims = {claim.of: claim for claim in paper.claims}
    inputs = {**batch.inputs, **constants}
    rows = []
    for row in batch.gradients:
        verdict = row.formula_verdict
        if verdict.counter_example is not None:
            index = verdict.counter_example.index
            try:
                text = certificate(claims[row.name], index, paper, inputs, batch.sizes, network)
                verdict = replace(verdict, certificate=text)
            except (NotConfirmed, NotYet) as problem:
                verdict = replace(
                    verdict,
                    because=told(
                        "{because}; no certificate: {problem}",
                        because=verdict.because,
                        problem=problem,
                    ),
                )
        rows.append(replace(row, formula_verdict=verdict))
    return replace(batch, gradients=tuple(rows))


def witness_note(
    batch: Batch, derivation: Derivation, constants: Mapping[str, np.ndarray], seed: int
) -> str:
    """What the complex step says of the derived gradients on a batch's data.

    Raises:
        WitnessError: a derived gradient is wrong.
    """
    inputs = {**batch.inputs, **constants}
    truth = true_values((derivation.forward, derivation.backward), inputs, batch.sizes)
    found = witnesses(derivation, truth.balls, inputs, batch.sizes, seed)
    return sentence(found, derivation.gradients, batch.title)
