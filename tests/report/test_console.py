"""What a terminal shows: words, marks, widths and colours."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from gradproof.cli import main
from gradproof.gallery.catalogue import find
from gradproof.report.console import show
from gradproof.workbench import verify_source

PAPER = """
import numpy as np
import gradproof as gp

def forward(x: "n 3", W: "3 2", b: "2", u: "2", y: "n 2, data"):
    z = x @ W + b
    a = gp.sigmoid(z)
    return 0.5 * np.sum((a - y) ** 2)

def backward(x, z, a, y):
    dl_da = a - y
    dl_dz = dl_da * a * (1 - a)
    dl_dW = x.T @ dl_dz
    return locals()
"""

KINK = """
import numpy as np
import gradproof as gp

def forward(x: "n 3, data", y: "n 3"):
    return np.sum(gp.relu(x * y))
"""


@pytest.fixture
def paper(tmp_path):
    def write(text):
        path = tmp_path / "net.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def shown(network, width=100, values=False, colour=False):
    report = verify_source(find(network), {}, "numpy", "float32", 0, {})
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="standard" if colour else "auto",
    )
    show(report, console, values=values)
    return stream.getvalue()


def row(page, name):
    return next(line for line in page.splitlines() if line.startswith(name)).split()


def test_a_row_says_formula_number_share_digits_and_both_verdicts(paper):
    page = shown(paper(PAPER))
    heading = next(line for line in page.splitlines() if line.startswith("gradient"))
    assert heading.split() == [
        *("gradient", "derived", "yours", "NumPy"),
        *("of", "bound", "digits", "formula", "engine"),
    ]
    cells = row(page, "∂l/∂W ")
    assert cells[:4] == ["∂l/∂W", "xᵀ", "∂l/∂z", "same"]
    assert float(cells[4]) and 0 <= float(cells[5]) <= 1 and float(cells[6]) > 4
    assert cells[7:] == ["✓", "proved", "✓", "agrees"]


def test_a_formula_that_reads_otherwise_is_shown_below_and_no_formula_is_said(paper):
    page = shown(paper(PAPER))
    assert "below" in row(page, "∂l/∂z ")
    assert "          yours: ∂l/∂a ⊙ a ⊙ (1 − a)" in page.splitlines()
    assert "none" in row(page, "∂l/∂b ")
    assert row(page, "∂l/∂b ")[-4:] == ["·", "derived", "✓", "agrees"]


def test_what_the_loss_does_not_depend_on_is_said(paper):
    lines = shown(paper(PAPER)).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("∂l/∂u "))
    assert lines[at + 1].strip() == "the loss does not depend on it"


def test_the_users_own_values_are_written_out(paper):
    helped = PAPER.replace("dl_da * a * (1 - a)", "dl_da * slope")
    helped = helped.replace("    dl_dz =", "    slope = a * (1 - a)\n    dl_dz =")
    assert "  slope = a ⊙ (1 − a)" in shown(paper(helped)).splitlines()


@pytest.mark.parametrize("network", ["fnn", "mlp", "softmax_regression"])
@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("values", [False, True])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(network, width, values):
    for line in shown(network, width, values).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_values_are_shown_with_the_inputs_and_every_party(paper):
    page = shown(paper(PAPER), values=True)
    titles = [line.split()[0] for line in page.splitlines() if line.endswith(")") and "  (" in line]
    assert titles == [
        *("x", "W", "b", "u", "y", "z", "a"),
        *("∂l/∂a", "∂l/∂z", "∂l/∂W", "∂l/∂b", "∂l/∂x", "∂l/∂u"),
    ]
    lines = page.splitlines()
    at = lines.index("∂l/∂W  (3, 2)")
    assert lines[at + 1].split() == ["NumPy", "by", "hand", "true"]
    assert len(lines[at + 2].replace("[", " ").replace("]", " ").split()) == 3 * 2
    bare = lines.index("∂l/∂b  (2,)")
    assert lines[bare + 1].split() == ["NumPy", "true"]


WRONG = {
    "all hold": (PAPER, 0, "All hold: "),
    "refuted": (PAPER.replace("(1 - a)", "(1 + a)"), 1, "REFUTED: "),
}


@pytest.mark.parametrize(("text", "code", "word"), WRONG.values(), ids=WRONG)
def test_the_last_line_says_what_the_exit_code_says(paper, capsys, text, code, word):
    assert main(["verify", paper(text), "--engine", "numpy"]) == code
    assert capsys.readouterr().out.splitlines()[-1].startswith(word)


def test_a_kink_is_undecided_and_exits_with_3(paper, tmp_path, capsys):
    import numpy as np

    data = tmp_path / "data.npz"
    np.savez(data, x=np.zeros((2, 3)))
    code = main(["verify", paper(KINK), "--engine", "numpy", "--inputs", str(data)])
    out = capsys.readouterr().out
    assert code == 3
    assert out.splitlines()[-1].startswith("UNDECIDED: ")
    assert "? undecided" in out


def test_a_wrong_formula_and_one_that_inherits_it_have_words_of_their_own(paper):
    page = shown(paper(PAPER.replace("(1 - a)", "(1 + a)")))
    assert row(page, "∂l/∂z ")[-4:-2] == ["✗", "refuted"]
    assert row(page, "∂l/∂W ")[-4:-2] == ["✗", "inherited"]


def test_colour_is_on_a_terminal_alone(paper, capsys):
    path = paper(PAPER)
    assert "\x1b[32m✓ proved" in shown(path, colour=True)
    assert "\x1b" not in shown(path)
    main(["verify", path, "--engine", "numpy", "--show", "values"])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "latin-1"])
@pytest.mark.parametrize("command", ["verify", "derive"])
def test_a_terminal_of_another_encoding_does_not_crash(encoding, command, paper):
    options = ["--engine", "numpy", "--show", "values"] if command == "verify" else []
    done = subprocess.run(
        [sys.executable, "-m", "gradproof", command, paper(PAPER), *options],
        capture_output=True,
        env={
            "PYTHONIOENCODING": encoding,
            "LC_ALL": "C",
            "PATH": "",
            "PYTHONPATH": ":".join(sys.path),
        },
        check=True,
    )
    assert "∂l/∂W" in done.stdout.decode("utf-8")
    assert done.stderr == b""
