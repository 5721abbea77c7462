"""Large functions: called twice at their own sizes, and tried in other conditions at small ones."""

import time

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.battery import is_large
from tests.blackbox.test_battery import (
    equal_rows,
    large_numbers,
    layer,
    rows_of_one_number,
    zeros_counted_out,
)


def paper(x: "200 150", W: "150 120", b: "120"):
    return np.tanh(x @ W + b)


def in_symbols(x: "n d", W: "d k", b: "k"):
    return np.tanh(x @ W + b)


SIZES = {"n": 200, "d": 150, "k": 120}


def data():
    random = np.random.default_rng(0)
    shapes = ((200, 150), (150, 120), (120,))
    return tuple((random.normal(size=s) / 8).astype(np.float32) for s in shapes)


def checked(wrong=None, function=None, **options):
    given = {"reference": paper, "engine": "numpy", "diagnose": False, **options}
    report = gp.check(function or layer(wrong), data(), **given)
    assert report.draws == 1
    return report


def test_a_right_function_is_called_little_at_its_own_sizes():
    sizes = []

    def counted(x, W, b):
        sizes.append(x.shape)
        return layer()(x, W, b)

    report = checked(function=counted)
    assert report.ok and not report.observations
    assert sizes.count((200, 150)) == 2 and len(sizes) == len(report.tried) + 1
    assert "at smaller sizes (200 → 17, 150 → 9, 120 → 11)" in report.tried


def test_what_is_undecided_is_said_to_be_refuted_at_small_sizes():
    def function(x, W, b):
        y, pullback = layer()(x, W, b)

        def backward(g):
            dx, dW, db = pullback(g)
            return dx, dW * np.float32(1.0001), db

        return y, backward

    report = checked(function=function, reference=in_symbols)
    assert report.kinds == ("agrees", "agrees", "undecided", "agrees")
    (note,) = report.observations
    assert note.kind == "note"
    assert note.text.startswith("At smaller sizes (") and note.text.endswith(
        "), where a small error shows more, ∂l/∂W would be refuted."
    )
    assert "seed=0" in report.again[1] and "sizes" not in report.again[1]
    options = {"sizes": SIZES, "wrt": ("W",), "battery": False}
    again = gp.check(function, reference=in_symbols, engine="numpy", **options).again[1]
    assert again == (
        'report = gp.check(function, reference=in_symbols, engine="numpy", dtype="float32", '
        'seed=0, sizes={"n": 200, "d": 150, "k": 120}, wrt=["W"])'
    )


def transposed_memory(found, g, **_):
    if not g.flags.c_contiguous and g.flags.f_contiguous:
        found["b"] = 2 * found["b"]


@pytest.mark.parametrize("reference", [paper, in_symbols])
@pytest.mark.parametrize(
    ("wrong", "start"),
    [
        (zeros_counted_out, "with zeros in x: ∂l/∂b is refuted"),
        (equal_rows, "with equal elements in x: ∂l/∂W is refuted"),
        (large_numbers, "with x 128 times larger: ∂l/∂b is refuted"),
        (rows_of_one_number, "with one upstream gradient per row: ∂l/∂x is refuted"),
        (transposed_memory, "with a transposed upstream gradient: ∂l/∂b is refuted"),
    ],
)
def test_faults_that_only_other_conditions_show_are_seen_at_small_sizes(wrong, start, reference):
    report = checked(wrong, reference=reference)
    assert set(report.kinds) == {"agrees"} and report.exit_code == 1
    assert any(
        fault.startswith("At smaller sizes (") and start in fault for fault in report.faults
    ), report.faults


def test_gradients_that_are_added_up_are_seen_at_the_function_s_own_sizes():
    kept = {}

    def adds_up(found, x, **_):
        if len(x) > 100:
            kept["W"] = found["W"] = kept.get("W", 0) + found["W"]

    report = checked(adds_up)
    assert any(
        fault.startswith("Called a second time: ∂l/∂W is refuted") and "sum of both" in fault
        for fault in report.faults
    )


def last_block(found, x, dz, **_):
    found["W"] = x[:192].T @ dz[:192]


def test_a_block_that_is_missing_at_the_function_s_own_sizes_is_refuted():
    report = checked(last_block)
    assert report["W"].kind == "refuted" and report.kinds.count("agrees") == 3


def test_what_does_not_return_at_small_sizes_is_tried_at_its_own():
    def hangs(x, W, b):
        while len(x) < 100:
            time.sleep(0.01)
        return layer(rows_of_one_number)(x, W, b)

    report = checked(function=hangs, timeout=1.0)
    assert len(report.tried) > 8 and not any("smaller" in words for words in report.tried)
    assert [fault for fault in report.faults if "does not return" in fault] == []
    assert any(f.startswith("With one upstream gradient per row: ∂l/∂x") for f in report.faults)


