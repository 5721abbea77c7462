"""A wrong network."""

import numpy as np


def forward(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    return 0.5 * np.sum((z2 - y) ** 2)


def backward(x, W2, y, z1, a1, z2):
    dl_dz2 = z2 - y
    dl_dW2 = a1.T @ dl_dz2
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * (1 - a1)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = np.mean(dl_dz1, axis=0)
    return locals()
