"""Trials in one call: what each alone would show is seen, and named by it alone."""

import time

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.battery import trials
from gradproof.blackbox.build import build
from gradproof.blackbox.joined import joined


def softmax_paper(x: "n d", W: "d k"):
    return gp.softmax(x @ W, axis=1)


def relu_paper(x: "n d", W: "d k"):
    return np.maximum(x @ W, 0)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return p, lambda g: p * (g - (g * p).sum(1, keepdims=True))


def relu(z):
    return np.maximum(z, 0), lambda g: g * (z > 0)


NONLINEAR = {"softmax": (softmax_paper, softmax), "relu": (relu_paper, relu)}
"""Of equal upstream gradients the gradient of a softmax is zero, and relu has none at zero: there
neither shows a fault."""


def layer(nonlinear, wrong=lambda found, x, g: None):
    """A layer whose gradients are right but for what `wrong` makes of them."""

    def function(x, W):
        y, back = nonlinear(x @ W)

        def pullback(g):
            dz = back(g)
            found = {"x": dz @ W.T, "W": x.T @ dz}
            wrong(found, x, g)
            return tuple(found.values())

        return y, pullback

    return function


def lies(array):
    """How an array lies in memory."""
    if array.flags.c_contiguous:
        return "contiguous"
    if array.T.flags.c_contiguous:
        return "transposed"
    return "strided" if array.strides[-1] == 2 * array.itemsize else "expanded"


def checked(function, paper, **options):
    options = {"engine": "numpy", "dtype": "float32", "diagnose": False, **options}
    return gp.check(function, reference=paper, **options)


def trials_of(paper, engine="torch"):
    nothing = {"upstream": None, "wrt": None, "accumulate": None, "timeout": None, "sizes": {}}
    given = {"dtype": "float32", "seed": 0, "engine": engine, **nothing}
    case = build(lambda *_: None, None, paper, **given)
    data = case.data(0)
    return list(trials(case, data, lambda sizes: case)), data


LAYOUTS = {
    ("x", "strided"): "With inputs that are not contiguous",
    ("x", "transposed"): "With transposed inputs",
    ("g", "strided"): "With an upstream gradient that is not contiguous",
    ("g", "transposed"): "With a transposed upstream gradient",
}


def test_only_layouts_are_joined_with_the_numbers_of_the_first_call_and_never_alike():
    waiting, data = trials_of(softmax_paper)
    calls = joined(waiting, data)
    parts = [trial for call in calls for trial in call.parts]
    layouts = [t for t in waiting if t.data is data and t.changes]
    assert len(calls) == 2 and {id(t) for t in parts} == {id(t) for t in layouts}
    for call in calls:
        whole = call.whole
        assert whole.data is data and not whole.frozen and not whole.may_refuse
        assert whole.changes["layout"] != whole.changes["upstream_layout"]


def test_inputs_and_upstream_gradients_of_one_axis_lie_alike_and_are_not_joined():
    def paper(x: "n"):
        return np.tanh(x)

    waiting, data = trials_of(paper)
    assert sum(bool(t.changes) and t.data is data for t in waiting) == 2
    assert joined(waiting, data) == []

    def ignores_strides(x):
        """As a kernel that reads every array as x lies, and writes like it."""

        def pullback(g):
            step = x.strides[0] // x.itemsize
            whole = g if g.base is None or g.size == g.base.size else g.base
            raw = whole[::step] if step * g.size <= whole.size else whole.repeat(2)[: g.size]
            return ((raw * (1 - np.tanh(x) ** 2)).astype(x.dtype),)

        return np.tanh(x), pullback

    found = checked(ignores_strides, paper).faults
    assert any(fault.startswith(LAYOUTS["x", "strided"] + ": ∂l/∂x") for fault in found), found


@pytest.mark.parametrize("nonlinear", NONLINEAR)
def test_a_right_function_needs_fewer_calls_than_trials(nonlinear):
    paper, forward = NONLINEAR[nonlinear]
    right, calls = layer(forward), []

    def counting(x, W):
        calls.append((x.shape, W.shape))
        return right(x, W)

    report = checked(counting, paper)
    assert report.ok and not report.faults
    own = [trial for trial in trials_of(paper, "numpy")[0] if trial.case is None]
    assert {trial.words for trial in own} <= set(report.tried)
    assert calls.count(calls[0]) == report.draws + len(own) - 2


