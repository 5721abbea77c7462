"""Small networks that between them use every operation of the language."""

import numpy as np

import gradproof as gp


def rnn(xs: "3 n 3", h: "n 4", W: "3 4", U: "4 4", b: "4", y: "n 4, data"):
    for k in range(3):
        h = np.tanh(xs[k] @ W + h @ U + b)
    return 0.5 * np.sum((h - y) ** 2)


def layer_norm(x: "n d", gain: "d", shift: "d", y: "n d, data"):
    mean = x.mean(axis=-1, keepdims=True)
    centred = x - mean
    variance = (centred**2).mean(axis=-1, keepdims=True)
    out = centred / np.sqrt(variance + 1e-5) * gain + shift
    return np.sum((out - y) ** 2)


def attention(q: "n d", k: "m d", v: "m d", y: "n d, data"):
    scores = q @ k.T / np.sqrt(q.shape[1])
    weights = gp.softmax(scores)
    out = weights @ v
    return 0.5 * np.sum((out - y) ** 2)


def softmax_cross_entropy(x: "n d", W: "d k", y: "n k, data"):
    z = x @ W
    p = gp.softmax(z)
    return -np.sum(y * np.log(p)) / x.shape[0]


def logsumexp_cross_entropy(x: "n d", W: "d k", y: "n k, data"):
    z = x @ W
    log_total = gp.logsumexp(z, axis=1)
    return np.sum(log_total**2) - np.sum(y * z)


def relu_net(x: "n 3", W1: "3 5", b1: "5", W2: "5 2", y: "n 2, data"):
    z1 = x @ W1 + b1
    a1 = gp.relu(z1)
    z2 = a1 @ W2
    return np.sum(np.abs(z2 - y)) / x.shape[0]


def used_twice(x: "n d", W: "d d"):
    s = gp.sigmoid(x @ W)
    t = s @ W.T
    return np.sum(s * t + t * gp.sigmoid.derivative(s))


def slicing(x: "4 3", w: "3"):
    first = x[0] * w
    rest = x[1:, :2]
    return np.sum(first[1:] * rest[-1]) + np.sum(rest[:, 0] ** 2) + np.sum(x[:, None, 2] ** 3)


def where(x: "n d", y: "n d"):
    z = np.where(x > y, x * y, x - 2 * y)
    return np.sum(z**2)


def spread(x: "n d"):
    mean = x.mean(axis=0)
    variance = ((x - mean) ** 2).mean(axis=0)
    return np.sum(variance**2 + mean**3 / 3)


def extremes(x: "n d", y: "n d"):
    top = x.max(axis=1)
    upper = np.maximum(x, y)
    lower = np.minimum(x * y, 0.5)
    return np.sum(top**2) + np.sum(upper**3) + np.sum(lower**2)


def powers(x: "n d, positive", y: "n d, positive"):
    z = x**1.5 / y + y**-2
    return np.sum(z * np.sqrt(x)) + np.sum(np.exp(-(z**2)) * np.log(y))


def heads(x: "n d 6", W: "6 6", u: "n d 6, data"):
    q = x @ W
    split = q.reshape(x.shape[0], x.shape[1], 2, 3)
    scores = np.einsum("nthd,nshd->nhts", split, split)
    joined = np.einsum("nhts,nshd->nthd", scores, split).reshape(q.shape)
    return np.sum(u * joined)


def arranged(x: "n 2 6", y: "n 2 2", A: "3 3", u: "n 16, data"):
    wide = np.concatenate([np.tanh(x), y], axis=2)
    flat = wide.reshape(x.shape[0], -1)
    both = np.stack([flat, flat**2], axis=1)
    first, last = np.split(x, 2, axis=-1)
    turned = np.moveaxis(first @ A, 1, 2) * np.swapaxes(last, 1, 2)
    loss = np.sum(u * both[:, 0] * both[:, 1]) + np.sum(turned)
    return loss + np.sum(A.reshape(9)[2:5] ** 2)


NETWORKS = (
    rnn,
    layer_norm,
    attention,
    softmax_cross_entropy,
    logsumexp_cross_entropy,
    relu_net,
    used_twice,
    slicing,
    where,
    spread,
    extremes,
    powers,
    heads,
    arranged,
)
