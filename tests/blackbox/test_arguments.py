"""What arguments and gradients may look like, and what is said of those that cannot be read."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.gallery import catalogue

random = np.random.default_rng(0)


def draw(*shape):
    return random.normal(size=shape).astype(np.float32)


x, W, V, b, c = draw(5, 3), draw(3, 4), draw(4, 2), draw(4), draw(2)


def deep(x, Ws, bs):
    a = x
    for M, v in zip(Ws, bs, strict=True):
        a = np.tanh(a @ M + v)
    return a


def gradients(x, Ws, bs, g):
    acts = [x]
    for M, v in zip(Ws, bs, strict=True):
        acts.append(np.tanh(acts[-1] @ M + v))
    dWs, dbs = [], []
    for M, before, after in zip(Ws[::-1], acts[-2::-1], acts[:0:-1], strict=True):
        dz = g * (1 - after**2)
        dWs.insert(0, before.T @ dz)
        dbs.insert(0, dz.sum(axis=0))
        g = dz @ M.T
    return g, dWs, dbs


def returning(form):
    """The network with a pullback that gives its gradients in a form."""

    def layer(x, Ws, bs):
        return deep(x, Ws, bs), lambda g: form(*gradients(x, Ws, bs, g))

    return layer


FORMS = {
    "lists for lists": lambda dx, dWs, dbs: (dx, dWs, dbs),
    "one after another": lambda dx, dWs, dbs: (dx, *dWs, *dbs),
    "beside what else there is": lambda dx, dWs, dbs: ((dx, dWs, dbs), locals()),
    "by name, beside what else there is": lambda dx, dWs, dbs: [
        {"x": dx, "Ws": dWs, "bs": dbs},
        {"cache": 1},
    ],
    "by name": lambda dx, dWs, dbs: {"Ws": dWs, "bs": dbs, "x": dx},
    "by the gradients' names": lambda dx, dWs, dbs: {"dl_dx": dx, "dWs": dWs, "grad_bs": dbs},
}


def checked(layer, arguments=(x, [W, V], [b, c]), **options):
    return gp.check(layer, arguments, reference=deep, battery=False, **options)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_lists_come_back_in_any_form(form):
    assert checked(returning(FORMS[form])).ok
    wrong = checked(returning(lambda dx, dWs, dbs: FORMS[form](dx, [dWs[0], 2 * dWs[1]], dbs)))
    assert [row.name for row in wrong.rows if row.kind == "refuted"] == ["Ws[2]"]


def test_a_tuple_of_arrays_is_a_list():
    assert checked(returning(FORMS["by name"]), (x, (W, V), (b, c))).ok


def test_data_have_no_gradient_among_those_of_arguments():
    mlp = catalogue.find("mlp").forward

    def layer(x, Ws, bs, y):
        a = deep(x, Ws, bs)
        loss = 0.5 * np.sum((a - y) ** 2)
        return loss, lambda g: gradients(x, Ws, bs, g * (a - y))

    assert gp.check(layer, reference=mlp, engine="numpy", battery=False).ok


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda dx, dWs, dbs: None, "returns None for 5 inputs"),
        (lambda dx, dWs, dbs: (dx, dWs), "return one for each of x, Ws, bs"),
        (lambda dx, dWs, dbs: (dx, dWs[:1], dbs), "returns 1 where a list of 2 gradients is due"),
        (lambda dx, dWs, dbs: {"x": dx, "W": dWs, "bs": dbs}, "with W, and nothing for Ws"),
    ],
)
def test_gradients_that_cannot_be_assigned_are_a_fault_that_says_what_is_due(form, said):
    report = checked(returning(form))
    assert report.exit_code == 1 and said in report.faults[0]


def test_a_gradient_that_is_missing_in_a_dictionary_is_none():
    report = checked(returning(lambda dx, dWs, dbs: {"x": dx, "Ws": dWs}))
    assert {row.name for row in report.rows if row.kind == "refuted"} == {"bs[1]", "bs[2]"}


def linear(x, a):
    return x * a, lambda g: (g * a, np.sum(g * x))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"a": x}, "a is a dict of arrays"),
        ([[x, x]], "a is a list of lists of arrays"),
        ([[1.0, 2.0]], "Make an array of it"),
        (2, "a is int, not an array of NumPy.  Constants belong into the function"),
        (None, "a is NoneType"),
        (np.zeros((0, 3), np.float32), "no elements, and so no gradient"),
        (np.array([None]), "the dtype object"),
        (x * 1j, "a gradient needs floating-point numbers"),
    ],
)
def test_what_is_no_array_is_refused_by_its_name(argument, said):
    with pytest.raises(gp.DataError) as caught:
        gp.check(linear, (x, argument), reference=lambda x, a: x * a)
    assert said in str(caught.value)


@pytest.mark.parametrize("a", [2.5, np.float32(2.5), np.array(2.5, np.float32)])
def test_a_scalar_is_an_input_with_a_gradient(a):
    report = gp.check(linear, (x, a), reference=lambda x, a: x * a, battery=False)
    assert report.ok and report.dtype == "float32"


def test_parameters_with_a_default_keep_it():
    def scaled(x, a, eps=0.5):
        return x * a + eps

    assert gp.check(linear, (x, 2.5), reference=lambda x, a, n=1: x * a * n, battery=False).ok
    refuted = gp.check(linear, (x, 2.5), reference=scaled, battery=False).kinds
    assert refuted == ("refuted", "agrees", "agrees")
    with pytest.raises(gp.DataError, match="takes any arguments, as a"):
        gp.check(linear, (x, 2.5), reference=lambda *a: a[0] * a[1])


def test_outputs_that_are_none_or_a_dictionary_are_said_to_be():
    for value, kind in ((None, "NoneType"), ({"y": x}, "dict"), ((x, None), "NoneType")):
        report = gp.check(
            lambda x, a, value=value: (value, lambda g: None),
            (x, x),
            reference=lambda x, a: x * a,
            battery=False,
        )
        assert report.faults == (f"The forward pass returns {kind}, not an array.",)


@pytest.mark.filterwarnings("ignore")
def test_a_numpy_reference_without_shapes_is_refused_for_tensors_of_a_framework():
    torch = pytest.importorskip("torch")
    with pytest.raises(gp.DataError) as caught:
        gp.check(torch.tanh, (torch.ones(3),), reference=lambda x: np.tanh(x))
    assert "PyTorch cannot differentiate the reference" in str(caught.value)
    with pytest.raises(gp.DataError, match="The reference returns dict, not a tensor"):
        gp.check(torch.tanh, (torch.ones(3),), reference=lambda x: {"y": torch.tanh(x)})


def test_a_paper_keeps_the_defaults_of_its_parameters():
    def forward(x: "n 3", w: "3", eps=0.5):
        r = np.sqrt(np.sum(x * x, axis=1) + eps)
        return np.sum((x @ w) * r)

    assert [step.of for step in gp.derive(forward).derivation.steps][-1] in ("x", "w")
    assert gp.verify(forward, engine="numpy").ok


def test_a_network_of_the_gallery_is_given_by_its_forward():
    from gradproof.gallery import layer_norm

    given = ((3, 4), (4,), (4,))
    for reference in ("layer_norm", layer_norm):
        with pytest.raises(gp.DataError, match=r"layer_norm\.forward$"):
            gp.check(lambda x, w, b: x, given, reference=reference)
    with pytest.raises(gp.DataError, match=r"gradient that arrives, say upstream='g'$"):
        gp.check(lambda x, w, b: x, given, reference=layer_norm.forward)
    with pytest.raises(gp.NetworkError, match=r"from gradproof\.gallery import fnn  and give"):
        gp.verify("fnn")


def test_gradients_beside_locals_are_refuted_where_they_are_wrong():
    def layer(x, W):
        y = np.tanh(x @ W)

        def pullback(g):
            dz = g * (1 - y)
            dx, dW = dz @ W.T, x.T @ dz
            return (dx, dW), locals()

        return y, pullback

    report = gp.check(layer, (x, W), reference=lambda x, W: np.tanh(x @ W), battery=False)
    assert report.kinds == ("agrees", "refuted", "refuted"), str(report)


def test_a_masked_array_is_refused():
    with pytest.raises(gp.GradproofError) as refused:
        given = np.ma.masked_array(x, x > 1)
        gp.check(lambda x: (x, lambda g: g), (given,), reference=lambda x: x)
    assert "x is a masked array" in str(refused.value) and "x.filled(0)" in str(refused.value)


@pytest.mark.parametrize("imaginary", [0.0, 1e-3])
def test_a_complex_gradient_is_right_where_its_imaginary_part_is_zero(imaginary):
    def layer(x):
        return np.sin(x), lambda g: g * np.cos(x) + 1j * np.float32(imaginary)

    report = gp.check(layer, (x,), reference=lambda x: np.sin(x), battery=False)
    assert report.kinds == ("agrees", "refuted" if imaginary else "agrees"), str(report)
    assert bool(report.faults) is not bool(imaginary), str(report)  # what is right is complex64


def test_a_masked_gradient_is_no_array():
    def layer(x):
        return np.sin(x), lambda g: np.ma.masked_array(g * np.cos(x), x > 1)

    report = gp.check(layer, (x,), reference=lambda x: np.sin(x), battery=False)
    assert report.kinds == ("agrees", "refuted")
    assert "MaskedArray" in report.rows[1].finding.because


def test_a_function_of_linalg_is_called_by_its_name():
    with pytest.raises(gp.GradproofError, match=r"np\.linalg\.svd is not in"):
        gp.check(lambda x: (x, lambda g: g), (x,), reference=lambda x: np.linalg.svd(x)[1])


def test_a_reference_with_complex_outputs_is_refused():
    import torch

    with pytest.raises(gp.DataError, match="returns complex numbers"):
        gp.check(torch.sin, (torch.tensor(x),), reference=lambda x: torch.fft.rfft(x))


def test_checks_in_several_threads_write_their_references_down_one_after_the_other():
    from concurrent.futures import ThreadPoolExecutor

    import torch

    def reference(x):
        return torch.nn.functional.layer_norm(x, x.shape[-1:]).amax(1)

    def one(_):
        return gp.check(reference, (torch.tensor(x),), reference=reference, battery=False).kinds

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(one, range(6))) == {("agrees", "agrees")}


def test_types_as_annotations_are_no_shapes():
    import jax
    import torch

    def sine(x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return torch.sin(x)

    given = torch.tensor(x)
    report = gp.check(torch.sin, (given,), reference=sine, battery=False)
    assert report.ok and "sine" in report.reference
    wrong = gp.check(torch.cos, (given,), reference=sine, battery=False)
    assert wrong.kinds == ("refuted", "refuted")
    silu = jax.nn.silu
    assert gp.check(silu, (x,), reference=silu, engine="jax", battery=False).ok


def test_shapes_as_annotations_stay_shapes():
    n = 5

    def paper(x: "n d", W: "d k"):
        return x @ W

    def layer(x, W):
        return x @ W, lambda g: (g @ W.T, x.T @ g)

    report = gp.check(layer, reference=paper, engine="numpy", battery=False)
    assert report.ok and "a paper" in report.reference


def test_a_mask_of_minus_infinity_is_told_where_it_belongs():
    torch = pytest.importorskip("torch")
    scores, mask = torch.randn(4, 4), torch.triu(torch.full((4, 4), -torch.inf), 1)

    def attended(scores, mask):
        return torch.softmax(scores + mask, -1)

    with pytest.raises(gp.GradproofError, match=r"mask\[0, 1\] is -inf: .* lambda x: f\(x, mask\)"):
        gp.check(attended, (scores, mask), reference=attended, wrt=("scores",))
    assert gp.check(
        lambda scores: attended(scores, mask),
        (scores,),
        reference=lambda scores: attended(scores, mask),
    ).ok
