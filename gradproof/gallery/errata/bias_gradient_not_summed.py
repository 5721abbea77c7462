"""The gradient of a bias is one sample's, not the sum over the samples.

Source: mlpack, ann/layer/add.hpp, `gradient = error`, mended in pull request 3679 (2024).
Wrong: db = dz without its sum, so that a vector gets the gradient of one sample, here the last.
(Where db has the shape of dz, it is refused for that, and the same mistake is named.)
Hides: one sample.
"""

import numpy as np


def forward(x: "n 3", W: "3 2", b: "2", y: "n 2, data"):
    z = x @ W + b
    return 0.5 * np.sum((z - y) ** 2)


def backward(x, z, y):
    dz = z - y
    dW = x.T @ dz
    db = dz[-1]
    return locals()


BREAKS = {"b": "only the last"}
SAMPLES = {"one sample": {"x": np.array([[1.5, -0.5, 2.0]])}}
