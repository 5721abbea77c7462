"""A proof does not stand against certified numbers."""

import numpy as np

import gradproof as gp


def cross_entropy(x: "n 2", W: "2 3", y: "n 3, probabilities, data"):
    z = x @ W
    return -np.sum(y * np.log(gp.softmax(z)))


def chained(z, y):
    return {"dl_dz": gp.softmax(z) - y}


def test_a_proof_under_a_hypothesis_says_nothing_of_data_that_break_it():
    y = np.abs(np.random.default_rng(0).normal(size=(5, 3)))
    broken = gp.verify(cross_entropy, chained, inputs={"y": y}, engine="numpy")
    assert broken["z"].formula_verdict.kind == "undecided"
    assert "each row of y sums to 1" in broken["z"].formula_verdict.because
    kept = gp.verify(cross_entropy, chained, engine="numpy")
    assert kept["z"].formula_verdict.kind == "proved"


def test_a_multiple_of_the_prime_is_no_zero():
    """2⁶¹ − 1 is the number of elements of the field in which formulas are proved."""

    def forward(x: "n 2", W: "2 3"):
        z = x @ W
        return np.sum(z**2) / 2

    def backward(x, W, z):
        return {"dl_dW": x.T @ z + (2**61 - 1) * W * np.sum(W**2)}

    report = gp.verify(forward, backward, engine="numpy")
    assert report["W"].formula_verdict.kind == "refuted"
