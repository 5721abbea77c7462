"""Audits of gradient tests: loose ones let wrong gradients pass, strict ones catch them all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradproof.audit.attributes import kept, numbers
from gradproof.audit.change import CHANGES
from gradproof.cli import main

ROOT = Path(__file__).parent.parent.parent

LAYERS = """
import numpy as np
import torch


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, (g * x).sum(0)


apply = Scale.apply  # bound before anything is spied on


def linear(x, W):
    return x @ W, lambda g: (g @ W.T, x.T @ g)


class Layer:
    def forward(self, x, W):
        self.x, self.W = x, W
        return x @ W

    def backward(self, g):
        return g @ self.W.T, self.x.T @ g
"""

TESTS = """
import numpy as np
import pytest
import torch
from layers import Layer, apply, linear

RANDOM = np.random.default_rng(0)
X, W, G = RANDOM.normal(size=(3, 3)), RANDOM.normal(size=(3, 3)), RANDOM.normal(size=(3, 3))


@pytest.fixture
def tensors():
    made = torch.tensor(X), torch.tensor(W[0])
    return [one.requires_grad_() for one in made]


def test_loose(tensors):
    x, w = tensors
    apply(x, w).backward(torch.tensor(G))
    assert torch.allclose(x.grad, torch.tensor(G) * w, atol=1e4)
    assert torch.allclose(w.grad, torch.tensor(G * X).sum(0))


def test_a_class_inside():
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    x = torch.ones(2, 3, requires_grad=True)
    Own.apply(x).sum().backward()
    assert torch.equal(x.grad, torch.full((2, 3), 2.0))


def test_linear():
    _, pull = linear(X, W)
    dx, dW = pull(G)
    assert np.allclose(dx, G @ W.T) and dW.shape == W.shape


def test_layer():
    layer = Layer()
    layer.forward(X, W)
    dx, dW = layer.backward(G)
    assert np.allclose(dx, G @ W.T) and np.allclose(dW, X.T @ G)


