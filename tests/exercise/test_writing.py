"""A network to an exercise: its formulas are gone, and what stayed still holds."""

import ast

import pytest

from gradproof.core.errors import DataError, NetworkError, NotYet
from gradproof.exercise.marking import mark
from gradproof.exercise.writing import exercise
from gradproof.gallery import catalogue
from gradproof.trace.source import read_file


def written(tmp_path, source, wanted=()):
    made = exercise(source, wanted)
    path = tmp_path / f"{source.name}_exercise.py"
    path.write_text(made.text, encoding="utf-8")
    return made, read_file(path)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_network_of_the_gallery_is_an_exercise(name, tmp_path):
    made, source = written(tmp_path, catalogue.find(name))
    assert made.asked
    compile(made.text, name, "exec")
    assert max(map(len, made.text.splitlines())) <= 100
    backward = next(
        p
        for p in ast.parse(made.text).body
        if isinstance(p, ast.FunctionDef) and p.name == "backward"
    )
    blanks = [
        node.targets[0].id
        for node in backward.body
        if isinstance(node, ast.Assign) and "gp.blank" in ast.unparse(node.value)
    ]
    assert len(blanks) == len(made.asked)
    kinds = {m.of: m.kind for m in mark(source, asked=made.asked).marks}
    assert set(kinds) == set(made.asked) and set(kinds.values()) == {"blank"}


def test_the_formulas_that_stay_are_right(tmp_path):
    made, source = written(tmp_path, catalogue.find("fnn"), ("W2", "z1"))
    assert made.asked == ("W2", "z1")
    assert "dl_dz1 = gp.blank(z1)  # ∂l/∂z1: n×4\n" in made.text
    assert "dl_dW1 = x.T @ dl_dz1\n" in made.text
    kinds = {m.of: m.kind for m in mark(source, asked=("a2", "W2", "z1", "W1")).marks}
    assert kinds == {"a2": "right", "W2": "blank", "z1": "blank", "W1": "right"}


def test_what_served_only_a_formula_that_is_gone_goes_too():
    text = exercise(catalogue.find("conv2d_stride")).text
    assert "rows" not in text and "for r in" not in text
    assert "native" not in text.lower() and "def _keras" not in text


def test_a_loop_that_others_need_stays_without_the_lines_of_what_is_asked():
    text = exercise(catalogue.find("rnn")).text
    assert "dh = do @ V.T + dh_next\n" in text
    assert "dV = gp.blank(V)" in text and "hs[t].T @ do" not in text


def test_without_formulas_every_gradient_is_asked_for(tmp_path):
    path = tmp_path / "bare.py"
    path.write_text(
        "import numpy as np\n\nSCALE = 2.0\n\n\ndef doubled(a):\n    return SCALE * a\n\n\n"
        'def forward(x: "n 3", W: "3 2"):\n    z = x @ W\n    return np.sum(doubled(z) ** 2)\n'
    )
    made, source = written(tmp_path, read_file(path))
    assert set(made.asked) >= {"x", "W", "z"}
    assert "SCALE = 2.0" in made.text and "def doubled(a):" in made.text
    assert "import gradproof as gp" in made.text
    assert {m.kind for m in mark(source).marks} == {"blank"}


def test_comments_above_a_formula_that_is_gone_are_gone(tmp_path):
    path = tmp_path / "told.py"
    path.write_text(
        "import numpy as np\n\n\n"
        'def forward(x: "n 3", W: "3 2"):\n    z = x @ W\n    return 0.5 * np.sum(z**2)\n\n\n'
        'def backward(x, W, z):\n    """dW is x.T @ dz."""\n    # half of a square\n    dz = z\n'
        "    # transposed x times dz\n    dW = x.T @ dz\n    return locals()\n"
    )
    text = exercise(read_file(path), ("W",)).text
    assert "transposed" not in text and '"""dW is' not in text
    assert "# half of a square\n    dz = z\n" in text


@pytest.mark.parametrize(
    ("name", "wanted", "error", "match"),
    [
        (
            "fnn",
            ("W3",),
            DataError,
            "no formula for ∂l/∂W3 to leave blank.  These can be blank: a2",
        ),
        ("rnn", ("h",), NotYet, "made at every turn of a loop"),
    ],
)
def test_what_cannot_be_blank_is_said(name, wanted, error, match):
    with pytest.raises(error, match=match):
        exercise(catalogue.find(name), wanted)


def test_formulas_that_are_woven_together_are_said_with_their_line(tmp_path):
    path = tmp_path / "woven.py"
    path.write_text(
        "import numpy as np\n\n\n"
        'def forward(x: "n 3", W: "3 2"):\n    z = x @ W\n    return 0.5 * np.sum(z**2)\n\n\n'
        "def backward(x, W, z):\n    dx, dW = [f(z) for f in (lambda z: z @ W.T, x.T.__matmul__)]"
        "\n    return locals()\n"
    )
    source = read_file(path)
    with pytest.raises(NotYet, match=r"(?s)woven.py:10 .*woven together with others"):
        exercise(source, ("W",))
    with pytest.raises(NetworkError, match="No formula of woven can be cut out"):
        exercise(source)
