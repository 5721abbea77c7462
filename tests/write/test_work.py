"""How much work writing takes: calls are counted, no time is measured."""

import numpy as np
import pytest

from gradproof.trace.source import Source
from gradproof.workbench import read
from gradproof.write import orient
from gradproof.write.convention import Convention
from gradproof.write.rolled import page_of, rolled


def network(x: "n 4", Ws, bs, y: "n 4, data"):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        z = a @ W + b
        a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def derived(depth):
    shapes = {"Ws": ["4 4"] * depth, "bs": ["4"] * depth}
    return read(Source("network", network), shapes, {})[0]


@pytest.fixture(scope="module")
def two():
    return {depth: derived(depth) for depth in (10, 20)}


def counting(monkeypatch, module, name):
    calls = []
    own = getattr(module, name)

    def counted(*arguments, **more):
        calls.append(1)
        return own(*arguments, **more)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_each_equation_is_looked_at_once_for_its_vectors(two, monkeypatch):
    """Once for each group of vectors was quadratic in the depth: 1000 layers took minutes."""
    for depth, traced in two.items():
        calls = counting(monkeypatch, orient, "_vectors")
        orient.oriented(traced.derivation, Convention("row"))
        equations = traced.derivation.forward.equations + traced.derivation.backward.equations
        assert len(calls) <= len(equations), depth


def test_writing_for_an_orientation_is_linear_in_the_depth(two, monkeypatch):
    found = {}
    for depth, traced in two.items():
        calls = counting(monkeypatch, orient, "write")
        orient.oriented(traced.derivation, Convention("row"))
        found[depth] = len(calls)
    assert found[20] <= 2 * found[10] + 4


def test_a_page_does_not_grow_with_the_length_of_a_loop(two):
    pages = {
        depth: len(rolled(t.derivation.backward.equations, page_of(t.derivation, t.layout)))
        for depth, t in two.items()
    }
    assert pages[10] == pages[20]
