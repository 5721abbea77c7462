"""Functions with hand-written backward passes, right and wrong ones, for every framework.

The arithmetic is written once over a small namespace (`Functions`), and each framework's own way of
attaching a backward pass is used: `torch.autograd.Function`, `jax.custom_vjp`,
`tf.custom_gradient`, and a pullback for NumPy. A wrong version differs in one line, which the
backward pass takes when it is called with that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradproof as gp
from gradproof.engines.engine import load


@dataclass(frozen=True)
class Functions:
    """What a framework calls things."""

    exp: Callable
    log: Callable
    tanh: Callable
    sin: Callable
    cos: Callable
    sqrt: Callable
    sum: Callable
    mean: Callable
    max: Callable
    concatenate: Callable
    zeros_like: Callable
    T: Callable
    take: Callable
    scatter_add: Callable
    gather_set: Callable

    def sigmoid(self, z):
        return 1 / (1 + self.exp(-z))


@dataclass(frozen=True)
class Written:
    """A function: its paper, both passes, and which gradients each wrong version gets wrong."""

    paper: Callable
    forward: Callable
    backward: Callable
    wrong: Mapping[str, tuple[str, ...]]


# --- linear ---------------------------------------------------------------------------------------


def linear_paper(x: "n d", W: "d k", b: "k"):
    return x @ W + b


def linear_forward(xp, x, W, b):
    return x @ W + b, (x, W)


def linear_backward(xp, saved, g, wrong=""):
    x, W = saved
    dx, dW, db = g @ xp.T(W), xp.T(x) @ g, xp.sum(g, axis=0)
    if wrong == "the mean over the batch":
        dW = dW / x.shape[0]
    if wrong == "the bias' mean":
        db = xp.mean(g, axis=0)
    if wrong == "a sign":
        dx = -dx
    if wrong == "half":
        dW = 0.5 * dW
    if wrong == "the first sample's bias":
        db = g[0]
    if wrong == "zero":
        dx = xp.zeros_like(x)
    if wrong == "no upstream":
        db = 0 * db + x.shape[0]
    return dx, dW, db


# --- layer norm -----------------------------------------------------------------------------------


def layer_norm_paper(x: "n d", gamma: "d", beta: "d"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    u = (x - m) / np.sqrt(v + 1e-5)
    return gamma * u + beta


def layer_norm_forward(xp, x, gamma, beta):
    m = xp.mean(x, axis=1, keepdims=True)
    r = 1 / xp.sqrt(xp.mean((x - m) * (x - m), axis=1, keepdims=True) + 1e-5)
    u = (x - m) * r
    return gamma * u + beta, (u, r, gamma)


def layer_norm_backward(xp, saved, g, wrong=""):
    u, r, gamma = saved
    du = g * gamma
    dgamma, dbeta = xp.sum(g * u, axis=0), xp.sum(g, axis=0)
    along = xp.mean(du * u, axis=1, keepdims=True)
    centre = xp.mean(du, axis=1, keepdims=True)
    if wrong == "gamma forgotten":
        dx = (g - xp.mean(g, axis=1, keepdims=True) - u * along) * r
    elif wrong == "no path through the variance":
        dx = (du - centre) * r
    elif wrong == "no path through the mean":
        dx = (du - u * along) * r
    elif wrong == "a sum for a mean":
        dx = (du - centre - u * xp.sum(du * u, axis=1, keepdims=True)) * r
    elif wrong == "statistics constant":
        dx = du * r
    elif wrong == "divided twice":
        dx = (du - centre - u * along) * r * r
    else:
        dx = (du - centre - u * along) * r
    if wrong == "gamma without the normalised value":
        dgamma = xp.sum(g, axis=0)
    return dx, dgamma, dbeta


# --- RMS norm -------------------------------------------------------------------------------------


def rms_norm_paper(x: "n d", w: "d"):
    r = np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-5)
    return x / r * w


def rms_norm_forward(xp, x, w):
    r = 1 / xp.sqrt(xp.mean(x * x, axis=1, keepdims=True) + 1e-5)
    return x * r * w, (x, w, r)


def rms_norm_backward(xp, saved, g, wrong=""):
    x, w, r = saved
    u, du = x * r, g * w
    if wrong == "the weight outside":
        dx = (g - u * xp.mean(g * u, axis=1, keepdims=True)) * r * w
    elif wrong == "a sum for a mean":
        dx = (du - u * xp.sum(du * u, axis=1, keepdims=True)) * r
    elif wrong == "x for u":
        dx = (du - x * xp.mean(du * u, axis=1, keepdims=True)) * r
    elif wrong == "r constant":
        dx = du * r
    elif wrong == "a plus":
        dx = (du + u * xp.mean(du * u, axis=1, keepdims=True)) * r
    else:
        dx = (du - u * xp.mean(du * u, axis=1, keepdims=True)) * r
    dw = xp.sum(g * u, axis=0)
    if wrong == "the weight's mean":
        dw = xp.mean(g * u, axis=0)
    if wrong == "the weight from x":
        dw = xp.sum(g * x, axis=0)
    return dx, dw


# --- SwiGLU ---------------------------------------------------------------------------------------


def swiglu_paper(x: "n d", Wg: "d f", Wu: "d f"):
    a = x @ Wg
    u = x @ Wu
    return a * gp.sigmoid(a) * u


def swiglu_forward(xp, x, Wg, Wu):
    a, u = x @ Wg, x @ Wu
    return a * xp.sigmoid(a) * u, (x, Wg, Wu, a, u)


def swiglu_backward(xp, saved, g, wrong=""):
    x, Wg, Wu, a, u = saved
    s = xp.sigmoid(a)
    da, du = g * u * s * (1 + a * (1 - s)), g * a * s
    if wrong == "the sigmoid alone":
        da = g * u * s
    if wrong == "sigma of sigma":
        da = g * u * (s + a * xp.sigmoid(s) * (1 - xp.sigmoid(s)))
    if wrong == "branches swapped":
        da, du = du, da
    if wrong == "silu forgotten":
        du = g * s
    dx = da @ xp.T(Wg) + du @ xp.T(Wu)
    if wrong == "one path":
        dx = da @ xp.T(Wg)
    if wrong == "weights swapped":
        dx = da @ xp.T(Wu) + du @ xp.T(Wg)
    return dx, xp.T(x) @ da, xp.T(x) @ du


# --- softmax and cross-entropy, fused -------------------------------------------------------------


def cross_entropy_paper(z: "n k", y: "n k, probabilities, data"):
    return np.sum(y * (gp.logsumexp(z, axis=1)[:, None] - z)) / z.shape[0]


def cross_entropy_forward(xp, z, y):
    shifted = z - xp.max(z, axis=1, keepdims=True)
    e = xp.exp(shifted)
    s = xp.sum(e, axis=1, keepdims=True)
    return xp.sum(y * (xp.log(s) - shifted)) / z.shape[0], (e / s, y)


def cross_entropy_backward(xp, saved, g, wrong=""):
    p, y = saved
    n = p.shape[0]
    dz = g * (p - y) / n
    if wrong == "1/n forgotten":
        dz = g * (p - y)
    if wrong == "upstream forgotten":
        dz = (p - y) / n
    if wrong == "1/k for 1/n":
        dz = g * (p - y) / p.shape[1]
    if wrong == "the sign":
        dz = g * (y - p) / n
    if wrong == "elementwise":
        dz = g * (p - y) * p * (1 - p) / n
    if wrong == "the probabilities alone":
        dz = g * p / n
    return dz, xp.zeros_like(y)


# --- rotary embedding -----------------------------------------------------------------------------


def rope_paper(x: "n 6", theta: "n 3, data"):
    a, b = x[:, :3], x[:, 3:]
    c, s = np.cos(theta), np.sin(theta)
    return np.concatenate([a * c - b * s, b * c + a * s], axis=1)


def rope_forward(xp, x, theta):
    a, b, c, s = x[:, :3], x[:, 3:], xp.cos(theta), xp.sin(theta)
    return xp.concatenate([a * c - b * s, b * c + a * s], 1), (c, s)


def rope_backward(xp, saved, g, wrong=""):
    c, s = saved
    g1, g2 = g[:, :3], g[:, 3:]
    da, db = g1 * c + g2 * s, g2 * c - g1 * s
    if wrong == "turned the same way":
        da, db = g1 * c - g2 * s, g2 * c + g1 * s
    if wrong == "halves swapped":
        da, db = db, da
    if wrong == "sine and cosine swapped":
        da, db = g1 * s + g2 * c, g2 * s - g1 * c
    if wrong == "not turned":
        da, db = g1, g2
    if wrong == "the sine forgotten":
        da, db = g1 * c, g2 * c
    if wrong == "the second half negative":
        db = -db
    return xp.concatenate([da, db], 1), xp.zeros_like(c)


# --- attention, the scores recomputed -------------------------------------------------------------


def attention_paper(Q: "t d", K: "s d", V: "s e"):
    P = gp.softmax(Q @ K.T / np.sqrt(Q.shape[1]))
    return P @ V


def _probabilities(xp, Q, K):
    A = Q @ xp.T(K) * Q.shape[1] ** -0.5
    e = xp.exp(A - xp.max(A, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def attention_forward(xp, Q, K, V):
    return _probabilities(xp, Q, K) @ V, (Q, K, V)


def attention_backward(xp, saved, g, wrong=""):
    Q, K, V = saved
    P = _probabilities(xp, Q, K)
    dP = g @ xp.T(V)
    dA = P * (dP - xp.sum(P * dP, axis=1, keepdims=True))
    scale = Q.shape[1] ** -0.5
    if wrong == "softmax elementwise":
        dA = dP * P * (1 - P)
    if wrong == "the scale forgotten":
        scale = 1.0
    if wrong == "the mean for the sum":
        dA = P * (dP - xp.mean(P * dP, axis=1, keepdims=True))
    if wrong == "the scale twice":
        scale = scale * scale
    dQ, dK, dV = dA @ K * scale, xp.T(dA) @ Q * scale, xp.T(P) @ g
    if wrong == "scores for probabilities":
        dV = xp.T(Q @ xp.T(K) * Q.shape[1] ** -0.5) @ g
    if wrong == "keys unscaled":
        dK = xp.T(dA) @ Q
    if wrong == "queries from probabilities":
        dQ = P @ K * scale
    return dQ, dK, dV


# --- convolution ----------------------------------------------------------------------------------


def conv_paper(x: "n 7 c", w: "3 c k"):
    return x[:, 0:5] @ w[0] + x[:, 1:6] @ w[1] + x[:, 2:7] @ w[2]


def conv_forward(xp, x, w):
    return x[:, 0:5] @ w[0] + x[:, 1:6] @ w[1] + x[:, 2:7] @ w[2], (x, w)


def conv_backward(xp, saved, g, wrong=""):
    x, w = saved
    turned = [g @ xp.T(w[r]) for r in range(3)]
    if wrong == "the kernel not turned":
        turned = turned[::-1]
    blank = xp.zeros_like(turned[0])
    dx = 0
    for r in range(3):
        parts = [blank[:, :r], turned[r], blank[:, : 2 - r]]
        dx = dx + xp.concatenate(parts, 1)
    flat = [xp.sum(x[:, r : r + 5, :, None] * g[:, :, None, :], axis=(0, 1)) for r in range(3)]
    if wrong == "the windows backwards":
        flat = flat[::-1]
    if wrong == "one window":
        flat = [flat[0]] * 3
    dw = xp.concatenate([part[None] for part in flat], 0)
    if wrong == "the batch's mean":
        dw = dw / x.shape[0]
    if wrong == "the edge forgotten":
        dx = xp.concatenate([0 * dx[:, :1], dx[:, 1:]], 1)
    if wrong == "shifted by one":
        dx = xp.concatenate([dx[:, 1:], dx[:, :1]], 1)
    return dx, dw


# --- a cell of an LSTM ----------------------------------------------------------------------------


def lstm_paper(x: "n 3", h: "n 4", C: "n 4", W: "7 16", b: "16"):
    z = np.concatenate([h, x], axis=1) @ W + b
    i = gp.sigmoid(z[:, 0:4])
    f = gp.sigmoid(z[:, 4:8])
    o = gp.sigmoid(z[:, 8:12])
    c = np.tanh(z[:, 12:16])
    new = f * C + i * c
    return o * np.tanh(new), new


def lstm_forward(xp, x, h, C, W, b):
    hx = xp.concatenate([h, x], 1)
    z = hx @ W + b
    i, f, o = (xp.sigmoid(z[:, 4 * k : 4 * k + 4]) for k in range(3))
    c = xp.tanh(z[:, 12:16])
    new = f * C + i * c
    return (o * xp.tanh(new), new), (hx, C, W, i, f, o, c, new)


def lstm_backward(xp, saved, gh, gC, wrong=""):
    hx, C, W, i, f, o, c, new = saved
    t = xp.tanh(new)
    dn = gC + gh * o * (1 - t * t)
    if wrong == "the cell's own gradient forgotten":
        dn = gh * o * (1 - t * t)
    if wrong == "tanh of the cell forgotten":
        dn = gC + gh * o
    di, df, do, dc = dn * c, dn * C, gh * t, dn * i
    zi, zf, zo, zc = di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dc * (1 - c * c)
    if wrong == "the forget gate's slope":
        zf = df * f
    if wrong == "gates in another order":
        zi, zf = zf, zi
    if wrong == "tanh for the candidate's slope":
        zc = dc * (1 - c)
    dz = xp.concatenate([zi, zf, zo, zc], 1)
    dhx = dz @ xp.T(W)
    dC = dn * f
    if wrong == "the forget gate forgotten":
        dC = dn
    if wrong == "the input gate for the forget gate":
        dC = dn * i
    return dhx[:, 4:], dhx[:, :4], dC, xp.T(hx) @ dz, xp.sum(dz, axis=0)


# --- embedding ------------------------------------------------------------------------------------


def embedding_paper(E: "7 d", idx: "n, index 7"):
    return E[idx]


def embedding_forward(xp, E, idx):
    return xp.take(E, idx), (E, idx)


def embedding_backward(xp, saved, g, wrong=""):
    E, idx = saved
    if wrong == "assigned":
        return xp.gather_set(E, idx, g), None
    if wrong == "only the first":
        return xp.scatter_add(E, idx[:1], g[:1]), None
    if wrong == "shifted":
        return xp.scatter_add(E, (idx + 1) % E.shape[0], g), None
    if wrong == "dense":
        return xp.scatter_add(E, idx, g) + E * 0 + 1, None
    if wrong == "averaged":
        return xp.scatter_add(E, idx, g) / idx.shape[0], None
    if wrong == "plus itself":
        return xp.scatter_add(E, idx, g) + E, None
    return xp.scatter_add(E, idx, g), None


WRITTEN: dict[str, Written] = {
    "linear": Written(
        linear_paper,
        linear_forward,
        linear_backward,
        {
            "the mean over the batch": ("W",),
            "the bias' mean": ("b",),
            "a sign": ("x",),
            "half": ("W",),
            "the first sample's bias": ("b",),
            "zero": ("x",),
            "no upstream": ("b",),
        },
    ),
    "layer_norm": Written(
        layer_norm_paper,
        layer_norm_forward,
        layer_norm_backward,
        {
            "gamma forgotten": ("x",),
            "no path through the variance": ("x",),
            "no path through the mean": ("x",),
            "a sum for a mean": ("x",),
            "statistics constant": ("x",),
            "divided twice": ("x",),
            "gamma without the normalised value": ("gamma",),
        },
    ),
    "rms_norm": Written(
        rms_norm_paper,
        rms_norm_forward,
        rms_norm_backward,
        {
            "the weight outside": ("x",),
            "a sum for a mean": ("x",),
            "x for u": ("x",),
            "r constant": ("x",),
            "a plus": ("x",),
            "the weight's mean": ("w",),
            "the weight from x": ("w",),
        },
    ),
    "swiglu": Written(
        swiglu_paper,
        swiglu_forward,
        swiglu_backward,
        {
            "the sigmoid alone": ("x", "Wg"),
            "sigma of sigma": ("x", "Wg"),
            "branches swapped": ("x", "Wg", "Wu"),
            "silu forgotten": ("x", "Wu"),
            "one path": ("x",),
            "weights swapped": ("x",),
        },
    ),
    "cross_entropy": Written(
        cross_entropy_paper,
        cross_entropy_forward,
        cross_entropy_backward,
        {
            "1/n forgotten": ("z",),
            "upstream forgotten": ("z",),
            "1/k for 1/n": ("z",),
            "the sign": ("z",),
            "elementwise": ("z",),
            "the probabilities alone": ("z",),
        },
    ),
    "rope": Written(
        rope_paper,
        rope_forward,
        rope_backward,
        {
            "turned the same way": ("x",),
            "halves swapped": ("x",),
            "sine and cosine swapped": ("x",),
            "not turned": ("x",),
            "the sine forgotten": ("x",),
            "the second half negative": ("x",),
        },
    ),
    "attention": Written(
        attention_paper,
        attention_forward,
        attention_backward,
        {
            "softmax elementwise": ("Q", "K"),
            "the scale forgotten": ("Q", "K"),
            "the mean for the sum": ("Q", "K"),
            "the scale twice": ("Q", "K"),
            "scores for probabilities": ("V",),
            "keys unscaled": ("K",),
            "queries from probabilities": ("Q",),
        },
    ),
    "conv": Written(
        conv_paper,
        conv_forward,
        conv_backward,
        {
            "the kernel not turned": ("x",),
            "the windows backwards": ("w",),
            "one window": ("w",),
            "the batch's mean": ("w",),
            "the edge forgotten": ("x",),
            "shifted by one": ("x",),
        },
    ),
    "lstm": Written(
        lstm_paper,
        lstm_forward,
        lstm_backward,
        {
            "the cell's own gradient forgotten": ("x", "h", "C", "W", "b"),
            "tanh of the cell forgotten": ("x", "h", "C", "W", "b"),
            "the forget gate's slope": ("x", "h", "W", "b"),
            "gates in another order": ("x", "h", "W", "b"),
            "tanh for the candidate's slope": ("x", "h", "W", "b"),
            "the forget gate forgotten": ("C",),
            "the input gate for the forget gate": ("C",),
        },
    ),
    "embedding": Written(
        embedding_paper,
        embedding_forward,
        embedding_backward,
        {
            "assigned": ("E",),
            "only the first": ("E",),
            "shifted": ("E",),
            "dense": ("E",),
            "averaged": ("E",),
            "plus itself": ("E",),
        },
    ),
}


# --- in each framework ----------------------------------------------------------------------------


def _scatter_numpy(E, idx, g):
    made = np.zeros_like(E)
    np.add.at(made, idx, g)
    return made


def _set_numpy(E, idx, g):
    made = np.zeros_like(E)
    made[idx] = g
    return made


NUMPY = Functions(
    exp=np.exp,
    log=np.log,
    tanh=np.tanh,
    sin=np.sin,
    cos=np.cos,
    sqrt=np.sqrt,
    sum=np.sum,
    mean=np.mean,
    max=np.max,
    concatenate=np.concatenate,
    zeros_like=np.zeros_like,
    T=lambda x: x.T,
    take=lambda E, idx: E[idx],
    scatter_add=_scatter_numpy,
    gather_set=_set_numpy,
)


def in_numpy(written: Written, wrong: str = "") -> Callable:
    """The function as NumPy's users write it: the value and a pullback."""

    def function(*inputs):
        value, saved = written.forward(NUMPY, *inputs)
        return value, lambda *g: written.backward(NUMPY, saved, *g, wrong=wrong)

    return function


