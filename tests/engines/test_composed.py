"""A primitive that an engine lacks is composed from its meaning."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gradproof.engines.face import Recording
from gradproof.engines.numpy import PLAIN
from gradproof.engines.torch import TORCH
from gradproof.prims.elementwise import ELEMENTWISE

COMPOSED = [record for record in ELEMENTWISE if record.meaning is not None]


@pytest.mark.parametrize("record", COMPOSED, ids=lambda record: record.name)
@pytest.mark.parametrize("whole", [PLAIN, TORCH], ids=["numpy", "torch"])
def test_a_meaning_has_the_value_of_the_function(record, whole) -> None:
    functions = {k: f for k, f in whole.functions.items() if k != record.name or k == "sqrt"}
    recording = Recording(dataclasses.replace(whole, functions=functions), "float64")
    for sample in record.samples:
        arrays = [np.array(row) for row in sample]
        first, *others = (recording.face(whole.tensor(array, "float64")) for array in arrays)
        result = whole.array(first.operate(record.name, (first, *others), order=0).native)
        # At most five roundings of numbers no larger than these.
        largest = max(1.0, *(float(np.max(np.abs(a))) for a in arrays))
        assert np.all(np.abs(result - record.forward(*arrays)) <= 5 * 2.0**-53 * 2 * largest)
