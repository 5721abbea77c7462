"""Losses at labels in PyTorch: references that call them have bounds, and judge."""

import pytest
import torch
from torch.nn import functional

import gradproof as gp

LABELS = torch.tensor([3, 0, 6, 3, 1])
QUICK = {"battery": False, "diagnose": False, "draws": 1}


def data():
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), LABELS


def written(reduction, ignored=-100, wrong=1.0):
    """Softmax and cross-entropy in one, by hand."""

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, labels):
            p, kept = torch.softmax(z, 1), labels != ignored
            ctx.save_for_backward(p, labels, kept)
            each = -torch.log_softmax(z, 1)[torch.arange(len(labels)), labels] * kept
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


WEIGHTS = torch.linspace(0.5, 2.0, 7)


def chosen(z, labels, given):
    """What every row's loss takes of −log p: a row of numbers for each; and the weight of each
    row."""
    weights = given.get("weight")
    weights = torch.ones(z.shape[1]) if weights is None else weights
    weights = weights.to(z.dtype)
    smooth = given.get("label_smoothing", 0.0)
    if labels.is_floating_point():
        targets = labels * (1 - smooth) + smooth / z.shape[1]
        return weights * targets, torch.ones(len(z), dtype=z.dtype)
    kept = labels != given.get("ignore_index", -100)
    safe = torch.where(kept, labels, 0)
    hot = torch.nn.functional.one_hot(safe, z.shape[1]).to(z.dtype)
    shares = weights * (hot * (1 - smooth) + smooth / z.shape[1])
    return shares * kept[:, None], weights[safe] * kept


def by_hand(given, mistake=""):
    """Cross-entropy of scores (n, classes, places …) with all that PyTorch's has, by hand."""
    reduction = given.get("reduction", "mean")

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, labels):
            rows = z.movedim(1, -1).reshape(-1, z.shape[1]) if z.ndim > 1 else z[None]
            flat = labels.movedim(1, -1) if labels.shape == z.shape and z.ndim > 2 else labels
            flat = flat.reshape(len(rows), -1) if labels.is_floating_point() else flat.reshape(-1)
            shares, weights = chosen(rows, flat, given)
            log = torch.log_softmax(rows, 1)
            total = -(shares * log).sum(1)
            count = weights.sum()
            ctx.save_for_backward(log.exp(), shares, weights)
            ctx.shape = z.shape
            if reduction == "none":
                return total.reshape(z.shape[:1] + z.shape[2:] if z.ndim > 1 else ())
            return total.sum() / (count if reduction == "mean" else 1)

        @staticmethod
        def backward(ctx, g):
            p, shares, weights = ctx.saved_tensors
            whole = weights if mistake == "label's share" else shares.sum(1)
            d = p * whole[:, None] - shares
            if mistake == "log":
                d = p - shares
            if reduction == "mean":
                d = d / (len(weights) if mistake == "count" else weights.sum())
            d = (g.reshape(-1, 1) if reduction == "none" else g) * d
            shape = ctx.shape
            if len(shape) > 1:
                d = d.reshape(shape[0], *shape[2:], shape[1]).movedim(-1, 1)
            return d.reshape(shape), None

    return Loss.apply


def scores(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


SPATIAL = torch.tensor([[[3, 0], [6, 3]], [[1, 3], [5, 2]]])
LOSSES = {
    "weights": ({"weight": WEIGHTS}, LABELS, "count"),
    "weights, each": ({"weight": WEIGHTS, "reduction": "none"}, LABELS, "log"),
    "weights, ignored": ({"weight": WEIGHTS, "ignore_index": 3}, LABELS, "count"),
    "weights, sum": ({"weight": WEIGHTS, "reduction": "sum", "ignore_index": 1}, LABELS, "log"),
    "smoothed": ({"label_smoothing": 0.1, "weight": WEIGHTS}, LABELS, "label's share"),
    "smoothed, ignored": ({"label_smoothing": 0.1, "ignore_index": 3}, LABELS, "count"),
    "all": (
        {"label_smoothing": 0.2, "ignore_index": 3, "weight": WEIGHTS, "reduction": "none"},
        LABELS,
        "label's share",
    ),
    "one row": ({"weight": WEIGHTS, "reduction": "sum"}, torch.tensor(4), "log"),
    "places": ({}, SPATIAL, "log"),
    "places, all": (
        {"weight": WEIGHTS, "ignore_index": 3, "label_smoothing": 0.1},
        SPATIAL,
        "label's share",
    ),
    "places, each": ({"reduction": "none", "ignore_index": 3}, SPATIAL, "log"),
    "a line": ({"reduction": "sum"}, SPATIAL[:, 0], "log"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_all_of_pytorch_s_cross_entropy_is_decided(name):
    given, labels, mistake = LOSSES[name]
    shape = (7,) if labels.ndim == 0 else (labels.shape[0], 7, *labels.shape[1:])

    def reference(z, labels):
        weight = given.get("weight")
        own = given if weight is None else {**given, "weight": weight.to(z.dtype)}
        return functional.cross_entropy(z, labels, **own)

    def checked(function):
        data = (scores(*shape), labels)
        return gp.check(function, data, reference=reference, **QUICK)

    right = checked(by_hand(given))
    assert right.kinds == ("agrees", "agrees"), str(right)
    assert max(row.finding.sees for row in right.rows) < 1e-4
    if not (mistake == "log" and given.get("ignore_index") is None and "weight" not in given):
        wrong = checked(by_hand(given, mistake))
        assert wrong.kinds == ("agrees", "refuted"), str(wrong)
    doubled = checked(by_hand({**given, "reduction": "sum" if name != "one row" else "none"}))
    assert name == "one row" or given.get("reduction") == "sum" or "refuted" in doubled.kinds


@pytest.mark.parametrize("given", [{}, {"label_smoothing": 0.1}, {"weight": WEIGHTS}])
def test_probabilities_as_labels_are_decided(given):
    probabilities = torch.softmax(scores(5, 7).flip(0), 1)

    def reference(z, t):
        weight = given.get("weight")
        own = given if weight is None else {**given, "weight": weight.to(z.dtype)}
        return functional.cross_entropy(z, t, **own)

    for mistake in ("", "label's share" if "weight" in given else "count"):
        function = by_hand(given, mistake)
        data = (scores(5, 7), probabilities)
        report = gp.check(function, data, reference=reference, wrt=["z"], **QUICK)
        wrong = mistake == "label's share"
        assert report.kinds == ("agrees", "refuted" if wrong else "agrees"), str(report)


def test_a_reference_whose_value_is_one_number_is_confirmed():
    def reference(x):
        return torch.linalg.vector_norm(x) if x.ndim > 9 else torch.sum(torch.sin(x) * x)

    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    report = gp.check(reference, (x,), reference=reference, battery=False)
    assert report.ok and "bounds from the program" in report.reference
