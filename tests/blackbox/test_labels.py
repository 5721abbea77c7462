"""Losses at labels in PyTorch: references that call them have bounds, and judge."""

import pytest
import torch
from torch.nn import functional

import gradproof as gp

LABELS = torch.tensor([3, 0, 6, 3, 1])


def data():
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), LABELS


def written(reduction, ignored=-100, wrong=1.0):
    """Softmax and cross-entropy in one, by hand."""

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, labels):
            p, kept = torch.softmax(z, 1), labels != ignored
            ctx.save_for_backward(p, labels, kept)
            each = -torch.log(p[torch.arange(len(labels)), labels]) * kept
            total = each.sum()
            return {"none": each, "sum": total, "mean": total / kept.sum()}[reduction]

        @staticmethod
        def backward(ctx, g):
            p, labels, kept = ctx.saved_tensors
            d = p.clone()
            d[torch.arange(len(labels)), labels] -= wrong
            d = d * kept[:, None]
            if reduction == "mean":
                d = d / kept.sum()
            return (g[:, None] if reduction == "none" else g) * d, None

    return Loss.apply


@pytest.mark.parametrize("ignored", [-100, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_loss_at_labels_is_decided(reduction, ignored):
    def reference(z, labels):
        return functional.cross_entropy(z, labels, reduction=reduction, ignore_index=ignored)

    right = gp.check(written(reduction, ignored), data(), reference=reference, battery=False)
    assert right.ok and right.kinds == ("agrees", "agrees"), str(right)
    wrong = gp.check(written(reduction, ignored, 1.001), data(), reference=reference, battery=False)
    assert wrong.kinds == ("agrees", "refuted")
    other = 3 if ignored == -100 else -100
    for of in (written(reduction, other), written("sum" if reduction == "mean" else "mean")):
        assert "refuted" in gp.check(of, data(), reference=reference, battery=False).kinds


def test_log_softmax_and_the_loss_of_it_and_smoothed_labels():
    def apart(z, labels):
        return functional.nll_loss(functional.log_softmax(z, 1), labels)

    def smoothed(z, labels):
        return functional.cross_entropy(z, labels, label_smoothing=0.25)

    own = written("mean")
    assert gp.check(own, data(), reference=apart).ok
    assert gp.check(own, data(), reference=smoothed, battery=False).kinds == ("refuted", "refuted")
    assert gp.check(smoothed, data(), reference=smoothed, battery=False).ok


def test_what_has_weights_is_undecided_and_says_so():
    def weighted(z, labels):
        return functional.cross_entropy(z, labels, weight=torch.ones(7, dtype=z.dtype))

    report = gp.check(written("mean"), data(), reference=weighted, battery=False)
    assert set(report.kinds) == {"undecided"} and "nll_loss_forward" in report.reference


def test_a_reference_whose_value_is_one_number_is_confirmed():
    def reference(x):
        return torch.linalg.vector_norm(x) if x.ndim > 9 else torch.sum(torch.sin(x) * x)

    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    report = gp.check(reference, (x,), reference=reference, battery=False)
    assert report.ok and "bounds from the program" in report.reference
