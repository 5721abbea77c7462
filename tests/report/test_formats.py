"""One derivation in every format says the same equations."""

import json
from xml.etree import ElementTree

import pytest

import gradproof as gp
from gradproof.gallery.catalogue import find
from gradproof.workbench import derive_source


@pytest.mark.parametrize("vectors", ["row", "column"])
@pytest.mark.parametrize("network", ["fnn", "lstm", "conv2d", "activations", "embedding"])
def test_every_format_has_every_equation(network, vectors):
    page = derive_source(find(network), {}, {})
    rows = page.rows(vectors).rows
    data = json.loads(page.to_json(vectors))
    assert [one["target"] for one in data["equations"]] == [row.target for row in rows]
    latex, markdown = page.to_latex(vectors), page.to_markdown(vectors)
    text = " ".join(page.to_text(vectors).split())
    for one in data["equations"]:
        for line in one["latex"]:
            aligned = line.replace("=", "&=", 1)
            assert aligned in latex
            assert aligned in markdown
        assert one["text"][-1].partition(" = ")[0] in text
    tree = ElementTree.fromstring(f"<div>{page.to_html(vectors).replace('<br>', '<br/>')}</div>")
    assert len(list(tree.iter("math"))) == sum(len(row.forms) for row in rows)


def test_a_notebook_shows_a_derivation():
    page = gp.derive(find("fnn").forward)
    assert "<math>" in page._repr_html_()
    assert page._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert "```math" in page._repr_markdown_()


def test_a_hostile_name_in_html_is_text():
    def network(x: "n 2"):
        return (x**2).sum()

    page = gp.derive(network)
    hostile = type(page)("<script>alert(1)</script>", page.derivation, ("<b>note</b>",), {})
    assert "<script>" not in hostile.to_html()
    assert "<b>" not in hostile.to_html()
