"""Functions whose 16-bit sums are stored in parts are not refuted, and wrong ones are."""

import pytest
import torch
import torch.nn.functional as functional

import gradproof as gp


def paper(x: "n 2 9 9"):
    return gp.avg_pool2d(x, 3, stride=2, layout="NCHW")


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return functional.avg_pool2d(x, 3, 2)

    @staticmethod
    def backward(context, g):
        (x,) = context.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_()
            (dx,) = torch.autograd.grad(functional.avg_pool2d(again, 3, 2), again, g)
        return 2 * dx


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_overlapping_windows_are_added_up_where_they_land(dtype):
    """The gradient of PyTorch's own pooling was refuted: it is stored after every addition."""

    def pool(x):
        return functional.avg_pool2d(x, 3, 2)

    for seed in range(3):
        report = gp.check(pool, reference=paper, engine="torch", dtype=dtype, seed=seed)
        assert report.ok, str(report)
    wrong = gp.check(Doubled.apply, reference=paper, engine="torch", dtype=dtype, seed=0)
    assert {row.name: row.finding.kind for row in wrong.rows}["x"] == "refuted"
