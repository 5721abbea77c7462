"""References that compute in float32 whatever they are given judge functions in every dtype."""

import numpy as np
import pytest
import torch

import gradproof as gp

N = np.random.default_rng(7).standard_normal
QUICK = {"battery": False, "diagnose": False, "draws": 2}
GIVEN = {"x": N((4, 8)), "w": N(8)}


def reference(x, w):
    fine = x.float()
    fine = fine * torch.rsqrt(fine.pow(2).mean(-1, keepdim=True) + 1e-5)
    return fine.to(x.dtype) * w


def rms_norm(inside, mistake=1.0):
    """By hand; `inside` is where it computes, or `None` for the dtype of what it is given."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            h = x.to(inside or x.dtype)
            r = torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-5)
            ctx.save_for_backward(h, r, w)
            return (h * r).to(x.dtype) * w

        @staticmethod
        def backward(ctx, g):
            h, r, w = ctx.saved_tensors
            u, du = h * r, (g * w).to(h.dtype)
            dx = (du - mistake * u * (du * u).mean(-1, keepdim=True)) * r
            return dx.to(g.dtype), (g * u.to(g.dtype)).sum(0)

    return Own.apply


def kinds(function, dtype):
    report = gp.check(function, GIVEN, reference=reference, engine="torch", dtype=dtype, **QUICK)
    assert "computes in float32 inside" in report.reference
    return report.kinds


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("inside", [torch.float32, torch.float64])
def test_a_function_that_computes_as_finely_as_the_reference_agrees(inside, dtype):
    assert kinds(rms_norm(inside), dtype) == ("agrees",) * 3


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_wrong_formula_is_refuted(dtype):
    for mistake in (0.0, -1.0, 1.01):
        wrong = kinds(rms_norm(torch.float32, mistake), dtype)
        assert wrong == ("agrees", "refuted", "agrees"), mistake


def test_a_function_that_computes_in_16_bits_is_refuted_in_float32():
    assert kinds(rms_norm(torch.bfloat16), "float32") == ("refuted",) * 3


def test_a_mask_that_is_made_numbers_rounds_nothing():
    def masked(x):
        return x * (x > 0).float()

    report = gp.check(masked, {"x": N(4)}, reference=masked, engine="torch", **QUICK)
    assert set(report.kinds) == {"agrees"} and "inside" not in report.reference


def test_where_rounding_to_float32_could_change_an_order_nothing_is_decided():
    def gated(x, w):
        return w * (x.float() > x.mean().float())

    x = np.array([1.0, 1.0, 1.0 + 2.0**-40])  # all equal in float32
    given = {"x": x, "w": np.ones(3)}
    report = gp.check(gated, given, reference=gated, engine="torch", dtype="float64", **QUICK)
    assert report.kinds[0] == "undecided" and "refuted" not in report.kinds, str(report)
