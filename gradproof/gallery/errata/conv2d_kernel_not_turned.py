"""A convolution's gradient slides over the kernel as it is, not turned by 180 degrees.

Source: nntrainer's Conv2d, whose issue 705 (2020) has the missing turn among what was mended in its
backward pass. A learner's question (community.deeplearning.ai, thread 121204, 2022) tells why such
a mistake passes: the course's test compares the mean of the gradient alone, which is the same. The
right form: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 9.5.
Wrong: dx = pad(dz, 2) ⋆ W, where it is pad(dz, 2) ⋆ rot180(W).
Hides: a kernel that is the same when it is turned; a gradient of which only the mean is compared.
"""

import numpy as np

import gradproof as gp


def forward(x: "n 2 5 6", W: "3 2 3 3", b: "3", y: "n 3 3 4, data"):
    z = gp.conv2d(x, W, layout="NCHW") + b[:, None, None]
    return 0.5 * np.sum((z - y) ** 2)


def backward(W, z, y):
    dz = z - y
    db = dz.sum(axis=(0, 2, 3))
    dx = gp.conv2d(dz, W.swapaxes(0, 1), padding=2, layout="NCHW")
    return locals()


BLUR = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
BREAKS = {"x": "kernel not turned"}
SAMPLES = {
    "kernels that are the same when they are turned": {
        "W": BLUR * np.array([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.25]])[:, :, None, None]
    }
}
