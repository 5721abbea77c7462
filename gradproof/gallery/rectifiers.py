"""Activations with a kink at 0: ReLU, leaky ReLU and ELU.

Source: X. Glorot, A. Bordes and Y. Bengio, "Deep sparse rectifier neural networks", AISTATS (2011);
A. Maas, A. Hannun and A. Ng, "Rectifier nonlinearities improve neural network acoustic models",
ICML workshop (2013); D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep
network learning by exponential linear units (ELUs)", ICLR (2016).
Famous for getting wrong: the slope of ELU below 0, which is α·eᶻ and not the value.
Hides: z that are all positive, where the three are one.
"""

import numpy as np

import gradproof as gp

SAMPLES = {
    "z near the kink, on both sides of it": {
        "z": 2.0**-14 * np.array([[-1.5, 1.25, 0.5], [0.75, -0.5, -1.25], [-1.0, 1.75, 0.25]])
    }
}


def forward(z: "n d", g: "3 n d, data"):
    r = gp.relu(z)
    k = gp.leaky_relu(z, 0.125)
    e = gp.elu(z, 1.0)
    return np.sum(g[0] * r + g[1] * k + g[2] * e)


def backward(z, g):
    dr, dk, de = g
    positive = z > 0
    relu = dr * positive
    leaky = dk * np.where(positive, 1, 0.125)
    elu = de * np.where(positive, 1, np.exp(z))
    dz = relu + leaky + elu
    return {"dr": dr, "dk": dk, "de": de, "dz": dz}


def _keras(tf, z, g):
    layer = tf.keras.activations
    r, k, e = layer.relu(z), layer.leaky_relu(z, negative_slope=0.125), layer.elu(z)
    return {"r": r, "k": k, "e": e, "loss": tf.reduce_sum(g[0] * r + g[1] * k + g[2] * e)}


def _torch(torch, z, g):
    layer = torch.nn.functional
    r, k, e = torch.relu(z), layer.leaky_relu(z, 0.125), layer.elu(z)
    return {"r": r, "k": k, "e": e, "loss": (g[0] * r + g[1] * k + g[2] * e).sum()}


def _jax(jax, z, g):
    r, k, e = jax.nn.relu(z), jax.nn.leaky_relu(z, 0.125), jax.nn.elu(z)
    return {"r": r, "k": k, "e": e, "loss": (g[0] * r + g[1] * k + g[2] * e).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
