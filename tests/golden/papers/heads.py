"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(q: "h n d", k: "h m d", v: "h m e", y: "h n e, data"):
    s = q @ k.transpose(0, 2, 1)
    p = gp.softmax(s, axis=2)
    o = p @ v
    return 0.5 * np.sum((o - y) ** 2)
