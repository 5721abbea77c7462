"""How each framework spells an array expression: one record for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradproof.core.errors import DataError
from gradproof.core.told import told, told_row


@dataclass(frozen=True, slots=True)
class Dialect:
    """A framework's spelling.

    ``functions`` are templates of elementwise functions by their arguments ``{0}``, ``{1}``; those
    that are missing are called by their name and defined in the file (see `HELPERS`). The other
    templates are filled by name: ``a`` and ``b`` are arrays.
    """

    name: str
    title: str
    imports: tuple[str, ...]
    functions: Mapping[str, str]
    total: str
    largest: str
    logsumexp: str
    softmax: str
    inverse: str
    logdet: str
    identity: str
    matmul: str
    tensordot: str
    einsum: str
    permuted: str
    turned: str
    gathered: str
    reshaped: str
    spread: str
    joined: str
    stacked: str
    mask: str
    positions: str
    within: str
    zeros: str
    numbers: str
    tensor: str


NUMPY = Dialect(
    "numpy",
    "NumPy",
    ("import numpy as np",),
    {
        **{
            name: f"np.{name}({{0}})"
            for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "sinh", "cosh", "abs", "sign")
        },
        "softplus": "np.logaddexp({0}, 0)",
        "relu": "np.maximum({0}, 0)",
        "leaky_relu": "np.where({0} > 0, {0}, {1} * {0})",
        "elu": "np.where({0} > 0, {0}, {1} * np.expm1(np.minimum({0}, 0)))",
        "maximum": "np.maximum({0}, {1})",
        "minimum": "np.minimum({0}, {1})",
        "clip": "np.clip({0}, {1}, {2})",
        "where": "np.where({0} != 0, {1}, {2})",
    },
    total="np.sum({a}{axis}{keep})",
    largest="np.max({a}{axis}{keep})",
    logsumexp="logsumexp({a}{axis}{keep})",
    softmax="softmax({a}, axis={axis})",
    inverse="np.linalg.inv({a})",
    logdet="np.linalg.slogdet({a})[1]",
    identity="np.eye({n}, dtype={like}.dtype)",
    matmul="{a} @ {b}",
    tensordot="np.tensordot({a}, {b}, axes=({one}, {other}))",
    einsum='np.einsum("{s}", {a}, {b})',
    permuted="np.transpose({a}, {order})",
    turned="{a}.mT",
    gathered="{a}[{key}]",
    reshaped="{a}.reshape({shape})",
    spread="np.full({shape}, {a}, dtype={like}.dtype)",
    joined="np.concatenate([{parts}], axis={axis})",
    stacked="np.stack([{parts}], axis={axis})",
    mask="({condition}).astype({like}.dtype)",
    positions="np.arange({size})",
    within="np.clip({a}, 0, {last})",
    zeros="np.zeros",
    numbers="np.array({a})",
    tensor="np.asarray({a})",
)

TORCH = Dialect(
    "torch",
    "PyTorch",
    ("import torch",),
    {
        **{
            name: f"torch.{name}({{0}})"
            for name in (
                "exp",
                "log",
                "sqrt",
                "tanh",
                "sin",
                "cos",
                "sinh",
                "cosh",
                "abs",
                "sign",
                "erf",
                "sigmoid",
                "relu",
            )
        },
        # torch.nn.functional.softplus is z itself above 20.
        "softplus": "torch.logaddexp({0}, torch.zeros_like({0}))",
        "silu": "torch.nn.functional.silu({0})",
        "gelu": "torch.nn.functional.gelu({0})",
        "gelu_tanh": 'torch.nn.functional.gelu({0}, approximate="tanh")',
        "leaky_relu": "torch.where({0} > 0, {0}, {1} * {0})",
        "elu": "torch.where({0} > 0, {0}, {1} * torch.expm1(torch.clamp({0}, max=0)))",
        "maximum": "torch.maximum({0}, {1})",
        "minimum": "torch.minimum({0}, {1})",
        "clip": "torch.clamp({0}, {1}, {2})",
        "where": "torch.where({0} != 0, {1}, {2})",
    },
    total="torch.sum({a}{axis}{keep})",
    largest="torch.amax({a}{axis}{keep})",
    logsumexp="torch.logsumexp({a}{axis}{keep})",
    softmax="torch.softmax({a}, dim={axis})",
    inverse="torch.linalg.inv({a})",
    logdet="torch.linalg.slogdet({a})[1]",
    identity="torch.eye({n}, dtype={like}.dtype, device={like}.device)",
    matmul="{a} @ {b}",
    tensordot="torch.tensordot({a}, {b}, dims=({one}, {other}))",
    einsum='torch.einsum("{s}", {a}, {b})',
    permuted="torch.permute({a}, {order})",
    turned="{a}.mT",
    gathered="{a}[{key}]",
    reshaped="{a}.reshape({shape})",
    spread="torch.full({shape}, {a}, dtype={like}.dtype, device={like}.device)",
    joined="torch.cat([{parts}], dim={axis})",
    stacked="torch.stack([{parts}], dim={axis})",
    mask="({condition}).to({like})",
    positions="torch.arange({size}{device})",
    within="torch.clamp({a}, 0, {last})",
    zeros="torch.zeros",
    numbers="torch.tensor({a}, dtype={like}.dtype, device={like}.device)",
    tensor="torch.tensor({a})",
)

JAX = Dialect(
    "jax",
    "JAX",
    ("import jax", "import jax.numpy as jnp"),
    {
        **{
            name: f"jnp.{name}({{0}})"
            for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "sinh", "cosh", "abs", "sign")
        },
        "erf": "jax.scipy.special.erf({0})",
        "sigmoid": "jax.nn.sigmoid({0})",
        "softplus": "jax.nn.softplus({0})",
        "silu": "jax.nn.silu({0})",
        "gelu": "jax.nn.gelu({0}, approximate=False)",
        "gelu_tanh": "jax.nn.gelu({0}, approximate=True)",
        "relu": "jax.nn.relu({0})",
        "leaky_relu": "jnp.where({0} > 0, {0}, {1} * {0})",
        "elu": "jnp.where({0} > 0, {0}, {1} * jnp.expm1(jnp.minimum({0}, 0)))",
        "maximum": "jnp.maximum({0}, {1})",
        "minimum": "jnp.minimum({0}, {1})",
        "clip": "jnp.clip({0}, {1}, {2})",
        "where": "jnp.where({0} != 0, {1}, {2})",
    },
    total="jnp.sum({a}{axis}{keep})",
    largest="jnp.max({a}{axis}{keep})",
    logsumexp="jax.nn.logsumexp({a}{axis}{keep})",
    softmax="jax.nn.softmax({a}, axis={axis})",
    inverse="jnp.linalg.inv({a})",
    logdet="jnp.linalg.slogdet({a})[1]",
    identity="jnp.eye({n}, dtype={like}.dtype)",
    matmul="{a} @ {b}",
    tensordot="jnp.tensordot({a}, {b}, axes=({one}, {other}))",
    einsum='jnp.einsum("{s}", {a}, {b})',
    permuted="jnp.transpose({a}, {order})",
    turned="{a}.mT",
    gathered="{a}[{key}]",
    reshaped="{a}.reshape({shape})",
    spread="jnp.full({shape}, {a}, dtype={like}.dtype)",
    joined="jnp.concatenate([{parts}], axis={axis})",
    stacked="jnp.stack([{parts}], axis={axis})",
    mask="({condition}).astype({like}.dtype)",
    positions="jnp.arange({size})",
    within="jnp.clip({a}, 0, {last})",
    zeros="jnp.zeros",
    numbers="jnp.array({a}, dtype={like}.dtype)",
    tensor="jnp.asarray({a})",
)

TENSORFLOW = Dialect(
    "tensorflow",
    "TensorFlow",
    ("import tensorflow as tf",),
    {
        **{
            name: f"tf.{name}({{0}})"
            for name in (
                "exp",
                "sqrt",
                "tanh",
                "sin",
                "cos",
                "sinh",
                "cosh",
                "abs",
                "sign",
                "sigmoid",
            )
        },
        "log": "tf.math.log({0})",
        "erf": "tf.math.erf({0})",
        "softplus": "tf.math.softplus({0})",
        "silu": "tf.nn.silu({0})",
        "relu": "tf.nn.relu({0})",
        "leaky_relu": "tf.where({0} > 0, {0}, {1} * {0})",
        "elu": "tf.where({0} > 0, {0}, {1} * tf.math.expm1(tf.minimum({0}, 0)))",
        "maximum": "tf.maximum({0}, {1})",
        "minimum": "tf.minimum({0}, {1})",
        "clip": "tf.clip_by_value({0}, {1}, {2})",
        "where": "tf.where({0} != 0, {1}, {2})",
    },
    total="tf.reduce_sum({a}{axis}{keep})",
    largest="tf.reduce_max({a}{axis}{keep})",
    logsumexp="tf.reduce_logsumexp({a}{axis}{keep})",
    softmax="tf.nn.softmax({a}, axis={axis})",
    inverse="tf.linalg.inv({a})",
    logdet="tf.linalg.slogdet({a})[1]",
    identity="tf.eye({n}, dtype={like}.dtype)",
    matmul="{a} @ {b}",
    tensordot="tf.tensordot({a}, {b}, axes=({one}, {other}))",
    einsum='tf.einsum("{s}", {a}, {b})',
    permuted="tf.transpose({a}, {order})",
    turned="tf.linalg.matrix_transpose({a})",
    gathered="tf.gather({a}, {key}, axis={axis})",
    reshaped="tf.reshape({a}, {shape})",
    spread="tf.fill({shape}, tf.cast({a}, {like}.dtype))",
    joined="tf.concat([{parts}], axis={axis})",
    stacked="tf.stack([{parts}], axis={axis})",
    mask="tf.cast({condition}, {like}.dtype)",
    positions="tf.range({size})",
    within="tf.clip_by_value({a}, 0, {last})",
    zeros="tf.zeros",
    numbers="tf.constant({a}, dtype={like}.dtype)",
    tensor="tf.constant({a})",
)

DIALECTS = {one.name: one for one in (NUMPY, TORCH, JAX, TENSORFLOW)}
"""The frameworks that code can be written for, by name."""


def dialect_of(to: str) -> Dialect:
    """The spelling of a framework.

    Raises:
        DataError: there is none of this name.
    """
    if to not in DIALECTS:
        raise DataError(
            told(
                "Code is written for {dialects}, not {to}.",
                dialects=told_row(list(DIALECTS)),
                to=to,
            )
        )
    return DIALECTS[to]


AXIS = {"numpy": "axis", "torch": "dim", "jax": "axis", "tensorflow": "axis"}
KEEP = {"numpy": "keepdims", "torch": "keepdim", "jax": "keepdims", "tensorflow": "keepdims"}

# As e is at most 1, max(e, [z ≥ 0]) is 1 or e, and NaN where z is: the numbers of np.where, which
# takes twice as long, because it branches on each sign.
NUMPY_HELPERS = {
    "sigmoid": '''def sigmoid(z):
    """1/(1+exp(-z)), with an exponential that cannot overflow."""
    e = np.exp(-np.abs(z))
    return np.maximum(e, z >= 0) / (1 + e)''',
    "erf": '''def erf(x):
    """The error function, element by element."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)''',
    "silu": '''def silu(z):
    """z·sigmoid(z)."""
    return z * sigmoid(z)''',
    "gelu": '''def gelu(z):
    """z·Φ(z), with the normal distribution function Φ."""
    return 0.5 * z * (1 + erf(z * math.sqrt(0.5)))''',
    "gelu_tanh": '''def gelu_tanh(z):
    """The GELU by a tanh; ½(1 + tanh u) is sigmoid(2u)."""
    return z * sigmoid(2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))''',
    "softmax": '''def softmax(x, axis):
    """Exponentials divided by their sum; no exponential overflows."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)''',
    "logsumexp": '''def logsumexp(x, axis, keepdims=False):
    """The logarithm of the sum of exponentials; no exponential overflows."""
    top = np.max(x, axis=axis, keepdims=True)
    result = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return result if keepdims else np.squeeze(result, axis=axis)''',
}

# tf.nn.gelu has its constants in float32, whatever the dtype of z is.
TENSORFLOW_HELPERS = {
    "gelu": '''def gelu(z):
    """z·Φ(z), with the normal distribution function Φ."""
    return 0.5 * z * (1 + tf.math.erf(z * math.sqrt(0.5)))''',
    "gelu_tanh": '''def gelu_tanh(z):
    """The GELU by a tanh; ½(1 + tanh u) is sigmoid(2u)."""
    return z * tf.sigmoid(2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))''',
}

HELPERS: dict[str, dict[str, str]] = {
    "numpy": NUMPY_HELPERS,
    "torch": {},
    "jax": {},
    "tensorflow": TENSORFLOW_HELPERS,
}
"""What a framework lacks, as it is written into a file that needs it."""

NEEDS = {"silu": ("sigmoid",), "gelu": ("erf",), "gelu_tanh": ("sigmoid",)}
"""Which of NumPy's functions are made of others."""
