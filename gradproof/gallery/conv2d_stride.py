"""A convolution with a stride, written back by loops over the kernel.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 9.5, where
they are called c(K, V, s) for the convolution, and g(G, V, s) and h(K, G, s) for its gradients.
Famous for getting wrong: the stride is left out on the way back, or the rows that the padding added
are not cut off where they were put on.
Hides: stride 1 and no padding; a loss for which all elements of dz are equal.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers


def forward(x: "n 7 8 2", W: "3 3 2 4", b: "4", y: "n 4 4 4, data"):
    z = gp.conv2d(x, W, stride=2, padding=1) + b
    return 0.5 * np.sum((z - y) ** 2)


def backward(x, W, z, y):
    dz = z - y
    db = dz.sum(axis=(0, 1, 2))
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    daround, dW = np.zeros(around.shape), np.zeros(W.shape)
    rows, columns = dz.shape[1:3]
    for r in range(3):
        for s in range(3):
            there = slice(r, r + 2 * rows - 1, 2), slice(s, s + 2 * columns - 1, 2)
            dW[r, s] = np.einsum("nijc,nijo->co", around[:, *there], dz)
            daround[:, *there] += dz @ W[r, s].T
    dx = daround[:, 1:-1, 1:-1]
    return {"dz": dz, "db": db, "dW": dW, "dx": dx}


def _keras(tf, x, W, b, y):
    """Everything lies as here; the zeros around are a layer of their own."""
    around = tf.keras.layers.ZeroPadding2D(1)(x)
    convolution = tf.keras.layers.Conv2D(4, 3, strides=2)
    z = layers.keras(convolution, [W, b], around)
    return {"z": z, "loss": 0.5 * tf.reduce_sum((z - y) ** 2)}


def _torch(torch, x, W, b, y):
    """Samples are (n, channels, height, width), the kernel (out, in, height, width)."""
    convolution = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1, dtype=x.dtype)
    weights = {"weight": W.permute(3, 2, 0, 1), "bias": b}
    z = layers.torch(torch, convolution, weights, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return {"z": z, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(z, y)}


def _jax(jax, x, W, b, y):
    """Everything lies as here, once that is said."""
    ends, order = ((1, 1), (1, 1)), ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(x, W, (2, 2), ends, dimension_numbers=order) + b
    return {"z": z, "loss": 0.5 * ((z - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
