"""Jacobians and Hessians times directions: closed forms, differences of gradients, and proofs."""

from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import DataError
from gradproof.core.index import Index, at
from gradproof.core.program import DIFFERENTIAL, Equation, Program
from gradproof.core.term import Add, Number, Product, Read, Sum
from gradproof.derivation import derive, differential
from gradproof.derivation.second import second, whole_program
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import evaluate
from gradproof.gallery import catalogue
from gradproof.judge.generic import draw
from gradproof.judge.points import Question, answer
from gradproof.judge.second import transposed
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
    assert "Checked: each of these differentials is proved" in page.to_text()


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


PROVED = [*NETWORKS, "batch_norm", "gpt_block", "max_pool", "vae"]


@pytest.mark.parametrize("name", PROVED)
def test_each_differential_is_the_transpose_of_the_pullback(name):
    derivation = traced_of(name)[0].derivation
    found = second(derivation)
    judged = transposed(derivation, found, b"0" * 32)
    assert len(judged) == len(found.values) + len(found.gradients)
    assert [name for name, sure in judged.items() if sure is None] == []
    assert sum(sure.error for sure in judged.values()) < 1e-20


@pytest.mark.parametrize("kind", ["_product", "_apply", "_fold", "_softmax", "_inverse"])
def test_a_wrong_differential_is_not_proved(kind, monkeypatch):
    right = getattr(differential._Pusher, kind)

    def doubled(self, term):
        return differential.product(Number(Fraction(2)), right(self, term))

    monkeypatch.setattr(differential._Pusher, kind, doubled)
    network = {"_fold": "max_pool", "_softmax": "attention", "_inverse": "inverse"}.get(kind, "fnn")
    derivation = traced_of(network)[0].derivation
    judged = transposed(derivation, second(derivation), b"0" * 32)
    assert [name for name, sure in judged.items() if sure is None] != []


SYMMETRIC = ["affine", "attention", "fnn", "logistic_regression", "rms_norm", "swiglu"]


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_hessian_is_symmetric(name):
    """Forward over reverse is proved equal to reverse over reverse, from the inputs on."""
    traced = traced_of(name)[0]
    derivation = traced.derivation
    found = second(derivation)
    whole = whole_program(derivation, found)
    first = (*derivation.forward.equations, *derivation.backward.equations)
    scalar = Equation("ⅆl again", (), Add(tuple(weighed(derivation, found))))
    again = derive(Program(whole.inputs, (*first, scalar), ("ⅆl again",)), "∂h/∂")
    equations = (*whole.equations, scalar, *again.backward.equations)
    moved = {e.target for e in found.gradients}
    pairs = {
        of: (DIFFERENTIAL + gradient, again.gradients[of])
        for of, gradient in derivation.gradients.items()
        if DIFFERENTIAL + gradient in moved and of in again.gradients
        if of in {t.name for t in derivation.forward.inputs}
    }
    laws = frozenset(t.name for t in whole.inputs if t.law == "probabilities")
    constants = {n: np.asarray(a) for n, a in traced.paper.constants.items()}
    question = Question(Program(whole.inputs, equations, ()), pairs, constants)
    equal = {of for one in answer(question, laws, b"0" * 32) for of in one.equal}
    assert equal == set(pairs)
    assert pairs


def weighed(derivation, found):
    """``⟨∂l/∂v, dv⟩`` for each input that moves."""
    for number, direction in enumerate(found.directions):
        of = direction.name.removeprefix(DIFFERENTIAL)
        axes = tuple(Index(9 * number + k, size) for k, size in enumerate(direction.shape))
        places = tuple(at(axis) for axis in axes)
        factors = (Read(derivation.gradients[of], places), Read(direction.name, places))
        yield Sum(axes, Product(factors)) if axes else Product(factors)


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


def test_the_differential_of_a_gradient_is_set_as_one():
    page = gp.derive(factorised).second("U")
    assert r"\mathrm{d}\frac{\partial l}{\partial R}" in page.to_latex()
    assert r"\frac{\partial \mathrm{d}" not in page.to_latex()
    assert '<mi mathvariant="normal">d</mi><mfrac>' in page.to_html()
