"""Least squares: half the sum, and the mean, of the squared errors of one linear map.

Source: C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), section 3.1.
Famous for getting wrong: 2 or ½; a mean over the samples where it is over all elements.
Hides: one sample and one output hide what the mean is over.
"""

import numpy as np


def forward(x: "n d", W: "d k", y: "n k, data"):
    a = x @ W
    half_sum = 0.5 * np.sum((a - y) ** 2)
    mean = np.mean((a - y) ** 2)
    return half_sum + mean


def backward(x, W, a, y):
    n, k = y.shape
    da = (a - y) + 2 * (a - y) / (n * k)
    dW = x.T @ da
    dx = da @ W.T
    return {"da": da, "dW": dW, "dx": dx}


def _keras(tf, x, W, y):
    a = x @ W
    mean = tf.keras.losses.MeanSquaredError()(y, a)
    return {"a": a, "mean": mean, "loss": 0.5 * tf.reduce_sum((a - y) ** 2) + mean}


def _torch(torch, x, W, y):
    a = x @ W
    mean, total = torch.nn.MSELoss()(a, y), torch.nn.MSELoss(reduction="sum")(a, y)
    return {"a": a, "mean": mean, "loss": total / 2 + mean}


NATIVE = {"tensorflow": _keras, "torch": _torch}
