"""The published float32 numbers, digit for digit."""

import numpy as np
import pytest

from gradproof.gallery.fnn_replay import PUBLISHED, replay, shown, the_pair


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_digit_is_reproduced(name):
    assert shown(replay()[name]) == PUBLISHED[name]


def test_the_hand_value_of_the_pair_is_the_nearer_one():
    pair = the_pair()
    assert pair.exact == "0.058518687975476967"
    assert (f"{pair.hand:.8f}", f"{pair.tensorflow:.8f}") == ("0.05851869", "0.05851868")
    assert (round(pair.hand_ulps, 2), round(pair.tensorflow_ulps, 2)) == (0.69, 1.69)
    assert np.spacing(pair.hand) == pair.hand - pair.tensorflow
