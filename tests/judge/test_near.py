"""What counts as near the exact tensor: no mistake that is larger than its rounding."""

import numpy as np
import pytest

from gradproof.engines.black_box import Returned
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.dtype import in_dtype
from gradproof.judge.box import alone, judge_returned
from gradproof.judge.near import NEAR, is_near, nearness

RANDOM = np.random.default_rng(0)
EXACT = RANDOM.normal(size=(300, 200))


def judged(computed, bound, *, radius=0.0, dtype="float32"):
    zero = np.zeros(EXACT.shape)
    returned = Returned(computed, dtype)
    contract = CONTRACTS["torch", dtype]
    return judge_returned(returned, (EXACT, zero + radius, zero + bound), None, contract)


def test_what_differs_by_roundings_is_near():
    far = 2.0**-20 * np.abs(RANDOM.normal(size=EXACT.shape))
    assert is_near(far, np.abs(EXACT), "float32")


@pytest.mark.parametrize("part", [np.s_[:], np.s_[:, ::5], np.s_[7, 9], np.s_[-1]])
@pytest.mark.parametrize("error", [2 * NEAR, 1e-4, 0.5])
def test_what_is_wrong_anywhere_is_not_near(part, error):
    wrong = EXACT.copy()
    wrong[7, 9] = 1.0  # no element that is small by chance
    size = np.abs(wrong)
    far = np.zeros(EXACT.shape)
    far[part] = error * size[part]
    assert not is_near(far, size, "float32")


def test_zeros_must_be_exact_and_zeros_alone_say_nothing():
    size = np.abs(EXACT)
    size[:, :150] = 0
    far = 2.0**-20 * size
    assert is_near(far, size, "float32")
    assert not is_near(np.zeros(size.shape), np.zeros(size.shape), "float32")
    assert not is_near(np.where(size == 0, 0.1, far), size, "float32")


def test_a_column_that_is_as_far_as_the_step_of_a_sample_does_not_judge_for_all():
    size = np.abs(RANDOM.normal(size=(8192, 123)))  # 8192·123 elements, of which 8192 are looked at
    size[:, 0] = 1e6
    far = np.where(size == 1e6, 0.0, 0.5 * size)
    assert not is_near(far, size, "float32")


def test_a_column_that_is_as_far_as_the_step_of_a_sample_does_not_show_for_all():
    exact = RANDOM.normal(size=(2**15, 31))
    bound = 2 * np.abs(exact)
    bound[:, 0] *= 2.0**-24
    returned = Returned(exact, "float32")
    whole = exact, np.zeros(exact.shape), bound
    found = judge_returned(returned, whole, None, CONTRACTS["torch", "float32"])
    assert found.sees == NEAR
    assert found.hiding > 0


def test_an_element_that_is_no_number_is_not_near():
    far = 2.0**-20 * np.abs(EXACT)
    far[3, 4] = np.nan
    assert not is_near(far, np.abs(EXACT), "float32")


def test_a_bound_without_signal_agrees_with_what_is_near_alone():
    right = EXACT.astype(np.float32)
    near = judged(right, 50.0)
    assert near.kind == "agrees" and near.sees == NEAR
    assert near.hiding > 1e6 and near.permitted < near.hiding / 100
    assert judged(right, 1e-5).hiding == 0.0  # that bound would show a mistake
    for wrong in (2 * right, right * np.float32(1.0001), right[::-1], np.zeros_like(right)):
        found = judged(wrong, 50.0)
        assert found.kind == "undecided" and found.because.startswith("no signal")


def test_what_is_near_and_outside_its_bound_does_not_agree():
    right = EXACT.astype(np.float32)
    bound = 2.0**-26 * np.abs(EXACT)
    assert judged(right, bound).kind == "undecided"
    assert judged(right * np.float32(1 + 2.0**-18), bound).kind == "refuted"


def test_without_a_bound_what_is_near_agrees_if_the_exact_values_are_known():
    assert judged(EXACT.astype(np.float32), np.inf).kind == "agrees"
    assert judged(EXACT.astype(np.float32), np.inf, radius=np.inf).kind == "undecided"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda exact: 0 * exact,
        lambda exact: 1.1 * exact,
        lambda exact: -exact,
        lambda exact: exact + 0.1 * (np.arange(exact.size).reshape(exact.shape) == 77),
        lambda exact: np.where(np.arange(exact.size).reshape(exact.shape) == 77, np.nan, exact),
    ],
)
def test_what_is_wrong_is_near_in_no_dtype(wrong, dtype):
    right = in_dtype(EXACT, dtype)
    assert judged(right, 50.0, dtype=dtype).kind == "agrees"
    assert judged(in_dtype(wrong(EXACT), dtype), 50.0, dtype=dtype).kind != "agrees"


def test_exact_values_that_are_not_known_well_decide_nothing():
    for radius in (0.01, np.inf):
        assert judged(EXACT.astype(np.float32), 50.0, radius=radius).kind == "undecided"


def test_a_scalar_is_a_tensor():
    one = nearness(np.array(2.0), np.array(2.0), np.array(1e-12), "float32")
    assert one is not None and one.worst == ()
    assert nearness(np.array(2.1), np.array(2.0), np.array(1e-12), "float32") is None


def test_a_bound_of_16_bits_that_shows_few_mistakes_is_not_enough_alone():
    right = in_dtype(EXACT, "bfloat16")
    bound = 0.3 * np.abs(EXACT)
    assert judged(right, bound, dtype="bfloat16").sees == 2.0**-4
    for factor in (1.1, 1.15):
        found = judged(in_dtype(factor * EXACT, "bfloat16"), bound, dtype="bfloat16")
        assert found.kind == "agrees" and found.sees > 0.35
        assert alone(found, "bfloat16").kind == "undecided"
    shown = judged(in_dtype(1.1 * EXACT, "bfloat16"), 0.12 * np.abs(EXACT), dtype="bfloat16")
    assert alone(shown, "bfloat16").kind == "agrees"