@pytest.mark.parametrize("refuses", [True, False])
def test_what_need_not_be_right_at_small_sizes_is_tried_at_its_own(refuses):
    def only_large(wrong):
        def function(x, W, b):
            if len(x) >= 100:
                return layer(wrong)(x, W, b)
            if refuses:
                raise ValueError("a hundred rows at least")
            return layer()(2 * x, W, b)

        return function

    assert checked(function=only_large(None)).ok
    report = checked(function=only_large(rows_of_one_number))
    assert any(
        fault.startswith("With one upstream gradient per row: ∂l/∂x") for fault in report.faults
    ), report.faults


def test_a_fault_at_other_sizes_is_no_matter_of_the_numbers_that_are_given():
    def one_row(found, x, **_):
        if len(x) < 20:
            found["b"] = 0 * found["b"]

    assert checked(one_row).ok
    assert any("∂l/∂b is refuted" in f for f in checked(one_row, reference=in_symbols).faults)


# --- float32 without a signal ---------------------------------------------------------------------

UNITS = (784, 512, 512, 10)


def network(wrong=1.0, dtypes=None):
    """A sigmoid network whose first weight's gradient is so many times what it should be."""

    def function(x, *parameters):
        weights, biases = parameters[::2], parameters[1::2]
        values = [x]
        for W, b in zip(weights, biases, strict=True):
            values.append(1 / (1 + np.exp(-(values[-1] @ W + b))))

        def pullback(g):
            if dtypes is not None:
                dtypes.add(str(g.dtype))
            found = []
            for W, before, a in reversed(list(zip(weights, values, values[1:], strict=False))):
                dz = g * a * (1 - a)
                found = [before.T @ dz, dz.sum(0), *found]
                g = dz @ W.T
            found[0] = found[0] * a.dtype.type(wrong)
            return (g, *found)

        return values[-1], pullback

    return function


def deep(x: "64 784", W1: "784 512", b1: "512", W2: "512 512", b2: "512", W3: "512 10", b3: "10"):
    a1 = gp.sigmoid(x @ W1 + b1)
    a2 = gp.sigmoid(a1 @ W2 + b2)
    return gp.sigmoid(a2 @ W3 + b3)


def test_where_float32_s_bound_has_no_signal_numbers_that_are_near_decide():
    dtypes = set()
    report = gp.check(network(dtypes=dtypes), reference=deep, engine="numpy", dtype="float32")
    assert dtypes == {"float32"} and report.ok, str(report)
    assert report["W1"].finding.sees == 2.0**-16 and report["W1"].exact is None


@pytest.mark.parametrize("factor", [1.00002, 1.0001])
def test_where_numbers_are_not_near_float64_is_asked(factor):
    dtypes = set()
    wrong = network(factor, dtypes=dtypes)
    report = gp.check(wrong, reference=deep, engine="numpy", dtype="float32", battery=False)
    assert dtypes == {"float32", "float64"}
    assert report["W1"].kind == "undecided" and report["W1"].exact.kind == "refuted"
    assert "the formula is wrong, unless" in report["W1"].why[0]


def test_an_error_that_comes_back_nearby_is_no_rounding():
    report = gp.check(network(2.0), reference=deep, engine="numpy", dtype="float32", battery=False)
    row = report["W1"]
    assert row.kind == "refuted" and "that is no rounding of float32" in row.finding.because
    assert row.why == ("It is 2 times the gradient.",)
    assert {r.kind for r in report.rows if r.name != "W1"} == {"agrees"}


def test_the_bound_that_float32_s_becomes_in_float64_is_no_less_than_float64_s():
    from gradproof.blackbox.exactly import _finer
    from gradproof.engines.contract import CONTRACTS
    from tests.judge.test_stacked import case_of

    for name in ("linear", "layer_norm", "swiglu", "attention", "lstm"):
        case = case_of(name, "float32")
        rough, fine = CONTRACTS["numpy", "float32"], CONTRACTS["numpy", "float64"]
        data = case.data(0)
        whole = case.reference.enclosure(data, rough, narrow=True)
        own = case.reference.enclosure(data, fine)
        for tensor, value in own.items():
            m, r, e = _finer(whole[tensor], rough, fine)
            assert np.all(e >= value[2] * (1 - 2.0**-40)), (name, tensor)
            assert np.all(np.abs(m - value[0]) <= r + value[1])


def test_small_cases_are_not_large():
    from tests.judge.test_stacked import case_of

    assert not any(is_large(case_of(name, "float32")) for name in ("linear", "attention", "lstm"))
