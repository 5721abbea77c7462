"""RMSNorm's backward pass leaves the weight out of the sum over the features.

Source: a review comment on pull request 763 of karpathy/llm.c (2024), whose author "spent days
chasing it"; the right form: B. Zhang and R. Sennrich, "Root mean square layer normalization",
NeurIPS (2019).
Wrong: dx = (w ⊙ g − u ⊙ mean(g ⊙ u)) / r with u = x / r; in the mean stands g instead of w ⊙ g.
Hides: a weight of ones, which is what it begins with.
"""

import numpy as np


def forward(x: "n d", w: "d", g: "n d, data"):
    r = np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-5)
    u = x / r
    o = u * w
    return np.sum(g * o)


def backward(x, w, g, r, u):
    dw = (g * u).sum(axis=0)
    dx = (g * w - u * np.mean(g * u, axis=1, keepdims=True)) / r
    return {"dw": dw, "dx": dx}


BREAKS = {"x": "factor missing"}
SAMPLES = {"a weight of ones": {"w": np.ones(4)}}