def torch_functions() -> Functions:
    import torch

    return Functions(
        exp=torch.exp,
        log=torch.log,
        tanh=torch.tanh,
        sin=torch.sin,
        cos=torch.cos,
        sqrt=torch.sqrt,
        sum=torch.sum,
        mean=torch.mean,
        max=lambda x, axis, keepdims: torch.amax(x, dim=axis, keepdim=keepdims),
        concatenate=torch.cat,
        zeros_like=torch.zeros_like,
        T=lambda x: x.t(),
        take=lambda E, idx: E[idx],
        scatter_add=lambda E, idx, g: torch.zeros_like(E).index_add(0, idx, g),
        gather_set=lambda E, idx, g: torch.zeros_like(E).index_put((idx,), g),
    )


def in_torch(written: Written, wrong: str = "") -> Callable:
    """The function as a `torch.autograd.Function`."""
    import torch

    xp = torch_functions()

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            value, saved = written.forward(xp, *inputs)
            ctx.save_for_backward(*saved)
            return value

        @staticmethod
        def backward(ctx, *g):
            return written.backward(xp, ctx.saved_tensors, *g, wrong=wrong)

    return Own.apply


def jax_functions() -> Functions:
    import jax.numpy as jnp

    return Functions(
        exp=jnp.exp,
        log=jnp.log,
        tanh=jnp.tanh,
        sin=jnp.sin,
        cos=jnp.cos,
        sqrt=jnp.sqrt,
        sum=jnp.sum,
        mean=jnp.mean,
        max=jnp.max,
        concatenate=jnp.concatenate,
        zeros_like=jnp.zeros_like,
        T=lambda x: x.T,
        take=lambda E, idx: E[idx],
        scatter_add=lambda E, idx, g: jnp.zeros_like(E).at[idx].add(g),
        gather_set=lambda E, idx, g: jnp.zeros_like(E).at[idx].set(g),
    )


