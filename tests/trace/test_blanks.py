"""A formula that is still missing: what is built on it is judged as if it were there and right."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import NetworkError


def forward(x: "n 2", W: "2 3", b: "3", v: "3", y: "n 1, data"):
    z = x @ W + b
    a = np.tanh(z)
    p = (a * v).sum(axis=1, keepdims=True)
    return 0.5 * np.sum((p - y) ** 2)


def kinds(report):
    return {row.name: row.formula_verdict.kind for row in report.batches[-1].gradients}


def test_what_is_built_on_a_blank_is_proved_or_refuted_by_itself():
    def backward(x, z, a, W, b, v, p):
        dp = gp.blank(p)
        da = dp * v
        dz = gp.blank(z)
        dW = x.T @ dz
        db = dz.mean(axis=0)
        return locals()

    report = gp.verify(forward, backward, engine="numpy")
    found = kinds(report)
    assert found["a"] == found["W"] == "proved"
    assert found["b"] == "refuted" and not report["b"].formula_verdict.inherited
    assert found["p"] == found["z"] == "derived"  # a blank is no formula
    assert any("∂l/∂p, ∂l/∂z" in note for note in report.notes)


def test_the_hand_numbers_of_a_half_finished_backward_are_those_of_its_formulas():
    def backward(x, z, W):
        dz = gp.blank(z)
        dW = x.T @ dz
        return locals()

    row = gp.verify(forward, backward, engine="numpy", dtype="float64")["W"]
    assert row.hand_verdict.kind == "agrees"
    assert row.hand == pytest.approx(row.true, rel=1e-12)


def test_a_backward_of_nothing_but_blanks_is_judged():
    def backward(z, W):
        dz = gp.blank(z)
        dW = gp.blank(W)
        return locals()

    assert set(kinds(gp.verify(forward, backward, engine="numpy")).values()) == {"derived"}


def test_a_list_of_tensors_has_a_list_of_blanks():
    def deep(x: "n 3", Ws: ["3 5", "5 2"], y: "n 2, data"):
        a = x
        for W in Ws:
            a = np.tanh(a @ W)
        return 0.5 * np.sum((a - y) ** 2)

    def backward(Ws):
        dWs = gp.blank(Ws)
        return locals()

    assert "Ws[2]" in kinds(gp.verify(deep, backward, engine="numpy"))


def test_a_formula_made_from_its_own_blank_is_no_answer():
    def backward(W):
        dW = 1.0 * gp.blank(W)
        return locals()

    with pytest.raises(NetworkError, match=r"made from gp.blank\(W\), the gradient that it should"):
        gp.verify(forward, backward, engine="numpy")


def test_a_formula_may_not_go_round_in_a_circle():
    def backward(a, z):
        half = gp.blank(z) / (1 - np.tanh(z) ** 2)
        da = half
        return locals()

    with pytest.raises(NetworkError, match="whose gradient is found from it"):
        gp.verify(forward, backward, engine="numpy")


def test_data_has_no_gradient_to_leave_blank():
    def backward(y, x, z):
        dz = gp.blank(z)
        other = gp.blank(y)
        dW = x.T @ dz + 0 * other.sum()
        return locals()

    with pytest.raises(NetworkError, match="y is given and has none"):
        gp.verify(forward, backward, engine="numpy")


def test_a_blank_stands_in_backward_only():
    def wrong(x: "n"):
        return gp.blank(x).sum()

    with pytest.raises(NetworkError, match="stands for a gradient: only backward has any"):
        gp.derive(wrong)
    with pytest.raises(NetworkError, match="still missing"):
        gp.blank(np.ones(3))


def test_a_blank_copied_to_another_tensor_is_a_claim():
    def backward(a, z):
        dz = gp.blank(a)
        return locals()

    assert kinds(gp.verify(forward, backward, engine="numpy"))["z"] == "refuted"
