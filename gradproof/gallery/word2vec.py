"""Skip-gram with negative sampling, for one word, its neighbour and K words drawn at random.

Source: T. Mikolov et al., "Distributed representations of words and phrases", NeurIPS (2013),
equation 4; the gradients: X. Rong, "word2vec parameter learning explained", arXiv:1411.2738 (2014).
Famous for getting wrong: the sign of the negative samples' term.
Hides: vectors at right angles, where σ is ½ either way.
"""

import numpy as np

import gradproof as gp


def forward(v: "d", u: "d", U: "K d"):
    s = gp.sigmoid(u @ v)
    r = gp.sigmoid(-(U @ v))
    return -np.log(s) - np.sum(np.log(r))


def backward(v, u, U):
    s = gp.sigmoid(u @ v)
    r = gp.sigmoid(U @ v)
    dv = (s - 1) * u + r @ U
    du = (s - 1) * v
    dU = r[:, None] * v
    return {"dv": dv, "du": du, "dU": dU}
