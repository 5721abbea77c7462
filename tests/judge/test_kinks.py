"""At a kink engines choose, and none of them is called wrong."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.engines.contract import contract
from gradproof.engines.engine import load
from gradproof.judge.kink import kinks, sentence, slope_at, uses
from gradproof.trace.source import Source
from gradproof.workbench import read

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


CHOSEN = {
    # function: at 0 (of maximum and minimum: at equal arguments; of clip at its lower end)
    "abs": {"numpy": 1, "tensorflow": 0, "torch": 0, "jax": 1},
    "relu": {"numpy": 0, "tensorflow": 0, "torch": 0, "jax": 0},
    "maximum": {"numpy": 0.5, "tensorflow": 1, "torch": 0.5, "jax": 0.5},
    "minimum": {"numpy": 0.5, "tensorflow": 1, "torch": 0.5, "jax": 0.5},
}
"""What docs/numbers.md says that each engine takes."""

FORWARD = {
    "abs": lambda x: np.sum(np.abs(x)),
    "relu": lambda x: np.sum(3 * gp.relu(x)),
    "maximum": lambda x: np.sum(np.maximum(x, 0.0)),
    "minimum": lambda x: np.sum(np.minimum(x, 0.0)),
}


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("function", CHOSEN)
def test_a_kink_says_where_it_is_and_what_the_engine_chooses(function, engine):
    def network(x: "n 2"):
        return FORWARD[function](x)

    traced, _ = read(Source("kinked", network), {}, {"n": 2})
    found = kinks(uses(traced.paper.forward), {"x": X}, {"n": 2}, contract(engine, "float64"))
    (kink,) = found.values()
    assert kink.tensor == "x"
    assert np.array_equal(kink.spots, X == 0)
    assert slope_at(kink, load(engine), "float64", 0.0) == CHOSEN[function][engine]
    said = sentence(kink, load(engine), "float64")
    assert f"{function} has no derivative at x[0, 0] (test_kinks.py:" in said
    assert f"takes {CHOSEN[function][engine]:g}" in said


def test_a_wrong_number_beside_a_kink_is_refuted(monkeypatch):
    def spoiled(run, *arguments):
        made = run(*arguments)
        if made.gradients.get("x") is not None and made.gradients["x"].shape == X.shape:
            made.gradients["x"][0, 1] *= 1.001
        return made

    engine = type(load("torch"))
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda self, *a: spoiled(run, self, *a))
    verdict = gp.verify(clipped, inputs={"x": X}, engine="torch")["x"].engine_verdict
    assert verdict.kind == "refuted"
    assert verdict.worst == (0, 1)


def test_a_wrong_formula_beside_a_kink_is_refuted():
    def backward(x):
        dx = 2 * np.sign(x)
        return {"dx": dx}

    def network(x: "n 2"):
        return np.sum(np.abs(x))

    row = gp.verify(network, backward, {"x": X}, engine="torch")["x"]
    assert row.formula_verdict.kind == "refuted"
