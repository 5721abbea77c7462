"""Wrong-looking formulas that are the right one are known to be, and wrong ones are not."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.term import Along, Compare, Read, walk
from gradproof.judge.alike import plainer, same_alone
from gradproof.judge.clinic import open_clinic
from gradproof.judge.generic import _spread, choose_sizes
from gradproof.judge.mutant import compare, mutants, same_numbers, touchstone
from gradproof.trace.source import Source
from gradproof.workbench import read


def mutants_of(forward, of, mistake):
    """The mutants of one gradient with a mistake, the network, and its sizes."""
    traced, _ = read(Source("paper", forward), {}, {})
    sizes = choose_sizes(traced.signature, {}, {})
    clinic = open_clinic(traced.paper, traced.derivation, sizes, only=[of])
    found = [m for m in mutants(of, clinic) if m.mistake.name == mistake]
    assert found
    return found, traced, clinic, sizes


def leaky(z: "n d", g: "n d, data"):
    k = gp.leaky_relu(z, 0.125)
    return np.sum(g * k * k)


def shifted(z: "n 4", g: "n 4, data"):
    s = z - np.sum(z**2, axis=1, keepdims=True)
    t = z * np.sum(z**2, axis=1, keepdims=True)
    P = gp.softmax(s)
    Q = gp.softmax(t)
    return np.sum(g * P * Q)


def test_a_leaky_relu_is_positive_where_its_argument_is():
    found, traced, clinic, _ = mutants_of(leaky, "z", "another tensor")
    by_k = [m for m in found if m.slots["wrong"] == "k" and m.slots["right"] == "z"]
    compared = [m for m in by_k if any(isinstance(n, Compare) for n in walk(m.equation.term))]
    plain = [plainer(m.equation, traced.paper.forward) for m in compared]
    assert any(p != m.equation for p, m in zip(plain, compared, strict=True))
    assert any(same_numbers(m, clinic) for m in compared)


def test_a_softmax_loses_what_is_added_to_all_of_its_elements_and_nothing_else():
    traced, _ = read(Source("paper", shifted), {}, {})
    made = {e.target: e for e in traced.paper.forward.equations}
    for of, after in (("P", "z"), ("Q", "t")):
        (node,) = (
            n
            for n in walk(plainer(made[of], traced.paper.forward).term)
            if isinstance(n, Along) and isinstance(n.body, Read)
        )
        assert node.body.tensor == after


def normalised(x: "n 4", U: "4 3"):
    m = np.mean(x, axis=1, keepdims=True)
    v = np.mean((x - m) ** 2, axis=1, keepdims=True)
    s = np.sqrt(v + 1e-5)
    u = (x - m) / s
    w = np.mean((u @ U) ** 2, axis=1, keepdims=True)
    r = np.sqrt(w + s)  # the root of a root: there are no exact numbers of all of it
    return np.sum(u[:, :1] * r)


def test_a_formula_is_the_right_one_by_itself_where_the_network_has_no_numbers():
    found, traced, _, sizes = mutants_of(normalised, "m", "another upstream")
    (derived,) = (e for e in traced.derivation.backward.equations if e.target == "∂l/∂m")
    same = {m: same_alone(m.equation, derived, traced.derivation, sizes) for m in found}
    by_upstream = {m.slots["right"] for m, one in same.items() if one}
    assert by_upstream == {"∂l/∂v"}  # Σ (x − m) is zero, whatever arrives
    signs, *_ = mutants_of(normalised, "m", "sign")
    assert not any(same_alone(m.equation, derived, traced.derivation, sizes) for m in signs)


def masked(q: "T 3", v: "T 2"):
    S = q @ q.T
    A = np.tril(S) - 1e9 * np.triu(np.ones_like(S), 1)
    P = gp.softmax(A)
    return np.sum((P @ v) ** 2)


def unmasked(q: "T 3", v: "T 2"):
    S = q @ q.T
    A = np.tril(S) - 9 * np.triu(np.ones_like(S), 1)
    P = gp.softmax(A)
    return np.sum((P @ v) ** 2)


@pytest.mark.parametrize(("forward", "kind"), [(masked, "beneath"), (unmasked, "different")])
def test_what_a_mask_of_a_billion_hides_is_beneath_every_format(forward, kind):
    found, traced, _, sizes = mutants_of(forward, "S", "composite for function")
    random = np.random.default_rng(0)
    draws = [
        {t.name: random.normal(size=(sizes["T"], t.shape[1])) for t in traced.paper.forward.inputs}
    ]
    stone = touchstone(traced.paper, traced.derivation, draws, sizes)
    by_mask = [m for m in found if "∂l/∂A" in map(str, m.slots.values())]
    assert by_mask and {compare(m, stone) for m in by_mask} == {kind}
    wrong, *_ = mutants_of(forward, "S", "sign")
    assert {compare(m, stone) for m in wrong} == {"different"}


@pytest.mark.parametrize("size", [2, 3, 4, 7, 12])
@pytest.mark.parametrize("count", [2, 5, 9])
def test_positions_cover_their_axis_and_one_stands_twice(size, count):
    for seed in range(20):
        positions = np.random.default_rng(seed).integers(0, size, count)
        _spread(positions, size)
        different = len(set(positions.tolist()))
        assert different == min(size, max(count - 1, 1))
        assert different < count and set(positions) <= set(range(size))
        assert positions[0] == 0 or 0 not in positions
