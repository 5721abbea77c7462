"""Slices are read and differentiated at their own positions, on every engine."""

import numpy as np
import pytest

import gradproof as gp


def forward(x: "9 2", W: "2 3"):
    z = x @ W
    d = z[1:] - z[:-1]
    e = d[2:7] * z[-1] + z[3]
    return np.sum(e**2) + np.sum(d[:, 1:] * 2)


def backward(W, x, z, d, e):
    dl_de = 2 * e
    dl_dd = z[1:] * 0 + 2 * np.array([0.0, 1.0, 1.0])
    return {"dl_de": dl_de, "dl_dd": dl_dd}


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_gradient_of_a_network_of_slices_agrees(engine, dtype):
    report = gp.verify(forward, engine=engine, dtype=dtype)
    assert {row.engine_verdict.kind for row in report.batches[-1].gradients} == {"agrees"}


def test_a_gradient_that_forgets_a_slice_is_refuted():
    report = gp.verify(forward, backward, engine="numpy")
    assert report["e"].formula_verdict.kind == "proved"
    assert report["d"].formula_verdict.kind == "refuted"
