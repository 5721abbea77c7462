"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "n d", y: "m d"):
    s = np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1)[None, :] - 2 * x @ y.T
    return np.sum(np.exp(-s))
