"""Papers that were written to make a verdict lie: each gets the one that it deserves."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.certificate.check import work_out
from gradproof.certificate.numbers import Unreadable
from gradproof.judge.pieces import TIES
from gradproof.judge.wide import VALUE, far_away
from gradproof.trace.source import Source
from gradproof.workbench import read

ATTACKS = []


def attack(**deserved):
    """A pair of functions, and the formula verdict that each claim of theirs must get."""

    def enter(make):
        ATTACKS.append(pytest.param(make, deserved, id=make.__name__))
        return make

    return enter


@attack(x="refuted")
def a_chain_through_a_name_that_is_bound_again():
    def forward(x: "n 3"):
        z = x**2
        z = z + 1
        return np.sum(z * z)

    return forward, lambda x, z: {"dz": 2 * z, "dx": 2 * z * x}


@attack(w="refuted")
def a_sum_over_the_only_column():
    def forward(x: "n 1", w: "1"):
        return np.sum(x * w)

    return forward, lambda x, w: {"dw": x.sum(axis=1)[:1]}


@attack(x="refuted")
def a_mean_over_the_other_axis_of_a_square():
    def forward(x: "n n"):
        return np.sum(np.mean(x, axis=0) ** 2)

    return forward, lambda x: {"dx": 2 * np.mean(x, axis=1)[:, None] / x.shape[0] + 0 * x}


@attack(x="refuted")
def a_quadratic_form_taken_for_a_symmetric_one():
    def forward(A: "n n", x: "n"):
        return 0.5 * x @ A @ x

    return forward, lambda A, x: {"dx": A @ x}


@attack(x="refuted")
def the_root_of_a_square_without_its_sign():
    def forward(x: "n 3"):
        return np.sum(np.sqrt(x**2))

    return forward, lambda x: {"dx": 0 * x + 1}


@attack(x="undecided")
def twice_a_logarithm_of_a_negative_number():
    def forward(x: "n 3"):
        return np.sum(np.log(x**2) * x)

    return forward, lambda x: {"dx": 2 * np.log(x) + 2}


@attack(x="refuted")
def a_number_that_was_typed_and_is_nearly_pi():
    def forward(x: "n 3"):
        return np.sum(np.exp(np.pi * x))

    return forward, lambda x: {"dx": 3.14159265358979 * np.exp(np.pi * x)}


@attack(x="proved")
def a_number_that_was_computed_and_is_pi():
    def forward(x: "n 3"):
        return np.sum(np.exp(np.pi * x))

    return forward, lambda x: {"dx": 2 * np.arccos(0.0) * np.exp(3.141592653589793 * x)}


@attack(z="refuted")
def the_first_row_of_the_choices_for_all_rows():
    def forward(z: "n 4", y: "n, index 4"):
        return np.sum(z[np.arange(z.shape[0]), y] ** 2)

    return forward, lambda z, y: {"dz": 2 * z * gp.one_hot(y, 4)[0]}


@attack(E="refuted")
def as_many_choices_for_each_position():
    def forward(E: "5 3", idx: "n, index 5"):
        return np.sum(E[idx])

    return forward, lambda E, idx: {"dE": 0 * E + np.sum(gp.one_hot(idx, 5)) / 5}


@attack(c="proved")
def the_number_of_all_choices():
    def forward(idx: "n, index 5", c: ""):
        return np.sum(gp.one_hot(idx, 5)) * c

    return forward, lambda idx, c: {"dc": 0 * c + idx.shape[0]}


@attack(x="refuted")
def a_clipped_value_for_the_slope():
    def forward(x: "n 3"):
        return np.sum(np.clip(x, -0.5, 0.5) ** 2)

    return forward, lambda x: {"dx": 2 * np.clip(x, -0.5, 0.5)}


def between(x: "n", low: "n, data", high: "n, data"):
    return np.sum(np.clip(x, low, high))


@attack(x="refuted")
def one_end_of_an_interval_after_the_other():
    return between, lambda x, low, high: {"dx": 1.0 * (x > low) - (x > high)}


@attack(x="proved")
def ends_of_an_interval_in_any_order():
    def backward(x, low, high):
        return {"dx": (x > low) * (1.0 * (np.maximum(x, low) <= high))}

    return between, backward


@attack(x="undecided")
def an_interval_that_ends_before_it_begins():
    def forward(x: "n"):
        return np.sum(np.clip(x, 1.0, -1.0))

    return forward, lambda x: {"dx": 0 * x}


@attack(x="refuted")
def a_gelu_by_its_cheaper_form():
    def forward(x: "n 3"):
        return np.sum(gp.gelu(x))

    def backward(x):
        s = gp.sigmoid(1.702 * x)
        return {"dx": s + 1.702 * x * s * (1 - s)}

    return forward, backward


def gated(x: "n", w: "n", u: "n, data"):
    a = gp.relu(x)
    m = w * (a > 0)
    return np.sum(m * u)


def gated_by_hand(x: "n", w: "n", u: "n, data"):
    a = x * (x > 0)
    m = w * (a > 0)
    return np.sum(m * u)


@attack(w="refuted")
def at_least_0_for_more_than_0_after_relu():
    return gated, lambda a, u: {"dw": u * (a >= 0)}


@attack(w="refuted")
def at_least_0_for_more_than_0_after_a_mask():
    return gated_by_hand, lambda a, u: {"dw": u * (a >= 0)}


@attack(w="proved")
def not_at_most_0_for_more_than_0_after_relu():
    return gated, lambda a, u: {"dw": u * (1 - (a <= 0))}


@attack(w="proved")
def not_at_most_0_for_more_than_0_after_a_mask():
    return gated_by_hand, lambda a, u: {"dw": u * (1 - (a <= 0))}


@attack(w="refuted")
def more_than_the_largest_for_the_largest():
    def forward(x: "n 4", w: "n 4"):
        return np.sum(w * (x >= np.max(x, axis=1, keepdims=True)))

    return forward, lambda x, w: {"dw": 0 * w + (x > np.max(x, axis=1, keepdims=True))}


def absolute_of_relu(x: "n"):
    a = gp.relu(x)
    return np.sum(np.abs(a))


@attack(a="undecided")
def another_slope_at_a_kink_that_is_often_met():
    return absolute_of_relu, lambda x, a: {"da": 1.0 * (a > 0) - (a < 0)}


@attack(a="refuted")
def another_slope_beside_a_kink_that_is_often_met():
    return absolute_of_relu, lambda x, a: {"da": 2.0 * (a > 0)}


@attack(z="undecided")
def more_than_0_for_at_least_0_where_nothing_was_above_it():
    def forward(x: "n 2", W: "2 3"):
        a = gp.relu(x)
        z = a @ W
        return np.sum(gp.relu(z) ** 2 + gp.relu(z))

    return forward, lambda z: {"dz": 2 * z * (z >= 0) + (z >= 0)}


@attack(w="proved")
def absolute_values_of_absolute_values():
    def forward(x: "n", w: "n"):
        return np.sum(w * np.abs(np.abs(np.abs(np.abs(x - 1) - 2) - 3) - 4))

    def backward(x):
        return {"dw": np.abs(4 - np.abs(3 - np.abs(2 - np.abs(1 - x))))}

    return forward, backward


TENTHS = np.full(3, 0.1)


@attack(x="undecided")
def a_number_in_an_array_and_the_same_in_the_code():
    def forward(x: "n 3"):
        return np.sum(TENTHS * x**2)

    return forward, lambda x: {"dx": 2 * 0.1 * x}


@attack(x="refuted")
def a_number_in_an_array_and_another_in_the_code():
    def forward(x: "n 3"):
        return np.sum(TENTHS * x**2)

    return forward, lambda x: {"dx": 2 * 0.10001 * x}


def largest_of_two_copies(x: "n", w: "n"):
    m = np.max(np.stack([x, x]), axis=0)
    return np.sum(w * m)


@attack(x="undecided")
def the_largest_of_a_value_and_itself():
    return largest_of_two_copies, lambda w: {"dx": w}


def largest_of_relu(x: "6 4", w: "6"):
    a = gp.relu(x - 1)  # whole rows are 0
    m = np.max(a, axis=1)
    return np.sum(w * m)


@attack(a="undecided")
def a_shared_gradient_where_rows_are_zero():
    def backward(a, w, m):
        largest = a == m[:, None]
        return {"da": w[:, None] * largest / (1 + 3 * (m <= 0)[:, None])}

    return largest_of_relu, backward


@attack(a="refuted")
def half_a_gradient_where_rows_are_zero():
    def backward(a, w, m):
        return {"da": 0.5 * w[:, None] * (a == m[:, None])}

    return largest_of_relu, backward


@pytest.mark.parametrize(("make", "deserved"), ATTACKS)
def test_a_verdict_does_not_lie(make, deserved):
    report = gp.verify(*make(), engine="numpy", seed=3)
    found = {of: report[of].formula_verdict.kind for of in deserved}
    assert found == deserved


LACKING = [
    lambda x, u: u * np.exp(np.log(x + 9)) / (x + 9),
    lambda x, u: u * np.sqrt(x + 9) ** 2 / (x + 9),
    lambda x, u: u * gp.relu(x + 3) / gp.relu(x + 3),
    lambda x, u: u * (1 - (x > 3)) / (1 - (x > 3)),
]


@pytest.mark.parametrize("claimed", LACKING)
def test_a_formula_without_a_value_on_a_whole_region_is_proved_where_it_has_one(claimed):
    def forward(x: "n", u: "n, data"):
        return np.sum(x * u)

    report = gp.verify(forward, lambda x, u: {"dx": claimed(x, u)}, engine="numpy", seed=3)
    verdict = report["x"].formula_verdict
    assert (verdict.kind, verdict.hypotheses) == ("proved", (VALUE,))


@pytest.mark.parametrize(
    ("claimed", "wrong"),
    [
        (lambda x, u: np.where(x > 6, 2 * u, u), {"x"}),
        (lambda x, u: u * np.sqrt((x + 9) ** 2) / (x + 9), {"x"}),
        (lambda x, u: u * np.abs(x + 9) / np.abs(x + 9), set()),
        (lambda x, u: u, set()),
    ],
)
def test_no_proof_stands_against_certified_numbers_far_away(claimed, wrong):
    def forward(x: "n", u: "n, data"):
        return np.sum(x * u)

    traced, _ = read(Source("far", forward, lambda x, u: {"dx": claimed(x, u)}), {}, {})
    assert far_away(traced.paper, traced.derivation, {"x"}).wrong == wrong


def right_at_size_3(value, claimed):
    """A gradient that is right where the second axis has the size 3, as the data's has."""

    def make():
        def forward(x: "n m, positive", w: "n m"):
            return np.sum(w * value(x))

        return forward, lambda x, w: {"dw": claimed(x, x.shape[1])}

    return make


