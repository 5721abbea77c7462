"""Where a backward pass goes wrong: its own names, compared with the paper's, node by node."""

from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.watching import Caught, watching
from gradproof.engines.engine import load

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


def paper(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", b2: "3"):
    z1 = x @ W1 + b1
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = gp.sigmoid(z2)
    return a2


def forward(x, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    a1 = 1 / (1 + xp.exp(-z1))
    z2 = a1 @ W2 + b2
    a2 = 1 / (1 + xp.exp(-z2))
    return a2, (x, W1, W2, z1, a1, a2)


def backward(saved, g, wrong=""):
    x, W1, W2, z1, a1, a2 = saved
    dz2 = g * a2 * (1 - a2)
    dW2 = T(a1) @ dz2
    db2 = add(dz2)
    da1 = dz2 @ T(W2)
    dz1 = da1 * a1 * (1 - (z1 if wrong == "dz1" else a1))
    dW1 = T(x) @ dz1
    if wrong == "dW1":
        dW1 = 2 * dW1
    if wrong == "another line":
        dW1 = 3 * dW1
    db1 = add(dz1)
    dx = dz1 @ T(W1)
    return dx, -dW1 if wrong == "returned" else dW1, db1, dW2, db2


xp = np
T = np.transpose


def add(g):
    return g.sum(0)


def use(framework):
    """The module's functions for a framework, as the code above calls them."""
    if framework == "tensorflow":
        load("tensorflow")
        import tensorflow as tf

        return tf, tf.transpose, lambda g: tf.reduce_sum(g, 0)
    modules = {"numpy": np, "torch": torch, "jax": jax.numpy}
    return modules[framework], lambda a: a.T, lambda g: g.sum(0)


def in_framework(framework, wrong):
    """The network with a backward of its own."""
    match framework:
        case "numpy":

            def network(*inputs):
                value, saved = forward(*inputs)
                return value, lambda g: backward(saved, g, wrong)

            return network
        case "torch":

            class Network(torch.autograd.Function):
                @staticmethod
                def forward(ctx, *inputs):
                    value, saved = forward(*inputs)
                    ctx.save_for_backward(*saved)
                    return value

                @staticmethod
                def backward(ctx, g):
                    return backward(ctx.saved_tensors, g, wrong)

            return Network.apply
        case "jax":
            network = jax.custom_vjp(lambda *inputs: forward(*inputs)[0])
            network.defvjp(forward, lambda saved, g: backward(saved, g, wrong))
            return network
    import tensorflow as tf

    @tf.custom_gradient
    def network(*inputs):
        value, saved = forward(*inputs)
        return value, lambda g: backward(saved, g, wrong)

    return network


@pytest.fixture(params=["numpy", "torch", "jax", "tensorflow"])
def framework(request, monkeypatch):
    for name, one in zip(("xp", "T", "add"), use(request.param), strict=True):
        monkeypatch.setitem(globals(), name, one)
    return request.param


def noted(report):
    return [one.text for one in report.observations if one.kind == "note"]


def line_of(text):
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return 1 + next(k for k, line in enumerate(lines) if line.strip().startswith(text))


def test_every_named_tensor_of_a_right_network_agrees(framework):
    function = gp.instrument(in_framework(framework, ""))
    report = gp.check(function, reference=paper, engine=framework, battery=False)
    assert report.ok and not noted(report), str(report)
    assert [node.symbol for node in report.nodes] == [
        *("z1", "a1", "z2", "a2"),
        *(f"∂l/∂{v}" for v in ("z2", "W2", "b2", "a1", "z1", "W1", "b1", "x")),
    ]
    assert {node.finding.kind for node in report.nodes} == {"agrees"}


def test_the_line_on_which_a_backward_goes_wrong_is_named(framework):
    options = {"reference": paper, "engine": framework, "battery": False, "diagnose": False}
    for wrong, symbol, start in (
        ("dz1", "∂l/∂z1", "dz1 = da1"),
        ("dW1", "∂l/∂W1", "dW1 = 2 *"),
    ):
        report = gp.check(in_framework(framework, wrong), **options)
        (where,) = noted(report)
        assert where.startswith(f"Where: {symbol} is the first of the named tensors")
        assert f"test_nodes.py:{line_of(start)}: `{start}" in where, where
        assert "Right before it: ∂l/∂z2" in where
        assert where in report.story()
        assert report.nodes == ()  # the whole table is there on request
    report = gp.check(in_framework(framework, "returned"), **options)
    (lost,) = noted(report)
    assert lost.startswith("∂l/∂W1 is right as dW1 in backward"), lost


def test_sixteen_bits_do_not_hide_where(monkeypatch):
    for name, one in zip(("xp", "T", "add"), use("torch"), strict=True):
        monkeypatch.setitem(globals(), name, one)
    report = gp.check(
        in_framework("torch", "dz1"), reference=paper, dtype="bfloat16", battery=False
    )
    assert any("Where: ∂l/∂z1" in text for text in noted(report)), str(report)


def test_a_name_that_means_something_else_changes_no_verdict_and_is_not_blamed():
    def network(x, W1, b1, W2, b2):
        value, saved = forward(x, W1, b1, W2, b2)

        def pullback(g):
            da1 = 7 * g  # no gradient of a1
            dx, dW1, db1, dW2, db2 = backward(saved, g)
            return dx, dW1, db1, 2 * dW2, db2

        return value, pullback

    report = gp.check(gp.instrument(network), reference=paper, engine="numpy", battery=False)
    assert [row.name for row in report.rows if row.kind == "refuted"] == ["W2"]
    assert not any("Where" in text for text in noted(report)), noted(report)
    # Two different numbers under one name are compared with nothing.
    assert "∂l/∂a1" not in {node.symbol for node in report.nodes}


def test_a_story_has_the_nodes_and_asks_for_them_again():
    def network(*inputs):
        value, saved = forward(*inputs)
        return value, lambda g: backward(saved, g, "dz1")

    report = gp.check(gp.instrument(network), reference=paper, engine="numpy", battery=False)
    lines = report.story().splitlines()
    (inside,) = (k for k, line in enumerate(lines) if line.startswith("Inside, by the names"))
    shown = {
        line.split()[0]: line.split()[-1] for line in lines[inside + 2 :] if "test_nodes" in line
    }
    assert shown["z1"] == "agrees" and shown["∂l/∂z1"] == "refuted"
    assert lines[-2].startswith("report = gp.check(gp.instrument(network), reference=paper")
    plain = gp.check(network, reference=paper, engine="numpy", battery=False).story()
    assert "Inside" not in plain and "gp.check(network, " in plain


def test_layers_that_keep_their_tensors_and_explicit_names_are_looked_into():
    class Layer:
        def forward(self, x, W1, b1, W2, b2):
            value, self.saved = forward(x, W1, b1, W2, b2)
            self.a1 = self.saved[4]
            return value

        def backward(self, g):
            buffer = {"delta": gp.named("dl_dz2", 3 * g)}
            return backward(self.saved, buffer["delta"])

    report = gp.check(gp.instrument(Layer()), reference=paper, engine="numpy", battery=False)
    found = {node.name: node for node in report.nodes}
    assert found["dl_dz2"].symbol == "∂l/∂z2" and found["dl_dz2"].finding.kind == "refuted"
    assert found["a1"].finding.kind == "agrees"
    assert gp.named("anything", 3) == 3


def test_with_a_debugger_the_last_line_is_named_that_gives_a_value():
    import sys

    def hook(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(hook)
    try:
        report = gp.check(
            in_framework("numpy", "dW1"), reference=paper, engine="numpy", battery=False
        )
        assert sys.gettrace() is hook
    finally:
        sys.settrace(before)
    assert any(f":{line_of('dW1 = 3 *')}:" in text for text in noted(report))


def test_watching_leaves_the_profile_hook_as_it_was():
    import sys

    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    try:
        kept = sys.getprofile()
        found: list[Caught] = []
        with (
            pytest.raises(ZeroDivisionError),
            watching(lambda name: True, load("numpy").returned, found),
        ):
            raise ZeroDivisionError
        assert sys.getprofile() is kept
    finally:
        sys.setprofile(None)


def test_only_a_paper_has_names():
    x = torch.ones(3)
    with pytest.raises(gp.DataError, match="tensors have no names"):
        gp.check(gp.instrument(torch.tanh), (x,), reference=lambda x: torch.tanh(x))


@pytest.mark.parametrize("spelled", ["z", "dz", "dl_dz"])
def test_a_dictionary_of_gradients_names_them(spelled):
    def paper(x: "n d", W: "d k"):
        z = x @ W
        a = np.tanh(z)
        return a * a

    def function(x, W):
        a = np.tanh(x @ W)

        def pullback(g):
            grads = {"a": 2 * a * g}
            grads[spelled] = grads["a"] * (1 - (a if wrong else a * a))
            grads["x"], grads["W"] = grads[spelled] @ W.T, x.T @ grads[spelled]
            return {"x": grads["x"], "W": grads["W"]}

        return a * a, pullback

    for wrong in (False, True):
        report = gp.check(function, reference=paper, engine="numpy", battery=False, diagnose=False)
        assert report.ok is not wrong, str(report)
        where = [line for line in str(report).splitlines() if "first of the named" in line]
        assert bool(where) is wrong
        assert all("∂l/∂z is" in line for line in where), where
