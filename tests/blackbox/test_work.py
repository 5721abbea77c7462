"""How much a check of a large function costs: calls, contractions and elements, counted."""

from collections import Counter
from math import prod
from weakref import WeakKeyDictionary

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox import build as building
from gradproof.engines.ball import Ball
from gradproof.engines.least import Least
from gradproof.judge import least as judging
from gradproof.judge import tapes
from gradproof.trace import again as writing
from tests.blackbox.test_large import deep, network

ROWS = 64
PASS = 3 * ROWS * (784 * 512 + 512 * 512 + 512 * 10)
"""Products that a forward and a backward pass add up."""


@pytest.fixture
def counted(monkeypatch):
    """The work of a check of which nothing is known yet: by its kind, and large if it is more than
    a hundredth of a pass."""
    seen = Counter()
    monkeypatch.setattr(writing, "_KNOWN", WeakKeyDictionary())
    building._derived.cache_clear()

    def watch(owner, name, count):
        function = getattr(owner, name)

        def counting(*arguments, **options):
            for kind, number in count(*arguments).items():
                seen[kind] += number
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    def products(of):
        def count(arithmetic, left, right):
            number = prod(left[0].shape) * right[0].shape[-1]
            return {f"{of}, products": number, f"{of}, large": int(number > PASS / 100)}

        return count

    watch(Ball, "matmul", products("ball"))
    watch(Least, "matmul", products("least"))
    watch(judging, "_far", lambda x, m, r: {"elements compared": x.size})
    watch(writing, "write_equations", lambda *_: {"written": 1})
    watch(building, "derive_program", lambda *_: {"derivations": 1})
    watch(tapes, "record_program", lambda *_: {"recorded": 1})
    return seen


def calls_of(function, seen):
    def counting(x, *parameters):
        seen["calls at its own sizes" if len(x) == ROWS else "calls at small sizes"] += 1
        return function(x, *parameters)

    return counting


def test_a_right_network_is_called_twice_and_enclosed_once_by_its_least_error(counted):
    function = calls_of(network(), counted)
    report = gp.check(function, reference=deep, engine="numpy", dtype="float32")
    assert report.ok and report.draws == 1
    assert counted["calls at its own sizes"] == 2
    assert counted["calls at small sizes"] <= 16
    assert counted["ball, large"] == 0 and counted["ball, products"] < PASS / 10
    assert counted["least, large"] == 6 and counted["least, products"] <= PASS * 1.001
    assert counted["written"] == counted["derivations"] == counted["recorded"] == 2
    elements = sum(prod(row) for row in ((64, 784), (784, 512), (512, 512), (512, 10), (64, 10)))
    assert counted["elements compared"] <= elements + 2000


def test_a_second_check_finds_nothing_out_again(counted):
    for _ in range(2):
        assert gp.check(network(), reference=deep, engine="numpy", dtype="float32").ok
    assert counted["written"] == counted["derivations"] == counted["recorded"] == 2


def test_without_the_battery_it_is_called_once(counted):
    function = calls_of(network(), counted)
    options = {"engine": "numpy", "dtype": "float32", "battery": False}
    assert gp.check(function, reference=deep, **options).ok
    assert counted["calls at its own sizes"] == 1 and not counted["calls at small sizes"]
    assert counted["ball, products"] == 0 and counted["least, products"] <= PASS * 1.001
    assert counted["written"] == counted["derivations"] == 1


def test_a_wrong_network_has_the_whole_bounds_besides(counted):
    function = calls_of(network(2.0), counted)
    options = {"engine": "numpy", "dtype": "float32", "battery": False, "diagnose": False}
    report = gp.check(function, reference=deep, **options)
    assert report["W1"].kind == "refuted" and report["W1"].exact.kind == "refuted"
    # In float32, in float64, in float64 to float32's precision, at inputs nearby, for the tensors
    # inside that have names, and forward to look for a kink.
    assert counted["ball, products"] <= (5 + 1 / 3) * PASS * 1.001
    # In float32, in float64, at inputs nearby, and to see the tensors inside.
    assert counted["calls at its own sizes"] == 4
    assert counted["least, products"] <= PASS * 1.001


def test_a_drop_in_reads_a_large_network_once_and_tries_it_at_small_sizes(counted):
    torch = pytest.importorskip("torch")

    class Sigmoid(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            y = torch.sigmoid(x)
            ctx.save_for_backward(y)
            ctx.factor = factor
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return ctx.factor * g * y * (1 - y), None

    random = np.random.default_rng(0)
    shapes = [(64, 784), (784, 512), (512,), (512, 512), (512,), (512, 10), (10,)]
    given = tuple(
        torch.tensor(random.normal(size=s) / np.sqrt(s[0]), dtype=torch.float32).requires_grad_()
        for s in shapes
    )

    def of(factor):
        def function(x, *parameters):
            seen = "own" if len(x) == ROWS else "small"
            counted[seen] += 1
            for W, b in zip(parameters[::2], parameters[1::2], strict=True):
                x = Sigmoid.apply(x @ W + b, factor)
            return x

        return function

    assert gp.testing.gradcheck(of(1.0), given)
    # It is read once, looked at nearby once, and then called twice.
    assert counted["own"] == 4 and counted["least, products"] <= 2 * PASS * 1.001
    with pytest.raises(AssertionError, match="∂l/∂x4 is refuted"):
        gp.testing.gradcheck(of(1.1), given)
