"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "n t d", m: "n t, data", w: "d", y: "n, data"):
    c = np.sum(x * m[:, :, None], axis=1) / np.sum(m, axis=1)[:, None]
    s = c @ w
    return np.mean((s - y) ** 2)
