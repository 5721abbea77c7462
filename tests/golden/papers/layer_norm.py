"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "n d", g: "d", b: "d", y: "n d, data"):
    mu = x.mean(axis=1, keepdims=True)
    xc = x - mu
    v = (xc**2).mean(axis=1, keepdims=True)
    s = np.sqrt(v + 1e-5)
    xh = xc / s
    o = xh * g + b
    return 0.5 * np.sum((o - y) ** 2)
