"""Reports in Chinese as whole pages, as a person has read them.

`pytest tests/golden --refresh-golden` writes them anew; read the difference before it is committed.
"""

import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from gradproof.gallery.catalogue import find
from gradproof.report.console import show
from gradproof.workbench import verify_source

HERE = Path(__file__).parent
REPORTS = HERE / "reports"

WIDTH = 100
NETWORKS = {"fnn": "fnn", "mistaken": str(REPORTS / "mistaken.py")}


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def shown(request):
    """The name of a report, and its lines."""
    console = Console(width=WIDTH, highlight=False, color_system=None)
    report = verify_source(find(NETWORKS[request.param]), {}, "numpy", "float32", 0, {})
    with console.capture() as captured:
        show(report, console, lang="zh")
    return request.param, [line.rstrip() for line in captured.get().splitlines()]


def without_digits(lines):
    """Without what differs by machine: last digits, versions, what is installed."""
    kept = (line for line in lines if not line.startswith("没有安装"))
    return [" ".join(re.sub(r"-?\d+\.\d\S*", "#", line).split()) for line in kept]


def test_a_report_is_the_page_that_was_read(shown, request):
    name, lines = shown
    golden = REPORTS / f"{name}.zh.txt"
    if request.config.getoption("--refresh-golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    read = golden.read_text(encoding="utf-8").splitlines()
    assert without_digits(lines) == without_digits(read)


def places(pattern, line):
    """At which columns of a terminal something stands."""
    return [cell_len(line[: found.start()]) for found in re.finditer(pattern, line)]


def test_the_columns_of_a_table_line_up_where_a_character_has_two_cells(shown):
    _, lines = shown
    heads = [n for n, line in enumerate(lines) if line.endswith("引擎")]
    assert len(heads) >= 2
    for number in heads:
        rows = lines[number + 1 : lines.index("", number)]
        verdicts = [places("[✓✗?·] (?=[已一未推连])", row) for row in rows]
        found = [place for place in verdicts if place]
        assert found
        last = places("公式|引擎", lines[number])
        assert all(place == last[-len(place) :] for place in found)


def test_no_line_is_wider_than_the_terminal(shown):
    assert max(map(cell_len, shown[1])) <= WIDTH
