"""What is outside of its bound by rounding alone agrees, and no formula does so."""

import numpy as np
import pytest

import gradproof as gp

torch = pytest.importorskip("torch")


def sigmoid(factor=1.0, more=lambda s: 0 * s):
    """A sigmoid whose slope is ``s(1 − s)``, which loses digits where it saturates."""

    class Sigmoid(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            s = torch.sigmoid(z)
            ctx.save_for_backward(s)
            return s

        @staticmethod
        def backward(ctx, g):
            (s,) = ctx.saved_tensors
            return g * (s * (1 - s) * factor + more(s))

    return Sigmoid.apply


def checked(function, dtype, seed, scale=6):
    z = np.random.default_rng(seed).normal(size=(6, 5)) * scale
    return gp.check(
        function,
        (torch.tensor(z, dtype=getattr(torch, dtype)),),
        reference=lambda z: 1 / (1 + torch.exp(-z)),
        battery=False,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(6))
def test_lost_digits_are_no_mistake(dtype, seed):
    report = checked(sigmoid(), dtype, seed)
    assert report.ok
    row = report["z"]
    if row.finding.share > 1:
        (said,) = row.why
        assert "by rounding alone" in said and f"∂l/∂z: {said[:20]}" in str(report)


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [("float32", 1.00003), ("float32", 0.5), ("float64", 1 + 1e-12), ("float64", 1 + 2e-7)],
)
def test_a_formula_is_refuted_beside_lost_digits(dtype, factor):
    assert checked(sigmoid(factor), dtype, 0)["z"].kind == "refuted"


@pytest.mark.parametrize(("dtype", "term"), [("float32", 1e-6), ("float64", 1e-15)])
def test_a_small_term_that_is_always_there_is_refuted(dtype, term):
    assert checked(sigmoid(more=lambda s: term), dtype, 1)["z"].kind == "refuted"


def test_float32_inside_float64_is_no_rounding_of_float64():
    rounded = sigmoid(more=lambda s: (s * (1 - s)).float().double() - s * (1 - s))
    assert checked(rounded, "float64", 0, scale=2)["z"].kind == "refuted"
