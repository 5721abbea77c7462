"""Code that asks for the number behind a size is never said to be right at all sizes."""

import math
from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp


def forward(x: "n 3"):
    return 0.5 * np.sum(x**2)


HIDDEN = {
    "a branch that was tried": lambda x: x if x.shape[0] < 100 else 2 * x,
    "a branch far away": lambda x: x if x.shape[0] < 500_000 else 2 * x,
    "a length": lambda x: x if len(x) < 500_000 else 2 * x,
    "a number of elements": lambda x: x if x.size < 500_000 else 2 * x,
    "one size only": lambda x: 2 * x if x.shape[0] == 1_234_567 else x,
    "one shape only": lambda x: x if x.shape != (37, 3) else 2 * x,
    "a key": lambda x: {777_777: 2 * x}.get(x.shape[0], x),
    "a quotient": lambda x: x * (1 + x.shape[0] // 5000),
    "a remainder": lambda x: x * (1 + (x.shape[0] % 1_000_003 == 0)),
    "the larger of two": lambda x: x * (1 + max(0, x.shape[0] - 5000)),
    "a truth value": lambda x: x * (1 + int(bool(x.shape[0] - 777_777) is False)),
    "numpy's larger of two": lambda x: x * (1 + float(np.maximum(0, x.shape[0] - 5000))),
    "a root": lambda x: x if math.sqrt(x.shape[0]) < 700 else 2 * x,
    "a float": lambda x: x if float(x.shape[0]) < 500_000 else 2 * x,
    "a whole number": lambda x: x if int(x.shape[0]) < 500_000 else 2 * x,
    "a rounded number": lambda x: x if round(x.shape[0] / 3) < 500_000 else 2 * x,
    "a floor": lambda x: x if math.floor(x.shape[0] / 3) < 500_000 else 2 * x,
    "a distance": lambda x: x if abs(x.shape[0] - 7) < 500_000 else 2 * x,
    "a power": lambda x: x if 2 ** x.shape[0] < 2**9999 else 2 * x,
    "a small size in an array": lambda x: x if np.array(x.shape[0]) > 4 else 2 * x,
    "the opposite": lambda x: x if -x.shape[0] > -500_000 else 2 * x,
    "bits": lambda x: x * (1 + (x.shape[0] >> 20)),
    "the number of bits": lambda x: x if x.shape[0].bit_length() < 20 else 2 * x,
    "a quotient and a remainder": lambda x: x * (1 + divmod(x.shape[0], 500_000)[0]),
    "a text": lambda x: x if len(f"{x.shape[0]}") < 6 else 2 * x,
    "a shape as a text": lambda x: x if len(str(x.shape)) < 10 else 2 * x,
    "a numerator": lambda x: x if Fraction(x.shape[0]).numerator < 500_000 else 2 * x,
    "whether a ratio is whole": lambda x: 2 * x if (x.shape[0] / 777_777).is_integer() else x,
    "an odd size in an array": lambda x: x if np.array(x.shape[0]) % 2 else 2 * x,
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_condition_on_a_size_is_seen_wherever_it_would_come_true(name):
    def backward(x):
        return {"dx": HIDDEN[name](x)}

    report = gp.verify(forward, backward, engine="numpy")
    verdict = report["x"].formula_verdict
    assert verdict.kind == "proved" and verdict.scope == "for the sizes given"
    assert any("holds for n = 5" in note for note in report.notes)


@pytest.mark.parametrize(
    "right",
    [
        lambda x: x,
        lambda x: x * x.shape[0] / x.shape[0],
        lambda x: x if x.shape == (2 * x).shape else None,
        lambda x: x * np.sqrt(x.shape[0]) ** 2 / x.shape[0],
        lambda x: x * -x.shape[0] / -x.shape[0],
    ],
)
def test_what_asks_for_no_number_is_proved_for_all_sizes(right):
    def backward(x):
        return {"dx": right(x)}

    assert gp.verify(forward, backward, engine="numpy")["x"].formula_verdict.scope == (
        "for all sizes"
    )


def test_a_size_that_is_asked_for_leaves_the_others_general():
    def two(x: "n m"):
        return 0.5 * np.sum(x**2)

    def backward(x):
        return {"dx": x if x.shape[0] < 500_000 else 2 * x}

    report = gp.verify(two, backward, engine="numpy")
    assert any("holds for n = " in note and "m = " not in note for note in report.notes)