def test_that_fails():
    assert linear(X, W)[0] is None
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "layers.py").write_text(LAYERS, encoding="utf-8")
    (folder / "test_layers.py").write_text(TESTS, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def run(project, *words):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "gradproof", "audit", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def rows(text):
    """The table's cells: function and gradient to the outcomes by their columns."""
    found, function, names = {}, "", []
    for line in text.splitlines():
        words = line.split()
        if re.fullmatch(r"\S+ \(\S+:\d+\)", line):
            function = words[0]
        elif words[:1] == ["gradient"]:
            names = words[1:]
        elif words and words[0].startswith("∂l/∂"):
            found[function, words[0][4:]] = dict(zip(names, words[1:], strict=True))
    return found


def test_what_the_tests_accept_is_said_of_each_function_that_is_found(project):
    done = run(project, "pytest test_layers.py -q --deselect test_layers.py::test_that_fails")
    assert done.returncode == 1, done.stdout + done.stderr
    found = rows(done.stdout)
    layer = {("Layer", "x"), ("Layer", "W")}
    assert set(found) == {("Scale", "x"), ("Scale", "w"), ("Own", "x"), *layer}
    assert all(set(found[one].values()) == {"✓"} for one in layer)
    assert set(found["Scale", "x"].values()) == {"✗"}
    assert set(found["Scale", "w"].values()) == {"✓", "·"}
    # The gradient is 2 everywhere: its transpose is the same.
    assert found["Own", "x"]["transposed"] == "=" and found["Own", "x"]["zero"] == "✓"
    assert "For x your tolerance accepts a gradient of zero, the wrong sign," in done.stdout
    assert "4 passed" in done.stdout  # the tests themselves are reported as they are


def test_what_is_named_is_audited_also_in_numpy(project):
    done = run(project, "pytest test_layers.py -q", "--of", "layers:linear", "--of", "layers:Layer")
    assert done.returncode == 1
    found = rows(done.stdout)
    assert set(found["linear", "x"].values()) == {"✓"}
    assert set(found["linear", "W"].values()) == {"✗"}
    assert set(found["Layer", "W"].values()) == set(found["Layer", "x"].values()) == {"✓"}
    assert "Left out, because they fail as they are: test_that_fails" in done.stdout
    assert "For W the tests accept a gradient of zero" in done.stdout  # by its shape alone
    assert "21 of 28 wrong gradients are caught" in done.stdout


def test_strict_tests_and_calls_that_are_wrong_say_so_by_their_exit_code(project, capsys):
    strict = run(project, "pytest test_layers.py -q -k test_layer", "--of", "layers:Layer")
    assert strict.returncode == 1  # test_layers.py has its name in it: every test runs
    strict = run(project, "pytest test_layers.py::test_layer -q", "--of", "layers:Layer")
    assert strict.returncode == 0, strict.stdout
    missing = run(project, "pytest test_layers.py -q", "--of", "layers:Nothing")
    assert missing.returncode == 2 and "layers:Nothing is not there" in missing.stderr
    nothing = run(project, "pytest test_layers.py::test_linear -q")
    assert nothing.returncode == 2 and "Name one" in nothing.stdout
    assert main(["audit", "make test"]) == 2
    assert "does not run pytest" in capsys.readouterr().err


KEEPING = """
import numpy as np

class Linear:
    def __init__(self):
        self.W, self.b = np.arange(6.0).reshape(2, 3), np.ones(3)
        self.grad_b, self.dout = np.zeros(3), None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dout = dout  # called as a gradient, but of no tensor that is here
        self.dW = self.x.T @ dout
        self.grad_b += dout.sum(0)

class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)

class Net:
    def __init__(self):
        self.params = {"U": np.ones((2, 2))}
        self.grads = {}
        self.v = Parameter(np.ones(2))

    def forward(self, x):
        self.x = x
        return x @ self.params["U"] + self.v.data

    def backprop(self, g):
        self.grads["U"] = self.x.T @ g
        self.v.grad += g.sum(0)

class Nothing:
    def forward(self, x):
        return x

    def backward(self, g):
        pass
"""

KEPT_TESTS = """
import numpy as np
from numpy.testing import assert_allclose
from keeping import Linear, Net, Nothing

X, G = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0, -1.0, 2.0], [0.5, 3.0, 1.0]])

def test_linear():
    layer = Linear()
    alias = layer.grad_b
    layer.forward(X)
    assert layer.backward(G) is None
    assert_allclose(layer.dW, X.T @ G)
    assert_allclose(alias, G.sum(0), atol=1e4)
    assert layer.dout is G

def test_net():
    net = Net()
    net.forward(X)
    net.backprop(G[:, :2])
    assert np.shape(net.grads["U"]) == (2, 2)
    assert np.allclose(net.v.grad, G[:, :2].sum(0))

def test_nothing():
    Nothing().forward(X)
    assert Nothing().backward(G) is None
"""

LATE = """
def test_what_is_imported_inside():
    import numpy as np
    import torch
    from layers import apply

    x, w = torch.ones(2, 3, requires_grad=True), torch.ones(3, requires_grad=True)
    apply(x, w).sum().backward()
    assert torch.allclose(x.grad, torch.ones(2, 3))
"""


def test_gradients_that_a_class_keeps_in_its_attributes_are_made_wrong(tmp_path):
    (tmp_path / "keeping.py").write_text(KEEPING, encoding="utf-8")
    (tmp_path / "test_kept.py").write_text(KEPT_TESTS, encoding="utf-8")
    done = run(tmp_path, "pytest test_kept.py -q -p no:cacheprovider")
    found = rows(done.stdout)
    kept = {("Linear", "W"), ("Linear", "b"), ("Net", "U"), ("Net", "v")}
    assert set(found) == kept, done.stdout + done.stderr  # and no gradient of "out"
    accepted = {one for one in kept if set(found[one].values()) - {"·", "="} == {"✗"}}
    assert accepted == {("Linear", "b"), ("Net", "U")}
    assert "For b your tolerance accepts a gradient of zero" in done.stdout
    assert "For U the tests accept a gradient of zero" in done.stdout
    assert "Nothing was replaced: it returns no gradient" in done.stdout and done.returncode == 1
    nothing = run(tmp_path, "pytest test_kept.py::test_nothing -q -p no:cacheprovider")
    assert nothing.returncode == 2


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_what_a_backward_pass_changes_where_it_lies_is_a_gradient_and_what_it_leaves_is_none(
    framework,
):
    make = np.array if framework == "numpy" else pytest.importorskip("torch").tensor

    class Layer:
        def __init__(self):
            self.W, self.dW, self.b, self.db = (make([1.0, 2.0]) for _ in range(4))

    layer = Layer()
    then = numbers(layer)
    layer.dW += make([1.0, 0.0])
    (one,) = kept(layer, then)
    assert one.of == "W" and float(one.value[0]) == 2.0
    one.put(make([7.0, 7.0]))
    assert float(layer.dW[1]) == 7.0 and not kept(layer, numbers(layer))


def test_a_framework_that_a_test_imports_is_seen_and_other_processes_are_left_out(project):
    (project / "test_late.py").write_text(LATE, encoding="utf-8")
    done = run(project, "pytest test_late.py -q -n 2 -p no:cacheprovider")
    found = rows(done.stdout)
    assert set(found) == {("Scale", "x"), ("Scale", "w")}, done.stdout + done.stderr
    assert found["Scale", "x"]["zero"] == "✓" and found["Scale", "w"]["zero"] == "✗"
    assert "An audit runs in one process: -n was left out." in done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax", "tensorflow"])
def test_each_way_makes_a_gradient_wrong_and_keeps_its_shape_and_dtype(framework):
    arrays = [np.arange(1.0, 7).reshape(2, 3).astype("float32"), np.ones((2, 3), "float32")]
    match framework:
        case "torch":
            make = pytest.importorskip("torch").tensor
        case "jax":
            make = pytest.importorskip("jax").numpy.asarray
        case "tensorflow":
            make = pytest.importorskip("tensorflow").constant
        case _:
            make = np.asarray
    gradients = [make(a) for a in arrays]
    wrong = {change.name: np.asarray(change.make(0, gradients)) for change in CHANGES}
    assert all(w.shape == (2, 3) and w.dtype == np.float32 for w in wrong.values())
    assert not np.any(wrong["zero"])
    assert np.array_equal(wrong["−1×"], -arrays[0])
    assert np.array_equal(wrong["2×"], 2 * arrays[0])
    assert np.array_equal(wrong["row"], [[1, 2, 3], [0, 0, 0]])
    assert np.array_equal(wrong["transposed"], [[1, 4, 2], [5, 3, 6]])
    assert np.array_equal(wrong["swapped"], arrays[1])
    assert np.array_equal(wrong["element"], [[1, 2, 3], [8, 5, 6]])


class Slotted:
    __slots__ = ("W", "dW")

    def __init__(self):
        self.W = np.ones(2)


class Private:
    def __init__(self):
        self.W = np.ones(2)


@pytest.mark.parametrize(("kind", "name"), [(Slotted, "dW"), (Private, "_dW")])
def test_gradients_in_slots_and_under_private_names_are_found(kind, name):
    layer = kind()
    before = numbers(layer)
    assert not before
    setattr(layer, name, np.array([3.0, 4.0]))
    (one,) = kept(layer, before)
    assert one.of == "W"
    one.put(np.zeros(2))
    assert not getattr(layer, name).any() and layer.W.all()
