"""A convolution with zeros around, a bias for each channel, and half the sum of squared errors.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 9.5; V. Dumoulin
and F. Visin, "A guide to convolution arithmetic for deep learning" (2016), section 4.
Famous for getting wrong: the kernel is not turned by 180 degrees where the gradient goes back to
the samples, or the zeros around it are as many as forward's.
Hides: a kernel that is the same when turned; a gradient of which only the mean is looked at.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers

view = np.lib.stride_tricks.sliding_window_view


def forward(x: "n 2 6 5", W: "3 2 3 3", b: "3", y: "n 3 6 5, data"):
    z = gp.conv2d(x, W, padding=1, layout="NCHW") + b[:, None, None]
    return 0.5 * np.sum((z - y) ** 2)


def backward(x, W, z, y):
    dz = z - y
    db = dz.sum(axis=(0, 2, 3))
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    dW = np.einsum("nohw,nchwrs->ocrs", dz, view(around, (3, 3), axis=(2, 3)))
    turned = np.flip(W, axis=(2, 3)).swapaxes(0, 1)
    dx = gp.conv2d(dz, turned, padding=3 - 1 - 1, layout="NCHW")
    return {"dz": dz, "db": db, "dW": dW, "dx": dx}


def _keras(tf, x, W, b, y):
    """Samples are (n, height, width, channels), the kernel (height, width, in, out)."""
    convolution = tf.keras.layers.Conv2D(3, 3, padding="same", data_format="channels_last")
    kernel, samples = tf.transpose(W, (2, 3, 1, 0)), tf.transpose(x, (0, 2, 3, 1))
    z = tf.transpose(layers.keras(convolution, [kernel, b], samples), (0, 3, 1, 2))
    return {"z": z, "loss": 0.5 * tf.reduce_sum((z - y) ** 2)}


def _torch(torch, x, W, b, y):
    """Everything lies as here."""
    convolution = torch.nn.Conv2d(2, 3, 3, padding=1, dtype=x.dtype)
    z = layers.torch(torch, convolution, {"weight": W, "bias": b}, x)
    return {"z": z, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(z, y)}


def _jax(jax, x, W, b, y):
    """Everything lies as here."""
    z = jax.lax.conv(x, W, window_strides=(1, 1), padding="SAME") + b[:, None, None]
    return {"z": z, "loss": 0.5 * ((z - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
