"""The 2–4–3 sigmoid network with half the sum of squared errors.

Source: the closed form is that of D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning
representations by back-propagating errors", Nature 323 (1986), for one hidden layer.
Hides: with one sample, a missing sum over the batch in the bias; with a square weight, a missing
transpose.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", b2: "3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)


def backward(x, W2, y, z1, a1, z2, a2):
    dl_da2 = a2 - y
    dl_dz2 = dl_da2 * gp.sigmoid.derivative(z2)
    dl_dW2 = a1.T @ dl_dz2
    dl_db2 = dl_dz2.sum(axis=0)
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * gp.sigmoid.derivative(z1)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = dl_dz1.sum(axis=0)
    return locals()


ARTICLE = {
    "x": np.array([[1.0, 2.0]]),
    "W1": np.array(
        [
            [-0.96988726, -0.84827805, 0.312042, 0.8871379],
            [0.6567688, -0.29099226, -0.80029106, -0.15143871],
        ]
    ),
    "b1": np.zeros(4),
    # Not published: a reconstruction that reproduces every published digit.
    "W2": np.array(
        [
            [-0.09240232, 0.18740368, -0.8926871],
            [0.0831057, 0.12599131, 0.27013755],
            [-0.11556352, 0.78803474, 0.85851794],
            [-0.21581969, -0.7942696, 0.05350183],
        ]
    ),
    "b2": np.zeros(3),
    "y": np.array([[0.3, 0.5, 0.2]]),
}
"""The published sample of one; W2 is reconstructed."""

SAMPLES = {"the article's sample (its W2 is a reconstruction)": ARTICLE}


def _keras(tf, x, W1, b1, W2, b2, y):
    """A kernel is (in, out), as here, so nothing is transposed."""
    values, inside = {}, x
    for number, (kernel, bias) in enumerate(((W1, b1), (W2, b2)), 1):
        for name, activation in ((f"z{number}", None), (f"a{number}", "sigmoid")):
            dense = tf.keras.layers.Dense(kernel.shape[1], activation=activation)
            values[name] = layers.keras(dense, [kernel, bias], inside)
        inside = values[f"a{number}"]
    return {**values, "loss": 0.5 * tf.reduce_sum((inside - y) ** 2)}


def _torch(torch, x, W1, b1, W2, b2, y):
    """A weight is (out, in): transposed here."""
    values, inside = {}, x
    for number, (W, b) in enumerate(((W1, b1), (W2, b2)), 1):
        linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
        values[f"z{number}"] = layers.torch(torch, linear, {"weight": W.T, "bias": b}, inside)
        inside = values[f"a{number}"] = torch.nn.Sigmoid()(values[f"z{number}"])
    mean = torch.nn.MSELoss(reduction="sum")
    return {**values, "loss": 0.5 * mean(inside, y)}


def _jax(jax, x, W1, b1, W2, b2, y):
    z1 = jax.lax.dot(x, W1) + b1
    a1 = jax.nn.sigmoid(z1)
    z2 = jax.lax.dot(a1, W2) + b2
    a2 = jax.nn.sigmoid(z2)
    return {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "loss": 0.5 * ((a2 - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
