"""Reshapes, concatenations and contractions mean the same everywhere, and so do their gradients."""

import inspect

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import NotYet, ShapeError
from gradproof.core.index import Affine, Index, affine, digits_of
from gradproof.engines import evaluate as evaluation
from gradproof.trace.arrangement import groups
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature
from tests.networks import arranged, heads

ENGINES = ("numpy", "torch", "jax", "tensorflow")


def diagonals(A: "n n", B: "n n", v: "n"):
    return np.trace(A @ B @ A) + np.sum(np.diagonal(B) * v) + np.einsum("ii,i->", A, v)


def norms(x: "n 6", u: "n 2 3, data"):
    a, b = np.split(x, 2, axis=1)
    both = np.stack([a, b], axis=1)
    return np.sum(np.linalg.norm(both * u, axis=-1))


def mixed(x: "6 4"):
    y = x.reshape(4, 6)
    return np.sum(y[:, :3] ** 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("network", [heads, arranged, diagonals, norms, mixed])
def test_every_engine_agrees_with_the_derived_gradients(network, engine):
    for dtype in ("float32", "float64"):
        report = gp.verify(network, engine=engine, dtype=dtype)
        assert report.ok, report


def flattened(x: "n 2 3", W: "6 4", u: "n 4, data"):
    a = np.tanh(x)
    v = a.reshape(x.shape[0], -1)
    z = v @ W
    return np.sum(u * z)


def concatenated(x: "n 3", y: "n 2", u: "n 5, data"):
    c = np.concatenate([x, y], axis=1)
    return np.sum(u * c**2)


def contracted(Q: "b h t d", K: "b h s d", u: "b h t s, data"):
    S = np.einsum("bhtd,bhsd->bhts", Q, K)
    return np.sum(u * S)


RIGHT = {
    "rows and columns back": (flattened, "a", lambda a, W, u: (u @ W.T).reshape(a.shape)),
    "flattened": (flattened, "W", lambda a, u: a.reshape(a.shape[0], 6).T @ u),
    "first part": (concatenated, "x", lambda c, u: 2 * (u * c)[:, :3]),
    "second part": (concatenated, "y", lambda y, u: 2 * u[:, 3:] * y),
    "product of heads": (contracted, "Q", lambda K, u: np.einsum("bhts,bhsd->bhtd", u, K)),
}
WRONG = {
    "the other order": (
        flattened,
        "a",
        lambda a, W, u: (u @ W.T).reshape(a.shape[0], 3, 2).swapaxes(1, 2),
    ),
    "shifted by one": (concatenated, "x", lambda c, u: 2 * (u * c)[:, 1:4]),
    "the first part twice": (concatenated, "y", lambda c, u: 2 * (u * c)[:, :2]),
    "other head": (contracted, "Q", lambda Q, K, u: np.einsum("bhts,bisd->bhtd", u, K)),
}


def claim(of, formula):
    def backward(**given):
        return {f"dl_d{of}": formula(**given)}

    backward.__signature__ = inspect.signature(formula)
    return backward


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_formula_is_proved(name):
    network, of, formula = RIGHT[name]
    assert (
        gp.verify(network, claim(of, formula), engine="numpy")[of].formula_verdict.kind == "proved"
    )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_formula_is_refuted(name):
    network, of, formula = WRONG[name]
    verdict = gp.verify(network, claim(of, formula), engine="numpy")[of].formula_verdict
    assert verdict.kind == "refuted"


def test_a_symbol_stays_a_symbol_through_a_reshape():
    derivation = gp.derive(flattened)
    assert "v" in str(derivation)
    assert "n×6" in str(derivation)


def test_axes_with_symbols_are_not_joined_in_silence():
    def joined(x: "n t 3"):
        return np.sum(x.reshape(-1, 3) ** 2)

    assert "holds for n = " in str(gp.derive(joined))
    with pytest.raises(NotYet, match="made of symbols"):
        trace(joined, None, read_signature(joined), {"n": 5, "t": 4})


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (("n", 2, 3), ("n", 6), [((0,), (0,)), ((1, 2), (1,))]),
        ((6, "n"), (2, 3, "n"), [((0,), (0, 1)), ((1,), (2,))]),
        ((4, 6), (6, 4), [((0, 1), (0, 1))]),
        ((2, 3, 4), (6, 4), [((0, 1), (0,)), ((2,), (1,))]),
        ((1, 4), (4,), [((0,), ()), ((1,), (0,))]),
    ],
)
def test_a_reshape_falls_into_the_least_groups(before, after, found):
    made = groups(before, after, None)
    assert [g for g in made if g.before or g.after] == made
    flat = [(g.before, g.after) for g in made]
    assert sorted(a for g in flat for a in g[0]) == list(range(len(before)))
    assert sorted(a for g in flat for a in g[1]) == list(range(len(after)))
    if before != (1, 4):
        assert flat == found


def test_shapes_of_different_size_form_no_groups():
    with pytest.raises(ShapeError):
        groups(("n", 2), ("n", 3), None)


def test_digits_make_up_an_index_only_if_they_reach_every_element_once():
    k, i, j = Index(0, 6), Index(1, 2), Index(2, 3)
    whole = affine({k: 1, i: -3, j: -1})
    assert digits_of(whole) == (k, (i, j))
    assert digits_of(affine({k: 1, i: -2, j: -1})) is None
    assert digits_of(affine({k: 1, i: -3, j: -1}, 1)) is None
    assert digits_of(affine({Index(0, 7): 1, i: -3, j: -1})) is None
    assert digits_of(Affine(((k, 1),))) is None


def test_joining_axes_costs_no_comparison_of_all_with_all(monkeypatch):
    def refuse(*_):
        raise AssertionError("a bracket was worked out for every pair")

    monkeypatch.setattr(evaluation, "_bracket", refuse)
    assert gp.verify(flattened, engine="numpy").ok
