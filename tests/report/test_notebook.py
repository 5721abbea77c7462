"""A notebook runs from top to bottom, and its outputs are the report's."""

import json
import re

import nbclient
import nbformat
import pytest
from rich.console import Console

import gradproof as gp
from gradproof.cli import main
from gradproof.core.errors import NetworkError, UnknownName
from gradproof.gallery import catalogue, fnn, rnn
from gradproof.trace.source import Source
from gradproof.workbench import derive_source, notebook_source


def written(name, engine="numpy", vectors="row", **how):
    source = catalogue.find(name)
    return notebook_source(source, {}, {}, engine, vectors, what="What it is.", **how)


def run(text):
    book = nbformat.reads(text, 4)
    nbformat.validate(book)
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    return book


def shown(cell):
    """What a cell shows, as text, without a terminal's colours."""
    (output,) = cell.outputs
    data = output["data"]["text/plain"] if "data" in output else output["text"]
    return re.sub(r"\x1b\[[\d;]*m", "", data)


@pytest.fixture(scope="module")
def book():
    return run(written("fnn"))


def test_its_outputs_are_those_of_the_report(book):
    report = gp.verify(fnn.forward, fnn.backward, engine="numpy")
    cells = {c.source: c for c in book.cells if c.cell_type == "code" and c.outputs}
    for row in report.batches[-1].gradients:
        console = Console(width=115, record=True, highlight=False, force_terminal=False)
        gp.show(report, console, of=row.name)
        own = shown(cells[f'gp.show(report, of="{row.name}")'])
        assert own.split() == console.export_text().split()
        assert own.startswith(row.derived)
    assert "all hold" in shown(cells["report"])
    assert "proved" in cells["report"].outputs[0]["data"]["text/html"]


def test_each_formula_stands_above_the_cell_that_verifies_it(book):
    cells = list(book.cells)
    places = [n for n, c in enumerate(cells) if c.source.startswith("gp.show(report, of=")]
    assert len(places) == 9
    for place in places:
        assert cells[place - 1].cell_type == "markdown"
        name = re.search(r'of="(.)', cells[place].source)[1]
        assert rf"\partial {name}" in cells[place - 1].source.partition("&=")[0]


def test_the_steps_are_folded_between_a_formula_and_its_cell(book):
    data = derive_source(catalogue.find("fnn"), {}, {}).steps()
    folded = [c.source for c in book.cells if "<details>" in c.source]
    assert len(folded) == len(data.gradients) == 9
    for source, gradient in zip(folded, data.gradients, strict=True):
        lines = [*(one for part in gradient.parts for one in part.lines), *gradient.closing]
        assert source.count("&&") == len(lines) + 1
        assert source.count(r"\begin{aligned}") == source.count("$$") / 2 == 2
    assert "Checked: each line was read back" in "".join(c.source for c in book.cells)


def test_a_notebook_is_written_as_it_is_asked_for(capsys):
    words = ["--layout", "jacobian", "--layers", "superscript", "--gradient", "delta"]
    command = ["derive", "fnn", "--format", "ipynb", "--engine", "numpy", *words]
    assert main([*command, "--detail", "brief"]) == 0
    text = capsys.readouterr().out
    assert "<details>" not in text and "Jacobian layout" in text
    assert r"\\delta_{W^{(2)}} &= \\delta_{z^{(2)}} \\, a^{(1)}" in text
    assert r"of=\"W2\"" in text


def test_a_chinese_notebook_says_all_in_chinese(capsys, monkeypatch):
    monkeypatch.setenv("GRADPROOF_LANG", "en")
    cells = json.loads(written("affine", lang="zh"))["cells"]
    prose = "".join(c["source"] for c in cells if c["cell_type"] == "markdown")
    prose = re.sub(r"\\[a-zA-Z]+|`[^`]*`|</?\w+>|What it is\.", " ", prose)
    words = re.findall(r"[A-Za-z]{3,}", prose)
    assert set(words) <= {"affine", "aligned", "loss"}, words
    space = {}
    for cell in cells:
        if cell["cell_type"] == "code" and cell["source"] != "report":
            exec(compile(cell["source"], "cell", "exec"), space)
    assert "一致" in capsys.readouterr().out


@pytest.mark.parametrize("name", catalogue.names())
def test_every_network_of_the_gallery_has_a_notebook_that_holds_its_own_source(name):
    text = written(name, vectors="column", detail="brief")
    nbformat.validate(nbformat.reads(text, 4))
    assert text == written(name, vectors="column", detail="brief")  # cells keep their names
    code = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    space = {}
    for source in code[:2]:
        exec(compile(source, name, "exec"), space)
    assert callable(space["forward"])
    asked = [re.search(r'of="(.+?)"', source)[1] for source in code if "of=" in source]
    assert len(asked) == len(set(asked)) > 0


def test_a_loops_gradients_are_shown_with_those_at_its_end():
    report = gp.verify(rnn.forward, rnn.backward, engine="numpy")
    console = Console(width=100, record=True, highlight=False)
    gp.show(report, console, of="h")
    text = console.export_text()
    assert "∂l/∂h[6] = " in text and "∂l/∂h[t] = " in text and "∂l/∂h[6]  (7, 4)" in text
    with pytest.raises(UnknownName, match=r"no gradient with respect to H.*h\[1…6\]"):
        gp.show(report, console, of="H")


def test_one_wrong_gradient_is_shown_with_its_reason():
    def backward(a2, z2, y):
        dl_da2 = a2 - y
        dl_dz2 = dl_da2 * gp.sigmoid.derivative(a2)
        return locals()

    console = Console(width=100, record=True, highlight=False)
    gp.show(gp.verify(fnn.forward, backward, engine="numpy"), console, of="z2")
    text = console.export_text()
    assert "✗ refuted" in text and "σ′(a2) stands where it belongs at z2" in text


def test_the_command_writes_a_notebook(capsys):
    assert main(["derive", "softmax_regression", "--format", "ipynb", "--engine", "torch"]) == 0
    text = capsys.readouterr().out
    assert 'engine=\\"torch\\"' in text
    nbformat.validate(nbformat.reads(text, 4))


def test_a_function_without_a_file_has_no_notebook():
    space = {}
    exec('def forward(x: "n"):\n    return x.sum()\n', space)
    with pytest.raises(NetworkError, match="no file to make a notebook from"):
        notebook_source(Source("it", space["forward"]), {}, {}, "numpy")
