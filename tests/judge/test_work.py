"""How much work a judgement takes: products and elements are counted, no time is measured."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.core.term import reads
from gradproof.derivation import derive
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.double import Double
from gradproof.judge import stage, truth
from gradproof.judge.stage import evaluated, judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

PERMITTED = contract("numpy", "float32")


def network(x: "40 30", W: "30 50", b: "50", V: "50 20", y: "40 20, data"):
    z = x @ W + b
    a = np.tanh(z)
    s = a @ V
    return np.sum((s - y) ** 2)


PRODUCTS = 6
"""x W, a V, and for each the product that goes to the weight and the one that goes back."""


@pytest.fixture(scope="module")
def stages():
    paper = trace(network, None, read_signature(network), {})
    derivation = derive(paper.forward)
    random = np.random.default_rng(2)
    known = {t.name: random.normal(size=t.shape).astype(np.float32) for t in paper.forward.inputs}
    equations = [
        *paper.forward.equations,
        *(Equation(s.equation.target, s.equation.free, s.raw) for s in derivation.steps),
    ]
    for equation in equations:
        middle = evaluated(equation, known, {}, Ball(PERMITTED))[0]
        known[equation.target] = middle.astype(np.float32)
    return equations, known


def test_each_product_of_the_network_is_made_once_for_a_judgement(stages, monkeypatch):
    equations, known = stages
    products, elements = [], []
    own, tallied = Ball.matmul, stage.tallied

    def counted(self, left, right):
        products.append(1)
        return own(self, left, right)

    def seen(computed, *others):
        elements.append(computed.size)
        return tallied(computed, *others)

    monkeypatch.setattr(Ball, "matmul", counted)
    monkeypatch.setattr(stage, "tallied", seen)
    for equation in equations:
        judge_stage(equation, known[equation.target], known, {}, PERMITTED, None)
    assert len(products) == PRODUCTS
    assert sum(elements) == sum(known[e.target].size for e in equations)


def test_each_product_is_made_once_for_the_true_values(monkeypatch):
    monkeypatch.setattr(truth, "LARGE", 0)
    products = []
    own = Double.matmul

    def counted(self, left, right):
        products.append(1)
        return own(self, left, right)

    monkeypatch.setattr(Double, "matmul", counted)
    report = gp.verify(network, engine="numpy")
    assert report.ok and not products  # verdicts need no true values where nothing is claimed
    assert report.batches and report.to_json()
    assert len(products) == PRODUCTS


def test_what_several_stages_read_is_lifted_once_and_its_tanh_worked_out_once(monkeypatch):
    lifted, functions = [], []
    lift, function = Ball._lifted, Ball._function
    monkeypatch.setattr(Ball, "_lifted", lambda s, array: lifted.append(1) or lift(s, array))
    monkeypatch.setattr(
        Ball, "_function", lambda s, n, *x: functions.append(n) or function(s, n, *x)
    )
    report = gp.verify(network, engine="numpy")
    paper = trace(network, None, read_signature(network), {})
    read = {one.tensor for e in paper.forward.equations for one in reads(e.term)}
    gradients = {f"∂l/∂{name}" for name in ("s", "a", "z")}
    assert report.ok and functions == ["tanh"]
    assert len(lifted) == len(read | gradients)


def test_no_data_are_drawn_where_they_are_given(monkeypatch):
    from gradproof.judge import generic

    random = np.random.default_rng(0)
    signature = read_signature(network)
    given = {n: random.normal(size=t.shape).astype(np.float32) for n, t in signature.items()}
    drawn = []
    real = generic._drawn
    monkeypatch.setattr(generic, "_drawn", lambda t, *rest: drawn.append(t.name) or real(t, *rest))
    assert gp.verify(network, inputs=given, engine="numpy").ok
    assert not drawn
    assert gp.verify(network, engine="numpy").ok
    assert drawn == ["x", "W", "b", "V", "y"]
