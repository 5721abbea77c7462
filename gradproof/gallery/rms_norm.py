"""Normalisation by the root mean square, with a weight for each feature.

Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS (2019).
Famous for getting wrong: the weight left out of the mean over the features.
Hides: a weight of ones, which is what it begins with, or any constant one.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n d", w: "d", g: "n d, data"):
    r = np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-5)
    u = x / r
    y = u * w
    return np.sum(g * y)


def backward(w, g, r, u):
    dw = (g * u).sum(axis=0)
    du = g * w
    dx = (du - u * np.mean(du * u, axis=1, keepdims=True)) / r
    return {"dw": dw, "dx": dx}


def _keras(tf, x, w, g):
    y = layers.keras(tf.keras.layers.RMSNormalization(epsilon=1e-5), [w], x)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, w, g):
    norm = torch.nn.RMSNorm(x.shape[1], eps=1e-5, dtype=x.dtype)
    y = layers.torch(torch, norm, {"weight": w}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, w, g):
    y = w * jax.nn.standardize(x, axis=1, mean=0.0, epsilon=1e-5)
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
