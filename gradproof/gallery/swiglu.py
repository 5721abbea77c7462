"""A SwiGLU feed-forward layer: silu(x Wg) ⊙ (x Wu), then Wd.

Source: N. Shazeer, "GLU variants improve transformer", arXiv:2002.05202 (2020); silu′ is in
P. Ramachandran, B. Zoph and Q. V. Le, "Searching for activation functions" (2017).
Famous for getting wrong: the two branches swapped; silu′ taken for σ.
Hides: equal weights of gate and value hide the swap.
"""

import numpy as np

import gradproof as gp


def forward(x: "n d", Wg: "d f", Wu: "d f", Wd: "f d", g: "n d, data"):
    a = x @ Wg
    u = x @ Wu
    s = gp.sigmoid(a)
    h = a * s * u
    y = h @ Wd
    return np.sum(g * y)


def backward(x, Wg, Wu, Wd, a, u, s, h, g):
    dWd = h.T @ g
    dh = g @ Wd.T
    du = dh * a * s
    da = dh * u * s * (1 + a * (1 - s))
    dWu = x.T @ du
    dWg = x.T @ da
    dx = du @ Wu.T + da @ Wg.T
    return {"dWd": dWd, "dh": dh, "du": du, "dWu": dWu, "dWg": dWg, "dx": dx}


def _keras(tf, x, Wg, Wu, Wd, g):
    h = tf.keras.activations.silu(x @ Wg) * (x @ Wu)
    y = h @ Wd
    return {"h": h, "y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, Wg, Wu, Wd, g):
    h = torch.nn.SiLU()(x @ Wg) * (x @ Wu)
    y = h @ Wd
    return {"h": h, "y": y, "loss": (g * y).sum()}


def _jax(jax, x, Wg, Wu, Wd, g):
    h = jax.nn.silu(x @ Wg) * (x @ Wu)
    y = h @ Wd
    return {"h": h, "y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
