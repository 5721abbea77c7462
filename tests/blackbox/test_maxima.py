"""References whose gradient goes through the largest of several numbers judge what is by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch.nn import functional

import gradproof as gp

N = np.random.default_rng(3).standard_normal
QUICK = {"battery": False, "diagnose": False, "draws": 1}


def scores(x, w, largest, stopped):
    """The same softmax in all frameworks, with the largest as a number or as a function."""

    def of(exp, total):
        z = x @ w
        top = largest(z)
        e = exp(z - (stopped(top) if stopped else top))
        return e / total(e)

    return of


def torch_softmax(stopped):
    return lambda x, w: scores(
        x, w, lambda z: z.amax(-1, keepdim=True), torch.Tensor.detach if stopped else None
    )(torch.exp, lambda e: e.sum(-1, keepdim=True))


def jax_softmax(stopped):
    return lambda x, w: scores(
        x, w, lambda z: z.max(-1, keepdims=True), jax.lax.stop_gradient if stopped else None
    )(jnp.exp, lambda e: e.sum(-1, keepdims=True))


def tensorflow_softmax(stopped):
    return lambda x, w: scores(
        x, w, lambda z: tf.reduce_max(z, -1, True), tf.stop_gradient if stopped else None
    )(tf.exp, lambda e: tf.reduce_sum(e, -1, True))


def pulled(p, g, x, w, mistake):
    """The gradients of a softmax of x @ w, of NumPy's or a framework's arrays."""
    summed = (g * p).sum(-1)[:, None]
    dz = p * (g - (0 if mistake == "sum" else summed))
    if mistake == "axis":
        dz = p * (g - (g * p).sum(0)[None])
    return dz @ w.T, x.T @ (g * p if mistake == "w" else dz)


def torch_by_hand(mistake):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            p = torch.softmax(x @ w, -1)
            ctx.save_for_backward(p, x, w)
            return p

        @staticmethod
        def backward(ctx, g):
            p, x, w = ctx.saved_tensors
            return pulled(p, g, x, w, mistake)

    return Own.apply


def jax_by_hand(mistake):
    @jax.custom_vjp
    def own(x, w):
        return jax.nn.softmax(x @ w)

    def forward(x, w):
        p = own(x, w)
        return p, (p, x, w)

    def backward(kept, g):
        p, x, w = kept
        return pulled(p, g, x, w, mistake)

    own.defvjp(forward, backward)
    return own


def tensorflow_by_hand(mistake):
    @tf.custom_gradient
    def own(x, w):
        p = tf.nn.softmax(x @ w)

        def backward(g):
            summed = tf.reduce_sum(g * p, 0 if mistake == "axis" else -1, True)
            dz = p * (g - (0 if mistake == "sum" else summed))
            into = g * p if mistake == "w" else dz
            return dz @ tf.transpose(w), tf.transpose(x) @ into

        return p, backward

    return own


FRAMEWORKS = {
    "torch": (torch_softmax, torch_by_hand),
    "jax": (jax_softmax, jax_by_hand),
    "tensorflow": (tensorflow_softmax, tensorflow_by_hand),
}


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("engine", FRAMEWORKS)
def test_a_softmax_that_subtracts_its_largest_judges(engine, stopped):
    softmax, by_hand = FRAMEWORKS[engine]
    given = {"x": N((3, 4)).astype(np.float32), "w": N((4, 5)).astype(np.float32)}

    def kinds(mistake):
        of = by_hand(mistake)
        return gp.check(of, given, reference=softmax(stopped), engine=engine, **QUICK).kinds

    assert kinds("") == ("agrees",) * 3
    assert kinds("sum") == kinds("axis") == ("agrees", "refuted", "refuted")
    assert kinds("w") == ("agrees", "agrees", "refuted")


# --- the largest as the function itself -----------------------------------------------------------


def largest(mistake):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y, place = x.sin().max(1)
            ctx.save_for_backward(x, place)
            return y

        @staticmethod
        def backward(ctx, g):
            x, place = ctx.saved_tensors
            d = torch.zeros_like(x)
            if mistake == "smallest":
                place = x.sin().argmin(1)
            share = 1 / x.shape[1] if mistake == "mean" else 1
            d[torch.arange(len(x)), place] = g * share
            return d if mistake == "slope" else d * x.cos()

    return Own.apply


@pytest.mark.parametrize(
    "reference",
    [
        lambda x: x.sin().amax(1),
        lambda x: x.sin().max(1).values,
        lambda x: -(-x.sin()).min(1).values,
        lambda x: x.sin().sort(1).values[:, -1],
        lambda x: x.sin().topk(1, 1).values[:, 0],
        lambda x: x.sin().gather(1, x.sin().argmax(1, keepdim=True))[:, 0],
    ],
)
def test_the_largest_of_a_row_judges(reference):
    x = torch.tensor(N((5, 6)), dtype=torch.float32)
    assert gp.check(largest(""), (x,), reference=reference, **QUICK).kinds == ("agrees", "agrees")
    for mistake in ("smallest", "mean", "slope"):
        report = gp.check(largest(mistake), (x,), reference=reference, **QUICK)
        assert report.kinds == ("agrees", "refuted"), (mistake, str(report))


def test_a_large_tensor_that_is_put_in_order_judges():
    def by_hand(scale):
        class Own(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y, ctx.places = x.sort(1)
                return y

            @staticmethod
            def backward(ctx, g):
                return torch.zeros_like(g).scatter(1, ctx.places, g * scale)

        return Own.apply

    given = {"x": N((150, 150)).astype(np.float32)}

    def kinds(scale):
        of = by_hand(scale)
        return gp.check(
            of, given, reference=lambda x: x.sort(1).values, engine="torch", **QUICK
        ).kinds

    assert kinds(1) == ("agrees", "agrees")
    assert kinds(1.01) == ("agrees", "refuted")


def test_a_tie_is_nobody_s_mistake():
    x = torch.tensor([[1.0, 1.0, 0.5], [0.25, 2.0, 0.75]])

    def reference(x):
        return x.amax(1)

    class First(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y, place = x.max(1)
            ctx.save_for_backward(x, place)
            return y

        @staticmethod
        def backward(ctx, g):
            x, place = ctx.saved_tensors
            return torch.zeros_like(x).scatter(1, place[:, None], g[:, None])

    report = gp.check(First.apply, (x,), reference=reference, **QUICK)
    assert "refuted" not in report.kinds, str(report)


# --- pools ----------------------------------------------------------------------------------------


def pooled(kind, mistake):
    """A pool of windows 2×2 that do not overlap, by hand."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            parts = x.unfold(2, 2, 2).unfold(3, 2, 2)
            ctx.save_for_backward(parts)
            return parts.amax((4, 5)) if kind == "max" else parts.mean((4, 5))

        @staticmethod
        def backward(ctx, g):
            (parts,) = ctx.saved_tensors
            wide = g[..., None, None].expand(parts.shape)
            if kind == "max":
                d = wide if mistake == "all" else wide * (parts == parts.amax((4, 5), True))
            else:
                d = wide / (2 if mistake == "half" else 4)
            d = d.transpose(4, 5) if mistake == "turned" else d
            n, c, h, w = parts.shape[:4]
            return d.permute(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)

    return Own.apply