def in_jax(written: Written, wrong: str = "") -> Callable:
    """The function with `jax.custom_vjp`."""
    import jax

    xp = jax_functions()

    @jax.custom_vjp
    def function(*inputs):
        return written.forward(xp, *inputs)[0]

    def backward(saved, g):
        return written.backward(xp, saved, *(g if isinstance(g, tuple) else (g,)), wrong=wrong)

    function.defvjp(lambda *inputs: written.forward(xp, *inputs), backward)
    return function


def tensorflow_functions() -> Functions:
    load("tensorflow")  # which keeps its messages back
    import tensorflow as tf

    return Functions(
        exp=tf.exp,
        log=tf.math.log,
        tanh=tf.tanh,
        sin=tf.sin,
        cos=tf.cos,
        sqrt=tf.sqrt,
        sum=tf.reduce_sum,
        mean=tf.reduce_mean,
        max=tf.reduce_max,
        concatenate=tf.concat,
        zeros_like=tf.zeros_like,
        T=tf.transpose,
        take=tf.gather,
        scatter_add=lambda E, idx, g: tf.tensor_scatter_nd_add(tf.zeros_like(E), idx[:, None], g),
        gather_set=lambda E, idx, g: tf.tensor_scatter_nd_update(tf.zeros_like(E), idx[:, None], g),
    )


def in_tensorflow(written: Written, wrong: str = "") -> Callable:
    """The function with `tf.custom_gradient`."""
    load("tensorflow")  # which keeps its messages back
    import tensorflow as tf

    xp = tensorflow_functions()

    @tf.custom_gradient
    def function(*inputs):
        value, saved = written.forward(xp, *inputs)
        return value, lambda *g: written.backward(xp, saved, *g, wrong=wrong)

    return function


MAKERS: dict[str, Callable[..., Any]] = {
    "numpy": in_numpy,
    "torch": in_torch,
    "jax": in_jax,
    "tensorflow": in_tensorflow,
}


FUNCTIONS: dict[str, Callable[[], Functions]] = {
    "numpy": lambda: NUMPY,
    "torch": torch_functions,
    "jax": jax_functions,
    "tensorflow": tensorflow_functions,
}


def plain(written: Written, engine: str) -> Callable[..., Any]:
    """The forward pass alone, which the framework's own autodiff differentiates."""
    xp = FUNCTIONS[engine]()

    def reference(*inputs, **named):
        return written.forward(xp, *inputs, **named)[0]

    first, *others = inspect.signature(written.forward).parameters.values()
    assert first.name == "xp"
    reference.__signature__ = inspect.Signature(others)
    return reference
