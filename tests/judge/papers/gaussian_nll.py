"""The negative log-likelihood of a Gaussian with a full covariance S = L Lᵀ + 1.

Source: K. B. Petersen and M. S. Pedersen, "The Matrix Cookbook" (2012), equations 57, 61 and 86.
Famous for getting wrong: n log|S| counted once; the sign of the second term of ∂l/∂S; both paths
through L in S, so that a factor 2 is lost.
Hides: a covariance of 1 hides both inverses.
"""

import numpy as np

import gradproof as gp


def forward(x: "n d", m: "d", L: "d d"):
    S = L @ L.T + np.eye(L.shape[0])
    V = np.linalg.inv(S)
    r = x - m
    q = np.sum((r @ V) * r)
    return 0.5 * (x.shape[0] * gp.logdet(S) + q)


def backward(x, L, S, V, r):
    dr = r @ V
    dx = dr
    dm = -dr.sum(axis=0)
    dS = 0.5 * (x.shape[0] * V - V @ r.T @ r @ V)
    dL = 2 * dS @ L
    return {"dx": dx, "dm": dm, "dL": dL, "dr": dr}
