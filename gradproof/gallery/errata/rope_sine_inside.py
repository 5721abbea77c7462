"""A rotary embedding's gradient with the sine left outside of the rotation back.

Source: pull request 74716 of PaddlePaddle/Paddle (2025), which mends the backward kernel of
fused_rotary_position_embedding and says why its tests had passed; the right form: J. Su et al.,
"RoFormer", arXiv:2104.09864 (2021).
Wrong: dx = g ⊙ cos θ + turn back(g) ⊙ sin θ, where it is turn back(g ⊙ sin θ).
Hides: angles of which both halves are equal, as the paper's own are.
"""

import numpy as np


def forward(x: "n T 6", theta: "T 6, data", g: "n T 6, data"):
    c = np.cos(theta)
    s = np.sin(theta)
    turned = np.concatenate([-x[:, :, 3:], x[:, :, :3]], axis=2)
    y = x * c + turned * s
    return np.sum(g * y)


SAMPLES = {
    "both halves of the angles equal": {
        "x": "2 3 6",
        "theta": np.tile(np.array([[0.5, 0.25, 1.0], [1.0, 0.5, 2.0], [1.5, 0.75, 3.0]]), (1, 2)),
    }
}

BREAKS = {"x": "left behind"}


def backward(g, c, s):
    back = np.concatenate([g[:, :, 3:], -g[:, :, :3]], axis=2)
    dx = g * c + back * s
    return {"dx": dx}
