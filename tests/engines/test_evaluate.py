"""Equations are evaluated at every position, also where a read stands outside its tensor."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, affine, at
from gradproof.core.program import Equation, Program
from gradproof.core.term import Bracket, Number, Product, Read, Sum
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.double import Double
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation


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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_factors_that_are_not_summed_over_count_once(dtype):
    """``c Σ_j v_i a_ij b_jk w_k``, wherever an arithmetic puts c, v and w."""
    i, j, k = (Index(n, size) for n, size in enumerate(("i", "j", "k")))
    a, b = Read("a", (at(i), at(j))), Read("b", (at(j), at(k)))
    v, w = Read("v", (at(i),)), Read("w", (at(k),))
    random = np.random.default_rng(0)
    arrays = {
        name: random.normal(size=shape)
        for name, shape in {"a": (4, 5), "b": (5, 3), "v": (4,), "w": (3,)}.items()
    }
    right = 0.3 * arrays["v"][:, None] * (arrays["a"] @ arrays["b"]) * arrays["w"]
    for factors in permutations((Number(Fraction(3, 10)), v, a, b, w)):
        equation = Equation("c", (i, k), Sum((j,), Product(factors)))
        ball = Ball(contract("torch", dtype))
        lifted = {name: ball.lift(array) for name, array in arrays.items()}
        room = Room(lifted, {"i": 4, "j": 5, "k": 3}, ball)
        np.testing.assert_allclose(evaluate_equation(equation, room)[0], right, rtol=1e-13)
