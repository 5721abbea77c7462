"""A gated recurrent unit as cuDNN, PyTorch and Keras compute it, unrolled through time.

The reset gate multiplies the state after its matrix and bias (Keras: ``reset_after=True``); in the
form of the first paper, entry ``gru_cho``, it multiplies the state before them.
Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
machine translation", EMNLP (2014), in the form of J. Appleyard, T. Kočiský and P. Blunsom,
"Optimizing performance of recurrent neural networks on GPUs", arXiv:1604.01946 (2016).
Famous for getting wrong: the two forms taken for each other; r forgotten in the gradient that the
state gets through the candidate, or in that of its bias.
Hides: with one step from a state at 0, and cn at 0, the two forms give the same numbers.
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
    cn: "4",
    y: "n T 4, data",
):
    h, loss, steps = h0, 0.0, []
    for t in range(x.shape[1]):
        before = h
        ar = x[:, t] @ Wr + h @ Ur + br
        az = x[:, t] @ Wz + h @ Uz + bz
        r = gp.sigmoid(ar)
        z = gp.sigmoid(az)
        m = h @ Un + cn
        an = x[:, t] @ Wn + bn + r * m
        n = np.tanh(an)
        h = (1 - z) * n + z * h
        loss = loss + 0.5 * np.sum((h - y[:, t]) ** 2)
        steps.append((before, r, z, m, n, h))
    return loss


def backward(x, y, Ur, Uz, Un, h0, steps):
    dWr = dWz = dWn = dUr = dUz = dUn = dbr = dbz = dbn = dcn = 0.0
    dh_next = np.zeros_like(h0)
    for t in reversed(range(len(steps))):
        before, r, z, m, n, h = steps[t]
        dh = h - y[:, t] + dh_next
        daz = dh * (before - n) * z * (1 - z)
        dan = dh * (1 - z) * (1 - n**2)
        dar = dan * m * r * (1 - r)
        dm = dan * r
        dWr, dUr, dbr = dWr + x[:, t].T @ dar, dUr + before.T @ dar, dbr + dar.sum(axis=0)
        dWz, dUz, dbz = dWz + x[:, t].T @ daz, dUz + before.T @ daz, dbz + daz.sum(axis=0)
        dWn, dbn = dWn + x[:, t].T @ dan, dbn + dan.sum(axis=0)
        dUn, dcn = dUn + before.T @ dm, dcn + dm.sum(axis=0)
        dh_next = dh * z + dar @ Ur.T + daz @ Uz.T + dm @ Un.T
    dh0 = dh_next
    return locals()


def _keras(tf, x, h0, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, cn, y):
    """The gates lie beside each other in the order z, r, n; the biases of x and of h are the rows
    of one tensor."""
    kernel = tf.concat([Wz, Wr, Wn], axis=1)
    recurrent = tf.concat([Uz, Ur, Un], axis=1)
    zeros = tf.zeros_like(cn)
    bias = tf.stack([tf.concat([bz, br, bn], axis=0), tf.concat([zeros, zeros, cn], axis=0)])
    gru = tf.keras.layers.GRU(h0.shape[1], return_sequences=True, reset_after=True)
    h = layers.keras(gru, [kernel, recurrent, bias], x, initial_state=h0)
    return {**layers.turns("h", h), "loss": 0.5 * tf.reduce_sum((h - y) ** 2)}


def _torch(torch, x, h0, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, cn, y):
    """The gates lie below each other in the order r, z, n, each weight (out, in)."""
    gru = torch.nn.GRU(x.shape[2], h0.shape[1], batch_first=True, dtype=x.dtype)
    zeros = torch.zeros_like(cn)
    weights = {
        "weight_ih_l0": torch.cat([Wr, Wz, Wn], dim=1).T,
        "weight_hh_l0": torch.cat([Ur, Uz, Un], dim=1).T,
        "bias_ih_l0": torch.cat([br, bz, bn]),
        "bias_hh_l0": torch.cat([zeros, zeros, cn]),
    }
    h, _ = layers.torch(torch, gru, weights, x, h0[None])
    return {**layers.turns("h", h), "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(h, y)}


def _jax(jax, x, h0, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, cn, y):
    def cell(h, x):
        r = jax.nn.sigmoid(x @ Wr + h @ Ur + br)
        z = jax.nn.sigmoid(x @ Wz + h @ Uz + bz)
        n = jax.nn.tanh(x @ Wn + bn + r * (h @ Un + cn))
        h = (1 - z) * n + z * h
        return h, h

    _, h = jax.lax.scan(cell, h0, jax.numpy.swapaxes(x, 0, 1))
    h = jax.numpy.swapaxes(h, 0, 1)
    return {**layers.turns("h", h), "loss": 0.5 * ((h - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
