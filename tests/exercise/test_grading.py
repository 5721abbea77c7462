"""A class is marked file by file, and no file spoils another's marks."""

import csv
import io
import os
from fractions import Fraction

import pytest

from gradproof.core.errors import DataError
from gradproof.exercise.class_page import page
from gradproof.exercise.grading import Limits, grade, to_csv
from gradproof.exercise.writing import exercise
from gradproof.gallery import catalogue

pytestmark = pytest.mark.skipif(
    not hasattr(os, "killpg"), reason="limits of memory and of time are tested on Unix"
)

FILLED = {
    "gp.blank(a2)": "a2 - y",
    "gp.blank(z2)": "dl_da2 * a2 * (1 - a2)",
    "gp.blank(W2)": "a1.T @ dl_dz2",
    "gp.blank(b2)": "dl_dz2.sum(axis=0)",
}


SHORT = {
    "endless": "while True:\n    pass\n",
    "starts_others": "import subprocess, sys\nsubprocess.Popen(['sleep', '600'])\nwhile 1: 0\n",
}
"""Answers that are marked under a short limit, and use all of it."""


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    text = exercise(catalogue.find("fnn"), ("a2", "z2", "W2", "b2")).text
    (folder / "exercise.py").write_text(text)
    full = text
    for blank, formula in FILLED.items():
        full = full.replace(blank, formula)
    answers = {
        "anna": full,
        "boris": full.replace("a2 * (1 - a2)", "(1 - a2)"),
        "greedy": "x = bytearray(64 * 2**30)\n",
        "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "left": "import os\nos._exit(0)\n",
        "other_forward": full.replace("0.5 * np.sum", "1.0 * np.sum"),
        "no_python": "def forward(:\n",
        "=cmd()": full.replace("gp.blank", "gp.blank"),
        "<script>alert(1)<": "import no_such_module\n",
    }
    other = tmp_path_factory.mktemp("other_class")
    for place, those in ((folder, answers), (other, SHORT)):
        for name, content in those.items():
            (place / f"{name}.py").write_text(content)
    graded = grade(folder, folder / "exercise.py", limits=Limits(12.0, 4.0))
    late = grade(other, folder / "exercise.py", limits=Limits(4.0, 4.0))
    return graded, {one.name: one for one in (*graded.files, *late.files)}


def test_each_file_has_its_own_marks(classroom):
    graded, files = classroom
    assert "exercise" not in files and graded.asked == ("a2", "z2", "W2", "b2")
    assert [m.kind for m in files["anna"].marks] == ["right"] * 4
    assert [m.kind for m in files["boris"].marks] == ["right", "wrong", "carried", "carried"]
    assert files["boris"].points(graded.carried) == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("endless", "did not end within 4 seconds"),
        ("starts_others", "did not end within 4 seconds"),
        ("greedy", "more than 4 GB of memory"),
        ("killed", "ended by SIGKILL"),
        ("left", "left no marks"),
        ("other_forward", "forward is not the exercise's"),
        ("no_python", "no_python.py:1"),
        ("<script>alert(1)<", "ModuleNotFoundError"),
    ],
)
def test_what_goes_wrong_is_said_of_the_file(classroom, name, told):
    _, files = classroom
    assert told in files[name].problem and not files[name].marks


def test_the_table_is_read_by_a_spreadsheet_as_text(classroom):
    graded, _ = classroom
    rows = list(csv.reader(io.StringIO(to_csv(graded))))
    assert rows[0] == ["file", "points", "of", "a2", "z2", "W2", "b2", "problem"]
    by_name = {row[0]: row for row in rows[1:]}
    assert by_name["anna"][1:] == ["4", "4", *["right"] * 4, ""]
    assert "'=cmd()" in by_name and "=cmd()" not in by_name


def test_the_page_holds_nothing_that_runs(classroom):
    graded, _ = classroom
    text = page(graded)
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "boris · 2 of 4" in text


@pytest.mark.parametrize("missing", ["folder", "exercise", "answers"])
def test_what_is_missing_is_said(tmp_path, missing):
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = {
        "folder": (tmp_path / "none", None, "no folder"),
        "exercise": (empty, tmp_path / "none.py", "no file"),
        "answers": (empty, None, "no answers"),
    }
    folder, asked, told = arguments[missing]
    with pytest.raises(DataError, match=told):
        grade(folder, asked)


def test_points_for_a_carried_mistake_are_the_teachers_choice(classroom):
    _, files = classroom
    assert [files["boris"].points(Fraction(c)) for c in (0, 1)] == [1, 3]
