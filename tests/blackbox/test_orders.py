"""What the order of numbers says in JAX and TensorFlow is read where rounding cannot change it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

import gradproof as gp

N = np.random.default_rng(9).standard_normal
QUICK = {"battery": False, "diagnose": False, "draws": 1}


def placed(places, g, mistake):
    """The gradient of what is read at these places of each row, by hand."""
    d = np.zeros((len(places), 5), g.dtype)
    rows = np.arange(len(places))[:, None]
    if mistake == "turned":
        places = places[:, ::-1]
    if mistake == "first":
        places = np.zeros_like(places)
    np.add.at(d, (rows, places), g * (2 if mistake == "twice" else 1))
    return d


def in_jax(order, mistake):
    @jax.custom_vjp
    def own(x):
        return jnp.take_along_axis(x, order(x), 1)

    def backward(places, g):
        d = jax.ShapeDtypeStruct((len(places), 5), g.dtype)
        return (jax.pure_callback(lambda p, g: placed(p, g, mistake), d, places, g),)

    own.defvjp(lambda x: (own(x), order(x)), backward)
    return own


def in_tensorflow(order, mistake):
    @tf.custom_gradient
    def own(x):
        places = order(x)

        def backward(g):
            return tf.constant(placed(places.numpy(), g.numpy(), mistake))

        return tf.gather(x, places, batch_dims=1), backward

    return own


CASES = {
    "sort": ("jax", lambda x: jnp.argsort(x, 1), lambda x: jnp.sort(x, 1)),
    "top_k": ("jax", lambda x: jnp.argsort(-x, 1)[:, :2], lambda x: jax.lax.top_k(x, 2)[0]),
    "median": ("jax", lambda x: jnp.argsort(x, 1)[:, 2:3], lambda x: jnp.median(x, 1)[:, None]),
    "argmax": (
        "jax",
        lambda x: jnp.argmax(x, 1)[:, None],
        lambda x: x[jnp.arange(len(x)), jnp.argmax(x, 1)][:, None],
    ),
    "tf.sort": ("tensorflow", lambda x: tf.argsort(x, 1), lambda x: tf.sort(x, 1)),
    "tf.top_k": (
        "tensorflow",
        lambda x: tf.argsort(-x, 1)[:, :2],
        lambda x: tf.math.top_k(x, 2).values,
    ),
    "tf.argmax": (
        "tensorflow",
        lambda x: tf.argmax(x, 1)[:, None],
        lambda x: tf.gather(x, tf.argmax(x, 1), axis=1, batch_dims=1)[:, None],
    ),
}
BY_HAND = {"jax": in_jax, "tensorflow": in_tensorflow}


def report_on(name, mistake, x):
    engine, order, reference = CASES[name]
    of = BY_HAND[engine](order, mistake)
    return gp.check(of, {"x": x}, reference=reference, engine=engine, **QUICK)


@pytest.mark.parametrize("name", CASES)
def test_what_is_read_by_order_judges(name):
    x = N((4, 5)).astype(np.float32)
    assert report_on(name, "", x).kinds == ("agrees", "agrees")
    for mistake in ("twice", "first") + (("turned",) if "sort" in name else ()):
        report = report_on(name, mistake, x)
        assert report.kinds == ("agrees", "refuted"), (mistake, str(report))


@pytest.mark.parametrize("name", CASES)
def test_a_tie_is_nobody_s_mistake(name):
    x = np.array([[2.0, 2, 2, 2, 2], [1.0, 1, 1, 1, 1]], np.float32)
    for mistake in ("", "turned"):
        report = report_on(name, mistake, x)
        assert "refuted" not in report.kinds, str(report)


@pytest.mark.parametrize("engine", BY_HAND)
def test_a_row_whose_order_rounding_may_change_leaves_the_others_judged(engine):
    """The first two of the first row are equal, but for rounding."""
    x, w = N((4, 3)), N((3, 5))
    w[:, 1] = w[:, 0] * (1 + 1e-9)
    x[0] = np.linalg.solve([w[:, 0], w[:, 2], w[:, 3]], [9.0, 1, 2])  # the largest by far
    given = {"x": x.astype(np.float32), "w": w.astype(np.float32)}
    largest = {
        "jax": lambda x, w: jnp.take_along_axis(x @ w, jnp.argmax(x @ w, 1)[:, None], 1),
        "tensorflow": lambda x, w: tf.gather(x @ w, tf.argmax(x @ w, 1)[:, None], batch_dims=1),
    }[engine]
    whole = gp.check(largest, given, reference=largest, engine=engine, **QUICK)
    rows = {row.name: row.finding for row in whole.rows}
    assert whole.kinds[:2] == ("agrees", "agrees"), str(whole)
    assert "refuted" not in whole.kinds and np.isfinite(rows["x"].sees), str(whole)


@pytest.mark.parametrize(
    ("reference", "engine"),
    [
        (lambda x: jax.lax.sort_key_val(x, x * x)[1], "jax"),
        (lambda x: jnp.take_along_axis(x[:, :2], jnp.argsort(x, 1), 1), "jax"),
        (lambda x: x * jnp.argmax(x, 1, keepdims=True), "jax"),
    ],
)
def test_what_is_not_read_decides_nothing(reference, engine):
    report = gp.check(reference, {"x": N((3, 4))}, reference=reference, engine=engine, **QUICK)
    assert "no bound" in report.reference and "refuted" not in report.kinds
