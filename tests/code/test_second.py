"""Exported Hessian products: they are the frameworks' own, and a wrong line is found."""

import subprocess
import sys

import numpy as np
import pytest

import gradproof as gp
from gradproof.code.array import Minus, Name, Over, Plus, Times
from gradproof.code.dialect import DIALECTS
from gradproof.code.text import Ink, code, parts_of
from gradproof.core.errors import DataError, NotYet
from gradproof.engines.engine import installed
from gradproof.exporting import export_source
from gradproof.gallery import catalogue

A, B, C = (Name(letter) for letter in "abc")

EVERYWHERE = [
    pytest.param(to, marks=pytest.mark.skipif(not installed()[to], reason=f"{to} is not installed"))
    for to in DIALECTS
]


def file_of(network, to, along=()):
    source = catalogue.find(network)
    return export_source(source, to, {}, {}, "gradproof export", vjp=False, order=2, along=along)


def run(text):
    space = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec"), space)
    return space


@pytest.mark.parametrize("to", EVERYWHERE)
@pytest.mark.parametrize("network", ["logistic_regression", "rms_norm", "inverse", "embedding"])
def test_a_file_agrees_with_the_framework_or_with_certified_numbers(network, to, capsys):
    run(file_of(network, to))["check"]()
    assert "Hessian products agree" in capsys.readouterr().out


def test_files_are_as_ruff_writes_them(tmp_path):
    for network in ("logistic_regression", "rms_norm", "multi_head_attention", "mlp"):
        for to in DIALECTS:
            text = file_of(network, to)
            (tmp_path / f"{network}_{to}.py").write_text(text, encoding="utf-8")
    for command in (["check", "--output-format=concise"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[:2000]


def test_loops_and_lists_move_together(capsys):
    def deep(x: "n 3, data", Ws, y: "n 3, data"):
        a = x
        for W in Ws:
            a = np.tanh(a @ W)
        return np.sum((a - y) ** 2)

    text = gp.export(deep, "numpy", {"Ws": ["3 3"] * 4}, order=2, along=["Ws"])
    assert "for t in range(1, 5):" in text
    run(text)["check"]()
    with pytest.raises(DataError, match="move together"):
        gp.export(deep, "numpy", {"Ws": ["3 3"] * 4}, order=2, along=["Ws[2]"])


MISTAKES = {
    "(1 - 2 * p)": "(1 - p)",
    "ddl_dz[:, None] * w + ": "",
    "dz = x @ dw": "dz = x @ w",
    "ddl_db = np.sum(ddl_dz)": "ddl_db = np.mean(ddl_dz)",
}


@pytest.mark.parametrize("right", MISTAKES)
def test_a_wrong_line_is_found(right):
    text = file_of("logistic_regression", "numpy", ("w",))
    assert text.count(right) == 1
    with pytest.raises(SystemExit, match="certified"):
        run(text.replace(right, MISTAKES[right]))["check"]()


def test_the_product_is_the_hessian_of_a_quadratic(capsys):
    def quadratic(x: "5", A: "5 5, data"):
        return x @ A @ x

    space = run(gp.export(quadratic, "numpy", order=2))
    random = np.random.default_rng(3)
    x, A, dx = random.normal(size=5), random.normal(size=(5, 5)), random.normal(size=5)
    assert np.allclose(space["hessian_product"](x, A, dx)["x"], (A + A.T) @ dx)


def test_a_direction_and_a_tensor_may_have_one_name():
    def named(x: "n 2, data", W: "2 3", dW: "2 3"):
        return np.sum(np.tanh(x @ W) * np.sin(x @ dW))

    text = gp.export(named, "numpy", order=2)
    assert "def hessian_product(x, W, dW, dW_, ddW):" in text
    run(text)["check"]()


@pytest.mark.parametrize(
    "said",
    [
        Minus(Plus((A, B, Minus(C)))),
        Minus(Times((A, B))),
        Over(Plus((A, B)), C),
        Over(Minus(Plus((A, B))), C),
        Plus((A, Minus(Plus((B, C))))),
    ],
)
def test_parts_below_one_another_are_worth_what_the_line_is(said):
    """A minus, or a division, is that of a whole sum and not of its first or last part."""
    ink, values = Ink(DIALECTS["numpy"], {}, "t"), {"a": 2.0, "b": 3.0, "c": 5.0}
    parts = " ".join(parts_of(said, ink))
    assert eval(parts, {}, values) == eval(code(said, ink), {}, values)


def test_what_does_not_go_together_is_said():
    def linear(x: "3", y: "3, data"):
        return np.sum(x * y)

    with pytest.raises(NotYet, match="No gradient moves"):
        gp.export(linear, "numpy", order=2)
    with pytest.raises(DataError, match="second order only"):
        gp.export(linear, "numpy", along=["x"])
    with pytest.raises(DataError, match="no Hessian product"):
        gp.export(linear, "numpy", order=2, vjp=True)
    with pytest.raises(DataError, match="order 1 or 2"):
        gp.export(linear, "numpy", order=3)
    with pytest.raises(DataError, match="is no input"):
        gp.export(linear, "numpy", order=2, along=["q"])
