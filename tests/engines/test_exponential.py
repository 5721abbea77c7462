"""The elementary functions of float64 are as near to the truth as they claim."""

import flint
import numpy as np
import pytest

from gradproof.engines import exponential
from gradproof.engines.arb import precision

CASES = {
    "exp": (exponential.exp, lambda x: x.exp(), exponential.EXP_UNITS),
    "log": (exponential.log, lambda x: x.log(), exponential.LOG_UNITS),
    "sigmoid": (exponential.sigmoid, lambda x: 1 / (1 + (-x).exp()), exponential.SIGMOID_UNITS),
    "tanh": (exponential.tanh, lambda x: x.tanh(), exponential.TANH_UNITS),
}


def arguments(name):
    """Over the exponents, where functions bend, and where the argument reduction turns over."""
    random = np.random.default_rng(1)
    wide = np.exp2(random.uniform(-80, 9.4, 3000)) * random.choice([-1, 1], 3000)
    turns = (np.arange(-60, 60)[:, None] + 0.5) * np.log(2) + random.normal(size=(120, 10)) * 1e-12
    parts = [wide, random.uniform(-3, 3, 3000), random.uniform(-0.4, 0.4, 2000), turns.ravel()]
    if name == "log":
        steep = 1 + random.normal(size=1000) * np.exp2(random.uniform(-52, -1, 1000))
        halves = np.sqrt(0.5) + random.normal(size=1000) * 1e-15
        parts = [np.abs(np.concatenate(parts)), np.exp2(random.uniform(-1070, 1023, 1000))]
        parts += [np.abs(steep), halves]
    x = np.concatenate(parts)
    return x[x != 0]


def errors(name, function):
    """In units of 2^-53; of a result below 2^-1022 the distance in units of 2^-1074."""
    _, true, _ = CASES[name]
    x = arguments(name)
    with precision(200):
        for argument, value in zip(x.tolist(), function(x).tolist(), strict=True):
            exact = true(flint.arb(argument))
            size = abs(exact)
            unit = flint.arb(2) ** -53 * size if size > 2.0**-1022 else flint.arb(2) ** -1074
            if size > 2.0**1023 * 1.99:
                continue
            yield float(abs(flint.arb(value) - exact) / unit) if exact != 0 else abs(value)


@pytest.mark.parametrize("name", CASES)
def test_a_function_keeps_its_claim(name):
    function, _, units = CASES[name]
    assert max(errors(name, function)) <= units


@pytest.mark.parametrize("name", CASES)
def test_a_function_that_is_a_little_worse_is_found(name):
    function, _, units = CASES[name]
    assert max(errors(name, lambda x: function(x) * (1 + (units + 4) * 2.0**-53))) > units


def test_large_arguments_saturate():
    x = np.array([-1e308, -800.0, 800.0, 1e308])
    with np.errstate(over="ignore"):
        assert np.array_equal(exponential.exp(x), [0.0, 0.0, np.inf, np.inf])
    assert np.array_equal(exponential.sigmoid(x), [0.0, 0.0, 1.0, 1.0])
    assert np.array_equal(exponential.tanh(x), [-1.0, -1.0, 1.0, 1.0])


def test_a_product_with_a_power_of_two_is_rounded_as_by_ldexp():
    k = np.arange(-1022.0, 1024.0)
    assert np.array_equal(exponential._power_of_two(k), np.ldexp(1.0, k.astype(int)))
    x = np.random.default_rng(3).uniform(1, 2, len(k))
    assert np.array_equal(x * exponential._power_of_two(k), np.ldexp(x, k.astype(int)))
    steep = np.array([-1100.0, -745.2, -744.0, -708.5, -708.0, 709.7, 710.0, 1100.0])
    with np.errstate(all="ignore"):
        assert np.array_equal(exponential.exp(steep) > 0, steep > -745.15)
        assert np.array_equal(np.isinf(exponential.exp(steep)), steep > 709.79)
