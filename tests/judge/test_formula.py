"""A proof does not stand against certified numbers."""

import numpy as np
import pytest

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


MERSENNE = [2**k - 1 for k in (13, 17, 19, 31, 61, 89)]
"""Primes that an author could think of; no formula is made for a prime drawn after it."""


@pytest.mark.parametrize("prime", MERSENNE)
def test_a_multiple_of_a_well_known_prime_is_no_zero(prime):
    def forward(x: "n 2", W: "2 3"):
        z = x @ W
        return np.sum(z**2) / 2

    def backward(x, W, z):
        return {"dl_dW": x.T @ z + prime * W * np.sum(W**2)}

    # Where W is 0 no number shows the difference: only the proof can.
    blind = gp.verify(forward, backward, inputs={"W": np.zeros((2, 3))}, engine="numpy")
    assert blind["W"].formula_verdict.kind == "undecided"
    generic = gp.verify(forward, backward, engine="numpy")
    assert generic["W"].formula_verdict.kind == "refuted"


@pytest.mark.parametrize("factor", [2.0**61, 2.0**-61, 2.0**122])
def test_a_power_of_two_is_no_one_under_a_hypothesis(factor):
    def claimed(z, y):
        return {"dl_dz": (gp.softmax(z) - y) * factor}

    report = gp.verify(cross_entropy, claimed, engine="numpy")
    assert report["z"].formula_verdict.kind == "refuted"


def test_a_size_symbol_may_be_called_points():
    def forward(x: "points d", W: "d k"):
        z = x @ W
        s = np.sqrt(np.sum(z * z, axis=1) + 1)
        m = np.max(z, axis=1)
        return np.sum(s * m)

    def by_the_size(x, m):
        return {"ds": m / x.shape[0]}

    report = gp.verify(forward, by_the_size, engine="numpy", sizes={"points": 5})
    assert report["s"].formula_verdict.kind == "refuted"
