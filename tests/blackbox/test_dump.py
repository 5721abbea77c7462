"""Arrays that a kernel saved elsewhere are checked by their names."""

import json

import numpy as np
import pytest

from gradproof.cli import main
from tests.blackbox.handwritten import NUMPY, WRITTEN

LAYER_NORM = WRITTEN["layer_norm"]
PAPER = """
import numpy as np


def forward(x: "n d", gamma: "d", beta: "d"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    return gamma * (x - m) / np.sqrt(v + 1e-5) + beta
"""


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A folder with a paper, and a function that saves what a layer norm computes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "norm.py").write_text(PAPER, encoding="utf-8")

    def save(dtype="float32", wrong="", prefix="d", **more):
        random = np.random.default_rng(0)
        shapes = {"x": (5, 6), "gamma": (6,), "beta": (6,), "g": (5, 6)}
        arrays = {name: random.normal(size=s).astype(dtype) for name, s in shapes.items()}
        x, gamma, beta, g = arrays.values()
        out, kept = LAYER_NORM.forward(NUMPY, x, gamma, beta)
        found = LAYER_NORM.backward(NUMPY, kept, g, wrong=wrong)
        gradients = dict(zip(("x", "gamma", "beta"), found, strict=True))
        arrays |= {f"{prefix}{name}": a for name, a in gradients.items()}
        arrays = {**arrays, "out": out, **more}
        np.savez("dump.npz", **{name: a for name, a in arrays.items() if a is not None})

    return save


def checked(capsys, *options):
    code = main(["check", "dump.npz", "--json", *options])
    report = json.loads(capsys.readouterr().out)
    return code, {row["name"]: row for row in report["rows"]}, report


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("prefix", ["d", "grad_", "dl_d"])
def test_right_gradients_agree(saved, capsys, dtype, prefix):
    saved(dtype, prefix=prefix)
    code, rows, report = checked(capsys, "--paper", "norm.py")
    assert (code, report["dtype"]) == (0, dtype)
    assert {name: row["finding"]["kind"] for name, row in rows.items()} == dict.fromkeys(
        ("x", "gamma", "beta", "y[0]"), "agrees"
    )


def test_a_network_of_the_gallery_with_its_loss(saved, capsys):
    saved()
    code, rows, _ = checked(capsys, "--paper", "layer_norm")
    assert code == 0 and set(rows) == {"x", "gamma", "beta"}


def test_a_wrong_gradient_is_refuted_and_the_mistake_named(saved, capsys):
    saved(wrong="a sum for a mean")
    code, rows, _ = checked(capsys, "--paper", "norm.py")
    assert code == 1 and rows["x"]["why"] == ["The constant factor 1/d is missing."]
    assert [n for n, row in rows.items() if row["finding"]["kind"] == "refuted"] == ["x"]
    assert main(["check", "dump.npz", "--paper", "norm.py"]) == 1
    page = capsys.readouterr().out
    assert "✗ ∂l/∂x is refuted" in page and max(map(len, page.splitlines())) <= 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gamma": None}, "The file has no gamma"),
        ({"g": None}, "no upstream gradient of the shape (5, 6)"),
        ({"dx": None, "dgamma": None, "dbeta": None}, "The file has no gradients"),
    ],
)
def test_what_is_missing_is_said(saved, capsys, change, said):
    saved(**change)
    assert main(["check", "dump.npz", "--paper", "norm.py"]) == 2
    assert said in capsys.readouterr().err


def test_what_no_formula_gives_is_said_of_the_saved_tensors(saved, capsys):
    saved()
    arrays = dict(np.load("dump.npz"))
    arrays["dgamma"] = arrays["dgamma"] + np.float32(0.01) * arrays["gamma"]
    np.savez("dump.npz", **arrays)
    code, rows, _ = checked(capsys, "--paper", "norm.py")
    assert code == 1 and rows["x"]["finding"]["kind"] == "agrees"
    assert rows["gamma"]["why"] == ["It is the gradient plus 0.01 times gamma."]
