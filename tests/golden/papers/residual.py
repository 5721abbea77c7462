"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(x: "n d", W1: "d d", W2: "d d", c: "d"):
    h = gp.relu(x @ W1)
    r = x + h @ W2
    t = np.maximum(r, 0.1 * r)
    u = np.max(t, axis=1)
    f = x[0]
    return np.sum(u) + np.sum(f * c) + gp.logsumexp(c, axis=0)
