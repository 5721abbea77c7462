"""One derivation in every format says the same equations."""

import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import gradproof as gp
from gradproof.cli import main
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
    tree = ElementTree.fromstring(f"<div>{page.to_html(vectors)}</div>")
    tables = [one for one in tree.iter("table") if one.get("class") == "equations"]
    shown = [line for table in tables for line in table]
    assert len(shown) == sum(len(row.forms) for row in rows)
    assert all(len(list(line.iter("math"))) == 2 for line in shown)


def test_a_notebook_shows_a_derivation():
    page = gp.derive(find("fnn").forward)
    assert '<math displaystyle="true">' in page._repr_html_()
    assert page._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert "```math" in page._repr_markdown_()


def test_a_hostile_name_in_html_is_text():
    def network(x: "n 2"):
        return (x**2).sum()

    page = gp.derive(network)
    hostile = type(page)("<script>alert(1)</script>", page.derivation, ("<b>note</b>",), {})
    assert "<script>" not in hostile.to_html()
    assert "<b>" not in hostile.to_html()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_html_of_the_command_line_is_a_page_of_its_own(capsys, lang):
    words = ["derive", "rnn", "--format", "html", "--detail", "steps", "--lang", lang]
    assert main(words) == 0
    printed = capsys.readouterr().out
    tree = ElementTree.fromstring(re.sub("<meta([^>]*)>", r"<meta\1/>", printed.split("\n", 1)[1]))
    assert printed.startswith(f'<!DOCTYPE html>\n<html lang="{lang}">')
    page = derive_source(find("rnn"), {}, {})
    shapes = next(one for one in tree.iter("table") if one.get("class") == "shapes")
    assert [row.findall("td")[1].text for row in shapes] == [s for _, s in page.rows().inputs]
    levels = [int(one.tag[1]) for one in tree.iter() if re.fullmatch(r"h\d", one.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "data:font/woff2;base64," in printed and "http" not in printed.replace("http-equiv", "")
    assert "<html" not in page.to_html(lang=lang) and "font-face" not in page._repr_html_()
