"""The rule for the derivative of tanh, which is in terms of its value, is put to its argument.

Source: Apache Horn, Tanh.java, `applyDerivative` returned `1 - value * value` beside
`Math.tanh(value)`; found in the review of pull request 4 (2015) and mended there.
Wrong: dz = (1 − z²) ⊙ da, where it is (1 − tanh²(z)) ⊙ da.
Hides: arguments near zero, where tanh(z) is z; at zero nothing can be seen.
"""

import numpy as np


def forward(x: "n 3", W: "3 2", b: "2", y: "n 2, data"):
    z = x @ W + b
    a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def backward(x, z, a, y):
    da = a - y
    dz = (1 - z**2) * da
    dW = x.T @ dz
    db = dz.sum(axis=0)
    return locals()


BREAKS = {"z": "rule at the operand"}
SAMPLES = {"weights that begin at zero": {"W": np.zeros((3, 2)), "b": np.zeros(2)}}
