"""A scan is the loop that it stands for: on arrays, on the page, and on every engine."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import ShapeError


def step(h, x):
    return 0.5 * h + x, h * x


def test_on_arrays_it_is_a_loop():
    x = np.arange(6.0).reshape(3, 2)
    last, ys = gp.scan(step, np.ones(2), x)
    h, kept = np.ones(2), []
    for row in x:
        h, y = step(h, row)
        kept.append(y)
    assert np.array_equal(last, h)
    assert np.array_equal(ys, kept)


def test_backwards_the_ys_keep_the_order_of_the_xs():
    x = np.arange(6.0).reshape(3, 2)
    last, ys = gp.scan(step, np.ones(2), x, reverse=True)
    turned, others = gp.scan(step, np.ones(2), x[::-1])
    assert np.array_equal(last, turned)
    assert np.array_equal(ys, others[::-1])


def test_carries_and_xs_may_be_tuples_and_ys_missing():
    (a, b), ys = gp.scan(
        lambda c, xs: ((c[0] + xs[0], c[1] * xs[1]), None), (0.0, 1.0), ([1.0, 2.0], [3.0, 4.0])
    )
    assert (a, b, ys) == (3.0, 12.0, None)
    assert gp.scan(lambda c, x: (2 * c, c), 1.0, length=4)[0] == 16.0


@pytest.mark.parametrize("xs", [None, ([1.0], [1.0, 2.0])])
def test_what_has_no_one_length_is_refused(xs):
    with pytest.raises(ShapeError, match="scan has"):
        gp.scan(step, 0.0, xs)


def scanned(x: "T n 3", h0: "n 4", U: "3 4", W: "4 4", y: "T n 4, data"):
    def turn(h, x_t):
        h = np.tanh(x_t @ U + h @ W)
        return h, h

    last, hs = gp.scan(turn, h0, x)
    return 0.5 * np.sum((hs - y) ** 2) + np.sum(last)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
def test_every_engine_runs_it(engine):
    assert gp.verify(scanned, engine=engine).ok


def test_the_page_has_one_equation_for_all_turns_whatever_the_length():
    page = gp.derive(scanned)
    text = str(page)
    assert "h[t] = tanh(h_1[t])" in text
    assert "t = 1 … T" in text
    assert "last" not in text  # the last carry is one of the turns
    lengths = [str(gp.derive(scanned, sizes={"T": n})).count("\n") for n in (6, 8, 16)]
    assert len(set(lengths)) == 1
