"""What a black box may do wrong beside its numbers: each gets a verdict, and the rest comes."""

import threading
import time

import numpy as np
import pytest
import torch

import gradproof as gp


def paper(x: "n d", W: "d k"):
    return x @ W


def gradients(x, W, g):
    return g @ W.t(), x.t() @ g


def function(backward=gradients, forward=torch.matmul):
    """A `torch.autograd.Function` with these passes."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W):
            ctx.save_for_backward(x, W)
            return forward(x, W)

        @staticmethod
        def backward(ctx, g):
            return backward(*ctx.saved_tensors, g)

    return Own.apply


def checked(backward=gradients, forward=torch.matmul, **options):
    return gp.check(function(backward, forward), reference=paper, dtype="float32", **options)


def test_a_right_function_has_no_faults_in_any_condition():
    report = checked()
    assert report.ok and report.exit_code == 0 and not report.observations
    assert len(report.tried) == len(set(report.tried)) > 15
    report.raise_if_refuted()


def raises(x, W, g):
    raise ValueError("no such kernel\nand more")


def test_a_backward_pass_that_raises():
    report = checked(raises)
    assert report.kinds == ("agrees", "undecided", "undecided") and report.exit_code == 1
    (fault,) = report.faults
    assert fault.startswith("The backward pass raises ValueError: no such kernel (test_behaviour.")


def test_a_forward_pass_that_raises():
    report = checked(forward=lambda x, W: {}["kernel"])
    assert set(report.kinds) == {"undecided"} and report.exit_code == 1
    assert report.faults[0].startswith("The forward pass raises KeyError: 'kernel'")


def test_a_value_that_is_no_tensor():
    assert checked(forward=lambda x, W: 3.0).faults == (
        "The forward pass returns float, not a tensor.",
    )


def test_a_value_of_the_wrong_shape_is_refuted():
    report = checked(forward=lambda x, W: (x @ W).t())
    assert report["y[0]"].kind == "refuted" and "not 5×7" in report["y[0]"].finding.because


def test_a_wrong_value_does_not_hide_right_gradients():
    report = checked(forward=lambda x, W: 2 * (x @ W))
    assert report.kinds == ("refuted", "agrees", "agrees")


def test_none_is_no_gradient():
    report = checked(lambda x, W, g: (g @ W.t(), None))
    assert report["x"].kind == "agrees" and report["W"].kind == "refuted"
    assert "None" in report["W"].finding.because


def test_none_is_right_where_the_gradient_is_zero():
    def unused(x: "n d", W: "d k"):
        return 2 * x

    own = function(lambda x, W, g: (2 * g, None), lambda x, W: 2 * x)
    assert gp.check(own, reference=unused, dtype="float32").ok


def test_a_gradient_of_the_wrong_shape_in_numpy_is_refuted_and_named():
    def transposed(x, W):
        return x @ W, lambda g: (g @ W.T, (x.T @ g).T)

    row = gp.check(transposed, reference=paper, engine="numpy")["W"]
    assert row.kind == "refuted" and row.finding.because == "it has the shape 7×3, not 3×7"
    assert "This is the gradient transposed." in row.why


def test_too_few_gradients():
    assert "(expected 2, got 1)" in checked(lambda x, W, g: (g @ W.t(),)).faults[0]
    report = gp.check(lambda x, W: (x @ W, lambda g: g @ W.T), reference=paper, engine="numpy")
    assert "returns 1 gradients for 2 inputs" in report.faults[0]


def test_nan_is_refuted():
    report = checked(lambda x, W, g: (g @ W.t(), (x.t() @ g) * float("nan")))
    assert report["W"].kind == "refuted" and "NaN" in report["W"].finding.because


def test_a_wrong_dtype_is_a_fault_and_the_numbers_are_judged():
    def wide(x, W):
        return x @ W, lambda g: ((g @ W.T).astype(np.float64), x.T @ g)

    report = gp.check(wide, reference=paper, engine="numpy", dtype="float32")
    assert report.kinds == ("agrees",) * 3
    assert report.faults == ("∂l/∂x comes back in float64; x is float32.",)


def overwriting(x, W):
    y = x @ W
    x *= 0.5
    return y, lambda g: (g @ W.T, 2 * (x.T @ g))


def test_an_overwritten_input_is_a_fault_unless_it_is_meant():
    assert any(
        "overwrites its input x" in fault
        for fault in gp.check(overwriting, reference=paper, engine="numpy").faults
    )
    report = gp.check(
        overwriting, reference=paper, engine="numpy", may_overwrite=("x",), battery=False
    )
    assert report.ok


def test_an_overwritten_upstream_gradient_is_a_fault():
    def clears(x, W, g):
        found = gradients(x, W, g)
        g.mul_(0)
        return found

    assert (
        "The backward pass overwrites the upstream gradient it is given." in checked(clears).faults
    )


def test_a_function_that_does_not_return_is_given_up_and_stopped():
    running = []

    def hangs(x, W, g):
        while True:
            running.append(time.monotonic())
            time.sleep(0.005)

    report = checked(hangs, timeout=0.5)
    assert report.faults == ("It does not return within 0.5 s.",) and report.exit_code == 1
    time.sleep(0.2)
    assert time.monotonic() - running[-1] > 0.1, "its thread is still running"


def test_what_is_given_up_has_left_the_framework_when_the_report_comes():
    """A process that ends while a thread is inside PyTorch's backward pass aborts."""
    before = set(threading.enumerate())

    def hangs(x, W, g):
        while True:
            time.sleep(0.1)

    assert checked(hangs, timeout=0.3).faults == ("It does not return within 0.3 s.",)
    assert set(threading.enumerate()) <= before


