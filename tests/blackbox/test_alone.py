"""What one trial alone shows is seen, and named by it."""

import time

import numpy as np
import pytest

import gradproof as gp


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


LAYOUTS = {
    ("x", "strided"): "With inputs that are not contiguous",
    ("x", "transposed"): "With transposed inputs",
    ("g", "strided"): "With an upstream gradient that is not contiguous",
    ("g", "transposed"): "With a transposed upstream gradient",
}


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


@pytest.mark.parametrize(("mine", "other"), [("x", "g"), ("g", "x")])
def test_a_fault_where_all_else_is_contiguous_is_seen(mine, other):
    """As of a fast path that is taken where the other tensor lies in order."""

    def wrong(found, x, g):
        how = {"x": lies(x), "g": lies(g)}
        if how[other] == "contiguous" and how[mine] in ("strided", "transposed"):
            found["W"] = 2 * found["W"]

    found = checked(layer(relu, wrong), relu_paper).faults
    said = {fault.partition(":")[0] for fault in found}
    assert said == {LAYOUTS[mine, "strided"], LAYOUTS[mine, "transposed"]}


def test_what_fails_in_two_layouts_is_named_by_both():
    def wrong(found, x, g):
        if lies(x) == "strided" or lies(g) == "transposed":
            raise ValueError("not so")

    found = checked(layer(relu, wrong), relu_paper).faults
    assert [fault.partition(":")[0] for fault in found] == [
        LAYOUTS["x", "strided"],
        LAYOUTS["g", "transposed"],
    ]


@pytest.mark.parametrize("tensor", ["x", "g"])
def test_what_hangs_in_a_trial_is_told_once_and_the_report_still_comes(tensor):
    def wrong(found, x, g):
        while lies({"x": x, "g": g}[tensor]) == "strided":
            time.sleep(0.001)

    report = checked(layer(relu, wrong), relu_paper, timeout=0.3)
    assert [row.kind for row in report.rows] == ["agrees"] * 3
    (only,) = report.observations
    assert only.kind == "fault"
    assert only.text == f"{LAYOUTS[tensor, 'strided']}: it does not return within 0.3 s."
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
