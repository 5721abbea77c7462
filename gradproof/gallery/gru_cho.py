"""A gated recurrent unit in the form of its first paper, unrolled through time.

The reset gate multiplies the state before its matrix (Keras: ``reset_after=False``); as cuDNN and
PyTorch compute it, entry ``gru``, it multiplies what comes after. PyTorch has no layer for it.
Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
machine translation", EMNLP (2014), equations 5 to 8, with biases.
Famous for getting wrong: the two forms taken for each other; the path through r ⊙ h to the state,
or to the reset gate, forgotten.
Hides: with one step from a state at 0 nothing of it can be seen but in the gradient of that state.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(
    x: "n T 3",
    h0: "n 4",
    Wr: "3 4",
    Ur: "4 4",
    br: "4",
    Wz: "3 4",
    Uz: "4 4",
    bz: "4",
    Wn: "3 4",
    Un: "4 4",
    bn: "4",
    y: "n T 4, data",
):
    h, loss, steps = h0, 0.0, []
    for t in range(x.shape[1]):
        before = h
        ar = x[:, t] @ Wr + h @ Ur + br
        az = x[:, t] @ Wz + h @ Uz + bz
        r = gp.sigmoid(ar)
        z = gp.sigmoid(az)
        q = r * h
        an = x[:, t] @ Wn + q @ Un + bn
        n = np.tanh(an)
        h = (1 - z) * n + z * h
        loss = loss + 0.5 * np.sum((h - y[:, t]) ** 2)
        steps.append((before, r, z, q, n, h))
    return loss


def backward(x, y, Ur, Uz, Un, h0, steps):
    dWr = dWz = dWn = dUr = dUz = dUn = dbr = dbz = dbn = 0.0
    dh_next = np.zeros_like(h0)
    for t in reversed(range(len(steps))):
        before, r, z, q, n, h = steps[t]
        dh = h - y[:, t] + dh_next
        daz = dh * (before - n) * z * (1 - z)
        dan = dh * (1 - z) * (1 - n**2)
        dq = dan @ Un.T
        dar = dq * before * r * (1 - r)
        dWr, dUr, dbr = dWr + x[:, t].T @ dar, dUr + before.T @ dar, dbr + dar.sum(axis=0)
        dWz, dUz, dbz = dWz + x[:, t].T @ daz, dUz + before.T @ daz, dbz + daz.sum(axis=0)
        dWn, dUn, dbn = dWn + x[:, t].T @ dan, dUn + q.T @ dan, dbn + dan.sum(axis=0)
        dh_next = dh * z + dar @ Ur.T + daz @ Uz.T + dq * r
    dh0 = dh_next
    return locals()


def _keras(tf, x, h0, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, y):
    """The gates lie beside each other in the order z, r, n; there is one bias."""
    kernel = tf.concat([Wz, Wr, Wn], axis=1)
    recurrent = tf.concat([Uz, Ur, Un], axis=1)
    bias = tf.concat([bz, br, bn], axis=0)
    gru = tf.keras.layers.GRU(h0.shape[1], return_sequences=True, reset_after=False)
    h = layers.keras(gru, [kernel, recurrent, bias], x, initial_state=h0)
    return {**layers.turns("h", h), "loss": 0.5 * tf.reduce_sum((h - y) ** 2)}


def _jax(jax, x, h0, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, y):
    def cell(h, x):
        r = jax.nn.sigmoid(x @ Wr + h @ Ur + br)
        z = jax.nn.sigmoid(x @ Wz + h @ Uz + bz)
        n = jax.nn.tanh(x @ Wn + (r * h) @ Un + bn)
        h = (1 - z) * n + z * h
        return h, h

    _, h = jax.lax.scan(cell, h0, jax.numpy.swapaxes(x, 0, 1))
    h = jax.numpy.swapaxes(h, 0, 1)
    return {**layers.turns("h", h), "loss": 0.5 * ((h - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "jax": _jax}
