"""Smooth activations, each with its derivative: σ, tanh, softplus, SiLU, and GELU in both forms.

Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415 (2016);
S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural network function
approximation", Neural Networks 107 (2018); I. Goodfellow, Y. Bengio and A. Courville, "Deep
Learning" (2016), section 3.10.
Famous for getting wrong: σ′ and tanh′ taken of the output where the input belongs; the second term
of a product z·f(z); the 3 that comes down from z³ in the GELU by tanh.
Hides: z near 0, where σ, Φ and their slopes hardly differ from a line.
"""

import numpy as np

import gradproof as gp


def forward(z: "n d", g: "6 n d, data"):
    s = gp.sigmoid(z)
    h = np.tanh(z)
    p = gp.softplus(z)
    w = gp.silu(z)
    e = gp.gelu(z)
    a = gp.gelu_tanh(z)
    return np.sum(g[0] * s + g[1] * h + g[2] * p + g[3] * w + g[4] * e + g[5] * a)


def backward(z, g, s, h):
    ds, dh, dp, dw, de, da = g
    sigmoid = ds * s * (1 - s)
    tanh = dh * (1 - h**2)
    softplus = dp * s
    silu = dw * s * (1 + z * (1 - s))
    Phi = (1 + gp.erf(z / np.sqrt(2))) / 2
    phi = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    gelu = de * (Phi + z * phi)
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    inside = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    gelu_tanh = da * (0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inside)
    dz = sigmoid + tanh + softplus + silu + gelu + gelu_tanh
    return {"ds": ds, "dh": dh, "dp": dp, "dw": dw, "de": de, "da": da, "dz": dz}


def _outputs(names, outputs, g):
    found = dict(zip(names, outputs, strict=True))
    return {**found, "loss": sum((g[k] * y).sum() for k, y in enumerate(outputs))}


NAMES = ("s", "h", "p", "w", "e", "a")


def _keras(tf, z, g):
    layer = tf.keras.activations
    outputs = [layer.sigmoid(z), layer.tanh(z), layer.softplus(z), layer.silu(z)]
    # Keras' own gelu has its constants in float32 whatever z is, and so has no float64.
    root, cubic = (tf.constant(c, z.dtype) for c in (np.sqrt(2 / np.pi), 0.044715))
    outputs.append(z * (1 + tf.math.erf(z / tf.sqrt(tf.constant(2, z.dtype)))) / 2)
    outputs.append(z * (1 + tf.tanh(root * (z + cubic * z**3))) / 2)
    loss = tf.add_n([tf.reduce_sum(g[k] * y) for k, y in enumerate(outputs)])
    return {**dict(zip(NAMES, outputs, strict=True)), "loss": loss}


def _torch(torch, z, g):
    layer = torch.nn.functional
    outputs = [torch.sigmoid(z), torch.tanh(z), layer.softplus(z), layer.silu(z)]
    return _outputs(NAMES, [*outputs, layer.gelu(z), layer.gelu(z, approximate="tanh")], g)


def _jax(jax, z, g):
    layer = jax.nn
    outputs = [layer.sigmoid(z), layer.tanh(z), layer.softplus(z), layer.silu(z)]
    outputs += [layer.gelu(z, approximate=False), layer.gelu(z, approximate=True)]
    return _outputs(NAMES, outputs, g)


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
