"""Jacobians and Hessians times directions: closed forms, differences of gradients, and proofs."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import DataError
from gradproof.core.program import DIFFERENTIAL
from gradproof.core.term import Number
from gradproof.derivation import differential
from gradproof.derivation.second import second, whole_program
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import evaluate
from gradproof.gallery import catalogue
from gradproof.judge.generic import draw
from gradproof.judge.second import agreement
from gradproof.workbench import read

BITS = 300
STEP = 2.0**-60


def quadratic(x: "d", A: "d d, data"):
    return 0.5 * np.einsum("i,ij,j->", x, A, x)


def factorised(U: "n k", V: "m k", Y: "n m, data"):
    R = U @ V.T - Y
    return 0.5 * np.sum(R**2)


def lines(page, start):
    return [line.strip() for line in page.to_text().splitlines() if line.strip().startswith(start)]


def test_the_hessian_of_a_quadratic_is_its_matrix():
    (line,) = lines(gp.derive(quadratic).second(), "d∂l/∂x")
    assert line.split("   ")[0] == "d∂l/∂x = ½ (dx Aᵀ + dx A)"


def test_the_hessian_of_a_factorisation_keeps_its_structure():
    page = gp.derive(factorised).second("U")
    found = [line.split("   ")[0] for line in lines(page, "d")]
    assert found[:2] == ["dR = dU Vᵀ", "dloss = ⟨R, dR⟩"]
    assert "d∂l/∂U = d∂l/∂R V" in found
    assert "for all sizes" in page.to_text()


def test_an_input_that_does_not_move_has_no_differential():
    found = second(gp.derive(factorised).derivation, ["U"])
    assert [t.name for t in found.directions] == [DIFFERENTIAL + "U"]
    assert not any("ⅆV" in str(e.term) for e in (*found.values, *found.gradients))


def traced_of(name):
    return read(catalogue.find(name), {}, {})


NETWORKS = ["fnn", "softmax_regression", "layer_norm", "rnn", "attention", "log_det", "conv2d"]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_moves_is_the_difference_of_gradients(name):
    traced, sizes = traced_of(name)
    derivation = traced.derivation
    found = second(derivation)
    inputs = {t.name: t for t in (*traced.paper.forward.inputs, *found.directions)}
    data = draw(inputs, sizes, {}, "float64", 5) | dict(traced.paper.constants)
    program = whole_program(derivation, found)
    arb = Arb()
    with precision(BITS):
        lifted = {n: arb.lift(np.asarray(a, dtype=np.float64)) for n, a in data.items()}
        at_rest = evaluate(program, lifted, sizes, arb)
        beside = [
            evaluate(program, lifted | _stepped(lifted, found, sign, arb), sizes, arb)
            for sign in (1, -1)
        ]
        for equation in (*found.values, *found.gradients):
            moved = equation.target
            (up,), (down,) = (values[moved.removeprefix(DIFFERENTIAL)] for values in beside)
            difference = (up - down) / (2 * STEP)
            gap = np.max([float(abs(x)) for x in np.ravel(difference - at_rest[moved][0])])
            size = np.max([float(abs(x)) for x in np.ravel(difference)])
            assert gap <= 1e-25 * max(size, 1), moved


def _stepped(lifted, found, sign, arb):
    return {
        name: (lifted[name][0] + sign * STEP * lifted[direction.name][0],)
        for direction in found.directions
        for name in [direction.name.removeprefix(DIFFERENTIAL)]
    }


PROVED = [
    "affine", "attention", "conv2d_stride", "embedding", "fnn", "logistic_regression", "max_pool",
    "mse", "rms_norm", "softmax_cross_entropy", "swiglu", "vae",
]  # fmt: skip


def proved(traced):
    derivation = traced.derivation
    laws = frozenset(t.name for t in derivation.forward.inputs if t.law == "probabilities")
    return agreement(derivation, second(derivation), traced.paper.constants, laws, b"0" * 32)


@pytest.mark.parametrize("name", PROVED)
def test_both_orders_of_differentiation_are_proved_equal(name):
    found = proved(traced_of(name)[0])
    assert found.proved == found.wanted
    assert found.error < 1e-25


def test_a_wrong_differential_is_not_proved(monkeypatch):
    right = differential._Pusher._apply

    def doubled(self, term):
        return differential.product(Number(differential.Fraction(2)), right(self, term))

    monkeypatch.setattr(differential._Pusher, "_apply", doubled)
    found = proved(traced_of("fnn")[0])
    assert not found.proved


def test_a_loop_stands_once_whatever_its_length():
    def forward(x: "T n d", W: "d d"):
        h = x[0]
        for t in range(1, x.shape[0]):
            h = np.tanh(h @ W + x[t])
        return np.sum(h**2)

    short, long = (gp.derive(forward, sizes={"T": T}).second("W").to_text() for T in (4, 12))
    assert short.count("\n") == long.count("\n")


def test_only_an_input_moves():
    with pytest.raises(DataError, match=r"z is no input.*These can move: U and V"):
        gp.derive(factorised).second("z")


def test_every_format_has_both_parts():
    page = gp.derive(factorised).second("U")
    assert "Hessian times direction" in page.to_markdown()
    assert r"\mathrm{d}" in page.to_latex()
    assert '"d∂l/∂U"' in page.to_json()
    assert "Hessian times direction" in page.to_html()
    assert "海森矩阵乘方向" in page.to_text(lang="zh")
