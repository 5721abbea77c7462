"""The whole Jacobian names the columns that are wrong."""

import numpy as np
import pytest

import gradproof as gp


def paper(x: "n d", w: "d"):
    return np.tanh(x * w)


def layer(x, w):
    y = np.tanh(x * w)

    def pullback(g):
        dz = g * (1 - y * y)
        return dz * w, np.sum(dz * x, axis=0)

    return y, pullback


def last_row_forgotten(x, w):
    y, pullback = layer(x, w)

    def wrong(g):
        dx, dw = pullback(g)
        dx[-1] = 0
        return dx, dw

    return y, wrong


def test_a_right_function_agrees_in_every_column():
    report = gp.check(layer, reference=paper, engine="numpy", sizes={"n": 3, "d": 2}, full=True)
    assert report.ok
    (note,) = [one.text for one in report.observations if "Jacobian" in one.text]
    assert note == ("The whole Jacobian agrees: ∂value/∂x (6 columns), ∂value/∂w (6 columns).")


def test_the_wrong_columns_are_named_and_only_they():
    report = gp.check(
        last_row_forgotten,
        reference=paper,
        engine="numpy",
        sizes={"n": 3, "d": 2},
        full=True,
        battery=False,
    )
    assert report.exit_code == 1
    said = [one for one in report.observations if "Jacobian" in one.text]
    assert [one.kind for one in said] == ["fault", "note"]
    assert "∂value/∂x is refuted in 2 of 6 columns: value[2, 0], value[2, 1]." in said[0].text
    assert "∂value[2, 0]/∂x[2, 0] = 0, true" in said[0].text
    assert "∂value/∂w (6 columns)" in said[1].text


def test_it_is_not_looked_at_unless_asked_for():
    report = gp.check(layer, reference=paper, engine="numpy", battery=False)
    assert not any("Jacobian" in one.text for one in report.observations)


def test_too_many_columns_are_an_error_with_advice():
    with pytest.raises(gp.DataError, match="10,000 columns"):
        gp.check(layer, reference=paper, engine="numpy", sizes={"n": 100, "d": 100}, full=True)
