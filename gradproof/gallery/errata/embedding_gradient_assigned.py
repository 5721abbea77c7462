"""An embedding's gradient is added in place, where rows that stand twice keep only the last.

Source: issue 39 of HIPS/autograd (2015), on the gradient of ``x[[0, 0]]``, mended with
``np.add.at``; the same in issue 57 of karpathy/nn-zero-to-hero (2024), on a language model.
Wrong: dE[idx] += g; where idx names a row twice, only the last of its gradients is added.
Hides: integers of which none stands twice.
"""

import numpy as np


def forward(E: "7 d", idx: "n, index 7", g: "n d, data"):
    e = E[idx]
    return np.sum(g * e)


def backward(E, idx, g):
    dE = np.zeros_like(E)
    dE[idx] += g
    return {"dE": dE}


BREAKS = {"E": "assigned for added"}
SAMPLES = {"no integer stands twice": {"idx": np.array([5, 0, 3, 6])}}
