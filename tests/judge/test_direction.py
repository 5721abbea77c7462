"""Every derived gradient agrees with a certified derivative that no derivative rule made."""

from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np
import pytest

import gradproof as gp
from benchmarks.complex_step import CASES, Case, prepare, witness
from gradproof.cli import main
from gradproof.core.errors import WitnessError
from gradproof.core.program import Equation
from gradproof.core.term import Apply, Read
from gradproof.engines.acb import Acb, Kinked
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.direction import FEWEST_DIGITS, remainder
from gradproof.judge.truth import TrueValues, true_values
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.trace.source import Source


@pytest.mark.parametrize("name", CASES)
def test_every_derived_gradient_agrees_to_fifteen_digits(name):
    prepared = prepare(CASES[name])
    found = witness(prepared)
    assert len(found) == len(prepared.derivation.gradients)
    assert {w.of: w.because for w in found if not w.agrees} == {}
    assert min(w.digits for w in found) >= FEWEST_DIGITS == 15


@pytest.mark.parametrize("name", CASES)
def test_one_element_off_by_1e_12_is_caught_in_every_gradient(name):
    prepared = prepare(CASES[name])
    wrong = dict(prepared.truth.balls)
    for gradient in prepared.derivation.gradients.values():
        planted = wrong[gradient].copy()
        worst = max(np.ndindex(*planted.shape), key=lambda k: abs(float(planted[k].mid())))
        with precision(prepared.truth.bits):
            planted[worst] *= 1 + flint.arb(10) ** -12
        wrong[gradient] = planted
    values = {name: (balls,) for name, balls in wrong.items()}
    found = witness(replace(prepared, truth=TrueValues(values, prepared.truth.bits, 0)))
    assert [w.of for w in found if w.agrees is not False] == []


WRONG_RULES = [
    ("attention", ALONG_BY_NAME, "softmax", {"pullback": lambda p, g, total: p * (1 - p) * g}),
    (
        "cross_entropy",
        FOLD_BY_NAME,
        "logsumexp",
        {"slope": lambda y, x, along: along("softmax") * 2},
    ),
    ("largest", FOLD_BY_NAME, "max", {"slope": lambda y, x, along: 1 - x.equals(y)}),
    ("largest", ELEMENTWISE_BY_NAME, "abs", {"slopes": (lambda y, x: x > 0,)}),
    (
        "largest",
        ELEMENTWISE_BY_NAME,
        "maximum",
        {"slopes": (lambda y, a, b: 1 - (a > b), lambda y, a, b: a > b)},
    ),
    ("largest", ELEMENTWISE_BY_NAME, "minimum", {"slopes": (lambda y, a, b: a > b,) * 2}),
    ("relu_layers", ELEMENTWISE_BY_NAME, "relu", {"slopes": (lambda y, z: 1 - (z > 0),)}),
    (
        "residual",
        ELEMENTWISE_BY_NAME,
        "tanh",
        {"named_slope": False, "slopes": (lambda h, z: 1 - h,)},
    ),
    (
        "fnn",
        ELEMENTWISE_BY_NAME,
        "sigmoid",
        {"named_slope": False, "slopes": (lambda s, z: s * (1 - s) + Fraction(1, 10**12),)},
    ),
    ("roots", ELEMENTWISE_BY_NAME, "sqrt", {"slopes": (lambda y, x: 1 / y,)}),
    ("roots", ELEMENTWISE_BY_NAME, "log", {"slopes": (lambda y, x: 1 / x**2,)}),
]


@pytest.mark.parametrize(
    ("network", "table", "name", "change"), WRONG_RULES, ids=[f"{r[0]}-{r[2]}" for r in WRONG_RULES]
)
def test_a_wrong_derivative_rule_is_caught(network, table, name, change, monkeypatch):
    monkeypatch.setitem(table, name, replace(table[name], **change))
    assert any(w.agrees is False for w in witness(prepare(CASES[network])))


# --- the bound --------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [3, 5, 7])
def test_the_remainder_covers_a_monomial_and_is_reached_by_the_cube(power):
    with precision(200):
        big, h = flint.arb(1) / 2, flint.arb(1) / 16
        bound = big**power / big  # |t^k| is at most R^k on the disc
        error = abs((flint.acb(0, h) ** power).imag / h)  # the derivative at 0 is 0
        assert error <= remainder(bound, h / big)
        if power == 3:
            assert error > remainder(bound, h / big) * 0.98


