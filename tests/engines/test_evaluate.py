"""Equations are evaluated at every position, also where a read stands outside its tensor."""

import numpy as np

import gradproof as gp


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