@pytest.mark.parametrize(
    ("value", "claimed"),
    [
        (np.exp, lambda x, m: np.exp(3 * x / m)),
        (np.exp, lambda x, m: np.exp(x / m) ** 3),
        (np.sin, lambda x, m: np.sin(x * m / 3)),
        (np.log, lambda x, m: np.log(x * m / 3)),
        (np.sqrt, lambda x, m: np.sqrt(x * m / 3)),
        (np.sqrt, lambda x, m: np.sqrt(x * m) / np.sqrt(3)),
        (np.sqrt, lambda x, m: np.sqrt(x) * np.sqrt(m + 1) / 2),
        (lambda x: x ** (1 / 3), lambda x, m: (3 * x / m) ** (1 / 3)),
        (lambda x: 1 * x, lambda x, m: np.log(np.exp(x) * m / 3)),
        (
            lambda x: 1 * x,
            lambda x, m: x + (np.exp(x * m / 2) - np.exp(x)) * (np.sin(x * m / 3) - np.sin(x)),
        ),
        (lambda x: np.exp(6 * x), lambda x, m: np.exp(2 * m * x)),
    ],
)
def test_numbers_that_are_equal_at_one_size_are_no_proof_for_all(value, claimed):
    report = gp.verify(*right_at_size_3(value, claimed)(), engine="numpy", seed=3)
    assert report["w"].formula_verdict.kind == "undecided"


