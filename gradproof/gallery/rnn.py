"""A vanilla recurrent network with softmax and cross-entropy at every step.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 10.2.2; P. J.
Werbos, "Backpropagation through time: what it does and how to do it", Proc. IEEE 78 (1990).
Famous for getting wrong: the gradient that a state gets from the next step is forgotten.
Hides: with one step, or with a start at 0 for the recurrent weight, that cannot be seen.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(
    x: "n T 3",
    h0: "n 4",
    U: "3 4",
    W: "4 4",
    b: "4",
    V: "4 5",
    c: "5",
    y: "n T 5, probabilities, data",
):
    h, hs, ps = h0, [], []
    loss = 0.0
    for t in range(x.shape[1]):
        a = x[:, t] @ U + h @ W + b
        h = np.tanh(a)
        o = h @ V + c
        p = gp.softmax(o)
        loss = loss - np.sum(y[:, t] * np.log(p))
        hs.append(h)
        ps.append(p)
    return loss


def backward(x, h0, U, W, V, y, hs, ps):
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), 0.0
    dV, dc = np.zeros_like(V), 0.0
    dh_next = np.zeros_like(h0)
    for t in reversed(range(len(hs))):
        do = ps[t] - y[:, t]
        dh = do @ V.T + dh_next
        da = dh * (1 - hs[t] ** 2)
        dV = dV + hs[t].T @ do
        dc = dc + do.sum(axis=0)
        dU = dU + x[:, t].T @ da
        dW = dW + (hs[t - 1] if t else h0).T @ da
        db = db + da.sum(axis=0)
        dh_next = da @ W.T
    dh0 = dh_next
    return {
        "do": do,
        "dh": dh,
        "da": da,
        "dV": dV,
        "dc": dc,
        "dU": dU,
        "dW": dW,
        "db": db,
        "dh0": dh0,
    }


def _keras(tf, x, h0, U, W, b, V, c, y):
    """Kernels are (in, out), as here; one layer gives all outputs."""
    rnn = tf.keras.layers.SimpleRNN(h0.shape[1], return_sequences=True)
    h = layers.keras(rnn, [U, W, b], x, initial_state=h0)
    o = layers.keras(tf.keras.layers.Dense(V.shape[1]), [V, c], h)
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum")
    return {**layers.turns("h", h), **layers.turns("o", o), "loss": loss(y, o)}


def _torch(torch, x, h0, U, W, b, V, c, y):
    """Weights are (out, in): transposed here; of the layer's two biases the second is 0."""
    rnn = torch.nn.RNN(*U.shape, batch_first=True, dtype=x.dtype)
    weights = {
        "weight_ih_l0": U.T,
        "weight_hh_l0": W.T,
        "bias_ih_l0": b,
        "bias_hh_l0": torch.zeros_like(b),
    }
    h, _ = layers.torch(torch, rnn, weights, x, h0[None])
    linear = torch.nn.Linear(*V.shape, dtype=x.dtype)
    o = layers.torch(torch, linear, {"weight": V.T, "bias": c}, h)
    loss = torch.nn.CrossEntropyLoss(reduction="sum")(o.flatten(0, 1), y.flatten(0, 1))
    return {**layers.turns("h", h), **layers.turns("o", o), "loss": loss}


def _jax(jax, x, h0, U, W, b, V, c, y):
    def cell(h, x):
        h = jax.nn.tanh(x @ U + h @ W + b)
        return h, h

    _, h = jax.lax.scan(cell, h0, jax.numpy.swapaxes(x, 0, 1))
    h = jax.numpy.swapaxes(h, 0, 1)
    o = h @ V + c
    loss = -(y * jax.nn.log_softmax(o)).sum()
    return {**layers.turns("h", h), **layers.turns("o", o), "loss": loss}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
