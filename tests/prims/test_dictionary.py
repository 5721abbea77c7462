"""The dictionary holds what the documentation promises."""

import pytest

from gradproof.prims.dictionary import BY_NAME
from gradproof.prims.record import Elementwise

PROMISED = {
    "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "abs", "maximum", "minimum", "where",
    "softmax", "logsumexp", "max", "sin", "cos", "erf", "softplus", "silu", "gelu", "gelu_tanh",
    "elu", "leaky_relu", "sign", "clip", "sinh", "cosh",
}  # fmt: skip


def test_no_promised_primitive_is_missing():
    assert set(BY_NAME) >= PROMISED


@pytest.mark.parametrize("record", BY_NAME.values(), ids=BY_NAME)
def test_a_record_is_whole(record):
    assert record.samples
    assert record.text
    assert record.tex
    assert record.words
    if isinstance(record, Elementwise):
        assert len(record.slopes) == len(record.arguments)
        # A mask chooses and is not differentiated; every other argument is.
        for argument, slope in zip(record.arguments, record.slopes, strict=True):
            assert (slope is None) == (argument == "mask")