def test_a_polynomial_that_is_0_at_more_sizes_than_are_tried_is_not_0_at_all():
    def forward(x: "n"):
        return np.sum(x**2)

    def backward(x):
        difference = 1
        for size in range(2, 66):
            difference = difference * (x.shape[0] - size)
        return {"dx": 2 * x + difference * x}

    verdict = gp.verify(forward, backward, engine="numpy", seed=3)["x"].formula_verdict
    assert verdict.scope.startswith("for the sizes tried")


def test_where_two_are_the_largest_nothing_is_proved_of_the_largest():
    def forward(x: "n 4", u: "n, data"):
        m = np.max(x, axis=1)
        return np.sum(u * m)

    def backward(x, u, m):
        return {"dx": u[:, None] * (x == m[:, None])}

    verdict = gp.verify(forward, backward, engine="numpy", seed=3)["x"].formula_verdict
    assert (verdict.kind, verdict.hypotheses) == ("proved", (TIES,))


def test_a_certificates_function_does_not_read_what_depends_on_the_tapped_element():
    z = ["read", "z", "i0"]
    document = {
        "claim": {"of": "x", "name": "dx", "index": [0]},
        "loss": "loss",
        "sizes": {},
        "functions": {"times z": [1, ["product", ["argument", 0], ["read", "z", 0]]]},
        "inputs": {"x": {"shape": [1], "values": ["0x1.8p+0"]}},
        "forward": [
            ["z", {"i0": 1}, ["read", "x", "i0"]],
            ["a", {"i0": 1}, ["apply", "times z", 2]],
            ["loss", {}, ["sum", {"i0": 1}, ["add", ["read", "a", "i0"], z]]],
        ],
        "formula": [["dx", {"i0": 1}, 3]],
    }
    with pytest.raises(Unreadable, match="z is read"):
        work_out(document, 128)


X = {"x": {"shape": [4], "values": ["0x0p+0"] * 4}}


@pytest.mark.parametrize(
    ("functions", "term"),
    [
        # An index that is read as an argument would be a number of Python, and 1/3 a float.
        (
            {},
            [
                *("sum", {"#0": 4}),
                [
                    "product",
                    ["bracket", "==", {"#0": 1, "1": -3}],
                    ["read", "x", "#0"],
                    ["power", ["argument", 0], -1],
                ],
            ],
        ),
        # A bracket of an argument would have a kink that nothing sees.
        (
            {"is 0": [1, ["bracket", "==", {"#0": 1}]]},
            ["sum", {"i0": 4}, ["apply", "is 0", ["read", "x", "i0"]]],
        ),
    ],
)
def test_a_certificates_indices_and_arguments_are_not_mistaken_for_one_another(functions, term):
    document = {
        "claim": {"of": "x", "name": "dx", "index": [3]},
        "loss": "loss",
        "sizes": {},
        "functions": functions,
        "inputs": X,
        "forward": [["loss", {}, term]],
        "formula": [["dx", {"i0": 4}, "1/3"]],
    }
    with pytest.raises(Unreadable, match=r"index|indices"):
        work_out(document, 128)