@pytest.mark.parametrize("name", ["x", "W"])
@pytest.mark.parametrize("where", LAYOUTS, ids=" ".join)
@pytest.mark.parametrize("nonlinear", NONLINEAR)
def test_each_gradient_is_seen_with_each_layout_and_named_by_it_alone(nonlinear, where, name):
    paper, forward = NONLINEAR[nonlinear]
    tensor, layout = where

    def wrong(found, x, g):
        if lies({"x": x, "g": g}[tensor]) == layout:
            found[name] = 2 * found[name]

    report = checked(layer(forward, wrong), paper)
    assert all(row.kind == "agrees" for row in report.rows)
    (fault,) = report.faults
    assert fault.startswith(f"{LAYOUTS[where]}: ∂l/∂{name} is refuted"), fault


@pytest.mark.parametrize("nonlinear", NONLINEAR)
@pytest.mark.parametrize(("frozen", "name"), [("x", "W"), ("W", "x")])
def test_each_gradient_is_seen_without_each_other(nonlinear, frozen, name):
    torch = pytest.importorskip("torch")
    paper, _ = NONLINEAR[nonlinear]
    forward = {"softmax": lambda z: torch.softmax(z, 1), "relu": torch.relu}[nonlinear]

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W):
            ctx.save_for_backward(x, W)
            return forward(x @ W)

        @staticmethod
        def backward(ctx, g):
            with torch.enable_grad():
                leaves = [t.detach().requires_grad_() for t in ctx.saved_tensors]
                found = dict(
                    zip(
                        "xW",
                        torch.autograd.grad(forward(leaves[0] @ leaves[1]), leaves, g),
                        strict=True,
                    )
                )
            if not all(ctx.needs_input_grad):
                missing = "xW"[ctx.needs_input_grad.index(False)]
                if missing == frozen:
                    found[name] = 2 * found[name]
            return tuple(found.values())

    report = checked(Layer.apply, paper, engine="torch")
    assert all(row.kind == "agrees" for row in report.rows)
    (fault,) = report.faults
    assert fault.startswith(f"With {frozen} frozen: ∂l/∂{name} is refuted"), fault


def test_what_only_a_joined_call_shows_is_told_with_its_words():
    def wrong(found, x, g):
        if (lies(x), lies(g)) == ("strided", "transposed"):
            found["W"] = 2 * found["W"]

    report = checked(layer(relu, wrong), relu_paper)
    (fault,) = report.faults
    both = f"{LAYOUTS['x', 'strided']} and {LAYOUTS['g', 'transposed'].lower()}"
    assert fault.startswith(f"{both}: ∂l/∂W is refuted"), fault


def test_what_fails_in_two_joined_layouts_is_named_by_both():
    def wrong(found, x, g):
        if lies(x) == "strided" or lies(g) == "transposed":
            raise ValueError("not so")

    found = checked(layer(relu, wrong), relu_paper).faults
    assert [fault.partition(":")[0] for fault in found] == [
        LAYOUTS["x", "strided"],
        LAYOUTS["g", "transposed"],
    ]


@pytest.mark.parametrize("where", [("strided", "transposed"), ("strided", None), (None, "strided")])
def test_what_hangs_in_a_joined_call_is_told_once_and_the_report_still_comes(where):
    def wrong(found, x, g):
        if all(wanted in (None, lies(a)) for a, wanted in zip((x, g), where, strict=True)):
            while True:
                time.sleep(0.001)

    report = checked(layer(relu, wrong), relu_paper, timeout=0.3)
    assert [row.kind for row in report.rows] == ["agrees"] * 3
    (only,) = report.observations
    assert only.kind == "fault" and only.text.endswith(": it does not return within 0.3 s.")
    assert "it does not return" in str(report)


def test_what_hangs_when_it_is_called_again_is_not_called_any_more():
    right, calls = layer(relu), []

    def function(x, W):
        calls.append(x)
        if len(calls) == 4:
            while True:
                time.sleep(0.001)
        return right(x, W)

    report = checked(function, relu_paper, timeout=0.3)
    (only,) = report.observations
    assert only.text == "Called a second time: it does not return within 0.3 s."
    assert report.tried == ("called a second time",) and len(calls) == 4
