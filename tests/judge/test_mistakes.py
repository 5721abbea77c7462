"""Planted mistakes in hand formulas are refuted, and what builds on them is told apart."""

import numpy as np
import pytest

import gradproof as gp


def forward(x: "n 3", W1: "3 4", W2: "4 4", W3: "4 2", b: "4", y: "n 2, data"):
    z1 = x @ W1 + b
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    r = a1 + a2
    p = r @ W3
    return np.sum((p - y) ** 2)


def correct(x, W2, W3, y, z1, a1, z2, r, p):
    sd = gp.sigmoid.derivative
    dl_dp = 2 * (p - y)
    dl_dW3 = r.T @ dl_dp
    dl_dr = dl_dp @ W3.T
    dl_da2 = dl_dr
    dl_dz2 = dl_da2 * sd(z2)
    dl_dW2 = a1.T @ dl_dz2
    dl_da1 = dl_dr + dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * sd(z1)
    dl_dW1 = x.T @ dl_dz1
    dl_db = dl_dz1.sum(axis=0)
    return locals()


def slope_of_the_activation(W2, W3, y, a1, a2, p):
    sd = gp.sigmoid.derivative
    dl_dp = 2 * (p - y)
    dl_dr = dl_dp @ W3.T
    dl_dz2 = dl_dr * sd(a2)
    dl_dW2 = a1.T @ dl_dz2
    dl_da1 = dl_dr + dl_dz2 @ W2.T
    return locals()


def untransposed_square_weight(W2, W3, y, z2, p):
    dl_dp = 2 * (p - y)
    dl_dr = dl_dp @ W3.T
    dl_dz2 = dl_dr * gp.sigmoid.derivative(z2)
    dl_da1 = dl_dr + dl_dz2 @ W2
    return locals()


def missing_sum(W2, W3, y, z1, z2, p):
    dl_dr = 2 * (p - y) @ W3.T
    dl_dz2 = dl_dr * gp.sigmoid.derivative(z2)
    dl_dz1 = (dl_dr + dl_dz2 @ W2.T) * gp.sigmoid.derivative(z1)
    dl_db = dl_dz1[0]
    return locals()


def mean_for_sum(W2, W3, y, z1, z2, p):
    dl_dr = 2 * (p - y) @ W3.T
    dl_dz2 = dl_dr * gp.sigmoid.derivative(z2)
    dl_dz1 = (dl_dr + dl_dz2 @ W2.T) * gp.sigmoid.derivative(z1)
    dl_db = dl_dz1.mean(axis=0)
    return locals()


def missing_two(W3, y, p):
    dl_dp = p - y
    dl_dr = dl_dp @ W3.T
    return locals()


def one_over_n(W3, y, p):
    dl_dp = 2 * (p - y) / p.shape[0]
    dl_dr = dl_dp @ W3.T
    return locals()


def wrong_sign(W3, y, p):
    dl_dp = 2 * (y - p)
    dl_dr = dl_dp @ W3.T
    return locals()


def other_layers_weights(W2, W3, y, z2, p):
    dl_dp = 2 * (p - y)
    dl_dr = dl_dp @ W3.T
    dl_dz2 = (dl_dr @ W2) * gp.sigmoid.derivative(z2)
    return locals()


def dropped_path(W2, W3, y, z1, z2, p):
    dl_dr = 2 * (p - y) @ W3.T
    dl_dz2 = dl_dr * gp.sigmoid.derivative(z2)
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * gp.sigmoid.derivative(z1)
    return locals()


NUDGE = np.ones((4, 2))
NUDGE[2, 1] = 1 + 1e-4


def one_element_off(r, y, p):
    dl_dp = 2 * (p - y)
    dl_dW3 = (r.T @ dl_dp) * NUDGE
    return locals()


CASES = [
    (slope_of_the_activation, {"z2": "own", "W2": "inherited", "a1": "inherited"}),
    (untransposed_square_weight, {"a1": "own"}),
    (missing_sum, {"b": "own"}),
    (mean_for_sum, {"b": "own"}),
    (missing_two, {"p": "own", "r": "inherited"}),
    (one_over_n, {"p": "own", "r": "inherited"}),
    (wrong_sign, {"p": "own", "r": "inherited"}),
    (other_layers_weights, {"z2": "own"}),
    (dropped_path, {"a1": "own", "z1": "inherited"}),
    (one_element_off, {"W3": "own"}),
]


@pytest.mark.parametrize(("backward", "wrong"), CASES, ids=[c[0].__name__ for c in CASES])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_planted_mistake_is_refuted_and_its_heirs_are_told_apart(backward, wrong, dtype):
    report = gp.verify(forward, backward, engine="numpy", dtype=dtype)
    assert report.exit_code == 1
    for row in report.batches[-1].gradients:
        verdict = row.formula_verdict
        if row.name in wrong:
            assert verdict.kind == "refuted"
            assert verdict.inherited == (wrong[row.name] == "inherited")
            assert verdict.counter_example is not None
        elif row.covered:
            assert verdict.kind == "proved", row.name
        assert row.engine_verdict.kind == "agrees"


def test_the_right_formulas_are_all_proved():
    report = gp.verify(forward, correct, engine="numpy")
    assert report.ok
    covered = [row for row in report.batches[-1].gradients if row.covered]
    assert len(covered) == 10
    assert {row.formula_verdict.kind for row in covered} == {"proved"}


def test_a_backward_that_looks_whether_it_is_traced_is_found_out():
    def two_faced(W2, W3, y, z2, p):
        dl_dp = 2 * (p - y)
        if isinstance(p, np.ndarray):
            dl_dp = 3 * dl_dp
        return {"dl_dp": dl_dp}

    report = gp.verify(forward, two_faced, engine="numpy")
    assert report["p"].formula_verdict.kind == "proved"
    assert report["p"].hand_verdict.kind == "undecided"
    assert report.exit_code == 3


def test_a_constant_that_is_one_in_the_field_of_the_prover_is_refuted():
    def backward(x, W3, y, r, p):
        dl_dp = 2.0**61 * (2 * (p - y))
        dl_dW3 = r.T @ dl_dp
        return locals()

    report = gp.verify(forward, backward, engine="numpy")
    assert [report[n].formula_verdict.kind for n in ("p", "W3")] == ["refuted", "refuted"]
    assert [report[n].formula_verdict.inherited for n in ("p", "W3")] == [False, True]
