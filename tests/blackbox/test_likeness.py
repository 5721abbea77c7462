"""What a wrong gradient is of right tensors, where the reference is a callable."""

import pytest

import gradproof as gp

torch = pytest.importorskip("torch")


def layer(k, wrong):
    """tanh(x w + b), the gradient of whose input number k is made wrong."""

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, b):
            ctx.save_for_backward(x, w, b)
            return torch.tanh(x @ w + b)

        @staticmethod
        def backward(ctx, g):
            x, w, b = ctx.saved_tensors
            d = g * (1 - torch.tanh(x @ w + b) ** 2)
            right = [d @ w.T, x.T @ d, d.sum(0)]
            right[k] = wrong(right[k], x, w, g, right)
            return tuple(right)

    return Layer.apply


WRONG = {
    "It is the gradient divided by 6, as if it were averaged": (2, lambda d, *_: d / 6),
    "It is 6 times the gradient, as if a division by 6": (1, lambda d, *_: d * 6),
    "It is √7 times the gradient.": (1, lambda d, *_: d * 7**0.5),
    "It is 6/(6−1) times the gradient": (0, lambda d, *_: d * 1.2),
    "The sign is wrong": (0, lambda d, *_: -d),
    "It is 2 times the gradient.": (2, lambda d, *_: 2 * d),
    "It is 1.1 times the gradient.": (1, lambda d, *_: 1.1 * d),
    "It is 0.797884 times the gradient.": (1, lambda d, *_: 0.797884 * d),
    "This is the gradient transposed.": (1, lambda d, *_: d.T),
    "Axis 0 runs backwards.": (1, lambda d, *_: d.flip(0)),
    "Axis 1 is moved forwards by one position": (1, lambda d, *_: d.roll(1, 1)),
    "This is w itself, not its gradient.": (1, lambda d, x, w, *_: w),
    "The factor w is missing.": (1, lambda d, x, w, *_: d / w),
    "It was multiplied by x, which has no place": (0, lambda d, x, *_: d * x),
    "It is the gradient plus 0.01 times w.": (1, lambda d, x, w, *_: d + 0.01 * w),
    "It is the gradient plus the upstream gradient.": (0, lambda d, x, w, g, _: d + g),
    "It is the gradient minus x.": (0, lambda d, x, *_: d - x),
    "Only the element [1, 2] is wrong": (1, lambda d, *_: d + 1.0 * (place(d) == 9)),
    "Zero where the gradient is not, at positions 5, 6 of axis 0": (
        1,
        lambda d, *_: d * (place(d) < 35),
    ),
    "Wrong only at position 5 of axis 0;": (0, lambda d, *_: d * (1 + 0.5 * (place(d) >= 35))),
    "Wrong only where w is negative;": (1, lambda d, x, w, *_: torch.where(w > 0, d, 0.3 * d)),
}


def place(tensor):
    return torch.arange(tensor.numel()).reshape(tensor.shape)


def checked(k, wrong):
    torch.manual_seed(0)
    given = (torch.randn(6, 7), torch.randn(7, 7), torch.randn(7))
    report = gp.check(
        layer(k, wrong),
        given,
        reference=lambda x, w, b: torch.tanh(x @ w + b),
        battery=False,
    )
    assert [row.kind for row in report.rows].count("refuted") == 1
    return report.rows[k + 1].why


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_gradient_is_named(said):
    assert any(line.startswith(said) for line in checked(*WRONG[said]))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d, x, w, g, _: torch.tanh(d),
        lambda d, x, w, g, _: d * (1 + 0.1 * torch.cos(17.0 * place(d))),
        lambda d, x, w, g, _: d + x * x,
        lambda d, x, w, g, _: d * (1.1 + 1e-4 * torch.cos(17.0 * place(d))),
    ],
)
def test_nothing_is_named_that_is_not_all_of_it(wrong):
    assert checked(0, wrong) == (
        "In float64 it is refuted too: the formula is wrong, not the rounding.",
    )


def test_nothing_is_said_of_a_formula_that_is_right_in_float64():
    def function(x, w):
        return ((x * x) @ w) * 1e-3

    given = [torch.tensor([[300.0, 1.0], [2.0, 3.0]]), torch.tensor([[1.0, 0.5], [0.3, 0.2]])]
    report = gp.check(function, given, reference=function, dtype="float16", battery=False)
    assert report["w"].kind == "refuted"  # x² overflows
    assert report["w"].exact.kind == "agrees"
    assert not any("times the gradient" in said for said in report["w"].why), str(report)
