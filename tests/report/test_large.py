"""A network that is too large for exact numbers is not said to have no known mistake."""

import numpy as np

import gradproof as gp


def forward(x: "n 300", W: "300 200"):
    z = x @ W
    return np.sum(z**2) / 2


def backward(x, z):
    return {"dl_dW": 2 * x.T @ z}


def test_no_search_is_not_called_a_search_without_result():
    report = gp.verify(forward, backward, engine="numpy")
    assert report["W"].formula_verdict.kind == "refuted"
    (why,) = report["W"].why
    assert why.startswith("No mistake was searched for: the network has more than 50,000 numbers")
