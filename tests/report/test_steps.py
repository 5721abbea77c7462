"""The steps say the same in every format, and never show an unproved line as if it were proved."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import gradproof as gp
from gradproof.cli import main
from gradproof.core.errors import DataError
from gradproof.gallery.catalogue import find
from gradproof.report import step_formats
from gradproof.report.layouts import layouts
from gradproof.workbench import derive_source
from gradproof.write.convention import Convention

LANGUAGES = ["en", "zh"]


def page_of(network):
    return derive_source(find(network), {}, {})


def lines_of(data):
    for gradient in data["gradients"]:
        for way in gradient["ways"]:
            yield from way["lines"]
        yield from gradient["closing"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("network", ["fnn", "rnn", "max_pool"])
def test_every_format_has_every_line_and_its_reason(network, lang):
    page = page_of(network)
    how = {"detail": "full", "lang": lang}
    lines = list(lines_of(json.loads(page.to_json(**how))["steps"]))
    said = "".join(page.to_text(**how).split())
    latex, markdown = page.to_latex(**how), page.to_markdown(**how)
    for line in lines:
        left, _, right = line["latex"].partition(" = ")
        assert f"&= {right} &&" in latex and f"&= {right} &&" in markdown
        assert left in latex
        assert "".join(line["text"].split()).partition("=")[2] in said
        assert "".join(line["reason"].split()) in said
        assert line["proved"] is not None
    tree = ElementTree.fromstring(f"<div>{page.to_html(**how)}</div>")
    rows = [row for table in tree.iter("table") if table.get("class") == "steps" for row in table]
    assert len(rows) == len(lines)


def test_a_recurrence_reaches_the_loss_in_two_ways_each_with_its_name():
    data = json.loads(page_of("rnn").to_json(detail="steps"))["steps"]
    (hidden,) = [one for one in data["gradients"] if one["target"] == "∂l/∂h[t]"]
    titles = [way["title"] for way in hidden["ways"]]
    assert titles == ["Through a[t+1], one turn later", "Through o[t]"]
    assert [line["text"] for line in hidden["closing"]] == [
        "dl = dl1 + dl2",
        "∂l/∂h[t] = ∂l/∂a[t+1] Wᵀ + ∂l/∂o[t] Vᵀ",
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_unproved_line_is_marked_in_every_format(lang):
    steps = page_of("fnn").steps()
    first = steps.gradients[0]
    doubted = tuple(replace(one, sure=None) for one in first.closing)
    steps = replace(steps, gradients=(replace(first, closing=doubted), *steps.gradients[1:]))
    mark = {"en": "[not proved]", "zh": "[未证明]"}[lang]
    written = [
        "\n".join(step_formats.text_lines(steps, lang)),
        step_formats.to_latex(steps, lang),
        "\n".join(step_formats.tex_blocks(steps, lang)),
        "\n".join(step_formats.to_markdown(steps, lang)),
        "\n".join(step_formats.to_html(steps, lang)),
    ]
    assert [one.count(mark) for one in written] == [1] * len(written)
    assert list(lines_of(step_formats.to_json(steps, lang)))[3]["proved"] is None
    summary = {"en": "Not proved, and marked so: 1.", "zh": "未证明（已标出）的行数：1。"}[lang]
    assert all(summary in one for one in written)


def test_a_differential_is_told_from_a_tensor_of_that_name():
    def forward(z: "n 2", W: "2 2"):
        dz = z @ W
        return (dz**2).sum()

    text = gp.derive(forward).to_text(detail="steps")
    assert "ⅆdz = ⅆz W" in text
    assert "dz = z W" in text


def test_what_a_differential_assumes_is_said():
    def forward(x: "n", p: "n, positive"):
        return (np.log(x) + np.log(p)).sum()

    data = json.loads(gp.derive(forward).to_json(detail="steps"))["steps"]
    said = {one["target"]: one["assumptions"] for one in data["gradients"]}
    assert said["∂l/∂x"] == ["Assumed: every element of x is above 0, so that log(x) has a slope."]
    assert said["∂l/∂p"] == []
    pool = json.loads(page_of("max_pool").to_json(detail="steps"))["steps"]["gradients"]
    assert any("larger than all others" in said for one in pool for said in one["assumptions"])


def test_shapes_in_code_and_on_the_page_are_linked():
    derivation = page_of("fnn").derivation
    found = {one.name: one for one in layouts(derivation, Convention("column"))}
    assert (found["W2"].code, found["W2"].page, found["W2"].link) == ("(4, 3)", "3×4", "transposed")
    assert (found["b2"].code, found["b2"].page, found["b2"].link) == ("(3,)", "3×1", "as a column")
    assert "loss" not in found
    rows = {one.name: one.link for one in layouts(derivation, Convention("row"))}
    assert rows == {"b1": "as a row", "b2": "as a row"}


def test_a_gradient_that_lies_as_a_jacobian_is_linked_to_code():
    derivation = page_of("fnn").derivation
    for vectors, expected in (
        ("row", {"W2": None, "∂l/∂W2": ("3×4", "transposed"), "∂l/∂b2": ("3×1", "as a column")}),
        ("column", {"W2": ("3×4", "transposed"), "∂l/∂W2": ("4×3", "the same")}),
    ):
        convention = Convention(vectors, gradients="jacobian")
        found = {one.name: (one.page, one.link) for one in layouts(derivation, convention)}
        assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("gradient", ["partial", "delta", "bar"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_format_says_how_gradients_lie(lang, gradient):
    page = derive_source(find("fnn"), {}, {}, gradient, layout="jacobian")
    said = {"en": "Jacobian layout", "zh": "雅可比布局"}[lang]
    link = {"en": "transposed", "zh": "转置"}[lang]
    written = [
        page.to_text("column", lang=lang),
        page.to_latex("column", standalone=True, lang=lang),
        page.to_markdown("column", lang=lang),
        page.to_html("column", lang=lang),
    ]
    assert all(said in one and link in one for one in written)
    data = json.loads(page.to_json("column", lang=lang))
    assert data["layout"] == "jacobian"
    assert {"name": "W2", "code": "(4, 3)", "page": "3×4", "link": "transposed"} in data["apart"]
    assert any(
        one["name"] == {"partial": "∂l/∂W2", "delta": "δW2", "bar": "W̄2"}[gradient]
        for one in data["apart"]
    )
    shapes = {row["target"]: row["shape"] for row in data["equations"]}
    assert shapes[{"partial": "∂l/∂W2", "delta": "δW2", "bar": "W̄2"}[gradient]] == "4×3"


def test_the_command_line_takes_detail_style_and_language(capsys):
    main(["derive", "affine", "--detail", "steps", "--style", "index", "--lang", "zh"])
    said = capsys.readouterr().out
    assert "链式法则" in said and "Σ_n" in said and "tr(" not in said
    main(["derive", "affine", "--lang", "zh"])
    assert "前向传播" in capsys.readouterr().out
    assert main(["derive", "affine", "--order", "2", "--format", "ipynb"]) == 2


@pytest.mark.parametrize(
    "how", [{"detail": "all"}, {"style": "tensor"}, {"vectors": "rows"}, {"lang": "xx"}]
)
def test_a_word_that_is_none_of_the_choices_is_an_error(how):
    with pytest.raises(DataError):
        page_of("affine").to_text(**how)
