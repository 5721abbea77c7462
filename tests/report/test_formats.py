"""One derivation in every format says the same equations."""

import json
import re
from io import StringIO
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

import gradproof as gp
from gradproof.cli import main
from gradproof.gallery.catalogue import find
from gradproof.report.console import show
from gradproof.report.verdicts import markdown
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


@pytest.fixture(scope="module")
def refuted():
    def network(x: "n 4", W: "4 3", y: "n 3, data"):
        z = x @ W
        a = np.tanh(z)
        return 0.5 * np.sum((a - y) ** 2)

    def backward(x, W, y, z, a):
        da = a - y
        dz = da * (1 - a * a)
        dW = x.T @ da
        return locals()

    return gp.verify(network, backward, engine="numpy")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_report_in_markdown_says_what_the_terminal_says(refuted, lang):
    said = markdown(refuted, lang)
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")]
    assert all(len(row) in (6, 8) for row in rows)
    for row in refuted.batches[0].gradients:
        (line,) = [one for one in said.splitlines() if one.startswith(f"| `{row.symbol}` | ")]
        assert row.derived.partition(" = ")[2] in line
    assert {
        "en": "upstream gradient is ∂l/∂a, where ∂l/∂z belongs.",
        "zh": "上游梯度用了 ∂l/∂a，应为 ∂l/∂z。",
    }[lang] in said
    console = Console(file=StringIO(), width=200)
    show(refuted, console, lang=lang)
    assert said.strip().splitlines()[-1].strip("*") in console.file.getvalue()


def test_a_notebook_shows_a_report(refuted):
    assert "<pre" in refuted._repr_html_()
    assert refuted._repr_markdown_() == markdown(refuted)
    shown = refuted._repr_latex_()
    assert shown.startswith("$$\n\\begin{gathered}")
    lines = [line for line in shown.splitlines() if line.startswith(r"\partial l / \partial ")]
    assert len(lines) == 4
    assert [r"\times\ \text{refuted}" in line for line in lines] == [False, False, True, False]


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
