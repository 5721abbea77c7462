"""Softmax regression with the mean cross-entropy.

Source: C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4.
The closed form ∂l/∂z = (p − y)/n needs rows of y that sum to one.
Hides: with one sample, a missing 1/n.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(x: "n d", W: "d k", b: "k", y: "n k, probabilities, data"):
    z = x @ W + b
    p = gp.softmax(z)
    return -np.sum(y * np.log(p)) / x.shape[0]


def backward(x, W, p, y):
    dl_dp = -y / p / x.shape[0]
    dl_dz = (p - y) / x.shape[0]
    dl_dW = x.T @ dl_dz
    dl_db = dl_dz.sum(axis=0)
    dl_dx = dl_dz @ W.T
    return locals()


def _keras(tf, x, W, b, y):
    """A kernel is (in, out), as here; the loss takes the mean over the samples."""
    z = layers.keras(tf.keras.layers.Dense(W.shape[1]), [W, b], x)
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True)
    return {"z": z, "p": tf.keras.activations.softmax(z), "loss": loss(y, z)}


def _torch(torch, x, W, b, y):
    """A weight is (out, in): transposed here; the loss takes the mean over the samples."""
    linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
    z = layers.torch(torch, linear, {"weight": W.T, "bias": b}, x)
    return {"z": z, "p": torch.nn.Softmax(dim=1)(z), "loss": torch.nn.CrossEntropyLoss()(z, y)}


def _jax(jax, x, W, b, y):
    z = x @ W + b
    return {
        "z": z,
        "p": jax.nn.softmax(z, axis=1),
        "loss": -(y * jax.nn.log_softmax(z, axis=1)).sum() / x.shape[0],
    }


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
