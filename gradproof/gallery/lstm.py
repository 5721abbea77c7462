"""A long short-term memory, unrolled through time: every gate, every state.

Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997);
with a forget gate F. A. Gers, J. Schmidhuber and F. Cummins, Neural Computation 12 (2000). The
backward pass of a step: K. Greff et al., "LSTM: a search space odyssey", IEEE TNNLS 28 (2017).
Famous for getting wrong: σ′ of a gate taken of its value instead of its argument; the gradient that
the cell gets from the next cell, which is multiplied by the next forget gate, forgotten.
Hides: with one step, or cells that start at 0 for the forget gate, neither can be seen.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(
    x: "n T 3",
    h0: "n 4",
    C0: "n 4",
    Wf: "7 4",
    bf: "4",
    Wi: "7 4",
    bi: "4",
    Wg: "7 4",
    bg: "4",
    Wo: "7 4",
    bo: "4",
    y: "n T 4, data",
):
    h, C, loss, steps = h0, C0, 0.0, []
    for t in range(x.shape[1]):
        hx = np.concatenate([h, x[:, t]], axis=1)
        before = C
        zf = hx @ Wf + bf
        zi = hx @ Wi + bi
        zg = hx @ Wg + bg
        zo = hx @ Wo + bo
        f = gp.sigmoid(zf)
        i = gp.sigmoid(zi)
        g = np.tanh(zg)
        o = gp.sigmoid(zo)
        C = f * C + i * g
        h = o * np.tanh(C)
        loss = loss + 0.5 * np.sum((h - y[:, t]) ** 2)
        steps.append((hx, before, f, i, g, o, C, h))
    return loss


def backward(x, y, Wf, Wi, Wg, Wo, h0, C0, steps):
    dWf, dWi, dWg, dWo = np.zeros_like(Wf), np.zeros_like(Wi), np.zeros_like(Wg), np.zeros_like(Wo)
    dbf = dbi = dbg = dbo = 0.0
    dh_next, dC_next = np.zeros_like(h0), np.zeros_like(C0)
    for t in reversed(range(len(steps))):
        hx, before, f, i, g, o, C, h = steps[t]
        dh = h - y[:, t] + dh_next
        dC = dh * o * (1 - np.tanh(C) ** 2) + dC_next
        dzo = dh * np.tanh(C) * o * (1 - o)
        dzf = dC * before * f * (1 - f)
        dzi = dC * g * i * (1 - i)
        dzg = dC * i * (1 - g**2)
        dWf, dbf = dWf + hx.T @ dzf, dbf + dzf.sum(axis=0)
        dWi, dbi = dWi + hx.T @ dzi, dbi + dzi.sum(axis=0)
        dWg, dbg = dWg + hx.T @ dzg, dbg + dzg.sum(axis=0)
        dWo, dbo = dWo + hx.T @ dzo, dbo + dzo.sum(axis=0)
        dhx = dzf @ Wf.T + dzi @ Wi.T + dzg @ Wg.T + dzo @ Wo.T
        dh_next = dhx[:, : h0.shape[1]]
        dC_next = dC * f
    dh0, dC0 = dh_next, dC_next
    return locals()


def _keras(tf, x, h0, C0, Wf, bf, Wi, bi, Wg, bg, Wo, bo, y):
    """The gates lie beside each other in the order i, f, g (Keras: c), o; a kernel for x and one
    for h."""
    d = h0.shape[1]
    kernel = tf.concat([W[d:] for W in (Wi, Wf, Wg, Wo)], axis=1)
    recurrent = tf.concat([W[:d] for W in (Wi, Wf, Wg, Wo)], axis=1)
    bias = tf.concat([bi, bf, bg, bo], axis=0)
    lstm = tf.keras.layers.LSTM(d, return_sequences=True)
    h = layers.keras(lstm, [kernel, recurrent, bias], x, initial_state=[h0, C0])
    return {**layers.turns("h", h), "loss": 0.5 * tf.reduce_sum((h - y) ** 2)}


def _torch(torch, x, h0, C0, Wf, bf, Wi, bi, Wg, bg, Wo, bo, y):
    """The gates lie below each other in the order i, f, g, o, each weight (out, in); of the two
    biases the second is 0."""
    d = h0.shape[1]
    lstm = torch.nn.LSTM(x.shape[2], d, batch_first=True, dtype=x.dtype)
    weights = {
        "weight_ih_l0": torch.cat([W[d:] for W in (Wi, Wf, Wg, Wo)], dim=1).T,
        "weight_hh_l0": torch.cat([W[:d] for W in (Wi, Wf, Wg, Wo)], dim=1).T,
        "bias_ih_l0": torch.cat([bi, bf, bg, bo]),
        "bias_hh_l0": torch.zeros_like(torch.cat([bi, bf, bg, bo])),
    }
    h, _ = layers.torch(torch, lstm, weights, x, (h0[None], C0[None]))
    return {**layers.turns("h", h), "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(h, y)}


def _jax(jax, x, h0, C0, Wf, bf, Wi, bi, Wg, bg, Wo, bo, y):
    def cell(state, x):
        h, C = state
        hx = jax.numpy.concatenate([h, x], axis=1)
        f, i, o = (jax.nn.sigmoid(hx @ W + b) for W, b in ((Wf, bf), (Wi, bi), (Wo, bo)))
        C = f * C + i * jax.nn.tanh(hx @ Wg + bg)
        h = o * jax.nn.tanh(C)
        return (h, C), (h, C)

    _, (h, C) = jax.lax.scan(cell, (h0, C0), jax.numpy.swapaxes(x, 0, 1))
    h, C = (jax.numpy.swapaxes(states, 0, 1) for states in (h, C))
    return {**layers.turns("h", h), **layers.turns("C", C), "loss": 0.5 * ((h - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
