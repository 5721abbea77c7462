"""What is alive at the peak of a verification with its report: bytes are counted, and no time."""

import gc
import tracemalloc

import numpy as np

import gradproof as gp
from gradproof.core.program import shapes
from gradproof.derivation import derive
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

MOST = 3.5
"""Times the size of all tensors in float64; the aim is 4, and this network takes 3.2."""


def network(x: "n 300", W1: "300 400", b1: "400", W2: "400 200", W3: "200 10", y: "n 10, data"):
    a1 = np.tanh(x @ W1 + b1)
    a2 = np.maximum(a1 @ W2, 0)
    z3 = a2 @ W3
    return np.sum(gp.logsumexp(z3) - np.sum(y * z3, axis=1)) / x.shape[0]


def size_in_float64(sizes):
    """Inputs, values and gradients, each in eight bytes an element."""
    paper = trace(network, None, read_signature(network), sizes)
    derivation = derive(paper.forward)
    known = {**shapes(paper.forward), **shapes(derivation.backward)}
    return 8 * sum(np.prod([sizes.get(s, s) for s in shape]) for shape in known.values())


def peak(sizes):
    gc.collect()
    tracemalloc.start()
    try:
        report = gp.verify(network, engine="numpy", sizes=sizes)
        assert report.batches  # its true values are worked out here
        return tracemalloc.get_traced_memory()[1], report
    finally:
        tracemalloc.stop()


def test_the_peak_is_a_few_times_the_size_of_all_tensors():
    sizes = {"n": 48}
    gp.verify(network, engine="numpy", sizes={"n": 2})  # what is imported and kept once
    most, report = peak(sizes)
    assert report.ok
    assert most <= MOST * size_in_float64(sizes) + 2**20
