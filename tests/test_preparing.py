"""A prepared check says on every call what `verify` says, and when it no longer can."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradproof as gp
from gradproof import preparing, workbench
from gradproof.core.errors import DataError, NetworkError, ShapeError

SCALE = np.array([1.0, 2.0, 0.5])


def network(x: "n 3", W: "3 2", y: "n 2, data"):
    a = np.tanh((SCALE * x) @ W)
    return np.sum((a - y) ** 2)


def right(x, W, y, a):
    dl_da = 2 * (a - y)
    dl_dz = dl_da * (1 - a**2)
    dl_dW = (SCALE * x).T @ dl_dz
    return {"dl_da": dl_da, "dl_dW": dl_dW}


def wrong(x, W, y, a):
    dl_da = 2 * (a - y)
    dl_dz = dl_da * (1 - a**2)
    dl_dW = x.T @ dl_dz
    return {"dl_da": dl_da, "dl_dW": dl_dW}


def drawn(n, seed=0, dtype="float32"):
    random = np.random.default_rng(seed)
    shapes = {"x": (n, 3), "W": (3, 2), "y": (n, 2)}
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def ready():
    return gp.prepare(network, right, engine="numpy", seed=1)


def test_a_prepared_check_says_what_verify_says(ready):
    for n in (5, 4):
        data = drawn(n, seed=n)
        verified = gp.verify(network, right, data, engine="numpy", seed=1)
        assert ready(data, seed=1).to_json() == verified.to_json()


def test_nothing_is_traced_or_proved_again(ready, monkeypatch):
    for module, names in ((preparing, ("trace", "studied")), (workbench, ("read", "proofs_of"))):
        for name in names:
            monkeypatch.setattr(module, name, None)
    assert ready(drawn(5)).ok
    assert ready().ok  # generic data, drawn


def test_a_wrong_formula_is_refuted_at_every_call():
    check = gp.prepare(network, wrong, engine="numpy")
    for seed in (1, 2):
        report = check(drawn(5, seed))
        assert report["W"].formula_verdict.kind == "refuted"
        assert report["a"].formula_verdict.kind == "proved"


def test_other_shapes_and_dtypes_are_errors(ready):
    with pytest.raises(ShapeError, match="W has the shape"):
        ready({**drawn(5), "W": np.ones((2, 3), np.float32)})
    with pytest.raises(ShapeError, match="x has the shape"):
        ready({**drawn(5), "y": drawn(4)["y"], "x": drawn(5)["x"][:, :2]})
    with pytest.raises(DataError, match="x is float64, and this check was prepared for float32"):
        ready(drawn(5, dtype="float64"))
    with pytest.raises(DataError, match="no parameter V"):
        ready({"V": np.ones(2, np.float32)})


def test_a_size_that_the_code_asks_for_stays_as_it_was():
    def asking(x: "n 3", W: "3 2"):
        total = 0.0
        for row in range(x.shape[0]):
            total = total + np.sum((x[row] @ W) ** 2)
        return total

    check = gp.prepare(asking, engine="numpy", sizes={"n": 2})
    data = {"x": drawn(2)["x"], "W": drawn(2)["W"]}
    assert check(data).ok
    with pytest.raises(ShapeError, match="n is 4 here, and this check was prepared for n = 2"):
        check({"x": drawn(4)["x"]})


def test_code_that_has_changed_is_named_as_such(monkeypatch):
    check = gp.prepare(network, right, engine="numpy")
    monkeypatch.setitem(network.__globals__, "SCALE", np.array([1.0, 3.0, 0.5]))
    with pytest.raises(NetworkError, match="another program than when it was prepared"):
        check(drawn(5))


def test_an_engine_that_is_wrong_is_refuted_and_not_taken_for_other_code(monkeypatch):
    check = gp.prepare(network, right, engine="numpy")
    machine = type(check.machine)
    run = machine.run

    def off(self, *arguments):
        found = run(self, *arguments)
        found.gradients["W"] *= np.float32(1.0001)
        return found

    monkeypatch.setattr(machine, "run", off)
    report = check(drawn(5))
    assert report["W"].engine_verdict.kind == "refuted"
    assert report.exit_code == 1


def test_a_check_that_was_called_can_be_copied_and_pickled():
    check = gp.prepare(network, right, engine="numpy", seed=1)
    data = drawn(5)
    said = check(data).to_json()
    for other in (copy.deepcopy(check), pickle.loads(pickle.dumps(check))):
        assert other(data).to_json() == said
        assert other(data).to_json() == said


def test_a_check_can_be_called_in_several_threads():
    check = gp.prepare(network, right, engine="numpy", seed=1)
    calls = [(n, seed) for seed in range(3) for n in (4, 5, 6)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda call: check(drawn(*call)).to_json(), calls))
    alone = gp.prepare(network, right, engine="numpy", seed=1)
    assert found == [alone(drawn(*call)).to_json() for call in calls]


class Guarded:
    """A framework's tensor that does not give its numbers away."""

    shape = (4, 3)

    def __array__(self, *_, **__):
        raise RuntimeError("detach it first")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"inputs": {"x": [[1, 2, 3], [1, 2]]}}, "x cannot be read as an array"),
        ({"inputs": {"x": Guarded()}}, "x cannot be read as an array: detach it first"),
        ({"inputs": {"x": np.zeros((0, 3), np.float32)}}, "it has no elements"),
        ({"inputs": [1]}, "inputs must be a dictionary by name, not list"),
        ({"inputs": np.ones((4, 3))}, "inputs must be a dictionary by name, not ndarray"),
        ({"sizes": {"n": 1.5}}, "The size n must be a whole number, not 1.5"),
        ({"seed": "a"}, "The seed must be a whole number, not 'a'"),
    ],
)
def test_odd_arguments_are_met_with_what_is_wrong(ready, call, says):
    with pytest.raises(DataError, match=says):
        ready(**call)
    with pytest.raises(DataError, match=says):
        gp.verify(network, engine="numpy", **call)


def test_reports_can_be_compared(ready):
    report = ready(drawn(4))
    assert report == report and report != ready(drawn(4)) and len({report, report}) == 1
    assert report.to_json() == ready(drawn(4)).to_json()
