"""Softmax alone, with the product by its Jacobian and the Jacobian itself: diag(p) − p pᵀ.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 6.2.2.3.
Famous for getting wrong: p ⊙ (1 − p), which is only the Jacobian's diagonal.
Hides: an upstream gradient that is the same for all classes makes ∂l/∂z zero.
"""

import numpy as np

import gradproof as gp


def forward(z: "n 4", g: "n 4, data"):
    p = gp.softmax(z)
    return np.sum(g * p)


def backward(p, g):
    J = p[:, :, None] * (np.eye(4) - p[:, None, :])
    dz = np.sum(g[:, :, None] * J, axis=1)
    return {"dz": dz}


def _keras(tf, z, g):
    p = tf.keras.activations.softmax(z)
    return {"p": p, "loss": tf.reduce_sum(g * p)}


def _torch(torch, z, g):
    p = torch.nn.Softmax(dim=1)(z)
    return {"p": p, "loss": (g * p).sum()}


def _jax(jax, z, g):
    p = jax.nn.softmax(z, axis=1)
    return {"p": p, "loss": (g * p).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
