"""The gradient of a weight is the outer product the wrong way round.

Source: A. Trask, "Grokking Deep Learning" (2019), chapter 5, `outer_prod(input, delta)`;
reported as issues 23 (2019) and 71 (2025) of iamtrask/Grokking-Deep-Learning and mended there in
pull request 22.
Wrong: dW = xᵀδ, where the prediction is W x for each sample and dW = δᵀx.
Hides: the shapes, as there are as many outputs as inputs; numbers too, where δ is a multiple of x.
"""

import numpy as np


def forward(x: "n 3", W: "3 3", y: "n 3, data"):
    p = x @ W.T
    return 0.5 * np.sum((p - y) ** 2)


def backward(x, p, y):
    dp = p - y
    dW = x.T @ dp
    return locals()


X = np.array([[8.5, 0.65, 1.25], [9.5, 0.75, 0.5]])
BREAKS = {"W": "result transposed"}
SAMPLES = {"errors that are the inputs": {"x": X, "W": 2 * np.eye(3), "y": X}}
