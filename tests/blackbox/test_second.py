"""The gradient of the gradient: right backward passes agree, and wrong ones are refuted."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import EngineError
from gradproof.testing import check_grads, gradgradcheck
from tests.blackbox.handwritten import MAKERS, WRITTEN, Written, in_jax, in_torch

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

RANDOM = np.random.default_rng(0)
X, W = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((5, 6), (6,)))


def square_paper(x: "n d"):
    return x * x


def recomputing(written: Written) -> Written:
    """The same function, whose forward saves its inputs and nothing else."""
    return Written(
        written.paper,
        lambda xp, *inputs: (written.forward(xp, *inputs)[0], inputs),
        lambda xp, saved, g, wrong="": written.backward(
            xp, written.forward(xp, *saved)[1], g, wrong=wrong
        ),
        written.wrong,
    )


def checked(function, written, **options):
    given = {"reference": written.paper, "dtype": "float32", "order": 2, "battery": False}
    return gp.check(function, **given, **options)


@pytest.mark.parametrize(
    ("engine", "names"),
    [
        ("tensorflow", WRITTEN),
        ("jax", ("rms_norm", "embedding")),
        ("torch", ("linear", "attention", "conv", "embedding", "rope")),
    ],
)
def test_right_backward_passes_agree_when_they_are_differentiated_again(engine, names):
    for name in names:
        report = checked(MAKERS[engine](WRITTEN[name]), WRITTEN[name], engine=engine)
        assert report.ok and report.second is not None, (name, str(report))
        assert [row.symbol for row in report.second.rows][-1].startswith("∂s/∂g")


def test_what_forward_saves_beside_inputs_and_outputs_is_a_constant_in_pytorch():
    """`torch.autograd.gradgradcheck` fails there too; here the missing path is named."""
    for name in ("rms_norm", "layer_norm", "cross_entropy"):
        written = WRITTEN[name]
        report = checked(in_torch(written), written)
        assert all(row.kind == "agrees" for row in report.rows)
        first = next(iter(report.second.rows))
        assert first.kind == "refuted" and report.exit_code == 1, str(report)
        assert any("is a constant there" in o.text for o in report.second.observations)
        assert checked(in_torch(recomputing(written)), written).ok, name
    assert (
        "is missing"
        in checked(in_torch(WRITTEN["rms_norm"]), WRITTEN["rms_norm"]).second["x"].why[-1]
    )


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class CutOff(Square):
    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].detach()


class Once(Square):
    backward = staticmethod(torch.autograd.function.once_differentiable(Square.backward))


class OwnSecond(torch.autograd.Function):
    """A backward pass with a backward pass of its own, which forgets a factor."""

    @staticmethod
    def forward(ctx, x, g):
        ctx.save_for_backward(x, g)
        return 2 * g * x

    @staticmethod
    def backward(ctx, v):
        x, g = ctx.saved_tensors
        return v * g, 2 * v * x


class SecondWrong(Square):
    @staticmethod
    def backward(ctx, g):
        return OwnSecond.apply(ctx.saved_tensors[0], g)


def test_planted_mistakes_in_double_backward_passes_are_refuted_where_they_are():
    def kinds(function):
        report = gp.check(function, reference=square_paper, engine="torch", order=2)
        assert all(row.kind == "agrees" for row in report.rows)
        return {row.name: row.kind for row in report.second.rows}, report

    assert kinds(Square.apply)[0] == {"x": "agrees", "g": "agrees"}
    assert kinds(CutOff.apply)[0] == {"x": "refuted", "g": "agrees"}
    found, report = kinds(SecondWrong.apply)
    assert found == {"x": "refuted", "g": "agrees"}
    assert "½ of the gradient" in report.second["x"].why[-1]
    found, report = kinds(Once.apply)
    assert set(found.values()) == {"undecided"} and report.exit_code == 1
    assert "marked once_differentiable" in report.faults[0]
    assert "order=2" in report.story()


def test_rules_of_jax_are_differentiated_twice():
    @jax.custom_vjp
    def sine(x):
        return jax.numpy.sin(x)

    sine.defvjp(
        lambda x: (jax.numpy.sin(x), x),
        lambda x, g: (g * jax.lax.stop_gradient(jax.numpy.cos(x)),),
    )

    def paper(x: "n"):
        return np.sin(x)

    report = gp.check(sine, reference=paper, engine="jax", order=2)
    assert {row.name: row.kind for row in report.second.rows} == {"x": "refuted", "g": "agrees"}
    with pytest.raises(AssertionError, match="∂s/∂x is refuted"):
        check_grads(sine, (X[0],), 2)
    assert check_grads(sine, (X[0],), 1) is True
    assert check_grads(in_jax(WRITTEN["rms_norm"]), (X, W), 2) is True


def test_a_callable_as_reference_is_differentiated_twice_by_its_framework():
    def rms(x, w):
        return w * x * torch.rsqrt((x * x).mean(-1, True) + 1e-5)

    given = (torch.tensor(X), torch.tensor(W))
    written = WRITTEN["rms_norm"]
    right = gp.check(in_torch(recomputing(written)), given, reference=rms, order=2)
    assert right.ok and "bounds from the program" in right.second.reference, str(right)
    wrong = gp.check(in_torch(written), given, reference=rms, order=2)
    assert wrong.second["x"].kind == "refuted" and wrong.second["w"].kind == "agrees"


def test_the_drop_in_takes_the_place_of_gradgradcheck():
    x = torch.tensor(X).requires_grad_()
    assert gradgradcheck(Square.apply, (x,)) is True
    assert gradgradcheck(CutOff.apply, (x,), raise_exception=False) is False
    with pytest.raises(AssertionError, match="∂s/∂x is refuted"):
        gradgradcheck(SecondWrong.apply, (x,), atol=1e9)


def test_a_numpy_backward_pass_cannot_be_differentiated_again():
    with pytest.raises(EngineError, match="order=2 is for PyTorch, JAX and TensorFlow"):
        checked(MAKERS["numpy"](WRITTEN["linear"]), WRITTEN["linear"], engine="numpy")
    with pytest.raises(gp.DataError, match="order must be 1 or 2"):
        gp.check(Square.apply, reference=square_paper, order=3)
