"""A residual block that normalises first: y = x + LayerNorm(x) W.

Source: R. Xiong et al., "On layer normalization in the transformer architecture", ICML (2020).
Famous for getting wrong: the path around the layer, which carries g unchanged, left out.
Hides: nothing but an upstream gradient of zero.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n d", gamma: "d", beta: "d", W: "d d", g: "n d, data"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    o = gamma * u + beta
    y = x + o @ W
    return np.sum(g * y)


def backward(gamma, W, g, s, u, o):
    dW = o.T @ g
    do = g @ W.T
    dbeta = do.sum(axis=0)
    dgamma = (do * u).sum(axis=0)
    du = do * gamma
    along_u = np.mean(du * u, axis=1, keepdims=True)
    dx = g + (du - np.mean(du, axis=1, keepdims=True) - u * along_u) / s
    return {"dW": dW, "do": do, "dbeta": dbeta, "dgamma": dgamma, "dx": dx}


def _keras(tf, x, gamma, beta, W, g):
    norm = tf.keras.layers.LayerNormalization(epsilon=1e-5)
    o = layers.keras(norm, [gamma, beta], x)
    y = x + layers.keras(tf.keras.layers.Dense(W.shape[1], use_bias=False), [W], o)
    return {"o": o, "y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, gamma, beta, W, g):
    norm = torch.nn.LayerNorm(x.shape[1], eps=1e-5, dtype=x.dtype)
    o = layers.torch(torch, norm, {"weight": gamma, "bias": beta}, x)
    linear = torch.nn.Linear(*W.shape, bias=False, dtype=W.dtype)
    y = x + layers.torch(torch, linear, {"weight": W.T}, o)
    return {"o": o, "y": y, "loss": (g * y).sum()}


def _jax(jax, x, gamma, beta, W, g):
    o = gamma * jax.nn.standardize(x, axis=1, epsilon=1e-5) + beta
    y = x + jax.lax.dot(o, W)
    return {"o": o, "y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