@pytest.mark.parametrize(("kind", "mistakes"), [("max", ("all", "turned")), ("mean", ("half",))])
def test_pools_judge(kind, mistakes):
    own = functional.max_pool2d if kind == "max" else functional.avg_pool2d
    x = torch.tensor(N((2, 3, 4, 6)), dtype=torch.float32)

    def kinds(mistake):
        return gp.check(pooled(kind, mistake), (x,), reference=lambda x: own(x, 2), **QUICK).kinds

    assert kinds("") == ("agrees", "agrees")
    for mistake in mistakes:
        assert kinds(mistake) == ("agrees", "refuted"), mistake


@pytest.mark.parametrize("kind", ["MAX", "AVG"])
def test_tensorflow_s_pools_judge(kind):
    def reference(x):
        return tf.nn.pool(x, (3, 3), kind, (2, 2), "SAME")

    def by_hand(scale):
        @tf.custom_gradient
        def own(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = reference(x)
            return y, lambda g: tape.gradient(y, x, g) * scale

        return own

    x = tf.constant(N((2, 5, 4, 3)), tf.float32)
    assert gp.check(by_hand(1.0), (x,), reference=reference, **QUICK).kinds == ("agrees", "agrees")
    wrong = gp.check(by_hand(9 / 6), (x,), reference=reference, **QUICK)
    assert wrong.kinds == ("agrees", "refuted")


# --- masks of −∞ ----------------------------------------------------------------------------------


def attention(fill):
    mask = torch.tril(torch.ones(5, 5, dtype=torch.bool))
    return lambda q, k, v: torch.softmax((q @ k.T / 2).masked_fill(~mask, fill), -1) @ v


def attention_by_hand(mistake):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):
            mask = torch.tril(torch.ones(5, 5, dtype=torch.bool))
            p = torch.softmax((q @ k.T / 2).masked_fill(~mask, -torch.inf), -1)
            ctx.save_for_backward(q, k, v, p)
            return p @ v

        @staticmethod
        def backward(ctx, g):
            q, k, v, p = ctx.saved_tensors
            dp = g @ v.T
            ds = p * (dp - (dp if mistake == "sum" else dp * p).sum(-1, keepdim=True))
            ds = ds / (1 if mistake == "scale" else 2)
            return ds @ k, (ds if mistake == "turned" else ds.T) @ q, p.T @ g

    return Own.apply


@pytest.mark.parametrize("fill", [-torch.inf, -1e9, -1e4])
def test_attention_under_a_mask_judges(fill):
    given = tuple(torch.tensor(N((5, 4)), dtype=torch.float32) for _ in range(3))

    def report(mistake):
        return gp.check(attention_by_hand(mistake), given, reference=attention(fill), **QUICK)

    right = report("")
    assert right.kinds == ("agrees",) * 4, str(right)
    assert max(row.finding.sees for row in right.rows) < 1e-3
    assert (
        report("sum").kinds == report("scale").kinds == ("agrees", "refuted", "refuted", "agrees")
    )
    assert report("turned").kinds == ("agrees", "agrees", "refuted", "agrees")
