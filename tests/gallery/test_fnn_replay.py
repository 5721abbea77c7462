"""The published float32 numbers, digit for digit."""

import re

import numpy as np
import pytest

from gradproof.explain import _in_words
from gradproof.gallery.fnn_replay import PUBLISHED, replay, shown, story, the_pair
from gradproof.judge.rounding import orders


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_digit_is_reproduced(name):
    assert shown(replay()[name]) == PUBLISHED[name]


def test_the_hand_value_of_the_pair_is_the_nearer_one():
    pair = the_pair()
    assert pair.exact == "0.058518687975476967"
    assert (f"{pair.hand:.8f}", f"{pair.tensorflow:.8f}") == ("0.05851869", "0.05851868")
    assert (round(pair.hand_ulps, 2), round(pair.tensorflow_ulps, 2)) == (0.69, 1.69)
    assert np.spacing(pair.hand) == pair.hand - pair.tensorflow


def test_every_order_of_a_sum_has_words_in_chinese():
    rows = np.ones((40, 2), dtype=np.float32)
    for named in (*orders(rows, (rows, rows), None), *orders(rows, None, rows[0])):
        said = _in_words(f"Σ[40] a·b{named[0]}", "zh")
        assert re.findall("[a-z]{2,}", said) in ([], ["float"]), said
        assert _in_words(f"Σ[40] a·b{named[0]}", "en") == f"Σ[40] a·b{named[0]}"


def test_the_story_is_told_in_chinese():
    said = story("zh")
    assert "与发表的相同" in said and "published" not in said and "by hand" not in said
    assert re.findall("[A-Za-z]{3,}", said.replace("TensorFlow", "").replace("float", "")) == [
        "fnn",
        *["ulp"] * 2,
    ]
    for published in PUBLISHED.values():
        assert published in said and published in story()
