"""MathML says what the terminal says, and is well formed whatever a name contains."""

from xml.etree import ElementTree

import pytest

from gradproof.gallery.catalogue import find, names
from gradproof.ink.latex import latex, plain_names
from gradproof.ink.mathml import mathml, name_mathml
from gradproof.ink.terminal import text
from gradproof.report.sheet import sheet_of
from gradproof.report.sliding import sliding_forms
from gradproof.workbench import read
from gradproof.write.notation import Equality, Plus, Raised, Symbol, Transposed

KNOWN = {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup"} | {
    "msubsup",
    "munder",
    "mtable",
    "mtr",
    "mtd",
}


def tree(notation):
    return ElementTree.fromstring(f"<math>{mathml(notation)}</math>")


def lines_of(network):
    traced, _ = read(find(network), {}, {})
    sheet = sheet_of(traced.paper, traced.derivation, traced.layout)
    lines = [line.equality for line in (*sheet.forward_lines(), *sheet.gradient_lines())]
    return [*lines, *sliding_forms(traced.derivation, traced.layout).values()]


@pytest.mark.parametrize("network", names())
def test_every_equation_of_the_gallery_is_mathml_core_with_the_right_number_of_children(network):
    arity = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "msubsup": 3}
    for notation in lines_of(network):
        for element in tree(notation).iter():
            assert element.tag in KNOWN
            assert len(element) == arity.get(element.tag, len(element)), text(notation)
            assert len(element) == 0 or not (element.text or "").strip()


@pytest.mark.parametrize("network", ["fnn", "lstm", "attention", "conv2d", "layer_norm"])
def test_what_is_different_as_text_is_different_in_mathml(network):
    lines = lines_of(network)
    seen = {}
    for notation in lines:
        assert seen.setdefault(mathml(notation, plain=plain_names(lines)), text(notation)) == text(
            notation
        )


def test_a_power_of_a_sum_keeps_its_parentheses():
    squared = Raised(Plus((Symbol("a"), Symbol("b"))), 2)
    assert "".join(tree(squared).itertext()) == "(a+b)2"
    assert latex(squared) == "(a + b)^{2}"


def test_a_transposed_name_has_its_number_below_the_sign():
    (element,) = tree(Transposed(Symbol("W2")))
    assert [element.tag, *(child.text for child in element)] == ["msubsup", "W", "2", "⊤"]


@pytest.mark.parametrize("name", ["<script>", "a&b", 'x"y', "∂l/∂<b>", "h[<i>]"])
def test_a_hostile_name_is_text(name):
    marked = ElementTree.fromstring(f"<math>{name_mathml(name)}</math>")
    assert {element.tag for element in marked.iter()} <= KNOWN
    assert tree(Equality(Symbol(name), Symbol("x"))) is not None
