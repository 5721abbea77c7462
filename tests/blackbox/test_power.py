"""What the data of a check could not have shown is said, and what would show it."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.words import in_language


def paper(x: "n d", w: "d"):
    return np.tanh(x * w)


def plain(x, w):
    return np.tanh(x * w)


def layer(x, w):
    y = np.tanh(x * w)

    def pullback(g):
        dz = g * (1 - y * y)
        return dz * w, np.sum(dz * x, axis=0)

    return y, pullback


def missing_weight(x, w):
    y, pullback = layer(x, w)
    return y, lambda g: (pullback(g)[0] / w, pullback(g)[1])


def said(report):
    return {(one.of, one.mistake) for one in report.power.unseen}


def test_generic_draws_show_every_mistake():
    report = gp.check(layer, reference=paper, engine="numpy", power=True)
    assert report.ok
    assert report.power.exit_code == 0
    assert {row.name for row in report.power.rows} == {"out", "x", "w"}
    assert "known mistakes would be refuted" in str(report)


def test_what_is_not_asked_for_is_not_there():
    assert gp.check(layer, reference=paper, engine="numpy", battery=False).power is None


def test_one_row_hides_what_depends_on_the_number_of_rows():
    report = gp.check(layer, reference=paper, engine="numpy", sizes={"n": 1}, power=True)
    assert report.ok
    assert {("w", "only the first"), ("w", "mean for sum")} <= said(report)
    assert {one.by for one in report.power.unseen} == {"n = 6"}


def test_weights_of_one_hide_that_the_weight_is_missing():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    w = np.ones(4, np.float32)
    hidden = gp.check(missing_weight, (x, w), reference=plain, battery=False, power=True)
    assert hidden.ok  # which is what hides it
    assert ("x", "factor missing") in said(hidden)
    assert {one.by for one in hidden.power.unseen} == {"drawn data"}
    assert gp.check(missing_weight, reference=paper, engine="numpy")["x"].kind == "refuted"


@pytest.mark.filterwarnings("ignore")
def test_a_reference_that_is_no_paper_is_said_to_be_none():
    torch = pytest.importorskip("torch")

    def square(x):
        return torch.nn.functional.softplus(x)

    report = gp.check(square, (torch.ones(3),), reference=square, power=True, battery=False)
    assert report.power is None
    assert any("no paper" in one.text for one in report.observations)


def test_one_step_hides_the_recurrent_weight_and_more_steps_show_it():
    def recurrent(x: "n T 2", U: "2 3", V: "3 3"):
        h = np.tanh(x[:, 0] @ U)
        for t in range(1, x.shape[1]):
            h = np.tanh(x[:, t] @ U + h @ V)
        return h

    def by_hand(x, U, V):
        hs = [np.tanh(x[:, 0] @ U)]
        for t in range(1, x.shape[1]):
            hs.append(np.tanh(x[:, t] @ U + hs[-1] @ V))

        def pullback(g):
            dx, dU, dV = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V)
            for t in range(x.shape[1] - 1, -1, -1):
                dz = g * (1 - hs[t] ** 2)
                dU += x[:, t].T @ dz
                dx[:, t] = dz @ U.T
                dV += hs[t - 1].T @ dz if t else 0
                g = dz @ V.T
            return dx, dU, dV

        return hs[-1], pullback

    options = {"reference": recurrent, "engine": "numpy", "battery": False, "power": True}
    options["draws"] = 1
    hidden = gp.check(by_hand, sizes={"T": 1}, **options)
    assert hidden.ok and hidden.power.exit_code == 1
    assert {of for of, _ in said(hidden)} >= {"V"}
    assert {one.by for one in hidden.power.unseen} == {"T = 7"}
    shown = gp.check(by_hand, sizes={"T": 3}, **options)
    assert shown.ok and not shown.power.unseen


def test_arrays_of_one_row_are_told_to_have_more():
    x, w = np.ones((1, 4), np.float32), np.arange(1, 5, dtype=np.float32)
    hidden = gp.check(layer, (x, w), reference=plain, battery=False, power=True)
    (proposal,) = (p for p in hidden.power.proposals if "axes" in p.words)
    assert proposal.options == "arguments such as x of the shape (5, 4)"
    assert ("w", "only the first") in said(hidden)
    more = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    assert not gp.check(layer, (more, w), reference=plain, battery=False, power=True).power.unseen


def test_what_is_proposed_for_given_arrays_can_be_followed():
    x, w = np.ones((1, 4), np.float32), np.arange(1, 5, dtype=np.float32)
    hidden = gp.check(layer, (x, w), reference=paper, battery=False, power=True)
    (proposal,) = (p for p in hidden.power.proposals if p.words.startswith("n = "))
    number = int(proposal.words.removeprefix("n = "))
    assert proposal.options == f"sizes={{'n': {number}, 'd': 4}} without arguments"
    options = {"engine": "numpy", "battery": False, "power": True}
    again = gp.check(layer, reference=paper, sizes={"n": number, "d": 4}, **options)
    assert not again.power.unseen


def test_what_would_show_more_is_said_in_the_reader_s_language():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    given = (x, np.ones(4, np.float32))
    hidden = gp.check(missing_weight, given, reference=plain, battery=False, power=True)
    assert hidden.power.proposals
    for one in hidden.power.proposals:
        assert in_language(one.words, "zh") != one.words, one.words
    assert "错误公式" in "\n".join(line.plain for line in hidden.power.lines(100, "zh"))


def test_a_story_is_told_in_the_reader_s_language():
    report = gp.check(
        lambda x: (x * x, lambda g: g * x), ((3,),), reference=lambda x: x * x, engine="numpy"
    )
    assert report.story() == report.story("en") and "refuted" in report.story()
    assert "refuted" not in report.story("zh").split("import gradproof")[0]
