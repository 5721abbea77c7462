"""The derivative of a hidden layer's tanh is taken at the next layer's argument.

Source: D. Britz, "Implementing a neural network from scratch in Python" (2015), the formula in the
notebook of dennybritz/nn-from-scratch, mended in pull request 3 (2016).
Wrong: dz1 = (1 − tanh²(z2)) ⊙ (dz2 W2ᵀ).
Hides: the shapes, where the layers are equally wide; numbers too, where W2 begins at zero.
"""

import numpy as np


def forward(x: "n 2", W1: "2 3", b1: "3", W2: "3 3", b2: "3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    return 0.5 * np.sum((z2 - y) ** 2)


def backward(x, W2, y, a1, z2):
    dz2 = z2 - y
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (1 - np.tanh(z2) ** 2) * (dz2 @ W2.T)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return locals()


BREAKS = {"z1": "slope at another value"}
SAMPLES = {"a weight W2 that begins at zero": {"W2": np.zeros((3, 3))}}
