"""Correct gradients are never refuted: five hundred draws on every engine and dtype."""

from collections import Counter

import numpy as np
import pytest
import torch

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.derivation import derive
from gradproof.engines.ball import Ball
from gradproof.engines.contract import CONTRACTS, contract
from gradproof.engines.engine import load
from gradproof.gallery import fnn
from gradproof.judge.generic import by_parameter, draw
from gradproof.judge.stage import judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

SEEDS = 500


def judged(engine, dtype, n, seeds, change=lambda gradients: gradients, forward=fnn.forward):
    """The verdict on each of the gradients, for each seed."""
    sizes, signature = {"n": n}, read_signature(forward)
    paper = trace(forward, None, signature, sizes)
    derivation = derive(paper.forward)
    machine, permitted = load(engine), contract(engine, dtype)
    for seed in seeds:
        arrays = draw(signature, sizes, {}, dtype, seed)
        run = machine.run(
            forward, by_parameter(signature, arrays), paper.operations, paper.loss, dtype
        )
        gradients = change(dict(run.gradients))
        named = {
            derivation.gradients[of]: array
            for of, array in gradients.items()
            if of in derivation.gradients
        }
        for step in derivation.steps:
            stage = Equation(step.equation.target, step.equation.free, step.raw)
            yield (
                step.of,
                judge_stage(
                    stage, gradients[step.of], {**run.values, **named}, sizes, permitted, None
                ),
            )


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize(("engine", "dtype"), CONTRACTS)
def test_every_element_is_inside_its_bound(engine, dtype, n):
    short = dtype in ("bfloat16", "float16")
    seeds = SEEDS // 10 if short else SEEDS // 2
    first = seeds * (n > 1)
    largest = 0.0
    count = silent = 0
    for of, verdict in judged(engine, dtype, n, range(first, first + seeds)):
        # In 16 bits a sum of four numbers that cancel is no signal.
        without = short and verdict.kind == "undecided" and verdict.power == 0
        assert verdict.kind == "agrees" or without, (of, verdict)
        largest = max(largest, verdict.share)
        count += 1
        silent += without
    assert count == 9 * seeds
    assert silent <= 2 + count / 500
    assert largest > 0.25  # the bound is near what is really reached, not merely large


def scaled_scores(Q: "n 3", K: "7 3", g: "n 7, data"):
    A = (Q @ K.T) / np.sqrt(3)
    return np.sum(g * A**2)


SHORT = [key for key in CONTRACTS if key[1] in ("bfloat16", "float16")]


@pytest.mark.parametrize(("engine", "dtype"), SHORT)
def test_a_factor_may_be_rounded_in_each_term_of_a_product(engine, dtype):
    verdicts = list(judged(engine, dtype, 5, range(40), forward=scaled_scores))
    assert {verdict.kind for _, verdict in verdicts} <= {"agrees", "undecided"}
    assert sum(verdict.kind == "agrees" for _, verdict in verdicts) > 0.9 * len(verdicts)


def test_a_factor_that_is_rounded_once_is_a_false_alarm(monkeypatch):
    monkeypatch.setattr("gradproof.engines.evaluate._absorbed", lambda parts, waiting, a: parts)
    monkeypatch.setattr("gradproof.judge.stage.Ball", lambda contract, **_: Ball(contract))
    verdicts = judged("torch", "bfloat16", 5, range(40), forward=scaled_scores)
    assert "refuted" in {verdict.kind for _, verdict in verdicts}


def convolution(x: "n 7 6 2", W: "3 3 2 4", g: "n 5 4 4, data"):
    return np.sum(g * gp.conv2d(x, W))


def overlapping_means(x: "n 9 7 2", g: "n 4 3 2, data"):
    return np.sum(g * gp.avg_pool2d(x, 3, stride=2))


def overlapping_windows(x: "n 9", g: "n 7 3, data"):
    return np.sum(g * np.lib.stride_tricks.sliding_window_view(x, 3, axis=1))


def running_sum(x: "n 9", g: "n 9, data"):
    return np.sum(g * np.cumsum(x, axis=1))


def stack_of_matrices(x: "n 6 3", W: "3 4", g: "n 6 4, data"):
    return np.sum(g * (x @ W))


def stack_of_heads(x: "n 2 6 3", W: "2 3 4", g: "n 2 6 4, data"):
    return np.sum(g * (x @ W))


def products_and_a_sum(q: "n 5", k: "7 5", g: "n 7, data"):
    return np.sum(g * np.sum(q[:, None, :] * k[None], axis=2))


