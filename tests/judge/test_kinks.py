"""At a kink engines choose, and none of them is called wrong."""

import numpy as np
import pytest

import gradproof as gp

X = np.array([[0.0, 1.5], [-2.0, 0.25]])


def clipped(x: "n 2"):
    a = np.maximum(x, 0.0)
    return np.sum(a * a + 3 * a)


def absolute(x: "n 2"):
    a = np.abs(x)
    return np.sum(a * a + 3 * a)


def tied(x: "n 2"):
    m = np.max(x, axis=1)
    return np.sum(m * m)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("network", [clipped, absolute])
def test_a_kink_is_never_refuted(network, engine):
    report = gp.verify(network, inputs={"x": X}, engine=engine)
    assert report.exit_code in (0, 3)
    assert report["x"].engine_verdict.kind in ("agrees", "undecided")


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
def test_a_tie_is_never_refuted(engine):
    report = gp.verify(tied, inputs={"x": np.array([[1.5, 1.5], [0.5, 2.0]])}, engine=engine)
    assert report["x"].engine_verdict.kind in ("agrees", "undecided")


def test_a_chosen_subgradient_that_is_not_ours_is_undecided_and_says_why():
    report = gp.verify(clipped, inputs={"x": X}, engine="torch")
    verdict = report["x"].engine_verdict
    assert verdict.kind == "undecided"
    assert "maximum has no derivative" in verdict.because
    assert report.exit_code == 3


def test_off_the_kink_all_is_decided():
    assert gp.verify(clipped, engine="torch").exit_code == 0
