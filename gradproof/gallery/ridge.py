"""Least squares with a penalty on the weights: λ‖W‖² for one layer and (λ/2)‖W‖² for the other.

Source: A. E. Hoerl and R. W. Kennard, "Ridge regression", Technometrics 12 (1970).
Famous for getting wrong: 2λW and λW, which belong to the two ways to write the penalty.
Hides: weights of zero, or nearly.
"""

import numpy as np


def forward(x: "n d", W1: "d h", W2: "h k", y: "n k, data"):
    a = x @ W1
    r = a @ W2 - y
    return 0.5 * np.sum(r**2) + 0.1 * np.sum(W1**2) + 0.1 / 2 * np.sum(W2**2)


def backward(x, W1, W2, a, r):
    dW2 = a.T @ r + 0.1 * W2
    da = r @ W2.T
    dW1 = x.T @ da + 2 * 0.1 * W1
    dx = da @ W1.T
    return {"dW2": dW2, "da": da, "dW1": dW1, "dx": dx}
