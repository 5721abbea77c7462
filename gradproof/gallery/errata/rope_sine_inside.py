"""A rotary embedding's gradient with the sine left outside of the rotation back.

Source: the backward pass of rotary kernels in several public repositories, where ``dx = g·cos −
turn(g)·sin`` is used for angles whose halves differ; corrected as in J. Su et al., "RoFormer",
arXiv:2104.09864 (2021).
Wrong: dx = g ⊙ cos θ + turn back(g) ⊙ sin θ, where it is turn back(g ⊙ sin θ).
Hides: angles of which both halves are equal, as the paper's own are.
"""

import numpy as np

from gradproof.gallery.rope import forward

__all__ = ["backward", "forward"]

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
