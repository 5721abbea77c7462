"""The gradient of an inverse is taken from the inverse itself, and not from its transpose.

Source: the blog post "The torch.linalg module" of pytorch.org (2021), in whose NumPy code
`transpose(-2, -1)` leaves the two axes as they are; reported as issue 2135 of
pytorch/pytorch.github.io (2026), and not mended yet.
Wrong: dA = −V g V, where V is the inverse; it is −Vᵀ g Vᵀ.
Hides: a symmetric matrix, such as the one that the post shows.
"""

import numpy as np


def forward(A: "n n", g: "n n, data"):
    V = np.linalg.inv(A)
    return np.sum(g * V)


def backward(V, g):
    dA = -(V.transpose(-2, -1) @ (g @ V.transpose(-2, -1)))
    return {"dA": dA}


BREAKS = {"A": "inverse transposed"}
SAMPLES = {"a symmetric matrix": {"A": np.array([[2.0, 1.0], [1.0, 4.0]])}}
