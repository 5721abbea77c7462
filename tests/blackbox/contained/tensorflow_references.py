"""What a reference in TensorFlow may contain, by what a person calls it: a function and the shapes
of its inputs."""

import numpy as np
import tensorflow as tf

MASK = np.tril(np.ones((4, 4), bool))
KEPT = np.array([[2.0, 0, 2, 2], [0, 2, 2, 0], [2, 2, 0, 2]])
PLACES = np.array([[0, 2], [1, 1], [3, 0]])


def softmax_by_hand(z):
    e = tf.exp(z - tf.reduce_max(z, -1, keepdims=True))
    return e / tf.reduce_sum(e, -1, keepdims=True)


def masked_attention(q, k, v):
    scores = tf.where(MASK, q @ tf.transpose(k) / 2.0, -np.inf)
    return tf.nn.softmax(scores) @ v


def normalized(x, gamma, beta):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)


def group_normalized(x, w):
    groups = tf.reshape(x, (2, 2, 6))
    mean, variance = tf.nn.moments(groups, [-1], keepdims=True)
    return tf.reshape((groups - mean) * tf.math.rsqrt(variance + 1e-5), x.shape) * w[:, None]


def lstm(x, h, c, W, U):
    i, f, new, o = tf.split(x @ W + h @ U, 4, 1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(new)
    return tf.sigmoid(o) * tf.tanh(c), c


def huber(x, y):
    size = tf.abs(x - y)
    return tf.reduce_mean(tf.where(size < 1, 0.5 * size**2, size - 0.5))


def divergence(x, y):
    apart = tf.nn.log_softmax(y) - tf.nn.log_softmax(x)
    return tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(y) * apart, 1))


def unrolled(x, h, W):
    for row in tf.unstack(x):
        h = tf.tanh(tf.linalg.matvec(W, h) + row)
    return h