def variance_by_hand(x: "n 12", g: "n 12, data"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    return np.sum(g * (x - m) / np.sqrt(v + 1e-5))


IN_PARTS = [
    convolution,
    overlapping_means,
    overlapping_windows,
    running_sum,
    stack_of_matrices,
    stack_of_heads,
    products_and_a_sum,
    variance_by_hand,
]


@pytest.mark.parametrize(("engine", "dtype"), SHORT)
@pytest.mark.parametrize("forward", IN_PARTS)
def test_a_sum_may_be_stored_in_parts_in_16_bits(forward, engine, dtype):
    kinds = Counter(v.kind for _, v in judged(engine, dtype, 5, range(6), forward=forward))
    assert not kinds["refuted"]
    assert kinds["agrees"] > 0.6 * kinds.total()  # of 100 terms in a convolution hardly any


@pytest.mark.parametrize(
    ("forward", "engine", "dtype"),
    [
        (convolution, "tensorflow", "bfloat16"),
        (convolution, "numpy", "float16"),
        (overlapping_means, "torch", "bfloat16"),
        (overlapping_windows, "torch", "float16"),
        (running_sum, "jax", "bfloat16"),
        (stack_of_matrices, "tensorflow", "float16"),
    ],
)
def test_a_bound_of_sums_in_float32_alone_is_a_false_alarm(monkeypatch, forward, engine, dtype):
    monkeypatch.setattr("gradproof.judge.stage.Ball", lambda contract, **_: Ball(contract))
    verdicts = judged(engine, dtype, 5, range(10), forward=forward)
    assert "refuted" in {verdict.kind for _, verdict in verdicts}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("forward", [stack_of_matrices, overlapping_means, convolution])
def test_what_is_twice_the_right_one_is_seen_in_16_bits(forward, dtype):
    def doubled(gradients):
        return {**gradients, "x": 2 * gradients["x"]}

    found = {
        v.kind
        for of, v in judged("torch", dtype, 5, range(10), doubled, forward=forward)
        if of == "x"
    }
    assert found == {"refuted"}


def planted(name, element, factor):
    def change(gradients):
        wrong = gradients[name].copy()
        wrong[element] *= wrong.dtype.type(factor)
        return {**gradients, name: wrong}

    return change


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "element"), [("W2", (2, 1)), ("b1", (3,)), ("z1", (4, 0)), ("x", (1, 1))]
)
def test_one_element_off_by_a_ten_thousandth_is_outside(name, element, dtype):
    change = planted(name, element, 1 + 1e-4)
    verdicts = [v for of, v in judged("numpy", dtype, 5, range(20), change) if of == name]
    assert {v.kind for v in verdicts} == {"refuted"}
    assert {v.worst for v in verdicts} == {element}


def test_a_wrong_stage_is_found_by_itself():
    change = planted("z2", (0, 0), 2.0)
    kinds = {of: v.kind for of, v in judged("numpy", "float32", 5, range(1), change)}
    # W2, b2 and a1 were computed from the right z2: on the wrong one they no longer fit either.
    assert kinds["z2"] == "refuted"
    assert {kinds[of] for of in ("a2", "z1", "W1", "b1", "x")} == {"agrees"}


def test_a_gradient_of_another_shape_is_refuted_and_never_broadcast():
    def change(gradients):
        return {**gradients, "b2": gradients["b2"][np.newaxis]}

    verdicts = dict(judged("numpy", "float32", 5, range(1), change))
    assert verdicts["b2"].kind == "refuted"
    assert "shape" in verdicts["b2"].because


def test_a_gradient_that_is_not_finite_is_undecided():
    verdicts = dict(judged("numpy", "float32", 5, range(1), planted("W1", (0, 0), np.inf)))
    assert verdicts["W1"].kind == "undecided"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss",
    [
        lambda x: np.sum(x**3) / 3,
        lambda x: np.sum(np.mean(x**3, axis=0)),
        lambda x: 0.005 * np.sum((10 * x) ** 2),
    ],
)
def test_numbers_that_cancel_in_a_gradient_are_multiplied_with_by_an_engine(loss, dtype):
    def forward(x: "3 100"):
        return loss(x)

    report = gp.verify(forward, engine="torch", dtype=dtype)
    assert report["x"].engine_verdict.kind == "agrees"


def test_numbers_that_cancel_make_no_room_for_a_wrong_one():
    def forward(x: "40"):
        return np.sum(x**3) / 3

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x**3).sum() / 3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x**2 * (1 + 2**-15)

    assert gp.check(Cube.apply, reference=forward, engine="torch")["x"].kind == "refuted"
