"""An affine map of a batch, with any upstream gradient.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 6.5.
Famous for getting wrong: a transpose in ∂l/∂W or ∂l/∂x; the bias's gradient not summed over the
samples.
Hides: one sample hides the sum; a symmetric W hides the transpose in ∂l/∂x.
"""

import numpy as np

from gradproof.gallery import layers


def forward(x: "n d", W: "d k", b: "k", g: "n k, data"):
    y = x @ W + b
    return np.sum(g * y)


def backward(x, W, g):
    dx = g @ W.T
    dW = x.T @ g
    db = g.sum(axis=0)
    return locals()


def _keras(tf, x, W, b, g):
    """A kernel is (in, out), as here."""
    y = layers.keras(tf.keras.layers.Dense(W.shape[1]), [W, b], x)
    return {"y": y, "loss": tf.reduce_sum(g * y)}


def _torch(torch, x, W, b, g):
    """A weight is (out, in): transposed here."""
    linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
    y = layers.torch(torch, linear, {"weight": W.T, "bias": b}, x)
    return {"y": y, "loss": (g * y).sum()}


def _jax(jax, x, W, b, g):
    y = jax.lax.dot(x, W) + b
    return {"y": y, "loss": (g * y).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
