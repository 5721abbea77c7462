"""A backward loop is read as a claim at every turn, from whichever end it runs."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import NetworkError


def network(x: "n T 3", h0: "n 4", U: "3 4", W: "4 4", y: "n T 4, data"):
    h, hs = h0, []
    loss = 0.0
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ U + h @ W)
        loss = loss + 0.5 * np.sum((h - y[:, t]) ** 2)
        hs.append(h)
    return loss


def backward(x, h0, W, y, hs, carried=1, shift=0, slope=lambda h: 1 - h**2):
    dW = np.zeros_like(W)
    dh_next = np.zeros_like(h0)
    for t in reversed(range(len(hs))):
        dh = hs[t] - y[:, t] + carried * dh_next
        da = dh * slope(hs[t])
        dW = dW + (hs[t - 1 - shift] if t > shift else h0).T @ da
        dh_next = da @ W.T
    return {"dh": dh, "dW": dW, "dh0": dh_next}


def verdicts(formulas, **sizes):
    report = gp.verify(network, formulas, sizes=sizes or {"T": 4}, engine="numpy")
    return {row.name: row.formula_verdict for row in report.batches[-1].gradients if row.claimed}


def wrong(**mistake):
    def formulas(x, h0, W, y, hs):
        return backward(x, h0, W, y, hs, **mistake)

    return formulas


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_right_formulas_are_proved_at_every_turn(steps):
    found = verdicts(wrong(), T=steps)
    assert set(found) == {*(f"h[{t}]" for t in range(1, steps + 1)), "W", "h0"}
    assert {verdict.kind for verdict in found.values()} == {"proved"}


def test_a_forgotten_carry_is_refuted_where_there_is_one():
    found = verdicts(wrong(carried=0))
    assert found["h[4]"].kind == "proved"  # the last state has no next one
    assert {found[f"h[{t}]"].kind for t in (1, 2, 3)} == {"refuted"}
    assert found["W"].kind == "refuted"
    assert found["W"].inherited


def test_the_wrong_state_in_the_weight_is_refuted_there_alone():
    found = verdicts(wrong(shift=1))
    assert found["W"].kind == "refuted"
    assert not found["W"].inherited
    assert {found[f"h[{t}]"].kind for t in (1, 2, 3, 4)} == {"proved"}


def test_a_slope_of_the_wrong_value_is_refuted_before_the_last_turn():
    found = verdicts(wrong(slope=lambda h: 1 - np.tanh(h) ** 2))
    assert found["h[4]"].kind == "proved"
    assert found["h[3]"].kind == "refuted"


def outputs(x: "n T 3", V: "3 2", y: "n T 2, data"):
    loss = 0.0
    for t in range(x.shape[1]):
        o = x[:, t] @ V
        loss = loss + 0.5 * np.sum((o - y[:, t]) ** 2)
    return loss


def test_a_loop_that_runs_forwards_is_read_forwards():
    def formulas(x, V, y):
        for t in range(x.shape[1]):
            do = x[:, t] @ V - y[:, t]
        return {"do": do}

    report = gp.verify(outputs, formulas, sizes={"T": 4}, engine="numpy")
    kinds = {row.name: row.formula_verdict.kind for row in report.batches[-1].gradients}
    assert {kinds[f"o[{t}]"] for t in range(1, 5)} == {"proved"}


def test_loops_of_different_length_are_an_error_that_names_both():
    def formulas(x, h0, W, y, hs):
        for t in range(2):
            dh = hs[t] - y[:, t]
        return {"dh": dh}

    with pytest.raises(NetworkError, match=r"dh is bound 2 times, but there are 4 values h\[1\]"):
        verdicts(formulas)
