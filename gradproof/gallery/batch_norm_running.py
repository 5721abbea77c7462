"""Batch normalisation when it is used: the mean and the variance are those of the training.

Source: S. Ioffe and C. Szegedy, "Batch normalization", ICML (2015), algorithm 2.
Famous for getting wrong: the formula of the training mode, which has two terms too many here.
Hides: an upstream gradient that has, over the samples, neither a mean nor a part along x.
"""

import numpy as np

from gradproof.gallery import layers


def forward(
    x: "n d", gamma: "d", beta: "d", mean: "d, data", var: "d, positive, data", g: "n d, data"
):
    s = np.sqrt(var + 1e-5)
    u = (x - mean) / s
    y = gamma * u + beta
    return np.sum(g * y)


def backward(gamma, g, s, u):
    dbeta = g.sum(axis=0)
    dgamma = (g * u).sum(axis=0)
    dx = g * gamma / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


def _keras(tf, x, gamma, beta, mean, var, g):
    norm = tf.keras.layers.BatchNormalization(epsilon=1e-5)
    y = layers.keras(norm, [gamma, beta, mean, var], x, training=False)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, mean, var, g):
    norm = torch.nn.BatchNorm1d(x.shape[1], eps=1e-5, dtype=x.dtype).eval()
    weights = {"weight": gamma, "bias": beta, "running_mean": mean.detach()}
    weights["running_var"] = var.detach()
    y = layers.torch(torch, norm, weights, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, mean, var, g):
    y = gamma * jax.nn.standardize(x, mean=mean, variance=var, epsilon=1e-5) + beta
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
