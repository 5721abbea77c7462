"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "n 4", W: "3 2", c: "4"):
    f = x[0]
    g = x[:, 1:] @ W
    return np.sum(g**2) + np.sum(f * c)
