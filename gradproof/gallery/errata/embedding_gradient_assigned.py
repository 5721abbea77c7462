"""An embedding's gradient is assigned to the rows that were picked, where it must be added.

Source: backward passes of embeddings written with ``dW[idx] = dout``, as in the first edition of
K. Saitoh, "Deep Learning from Scratch 2: natural language processing" (2018), section 4.1, which
shows the mistake and mends it with ``np.add.at``.
Wrong: dE[idx] = de; where idx names a row twice, only the last of its gradients is left.
Hides: integers of which none stands twice.
"""

import numpy as np

__all__ = ["backward", "forward"]


def forward(E: "7 d", idx: "n, index 7", g: "n d, data"):
    e = E[idx]
    return np.sum(g * e)


def backward(E, idx, g):
    dE = np.zeros_like(E)
    dE[idx] = g
    return {"dE": dE}


BREAKS = {"E": "assigned for added"}
SAMPLES = {"no integer stands twice": {"idx": np.array([5, 0, 3, 6])}}
