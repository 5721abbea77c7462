"""Frameworks' own layers are checked with their gradients, and wrong ones are refuted."""

import numpy as np
import pytest

from gradproof.gallery import catalogue, layers
from gradproof.trace.source import Source
from gradproof.workbench import verify_source


def network(x: "n 4", W: "4 4", b: "4", y: "n 4, data"):
    z = x @ W + b
    a = np.tanh(z)
    return np.mean((a - y) ** 2)


def torch_layers(torch, x, W, b, y, *, weight=lambda W: W.T, loss="mean", inside=lambda a: a):
    linear = torch.nn.Linear(4, 4, dtype=W.dtype)
    z = layers.torch(torch, linear, {"weight": weight(W), "bias": b}, x)
    a = inside(torch.nn.Tanh()(z))
    return {"z": z, "a": a, "loss": torch.nn.MSELoss(reduction=loss)(a, y)}


def keras_layers(tf, x, W, b, y, *, weight=lambda W: W):
    dense = tf.keras.layers.Dense(4, activation="tanh")
    a = layers.keras(dense, [weight(W), b], x)
    return {"a": a, "loss": tf.reduce_mean(tf.keras.losses.MeanSquaredError()(y, a))}


def transposed_by_tensorflow(W):
    import tensorflow as tf

    return tf.transpose(W)


def jax_layers(jax, x, W, b, y, *, weight=lambda W: W):
    a = jax.nn.tanh(x @ weight(W) + b)
    return {"loss": jax.numpy.mean((a - y) ** 2)}


def verified(source, engine, dtype="float32"):
    return verify_source(source, inputs={}, engine=engine, dtype=dtype, seed=0, sizes={})


def report(engine, native, dtype="float32"):
    return verified(Source("network", network, native={engine: native}), engine, dtype)


RIGHT = (("torch", torch_layers), ("tensorflow", keras_layers), ("jax", jax_layers))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("engine", "native"), RIGHT)
def test_right_layers_agree_with_their_gradients(engine, native, dtype):
    found = report(engine, native, dtype)
    assert found.ok
    for name in ("x", "W", "b"):
        assert found[name].native_verdict.kind == "agrees"
        assert found[name].native.shape == found[name].engine.shape


WRONG = {
    "a missing transpose": ("torch", torch_layers, {"weight": lambda W: W}),
    "a transpose too many": ("tensorflow", keras_layers, {"weight": transposed_by_tensorflow}),
    "a transpose in JAX": ("jax", jax_layers, {"weight": lambda W: W.T}),
    "a sum for a mean": ("torch", torch_layers, {"loss": "sum"}),
    "an activation twice": ("torch", torch_layers, {"inside": lambda a: a.tanh()}),
    "a gradient cut off": ("torch", torch_layers, {"inside": lambda a: a.detach() + 0 * a}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_layer_is_refuted(name):
    engine, native, mistake = WRONG[name]
    found = report(engine, lambda *given, **tensors: native(*given, **tensors, **mistake))
    assert found.exit_code == 1
    assert found["W"].native_verdict.kind == "refuted"
    assert found["W"].engine_verdict.kind == "agrees"


def deep(x: "n 4", Ws: ["4 4"] * 12, y: "n 4, data"):
    a = x
    for W in Ws:
        a = np.tanh(a @ W)
    return np.sum((a - y) ** 2)


def deep_layers(torch, x, Ws, y):
    a = x
    for W in Ws:
        linear = torch.nn.Linear(4, 4, bias=False, dtype=W.dtype)
        a = torch.tanh(layers.torch(torch, linear, {"weight": W.T}, a))
    return {"loss": ((a - y) ** 2).sum()}


def test_where_the_bound_is_too_wide_layers_are_judged_in_float64():
    source = Source("deep", deep, native={"torch": deep_layers})
    row = verified(source, "torch")["x"]
    assert (row.native_verdict.kind, row.native_verdict.because) == ("agrees", "in float64")
    assert row.native.dtype == np.float32


def test_gallery_networks_are_checked_with_layers_of_their_own():
    for name in ("fnn", "mlp", "softmax_regression"):
        for engine in ("torch", "tensorflow"):
            found = verified(catalogue.find(name), engine)
            given = [row for row in found.batches[-1].gradients if row.native is not None]
            assert {row.native_verdict.kind for row in given} == {"agrees"}, (name, engine)
            assert len(given) >= 3
