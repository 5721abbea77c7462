"""A network whose derivation is a golden page."""

import numpy as np


def forward(x: "n 6", w: "3", y: "n 4, data"):
    z = w[0] * x[:, 0:4] + w[1] * x[:, 1:5] + w[2] * x[:, 2:6]
    return 0.5 * np.sum((z - y) ** 2)
