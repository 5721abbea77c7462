"""The verb `check`: what it takes, which references it understands, and what it says."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

import gradproof as gp
from gradproof.blackbox.examine import UNREAD
from gradproof.judge.reference import PaperReference
from gradproof.report.report import RefutedError
from tests.blackbox.handwritten import NUMPY, WRITTEN, in_jax, in_tensorflow, in_torch

RMS = WRITTEN["rms_norm"]
RANDOM = np.random.default_rng(0)
X, W = (RANDOM.normal(size=shape) for shape in ((5, 6), (6,)))


def torch_rms(x, w):
    return w * x * torch.rsqrt((x * x).mean(-1, True) + 1e-5)


def jax_rms(x, w):
    return w * x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5)


# --- references -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_callable_of_pytorch_is_read_from_the_program_of_its_autodiff(dtype):
    given = tuple(torch.tensor(a).to(getattr(torch, dtype)) for a in (X, W))
    report = gp.check(in_torch(RMS), given, reference=torch_rms)
    assert report.dtype == dtype and "bounds from the program" in report.reference
    assert report.ok, str(report)
    wrong = gp.check(in_torch(RMS, "r constant"), given, reference=torch_rms)
    assert wrong["x"].kind == "refuted" and wrong["w"].kind == "agrees"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_callable_of_jax_is_read_from_the_program_of_its_autodiff(dtype):
    given = tuple(jnp.asarray(a, dtype) for a in (X, W))
    report = gp.check(in_jax(RMS), given, reference=jax_rms)
    assert report.dtype == dtype and "bounds from the program" in report.reference
    assert report.ok, str(report)
    wrong = gp.check(in_jax(RMS, "the weight from x"), given, reference=jax_rms)
    assert wrong["w"].kind == "refuted" and wrong["x"].kind == "agrees"


def test_a_callable_that_numpy_understands_is_read_and_confirmed_by_the_framework():
    for make, tensor in ((in_torch, torch.tensor), (in_tensorflow, tf.constant)):
        given = tuple(map(tensor, (X, X.T.copy(), X[:, 0].copy())))
        report = gp.check(make(WRITTEN["linear"]), given, reference=lambda x, W, b: x @ W + b)
        assert report.ok and "read as NumPy and confirmed by" in report.reference, str(report)


def test_what_numpy_and_the_framework_call_by_one_name_is_not_confused():
    """`std` divides by n in NumPy and by n − 1 in PyTorch: the framework's meaning counts."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.std(0)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            centred = x - x.mean(0)
            return g * centred / (x.std(0) * (x.shape[0] - 1))

    report = gp.check(Own.apply, (torch.tensor(X),), reference=lambda x: x.std(0))
    assert "refuted" not in report.kinds, str(report)
    assert "read as NumPy" not in report.reference


def test_without_a_bound_nothing_agrees_and_nothing_is_refuted():
    def reference(x, w):
        one = tf.math.bessel_i0(0 * x)
        return w * x * one * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 1e-5)

    given = tuple(map(tf.constant, (X, W)))
    report = gp.check(in_tensorflow(RMS), given, reference=reference)
    assert set(report.kinds) == {"undecided"} and report.exit_code == 3
    assert "no bound: its program has operation BesselI0" in report.reference
    assert any(one.text == UNREAD for one in report.observations)
    with pytest.raises(AssertionError, match=r"no bound is known[^?]* 15\.\d decimal digits"):
        gp.testing.assert_gradients(in_tensorflow(RMS), reference, given)