def test_a_function_that_returns_in_time_is_judged():
    assert checked(timeout=60).ok


class Accumulating:
    def __init__(self):
        self.dW = 0

    def forward(self, x, W):
        self.x, self.W = x, W
        return x @ W

    def backward(self, g):
        self.dW = self.dW + self.x.T @ g
        return g @ self.W.T, self.dW


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_gradients_that_are_added_up_and_never_reset_are_told_from_wrong_formulas(dtype):
    row = gp.check(Accumulating(), reference=paper, dtype=dtype)["W"]
    assert row.kind == "refuted" and row.why == (
        "Each call returns the sum of all calls so far: gradients are added up and never reset.",
    )
    once = gp.check(Accumulating(), reference=paper, dtype="float32", draws=1)
    assert once["W"].kind == "agrees"
    (fault,) = once.faults[:1]
    assert fault.startswith("Called a second time: ∂l/∂W is refuted") and "sum of both" in fault


def test_a_buffer_that_the_next_call_overwrites():
    buffers = {}

    def buffered(x, W, g):
        whole = buffers.setdefault((W.dtype, W.shape), torch.empty_like(W))
        torch.mm(x.t(), g, out=whole)
        return g @ W.t(), whole

    assert checked(buffered).faults == (
        "The next call overwrites the ∂l/∂W that was returned before.",
    )


def test_memory_read_as_if_it_were_contiguous():
    def blind(x, W, g):
        rows, columns = g.shape
        whole = g.untyped_storage().nbytes() >= g.numel() * g.element_size()
        read = torch.as_strided(g, (rows, columns), (columns, 1)) if whole else g
        return read @ W.t(), x.t() @ read

    report = checked(blind)
    assert report.kinds == ("agrees",) * 3
    assert all(
        "not contiguous: ∂l/∂" in fault or "transposed upstream gradient: ∂l/∂" in fault
        for fault in report.faults
    )
    assert report.faults


def test_an_expanded_upstream_gradient_read_past_its_end():
    def first(x, W, g):
        flat = g.stride() == (0, 0)
        return g @ W.t(), (x.t() @ g) * (0.5 if flat else 1.0)

    faults = checked(first).faults
    assert len(faults) == 1 and faults[0].startswith("With one number as upstream gradient: ∂l/∂W")


def test_a_frozen_input_does_not_take_another_gradient_with_it():
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W):
            ctx.save_for_backward(x, W)
            return x @ W

        @staticmethod
        def backward(ctx, g):
            x, W = ctx.saved_tensors
            needed, _ = ctx.needs_input_grad
            return (g @ W.t(), x.t() @ g) if needed else (None, None)

    (fault,) = gp.check(Own.apply, reference=paper, dtype="float32").faults
    assert fault.startswith("With x frozen: ∂l/∂W is refuted, no gradient is returned (None)")


def test_differences_between_runs_are_measured_and_no_fault():
    count = iter(range(1000))

    def drifts(x, W, g):
        return g @ W.t(), (x.t() @ g) * (1 + 2.0**-23 * (next(count) % 2))

    report = checked(drifts)
    assert report.ok
    (note,) = report.observations
    assert note.kind == "note" and note.text.startswith("Two runs on the same data differ by up to")


def test_what_is_wrong_is_said_in_chinese_too(capsys):
    def function(x, w):
        return x * w, lambda g: {"q": g * w}

    def reference(x: "n d", w: "d"):
        return x * w

    gp.show(gp.check(function, reference=reference, engine="numpy", battery=False), lang="zh")
    said = "".join(capsys.readouterr().out.split())
    assert "反向传播返回的字典含有q，却没有x、w" in said
