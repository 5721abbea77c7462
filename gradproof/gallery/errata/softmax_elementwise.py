"""Softmax is differentiated as if it acted on each element alone.

Source: deeplearning4j/libnd4j, special_ops.h, reported as issue 440 (2017): only the diagonal of
the Jacobian was implemented.
Wrong: dz = dp ⊙ p ⊙ (1 − p).
Hides: nothing but an upstream gradient of zero, as at a minimum.
"""

import numpy as np

import gradproof as gp


def forward(z: "n k", y: "n k, data"):
    p = gp.softmax(z)
    return 0.5 * np.sum((p - y) ** 2)


def backward(p, y):
    dp = p - y
    dz = dp * p * (1 - p)
    return locals()


BREAKS = {"z": "softmax elementwise"}
SAMPLES = {
    "predictions that are the target": {
        "z": np.zeros((3, 4)),
        "y": np.full((3, 4), 0.25),
    }
}