def test_the_remainder_covers_a_function_with_a_pole_just_outside_the_disc():
    with precision(200):
        big = flint.arb(1) / 2
        bound = (1 / (1 - big * 1.001) - 1) / (big * 1.001)
        for h in (flint.arb(1) / 4, flint.arb(1) / 64):
            error = abs((1 / (1 - flint.acb(0, h))).imag / h - 1)
            assert error <= remainder(bound, h / big)


# --- kinks ------------------------------------------------------------------------------------


def kinked(x: "2 1", W: "1 1"):
    z = x @ W
    a = gp.relu(z)
    return np.sum(a**2 + a)


def at_input(forward, **inputs):
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    prepared = prepare(Case(Source("net", forward), {}))
    truth = true_values(
        (prepared.derivation.forward, prepared.derivation.backward), arrays, prepared.sizes
    )
    return {w.of: w for w in witness(replace(prepared, inputs=arrays, truth=truth))}


def test_a_kink_at_the_inputs_is_undecided_and_says_so():
    found = at_input(kinked, x=[[1.0], [0.0]], W=[[2.0]])
    assert found["z"].agrees is None
    assert "kink" in found["z"].because
    assert found["a"].agrees  # after the relu there is no kink
    assert found["W"].agrees  # 0·W is 0 for every W: z does not move across the kink


def test_a_kink_nearby_only_shrinks_the_disc():
    found = at_input(kinked, x=[[1.0], [2.0**-60]], W=[[2.0]])
    assert all(w.agrees for w in found.values())


# --- the arithmetic ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ELEMENTWISE_BY_NAME))
def test_complex_balls_agree_with_real_ones_on_real_arguments(name):
    record = ELEMENTWISE_BY_NAME[name]
    term = Apply(name, tuple(Read(f"v{k}", ()) for k in range(len(record.arguments))))
    for sample in zip(*record.samples[0], strict=True):
        results = []
        for arithmetic in (Arb(), Acb()):
            with precision(120):
                tensors = {f"v{k}": arithmetic.lift(np.asarray(x)) for k, x in enumerate(sample)}
                room = Room(tensors, {}, arithmetic)
                results.append(evaluate_equation(Equation("w", (), term), room)[0].item())
        real, complex_ = results
        assert real.overlaps(complex_.real)
        assert complex_.imag.contains(0)
        assert complex_.rel_accuracy_bits() > 100 or complex_.is_exact()


def test_a_function_that_is_not_analytic_on_the_box_is_never_finite():
    acb = Acb()
    around = flint.acb(flint.arb(0, 0.1), flint.arb(0, 0.1))
    box = np.array([around], dtype=object)
    cut = np.array([around - 1], dtype=object)  # on the cut of log and √, and away from 0
    for value in (
        acb.elementary("log", (cut,)),
        acb.power((cut,), Fraction(1, 2)),
        acb.power((cut,), Fraction(-3, 2)),
        acb.power((cut,), Fraction(1, 3)),
        acb.power((box,), Fraction(-1)),
        acb.function("tanh", (np.array([around + flint.acb(0, flint.arb.pi() / 2)]),), 0),
    ):
        assert not value[0].item().is_finite()
    zero = acb.lift(np.zeros(1))
    for relation in (">", ">=", "=="):
        with pytest.raises(Kinked):
            acb.compare(relation, (box,), zero)
    with pytest.raises(Kinked):
        acb.largest((np.array([around, flint.acb(0)], dtype=object),), 0)


def test_a_tie_among_constants_is_no_kink():
    acb = Acb()
    assert acb.largest(acb.lift(np.array([1.0, 2.0, 2.0])), 0)[0].item() == 2
    assert acb.compare(">", acb.lift(np.zeros(1)), acb.lift(np.zeros(1)))[0].item() == 0
    assert acb.compare(">=", acb.lift(np.zeros(1)), acb.lift(np.zeros(1)))[0].item() == 1


# --- what a person sees -----------------------------------------------------------------------


def test_verify_prints_what_the_witness_says(capsys):
    assert main(["verify", "softmax_regression", "--engine", "numpy", "--witness"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Complex step on generic data: 5 of 5 derived gradients agree" in said


def test_a_derivation_that_the_witness_contradicts_is_an_error(monkeypatch):
    rule = {"pullback": lambda p, g, total: p * (1 - p) * g}
    monkeypatch.setitem(ALONG_BY_NAME, "softmax", replace(ALONG_BY_NAME["softmax"], **rule))
    source = CASES["softmax_regression"].source
    with pytest.raises(WitnessError, match="∂l/∂z is wrong"):
        gp.verify(source.forward, engine="numpy", witness=True)
