"""Verdicts on what a black box returned: the short way to one, and the long way."""

import numpy as np
import pytest

from gradproof.engines.black_box import Returned
from gradproof.engines.contract import CONTRACTS
from gradproof.judge import box

CONTRACT = CONTRACTS["torch", "float32"]
SHAPE = (130, 150)  # more than a block


def returned(off=0.5):
    """A tensor so far off, as a share of its bound, with exact zeros in it; and its enclosure."""
    random = np.random.default_rng(0)
    m = random.normal(size=SHAPE)
    m[3] = 0
    e = np.abs(m) * 2.0**-18
    x = m + off * e * random.uniform(-1, 1, SHAPE)
    return x, (m, 2.0**-20 * e, e)


def test_what_is_inside_is_told_the_same_the_long_way(monkeypatch):
    x, enclosure = returned()
    short = box.judge_returned(Returned(x, "float32"), enclosure, None, CONTRACT)
    monkeypatch.setattr(box, "_all_inside", lambda *given: None)
    long = box.judge_returned(Returned(x, "float32"), enclosure, None, CONTRACT)
    assert repr(short) == repr(long) and short.kind == "agrees"


@pytest.mark.parametrize("spot", [(0, 0), (3, 7), (129, 149)])
@pytest.mark.parametrize("wrong", [1.0, np.nan, np.inf, 1e-300])
def test_one_wrong_element_is_refuted(spot, wrong):
    x, enclosure = returned()
    x[spot] += wrong
    found = box.judge_returned(Returned(x, "float32"), enclosure, None, CONTRACT)
    refuted = wrong != 1e-300 or spot == (3, 7)  # elsewhere 1e-300 changes nothing
    assert found.kind == ("refuted" if refuted else "agrees")
    assert wrong == 1e-300 or found.worst == spot


@pytest.mark.parametrize("bound", [np.inf, np.nan])
def test_an_element_without_a_bound_is_not_judged(bound):
    x, (m, r, e) = returned()
    x[5, 5] += 1
    e[5, 5] = bound
    found = box.judge_returned(Returned(x, "float32"), (m, r, e), None, CONTRACT)
    assert found.kind == "agrees"
    x[6, 6] += 1
    found = box.judge_returned(Returned(x, "float32"), (m, r, e), None, CONTRACT)
    assert (found.kind, found.worst) == ("refuted", (6, 6))
