"""Batch normalisation in training: the mean and the biased variance are the batch's own.

Source: S. Ioffe and C. Szegedy, "Batch normalization", ICML (2015), section 3; in one line as in
K. Kafle, "Derivation of the gradient of batch normalization" (2016).
Famous for getting wrong: the mean and the variance taken for constants; the unbiased variance.
Hides: an upstream gradient that is the same for all samples makes ∂l/∂x zero, and with one sample
it is zero whatever the upstream gradient.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n d", gamma: "d", beta: "d", g: "n d, data"):
    m = np.mean(x, axis=0)
    v = np.mean((x - m) ** 2, axis=0)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    y = gamma * u + beta
    return np.sum(g * y)


def backward(gamma, g, s, u):
    dbeta = g.sum(axis=0)
    dgamma = (g * u).sum(axis=0)
    du = g * gamma
    dx = (du - np.mean(du, axis=0) - u * np.mean(du * u, axis=0)) / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


def _keras(tf, x, gamma, beta, g):
    """In training the moving mean and variance, zeros and ones here, are not read."""
    norm = tf.keras.layers.BatchNormalization(epsilon=1e-5)
    weights = [gamma, beta, tf.zeros_like(gamma), tf.ones_like(gamma)]
    y = layers.keras(norm, weights, x, training=True)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, g):
    norm = torch.nn.BatchNorm1d(x.shape[1], eps=1e-5, track_running_stats=False, dtype=x.dtype)
    y = layers.torch(torch, norm, {"weight": gamma, "bias": beta}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, g):
    y = gamma * jax.nn.standardize(x, axis=0, epsilon=1e-5) + beta
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