def test_the_upstream_gradient_may_be_a_parameter_of_the_paper():
    from gradproof.gallery.layer_norm import forward

    report = gp.check(
        in_torch(WRITTEN["layer_norm"]), reference=forward, upstream="g", dtype="float32"
    )
    assert report.ok and [row.name for row in report.rows] == ["y[0]", "x", "gamma", "beta"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_integers_choose_rows_in_a_callable_of_pytorch(dtype):
    written = WRITTEN["embedding"]
    idx = torch.tensor([0, 2, 2, 4, 3, 0])
    E = torch.tensor(X).to(getattr(torch, dtype))
    for reference in (
        lambda E, idx: E[idx],
        lambda E, idx: torch.gather(E, 0, idx[:, None].expand(-1, 6)),
        lambda E, idx: torch.nn.functional.embedding(idx, E),
    ):
        right = gp.check(in_torch(written), (E, idx), reference=reference, battery=False)
        assert right.ok and "bounds from the program" in right.reference, str(right)
        wrong = gp.check(in_torch(written, "assigned"), (E, idx), reference=reference)
        assert wrong["E"].kind == "refuted" and wrong["y[0]"].kind == "agrees"


def test_rows_that_a_callable_pads_have_no_gradient():
    given = (torch.tensor(X), torch.tensor([0, 2, 2]))
    report = gp.check(
        in_torch(WRITTEN["embedding"]),
        given,
        reference=lambda E, idx: torch.nn.functional.embedding(idx, E, padding_idx=2),
        battery=False,
    )
    assert report.kinds == ("agrees", "refuted"), str(report)


# --- dtypes ---------------------------------------------------------------------------------------


def deep(x: "N K", A: "K K", B: "K K", C: "K K", D: "K K"):
    for W in (A, B, C, D):
        x = gp.sigmoid(x @ W)
    return x


def test_where_the_bound_of_bfloat16_has_no_signal_less_is_permitted():
    def swiglu(x, w, v):
        return torch.nn.functional.silu(x @ w) * (x @ v)

    torch.manual_seed(0)
    given = (torch.randn(16, 64), torch.randn(64, 128) / 8, torch.randn(64, 128) / 8)
    report = gp.check(swiglu, given, reference=swiglu, dtype="bfloat16", battery=False)
    assert report.ok and report["x"].finding.hiding > 5 * report["x"].finding.permitted
    assert "∂l/∂v: rounding errors of bfloat16 may reach" in str(report)


def coarse(g):
    """A gradient that is rounded to 8 bits where it is float32."""
    return g.bfloat16().float() if g.dtype == torch.float32 else g


@pytest.mark.parametrize(
    ("wrong", "kind", "exact"),
    [
        (lambda g: g, "agrees", None),
        (coarse, "undecided", True),
        (lambda g: 1.0001 * g, "undecided", False),
        (lambda g: 1.001 * g, "refuted", False),
    ],
)
def test_where_the_bound_has_no_signal_nearness_decides_and_else_float64(
    wrong, kind, exact, monkeypatch
):
    class Sigmoid(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.sigmoid(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return wrong(g * y * (1 - y))

    def of_torch(x, *weights):
        for W in weights:
            x = Sigmoid.apply(x @ W)
        return x

    def refused(*given):
        raise AssertionError("true values were asked for")

    monkeypatch.setattr(PaperReference, "truth", refused)
    random = np.random.default_rng(0)
    data = [random.normal(size=shape) for shape in ((4, 96), *[(96, 96)] * 4)]
    data[1:] = [0.15 * W for W in data[1:]]
    given = tuple(torch.tensor(a, dtype=torch.float32) for a in data)
    report = gp.check(of_torch, given, reference=deep, draws=1, battery=False)
    row = report["A"]
    assert row.kind == kind
    if exact is None:  # the bound says nothing, and the numbers are far nearer
        assert report.ok and row.exact is None and row.finding.sees == 2.0**-16
    else:
        assert (row.exact.kind == "agrees") == exact
    if kind == "undecided":
        assert "no signal" in row.finding.because
    if exact is False:  # these gradients are inside float32's bound
        assert report.kinds == ("agrees", *[kind] * 5)
        said = "It is 1.00" if kind == "refuted" else "the formula is wrong, unless"
        assert all(said in report[name].why[-1] for name in "xABCD"), str(report)


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "agrees"), (1.003, "refuted")])
def test_what_only_picks_is_asked_in_float64_though_its_values_have_16_bits(factor, kind):
    class Pick(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[[0, 0, 1]]

        @staticmethod
        def backward(ctx, g):
            return factor * torch.stack([g[0] + g[1], g[2]])

    report = gp.check(
        Pick.apply,
        [torch.randn(2, 8)],
        reference=lambda x: x[[0, 0, 1]],
        dtype="bfloat16",
        battery=False,
    )
    assert report["x"].kind == kind, str(report)
    assert report["x"].exact.kind == kind


@pytest.mark.parametrize(("wrong", "right"), [(0.0, True), (1e-9, False)])
def test_rounding_that_is_too_coarse_is_told_from_a_wrong_formula(wrong, right):
    class Coarse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W):
            ctx.save_for_backward(x, W)
            return x @ W

        @staticmethod
        def backward(ctx, g):
            x, W = ctx.saved_tensors
            if x.dtype == torch.float32:
                x, g = x.bfloat16().float(), g.bfloat16().float()
            return g @ W.t(), x.t() @ g * (1 + wrong)

    def paper(x: "n d", W: "d k"):
        return x @ W

    report = gp.check(Coarse.apply, reference=paper, dtype="float32", battery=False)
    row = report["W"]
    assert row.kind == "refuted" and row.exact.kind == "agrees"
    assert row.why[0].endswith("the formula is right, the rounding is not.") == right
    assert ("to float32's precision and not to float64's" in row.why[0]) != right
    named = gp.check(
        Coarse.apply, reference=paper, dtype="float32", accumulate="bfloat16", battery=False
    )
    assert named["W"].kind == "agrees", str(named)


def test_float32_inside_a_float64_function_is_said():
    def narrow(x, w):
        value, saved = RMS.forward(NUMPY, x, w)
        return value, lambda g: [
            d.astype(np.float32).astype(np.float64) for d in RMS.backward(NUMPY, saved, g)
        ]

    row = gp.check(narrow, reference=RMS.paper, engine="numpy", dtype="float64")["x"]
    assert row.kind == "refuted" and "computed in float32" in row.why[0]


