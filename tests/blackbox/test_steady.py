"""An error that rounding makes does not come back when all inputs move a little."""

import numpy as np
import pytest

from gradproof.blackbox.build import build
from gradproof.blackbox.heard import EXACTLY, hear
from gradproof.blackbox.steady import is_steady
from tests.judge.test_stacked import NOTHING_ELSE


def paper(x: "n d", W: "d k"):
    return np.tanh(x @ W)


def layer(wrong):
    def function(x, W):
        y = np.tanh(x @ W)

        def pullback(g):
            d = g * (1 - y * y)
            return d @ W.T, wrong(x.T @ d)

        return y, pullback

    return function


@pytest.mark.parametrize(
    ("wrong", "steady"),
    [
        (lambda g: 1.01 * g, True),
        (lambda g: np.roll(g, 1, 0), True),
        (np.zeros_like, True),
        (lambda g: g.astype(np.float32).astype(g.dtype), False),
        (lambda g: np.where(g == g.max(), np.nan, g), False),
        (lambda g: g[:-1], False),
        (lambda g: g, False),
    ],
)
def test_errors_of_formulas_come_back(wrong, steady):
    given = {"dtype": "float32", "seed": 1, "engine": "numpy", "sizes": {}, **NOTHING_ELSE}
    case = build(layer(wrong), {}, paper, **given)
    data = case.data(0)
    (heard,) = hear(case, [(data, case.ask(data, dtype=EXACTLY))])
    assert is_steady("W", case, heard, heard.enclosure["W"]) == steady
