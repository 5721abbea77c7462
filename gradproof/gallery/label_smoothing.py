"""Softmax and the cross-entropy with smoothed labels q = (1 − ε) y + ε/k.

Source: C. Szegedy et al., "Rethinking the inception architecture for computer vision", CVPR
(2016), section 7.
Famous for getting wrong: ε shared out over the k − 1 wrong classes in one place and over all k in
the other.
Hides: labels that are uniform already.
"""

import numpy as np

import gradproof as gp


def forward(z: "n k", y: "n k, probabilities, data"):
    q = 0.9 * y + 0.1 / z.shape[1]
    p = gp.softmax(z)
    return -np.sum(q * np.log(p)) / z.shape[0]


def backward(z, p, q):
    dz = (p - q) / z.shape[0]
    return locals()


def _keras(tf, z, y):
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    return {"p": tf.keras.activations.softmax(z), "loss": loss(y, z)}


def _torch(torch, z, y):
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    return {"p": torch.nn.Softmax(dim=1)(z), "loss": loss(z, y)}


def _jax(jax, z, y):
    q = 0.9 * y + 0.1 / z.shape[1]
    return {
        "p": jax.nn.softmax(z, axis=1),
        "loss": -(q * jax.nn.log_softmax(z, axis=1)).sum() / z.shape[0],
    }


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
