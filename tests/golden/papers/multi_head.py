"""A network whose derivation is a golden page."""

import numpy as np

import gradproof as gp


def forward(x: "n d", Wq: "h d e", Wk: "h d e", Wv: "h d e", Wo: "h e d", y: "n d, data"):
    q = x @ Wq
    k = x @ Wk
    v = x @ Wv
    s = q @ k.transpose(0, 2, 1)
    p = gp.softmax(s, axis=-1)
    o = p @ v
    r = np.sum(o @ Wo, axis=0)
    return 0.5 * np.sum((r - y) ** 2)
