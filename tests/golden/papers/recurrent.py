"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "3 n d", U: "d h", V: "h h", b: "h", h0: "n h", y: "n h, data"):
    h = h0
    for t in range(3):
        h = np.tanh(x[t] @ U + h @ V + b)
    return 0.5 * np.sum((h - y) ** 2)
