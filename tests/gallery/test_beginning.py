"""The file that a network of one's own begins with."""

import pytest

from gradproof.core.errors import DataError
from gradproof.gallery.beginning import new
from gradproof.trace.source import read_file
from gradproof.workbench import verify_source


def test_the_file_verifies_as_it_is(tmp_path):
    path = new(tmp_path / "mine.py")
    assert "gradproof verify mine.py" in path.read_text("utf-8")
    report = verify_source(read_file(path), {}, "numpy", "float32", 0, {})
    assert report.ok
    assert len(report.batches) == 2
    assert sum(row.covered for row in report.batches[-1].gradients) == 8


def test_a_file_that_exists_is_left_as_it_is(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("precious = 1\n")
    with pytest.raises(DataError, match="exists already"):
        new(path)
    assert path.read_text() == "precious = 1\n"


@pytest.mark.parametrize("name", ["mine", "mine.txt", "nowhere/mine.py"])
def test_a_name_that_cannot_be_written(tmp_path, name):
    with pytest.raises(DataError):
        new(tmp_path / name)