def test_a_function_that_computes_in_sixteen_bits_whatever_it_is_given():
    """Its answers to float64 say nothing about its formula, and are not used."""
    own = in_torch(RMS)

    def always(x, w):
        return own(x.bfloat16(), w.bfloat16()).to(x.dtype)

    report = gp.check(always, reference=RMS.paper, engine="torch", dtype="bfloat16")
    assert "refuted" not in report.kinds, str(report)


def test_allowed_ulps_are_stated():
    wrong = in_torch(RMS, "the weight from x")
    options = {"reference": RMS.paper, "dtype": "bfloat16", "battery": False}
    assert gp.check(wrong, **options)["w"].kind == "refuted"
    report = gp.check(wrong, allow_ulps=1e6, **options)
    assert "1e+06 ulp in every element, as asked for" in str(report)


# --- kinks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_any_slope_between_both_sides_may_be_taken_at_a_kink(slope):
    def paper(x: "n d"):
        return gp.relu(x)

    def relu(x):
        return np.maximum(x, 0), lambda g: g * np.where(x > 0, 1, np.where(x == 0, slope, 0))

    x = np.array([[0.0, 1.0, -2.0], [3.0, 0.0, 1.5]])
    report = gp.check(relu, (x,), reference=paper)
    assert "refuted" not in report.kinds, str(report)
    assert gp.check(relu, (x + 0.25,), reference=paper).ok


# --- what it says ---------------------------------------------------------------------------------


def test_a_refutation_tells_the_element_and_how_to_see_it_again():
    report = gp.check(
        in_torch(RMS, "a plus"), reference=RMS.paper, dtype="float32", seed=5, battery=False
    )
    story = report.story()
    assert "✗ ∂l/∂x is refuted" in story and "worst: ∂l/∂x[" in story and "permitted" in story
    assert report.again[1].endswith('engine="torch", dtype="float32", seed=5)')
    f = report["x"].finding
    assert f.share > 4 and f.ulps > f.permitted and len(f.worst) == 2
    with pytest.raises(RefutedError, match="∂l/∂x"):
        report.raise_if_refuted()
    again = gp.check(
        in_torch(RMS, "a plus"), reference=RMS.paper, dtype="float32", seed=5, battery=False
    )
    assert again == report


def test_a_report_is_json_and_no_line_is_wider_than_the_page():
    report = gp.check(in_torch(RMS), reference=RMS.paper, dtype="float32")
    data = json.loads(report.to_json())
    assert [row["finding"]["kind"] for row in data["rows"]] == ["agrees"] * 3
    assert max(map(len, str(report).splitlines())) <= 100
    with pytest.raises(KeyError, match="there are: y"):
        report["q"]


def test_assert_gradients_returns_the_report_or_raises_its_story():
    report = gp.testing.assert_gradients(in_torch(RMS), RMS.paper, dtype="float32")
    assert report.ok
    with pytest.raises(AssertionError, match=r"(?s)refuted: ∂l/∂w.*mean over the n terms.*seed=3"):
        gp.testing.assert_gradients(
            in_torch(RMS, "the weight's mean"), RMS.paper, dtype="float32", seed=3
        )


# --- wrong calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reference": "rms_norm"}, "The reference is str, not a function"),
        ({"dtype": "int8"}, "not one of float64, float32"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"arguments": (X,)}, "1 arguments are given, and the reference takes 2: x, w"),
        ({"arguments": {"q": X}}, "no parameter q; it takes x, w"),
        ({"arguments": X}, "not a tuple of arrays"),
        ({"wrt": ("y",)}, "wrt names y; the floating inputs are x, w"),
        ({"upstream": "g"}, "no parameter g"),
        ({"accumulate": "float32"}, "not one of tf32"),
        ({"arguments": (X, W[:3])}, "annotation says"),
        ({"function": 3}, "neither a function nor an object"),
        (
            {"function": type("Scale", (), {"apply": np.add})},
            r"not a function\.  Check Scale\.apply",
        ),
    ],
)
def test_a_wrong_call_is_an_error_that_says_so(options, said):
    given = {"function": in_torch(RMS), "reference": RMS.paper, "engine": "torch", **options}
    function = given.pop("function")
    with pytest.raises(gp.GradproofError, match=said):
        gp.check(function, given.pop("arguments", None), **given)


def test_a_framework_that_nothing_says_is_asked_for():
    with pytest.raises(gp.EngineError, match='engine="torch"'):
        gp.check(lambda x, w: x, reference=RMS.paper)


@pytest.mark.parametrize("transform", [jax.jit, jax.checkpoint, jax.vmap])
def test_a_reference_may_be_what_jax_makes_of_a_function(transform):
    reference = transform(lambda x: jnp.tanh(x) * x)
    report = gp.check(
        lambda x: jnp.tanh(x) * x, [jnp.ones((2, 3))], reference=reference, battery=False
    )
    assert report.ok, str(report)
