"""Rotary position embedding: the two halves of every vector turn by angles that grow with position.

Source: J. Su, Y. Lu, S. Pan, A. Murtadha, B. Wen and Y. Liu, "RoFormer: enhanced transformer with
rotary position embedding", arXiv:2104.09864 (2021), section 3.2, in the layout of two halves.
Famous for getting wrong: the gradient turned the same way as the values; sin taken inside the
rotation, where halves of the sine that differ are swapped.
Hides: angles of which both halves are equal hide where the sine stands; position 0 turns nothing.
"""

import numpy as np


def forward(x: "n T 6", theta: "T 6, data", g: "n T 6, data"):
    c = np.cos(theta)
    s = np.sin(theta)
    turned = np.concatenate([-x[:, :, 3:], x[:, :, :3]], axis=2)
    y = x * c + turned * s
    return np.sum(g * y)


def backward(g, c, s):
    dturned = g * s
    back = np.concatenate([dturned[:, :, 3:], -dturned[:, :, :3]], axis=2)
    dx = g * c + back
    return {"dturned": dturned, "dx": dx}
