"""BatchNorm's backward pass takes the batch's mean and variance for constants.

Source: CrypTen, facebookresearch/CrypTen, mended with pull request 143 (2020). The right
form: S. Ioffe and C. Szegedy, "Batch normalization", ICML (2015).
Wrong: dx = g ⊙ γ / s, which is right only for running statistics.
Hides: an upstream gradient that has, over the samples, neither a mean nor a part along x.
"""

import numpy as np


def forward(x: "n d", gamma: "d", beta: "d", g: "n d, data"):
    m = np.mean(x, axis=0)
    s = np.sqrt(np.mean((x - m) ** 2, axis=0) + 1e-5)
    u = (x - m) / s
    o = gamma * u + beta
    return np.sum(g * o)


def backward(gamma, g, s, u):
    dbeta = g.sum(axis=0)
    dgamma = (g * u).sum(axis=0)
    dx = g * gamma / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


BREAKS = {"x": "only one path"}
SAMPLES = {
    "an upstream gradient without mean and without a part along x": {
        "x": np.array([[-3.0, 1.0], [-1.0, 5.0], [1.0, 9.0], [3.0, 13.0]]),
        "g": np.array([[1.0, -2.0], [-1.0, 2.0], [-1.0, 2.0], [1.0, -2.0]]),
    }
}
