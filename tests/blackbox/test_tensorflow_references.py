"""References in TensorFlow's own functions have bounds, and judge."""

import numpy as np
import pytest
import tensorflow as tf

import gradproof as gp
from tests.blackbox.handwritten import WRITTEN, in_tensorflow

N = np.random.default_rng(0).standard_normal


def layer_norm(x, gamma, beta):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)


def rope(x, theta):
    a, b = tf.split(x, 2, axis=-1)
    c, s = tf.cos(theta), tf.sin(theta)
    return tf.concat([a * c - b * s, a * s + b * c], -1)


def attention(Q, K, V):
    scores = tf.einsum("td,sd->ts", Q, K) / tf.sqrt(tf.cast(tf.shape(Q)[-1], Q.dtype))
    return tf.nn.softmax(scores) @ V


def conv(x, w):
    y = tf.nn.bias_add(x[:, : x.shape[1] - 2] @ w[0], tf.zeros(w.shape[-1:], x.dtype))
    return y + x[:, 1:-1] @ w[1] + x[:, 2:] @ w[2]


def lstm(x, h, C, W, b):
    i, f, o, new = tf.split(tf.concat([h, x], 1) @ W + b, 4, axis=1)
    C = tf.sigmoid(f) * C + tf.sigmoid(i) * tf.tanh(new)
    return tf.sigmoid(o) * tf.tanh(C), C


def cross_entropy(z, y):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, z))


Y = np.exp(N((3, 5)))
REFERENCES = {
    "linear": (lambda x, W, b: tf.nn.bias_add(tf.matmul(x, W), b), [N((3, 4)), N((4, 2)), N(2)]),
    "layer_norm": (layer_norm, [N((3, 5)), N(5), N(5)]),
    "rms_norm": (
        lambda x, w: x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), 1, True) + 1e-5) * w,
        [N((3, 5)), N(5)],
    ),
    "swiglu": (lambda x, Wg, Wu: tf.nn.silu(x @ Wg) * (x @ Wu), [N((3, 4)), N((4, 5)), N((4, 5))]),
    "cross_entropy": (cross_entropy, [N((3, 5)), Y / Y.sum(1, keepdims=True)]),
    "rope": (rope, [N((3, 6)), N((3, 3))]),
    "attention": (attention, [N((3, 4)), N((5, 4)), N((5, 2))]),
    "conv": (conv, [N((2, 7, 3)), N((3, 3, 2))]),
    "lstm": (lstm, [N((2, 3)), N((2, 4)), N((2, 4)), N((7, 16)), N(16)]),
    "embedding": (lambda E, idx: tf.gather(E, idx), [N((7, 3)), np.array([2, 0, 2, 5])]),
}


def report_on(name, mistake="", dtype="float32"):
    reference, arrays = REFERENCES[name]
    given = [tf.constant(a, dtype if a.dtype.kind == "f" else a.dtype) for a in arrays]
    return gp.check(
        in_tensorflow(WRITTEN[name], mistake),
        tuple(given),
        reference=reference,
        wrt={"cross_entropy": ("z",), "rope": ("x",)}.get(name),
        draws=2,
        diagnose=False,
        battery=False,
    )


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_functions_agree_with_a_reference_in_tensorflow(name, dtype):
    report = report_on(name, dtype=dtype)
    assert set(report.kinds) == {"agrees"} and not report.faults, str(report)


@pytest.mark.parametrize("name", REFERENCES)
def test_wrong_functions_are_refuted_where_they_are_wrong(name):
    for mistake, reached in WRITTEN[name].wrong.items():
        report = report_on(name, mistake)
        refuted = {row.name for row in report.rows if row.kind == "refuted"}
        assert refuted == set(reached), (mistake, str(report))


LABELS = tf.constant([3, 0, 3])
TABLE = np.linspace(0.1, 0.7, 4)
VARIABLE = tf.Variable(TABLE)
LONE = tf.constant([True, False, True])
TRIANGLE = np.tril(np.ones((3, 3), bool))


