"""The garbage collector rests while gradients are derived, and is as it was afterwards."""

import gc

import pytest

from gradproof.core.collector import without_collector


@pytest.fixture(autouse=True)
def enabled():
    yield
    gc.enable()


def test_it_rests_and_is_on_again():
    assert without_collector(gc.isenabled)() is False
    assert gc.isenabled()


def test_it_is_on_again_after_an_error():
    with pytest.raises(ZeroDivisionError):
        without_collector(lambda: 1 / 0)()
    assert gc.isenabled()


def test_whoever_switched_it_off_finds_it_off():
    gc.disable()
    assert without_collector(lambda: 3)() == 3
    assert not gc.isenabled()


def test_arguments_and_names_pass_through():
    def added(one, *, two):
        """Adds."""
        return one + two

    assert without_collector(added)(1, two=2) == 3
    assert without_collector(added).__doc__ == "Adds."
