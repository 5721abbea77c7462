"""Scaled dot-product attention with a mask that is added to the scores.

Source: A. Vaswani et al., "Attention is all you need", NeurIPS (2017), equation 1; the backward
pass: T. Dao et al., "FlashAttention", NeurIPS (2022), appendix B.
Famous for getting wrong: softmax differentiated as if it acted on each element alone; 1/√d
forgotten in ∂l/∂Q or ∂l/∂K; ∂l/∂K without the transpose of dS.
Hides: as many queries as keys hide the transpose from the shapes.
"""

import numpy as np

import gradproof as gp


def forward(Q: "T d", K: "S d", V: "S e", M: "T S, data", g: "T e, data"):
    A = Q @ K.T / np.sqrt(Q.shape[1]) + M
    P = gp.softmax(A)
    O = P @ V
    return np.sum(g * O)


def backward(Q, K, V, P, g):
    dV = P.T @ g
    dP = g @ V.T
    dA = P * (dP - np.sum(P * dP, axis=1, keepdims=True))
    dQ = dA @ K / np.sqrt(Q.shape[1])
    dK = dA.T @ Q / np.sqrt(Q.shape[1])
    return locals()


def _keras(tf, Q, K, V, M, g):
    A = tf.matmul(Q, K, transpose_b=True) / Q.shape[1] ** 0.5 + M
    P = tf.keras.activations.softmax(A)
    O = P @ V
    return {"A": A, "P": P, "O": O, "loss": tf.reduce_sum(g * O)}


def _torch(torch, Q, K, V, M, g):
    O = torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=M)
    return {"O": O, "loss": (g * O).sum()}


def _jax(jax, Q, K, V, M, g):
    A = jax.lax.dot(Q, K.T) / Q.shape[1] ** 0.5 + M
    P = jax.nn.softmax(A, axis=1)
    O = P @ V
    return {"A": A, "P": P, "O": O, "loss": (g * O).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
