"""The largest element of each window, and half the sum of squared errors.

Source: D. Scherer, A. Müller and S. Behnke, "Evaluation of pooling operations in convolutional
architectures for object recognition", ICANN 2010: the gradient goes to the largest element only.
Famous for getting wrong: the gradient is spread over the window, as that of a mean is.
Hides: with windows of one element, or of equal ones: where two are the largest, engines choose in
their own ways, and no choice is wrong.
"""

import numpy as np

import gradproof as gp


def forward(x: "n 6 4 3", y: "n 3 2 3, data"):
    a = gp.max_pool2d(x, 2)
    return 0.5 * np.sum((a - y) ** 2)


def backward(x, a, y):
    da = a - y
    dx = np.zeros(x.shape)
    for r in range(2):
        for s in range(2):
            dx[:, r::2, s::2] = da * (x[:, r::2, s::2] == a)
    return {"da": da, "dx": dx}


def _keras(tf, x, y):
    a = tf.keras.layers.MaxPooling2D(2)(x)
    return {"a": a, "loss": 0.5 * tf.reduce_sum((a - y) ** 2)}


def _torch(torch, x, y):
    """Samples are (n, channels, height, width)."""
    a = torch.nn.MaxPool2d(2)(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return {"a": a, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(a, y)}


def _jax(jax, x, y):
    window = (1, 2, 2, 1)
    a = jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, window, window, "VALID")
    return {"a": a, "loss": 0.5 * ((a - y) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
