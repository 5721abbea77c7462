"""Slopes on plain arrays: of every function of one argument that a paper calls by its name."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.ops import FUNCTIONS, ElementwiseFunction
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME

NAMES = [
    name
    for name, function in FUNCTIONS.items()
    if isinstance(function, ElementwiseFunction) and len(ELEMENTWISE_BY_NAME[name].arguments) == 1
]


@pytest.mark.parametrize("name", NAMES)
def test_the_slope_on_arrays_is_that_of_the_function(name):
    function = FUNCTIONS[name]
    (x,) = np.asarray(ELEMENTWISE_BY_NAME[name].samples[0], dtype=np.float64)
    h = 2.0**-17
    expected = (function(x + h) - function(x - h)) / (2 * h)
    # The error of the quotient is about h²/6 times the third derivative, which is small here.
    np.testing.assert_allclose(function.derivative(x), expected, rtol=0, atol=1e-8)
    assert function.derivative(x.astype(np.float32)).dtype == np.float32


def test_a_paper_may_use_a_slope_that_is_made_of_other_functions():
    def forward(z: "n 3", w: "n 3, data"):
        return np.sum(w * gp.gelu(z))

    report = gp.verify(
        forward, lambda z, w: {"dz": w * gp.gelu.derivative(z)}, engine="numpy", seed=0
    )
    assert report["z"].formula_verdict.kind == "proved"
