"""The least error is a part of the whole one, so that what agrees by it agrees."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.engines.ball import Ball
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.least import ROOM, Least, norms
from gradproof.judge.box import judge_returned
from gradproof.judge.least import agrees_by_least
from gradproof.judge.near import NEAR
from gradproof.judge.reference import Reference
from gradproof.trace.signature import read_signature, symbols
from tests.blackbox.handwritten import MAKERS, WRITTEN
from tests.judge.test_stacked import case_of

CONTRACT = CONTRACTS["numpy", "float32"]
RANDOM = np.random.default_rng(0)


def full(value):
    return [np.broadcast_to(part, value[0].shape) for part in value]


@pytest.mark.parametrize("name", WRITTEN)
def test_radii_hold_the_exact_tensors_and_errors_are_parts_of_the_whole_ones(name):
    case = case_of(name, "float32")
    data = case.data(0)
    least = case.reference.least(data, case.contract)
    whole, truth = case.reference.enclosure(data, case.contract), case.reference.truth(data)
    assert least.keys() == whole.keys()
    for tensor, value in least.items():
        (m, r, e), (m2, r2, e2) = full(value), full(whole[tensor])
        middles = truth[tensor][0]
        exact = np.array([float(x.mid()) for x in middles.ravel()]).reshape(m.shape)
        assert np.all(np.abs(m - exact) <= r + 2.0**-52 * np.abs(exact)), tensor
        assert np.all(e * ROOM <= e2), tensor
        assert np.all(np.abs(m - m2) <= r + r2), tensor


def chain(count):
    """Products of many matrices, one after the other, in both arithmetics."""
    first = RANDOM.normal(size=(40, 300))
    others = [RANDOM.normal(size=(300, 300)) / 10 for _ in range(count)]
    found = []
    for arithmetic in (Least(CONTRACT), Ball(CONTRACT, opaque=True)):
        value = arithmetic.lift(first)
        for one in others:
            value = arithmetic.elementary("tanh", arithmetic.matmul(value, arithmetic.lift(one)))
        found.append(arithmetic.matmul(value, arithmetic.lift(others[0].T)))
    return found


def test_the_radii_of_norms_are_little_wider_and_the_errors_less():
    least, whole = chain(3)
    assert np.all(least[2] * ROOM <= whole[2])
    assert np.all(np.abs(least[0] - whole[0]) <= least[1] + whole[1])
    assert np.median(least[1]) <= 2.0**-20 * np.median(whole[2])


def test_norms_are_not_lost_where_squares_underflow():
    rows = np.array([[0.0, 0.0], [3.0, 4.0], [1e-200, 1e-300], [-1e-280, 1e-290]])
    found = norms(rows, -1)[:, 0]
    assert found[0] == 0 and found[1] == pytest.approx(5)
    assert np.all(found[2:] >= np.abs(rows).max(axis=1)[2:])
    assert norms(rows, -2).shape == (1, 2)


def answered(m, wrong):
    right = m.astype(np.float32)
    return Returned(wrong(right), "float32")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", [(70, 300), (64,), ()])
def test_what_agrees_agrees_by_the_whole_error_too(shape, turned):
    m = RANDOM.normal(size=shape)
    m = m.T if turned else m
    r, e = np.zeros(()), 2.0**-20 * np.abs(m) + 2.0**-22
    found = agrees_by_least(answered(m, lambda x: x), (m, r, e), CONTRACT)
    whole = judge_returned(answered(m, lambda x: x), (m, r, 4 * e), None, CONTRACT)
    assert found.kind == whole.kind == "agrees" and found.sees == NEAR
    assert whole.share <= found.share <= 1
    assert found.permitted <= whole.permitted * 4
    assert found.digits >= 6 and found.true == m[found.worst]
    assert found.value == m.astype(np.float32)[found.worst]


def test_exact_zeros_agree_though_nothing_is_permitted_there():
    m = RANDOM.normal(size=(70, 300))
    m[:, ::7] = 0.0
    r, e = np.full((), 2.0**-1060), 2.0**-20 * np.abs(m)
    assert agrees_by_least(answered(m, lambda x: x), (m, r, e), CONTRACT).kind == "agrees"
    wrong = answered(m, lambda x: x + (m == 0) * np.float32(1e-30))
    assert agrees_by_least(wrong, (m, r, e), CONTRACT) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x * np.float32(1.0001),
        lambda x: -x,
        lambda x: np.where(np.arange(x.size).reshape(x.shape) == 77, np.float32(np.nan), x),
        lambda x: np.where(np.arange(x.size).reshape(x.shape) == 77, 2 * x, x),
        lambda x: x[:-1],
        lambda x: np.zeros_like(x),
    ],
)
@pytest.mark.parametrize("error", [2.0**-20, 100.0])
def test_nothing_is_said_of_what_is_wrong(wrong, error):
    m = 1 + RANDOM.uniform(size=(70, 300))
    e = np.full(m.shape, error)
    assert agrees_by_least(answered(m, wrong), (m, np.zeros(()), e), CONTRACT) is None


def test_what_is_near_agrees_inside_its_bound_alone():
    m = 1 + RANDOM.uniform(size=(70, 300))
    near = answered(m, lambda x: x + np.float32(2.0**-19))
    found = [
        agrees_by_least(near, (m, np.zeros(()), np.full(m.shape, e)), CONTRACT)
        for e in (2.0**-20, 100.0)
    ]
    assert found[0] is None and found[1].kind == "agrees"


def test_none_and_integers_are_judged_by_the_whole_error():
    m = np.ones((3, 4))
    for one in (Returned(None, "NoneType"), Returned(np.ones((3, 4), int), "int64")):
        assert agrees_by_least(one, (m, np.zeros(()), m), CONTRACT) is None


def test_numbers_too_large_for_float32_and_other_dtypes_have_no_least_error():
    case = case_of("linear", "float32")
    data = case.data(0)
    large = type(data)({**data.inputs, "W": data.inputs["W"] * np.float32(1e37)}, data.upstream)
    assert case.reference.least(data, case.contract)
    assert not case.reference.least(large, case.contract)
    fine = case_of("linear", "float64")
    assert not fine.reference.least(fine.data(0), fine.contract)


SIZES = (300, 96, 80, 40, 12)


def verdicts(written, mistake, seed):
    names = symbols(read_signature(written.paper))
    report = gp.check(
        MAKERS["numpy"](written, mistake) if mistake else MAKERS["numpy"](written),
        reference=written.paper,
        engine="numpy",
        dtype="float32",
        seed=seed,
        sizes=dict(zip(names, SIZES, strict=False)),
        draws=1,
        battery=False,
        diagnose=False,
    )
    return {row.name: row.kind for row in report.rows}


@pytest.mark.parametrize("name", ["linear", "layer_norm", "rms_norm", "swiglu"])
def test_verdicts_are_those_of_the_whole_error_alone(name, monkeypatch):
    written, asked = WRITTEN[name], []
    own = Reference.least

    def counted(*arguments):
        asked.append(own(*arguments))
        return asked[-1]

    for seed, mistake in enumerate(["", *written.wrong]):
        monkeypatch.setattr(Reference, "least", counted)
        found = verdicts(written, mistake, seed)
        monkeypatch.setattr(Reference, "least", lambda *_: {})
        assert found == verdicts(written, mistake, seed), mistake
        assert all(found[of] == "refuted" for of in written.wrong.get(mistake, ()))
        assert mistake or set(found.values()) == {"agrees"}
    assert asked and all(asked)


@pytest.mark.parametrize("verb", ["maximum", "minimum", "largest"])
def test_the_error_of_the_largest_is_not_that_of_what_is_far_below_it(verb):
    rows, columns = RANDOM.normal(size=(40, 300)), RANDOM.normal(size=(300, 40))
    errors = []
    for arithmetic in (Least(CONTRACT), Ball(CONTRACT, opaque=True)):
        rounded = arithmetic.matmul(arithmetic.lift(rows), arithmetic.lift(columns))
        zero = arithmetic.lift(np.zeros((40, 40)))
        if verb == "largest":
            m, r, e = full(rounded)
            below = m - 1e3, r, e
            parts = zip(below, full(zero), strict=True)
            both = tuple(np.concatenate(pair, -1) for pair in parts)
            errors.append(full(arithmetic.largest(both, 1))[2])
        else:
            errors.append(full(arithmetic.function(verb, (rounded, zero), 0))[2])
    least, whole = errors
    assert np.all(least * ROOM <= whole)
    assert np.any(whole == 0)


def test_a_norm_is_no_less_where_squares_underflow():
    row = np.full((1, 2000), 2.0**-537.7)
    row[0, 0] = 2.0**-537
    exact = 2.0**-500 * np.sqrt(np.sum((row * 2.0**500) ** 2))
    assert norms(row, -1).item() >= exact


def test_an_error_has_the_shape_of_a_sum_that_is_zero_throughout():
    least = Least(CONTRACT)
    rows, column = np.abs(RANDOM.normal(size=(40, 30))), -np.abs(RANDOM.normal(size=(30, 1)))
    dead = least.function("relu", (least.matmul(least.lift(rows), least.lift(column)),), 0)
    total = least.add([dead, least.lift(np.zeros((40, 30)))])
    assert not total[0].any()
    assert total[2].shape == (40, 30)
    assert np.all(total[2] > 0)
    assert least.matmul(total, least.lift(RANDOM.normal(size=(30, 5))))[2].shape == (40, 5)
