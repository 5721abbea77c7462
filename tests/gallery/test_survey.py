"""The whole gallery verified: it goes on when a network fails, and says which and why."""

import json

import pytest

from gradproof.core.errors import GradproofError
from gradproof.gallery import catalogue
from gradproof.gallery.summary import summary
from gradproof.gallery.survey import Outcome, Survey, verify_all

RIGHT = '''"""Right."""


def forward(x: "n 3", y: "n 3, data"):
    return ((x - y) ** 2).sum()


def backward(x, y):
    dl_dx = 2 * (x - y)
    return locals()
'''
WRONG = RIGHT.replace("2 * (x - y)", "x - y")
UNDECIDED = '''"""Undecided."""
import numpy as np


def forward(x: "n 3"):
    return np.abs(x).sum()


SAMPLES = {"zeros": {"x": np.zeros((2, 3))}}
'''
FAILS = RIGHT.replace("(x - y) ** 2", "(x @ y) ** 2")
CRASHES = RIGHT + "\n\nSAMPLES = {'none': 5}\n"


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """A gallery of these texts."""

    def fill(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(catalogue, "_HERE", tmp_path)
        monkeypatch.setattr(
            catalogue, "find", lambda name: catalogue.read_file(tmp_path / f"{name}.py")
        )

    return fill


def plain(survey, width=100):
    return [line.plain for line in summary(survey, width)]


def test_a_network_that_fails_does_not_stop_the_others(gallery):
    gallery(a_fails=FAILS, b_crashes=CRASHES, c_right=RIGHT)
    survey = verify_all(("numpy",))
    failed = {one.network: one.failed for one in survey.outcomes}
    assert "a_fails.py:5" in failed["a_fails"]
    assert failed["b_crashes"].startswith("TypeError at signature.py:")
    assert failed["c_right"] == ""
    assert survey.outcomes[2].formulas == {"proved": 1}
    assert survey.exit_code == 2
    page = "\n".join(plain(survey))
    assert "a_fails on NumPy: could not be verified: a_fails.py:5" in page
    assert "NOT VERIFIED: 3 networks on 1 engine in float32 · 2 failed" in page


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"r": RIGHT}, 0),
        ({"r": RIGHT, "w": WRONG, "u": UNDECIDED, "f": FAILS}, 1),
        ({"r": RIGHT, "u": UNDECIDED, "f": FAILS}, 2),
        ({"r": RIGHT, "u": UNDECIDED}, 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst(gallery, texts, code):
    gallery(**texts)
    assert verify_all(("numpy",)).exit_code == code


def test_what_does_not_hold_is_named_with_its_reason(gallery):
    gallery(u=UNDECIDED, w=WRONG)
    page = " ".join("\n".join(plain(verify_all(("numpy",)))).split())
    assert "w on NumPy: ∂l/∂x, the formula is refuted" in page
    assert "u on NumPy: ∂l/∂x is undecided: abs has no derivative" in page


def test_every_network_is_verified_on_every_engine_asked_for(gallery):
    gallery(one=RIGHT, two=RIGHT)
    seen = []
    survey = verify_all(("numpy", "torch"), "float64", 3, watch=lambda *said: seen.append(said))
    pairs = [(one.network, one.engine) for one in survey.outcomes]
    assert pairs == [("one", "numpy"), ("two", "numpy"), ("one", "torch"), ("two", "torch")]
    assert seen == [(*pair, done, 4) for done, pair in enumerate(pairs)]
    assert (survey.dtype, survey.seed) == ("float64", 3)


def test_the_summary_fits_100_columns_and_is_json_too(gallery):
    gallery(a_network_with_a_very_long_name=WRONG, u=UNDECIDED, f=FAILS)
    survey = verify_all(("numpy", "tensorflow", "torch", "jax"))
    assert max(map(len, plain(survey))) <= 100
    read = json.loads(survey.to_json())
    assert read["exit_code"] == 1
    assert len(read["outcomes"]) == 12


def test_formulas_are_counted_once_and_numbers_by_engine():
    one = Outcome("net", "numpy", 0, 1.0, {"proved": 2}, {"agrees": 5}, {}, 0.5)
    two = Outcome("net", "torch", 0, 1.0, {"proved": 2}, {"agrees": 5}, {"agrees": 3}, 0.9)
    page = plain(Survey("float32", 0, (one, two), {}))
    assert page[1].split() == ["net", "✓", "2", "✓", "5", "✓", "5", "+", "✓", "3"]
    assert "formulas: 2 proved · tensors: 13 agrees · largest share of a bound 0.90" in " ".join(
        "".join(page).split()
    )


def test_an_engine_or_a_network_that_does_not_exist():
    for call in (
        lambda: verify_all(("mxnet",)),
        lambda: verify_all(("numpy",), networks=("nothing",)),
        lambda: verify_all(("numpy",), "float8"),
    ):
        with pytest.raises(GradproofError):
            call()
