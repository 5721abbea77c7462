"""Constants that cancel in an equation are multiplied by in the user's code all the same."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, at
from gradproof.core.program import Equation
from gradproof.core.term import Read
from gradproof.engines.contract import contract
from gradproof.judge.heat import shares
from gradproof.judge.stage import judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature


def squares(x: "3 40"):
    return np.sum((0.1 * x) ** 2 * 100)


def sevenths(x: "3 40"):
    return np.sum((x / 7 * 7) ** 2)


def exponentials(x: "3 40"):
    z = np.exp(0.1 * x * 10)
    return np.sum(z)


def moved(x: "3 40"):
    z = (0.1 * x + 0.3) * 10 - 3
    return np.sum(np.sin(z))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("forward", [squares, sevenths, exponentials, moved])
def test_they_are_no_false_alarm(forward, engine, dtype):
    for seed in range(3):
        report = gp.verify(forward, engine=engine, dtype=dtype, seed=seed)
        kinds = {row.verdict.kind for batch in report.batches for row in batch.forward}
        kinds |= {row.engine_verdict.kind for batch in report.batches for row in batch.gradients}
        assert kinds == {"agrees"}


def counted(forward):
    sizes = {"n": 2}
    paper = trace(forward, None, read_signature(forward), sizes)
    return dict(paper.scalings)


def test_constants_are_counted_to_the_next_named_value():
    def forward(x: "n 3", y: "n 3"):
        z = 0.1 * x * 10 + y / 3
        w = 2 * z
        return np.sum(w * z)

    assert counted(forward) == {"z": 2, "w": 1, "loss": 0}


def test_what_is_off_by_more_than_their_roundings_is_outside():
    i = Index(0, "n")
    copied = Equation("z", (i,), Read("x", (at(i),)))
    x = np.random.default_rng(0).normal(size=50).astype(np.float32)
    permitted = contract("torch", "float32")

    def kind(z, scaled):
        return judge_stage(copied, z, {"x": x}, {"n": 50}, permitted, None, scaled).kind

    rounded = x / np.float32(7) * np.float32(7)
    assert not np.array_equal(rounded, x)
    assert np.max(shares(copied, rounded, {"x": x}, {"n": 50}, permitted, 2)) <= 1  # its picture
    assert kind(rounded, 0) == "refuted"
    assert kind(rounded, 2) == "agrees"
    wrong = x.copy()
    wrong[7] *= np.float32(1 + 1e-5)
    assert kind(wrong, 2) == "refuted"
