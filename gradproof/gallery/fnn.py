"""The 2–4–3 sigmoid network with half the sum of squared errors.

Source: the closed form is that of D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning
representations by back-propagating errors", Nature 323 (1986), for one hidden layer.
Hides: with one sample, a missing sum over the batch in the bias; with a square weight, a missing
transpose.
"""

import numpy as np

import gradproof as gp


def forward(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", b2: "3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)


def backward(x, W2, y, z1, a1, z2, a2):
    dl_da2 = a2 - y
    dl_dz2 = dl_da2 * gp.sigmoid.derivative(z2)
    dl_dW2 = a1.T @ dl_dz2
    dl_db2 = dl_dz2.sum(axis=0)
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * gp.sigmoid.derivative(z1)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = dl_dz1.sum(axis=0)
    return locals()
