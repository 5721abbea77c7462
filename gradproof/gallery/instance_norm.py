"""Instance normalisation: every channel of every picture has a mean and a variance of its own.

Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization", arXiv:1607.08022 (2016);
the backward pass is that of batch normalisation, over other axes.
Famous for getting wrong: the axes over which the two means are taken.
Hides: a constant upstream gradient makes ∂l/∂x zero.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n c 3 4", gamma: "c", beta: "c", g: "n c 3 4, data"):
    m = np.mean(x, axis=(2, 3), keepdims=True)
    v = np.mean((x - m) ** 2, axis=(2, 3), keepdims=True)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    y = gamma[:, None, None] * u + beta[:, None, None]
    return np.sum(g * y)


def backward(gamma, g, s, u):
    dbeta = g.sum(axis=(0, 2, 3))
    dgamma = (g * u).sum(axis=(0, 2, 3))
    du = g * gamma[:, None, None]
    along_u = np.mean(du * u, axis=(2, 3), keepdims=True)
    dx = (du - np.mean(du, axis=(2, 3), keepdims=True) - u * along_u) / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


def _keras(tf, x, gamma, beta, g):
    """Keras has it as group normalisation with one channel a group."""
    norm = tf.keras.layers.GroupNormalization(groups=-1, axis=1, epsilon=1e-5)
    y = layers.keras(norm, [gamma, beta], x)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, g):
    norm = torch.nn.InstanceNorm2d(x.shape[1], eps=1e-5, affine=True, dtype=x.dtype)
    y = layers.torch(torch, norm, {"weight": gamma, "bias": beta}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, g):
    u = jax.nn.standardize(x, axis=(2, 3), epsilon=1e-5)
    y = gamma[:, None, None] * u + beta[:, None, None]
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
