"""Layer normalisation of every sample, with a scale and a shift for each feature.

Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450 (2016);
the backward pass as for batches in S. Ioffe and C. Szegedy, "Batch normalization", ICML (2015),
section 3, collected as in K. Kafle, "Derivation of the gradient of batch normalization" (2016).
Famous for getting wrong: the paths through the mean and the variance left out; a mean over the
samples where one over the features belongs; γ left outside the sums.
Hides: γ of ones hides where it belongs; a constant upstream gradient makes ∂l/∂x nearly zero.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n d", gamma: "d", beta: "d", g: "n d, data"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    y = gamma * u + beta
    return np.sum(g * y)


def backward(gamma, g, s, u):
    dbeta = g.sum(axis=0)
    dgamma = (g * u).sum(axis=0)
    du = g * gamma
    along_u = np.mean(du * u, axis=1, keepdims=True)
    dx = (du - np.mean(du, axis=1, keepdims=True) - u * along_u) / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


def _keras(tf, x, gamma, beta, g):
    norm = tf.keras.layers.LayerNormalization(epsilon=1e-5)
    y = layers.keras(norm, [gamma, beta], x)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, g):
    norm = torch.nn.LayerNorm(x.shape[1], eps=1e-5, dtype=x.dtype)
    y = layers.torch(torch, norm, {"weight": gamma, "bias": beta}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, g):
    y = gamma * jax.nn.standardize(x, axis=1, epsilon=1e-5) + beta
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
