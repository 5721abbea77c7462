"""What is wrong in a formula is named, and nothing is named that does not give the numbers."""

import numpy as np
import pytest

import gradproof as gp
from benchmarks.diagnosis import campaign, setting, sources
from gradproof.core.errors import ClaimShape
from gradproof.gallery import fnn
from gradproof.gallery.erratum import erratum
from gradproof.judge.clinic import candidates, open_clinic
from gradproof.judge.diagnose import diagnose, rational
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.report.diagnosis import NOTHING_FOUND
from gradproof.trace.source import Source
from gradproof.workbench import read


def forward(x: "n 3", W1: "3 4", W2: "4 4", W3: "4 2", b: "4", y: "n 2, data"):
    z1 = x @ W1 + b
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2
    a2 = gp.sigmoid(z2)
    r = a1 + a2
    p = r @ W3
    return np.sum((p - y) ** 2)


def right(W3, y, p, z2, W2, z1):
    sd = gp.sigmoid.derivative
    dr = 2 * (p - y) @ W3.T
    dz2 = dr * sd(z2)
    dz1 = (dr + dz2 @ W2.T) * sd(z1)
    return dr, dz2, dz1


def slope_at_the_activation(W3, y, p, a2):
    dl_dr = 2 * (p - y) @ W3.T
    dl_dz2 = dl_dr * gp.sigmoid.derivative(a2)
    return {"dl_dz2": dl_dz2}


def slope_of_the_other_layer(W3, y, p, z1):
    dl_dr = 2 * (p - y) @ W3.T
    return {"dl_dz2": dl_dr * gp.sigmoid.derivative(z1)}


def rule_with_the_operand(W3, y, p, z2):
    dl_dr = 2 * (p - y) @ W3.T
    return {"dl_dz2": dl_dr * z2 * (1 - z2)}


def no_slope(W3, y, p):
    return {"dl_dz2": 2 * (p - y) @ W3.T}


def no_upstream(z2):
    return {"dl_dz2": gp.sigmoid.derivative(z2) + 0 * z2}


def untransposed(W2, W3, y, p, z2, z1):
    dr, dz2, _ = right(W3, y, p, z2, W2, z1)
    return {"dl_da1": dr + dz2 @ W2}


def first_row(W2, W3, y, p, z2, z1):
    return {"dl_db": right(W3, y, p, z2, W2, z1)[2][0]}


def mean(W2, W3, y, p, z2, z1):
    return {"dl_db": right(W3, y, p, z2, W2, z1)[2].mean(axis=0)}


def no_two(y, p):
    return {"dl_dp": p - y}


def one_over_n(y, p):
    return {"dl_dp": 2 * (p - y) / p.shape[0]}


def wrong_sign(y, p):
    return {"dl_dp": 2 * (y - p)}


def no_target(p):
    return {"dl_dp": 2 * p}


def dropped_path(W2, W3, y, p, z2, z1):
    return {"dl_da1": right(W3, y, p, z2, W2, z1)[1] @ W2.T}


def another_constant(y, p):
    return {"dl_dp": 14 * (p - y)}


def a_root(y, p):
    return {"dl_dp": 2 * (p - y) / np.sqrt(3)}


def updated(W2, W3, y, p, z2, z1, a1):
    dr, dz2, _ = right(W3, y, p, z2, W2, z1)
    return {"dl_da1": dr + dz2 @ (W2 - 0.1 * (a1.T @ dz2)).T}


def two_at_once(W2, W3, y, p, z2, z1):
    return {"dl_da1": -(right(W3, y, p, z2, W2, z1)[1] @ W2.T)}


CASES = [
    (slope_at_the_activation, "z2", "slope at the function's value"),
    (slope_of_the_other_layer, "z2", "slope at another value"),
    (rule_with_the_operand, "z2", "rule at the operand"),
    (no_slope, "z2", "slope missing"),
    (no_upstream, "z2", "upstream missing"),
    (untransposed, "a1", "operand transposed"),
    (first_row, "b", "only the first"),
    (mean, "b", "mean for sum"),
    (no_two, "p", "half"),
    (one_over_n, "p", "over a size"),
    (wrong_sign, "p", "sign"),
    (no_target, "p", "term missing"),
    (dropped_path, "a1", "path missing"),
    (another_constant, "p", "a constant"),
    (a_root, "p", "over a root"),
    (updated, "a1", "updated weights"),
    (two_at_once, "a1", "path missing"),
]


def diagnosis(backward, of, network=forward, sizes=None):
    traced, chosen = read(Source("paper", network, backward), {}, sizes or {})
    (claim,) = [c for c in traced.paper.claims if c.of == of]
    clinic = open_clinic(traced.paper, traced.derivation, chosen)
    return diagnose(claim, traced.paper, clinic), clinic


@pytest.mark.parametrize(("backward", "of", "name"), CASES, ids=[c[0].__name__ for c in CASES])
def test_a_mistake_in_a_hand_formula_is_named(backward, of, name):
    found, _ = diagnosis(backward, of)
    assert found is not None
    named = {n for e in (*found.explanations, *found.only_here) for n in (e.mistake, *e.alike)}
    assert name in named, named


def test_a_right_formula_has_no_mistake():
    def backward(y, p):
        return {"dl_dp": 2 * (p - y)}

    found, _ = diagnosis(backward, "p")
    assert found is None


def test_a_formula_that_no_known_mistake_gives_is_not_named():
    def backward(y, p):
        return {"dl_dp": 2 * (p - y) + p**3 * y}

    found, _ = diagnosis(backward, "p")
    assert found is None
    report = gp.verify(forward, backward, engine="numpy")
    assert report["p"].why == (NOTHING_FOUND,)


