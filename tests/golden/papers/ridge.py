"""A network whose derivation is a golden page."""

import numpy as np


def forward(X: "n d", w: "d", b: "", y: "n, data", lam: ""):
    r = X @ w + b - y
    return np.mean(r**2) + lam * np.sum(w**2)
