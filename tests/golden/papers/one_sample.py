"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(x: "2", W1: "4 2", b1: "4", W2: "3 4", b2: "3", y: "3, data"):
    z1 = W1 @ x + b1
    a1 = gp.sigmoid(z1)
    z2 = W2 @ a1 + b2
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)