def test_two_mistakes_at_once_are_both_said():
    found, _ = diagnosis(two_at_once, "a1")
    assert found.explanations[0].constant == -1


def test_at_a_batch_of_one_the_other_sizes_decide():
    found, _ = diagnosis(one_over_n, "p", sizes={"n": 2})
    assert [e.mistake for e in found.explanations] == ["over a size"]
    assert "half" in {e.mistake for e in found.only_here}
    assert found.sizes["n"] == 2 != found.other_sizes["n"]


def test_a_constant_that_is_right_at_one_size_only_is_said_to_be_so():
    def backward(y, p):
        return {"dl_dp": 2 * (p - y) * 5}

    found, _ = diagnosis(backward, "p", sizes={"n": 5})
    assert not {e.mistake for e in found.explanations} & {"times a size"}


def test_what_inherits_a_mistake_is_told_what_to_mend():
    def backward(W3, y, p, r):
        dl_dp = p - y
        dl_dW3 = r.T @ dl_dp
        dl_dr = dl_dp @ W3.T
        return locals()

    report = gp.verify(forward, backward, engine="numpy")
    assert report["p"].why == ("It is ½ of the gradient: a factor 2 is missing.",)
    assert report["W3"].why == ("With ∂l/∂p mended, this formula is proved.",)
    assert report["r"].why == ("With ∂l/∂p mended, this formula is proved.",)


def shape_claims():
    def forgotten(z2, a2, y):
        dl_dz2 = (a2 - y) * gp.sigmoid.derivative(z2)
        return {"dl_db2": dl_dz2}

    def kept(z2, a2, y):
        dl_dz2 = (a2 - y) * gp.sigmoid.derivative(z2)
        return {"dl_db2": dl_dz2.sum(axis=0, keepdims=True)}

    def turned(z2, a2, y, a1):
        dl_dz2 = (a2 - y) * gp.sigmoid.derivative(z2)
        return {"dl_dW2": dl_dz2.T @ a1}

    return [
        (forgotten, "This is what one gets by forgetting the sum over n."),
        (kept, "The numbers are right; axis 0 of size 1 is too many (keepdims=True?)."),
        (turned, "This is the gradient transposed."),
    ]


@pytest.mark.parametrize(("backward", "said"), shape_claims(), ids=["sum", "keepdims", "transpose"])
def test_a_claim_of_the_wrong_shape_names_the_mistake_that_gives_its_numbers(backward, said):
    with pytest.raises(ClaimShape) as caught:
        gp.verify(fnn.forward, backward, engine="numpy")
    assert caught.value.advice.endswith(said)


def test_a_claim_of_the_wrong_shape_with_wrong_numbers_names_nothing():
    def backward(z2):
        return {"dl_db2": gp.sigmoid(z2)}

    with pytest.raises(ClaimShape) as caught:
        gp.verify(fnn.forward, backward, engine="numpy")
    assert caught.value.advice == "Sum over the first axis: .sum(axis=0), without keepdims."


def test_the_same_seed_gives_the_same_diagnosis():
    once, _ = diagnosis(dropped_path, "a1")
    again, _ = diagnosis(dropped_path, "a1")
    assert once == again


def test_a_fraction_comes_back_from_its_residue():
    prime = 2**50 + 55
    for top, bottom in ((3, 7), (-5, 1000), (0, 1), (123456, 654321)):
        found = rational(top * pow(bottom, -1, prime) % prime, prime)
        assert found is not None
        assert found.numerator * bottom == top * found.denominator


NAMED = ("fnn", "softmax_regression", "conv2d", "value used twice", "layer norm")


@pytest.mark.parametrize("network", NAMED)
def test_every_mutant_is_refuted_or_equal_and_nearly_all_are_named(network):
    outcomes = list(campaign(network, sources()[network], every=50, step=6))
    verdicts = {o.verdict for o in outcomes}
    assert verdicts <= {"refuted", "equivalent", "undecided"}
    refuted = [o for o in outcomes if o.verdict == "refuted"]
    assert len(refuted) > 30
    named = [o for o in refuted if o.named == "as made"]
    assert len(named) >= 0.95 * len(refuted)


def test_every_record_makes_a_mutant_somewhere():
    made = set()
    # No other network moves elements, picks them by integers, or inverts.
    others = ("rope_sine_inside", "embedding_gradient_assigned", "inverse_gradient_not_transposed")
    for source in (*sources().values(), *(erratum(name).source for name in others)):
        here = setting(source)
        for step in here.traced.derivation.steps:
            made |= {mistake.name for mistake, _ in candidates(step.of, here.clinic)}
    assert made == {mistake.name for mistake in MISTAKES}


def test_names_of_mistakes_are_told_apart():
    names = [mistake.name for mistake in MISTAKES]
    assert len(set(names)) == len(names)


def test_a_mistake_that_moves_a_position_inside_softmax_is_evaluated():
    def forward(x: "n k", y: "n k, data"):
        return -np.sum(y * (x - gp.logsumexp(x, axis=1, keepdims=True)))

    def backward(x, y):
        return {"dx": gp.softmax(x) - y}  # the rows of y do not sum to 1

    assert gp.verify(forward, backward, engine="numpy")["x"].formula_verdict.kind == "refuted"


def test_a_wrong_shape_is_an_error_also_where_integers_pick_from_an_axis_of_any_size():
    def forward(x: "n d", idx: "m, index n"):
        return np.sum(x[idx] ** 2)

    def backward(x, idx):
        return {"dx": np.sum(x, axis=0)}

    with pytest.raises(ClaimShape, match="is n×d"):
        gp.verify(forward, backward, engine="numpy")
