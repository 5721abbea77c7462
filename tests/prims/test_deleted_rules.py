"""The tests of the records fail when a rule is deleted or wrong: each rule is broken once."""

from dataclasses import replace

import numpy as np
import pytest

from gradproof.prims import dictionary
from gradproof.prims.dictionary import BY_NAME
from gradproof.prims.record import Elementwise, Folding, Keeping
from tests.prims import test_dictionary, test_records


def broken(record):
    """The record once for each of its rules, with that rule deleted, and with it wrong."""
    match record:
        case Elementwise():
            for k, slope in enumerate(record.slopes):
                if slope is not None:
                    for change in (None, _negated(slope)):
                        slopes = (*record.slopes[:k], change, *record.slopes[k + 1 :])
                        yield replace(record, slopes=slopes)
        case Folding():
            yield replace(record, slope=None)
            yield replace(record, slope=_negated(record.slope))
        case Keeping():
            yield replace(record, pullback=None)
            yield replace(record, pullback=_negated(record.pullback))
    yield replace(record, forward=_shifted(record.forward))


def _negated(rule):
    return lambda *arguments: 1 - rule(*arguments)


def _shifted(forward):
    return lambda *arguments: forward(*arguments) + np.float64(2.0**-40)


CASES = [
    pytest.param(record, mutant, id=f"{name}-{number}")
    for name, record in BY_NAME.items()
    for number, mutant in enumerate(broken(record))
]


@pytest.mark.parametrize(("record", "mutant"), CASES)
def test_a_broken_rule_is_found(record, mutant, monkeypatch):
    assert _passes(record), "the tests of the right record fail by themselves"
    for table in (
        dictionary.ELEMENTWISE_BY_NAME,
        dictionary.FOLD_BY_NAME,
        dictionary.ALONG_BY_NAME,
        dictionary.BY_NAME,
    ):
        if record.name in table:
            monkeypatch.setitem(table, record.name, mutant)
    assert not _passes(mutant)


def _passes(record) -> bool:
    """Whether the generated tests of one record pass."""
    try:
        test_dictionary.test_a_record_is_whole(record)
        for sample in test_records.samples(record):
            test_records.test_the_slope_is_the_derivative(record, sample)
            if isinstance(record, Elementwise):
                test_records.test_the_slope_as_it_is_written_is_the_derivative(record, sample)
            test_records.test_the_plain_forward_is_what_the_record_means(record, sample)
    except (AssertionError, TypeError):
        return False
    return True
