"""Certificates of refuted formulas: bytes, and milliseconds to make and to check one.

In every network of `complex_step`, twice the derived gradient of each tensor is claimed, which is
refuted; the claim rests on the whole chain of gradients behind it.
"""

from __future__ import annotations

import json
import statistics
import time
from fractions import Fraction

import numpy as np

from benchmarks.complex_step import CASES, Prepared, prepare
from gradproof.certificate.check import confirm
from gradproof.certificate.document import certificate
from gradproof.core.program import Claim, Equation, Paper, Program, Step
from gradproof.core.term import Number, Product


def doubled(prepared: Prepared, step: Step) -> tuple[Claim, Paper]:
    """A paper that claims twice the gradient of one tensor."""
    derivation = prepared.derivation
    two = Product((Number(Fraction(2)), step.equation.term))
    backward = Program(
        derivation.backward.inputs,
        (*derivation.backward.equations, Equation("twice", step.equation.free, two)),
        ("twice",),
    )
    claim = Claim(step.of, "twice")
    return claim, Paper(derivation.forward, derivation.loss, backward, (claim,))


def measured(prepared: Prepared, step: Step, name: str) -> tuple[int, float, float]:
    """Bytes, and milliseconds to make and to check."""
    balls = prepared.truth.balls[step.equation.target]
    index = max(np.ndindex(*balls.shape), key=lambda k: abs(float(balls[k].mid())))
    claim, paper = doubled(prepared, step)
    start = time.perf_counter()
    text = certificate(claim, index, paper, prepared.inputs, prepared.sizes, name)
    middle = time.perf_counter()
    confirm(json.loads(text))
    end = time.perf_counter()
    return len(text.encode()), (middle - start) * 1000, (end - middle) * 1000


def main() -> None:
    """Prints a Markdown table of medians."""
    print("| network | certificates | bytes | ms to make | ms to check |")
    print("|---|--:|--:|--:|--:|")
    for name, case in CASES.items():
        prepared = prepare(case)
        steps = prepared.derivation.steps
        found = [measured(prepared, step, name) for step in steps[:: max(1, len(steps) // 8)]]
        size, making, checking = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {name} | {len(found)} | {size:.0f} | {making:.1f} | {checking:.1f} |", flush=True)


if __name__ == "__main__":
    main()
