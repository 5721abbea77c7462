"""The LaTeX document of a derivation compiles, and loses no sign."""

import json
import shutil
import subprocess

import pytest

from gradproof.cli import main
from gradproof.gallery import catalogue
from gradproof.trace.source import Source
from gradproof.workbench import derive, derive_source

pytestmark = pytest.mark.skipif(
    shutil.which("xelatex") is None,
    reason="xelatex is not installed (Debian: apt-get install texlive-xetex texlive-lang-chinese)",
)


def compiled(text, folder):
    """What TeX complains about."""
    (folder / "page.tex").write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    said = done.stdout.splitlines()
    wrong = ("!", "Missing character", "Overfull", "LaTeX Warning: Reference")
    assert done.returncode == 0, said[-30:]
    assert (folder / "page.pdf").stat().st_size > 1000
    return [line for line in said if line.startswith(wrong)]


@pytest.mark.parametrize("number", range(len(catalogue.names())), ids=catalogue.names())
def test_the_document_of_a_network_compiles(number, tmp_path):
    """In the one convention and the other in turn."""
    vectors = ("row", "column")[number % 2]
    page = derive_source(catalogue.find(catalogue.names()[number]), {}, {})
    assert compiled(page.to_latex(vectors, standalone=True), tmp_path) == []


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("network", "style"), [("fnn", "matrix"), ("fnn", "index"), ("rnn", "matrix")]
)
def test_the_document_of_steps_compiles(network, style, lang, tmp_path):
    page = derive_source(catalogue.find(network), {}, {})
    text = page.to_latex(standalone=True, detail="full", style=style, lang=lang)
    assert compiled(text, tmp_path) == []


def test_names_that_mean_something_to_tex_are_printed(tmp_path):
    def a_b(x_: "n 2", W_1_: "2 3", δ: "3"):
        h_1 = x_ @ W_1_ + δ
        return (h_1 * h_1).sum()

    assert compiled(derive(a_b).to_latex(standalone=True), tmp_path) == []


def test_notes_are_printed_letter_by_letter(tmp_path):
    def forward(x: "n"):
        return (0.7978845608028654 * x * x).sum()

    page = derive_source(Source(r"a_b^{c}$#%&~\x", forward), {}, {})
    assert page.notes and compiled(page.to_latex(standalone=True), tmp_path) == []


def test_a_loop_begins_with_a_named_value_in_every_format(tmp_path):
    page = derive_source(catalogue.find("mlp"), {}, {}, layers="superscript")
    assert "a⁽⁰⁾ is x" in page.to_text()
    assert "</msup></math> is <math><mi>x</mi></math></p>" in page.to_html()
    assert "\n\n其中 $a^{(0)}$ 即 $x$" in page.to_markdown(lang="zh")
    assert "where a⁽⁰⁾ is x" in page.to_json()
    assert "\n% where a⁽⁰⁾ is x\n" in page.to_latex()
    document = page.to_latex(standalone=True)
    assert r"where $a^{(0)}$ is $x$\par" in document
    assert compiled(document, tmp_path) == []


def test_what_a_loop_begins_with_is_left_out_where_it_looks_the_same():
    """Both h[0] and h0 are set as h with a 0 below."""
    page = derive_source(catalogue.find("rnn"), {}, {})
    assert "  where h[0] is h0\n" in page.to_text()
    document = page.to_latex(standalone=True)
    assert "h[0]" not in document and "h0" not in document
    assert r"where $x_{t}$ is \texttt{x[:, t-1]} in the code\par" in document
    assert "where $x_{t}$ is `x[:, t-1]` in the code" in page.to_markdown()


def test_equations_for_a_paper_say_in_comments_how_they_are_written():
    page = derive_source(catalogue.find("cnn"), {}, {}, layout="jacobian", layers="superscript")
    comments = [line for line in page.to_latex(lang="zh").splitlines() if line.startswith("%")]
    said = "\n".join(comments)
    assert "cnn: 行向量约定。雅可比布局" in said and "K   3×3×2×3" in said
    assert "∂l/∂W   (18, 4)   4×18   转置" in said and "B 在 A 上滑动" in said
    plain = page.to_latex(lang="zh").splitlines()[len(comments) :]
    assert plain[0] == r"\begin{align*}" and not any("%" in line for line in plain)


def test_steps_for_a_paper_stand_between_what_text_has_around_them():
    page = derive_source(catalogue.find("affine"), {}, {}).second()
    steps = page.to_latex(detail="steps")
    assert r"y &= x \, W + b" in steps and r"\mathrm{d}y &=" in steps
    assert steps.index(r"\paragraph") < steps.rindex(r"\begin{align*}")


def test_a_page_without_layers_says_that_none_is_raised():
    said = "No name here has the number of a layer: none is raised."
    page = derive_source(catalogue.find("rnn"), {}, {}, layers="superscript")
    for written in (page.to_text(), page.to_html(), page.to_markdown(), page.to_json()):
        assert said in written
    assert said not in derive_source(catalogue.find("rnn"), {}, {}).to_text()
    assert said not in derive_source(catalogue.find("fnn"), {}, {}, layers="superscript").to_text()


def test_the_order_of_indices_is_said_where_matrices_lie_otherwise():
    said = "has them in the order of the code"
    page = derive_source(catalogue.find("fnn"), {}, {}, layout="jacobian")
    assert said in page.to_text(style="index") and said in page.to_html(style="index")
    assert said not in page.to_text()
    page = derive_source(catalogue.find("fnn"), {}, {})
    assert said in page.to_text("column", style="index")
    assert said not in page.to_text(style="index") and said not in page.to_text("column")
    assert said in derive_source(catalogue.find("cnn"), {}, {}, layout="jacobian").to_text()


@pytest.mark.parametrize(
    ("network", "lying", "turned"),
    [
        ("cnn", {"x", "K", "z1", "a1", "p"}, {"f", "W", "z2", "a2", "b", "c"}),
        ("conv2d", {"x", "W", "z"}, {"b"}),
        ("multi_head_attention", set(), {"Q", "K", "V", "P"}),
        ("max_pool", {"x"}, set()),
    ],
)
def test_gradients_beside_windows_lie_as_their_tensors(network, lying, turned):
    """The sentence about the layout, the table of shapes and the equations say the same."""
    page = derive_source(catalogue.find(network), {}, {}, layout="jacobian")
    data = json.loads(page.to_json())
    links = {one["name"]: one["link"] for one in data["apart"]}
    assert lying.isdisjoint(name.removeprefix("∂l/∂") for name in links)
    assert {f"∂l/∂{name}" for name in turned} <= set(links)
    said = page.to_text().partition("\n\n")[0].replace("\n", " ")
    assert all(f" {name}" in said for name in lying)
    assert ("each matrix of the last two" in said) == (network == "multi_head_attention")
    slides = [one["text"][0] for one in data["equations"] if " ⋆ " in one["text"][0]]
    assert not any("ᵀ" in line for line in slides)
    steps = page.to_text(detail="steps")
    assert "[not proved]" not in steps


def test_a_document_is_latex(capsys):
    assert main(["derive", "fnn", "--format", "latex", "--standalone"]) == 0
    assert capsys.readouterr().out.startswith(r"\documentclass")
    assert main(["derive", "fnn", "--standalone"]) == 2
    assert main(["derive", "fnn", "--standalone", "--format", "ipynb"]) == 2
    assert main(["derive", "fnn", "--engine", "torch"]) == 2