DECIDED = {
    "exp, log, sqrt, pow": (
        lambda x: tf.exp(x) * tf.math.log1p(x * x) + tf.sqrt(x * x + 1) ** 3,
        [(3, 4)],
    ),
    "exp2, log2, log10": (
        lambda x: tf.pow(tf.constant(2, x.dtype), x) + tf.math.log(x * x + 1) / np.log(2.0),
        [(3, 4)],
    ),
    "sinh, cosh, tanh": (lambda x: tf.sinh(x) + tf.cosh(x) * tf.tanh(x), [(3, 4)]),
    "atan, asin, acos": (
        lambda x: tf.atan(x) + tf.asin(x / 4) * tf.acos(x / 4),
        [(3, 4)],
    ),
    "atan2": (lambda x, y: tf.atan2(x, y), [(3, 4), (3, 4)]),
    "asinh, acosh, atanh": (
        lambda x: tf.asinh(x) + tf.acosh(x * x + 1.5) * tf.atanh(x / 4),
        [(3, 4)],
    ),
    "erf, erfc": (lambda x: tf.math.erf(x) + tf.math.erfc(x * x), [(3, 4)]),
    "sigmoid, logsigmoid, softplus": (
        lambda x: tf.sigmoid(x) * tf.math.log_sigmoid(x) + tf.nn.softplus(x),
        [(3, 4)],
    ),
    "relu, leaky_relu, relu6": (
        lambda x: tf.nn.relu(x) + tf.nn.leaky_relu(x) + tf.nn.relu6(x),
        [(3, 4)],
    ),
    "gelu, both forms": (lambda x: tf.nn.gelu(x) + tf.nn.gelu(x, approximate=True), [(3, 4)]),
    "abs, sign, maximum, minimum": (
        lambda x, y: tf.maximum(tf.sin(x), y) + tf.minimum(x, y) * tf.abs(x) * tf.sign(y),
        [(3, 4), (3, 4)],
    ),
    "floor, ceil, round, trunc": (
        lambda x: x * (tf.floor(x) + tf.math.ceil(2 * x) * tf.round(x) + tf.round(x / 3)),
        [(3, 4)],
    ),
    "remainder, fmod": (lambda x, y: x % y + x * (x // 0.7), [(3, 4), (3, 4)]),
    "sum, mean": (lambda x: tf.reduce_sum(x, 0) * tf.reduce_mean(x), [(3, 4)]),
    "argmax": (
        lambda x: (
            tf.gather(x, tf.argmax(x, 1)[:, None], batch_dims=1)
            * tf.gather(x, tf.argmin(x, 1), axis=1)
            * tf.one_hot(tf.argmax(x, 1), 3, dtype=x.dtype)
        ),
        [(3, 4)],
    ),
    "sort, topk, median": (
        lambda x: tf.sort(x, 1)[:, :2] * tf.math.top_k(x, 2).values + tf.sort(x, 1)[:, 2:3],
        [(3, 5)],
    ),
    "argsort": (
        lambda x, y: (
            tf.gather(y, tf.argsort(x, 1), batch_dims=1)
            + tf.gather_nd(y, tf.math.top_k(x[:, :3], 1).indices[:1])
        ),
        [(3, 4), (3, 4)],
    ),
    "prod": (lambda x: tf.reduce_prod(x, 1), [(3, 4)]),
    "cumsum": (
        lambda x: tf.cumsum(x, 1) * tf.cumsum(x, 1, exclusive=True, reverse=True),
        [(3, 4)],
    ),
    "cumprod": (
        lambda x: tf.math.cumprod(x, 1) * tf.math.cumprod(x, 1, exclusive=True, reverse=True),
        [(3, 4)],
    ),
    "softmax, log_softmax, logsumexp": (
        lambda x: tf.nn.softmax(x, 0) + tf.nn.log_softmax(x) * tf.reduce_logsumexp(x),
        [(3, 4)],
    ),
    "matmul, mv, dot": (lambda a, v: tf.linalg.matvec(a, v), [(3, 4), (4,)]),
    "bmm, baddbmm": (lambda c, a, b: a @ b + 0.5 * c, [(2, 3, 2), (2, 3, 4), (2, 4, 2)]),
    "linear, addmm": (
        lambda x, w, b: tf.matmul(x, w, transpose_b=True) + b,
        [(3, 4), (5, 4), (5,)],
    ),
    "outer, tensordot, kron": (
        lambda a, b: a[:, None] * b + tf.tensordot(a, b, 0) * tf.reduce_sum(a),
        [(3,), (4,)],
    ),
    "einsum": (lambda a, b: tf.einsum("bij,bkj->bik", a, b), [(2, 3, 4), (2, 5, 4)]),
    "layer_norm": (normalized, [(3, 4), (4,), (4,)]),
    "rms_norm": (
        lambda x, w: x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-5) * w,
        [(3, 4), (4,)],
    ),
    "batch_norm": (
        lambda x, w, b: tf.nn.batch_normalization(x, *tf.nn.moments(x, [0]), b, w, 1e-5),
        [(5, 3), (3,), (3,)],
    ),
    "group_norm, instance_norm": (group_normalized, [(2, 4, 3), (4,)]),
    "dropout with a given mask": (lambda x: x * tf.constant(KEPT, x.dtype), [(3, 4)]),
    "attention": (
        lambda q, k, v: tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 2.0) @ v,
        [(2, 3, 4), (2, 5, 4), (2, 5, 4)],
    ),
    "lstm cell": (lstm, [(2, 3), (2, 4), (2, 4), (3, 16), (4, 16)]),
    "mse, l1, smooth_l1, huber": (
        lambda x, y: (
            tf.reduce_mean(tf.math.squared_difference(x, y))
            + tf.reduce_mean(tf.abs(x - y)) * huber(x, y)
        ),
        [(3, 4), (3, 4)],
    ),
    "binary cross-entropy": (
        lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(y), x),
        [(3, 4), (3, 4)],
    ),
    "kl_div": (divergence, [(3, 4), (3, 4)]),
    "normalize, cosine_similarity": (
        lambda x, y: tf.reduce_sum(tf.linalg.l2_normalize(x, 1) * tf.linalg.l2_normalize(y, 1), 1),
        [(3, 4), (3, 4)],
    ),
    "index_select, gather, scatter_add": (
        lambda x: (
            tf.gather(x, PLACES, batch_dims=1)
            + tf.gather(x, [0, 2], axis=1)
            + tf.tensor_scatter_nd_add(tf.zeros((3, 2), x.dtype), [[0], [2]], x[:2, :2])
        ),
        [(3, 4)],
    ),
    "indices by tensors": (
        lambda x: (
            tf.gather_nd(x, [[0, 1], [2, 1]])
            * tf.reduce_sum(tf.boolean_mask(x, [True, False, True]))
        ),
        [(3, 4)],
    ),
    "masked_fill": (lambda x: tf.where(MASK, x, 0.5), [(4, 4)]),
    "embedding": (lambda E: tf.gather(E, [2, 0, 2]), [(5, 3)]),
    "cross-entropy": (
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits([1, 0, 3], x),
        [(3, 4)],
    ),
    "slices, strides, new axes": (lambda x: x[:, ::2, None] * x[1:2, 1:2, None], [(3, 4)]),
    "split, chunk, unbind": (lambda x: tf.multiply(*tf.split(x, 2, 1)), [(3, 4)]),
    "cat, stack": (lambda x, y: tf.concat([x, y * 2], 1), [(3, 4), (3, 4)]),
    "repeat, expand, tile": (lambda x: tf.tile(x, (2, 1)) * tf.repeat(x, 2, 0), [(3, 4)]),
    "roll, flip": (lambda x: tf.roll(x, 1, 1) * tf.reverse(x, [1]), [(3, 4)]),
    "reshape, transpose, permute": (
        lambda x: tf.transpose(tf.reshape(x, (2, 3, 2)), (2, 0, 1)) * x[0, 0],
        [(3, 4)],
    ),
    "max and min over an axis": (
        lambda x: tf.reduce_max(tf.sin(x), 1) + tf.reduce_min(tf.cos(x), 1),
        [(3, 4)],
    ),
    "max and min of all": (lambda x: tf.reduce_max(tf.sin(x)), [(3, 4)]),
    "softmax by hand, x - max(x)": (lambda x, w: softmax_by_hand(x @ w), [(3, 4), (4, 5)]),
    "attention by hand, -inf above the diagonal": (masked_attention, [(4, 4)] * 3),
    "elu, selu": (lambda x: tf.nn.elu(x) + tf.nn.selu(x), [(3, 4)]),
    "silu, mish, hardswish": (
        lambda x: tf.nn.silu(x) + x * tf.tanh(tf.nn.softplus(x)) + x * tf.nn.relu6(x + 3) / 6,
        [(3, 4)],
    ),
    "glu, softsign": (lambda x: tf.nn.softsign(x[:, :2]) * tf.sigmoid(x[:, 2:]), [(3, 4)]),
    "prelu": (lambda x, a: tf.nn.relu(x) - a * tf.nn.relu(-x), [(3, 4), (4,)]),
    "logaddexp, xlogy": (
        lambda x, y: tf.math.xlogy(x, tf.exp(y)) + tf.math.xlog1py(y, x * x),
        [(3, 4), (3, 4)],
    ),
    "division where nothing is zero": (
        lambda x, y: tf.math.divide_no_nan(x, y) + tf.math.xdivy(y, x),
        [(3, 4), (3, 4)],
    ),
    "sin, cos, tan": (lambda x: tf.tan(x) * tf.sin(x), [(3, 4)]),
    "pow of two tensors": (lambda x, y: tf.pow(tf.exp(x), y), [(3, 4), (3, 4)]),
    "var, std": (lambda x: tf.math.reduce_std(x, 1), [(3, 4)]),
    "norms": (
        lambda x: tf.norm(x, axis=1) + tf.norm(x, 3, axis=1) + tf.math.reduce_euclidean_norm(x, 1),
        [(3, 4)],
    ),
    "where, clamp": (lambda x: tf.clip_by_value(x, -0.5, 0.5), [(3, 4)]),
    "max pool": (lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), [(2, 5, 4, 3)]),
    "average pool": (lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), [(2, 5, 4, 3)]),
    "conv1d, conv2d": (
        lambda x, w: tf.nn.conv2d(x, w, 1, [[0, 0], [1, 0], [2, 1], [0, 0]]),
        [(2, 5, 4, 3), (3, 3, 3, 2)],
    ),
    "convolutions in groups, dilated": (
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"),
        [(2, 5, 4, 3), (3, 3, 3, 2)],
    ),
    "transposed convolution": (
        lambda x, w: tf.nn.conv2d_transpose(x, w, (2, 8, 8, 2), 2, "SAME"),
        [(2, 4, 4, 3), (3, 3, 2, 3)],
    ),
    "nearest neighbours": (lambda x: tf.image.resize(x, (8, 8), "nearest"), [(2, 4, 4, 3)]),
    "pad": (lambda x: tf.pad(x, [[1, 0], [0, 2]], constant_values=0.3), [(3, 4)]),
    "pad by reflection, by edges": (
        lambda x: tf.pad(x, [[1, 0], [0, 2]], "REFLECT") + tf.pad(x, [[1, 0], [0, 2]], "SYMMETRIC"),
        [(3, 4)],
    ),
    "tril, triu, diagonal": (
        lambda x: (
            tf.linalg.band_part(x, -1, 0)
            + tf.linalg.diag(tf.linalg.diag_part(x))
            + tf.linalg.set_diag(x, x[0])
        ),
        [(4, 4)],
    ),
    "assignment by indices": (
        lambda x, y: tf.tensor_scatter_nd_update(x, [[1], [0]], y),
        [(3, 4), (2, 4)],
    ),
    "matrix inverse": (
        lambda x, y: tf.linalg.solve(x + 4 * tf.eye(3, dtype=x.dtype), y) + tf.linalg.inv(x)[:, :2],
        [(3, 3), (3, 2)],
    ),
    "conversion to float32": (
        lambda x: tf.cast(tf.nn.softmax(tf.roll(tf.cast(x, tf.float32), 1, 1)), x.dtype),
        [(3, 4)],
    ),
    "slogdet": (lambda x: tf.linalg.slogdet(tf.stack([x, x * x]))[1], [(3, 3)]),
    "checkpoints, vmap": (lambda x: tf.vectorized_map(tf.nn.softmax, x), [(3, 4)]),
    "loops of a given length": (unrolled, [(3, 4), (4,), (4, 4)]),
}

UNDECIDED = {
    "cholesky": (
        lambda x: tf.linalg.cholesky(x @ tf.transpose(x)),
        [(3, 3)],
        "Cholesky",
    ),
    "conversion to 16 bits": (
        lambda x: tf.cast(tf.cast(x, tf.bfloat16), x.dtype),
        [(3, 4)],
        "bfloat16",
    ),
    "branches on data": (
        lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.sin(x), lambda: x),
        [(3, 4)],
        "one of Python's is written out",
    ),
    "tf.while_loop, tf.cond": (
        lambda x: tf.while_loop(lambda k, y: k < 3, lambda k, y: (k + 1, tf.sin(y)), (0, x))[1],
        [(3, 4)],
        "one of Python's is written out",
    ),
}
