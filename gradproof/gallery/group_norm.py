"""Group normalisation: every group of channels has a mean and a variance of its own.

Source: Y. Wu and K. He, "Group normalization", ECCV (2018); the backward pass is that of batch
normalisation, over other axes.
Famous for getting wrong: γ, which belongs to a channel, taken out of the sums over a group.
Hides: γ of ones; a constant upstream gradient makes ∂l/∂x zero.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n 6 4", gamma: "6", beta: "6", g: "n 6 4, data"):
    xg = x.reshape(-1, 2, 12)
    m = np.mean(xg, axis=2, keepdims=True)
    v = np.mean((xg - m) ** 2, axis=2, keepdims=True)
    s = np.sqrt(v + 1e-5)
    ug = (xg - m) / s
    u = ug.reshape(-1, 6, 4)
    y = gamma[:, None] * u + beta[:, None]
    return np.sum(g * y)


def backward(gamma, g, s, u, ug):
    dbeta = g.sum(axis=(0, 2))
    dgamma = (g * u).sum(axis=(0, 2))
    du = (g * gamma[:, None]).reshape(-1, 2, 12)
    along_u = np.mean(du * ug, axis=2, keepdims=True)
    dxg = (du - np.mean(du, axis=2, keepdims=True) - ug * along_u) / s
    dx = dxg.reshape(-1, 6, 4)
    return {"dbeta": dbeta, "dgamma": dgamma, "dxg": dxg, "dx": dx}


def _keras(tf, x, gamma, beta, g):
    norm = tf.keras.layers.GroupNormalization(groups=2, axis=1, epsilon=1e-5)
    y = layers.keras(norm, [gamma, beta], x)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, g):
    norm = torch.nn.GroupNorm(2, x.shape[1], eps=1e-5, dtype=x.dtype)
    y = layers.torch(torch, norm, {"weight": gamma, "bias": beta}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, g):
    u = jax.nn.standardize(x.reshape(-1, 2, 12), axis=2, epsilon=1e-5).reshape(x.shape)
    y = gamma[:, None] * u + beta[:, None]
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
