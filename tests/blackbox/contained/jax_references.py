"""What a reference in JAX may contain, by what a person calls it: a function and the shapes of its
inputs."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

MASK = np.tril(np.ones((4, 4), bool))
LABELS = np.array([1, 0, 3])
PLACES = np.array([[0, 2], [1, 1], [3, 0]])
KEPT = np.array([[2.0, 0, 2, 2], [0, 2, 2, 0], [2, 2, 0, 2]])


def softmax_by_hand(z):
    e = jnp.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalized(x, axes=-1):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5)


def lstm(x, h, c, W, U):
    i, f, new, o = jnp.split(x @ W + h @ U, 4, 1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(new)
    return nn.sigmoid(o) * jnp.tanh(c), c


def huber(x, y):
    size = jnp.abs(x - y)
    return jnp.where(size < 1, 0.5 * size**2, size - 0.5).mean()


def cosine(x, y):
    norms = jnp.linalg.norm(x, axis=1) * jnp.linalg.norm(y, axis=1)
    return (x * y).sum(1) / jnp.maximum(norms, 1e-8)


def pooled(join, start, padding):
    return lambda x: lax.reduce_window(x, start, join, (1, 3, 3, 1), (1, 2, 2, 1), padding)


def convolved(**settings):
    return lambda x, w: lax.conv_general_dilated(x, w, padding="SAME", **settings)


def recurrent(x, h, W):
    def step(h, row):
        new = jnp.tanh(h @ W + row)
        return new, new

    return lax.scan(step, h, x)[1]


DECIDED = {
    "exp, log, sqrt, pow": (
        lambda x: jnp.exp(x) * jnp.log1p(x * x) + jnp.sqrt(x * x + 1) ** 3,
        [(3, 4)],
    ),
    "pow of two tensors": (lambda x, y: jnp.exp(x) ** y, [(3, 4), (3, 4)]),
    "exp2, log2, log10": (
        lambda x: jnp.exp2(x) + jnp.log2(x * x + 1) + jnp.log10(x * x + 2),
        [(3, 4)],
    ),
    "sin, cos, tan": (lambda x: jnp.sin(x) * jnp.cos(x) + jnp.tan(x), [(3, 4)]),
    "sinh, cosh, tanh": (lambda x: jnp.sinh(x) + jnp.cosh(x) * jnp.tanh(x), [(3, 4)]),
    "atan, asin, acos": (
        lambda x: jnp.arctan(x) + jnp.arcsin(x / 4) * jnp.arccos(x / 4),
        [(3, 4)],
    ),
    "atan2": (lambda x, y: jnp.arctan2(x, y), [(3, 4), (3, 4)]),
    "asinh, acosh, atanh": (
        lambda x: jnp.arcsinh(x) + jnp.arccosh(x * x + 1.5) * jnp.arctanh(x / 4),
        [(3, 4)],
    ),
    "erf, erfc": (lambda x: lax.erf(x) + lax.erfc(x * x), [(3, 4)]),
    "sigmoid, logsigmoid, softplus": (
        lambda x: nn.sigmoid(x) * nn.log_sigmoid(x) + nn.softplus(x),
        [(3, 4)],
    ),
    "relu, leaky_relu, relu6": (
        lambda x: nn.relu(x) + nn.leaky_relu(x) + nn.relu6(x),
        [(3, 4)],
    ),
    "gelu, both forms": (lambda x: nn.gelu(x) + nn.gelu(x, approximate=False), [(3, 4)]),
    "elu, selu": (lambda x: nn.elu(x) + nn.selu(x), [(3, 4)]),
    "silu, mish, hardswish": (
        lambda x: nn.silu(x) + nn.mish(x) + nn.hard_swish(x),
        [(3, 4)],
    ),
    "glu, softsign": (lambda x: nn.glu(x, -1) + nn.soft_sign(x[:, :2]), [(3, 4)]),
    "prelu": (lambda x, a: jnp.where(x >= 0, x, a * x), [(3, 4), (4,)]),
    "abs, sign, maximum, minimum": (
        lambda x, y: jnp.maximum(jnp.sin(x), y) + jnp.minimum(x, y) * jnp.abs(x) * jnp.sign(y),
        [(3, 4), (3, 4)],
    ),
    "where, clamp": (lambda x, y: jnp.where(x > y, jnp.clip(x, -0.5, 0.5), y), [(3, 4), (3, 4)]),
    "logaddexp, xlogy": (
        lambda x, y: jnp.logaddexp(x, y) + jax.scipy.special.xlogy(x, jnp.exp(y)),
        [(3, 4), (3, 4)],
    ),
    "floor, ceil, round, trunc": (
        lambda x: x * (jnp.floor(x) + jnp.ceil(2 * x) * jnp.round(x, 1) + jnp.trunc(x)),
        [(3, 4)],
    ),
    "remainder, fmod": (
        lambda x, y: jnp.remainder(x, y) + jnp.fmod(x, 0.7) + x * jnp.floor_divide(x, y),
        [(3, 4), (3, 4)],
    ),
    "sum, mean": (lambda x: x.sum(0) * x.mean() + x.sum((0, 1)), [(3, 4)]),
    "var, std": (lambda x: x.var(1) + x.std(1, ddof=1), [(3, 4)]),
    "norms": (
        lambda x: sum(jnp.linalg.norm(x, k, axis=1) for k in (None, 1, 3)),
        [(3, 4)],
    ),
    "max and min of all": (lambda x: jnp.sin(x).max() + jnp.cos(x).min(), [(3, 4)]),
    "max and min over an axis": (lambda x: jnp.sin(x).max(1) + jnp.cos(x).min(1), [(3, 4)]),
    "prod": (lambda x: jnp.prod(x, 1), [(3, 4)]),
    "argmax": (
        lambda x: (
            jnp.take_along_axis(x, jnp.argmax(x, 1, keepdims=True), 1)
            * x[np.arange(3), jnp.argmin(x, 1)]
            * nn.one_hot(jnp.argmax(x, 1), 3)
        ),
        [(3, 4)],
    ),
    "sort, topk, median": (
        lambda x: jnp.sort(x, 1)[:, :2] * lax.top_k(x, 2)[0] + jnp.median(x, 1, keepdims=True),
        [(3, 5)],
    ),
    "argsort": (
        lambda x, y: jnp.take_along_axis(y, jnp.argsort(x, 1), 1) + y[lax.top_k(x[0, :3], 3)[1]],
        [(3, 4), (3, 4)],
    ),
    "cumsum": (lambda x: jnp.cumsum(x, 1), [(3, 4)]),
    "cumprod": (lambda x: jnp.cumprod(x, 1), [(3, 4)]),
    "softmax, log_softmax, logsumexp": (
        lambda x: nn.softmax(x, 0) + nn.log_softmax(x) * nn.logsumexp(x),
        [(3, 4)],
    ),
    "softmax by hand, x - max(x)": (lambda x, w: softmax_by_hand(x @ w), [(3, 4), (4, 5)]),
    "matrix inverse": (
        lambda x, y: (
            jnp.linalg.inv(x)[:, :2]
            + jnp.linalg.solve(x.T + 4 * jnp.eye(3), y)
            + jnp.linalg.solve(x + 4 * jnp.eye(3), y[:, 0])[:, None]
        ),
        [(3, 3), (3, 2)],
    ),
    "matmul, mv, dot": (lambda a, b, v: a @ b @ v + (v @ v), [(3, 4), (4, 2), (2,)]),
    "bmm, baddbmm": (lambda c, a, b: a @ b + 0.5 * c, [(2, 3, 2), (2, 3, 4), (2, 4, 2)]),
    "linear, addmm": (lambda x, w, b: x @ w.T + b, [(3, 4), (5, 4), (5,)]),
    "outer, tensordot, kron": (
        lambda a, b: jnp.outer(a, b) + jnp.tensordot(a, b, 0) * jnp.kron(a, b).sum(),
        [(3,), (4,)],
    ),
    "einsum": (lambda a, b: jnp.einsum("bij,bkj->bik", a, b), [(2, 3, 4), (2, 5, 4)]),
    "layer_norm": (
        lambda x, w, b: (
            (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * w + b
        ),
        [(3, 4), (4,), (4,)],
    ),
    "rms_norm": (
        lambda x, w: x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * w,
        [(3, 4), (4,)],
    ),
    "batch_norm": (lambda x, w, b: normalized(x, 0) * w + b, [(5, 3), (3,), (3,)]),
    "group_norm, instance_norm": (
        lambda x, w: normalized(x.reshape(2, 2, 6)).reshape(x.shape) * w[:, None] + normalized(x),
        [(2, 4, 3), (4,)],
    ),
    "dropout with a given mask": (lambda x: x * KEPT, [(3, 4)]),
    "lstm cell": (lstm, [(2, 3), (2, 4), (2, 4), (3, 16), (4, 16)]),
    "attention": (nn.dot_product_attention, [(1, 4, 2, 4)] * 3),
    "causal attention": (
        lambda q, k, v: nn.dot_product_attention(q, k, v, is_causal=True),
        [(1, 4, 2, 4)] * 3,
    ),
    "attention with a mask": (
        lambda q, k, v: nn.dot_product_attention(q, k, v, mask=MASK),
        [(1, 4, 2, 4)] * 3,
    ),
    "attention by hand, -inf above the diagonal": (
        lambda q, k, v: nn.softmax(jnp.where(MASK, q @ k.T / 2.0, -jnp.inf)) @ v,
        [(4, 4)] * 3,
    ),
    "embedding": (lambda E: E[np.array([2, 0, 2])], [(5, 3)]),
    "conv1d, conv2d": (
        convolved(window_strides=(2, 1), dimension_numbers=("NHWC", "HWIO", "NHWC")),
        [(2, 5, 5, 3), (3, 3, 3, 4)],
    ),
    "convolutions in groups, dilated": (
        convolved(window_strides=(1, 1), feature_group_count=2, rhs_dilation=(2, 1)),
        [(2, 4, 5, 5), (6, 2, 2, 2)],
    ),
    "transposed convolution": (
        lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME"),
        [(2, 4, 4, 3), (3, 3, 3, 2)],
    ),
    "max pool": (pooled(lax.max, -np.inf, "SAME"), [(2, 5, 4, 3)]),
    "average pool": (pooled(lax.add, 0.0, "SAME"), [(2, 5, 4, 3)]),
    "nearest neighbours": (lambda x: jax.image.resize(x, (1, 8, 8, 2), "nearest"), [(1, 4, 4, 2)]),
    "unfold, fold": (
        lambda x: lax.conv_general_dilated_patches(x, (2, 2), (1, 1), "VALID"),
        [(1, 2, 3, 4)],
    ),
    "mse, l1, smooth_l1, huber": (
        lambda x, y: ((x - y) ** 2).mean() + jnp.abs(x - y).mean() * huber(x, y),
        [(3, 4), (3, 4)],
    ),
    "binary cross-entropy": (
        lambda x, y: (nn.relu(x) - x * nn.sigmoid(y) + jnp.log1p(jnp.exp(-jnp.abs(x)))).mean(),
        [(3, 4), (3, 4)],
    ),
    "kl_div": (
        lambda x, y: (nn.softmax(y) * (nn.log_softmax(y) - nn.log_softmax(x))).sum(1).mean(),
        [(3, 4), (3, 4)],
    ),
    "normalize, cosine_similarity": (cosine, [(3, 4), (3, 4)]),
    "cross-entropy": (
        lambda x: -jnp.take_along_axis(nn.log_softmax(x), LABELS[:, None], 1).mean(),
        [(3, 4)],
    ),
    "reshape, transpose, permute": (
        lambda x: jnp.transpose(x.reshape(2, 3, 2), (2, 0, 1)) * jnp.moveaxis(x, 0, 1).ravel()[1],
        [(3, 4)],
    ),
    "slices, strides, new axes": (lambda x: x[:, ::2, None] * x[1:2, 1:2, None], [(3, 4)]),
    "index_select, gather, scatter_add": (
        lambda x: (
            jnp.take_along_axis(x, PLACES, 1)
            + jnp.zeros((3, 4)).at[np.arange(3)[:, None], PLACES].add(x[:, :2])[:, :2]
            + jnp.take(x, np.array([0, 2]), 1)
        ),
        [(3, 4)],
    ),
    "indices by tensors": (
        lambda x: x[np.array([0, 2]), np.array([1, 1])] * x[np.array([True, False, True])].sum(),
        [(3, 4)],
    ),
    "assignment by indices": (lambda x, y: x.at[np.array([0, 2])].set(y), [(3, 4), (2, 4)]),
    "assignment by slices": (
        lambda x, y: lax.dynamic_update_slice(x.at[:2].set(y), y[:, :2], (1, 0)),
        [(3, 4), (2, 4)],
    ),
    "split, chunk, unbind": (lambda x: jnp.multiply(*jnp.split(x, 2, 1)), [(3, 4)]),
    "cat, stack": (lambda x, y: jnp.stack([x, y * 2], 1), [(3, 4), (3, 4)]),
    "pad": (lambda x: jnp.pad(x, ((1, 0), (0, 2))), [(3, 4)]),
    "pad by reflection, by edges": (
        lambda x: jnp.pad(x, ((0, 0), (1, 2)), "reflect") + jnp.pad(x, ((0, 0), (1, 2)), "edge"),
        [(3, 4)],
    ),
    "roll, flip": (lambda x: jnp.roll(x, 1, 1) * jnp.flip(x, 1), [(3, 4)]),
    "masked_fill": (lambda x: jnp.where(MASK, x, 0.5), [(4, 4)]),
    "repeat, expand, tile": (lambda x: jnp.tile(x, (2, 2)) * jnp.repeat(x, 2, 1)[:1, :1], [(3, 4)]),
    "tril, triu, diagonal": (lambda x: jnp.tril(x) + jnp.diag(jnp.diagonal(x)), [(4, 4)]),
    "conversion to float32": (
        lambda x: nn.softmax(x.astype(jnp.float32)).astype(x.dtype),
        [(3, 4)],
    ),
    "loops of a given length": (recurrent, [(3, 4), (4,), (4, 4)]),
    "branches on constants": (lambda x: lax.cond(True, jnp.sin, jnp.cos, x), [(3, 4)]),
    "checkpoints, vmap": (
        lambda x: jax.checkpoint(lambda t: jnp.sin(t) * t)(x) * jax.vmap(nn.softmax)(x),
        [(3, 4)],
    ),
}

UNDECIDED = {
    "conversion to 16 bits": (
        lambda x: x.astype(jnp.bfloat16).astype(x.dtype),
        [(3, 4)],
        "bfloat16",
    ),
    "cholesky": (lambda x: jnp.linalg.cholesky(x @ x.T), [(3, 3)], "cholesky"),
    "slogdet": (lambda x: jnp.linalg.slogdet(x)[1], [(3, 3)], "lu"),
    "branches on data": (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), [(3, 4)], "cond"),
}
