"""Runs at other sizes are written once where they recorded the same, and told apart where not."""

from contextlib import suppress

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import GradproofError
from gradproof.trace import again
from gradproof.trace.again import same_nodes
from gradproof.trace.graph import Recording
from gradproof.trace.signature import read_signature
from gradproof.trace.uniform import trace_uniformly

SIZES = {"n": 5}


def plain(x: "n 3", W: "3 2", y: "n 2"):
    a = gp.sigmoid(x @ W)
    return np.sum((a - y) ** 2) / x.shape[0]


def backward(x, W, y, a):
    dl_da = 2 * (a - y) / x.shape[0]
    return {"dl_da": dl_da}


@pytest.fixture
def written(monkeypatch):
    calls = []
    own = again.write_equations

    def counted(*arguments, **options):
        calls.append(options["name_forward"])
        return own(*arguments, **options)

    monkeypatch.setattr(again, "write_equations", counted)
    return calls


def test_six_runs_that_record_the_same_are_written_once(written):
    paper, signature = trace_uniformly(plain, backward, read_signature(plain), SIZES)
    assert written == [True, False]
    assert not paper.fixed and signature == read_signature(plain)


def branching(x: "n 3"):
    z = x * x if x.shape[0] == 5 else x + x
    return np.sum(z)


def counting(x: "n 3"):
    return sum((np.sum(x[k] ** 2) for k in range(x.shape[0])), start=0.0)


def meaning_five(x: "n 3", y: "n 3"):
    # One number made of sizes at the size 5, and a plain 5 at every other.
    number = x.shape[0] if x.shape[0] == 5 else 5
    z = np.reshape(x, (number * 3,)) if x.shape[0] == 5 else np.reshape(x, (x.shape[0] * 3,))
    return np.sum(z) * number


def least(x: "n 3"):
    return np.sum(x[: min(x.shape[0], 40)] ** 2)


@pytest.mark.parametrize("network", [branching, counting, meaning_five, least])
def test_a_run_that_is_another_program_is_no_earlier_one(network):
    paper, _ = trace_uniformly(network, None, read_signature(network), SIZES)
    assert paper.fixed == {"n"}


def test_a_backward_that_is_another_one_at_other_sizes_is_found():
    def wrong(x, W, y, a):
        dl_da = 2 * (a - y) / x.shape[0] if x.shape[0] < 100 else a - y
        return {"dl_da": dl_da}

    paper, _ = trace_uniformly(plain, wrong, read_signature(plain), SIZES)
    assert paper.fixed == {"n"}


def test_other_constants_are_another_program():
    random = np.random.default_rng(0)

    def dropping(x: "n 3"):
        return np.sum(x * random.integers(0, 2, 3))

    # Six draws: the program differs from itself.
    with suppress(GradproofError):
        paper, _ = trace_uniformly(dropping, None, read_signature(dropping), SIZES)
        assert paper.fixed


def recorded(build):
    recording = Recording(dict(SIZES))
    build(recording.input("x", ("n", 3)))
    return recording.nodes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x[0], lambda x: x[1]),
        (lambda x: x[:, :2], lambda x: x[:, 1:3]),
        (lambda x: x + 1, lambda x: x - 1),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: x * 5, lambda x: x * x.shape[0]),
        (lambda x: x.sum(axis=0), lambda x: x.sum(axis=1)),
        (lambda x: x > 0, lambda x: x >= 0),
        (lambda x: (x, x * 2), lambda x: (x * 2, x * 2)),
    ],
)
def test_what_differs_in_anything_is_not_the_same(one, other):
    assert same_nodes(recorded(one), recorded(one)) or "shape" in one.__code__.co_names
    assert not same_nodes(recorded(one), recorded(other))
    assert not same_nodes(recorded(other), recorded(one))
