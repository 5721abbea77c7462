"""The mistakes that convolutional networks are famous for are refuted where they are made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof import gallery
from gradproof.gallery import conv2d
from gradproof.gallery.catalogue import find
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.workbench import verify_source

HERE = Path(gallery.__file__).parent

WRONG = (
    ("conv2d", "np.flip(W, axis=(2, 3))", "W", {"x"}),
    ("conv2d", "np.flip(W, axis=(2, 3))", "np.flip(W, axis=2)", {"x"}),
    ("conv2d", 'np.einsum("nohw,nchwrs->ocrs", dz', 'np.einsum("nohw,nchwrs->ocsr", dz', {"W"}),
    ("conv2d", "db = dz.sum(axis=(0, 2, 3))", "db = dz.mean(axis=(0, 2, 3))", {"b"}),
    ("conv2d_stride", "dx = daround[:, 1:-1, 1:-1]", "dx = daround[:, :-2, :-2]", {"x"}),
    ("conv2d_stride", "dx = daround[:, 1:-1, 1:-1]", "dx = daround[:, 2:, 2:]", {"x"}),
    ("conv2d_stride", "around[:, *there], dz)", "around[:, r : r + 4, s : s + 4], dz)", {"W"}),
    (
        "conv2d_stride",
        "daround[:, *there] += dz @",
        "daround[:, r : r + 4, s : s + 4] += dz @",
        {"x"},
    ),
    ("conv2d_stride", "daround[:, *there] +=", "daround[:, *there] =", {"x"}),
    ("conv_transpose", "axis=(1, 2))[:, ::2, ::2]", "axis=(1, 2))[:, :4, :3]", {"W"}),
    ("conv_transpose", "np.pad(dz, ((0, 0), (1, 1)", "np.pad(dz, ((0, 0), (0, 2)", {"W"}),
    ("avg_pool", "da / 4", "da", {"x"}),
    ("avg_pool", "dx[:, r::2, s::2]", "dx[:, 2 * r : 2 * r + 2, s::2]", {"x"}),
    ("max_pool", "da * (x[:, r::2, s::2] == a)", "da / 4", {"x"}),
    ("max_pool", "(x[:, r::2, s::2] == a)", "(x[:, s::2, r::2] == a)", {"x"}),
    ("cnn", "dp / 4", "dp", {"a1"}),
    ("cnn", "dp = df.reshape(p.shape)", "dp = df.reshape(-1, 3, 2, 3).swapaxes(1, 2)", {"p"}),
    ("cnn", "np.flip(K, axis=(0, 1)).swapaxes", "K.swapaxes", {"x"}),
    ("cnn", "dz1 = da1 * a1 * (1 - a1)", "dz1 = da1 * (1 - a1**2)", {"z1"}),
)


@pytest.mark.parametrize(("name", "right", "wrong", "expected"), WRONG)
def test_a_famous_mistake_is_refuted(name, right, wrong, expected, tmp_path):
    code = (HERE / f"{name}.py").read_text(encoding="utf-8")
    assert code.count(right) == 1
    path = tmp_path / f"{name}.py"
    path.write_text(code.replace(right, wrong), encoding="utf-8")
    report = verify_source(find(str(path)), {}, "numpy", "float64", 0, {})
    verdicts = {row.name: row.formula_verdict for row in report.batches[0].gradients}
    own = {n for n, v in verdicts.items() if v.kind == "refuted" and not v.inherited}
    assert own == expected
    assert all(verdicts[name].kind == "proved" for name in ("b", "y") if name in verdicts) or (
        expected == {"b"}
    )


def test_a_kernel_that_is_the_same_when_turned_hides_that_it_was_not_turned():
    def without_turning(x, W, z, y):
        dz = z - y
        return {"dz": dz, "dx": gp.conv2d(dz, W.swapaxes(0, 1), padding=1, layout="NCHW")}

    random = np.random.default_rng(0)
    W = random.normal(size=(3, 2, 3, 3))

    def kind(kernel):
        report = gp.verify(conv2d.forward, without_turning, inputs={"W": kernel}, engine="numpy")
        return report["x"].formula_verdict.kind

    assert kind(W) == "refuted"
    assert kind(W + W[:, :, ::-1, ::-1]) != "refuted"


@pytest.mark.parametrize(
    ("name", "right", "wrong", "tensor"),
    [
        ("conv2d", "np.flip(W, axis=(2, 3))", "W", "W"),
        ("cnn", "np.flip(K, axis=(0, 1)).swapaxes", "K.swapaxes", "K"),
        ("conv2d_stride", "+= dz @ W[r, s].T", "+= dz @ W[2 - r, 2 - s].T", "W"),
    ],
)
def test_a_kernel_that_was_not_turned_is_named(name, right, wrong, tensor, tmp_path):
    code = (HERE / f"{name}.py").read_text(encoding="utf-8")
    assert code.count(right) == 1
    path = tmp_path / f"{name}.py"
    path.write_text(code.replace(right, wrong), encoding="utf-8")
    report = verify_source(find(str(path)), {}, "numpy", "float64", 0, {})
    (words,) = (mistake.words for mistake in MISTAKES if mistake.name == "kernel not turned")
    assert report["x"].why == (words.format(tensor=tensor),)


def test_a_layer_whose_kernel_lies_the_other_way_round_is_refuted():
    source = find("conv2d")

    def turned(torch, x, W, b, y):
        return conv2d.NATIVE["torch"](torch, x, W.flip(2, 3), b, y)

    report = verify_source(replace(source, native={"torch": turned}), {}, "torch", "float32", 0, {})
    assert report["W"].native_verdict.kind == "refuted"
    assert report["x"].native_verdict.kind == "refuted"
    assert report["W"].engine_verdict.kind == "agrees"
