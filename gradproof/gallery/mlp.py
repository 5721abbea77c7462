"""A deep tanh network over lists of weights, with half the sum of squared errors.

Source: the recursion δ^l = (δ^{l+1} W^{l+1}ᵀ) ⊙ σ′(z^l) is in M. Nielsen, "Neural Networks and
Deep Learning" (2015), chapter 2.
Hides: with layers of one width, a missing transpose goes unnoticed by the shapes.
"""

import numpy as np

from gradproof.gallery import layers


def forward(
    x: "n 3",
    Ws: ["3 5", "5 4", "4 6", "6 2"],
    bs: ["5", "4", "6", "2"],
    y: "n 2, data",
):
    a = x
    acts = [x]
    for W, b in zip(Ws, bs, strict=True):
        z = a @ W + b
        a = np.tanh(z)
        acts.append(a)
    return 0.5 * np.sum((a - y) ** 2)


def backward(Ws, acts, y):
    delta = acts[-1] - y
    dl_dWs, dl_dbs = [], []
    for W, inp, out in zip(Ws[::-1], acts[-2::-1], acts[:0:-1], strict=True):
        dz = delta * (1 - out**2)
        dl_dWs.insert(0, inp.T @ dz)
        dl_dbs.insert(0, dz.sum(axis=0))
        delta = dz @ W.T
    dl_dx = delta
    return {"dl_dWs": dl_dWs, "dl_dbs": dl_dbs, "dl_dx": dl_dx}


def _keras(tf, x, Ws, bs, y):
    """A kernel is (in, out), as here, so nothing is transposed."""
    a = x
    for W, b in zip(Ws, bs, strict=True):
        a = layers.keras(tf.keras.layers.Dense(W.shape[1], activation="tanh"), [W, b], a)
    return {"loss": 0.5 * tf.reduce_sum((a - y) ** 2)}


def _torch(torch, x, Ws, bs, y):
    """A weight is (out, in): transposed here."""
    a = x
    for W, b in zip(Ws, bs, strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
        a = torch.nn.Tanh()(layers.torch(torch, linear, {"weight": W.T, "bias": b}, a))
    return {"loss": 0.5 * torch.nn.MSELoss(reduction="sum")(a, y)}


def _jax(jax, x, Ws, bs, y):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        a = jax.nn.tanh(jax.lax.dot(a, W) + b)
    return {"loss": 0.5 * ((a - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
