"""Attention whose backward pass recomputes the weights from the saved logarithms of their sums.

Source: T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré, "FlashAttention", NeurIPS (2022),
algorithm 4: P = exp(A − L) and D = rowsum(g ⊙ O), which is rowsum(P ⊙ dP).
Famous for getting wrong: D summed over the wrong axis; 1/√d forgotten where A is recomputed.
Hides: an upstream gradient at right angles to O makes D zero.
"""

import numpy as np

import gradproof as gp


def forward(Q: "T d", K: "S d", V: "S e", g: "T e, data"):
    A = Q @ K.T / np.sqrt(Q.shape[1])
    L = gp.logsumexp(A, axis=1, keepdims=True)
    P = np.exp(A - L)
    O = P @ V
    return np.sum(g * O)


def backward(Q, K, V, L, O, g):
    P = np.exp(Q @ K.T / np.sqrt(Q.shape[1]) - L)
    dV = P.T @ g
    D = np.sum(g * O, axis=1, keepdims=True)
    dA = P * (g @ V.T - D)
    dQ = dA @ K / np.sqrt(Q.shape[1])
    dK = dA.T @ Q / np.sqrt(Q.shape[1])
    return {"dV": dV, "dQ": dQ, "dK": dK}


def _keras(tf, Q, K, V, g):
    A = tf.matmul(Q, K, transpose_b=True) / Q.shape[1] ** 0.5
    O = tf.keras.activations.softmax(A) @ V
    return {"A": A, "O": O, "loss": tf.reduce_sum(g * O)}


def _torch(torch, Q, K, V, g):
    O = torch.nn.functional.scaled_dot_product_attention(Q, K, V)
    return {"O": O, "loss": (g * O).sum()}


def _jax(jax, Q, K, V, g):
    A = jax.lax.dot(Q, K.T) / Q.shape[1] ** 0.5
    L = jax.nn.logsumexp(A, axis=1, keepdims=True)
    O = jax.nn.softmax(A, axis=1) @ V
    return {"A": A, "L": L, "O": O, "loss": (g * O).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
