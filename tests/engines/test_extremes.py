"""The quickest ways to an extreme find the extreme."""

import numpy as np
import pytest

from gradproof.engines.extremes import all_of, any_of, greatest, least

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "a number": np.asarray(3.0),
    "a row": RANDOM.normal(size=7),
    "a matrix": RANDOM.normal(size=(3, 4)),
    "turned": RANDOM.normal(size=(3, 4)).T,
    "in steps": RANDOM.normal(size=(6, 8))[::2, ::3],
    "broadcast": np.broadcast_to(RANDOM.normal(size=(1, 4)), (3, 4)),
    "infinite": np.array([1.0, -np.inf, np.inf]),
    "integers": np.arange(5) - 2,
    "single": RANDOM.normal(size=9).astype(np.float32),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_extreme_is_numpys(array):
    assert greatest(array) == array.max()
    assert least(array) == array.min()


@pytest.mark.parametrize("turn", [lambda x: x, np.transpose], ids=["in order", "turned"])
def test_what_is_no_number_is_the_extreme(turn):
    array = turn(np.array([[1.0, np.nan, 3.0], [0.0, 5.0, -1.0]]))
    assert np.isnan(greatest(array))
    assert np.isnan(least(array))


def test_truth_values():
    none, some, every = np.zeros((2, 3), bool), np.eye(3) > 0, np.ones(4, bool)
    assert [any_of(x) for x in (none, some, some.T, every, every[:0])] == [0, 1, 1, 1, 0]
    assert [all_of(x) for x in (none, some, some.T, every, every[:0])] == [0, 0, 0, 1, 1]
    assert any_of(np.float64(1.0) > 0)
    assert not all_of(np.float64(1.0) < 0)
