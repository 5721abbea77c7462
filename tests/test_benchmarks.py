"""The table that `make bench` writes has every row, and says what is missing."""

import importlib.util
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "benchmarks" / "bench.py"


def loaded():
    found = importlib.util.spec_from_file_location("bench", FILE)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


bench = loaded()


def test_a_row_has_its_ratio_to_the_one_beside_it():
    one = bench.row("2-4-3", "verify", [0.2, 0.1, 0.6], 0.05)
    assert (one["median"], one["least"], one["most"], one["ratio"]) == (0.2, 0.1, 0.6, 4.0)


def test_the_table_has_each_row_and_each_gap():
    rows = [bench.row("2-4-3", "pass", [0.1]), {"part": "memory", "what": "peak", "ratio": 2.5}]
    lines = bench.markdown(rows, {"jax": "not installed"}, {"python": "3"}).splitlines()
    assert "| 2-4-3 | pass | 100 ms | 100 ms | 100 ms | 1 |  |" in lines
    assert "| memory | peak |  |  |  |  | 2.50 |" in lines
    assert "Left out: jax: not installed." in lines


def test_the_pass_that_all_is_measured_beside_is_right():
    arguments, network = bench.layers((3, 4, 2), "float64", 5)
    loss, _, db2, *_ = bench.plain(**arguments)
    assert loss == network(**arguments)
    step = 1e-6
    moved = {**arguments, "bs": [arguments["bs"][0], arguments["bs"][1] + [step, 0]]}
    assert np.isclose((network(**moved) - loss) / step, db2[0], rtol=1e-4)
