"""An embedding: each integer picks a row of a table, which a linear layer reads.

Source: Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, "A neural probabilistic language model",
JMLR 3 (2003), section 2; as a product with one-hot rows in I. Goodfellow, Y. Bengio and A.
Courville, "Deep Learning" (2016), section 12.4.
Famous for getting wrong: the gradients of a row that was picked twice are assigned, and not added.
Hides: integers of which none stands twice.
"""

import numpy as np

from gradproof.gallery import layers


def forward(E: "7 d", idx: "n T, index 7", W: "d k", y: "n T k, data"):
    e = E[idx]
    z = e @ W
    return 0.5 * np.sum((z - y) ** 2)


def backward(E, idx, W, y, e, z):
    dz = z - y
    dW = np.einsum("ntd,ntk->dk", e, dz)
    de = dz @ W.T
    dE = np.zeros_like(E)
    np.add.at(dE, idx, de)
    return {"dz": dz, "dW": dW, "de": de, "dE": dE}


def _keras(tf, E, idx, W, y):
    e = layers.keras(tf.keras.layers.Embedding(*E.shape), [E], idx)
    z = layers.keras(tf.keras.layers.Dense(W.shape[1], use_bias=False), [W], e)
    return {"e": e, "z": z, "loss": tf.reduce_sum((z - y) ** 2) / 2}


def _torch(torch, E, idx, W, y):
    embedding = torch.nn.Embedding(*E.shape, dtype=E.dtype)
    e = layers.torch(torch, embedding, {"weight": E}, idx)
    z = torch.nn.functional.linear(e, W.T)
    return {"e": e, "z": z, "loss": ((z - y) ** 2).sum() / 2}


def _jax(jax, E, idx, W, y):
    e = jax.numpy.take(E, idx, axis=0)
    z = e @ W
    return {"e": e, "z": z, "loss": ((z - y) ** 2).sum() / 2}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
