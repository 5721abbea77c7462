"""What a reference only reads is no constant, and its constants are rounded as the function's."""

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

import gradproof as gp

TABLE = np.linspace(0.1, 0.7, 40).reshape(4, 10)


@pytest.mark.parametrize(
    ("engine", "exp"), [("torch", torch.exp), ("jax", jnp.exp), ("tensorflow", tf.exp)]
)
def test_an_input_without_a_gradient_is_drawn_anew(engine, exp):
    def reference(x, w):
        return exp(x) * w

    report = gp.check(
        reference,
        {"x": (3, 4), "w": (4,)},
        reference=reference,
        engine=engine,
        wrt=("x",),
        battery=False,
    )
    assert report.kinds == ("agrees", "agrees"), str(report)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("engine", "added"),
    [
        ("torch", lambda x: torch.neg(x) + torch.tensor(TABLE, dtype=x.dtype)),
        ("jax", lambda x: jnp.negative(x) + jnp.asarray(TABLE, x.dtype)),
        ("tensorflow", lambda x: tf.negative(x) + tf.constant(TABLE, x.dtype)),
    ],
)
def test_a_table_of_constants_is_rounded_to_the_dtype(engine, added, dtype):
    """Where a difference nearly vanishes nothing but that rounding is left."""
    x = np.resize(TABLE[::-1], (4, 10)) * np.where(np.arange(10) % 2, 1.01, 0.9)
    for of, kind in ((added, "agrees"), (lambda x: added(x) * 1.5, "refuted")):
        report = gp.check(
            of,
            {"x": x.astype(np.float32)},
            reference=added,
            engine=engine,
            dtype=dtype,
            battery=False,
            diagnose=False,
            draws=1,
        )
        assert report.kinds == (kind, kind), str(report)
