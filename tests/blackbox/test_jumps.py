"""Functions that jump are judged between their jumps, and at one of them nobody is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

import gradproof as gp

N = np.random.default_rng(5).standard_normal
QUICK = {"battery": False, "diagnose": False, "draws": 1}


def quantized(mistake):
    """Rounded to eighths, with the gradient passed through, and none outside of −1 to 1."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            if mistake == "floor":
                return torch.floor(8 * x) / 8 * (x.abs() < 1)
            return torch.round(8 * x) / 8 * (x.abs() < 1)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            inside = x.abs() < 1
            return {"nothing": 0 * g, "everything": g, "scale": g * inside / 8}.get(
                mistake, g * inside
            )

    return Own.apply


def reference(x):
    passed = x + (torch.round(8 * x) / 8 - x).detach()
    return torch.where(x.abs() < 1, passed, 0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_straight_through_quantizer_judges(dtype):
    def kinds(mistake):
        given = {"x": N((6, 5))}
        of = quantized(mistake)
        return gp.check(of, given, reference=reference, engine="torch", dtype=dtype, **QUICK).kinds

    assert kinds("") == ("agrees", "agrees")
    assert kinds("floor") == ("refuted", "agrees")
    for mistake in ("nothing", "everything", "scale"):
        assert kinds(mistake) == ("agrees", "refuted"), mistake


def remainder(mistake):
    @jax.custom_vjp
    def own(x, y):
        return x - y * jnp.floor(x / y)

    def backward(kept, g):
        x, y = kept
        whole = jnp.trunc(x / y) if mistake == "trunc" else jnp.floor(x / y)
        return g, g * whole if mistake == "sign" else -g * whole

    own.defvjp(lambda x, y: (own(x, y), (x, y)), backward)
    return own


@pytest.mark.parametrize("function", [jnp.remainder, jnp.mod])
def test_a_remainder_judges(function):
    given = {"x": N((4, 5)).astype(np.float32), "y": N((4, 5)).astype(np.float32)}

    def kinds(mistake):
        of = remainder(mistake)
        return gp.check(
            of, given, reference=lambda x, y: function(x, y), engine="jax", **QUICK
        ).kinds

    assert kinds("") == ("agrees",) * 3
    assert kinds("sign") == kinds("trunc") == ("agrees", "agrees", "refuted")


def test_at_a_jump_nobody_is_wrong():
    x = np.array([[0.5, 1.5, 0.25], [2.5, -0.5, 1.75]])

    @tf.custom_gradient
    def upwards(x):
        whole = tf.floor(x + 0.5)  # of two that are as near, the larger
        return x * whole, lambda g: g * whole

    report = gp.check(
        upwards, {"x": x}, reference=lambda x: x * tf.round(x), engine="tensorflow", **QUICK
    )
    assert "refuted" not in report.kinds and not report.faults, str(report)


def test_a_jump_that_rounding_may_cross_decides_nothing():
    def floored(x, w):
        return torch.floor(x @ w)

    x, w = np.full((2, 3), 0.1), np.full((3, 2), 10 / 3)  # 1, but for rounding
    given = {"x": x.astype(np.float32), "w": w.astype(np.float32)}
    report = gp.check(
        lambda x, w: 1 - torch.floor(x @ w), given, reference=floored, engine="torch", **QUICK
    )
    assert report.kinds[0] == "undecided", str(report)
