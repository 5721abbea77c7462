"""True values of small and of large networks are the same, and say how sharp they are."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.derivation import derive
from gradproof.engines.arb import precision
from gradproof.gallery import fnn, softmax_regression
from gradproof.judge import truth
from gradproof.judge.generic import choose_sizes, draw
from gradproof.judge.truth import digits_in_common, middle, true_values
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature


def programs(network):
    signature = read_signature(network.forward)
    sizes = choose_sizes(signature, {}, {})
    paper = trace(network.forward, None, signature, sizes)
    derivation = derive(paper.forward)
    arrays = draw(signature, sizes, {}, "float64", 0)
    return (paper.forward, derivation.backward), arrays, sizes


@pytest.mark.parametrize("network", [fnn, softmax_regression])
def test_double_doubles_and_arb_enclose_the_same_numbers(network, monkeypatch):
    given = programs(network)
    small = true_values(*given)
    monkeypatch.setattr(truth, "LARGE", 0)
    large = true_values(*given)
    assert len(large.values["x"]) == 3
    assert set(small.balls) == set(large.balls)
    with precision(128):
        for name, balls in small.balls.items():
            assert all(
                a.overlaps(b) for a, b in zip(balls.flat, large.balls[name].flat, strict=True)
            )
    for name, value in large.values.items():
        assert digits_in_common(middle(small.values[name]), value) > 15.5


def test_digits_are_those_in_common():
    exact = np.array([1.0, 0.25])
    value = (exact, np.zeros(2), np.zeros(2))
    assert digits_in_common(exact * (1 + 1e-5), value) == pytest.approx(5.0, abs=0.1)
    assert digits_in_common(exact, value) == np.inf
    wide = (exact, np.zeros(2), np.array([0.9e-3, 0.0]))
    assert digits_in_common(exact, wide) == pytest.approx(3.0, abs=0.1)  # at least so many
    lost = (exact, np.zeros(2), np.array([np.inf, np.nan]))
    assert np.isnan(digits_in_common(exact, lost))


SIZES = {"n": 16, "d": 90, "h": 80, "k": 70}


def wide(x: "n d", W1: "d h", W2: "h k", y: "n k, data"):
    h = np.tanh(x @ W1)
    return 0.5 * np.sum((gp.sigmoid(h @ W2) - y) ** 2)


def backward(x, W2, y, h):
    a = gp.sigmoid(h @ W2)
    dz = (a - y) * a * (1 - a)
    dl_dW2 = h.T @ dz
    dl_dW1 = x.T @ (dz @ W2.T * (1 + h**2))  # the sign is wrong
    return {"dl_dW2": dl_dW2, "dl_dW1": dl_dW1}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_network_is_judged_and_its_wrong_formula_refuted(dtype):
    report = gp.verify(wide, backward, engine="numpy", dtype=dtype, sizes=SIZES)
    assert report["W2"].formula_verdict.kind == "proved"
    assert report["W1"].formula_verdict.kind == "refuted"
    assert {row.engine_verdict.kind for row in report.batches[0].gradients} == {"agrees"}
    assert all(row.engine_verdict.digits > 4 for row in report.batches[0].gradients)
