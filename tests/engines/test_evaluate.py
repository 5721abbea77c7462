"""Equations are evaluated at every position, also where a read stands outside its tensor."""

import numpy as np

import gradproof as gp
from gradproof.core.index import Index, affine
from gradproof.core.program import Equation, Program
from gradproof.core.term import Bracket, Product, Sum
from gradproof.engines.double import Double
from gradproof.engines.evaluate import evaluate


def test_a_slice_that_ends_early_has_a_gradient_of_zeros_beyond_it():
    def forward(x: "4 3"):
        middle = x[1:3, :2]
        return np.sum(middle**2)

    x = np.arange(1.0, 13.0, dtype=np.float32).reshape(4, 3)
    row = gp.verify(forward, inputs={"x": x}, engine="numpy")["x"]
    expected = np.zeros((4, 3))
    expected[1:3, :2] = 2 * x[1:3, :2]
    assert np.array_equal(row.true, expected)
    assert row.engine_verdict.kind == "agrees"


def test_a_sum_of_nothing_but_a_reshape_counts():
    """Every element is made of one pair of digits: a sum over these is 1 everywhere."""
    k, i, j = Index(0, 6), Index(1, 2), Index(2, 3)
    met = Bracket("==", affine({k: 1, i: -3, j: -1}))
    double = Double()
    for term in (Sum((i, j), met), Sum((i, j), Product((met,)))):
        program = Program((), (Equation("y", (k,), term),), ())
        high, _, _ = evaluate(program, {}, {}, double)["y"]
        assert np.array_equal(high, np.ones(6))
