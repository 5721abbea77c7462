"""BatchNorm's backward pass multiplies the upstream gradient by its scale when it is too late.

Source: Knet.jl, `batchnorm4_back`, reported as issue 288 (2018) and mended with pull request 289:
`dyivar` is made of `dy` before `dy` is multiplied by the scale. The right form: S. Ioffe and
C. Szegedy, "Batch normalization", ICML (2015), section 3.
Wrong: dx = (g − mean(g) − u ⊙ mean(g ⊙ u)) / s, where each g must be g ⊙ γ.
Hides: an upstream gradient that is the same for all samples, as ∂l/∂x is zero then, with the scale
and without; and a scale of ones, which is what it begins with.
"""

import numpy as np


def forward(x: "n d", gamma: "d", beta: "d", g: "n d, data"):
    m = np.mean(x, axis=0)
    v = np.mean((x - m) ** 2, axis=0)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    o = gamma * u + beta
    return np.sum(g * o)


def backward(g, s, u):
    dbeta = g.sum(axis=0)
    dgamma = (g * u).sum(axis=0)
    dx = (g - np.mean(g, axis=0) - u * np.mean(g * u, axis=0)) / s
    return {"dbeta": dbeta, "dgamma": dgamma, "dx": dx}


BREAKS = {"x": "factor missing everywhere"}
SAMPLES = {
    "an upstream gradient that is the same for all samples": {
        "x": np.array([[0.5, -1.0], [2.0, 0.25], [-1.5, 3.0]]),
        "g": np.array([[1.0, -2.0]] * 3),
    },
    "a scale of ones": {"gamma": np.ones(4)},
}
