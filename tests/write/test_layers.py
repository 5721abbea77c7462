"""The numbers of layers stand where they are wanted, and nothing else is changed."""

import json
import re
from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp
from gradproof.cli import main
from gradproof.core.errors import DataError
from gradproof.gallery.catalogue import find
from gradproof.ink.latex import latex
from gradproof.ink.mathml import mathml
from gradproof.ink.terminal import text, to_ascii
from gradproof.workbench import derive_source
from gradproof.write.layers import Layers, layers_of, raised, raised_name
from gradproof.write.notation import Inverted, Position, Raised, Sliced, Symbol, Transposed

SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
LAYERS = Layers({"W2": ("W", "2"), "h2": ("h", "2")}, frozenset({"a"}))


def pages(network, layers):
    return derive_source(find(network), {}, {}, layers=layers)


@pytest.mark.parametrize("network", ["fnn", "mlp", "cnn", "rnn"])
@pytest.mark.parametrize("detail", ["brief", "steps"])
def test_a_page_is_the_same_but_for_where_numbers_stand(network, detail):
    below = pages(network, "subscript").to_text(detail=detail)
    above = pages(network, "superscript").to_text(detail=detail)
    above = above.replace("No name here has the number of a layer: none is raised.\n", "")
    lowered = re.sub(
        "(Ws|bs|[za])⁽([^⁾]*)⁾" if network == "mlp" else "(never)(x)",
        lambda m: f"{m[1]}[{m[2].translate(str.maketrans('ᵗ⁻⁺', 't−+'))}]",
        above,
    )
    lowered = re.sub("[⁽⁾]", "", lowered) if network != "mlp" else lowered
    lowered = lowered.translate(SUPERSCRIPT).split()
    assert lowered == below.translate(SUPERSCRIPT).split()
    assert ("⁽" in above) == (network != "rnn")


def test_what_a_loop_starts_with_and_parts_without_a_name_have_no_layer():
    def forward(x: "n 3", W1: "3 4", W_2: "4 2"):
        h = np.tanh(x @ W1)
        return gp.sigmoid(h @ W_2).sum()

    names = layers_of(gp.derive(forward).derivation).stems
    assert names == {"W1": ("W", "1"), "W_2": ("W", "2")}
    assert layers_of(pages("rnn", "subscript").derivation) == Layers({}, frozenset())
    assert layers_of(pages("mlp", "subscript").derivation).families == {"Ws", "bs", "z", "a"}


@pytest.mark.parametrize(
    ("name", "terminal", "tex"),
    [
        ("W2", "W⁽²⁾", "W^{(2)}"),
        ("∂l/∂W2", "∂l/∂W⁽²⁾", r"\frac{\partial l}{\partial W^{(2)}}"),
        ("δ/∂W2", "δW⁽²⁾", r"\delta_{W^{(2)}}"),
        ("ⅆW2", "ⅆW⁽²⁾", r"\mathrm{d}W^{(2)}"),
        ("h2[t−1]", "h⁽²⁾[t−1]", "h_{t-1}^{(2)}"),
        ("a[t−1]", "a⁽ᵗ⁻¹⁾", "a^{(t-1)}"),
        ("a[L]", "a[L]", "a^{(L)}"),
        ("ⅆl1", "ⅆl1", r"\mathrm{d}l_{1}"),
    ],
)
def test_a_name_is_raised_in_every_ink(name, terminal, tex):
    notation = raised(Symbol(name), LAYERS)
    assert text(notation) == terminal
    assert latex(notation) == tex


def test_no_second_superscript_stands_on_a_layer():
    def tex(notation):
        return latex(raised(notation, LAYERS))

    W = Symbol("W2")
    assert tex(Transposed(W)) == r"W^{(2)\top}"
    assert tex(Inverted(W, transposed=True)) == r"W^{(2)-\top}"
    assert tex(Raised(W, Fraction(2))) == "(W^{(2)})^{2}"
    place = Position((), 3)
    assert tex(Transposed(Sliced("W2", (place, None)))) == r"{W^{(2)}_{3}}^{\top}"
    assert tex(Transposed(Symbol("δ/∂W2"))) == r"{\delta_{W^{(2)}}}^{\top}"
    assert text(raised(Raised(W, Fraction(2)), LAYERS)) == "(W⁽²⁾)²"
    assert mathml(raised(Transposed(W), LAYERS)).count("<msup>") == 1


def test_ascii_has_no_superscripts():
    assert to_ascii("∂l/∂a⁽ᵗ⁻¹⁾ = W⁽¹²⁾ᵀ + x²") == "dl/da^(t-1) = W^(12)^T + x^2"


def test_names_of_data_stay_those_of_the_program():
    data = json.loads(pages("fnn", "superscript").to_json())
    assert [one["name"] for one in data["inputs"]] == ["x", "W1", "b1", "W2", "b2", "y"]
    assert {"z1", "∂l/∂z1"} <= {row["target"] for row in data["equations"]}
    assert "z⁽¹⁾ = x W⁽¹⁾ + b⁽¹⁾" in data["equations"][0]["text"]
    assert raised_name("h3", LAYERS) == "h3"


def test_the_command_line_raises_layers(capsys):
    assert main(["derive", "fnn", "--layers", "superscript", "--gradient", "bar"]) == 0
    assert "W̄⁽²⁾ = a⁽¹⁾ᵀ z̄⁽²⁾" in capsys.readouterr().out
    with pytest.raises(DataError):
        pages("fnn", "above")
