"""What engines do not have in 16 bits is said, and what they have is run: native layers too."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import EngineError
from gradproof.gallery import catalogue
from gradproof.workbench import verify_source


def inverse(x: "3 3"):
    return np.sum(np.linalg.inv(x))


def log_det(x: "3 3"):
    return np.linalg.slogdet(x)[1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("engine", ["tensorflow", "torch", "jax"])
@pytest.mark.parametrize(
    ("forward", "said"), [(inverse, "np.linalg.inv is not"), (log_det, "np.linalg.slogdet is not")]
)
def test_a_matrix_is_not_factored_in_16_bits(forward, said, engine, dtype):
    with pytest.raises(EngineError, match=f"{said} computed in {dtype}.*float32"):
        gp.verify(forward, engine=engine, dtype=dtype)


def test_nor_does_numpy():
    with pytest.raises(EngineError, match=r"np\.linalg\.inv is not computed in float16"):
        gp.verify(inverse, engine="numpy", dtype="float16")


@pytest.mark.parametrize("name", ["rnn", "instance_norm", "max_pool"])
def test_own_layers_run_in_16_bits_and_are_not_refuted(name):
    engine = {"rnn": "tensorflow", "instance_norm": "torch", "max_pool": "torch"}[name]
    report = verify_source(catalogue.find(name), {}, engine, "bfloat16", 0, {})
    rows = [row for batch in report.batches for row in (*batch.forward, *batch.gradients)]
    kinds = [row.native_verdict.kind for row in rows if row.native_verdict is not None]
    assert kinds
    assert "refuted" not in kinds
