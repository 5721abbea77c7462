"""Numbers of every dtype, held in NumPy arrays."""

import numpy as np
import pytest
import torch

from gradproof.engines.dtype import DTYPES, in_dtype


def doubles():
    random = np.random.default_rng(0)
    spread = np.exp2(random.uniform(-140, 130, 20_000)) * random.choice([-1, 1], 20_000)
    near = np.float64([0.0, -0.0, 2.0**-133, 2.0**-134, 1.5 * 2.0**-134, 3.3953e38, 3.4e38, 1e300])
    ties = 1 + np.arange(9) * 2.0**-8
    return np.concatenate([spread, near, ties, [np.inf, -np.inf]])


def test_bfloat16_rounds_to_nearest_even_once():
    # torch rounds a double to float32 first: so only doubles that are float32 numbers are compared
    with np.errstate(over="ignore"):
        x = doubles().astype(np.float32)
    expected = torch.tensor(x).to(torch.bfloat16).float().numpy()
    assert np.array_equal(in_dtype(x, "bfloat16"), expected)
    # Just above a tie: rounding first to float32 would make it a tie, and then even.
    assert in_dtype(np.array([1 + 2.0**-8 + 2.0**-40]), "bfloat16") == 1 + 2.0**-7


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_in_a_dtype_stays(dtype):
    once = in_dtype(doubles(), dtype)
    assert np.array_equal(in_dtype(once, dtype), once)
