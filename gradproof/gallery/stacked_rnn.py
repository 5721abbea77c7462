"""Two recurrent layers, one above the other, written as scans over time.

Source: R. Pascanu, C. Gulcehre, K. Cho and Y. Bengio, "How to construct deep recurrent neural
networks", ICLR (2014); back-propagation through time: P. J. Werbos, Proceedings of the IEEE 78
(1990).
Famous for getting wrong: what the upper layer sends down at every step left out of the lower one's
sum.
Hides: one step; initial states of zero.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(
    x: "T n 3",
    h0: "n 4",
    U: "3 4",
    W: "4 4",
    k0: "n 4",
    P: "4 4",
    Q: "4 4",
    y: "T n 4, data",
):
    def lower(h, x_t):
        h = np.tanh(x_t @ U + h @ W)
        return h, h

    def upper(k, h_t):
        k = np.tanh(h_t @ P + k @ Q)
        return k, k

    _, hs = gp.scan(lower, h0, x)
    _, ks = gp.scan(upper, k0, hs)
    return 0.5 * np.sum((ks - y) ** 2)


def backward(x, h0, U, W, k0, P, Q, y, hs, ks):
    T = len(x)
    dks = ks - y
    v_next = 0 * k0
    u_next = 0 * h0
    dP, dQ, dU, dW = 0 * P, 0 * Q, 0 * U, 0 * W
    for t in reversed(range(T)):
        v = (dks[t] + v_next) * (1 - ks[t] ** 2)
        v_next = v @ Q.T
        dP = dP + hs[t].T @ v
        dQ = dQ + (ks[t - 1] if t else k0).T @ v
        u = (v @ P.T + u_next) * (1 - hs[t] ** 2)
        u_next = u @ W.T
        dU = dU + x[t].T @ u
        dW = dW + (hs[t - 1] if t else h0).T @ u
    dk0 = v_next
    dh0 = u_next
    return {"dks": dks, "dP": dP, "dQ": dQ, "dk0": dk0, "dU": dU, "dW": dW, "dh0": dh0}


def _keras(tf, x, h0, U, W, k0, P, Q, y):
    def run(inputs, weights, state):
        cell = tf.keras.layers.SimpleRNN(4, use_bias=False, return_sequences=True)
        return layers.keras(cell, weights, inputs, initial_state=state)

    hs = run(tf.transpose(x, (1, 0, 2)), [U, W], h0)
    ks = tf.transpose(run(hs, [P, Q], k0), (1, 0, 2))
    return {"ks": ks, "loss": tf.reduce_sum((ks - y) ** 2) / 2}


def _torch(torch, x, h0, U, W, k0, P, Q, y):
    rnn = torch.nn.RNN(3, 4, num_layers=2, bias=False, dtype=x.dtype)
    weights = {
        "weight_ih_l0": U.T,
        "weight_hh_l0": W.T,
        "weight_ih_l1": P.T,
        "weight_hh_l1": Q.T,
    }
    ks, _ = layers.torch(torch, rnn, weights, x, torch.stack([h0, k0]))
    return {"ks": ks, "loss": ((ks - y) ** 2).sum() / 2}


def _jax(jax, x, h0, U, W, k0, P, Q, y):
    def layer(state, inputs, into, onward):
        def step(h, x_t):
            h = jax.numpy.tanh(x_t @ into + h @ onward)
            return h, h

        return jax.lax.scan(step, state, inputs)[1]

    ks = layer(k0, layer(h0, x, U, W), P, Q)
    return {"ks": ks, "loss": ((ks - y) ** 2).sum() / 2}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
