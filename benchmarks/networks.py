"""Small networks on which every mistake is made; each has what a kind of mistake needs."""

import numpy as np

import gradproof as gp


def square(x: "n 4", W1: "4 4", W2: "4 4", W3: "4 4", y: "n 4, data"):
    z1 = x @ W1
    a1 = np.tanh(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    z3 = a2 @ W3
    return 0.5 * np.sum((z3 - y) ** 2)


def twice_used(x: "n 3", W1: "3 4", W2: "4 4", W3: "4 2", b: "4", y: "n 2, data"):
    z1 = x @ W1 + b
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    r = a1 + a2
    p = r @ W3
    return np.sum((p - y) ** 2)


def cross_entropy(x: "n d", W1: "d h", b1: "h", W2: "h k", b2: "k", y: "n k, probabilities, data"):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    p = gp.softmax(z2)
    return -np.sum(y * np.log(p)) / x.shape[0]


def recurrent(x: "n 3 d", U: "d h", V: "h h", b: "h", w: "h k", y: "n k, data"):
    h = np.tanh(x[:, 0] @ U + b)
    hs = [h]
    for t in range(1, 3):
        h = np.tanh(x[:, t] @ U + h @ V + b)
        hs.append(h)
    o = h @ w
    return 0.5 * np.sum((o - y) ** 2)


def layer_norm(x: "n d", W: "d h", g: "h", b: "h", y: "n h, data"):
    z = x @ W
    m = np.mean(z, axis=1, keepdims=True)
    c = z - m
    v = np.mean(c**2, axis=1, keepdims=True)
    s = np.sqrt(v + 1e-3)
    u = c / s
    o = u * g + b
    return 0.5 * np.sum((o - y) ** 2)


def mean_loss(x: "n 3", W1: "3 4", b1: "4", W2: "4 2", y: "n 2, data"):
    z1 = x @ W1 + b1
    a1 = gp.relu(z1)
    o = a1 @ W2
    return np.mean((o - y) ** 2)


NETWORKS = {
    "square layers": square,
    "value used twice": twice_used,
    "softmax and cross-entropy": cross_entropy,
    "recurrent, 3 steps": recurrent,
    "layer norm": layer_norm,
    "mean over the batch, relu": mean_loss,
}