@tf.function
def compiled(x):
    return tf.sin(x) * x


@tf.custom_gradient
def doubled(x):
    return x * x, lambda g: g * (x + x)


def counted(x):
    return x / tf.cast(tf.size(x), x.dtype) + tf.zeros_like(x) + tf.ones_like(x[:1])


READ = {
    "labels": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, x),
    "log softmax": lambda x: tf.nn.log_softmax(x, 0) * tf.reduce_logsumexp(x, 1, True),
    "soft labels": lambda x: tf.nn.softmax_cross_entropy_with_logits(tf.exp(x), x * x),
    "kinks": lambda x: tf.nn.relu(x) + tf.nn.leaky_relu(x, 0.3) + tf.nn.relu6(9 * x) + tf.abs(x),
    "smooth": lambda x: tf.nn.gelu(x) * tf.nn.softplus(x) + tf.math.erfc(x) * tf.nn.silu(x),
    "gelu by tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "trigonometry": lambda x: tf.sinh(x) * tf.cos(x) + tf.cosh(x) * tf.sin(x) + tf.sign(x) * x,
    "roots": lambda x: tf.sqrt(x * x + 1) + tf.math.rsqrt(x * x + 2) + tf.math.reciprocal(x),
    "powers": lambda x: x**3 + tf.pow(x * x + 1, -0.75) + tf.math.squared_difference(x, x[:1]),
    "logarithms": lambda x: tf.math.log1p(x * x) + tf.math.expm1(x) + tf.math.log(x * x + 1),
    "choices": lambda x: tf.where(x > x[:, :1], tf.minimum(x, 0.3), tf.maximum(x, -x)),
    "a choice by logic": lambda x: tf.where((x > 0) & ~(x >= 1) | (x < -1), x, x * x),
    "a mask": lambda x: tf.where(TRIANGLE, x[:, :3], 0) @ x,
    "a filled mask": lambda x: tf.nn.softmax(tf.where(TRIANGLE, x[:, :3], -50.0)),
    "extremes": lambda x: tf.reduce_max(x, 1) + tf.nn.l2_loss(x),
    "batches": lambda x: tf.matmul(tf.stack([x, 2 * x]), x, transpose_b=True),
    "einsum": lambda x: tf.einsum("ij,kj,j->ik", x, x, x[0]) + tf.einsum("ij->i", x),
    "batched einsum": lambda x: tf.einsum("bij,bkj->bik", tf.stack([x, x * x]), tf.stack([x, x])),
    "transposed": lambda x: tf.transpose(tf.reshape(x, (2, 3, 2)), (2, 0, 1)) * x[0, 0],
    "strides": lambda x: tf.exp(x)[::2, ..., tf.newaxis, 1:] + x[1, -1],
    "gathers": lambda x: tf.gather(x, [1, 0, 1], axis=1) * tf.gather_nd(x, [[0, 1]] * 3),
    "one of each": lambda x: tf.gather(x, LABELS[:, None], batch_dims=1),
    "added up": lambda x: tf.tensor_scatter_nd_add(x, [[0], [2], [0]], x * x),
    "segments": lambda x: tf.math.unsorted_segment_sum(x * x, [1, 0, 1], 4),
    "sorted segments": lambda x: tf.math.segment_sum(x * x, [0, 0, 1]) * tf.boolean_mask(x, LONE),
    "repeated": lambda x: tf.tile(x, (2, 1)) * tf.repeat(x, 2, 0) + tf.broadcast_to(x[0], (6, 4)),
    "padded": lambda x: tf.pad(x, [[1, 0], [0, 2]]),
    "turned": lambda x: tf.reverse(x, [1]) * tf.roll(x, 1, 0) + tf.cumsum(x, 1, reverse=True),
    "parts": lambda x: tf.add_n(tf.unstack(x)) * tf.split(x, [1, 2])[0] + tf.squeeze(x[:1]),
    "a bias": lambda x: tf.nn.bias_add(tf.stack([x, x]), x[0]),
    "powers of a number": lambda x: tf.pow(tf.constant(0.9, x.dtype), x),
    "a table": lambda x: x * tf.constant(TABLE, x.dtype),
    "a variable": lambda x: x * tf.cast(VARIABLE, x.dtype),
    "another function": lambda x: compiled(x) + doubled(x),
    "the smallest": lambda x: x - tf.stop_gradient(tf.reduce_min(x, 1, True)),
    "no gradient": lambda x: x * tf.stop_gradient(tf.sin(x)),
    "sizes": counted,
    "to the nearest": lambda x: x * tf.math.rint(3 * x),
    "a step": lambda x: x * tf.cast(x > 0, x.dtype),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_tensorflow_has_is_read(name):
    x = tf.constant(N((3, 4)), tf.float64)
    report = gp.check(
        READ[name], (x,), reference=READ[name], battery=False, diagnose=False, draws=1
    )
    assert "bounds from the program" in report.reference, report.reference
    assert set(report.kinds) == {"agrees"} and not report.faults, str(report)


