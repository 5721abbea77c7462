"""Marks: right, wrong, right given an earlier mistake, blank; and no answer gives itself away."""

import io
from fractions import Fraction

import pytest
from rich.console import Console

from gradproof.core.errors import DataError
from gradproof.exercise.marking import mark, number
from gradproof.exercise.showing import lines
from gradproof.gallery import catalogue
from gradproof.trace.source import read_file

HEAD = """import numpy as np

import gradproof as gp


def forward(x: "n 2", W1: "2 4", b1: "4", W2: "4 3", b2: "3", y: "n 3, data"):
    z1 = x @ W1 + b1
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)


def backward(x, W1, b1, W2, b2, y, z1, a1, z2, a2):
"""


def answer(tmp_path, *formulas, extra=""):
    path = tmp_path / "answer.py"
    body = "".join(f"    {line}\n" for line in formulas)
    path.write_text(f"{HEAD}{body}    return locals()\n{extra}", encoding="utf-8")
    return read_file(path)


def kinds(marked):
    return {m.of: m.kind for m in marked.marks}


RIGHT = (
    "dl_da2 = a2 - y",
    "dl_dz2 = dl_da2 * a2 * (1 - a2)",
    "dl_dW2 = a1.T @ dl_dz2",
    "dl_db2 = dl_dz2.sum(axis=0)",
    "dl_da1 = dl_dz2 @ W2.T",
    "dl_dz1 = dl_da1 * gp.sigmoid.derivative(z1)",
)


def test_a_right_answer_is_right_in_another_shape(tmp_path):
    marked = mark(answer(tmp_path, *RIGHT))
    assert set(kinds(marked).values()) == {"right"}
    assert marked.exit_code == 0 and marked.points(Fraction(1, 2)) == 6


def test_a_mistake_is_marked_once_and_carried(tmp_path):
    lines_ = [*RIGHT]
    lines_[1] = "dl_dz2 = dl_da2 * gp.sigmoid.derivative(a2)"
    marked = mark(answer(tmp_path, *lines_))
    assert kinds(marked) == {
        "a2": "right",
        "z2": "wrong",
        "W2": "carried",
        "b2": "carried",
        "a1": "carried",
        "z1": "carried",
    }
    assert marked.exit_code == 1
    assert marked.points(Fraction(1, 2)) == 3 and number(marked.points(Fraction(1, 8))) == "1.5"


def test_no_mark_shows_the_right_formula_unless_asked(tmp_path):
    lines_ = [*RIGHT]
    lines_[2] = "dl_dW2 = 0.5 * a1.T @ dl_dz2"
    for solution in (False, True):
        marked = mark(answer(tmp_path, *lines_), solution=solution)
        shown = "\n".join(str(line) for line in lines(marked, 100))
        (wrong,) = [m for m in marked.marks if m.kind == "wrong"]
        assert wrong.hints and wrong.line == "answer.py:17"
        assert ("solution: a1ᵀ ∂l/∂z2" in shown) is solution
        assert solution or not any(m.solution for m in marked.marks)


def test_blanks_are_no_points_and_are_not_wrong(tmp_path):
    source = answer(tmp_path, "dl_da2 = gp.blank(a2)", "dl_dz2 = dl_da2 * a2 * (1 - a2)")
    marked = mark(source)
    assert kinds(marked) == {"a2": "blank", "z2": "right"}
    assert marked.exit_code == 3 and marked.points(Fraction(1)) == 1


def test_a_wrong_shape_spoils_its_own_mark_only(tmp_path):
    lines_ = [*RIGHT]
    lines_[3] = "dl_db2 = dl_dz2"
    marked = mark(answer(tmp_path, *lines_))
    found = kinds(marked)
    assert found.pop("b2") == "wrong" and set(found.values()) == {"right"}
    (hint,) = next(m for m in marked.marks if m.of == "b2").hints
    assert "n×3" in hint and "Sum over the first axis" in hint


def test_what_builds_on_a_wrong_shape_is_left_to_the_teacher(tmp_path):
    marked = mark(
        answer(
            tmp_path,
            "dl_da2 = a2 - y",
            "dl_dz2 = (dl_da2 * a2 * (1 - a2)).sum(axis=0, keepdims=True)",
            "dl_da1 = (dl_dz2 + 0 * a2) @ W2.T",
        )
    )
    assert kinds(marked) == {"a2": "right", "z2": "wrong", "a1": "undecided"}
    assert "builds on dl_dz2, whose shape is wrong" in marked.marks[-1].hints[0]


def test_the_file_says_what_it_asks_for(tmp_path):
    source = answer(tmp_path, *RIGHT, extra='\n\nASKED = ("W2", "z1")\n')
    assert list(kinds(mark(source))) == ["W2", "z1"]
    with pytest.raises(DataError, match="lists W9, of which there is no gradient"):
        mark(source, asked=("W9",))
    with pytest.raises(DataError, match="it lists the names of tensors"):
        mark(answer(tmp_path, *RIGHT, extra='\n\nASKED = "W2"\n'))


def test_a_function_that_is_right_only_when_it_is_read_is_not_right(tmp_path):
    source = answer(tmp_path, "dl_da2 = a2 - y if not isinstance(a2, np.ndarray) else a2 - y + 1")
    assert kinds(mark(source)) == {"a2": "undecided"}


def test_the_turns_of_a_loop_have_one_mark():
    marked = mark(catalogue.find("rnn"), asked=("h", "W"))
    assert kinds(marked) == {"h": "right", "W": "right"}
    assert marked.marks[0].symbol == "∂l/∂h"


@pytest.mark.parametrize("width", [60, 100])
def test_marks_fit_the_terminal(tmp_path, width):
    lines_ = [*RIGHT]
    lines_[1] = "dl_dz2 = dl_da2 * gp.sigmoid.derivative(a2)"
    console = Console(width=width, record=True, file=io.StringIO())
    for line in lines(mark(answer(tmp_path, *lines_)), width):
        console.print(line)
    assert all(len(line) <= width for line in console.export_text().splitlines())
