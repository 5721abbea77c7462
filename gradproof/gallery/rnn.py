"""A vanilla recurrent network with softmax and cross-entropy at every step.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 10.2.2; P. J.
Werbos, "Backpropagation through time: what it does and how to do it", Proc. IEEE 78 (1990).
Famous for getting wrong: the gradient that a state gets from the next step is forgotten.
Hides: with one step, or with a start at 0 for the recurrent weight, that cannot be seen.
"""

import numpy as np

import gradproof as gp


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
        h = np.tanh(x[:, t] @ U + h @ W + b)
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
    return {"do": do, "dh": dh, "dV": dV, "dc": dc, "dU": dU, "dW": dW, "db": db, "dh0": dh0}
