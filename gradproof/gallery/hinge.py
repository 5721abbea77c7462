"""The multiclass hinge loss of a linear classifier, with a penalty on the weights.

Source: J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition",
ESANN (1999); the form of Stanford's course CS231n, "Linear classification".
Famous for getting wrong: the row of the right class, which gets minus the number of violations.
Hides: margins that are all violated, or none.
"""

import numpy as np


def forward(x: "n d", W: "d k", y: "n k, one-hot, data"):
    z = x @ W
    right = np.sum(z * y, axis=1, keepdims=True)
    margin = z - right + 1
    return np.sum(np.maximum(margin, 0) * (1 - y)) / x.shape[0] + 0.1 * np.sum(W**2)


def backward(x, W, margin, y):
    B = (margin > 0) * (1 - y)
    B = B - y * np.sum(B, axis=1, keepdims=True)
    dW = x.T @ B / x.shape[0] + 2 * 0.1 * W
    dx = B @ W.T / x.shape[0]
    return {"dW": dW, "dx": dx}
