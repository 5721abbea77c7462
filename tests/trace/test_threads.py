"""Networks that are read in several threads at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradproof as gp
from gradproof.engines.engine import installed
from gradproof.prims.canvas import canvases


def made():
    array = np.zeros((2, 3))
    if isinstance(array, np.ndarray):
        array[0] = 1
    return array


def test_numpy_s_makers_are_as_before_when_the_last_thread_is_done():
    before = np.zeros, np.ones, np.full
    with ThreadPoolExecutor(1) as other:
        first, second = canvases(lambda *_: "of the other"), canvases(lambda *_: "of this one")
        other.submit(first.__enter__).result()
        with second:
            assert (made(), other.submit(made).result()) == ("of this one", "of the other")
            other.submit(first.__exit__, None, None, None).result()
            assert made() == "of this one"
            assert isinstance(other.submit(made).result(), np.ndarray)
    assert (np.zeros, np.ones, np.full) == before
    assert isinstance(made(), np.ndarray)


def network(x: "n 3", W: "3 3"):
    h = np.zeros((5, 3))
    h[:, 0] = x[:, 0]
    return np.sum(np.tanh(h @ W) ** 2)


@pytest.mark.skipif(not installed()["torch"], reason="torch is not installed")
def test_pytorch_reads_networks_in_several_threads():
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(lambda _: gp.verify(network, engine="torch"), range(8)))
    assert all(report.ok for report in reports)
