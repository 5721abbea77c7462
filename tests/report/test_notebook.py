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
from gradproof.workbench import notebook_source


def written(name, engine="numpy", vectors="row"):
    return notebook_source(catalogue.find(name), {}, {}, engine, vectors, what="What it is.")


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


@pytest.mark.parametrize("name", catalogue.names())
def test_every_network_of_the_gallery_has_a_notebook_that_holds_its_own_source(name):
    text = written(name, vectors="column")
    nbformat.validate(nbformat.reads(text, 4))
    assert text == written(name, vectors="column")  # cells keep their names
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
