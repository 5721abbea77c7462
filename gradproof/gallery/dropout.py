"""Dropout with a given mask, scaled where it trains.

Source: N. Srivastava et al., "Dropout", JMLR 15 (2014); scaled during training ("inverted").
Famous for getting wrong: 1/(1 − p) left out of the backward pass; another mask drawn for it.
Hides: a mask of ones hides a missing mask.
"""

import numpy as np


def forward(x: "n d", W: "d k", m: "n k, nonnegative, data", g: "n k, data"):
    a = np.tanh(x @ W)
    h = a * m / (1 - 0.25)
    return np.sum(g * h)


def backward(x, W, a, m, g):
    da = g * m / (1 - 0.25)
    dz = da * (1 - a**2)
    dW = x.T @ dz
    dx = dz @ W.T
    return {"da": da, "dW": dW, "dx": dx}


SAMPLES = {
    "a mask of zeros and ones": {
        "x": np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]),
        "W": np.array([[0.5, -0.25], [1.0, 0.75], [-0.5, 1.25]]),
        "m": np.array([[1.0, 0.0], [0.0, 1.0]]),
        "g": np.array([[1.0, -2.0], [0.5, 1.5]]),
    }
}
