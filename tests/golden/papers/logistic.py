"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(x: "n d", w: "d", b: "", y: "n, data", A: "d d", m: "n, data"):
    z = x @ w + b
    p = gp.sigmoid(z)
    q = w @ A @ w
    e = -np.sum(m * (y * np.log(p) + (1 - y) * np.log(1 - p))) / np.sum(m)
    return e + 0.5 * q
