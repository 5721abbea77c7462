"""The drop-ins see what a function's own forward contradicts, and pass nothing that they cannot
read."""

import inspect

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import NotYet
from gradproof.judge.generic import choose_sizes, draw
from gradproof.testing import _of_torch, check_grads, gradcheck
from gradproof.trace.signature import read_signature
from tests.blackbox.handwritten import WRITTEN, in_jax, in_torch

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
test_util = pytest.importorskip("jax.test_util")

NAMES = ("linear", "layer_norm", "rms_norm")


def arrays(paper, dtype):
    signature = read_signature(paper)
    drawn = draw(signature, choose_sizes(signature, {}, {}), {}, dtype, 0)
    return list(drawn.values())


def tensors(paper, dtype="float32"):
    made = [torch.tensor(a) for a in arrays(paper, dtype)]
    return tuple(t.requires_grad_() if t.is_floating_point() else t for t in made)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


class Wrong(Twice):
    @staticmethod
    def backward(ctx, g):
        return g * (ctx.factor + 1e-4), None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_backward_passes_in_the_dtype_of_its_inputs(name, dtype):
    written = WRITTEN[name]
    assert gradcheck(in_torch(written), tensors(written.paper, dtype)) is True


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_backward_raises(name):
    written = WRITTEN[name]
    for mistake in written.wrong:
        assert not gradcheck(
            in_torch(written, mistake), tensors(written.paper), raise_exception=False
        ), mistake


@pytest.mark.parametrize("name", ["linear", "rms_norm"])
def test_wrong_rules_of_jax_raise_and_right_ones_pass(name):
    written = WRITTEN[name]
    given = [jax.numpy.asarray(a) for a in arrays(written.paper, "float32")]
    assert check_grads(in_jax(written), given, 1) is True
    mistake = next(iter(written.wrong))
    with pytest.raises(AssertionError, match="refuted"):
        check_grads(in_jax(written, mistake), given, 1, ("rev",))


def test_no_tolerance_lets_a_wrong_backward_through_and_the_report_says_so_once():
    x = torch.randn(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(Wrong.apply, (x.double(), 2.0))  # which is why
    with pytest.raises(AssertionError) as caught:
        gradcheck(Wrong.apply, (x, 2.0), eps=1e-3, atol=1e9, rtol=1e9)
    assert "∂l/∂x is refuted" in str(caught.value)
    assert str(caught.value).count("atol and rtol are not used") == 1
    assert "Wrong.apply" in str(caught.value)
    assert gradcheck(Twice.apply, (x, 2.0), atol=0, rtol=0)


def test_only_inputs_that_require_a_gradient_are_checked():
    def layer(x, w):
        return x * w

    x, w = torch.randn(3), torch.randn(3)
    assert gradcheck(layer, (x.requires_grad_(), w))
    with pytest.raises(gp.DataError, match="requires a gradient"):
        gradcheck(layer, (torch.randn(3), w))


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, factor, x, w):
        ctx.save_for_backward(x, w)
        ctx.factor = factor
        return x @ w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return None, g @ w.T, ctx.factor * x.T @ g


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_tensors_are_checked_one_by_one(kind):
    def layers(x, weights, factor):
        for w in weights:
            x = Linear.apply(factor, x, w)
        return x

    x, *weights = (torch.randn(3, 3).requires_grad_() for _ in range(3))
    assert gradcheck(layers, (x, kind(weights), 1.0))
    with pytest.raises(AssertionError, match=r"∂l/∂weights.1. is refuted"):
        gradcheck(layers, (x.detach(), kind(weights), 2.0))
    frozen = [w.detach() for w in weights]
    with pytest.raises(gp.DataError, match="requires a gradient"):
        gradcheck(layers, (x.detach(), kind(frozen), 1.0))
    assert gradcheck(layers, (x, kind(frozen), 2.0))


def test_a_forward_of_common_operations_has_equations():
    def network(x, w, b):
        h = torch.tanh(torch.addmm(b, x, w)) - x.mean(dim=1, keepdim=True)
        y = torch.relu(h.transpose(0, 1) / 2).exp().sum(0) ** 2
        return torch.sigmoid(y) + 0.5 * h.sum(dim=(1,))

    given = [torch.randn(*shape).requires_grad_() for shape in ((4, 3), (3, 5), (5,))]
    report = _of_torch(network, given, 0, order=1)
    assert "read as NumPy" in report.reference and report.ok
    report = _of_torch(lambda x: torch.flip(x, (0,)), given[:1], 0, order=1)
    assert "bounds from the program" in report.reference and report.ok


def test_the_positional_order_is_that_of_the_originals():
    original = list(inspect.signature(torch.autograd.gradcheck).parameters)
    assert list(inspect.signature(gradcheck).parameters)[: len(original)] == original
    original = list(inspect.signature(test_util.check_grads).parameters)
    assert list(inspect.signature(check_grads).parameters)[: len(original)] == original


def branch(x):
    return x * x if float(x.detach().sum()) > 0 else x


def taken_out(x):
    return x * torch.tensor(x.detach().tolist())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", [branch, taken_out])
@pytest.mark.parametrize("raising", [True, False])
def test_a_forward_that_cannot_be_read_is_an_error_and_no_pass(function, raising):
    with pytest.raises(NotYet, match="cannot be read"):
        gradcheck(function, (torch.randn(3).requires_grad_(),), raise_exception=raising)


def test_a_rule_inside_a_loop_of_jax_is_an_error_and_no_pass():
    @jax.custom_jvp
    def sine(x):
        return jax.numpy.sin(x)

    sine.defjvps(lambda t, y, x: jax.numpy.cos(x) * t)

    def loop(x):
        return jax.lax.fori_loop(0, 3, lambda i, a: sine(a), x)

    with pytest.raises(NotYet, match="cannot be read"):
        check_grads(loop, (jax.numpy.arange(3.0),), 1)


def test_what_is_not_there_is_said():
    x = torch.randn(3).requires_grad_()
    with pytest.raises(NotYet, match="check_forward_ad"):
        gradcheck(torch.tanh, (x,), check_forward_ad=True)
    with pytest.raises(gp.DataError, match="modes"):
        check_grads(jax.numpy.tanh, (np.ones(3, np.float32),), 1, ("sideways",))


def is_usual(x):
    numbers = x.detach().numpy()
    return bool(np.all(numbers != 0)) and bool(np.abs(numbers).max() < 50)


class Guarded(torch.autograd.Function):
    """A square, and another function of large numbers, and of zeros."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x if is_usual(x) else x + 1

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x if is_usual(x) else g


def test_a_forward_that_is_another_function_at_zeros_is_not_held_against_what_was_read():
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert gradcheck(Guarded.apply, (x,))


def test_a_backward_that_is_wrong_only_at_zeros_raises():
    class Quotient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * (x * x) / x

    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    with pytest.raises(AssertionError, match="With zeros in x"):
        gradcheck(Quotient.apply, (x,))