@pytest.mark.parametrize(
    ("strides", "padding"), [((1, 1), "SAME"), ((2, 1), "VALID"), ((2, 2), "SAME")]
)
def test_convolutions_are_read(strides, padding):
    def convolved(x, w):
        return tf.nn.conv2d(x, w, strides, padding)

    @tf.custom_gradient
    def by_hand(x, w):
        def backward(g, scale=1.0):
            with tf.GradientTape() as tape:
                tape.watch([x, w])
                y = convolved(x, w)
            dx, dw = tape.gradient(y, [x, w], g)
            return dx * scale, dw

        return convolved(x, w), (lambda g: backward(g, 1.0001)) if wrong else backward

    given = (tf.constant(N((2, 6, 5, 2)), tf.float32), tf.constant(N((3, 2, 2, 3)), tf.float32))
    for wrong in (False, True):
        report = gp.check(by_hand, given, reference=convolved, battery=False, diagnose=False)
        expected = ("agrees", "refuted" if wrong else "agrees", "agrees")
        assert report.kinds == expected, str(report)


UNREAD = {
    "Lgamma": lambda x: tf.math.lgamma(x * x + 1),
    "RandomUniform": lambda x: x + 0 * tf.random.uniform(x.shape, dtype=x.dtype),
    "conversion to float16": lambda x: tf.cast(tf.cast(x, tf.float16), x.dtype),
    "conversion to int32": lambda x: x * tf.cast(tf.cast(x, tf.int32), x.dtype),
    "TopKV2": lambda x: tf.math.top_k(x, 2, sorted=False).values,
    "AttributeError": lambda x: x * x.numpy().max(),
    "conversion to float64": lambda x: x * tf.cast(tf.argmax(x, 1)[:, None], x.dtype),
    "Where": lambda x: x / tf.cast(tf.size(tf.boolean_mask(x, x > -9)), x.dtype),
    "Unique": lambda x: x / tf.cast(tf.size(tf.unique(tf.reshape(x, [-1]))[0]), x.dtype),
    "While": lambda x: tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: [y + 1], [x])[0],
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_decides_nothing_and_is_named(name):
    x = tf.constant(np.eye(3, 4) * 3 + 0.1 * N((3, 4)), tf.float64)
    of = UNREAD[name]
    report = gp.check(of, (x,), reference=of, battery=False, diagnose=False, draws=1)
    assert set(report.kinds) == {"undecided"}, str(report)
    assert name in report.reference, report.reference


def test_a_reference_without_a_gradient_is_an_error_of_the_caller():
    def reference(x):
        return tf.truncatemod(x, tf.constant(0.7, x.dtype))

    with pytest.raises(gp.DataError, match="no entry for: TruncateMod"):
        gp.check(reference, (tf.constant(N((2, 3))),), reference=reference)
