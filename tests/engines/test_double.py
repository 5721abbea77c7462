"""Double-double balls hold what Arb finds, also where everything cancels."""

from fractions import Fraction

import flint
import numpy as np
import pytest

from gradproof.engines import double as double_room
from gradproof.engines.arb import Arb, each, precision
from gradproof.engines.double import Double, from_arb, to_arb

OPERATIONS = {
    "add": lambda a, x, y: a.add([x, y, x]),
    "multiply": lambda a, x, y: a.multiply(x, y),
    "square": lambda a, x, y: a.power(x, Fraction(2)),
    "reciprocal": lambda a, x, y: a.power(x, Fraction(-1)),
    "total": lambda a, x, y: a.total(x, (0, 1)),
    "total of a column": lambda a, x, y: a.total(x, (0,)),
    "repeat": lambda a, x, y: a.repeat(x, 7),
    "matmul": lambda a, x, y: a.matmul(x, y),
    "tanh": lambda a, x, y: a.function("tanh", (x,), 0),
    "sigmoid": lambda a, x, y: a.function("sigmoid", (x,), 0),
    "slope of tanh": lambda a, x, y: a.function("tanh", (x,), 1),
    "slope of the sigmoid": lambda a, x, y: a.function("sigmoid", (x,), 1),
    "exp": lambda a, x, y: a.elementary("exp", x),
    "exp of large numbers": lambda a, x, y: a.elementary("exp", a.repeat(x, 8)),
    "softmax": lambda a, x, y: a.along("softmax", x),
    "logsumexp": lambda a, x, y: a.fold("logsumexp", x),
}


def drawn(seed, width):
    """Two 7×7 balls over many exponents whose sums and products nearly cancel."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(2):
        high = random.normal(size=(7, 7)) * np.exp2(random.uniform(-20, 5, (7, 7)))
        high[1] = -high[0] * (1 + 2.0**-45)
        low = high * random.uniform(-1, 1, high.shape) * 2.0**-54
        values.append((high, low, width * np.abs(high)))
    return values, random


def outside(name, seed, width):
    values, random = drawn(seed, width)
    operation = OPERATIONS[name]
    high, low, radius = operation(Double(), *values)
    with precision(500):
        points = []
        for h, l, r in values:
            t = np.clip(random.uniform(-1.5, 1.5, h.shape), -1, 1)
            points.append(
                (
                    each(
                        lambda h, l, r, t: (
                            flint.arb(h) + flint.arb(l) + flint.arb(r) * flint.arb(t)
                        ),
                        *(h, l, r, t),
                    ),
                )
            )
        true = operation(Arb(), *points)[0]
        return sum(
            not abs(x - flint.arb(h) - flint.arb(l)) <= flint.arb(r) + flint.arb(2) ** -300
            for h, l, r, x in zip(
                *(np.asarray(part).ravel() for part in (high, low, radius, true)), strict=True
            )
            if np.isfinite(r)
        )


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("width", [0.0, 2.0**-70, 2.0**-8])
def test_nothing_lies_outside_its_ball(name, width):
    assert sum(outside(name, seed, width) for seed in range(4)) == 0


@pytest.mark.parametrize(
    ("name", "function", "wrong"),
    [
        ("multiply", "_two_product", lambda a, b: (a * b, 0 * a)),
        ("add", "_two_sum", lambda a, b: (a + b, 0 * a)),
        ("total", "_two_sum", lambda a, b: (a + b, 0 * a)),
    ],
)
def test_a_transformation_that_loses_its_error_is_found(name, function, wrong, monkeypatch):
    monkeypatch.setattr(double_room, function, wrong)
    assert sum(outside(name, seed, 0.0) for seed in range(4)) > 0


@pytest.mark.parametrize("name", ["exp", "sigmoid", "slope of tanh"])
def test_a_series_that_is_too_short_is_found(name, monkeypatch):
    monkeypatch.setattr(double_room, "_TAYLOR", double_room._TAYLOR[3:])
    assert sum(outside(name, seed, 0.0) for seed in range(4)) > 0


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "slope of tanh"])
def test_series_are_sharp_element_by_element_and_not_arbs(name, monkeypatch):
    high, _, nothing = drawn(0, 0.0)[0][0]
    x = (np.where(np.abs(high) < 2.0**-12, 0.5, high), 2.0**-54 * high, nothing)
    monkeypatch.setattr(double_room, "to_arb", None)
    high, _, radius = OPERATIONS[name](Double(), x, x)
    assert np.all(radius <= 2.0**-78 * np.abs(high))


def test_nothing_moves_where_a_tanh_is_zero():
    zero = Double().lift(np.array([0.0, 1.0]))
    high, low, radius = Double().function("tanh", (zero,), 0)
    assert (high[0], low[0], radius[0]) == (0, 0, 0)
    assert radius[1] > 0


def test_slices_that_are_too_long_are_found(monkeypatch):
    monkeypatch.setattr(np, "ldexp", lambda m, e, ldexp=np.ldexp: ldexp(m, e - 8))
    assert sum(outside("matmul", seed, 0.0) for seed in range(4)) > 0


def test_a_product_is_sharp_to_more_than_float64_has():
    random = np.random.default_rng(0)
    double = Double()
    a, b = (double.lift(random.normal(size=shape)) for shape in ((20, 300), (300, 20)))
    high, _, radius = double.matmul(a, b)
    assert np.median(radius / np.abs(high)) < 2.0**-85


def test_there_and_back_encloses():
    values, _ = drawn(0, 2.0**-60)
    with precision(128):
        high, low, radius = from_arb(to_arb(values[0]))
    assert np.all(np.abs((high - values[0][0]) + (low - values[0][1])) <= radius)
    assert np.all(radius >= values[0][2])
