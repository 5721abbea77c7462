"""A check leaves no cycles behind: what it made of data is gone when it is over."""

import gc
from contextlib import contextmanager
from types import FrameType

import numpy as np
import pytest

import gradproof as gp
from gradproof.trace.graph import Node, Recording, Traced
from gradproof.trace.names import Namer
from tests.blackbox.handwritten import MAKERS, WRITTEN

HEAVY = (FrameType, Recording, Traced, Node, Namer, np.ndarray)
"""What holds data, or the functions that ran."""

MOST = 300
"""Objects: closures of the standard library that call themselves, a few for each annotation."""


@contextmanager
def collected():
    """What only the garbage collector can let go of what is made inside."""
    found = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.extend(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def checked(function, arguments, **options):
    """Twice: what is kept of a function is kept the first time."""
    gp.check(function, arguments, **options)
    with collected() as found:
        gp.check(function, arguments, **options)
    return found


@pytest.mark.parametrize("mistake", ["", "half"])
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_check_against_a_paper_leaves_next_to_nothing(engine, mistake):
    written = WRITTEN["linear"]
    function = MAKERS[engine](written, mistake)
    found = checked(function, None, reference=written.paper, engine=engine, dtype="float32")
    assert not [one for one in found if isinstance(one, HEAVY)]
    assert len(found) <= MOST


def test_a_reference_that_cannot_be_read_leaves_no_frames():
    torch = pytest.importorskip("torch")

    def function(x, W):
        return torch.tanh(x @ W)

    given = (torch.ones(4, 3), torch.ones(3, 5))
    found = checked(function, given, reference=function, battery=False)
    assert not [one for one in found if isinstance(one, HEAVY)]
