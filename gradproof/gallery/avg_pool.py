"""The mean of each window, and half the sum of squared errors.

Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86 (1998), the layers S2 and S4; J. Bouvrie, "Notes on convolutional neural
networks" (2006), section 3.2: the gradient is spread evenly over each window.
Famous for getting wrong: the gradient is repeated, but not divided by the number of elements.
Hides: with windows of one element there is nothing to divide by.
"""

import numpy as np

import gradproof as gp


def forward(x: "n 4 6 3", y: "n 2 3 3, data"):
    a = gp.avg_pool2d(x, 2)
    return 0.5 * np.sum((a - y) ** 2)


def backward(x, a, y):
    da = a - y
    dx = np.zeros(x.shape)
    for r in range(2):
        for s in range(2):
            dx[:, r::2, s::2] = da / 4
    return {"da": da, "dx": dx}


def _keras(tf, x, y):
    a = tf.keras.layers.AveragePooling2D(2)(x)
    return {"a": a, "loss": 0.5 * tf.reduce_sum((a - y) ** 2)}


def _torch(torch, x, y):
    """Samples are (n, channels, height, width)."""
    a = torch.nn.AvgPool2d(2)(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return {"a": a, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(a, y)}


def _jax(jax, x, y):
    window = (1, 2, 2, 1)
    a = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, window, "VALID") / 4
    return {"a": a, "loss": 0.5 * ((a - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
