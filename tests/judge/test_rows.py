"""A stage that is judged a few rows at a time is judged as the whole of it."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.derivation import derive
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.judge import rows
from gradproof.judge.rows import in_rows
from gradproof.judge.stage import evaluated, judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

SIZES: dict[str, int] = {}
PERMITTED = contract("numpy", "float32")


def network(x: "7 6", W: "6 9", b: "9", V: "9 9", y: "7 9, data"):
    z = x @ W + b
    a = np.maximum(z, 0)
    s = a @ V + V[0]
    p = gp.softmax(s)
    return np.sum((p - y) ** 2) + np.sum(a[1:, :] * a[:-1, :])


@pytest.fixture(scope="module")
def stages():
    """Every stage of the network with numbers near the right ones, and the operands."""
    signature = read_signature(network)
    paper = trace(network, None, signature, SIZES)
    derivation = derive(paper.forward)
    random = np.random.default_rng(5)
    known = {t.name: random.normal(size=t.shape).astype(np.float32) for t in paper.forward.inputs}
    equations = [
        *paper.forward.equations,
        *(Equation(s.equation.target, s.equation.free, s.raw) for s in derivation.steps),
    ]
    found = []
    for equation in equations:
        middle = evaluated(equation, known, SIZES, Ball(PERMITTED))[0]
        known[equation.target] = middle.astype(np.float32)
        found.append((equation, known[equation.target]))
    return found, known


def judged(equation, computed, known):
    verdict = judge_stage(equation, computed, known, SIZES, PERMITTED, None)
    return verdict.kind, verdict.share, verdict.power, verdict.worst


def test_rows_say_what_the_whole_says(stages, monkeypatch):
    found, known = stages
    whole = [judged(equation, computed, known) for equation, computed in found]
    monkeypatch.setattr(rows, "BLOCK", 8)
    cut = [len(list(in_rows(e, computed.shape, known))) for e, computed in found]
    assert sum(count > 1 for count in cut) >= 6
    parts = [judged(equation, computed, known) for equation, computed in found]
    for (equation, _), one, other in zip(found, whole, parts, strict=True):
        assert (one[0], one[3]) == (other[0], other[3]), equation.target
        assert one[1:3] == pytest.approx(other[1:3], rel=1e-6), equation.target


def test_a_wrong_element_is_found_in_its_row(stages, monkeypatch):
    found, known = stages
    monkeypatch.setattr(rows, "BLOCK", 8)
    for equation, computed in found:
        if computed.ndim == 2 and len(list(in_rows(equation, computed.shape, known))) > 1:
            spot = (computed.shape[0] - 1, 4)
            wrong = computed.copy()
            wrong[spot] = 1.001 * wrong[spot] + 0.01
            kind, _, _, worst = judged(equation, wrong, {**known, equation.target: wrong})
            assert (kind, worst) == ("refuted", spot), equation.target


def test_no_row_is_left_alone_or_out(stages, monkeypatch):
    """A product with a single row may be no matrix product, and has another bound."""
    found, known = stages
    monkeypatch.setattr(rows, "BLOCK", 1)
    for equation, computed in found:
        blocks = list(in_rows(equation, computed.shape, known))
        length = computed.shape[blocks[0].axis] if computed.ndim else 0
        assert [b.start for b in blocks] == [0, *(b.stop for b in blocks[:-1])]
        assert blocks[-1].stop == length
        assert len(blocks) == 1 or min(b.stop - b.start for b in blocks) > 1


def test_an_axis_that_is_read_at_neighbours_is_not_cut(stages, monkeypatch):
    found, known = stages
    monkeypatch.setattr(rows, "BLOCK", 1)
    (neighbours,) = [pair for pair in found if pair[0].target.startswith("∂l/∂a")]
    assert all(block.axis != 0 or block.stop == 7 for block in in_rows(*_of(neighbours), known))


def _of(pair):
    return pair[0], pair[1].shape
