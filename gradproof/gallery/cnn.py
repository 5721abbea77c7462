"""A small convolutional network: convolution, sigmoid, means of windows, and a dense layer.

Source: J. Bouvrie, "Notes on convolutional neural networks" (2006), for convolution, sigmoid and
means; Y. LeCun and others, "Backpropagation applied to handwritten zip code recognition", Neural
Computation 1 (1989).
Famous for getting wrong: the gradient of the flattened means is put back in another order of axes;
the mean's division is forgotten; the kernel's gradient is summed over the samples only.
Hides: one channel, with maps that are as high as they are wide; one sample.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers

view = np.lib.stride_tricks.sliding_window_view


def forward(x: "n 6 8 2", K: "3 3 2 3", c: "3", W: "18 4", b: "4", y: "n 4, data"):
    z1 = gp.conv2d(x, K) + c
    a1 = gp.sigmoid(z1)
    p = gp.avg_pool2d(a1, 2)
    f = p.reshape(-1, 18)
    z2 = f @ W + b
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)


def backward(x, K, W, y, a1, p, f, a2):
    da2 = a2 - y
    dz2 = da2 * a2 * (1 - a2)
    dW = f.T @ dz2
    db = dz2.sum(axis=0)
    df = dz2 @ W.T
    dp = df.reshape(p.shape)
    da1 = np.zeros(a1.shape)
    for r in range(2):
        for s in range(2):
            da1[:, r::2, s::2] = dp / 4
    dz1 = da1 * a1 * (1 - a1)
    dK = np.einsum("nijo,nijcrs->rsco", dz1, view(x, (3, 3), axis=(1, 2)))
    dc = dz1.sum(axis=(0, 1, 2))
    turned = np.flip(K, axis=(0, 1)).swapaxes(2, 3)
    dx = gp.conv2d(dz1, turned, padding=2)
    return locals()


def _keras(tf, x, K, c, W, b, y):
    """Everything lies as here."""
    convolution = tf.keras.layers.Conv2D(3, 3, activation="sigmoid")
    a1 = layers.keras(convolution, [K, c], x)
    p = tf.keras.layers.AveragePooling2D(2)(a1)
    f = tf.keras.layers.Flatten()(p)
    a2 = layers.keras(tf.keras.layers.Dense(4, activation="sigmoid"), [W, b], f)
    values = {"a1": a1, "p": p, "f": f, "a2": a2}
    return {**values, "loss": 0.5 * tf.reduce_sum((a2 - y) ** 2)}


def _torch(torch, x, K, c, W, b, y):
    """Samples are (n, channels, height, width), kernels (out, in, height, width), a weight is
    (out, in): transposed here. What is flattened is turned back before, so that the rows of W
    stand in the same order."""
    convolution = torch.nn.Conv2d(2, 3, 3, dtype=x.dtype)
    weights = {"weight": K.permute(3, 2, 0, 1), "bias": c}
    z1 = layers.torch(torch, convolution, weights, x.permute(0, 3, 1, 2))
    a1 = torch.nn.Sigmoid()(z1)
    p = torch.nn.AvgPool2d(2)(a1).permute(0, 2, 3, 1)
    f = torch.nn.Flatten()(p)
    linear = torch.nn.Linear(18, 4, dtype=x.dtype)
    z2 = layers.torch(torch, linear, {"weight": W.T, "bias": b}, f)
    a2 = torch.nn.Sigmoid()(z2)
    values = {"z1": z1.permute(0, 2, 3, 1), "a1": a1.permute(0, 2, 3, 1), "p": p, "f": f}
    loss = 0.5 * torch.nn.MSELoss(reduction="sum")(a2, y)
    return {**values, "z2": z2, "a2": a2, "loss": loss}


def _jax(jax, x, K, c, W, b, y):
    """Everything lies as here, once that is said."""
    order, window = ("NHWC", "HWIO", "NHWC"), (1, 2, 2, 1)
    z1 = jax.lax.conv_general_dilated(x, K, (1, 1), "VALID", dimension_numbers=order) + c
    a1 = jax.nn.sigmoid(z1)
    p = jax.lax.reduce_window(a1, 0.0, jax.lax.add, window, window, "VALID") / 4
    f = p.reshape(p.shape[0], -1)
    z2 = f @ W + b
    a2 = jax.nn.sigmoid(z2)
    values = {"z1": z1, "a1": a1, "p": p, "f": f, "z2": z2, "a2": a2}
    return {**values, "loss": 0.5 * ((a2 - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
