"""InfoNCE between two views of n samples, each vector divided by its length, at temperature ½.

Source: A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive predictive
coding", arXiv:1807.03748 (2018); with unit vectors as in T. Chen et al., "SimCLR", ICML (2020).
Famous for getting wrong: the part along u that dividing by the length takes away.
Hides: with one sample the loss is zero, and all gradients are.
"""

import numpy as np

import gradproof as gp


def forward(x: "n d", y: "n d"):
    rx = np.sqrt(np.sum(x**2, axis=1, keepdims=True))
    ry = np.sqrt(np.sum(y**2, axis=1, keepdims=True))
    u = x / rx
    w = y / ry
    S = u @ w.T / 0.5
    same = np.sum(u * w, axis=1) / 0.5
    return np.mean(gp.logsumexp(S, axis=1) - same)


def backward(x, rx, ry, u, w, S):
    n = x.shape[0]
    P = gp.softmax(S, axis=1)
    du = (P @ w - w) / (n * 0.5)
    dw = (P.T @ u - u) / (n * 0.5)
    dx = (du - u * np.sum(du * u, axis=1, keepdims=True)) / rx
    dy = (dw - w * np.sum(dw * w, axis=1, keepdims=True)) / ry
    return {"du": du, "dw": dw, "dx": dx, "dy": dy}
