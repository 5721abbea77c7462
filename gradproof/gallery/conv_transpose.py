"""A transposed convolution: every element of the samples spreads the kernel.

Source: M. D. Zeiler, D. Krishnan, G. W. Taylor and R. Fergus, "Deconvolutional networks" (2010);
V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016), section 4.
Famous for getting wrong: the gradient of the samples is taken for a transposed convolution again;
it is the plain one, with the same stride.
Hides: stride 1 with a kernel that is the same when turned and swapped.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers

view = np.lib.stride_tricks.sliding_window_view


def forward(x: "n 4 3 3", W: "3 3 2 3", b: "2", y: "n 7 5 2, data"):
    z = gp.conv_transpose2d(x, W, stride=2, padding=1) + b
    return 0.5 * np.sum((z - y) ** 2)


def backward(x, W, z, y):
    dz = z - y
    db = dz.sum(axis=(0, 1, 2))
    dx = gp.conv2d(dz, W, stride=2, padding=1)
    around = np.pad(dz, ((0, 0), (1, 1), (1, 1), (0, 0)))
    there = view(around, (3, 3), axis=(1, 2))[:, ::2, ::2]
    dW = np.einsum("nijc,nijors->rsoc", x, there)
    return {"dz": dz, "db": db, "dW": dW, "dx": dx}


def _keras(tf, x, W, b, y):
    """Everything lies as here; what the padding cuts off is cut off by a layer of its own."""
    transposed = tf.keras.layers.Conv2DTranspose(2, 3, strides=2)
    spread = layers.keras(transposed, [W, b], x)
    z = tf.keras.layers.Cropping2D(1)(spread)
    return {"z": z, "loss": 0.5 * tf.reduce_sum((z - y) ** 2)}


def _torch(torch, x, W, b, y):
    """Samples are (n, channels, height, width), the kernel (in, out, height, width)."""
    transposed = torch.nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, dtype=x.dtype)
    weights = {"weight": W.permute(3, 2, 0, 1), "bias": b}
    z = layers.torch(torch, transposed, weights, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return {"z": z, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(z, y)}


def _jax(jax, x, W, b, y):
    """Zeros are put around the samples, once these are spread: the kernel's length less 1, less
    what is cut off."""
    z = jax.lax.conv_transpose(
        x,
        W,
        (2, 2),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        transpose_kernel=True,
    )
    z = z + b
    return {"z": z, "loss": 0.5 * ((z - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
