"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(q: "n d", k: "m d", v: "m e", y: "n e, data"):
    s = q @ k.T / np.sqrt(q.shape[1])
    p = gp.softmax(s, axis=1)
    o = p @ v
    return 0.5 * np.sum((o - y) ** 2)
