"""A Gaussian's negative log-likelihood with a full covariance S = L Lᵀ + 1, up to its constant.

Source: K. B. Petersen and M. S. Pedersen, "The Matrix Cookbook" (2012), equations 57, 61 and 86.
Famous for getting wrong: n log|S| counted once; the sign of the second term of ∂l/∂S; one of the
two paths through L in S left out, and with it a factor of 2.
Hides: a covariance of 1 hides both inverses; one sample hides the n.
"""

import math

import numpy as np

import gradproof as gp

Id = np.eye(3)


def forward(x: "n 3", m: "3", L: "3 3"):
    S = L @ L.T + Id  # the 1 keeps S away from singular matrices, whatever L is
    V = np.linalg.inv(S)
    r = x - m
    q = np.sum((r @ V) * r)
    return 0.5 * (x.shape[0] * gp.logdet(S) + q)


def backward(x, L, V, r):
    dr = r @ V
    dx = dr
    dm = -dr.sum(axis=0)
    dS = 0.5 * (x.shape[0] * V - V @ r.T @ r @ V)
    dL = 2 * dS @ L
    return {"dr": dr, "dx": dx, "dm": dm, "dS": dS, "dL": dL}


CONSTANT = 1.5 * math.log(2 * math.pi)
"""What a sample's negative log-likelihood has besides: ½ d log 2π."""


def _tensorflow(tf, x, m, L):
    """By Cholesky's factor of the covariance, of which the determinant is a product."""
    S = L @ tf.transpose(L) + tf.eye(3, dtype=L.dtype)
    C = tf.linalg.cholesky(S)
    white = tf.linalg.triangular_solve(C, tf.transpose(x - m))
    half = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(C)))
    return {"S": S, "loss": x.shape[0] * half + 0.5 * tf.reduce_sum(white**2)}


def _torch(torch, x, m, L):
    S = L @ L.T + torch.eye(3, dtype=L.dtype)
    normal = torch.distributions.MultivariateNormal(m, covariance_matrix=S)
    return {"S": S, "loss": -(normal.log_prob(x) + CONSTANT).sum()}


def _jax(jax, x, m, L):
    S = L @ L.T + jax.numpy.eye(3, dtype=L.dtype)
    log_density = jax.scipy.stats.multivariate_normal.logpdf(x, m, S)
    return {"S": S, "loss": -(log_density + CONSTANT).sum()}


NATIVE = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}
