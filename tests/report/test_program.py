"""What was proved of an engine's program, as a person reads it."""

from dataclasses import replace

import gradproof as gp
from gradproof.report.program import program_lines
from gradproof.report.report import with_program
from tests.networks import rnn


def test_the_page_of_a_program_that_is_proved():
    batch = gp.verify(rnn, engine="torch").batches[-1]
    said = program_lines(batch, replace(batch.program, error=1e-30), "PyTorch")
    assert said.splitlines() == [
        "PyTorch's own backward program: 11 of 11 gradients proved equal to the derived ones",
        "  random points modulo random primes, at n = 5 and n = 7, error < 10^-29",
        "  assumes aten.tanh_backward = g·(1−y²)",
    ]


def test_what_is_not_proved_and_what_was_read_back_is_listed():
    batch = gp.verify(rnn, engine="jax").batches[-1]
    verdicts = dict(batch.program.verdicts)
    verdicts["W"] = replace(verdicts["W"], kind="not proved")
    proof = replace(
        batch.program,
        verdicts=verdicts,
        hypotheses=("m is 0 or 1",),
        read_back=("1/10", "1/3", "1/5", "1/7", "1/9"),
        error=1e-30,
    )
    said = program_lines(with_program(batch, proof), proof, "JAX")
    assert said.splitlines() == [
        "JAX's own backward program: 10 of 11 gradients proved equal to the derived ones",
        "  not proved: ∂l/∂W",
        "  random points modulo random primes, at n = 5 and n = 7, error < 10^-29",
        "  assumes m is 0 or 1",
        "  its constants are read as 1/10, 1/3, 1/5, 1/7 and 1 more",
    ]


def test_a_refusal_says_why():
    batch = gp.verify(rnn, engine="jax").batches[-1]
    refused = replace(batch.program, refusal="operation mystery")
    said = program_lines(batch, refused, "JAX")
    assert said == "JAX's own backward program: not attempted: operation mystery."
