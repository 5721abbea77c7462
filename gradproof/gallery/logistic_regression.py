"""Logistic regression: the mean binary cross-entropy of logits.

Source: C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), equation 4.91.
Famous for getting wrong: σ′ kept, although it cancels; 1/n left out.
Hides: one sample hides a missing 1/n.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(x: "n d", w: "d", b: "", y: "n, data"):
    z = x @ w + b
    p = gp.sigmoid(z)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def backward(x, w, p, y):
    dz = (p - y) / x.shape[0]
    dw = x.T @ dz
    db = np.sum(dz)
    dx = dz[:, None] * w
    return locals()


def _keras(tf, x, w, b, y):
    """A kernel is (in, 1)."""
    dense = tf.keras.layers.Dense(1)
    z = layers.keras(dense, [w[:, None], tf.reshape(b, [1])], x)[:, 0]
    loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    return {"z": z, "p": tf.keras.activations.sigmoid(z), "loss": loss(y, z)}


def _torch(torch, x, w, b, y):
    """A weight is (1, in)."""
    linear = torch.nn.Linear(w.shape[0], 1, dtype=w.dtype)
    z = layers.torch(torch, linear, {"weight": w[None], "bias": b.reshape(1)}, x)[:, 0]
    return {"z": z, "p": torch.nn.Sigmoid()(z), "loss": torch.nn.BCEWithLogitsLoss()(z, y)}


def _jax(jax, x, w, b, y):
    z = jax.lax.dot(x, w) + b
    log_p, log_q = jax.nn.log_sigmoid(z), jax.nn.log_sigmoid(-z)
    return {"z": z, "p": jax.nn.sigmoid(z), "loss": -(y * log_p + (1 - y) * log_q).mean()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
