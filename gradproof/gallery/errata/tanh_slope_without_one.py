"""The derivative of tanh is written without its 1.

Source: "500 questions on deep learning", chapter 3, scutan90/DeepLearning-500-questions, a table in
section 3.4.3; reported as issue 544 (2024).
Wrong: dz = −tanh²(z) ⊙ da, where it is (1 − tanh²(z)) ⊙ da.
Hides: an upstream gradient of zero, as at a minimum.
"""

import numpy as np


def forward(x: "n 3", W: "3 2", b: "2", y: "n 2, data"):
    z = x @ W + b
    a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def backward(x, z, a, y):
    da = a - y
    dz = -(np.tanh(z) ** 2) * da
    dW = x.T @ dz
    db = dz.sum(axis=0)
    return locals()


BREAKS = {"z": "rule miswritten"}
SAMPLES = {
    "a network at its minimum": {
        "x": np.array([[1.0, -1.0, 2.0], [0.5, 2.0, -1.0]]),
        "W": np.zeros((3, 2)),
        "b": np.zeros(2),
        "y": np.zeros((2, 2)),
    }
}
