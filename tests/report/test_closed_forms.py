"""Hessians in one formula: the closed forms that a person writes, with their structure kept."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.program import DIFFERENTIAL, Program
from gradproof.derivation.second import whole_program
from gradproof.engines.arb import Arb, midpoints, precision
from gradproof.engines.evaluate import evaluate
from gradproof.ink.terminal import text
from gradproof.report.second_order import CLOSED, GRADIENTS, second_order
from gradproof.trace.source import Source
from gradproof.workbench import read


def logistic(X: "n d, data", w: "d", y: "n, data"):
    z = X @ w
    return np.sum(gp.softplus(z) - y * z)


def quadratic(x: "d", A: "d d, data"):
    return x @ A @ x


def factorisation(T: "n m, data", U: "n k", V: "m k, data"):
    return np.sum((T - U @ V.T) ** 2)


FORMS = {
    logistic: ("w", "d∂l/∂w = Xᵀ (σ′(z) ⊙ (X dw))"),
    quadratic: ("x", "d∂l/∂x = dx A + dx Aᵀ"),
    factorisation: ("U", "d∂l/∂U = 2 dU Vᵀ V"),
}


def ordered(network):
    traced, sizes = read(Source(network.__name__, network), {}, {})
    along = (FORMS[network][0],)
    return traced, second_order(traced.derivation, traced.layout, {}, along, b"seed"), sizes


@pytest.mark.parametrize("network", FORMS)
def test_the_closed_form_is_the_one_in_books(network):
    _, order, _ = ordered(network)
    (line,) = order.lines(CLOSED)
    assert text(line.equality).replace(DIFFERENTIAL, "d") == FORMS[network][1]


@pytest.mark.parametrize("network", FORMS)
def test_the_closed_form_is_worth_what_the_chain_is(network):
    traced, order, sizes = ordered(network)
    whole = whole_program(traced.derivation, order.found)
    random, arb = np.random.default_rng(1), Arb()
    (closed,) = order.closed
    with precision(150):
        lifted = {
            t.name: arb.lift(random.normal(size=[sizes.get(s, s) for s in t.shape]))
            for t in whole.inputs
        }
        chain = evaluate(whole, lifted, sizes, arb)
        one = evaluate(Program((), (closed,), ()), {**chain}, sizes, arb)[closed.target]
        apart = midpoints(one[0] - chain[closed.target][0])
    assert np.abs(apart).max() < 1e-40


def test_what_is_long_stays_a_chain():
    def long(x: "n 4", W: "4 3", V: "3 2", y: "n 2, data"):
        return np.sum((gp.sigmoid(gp.sigmoid(x @ W) @ V) - y) ** 2)

    derived = gp.derive(long).second("W")
    rows = derived.rows("row")
    parts = {row.part for row in rows.rows}
    assert GRADIENTS in parts and CLOSED not in parts
    assert "in one formula" not in derived.to_text() + derived.to_markdown() + derived.to_latex()
