import numpy as np
import pytest

from gradproof.engines.black_box import Returned
from gradproof.engines.contract import contract
from gradproof.judge.box import judge_returned
from gradproof.judge.closeness import closeness

TRUE = np.random.default_rng(7).normal(size=(20, 30))


def judged(returned, *, radius=1e-12, bound=5.0, dtype="float32"):
    enclosure = (TRUE, np.full(TRUE.shape, radius), np.full(TRUE.shape, bound))
    return judge_returned(Returned(returned, dtype), enclosure, None, contract("torch", dtype))


def test_what_is_close_agrees_though_the_bound_hides_mistakes():
    found = judged(TRUE.astype(np.float32))
    assert found.kind == "agrees" and found.hiding > 1e6
    assert found.permitted < found.hiding / 100 and found.sees < 0.01


def test_a_bound_that_shows_mistakes_stays():
    found = judged(TRUE.astype(np.float32), bound=1e-5)
    assert found.kind == "agrees" and found.hiding == 0.0


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda true: 0 * true,
        lambda true: 1.1 * true,
        lambda true: -true,
        lambda true: true + 0.1 * (np.arange(true.size).reshape(true.shape) == 77),
        lambda true: np.where(np.arange(true.size).reshape(true.shape) == 77, np.nan, true),
    ],
)
def test_what_is_wrong_stays_undecided(wrong, dtype):
    carried = np.float32 if dtype == "bfloat16" else dtype
    assert judged(TRUE.astype(carried), dtype=dtype).kind == "agrees"
    assert judged(wrong(TRUE).astype(carried), dtype=dtype).kind != "agrees"


def test_true_values_that_are_not_known_closely_decide_nothing():
    assert judged(TRUE.astype(np.float32), radius=0.01).kind == "undecided"
    assert judged(TRUE.astype(np.float32), radius=np.inf).kind == "undecided"


def test_a_few_large_elements_do_not_vouch_for_the_others():
    true = np.where(np.arange(600) < 60, 1e6, 1.0)
    assert closeness(true, true, np.zeros(600), "float32") is None
    assert closeness(np.zeros(600), np.zeros(600), np.zeros(600), "float32") is None


def test_a_scalar_is_a_tensor():
    one = closeness(np.array(2.0), np.array(2.0), np.array(1e-12), "float32")
    assert one is not None and one.worst == () and one.sees < 0.01
    assert closeness(np.array(2.1), np.array(2.0), np.array(1e-12), "float32") is None
