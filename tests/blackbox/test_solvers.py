"""Factors are read as their matrix where a determinant has left them, and only there."""

import numpy as np
import pytest
import torch

import gradproof as gp

N = np.random.default_rng(11).standard_normal
QUICK = {"battery": False, "diagnose": False, "draws": 1}
ROWS = torch.tensor([1, 2, 3], dtype=torch.int32)


@pytest.mark.parametrize(
    "reference",
    [
        lambda A, b: torch.linalg.lu_solve(A, ROWS, b),
        lambda A, b: torch.linalg.slogdet(A)[0] * b,
    ],
)
def test_what_else_has_to_do_with_factors_decides_nothing(reference):
    given = {"A": N((3, 3)), "b": N((3, 2))}
    report = gp.check(reference, given, reference=reference, engine="torch", **QUICK)
    assert "no bound" in report.reference and set(report.kinds) == {"undecided"}


def log_det(mistake):
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, A):
            ctx.save_for_backward(A)
            return torch.linalg.slogdet(A)[1]

        @staticmethod
        def backward(ctx, g):
            (A,) = ctx.saved_tensors
            inverse = torch.linalg.inv(A)
            return g * (inverse if mistake == "turned" else inverse.T)

    return Own.apply


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_gradient_of_a_determinant_judges(dtype):
    def kinds(mistake):
        return gp.check(
            log_det(mistake),
            {"A": N((3, 3)) + 2 * np.eye(3)},
            reference=lambda A: torch.linalg.slogdet(A)[1],
            engine="torch",
            dtype=dtype,
            **QUICK,
        ).kinds

    assert kinds("") == ("agrees", "agrees")
    assert kinds("turned") == ("agrees", "refuted")
