"""What is said of all sizes does not rest on the number behind one."""

import numpy as np

from gradproof.trace.signature import read_signature
from gradproof.trace.uniform import trace_uniformly


def mean_loss(x: "n 2", W: "2 3"):
    z = x @ W
    return np.sum(z) / x.shape[0]


def noted(forward, backward, n=5) -> bool:
    """Whether the sizes were replaced by numbers."""
    signature = read_signature(forward)
    paper, found = trace_uniformly(forward, backward, signature, {"n": n})
    assert bool(paper.notes) == (found != signature)
    return bool(paper.notes)


def test_a_formula_in_the_symbol_holds_for_all_sizes():
    def backward(x, z):
        n = x.shape[0]
        return {"dl_dz": (z * 0 + 1) / n * (1 + (n - 5) * (n - 7))}

    assert not noted(mean_loss, backward)


def test_a_number_that_is_right_at_two_sizes_only_is_found():
    def backward(x, z):
        n = int(x.shape[0])
        return {"dl_dz": (z * 0 + 1) / x.shape[0] * (1 + (n - 5) * (n - 7))}

    assert noted(mean_loss, backward)


def test_a_branch_for_large_batches_is_found():
    def backward(x, z):
        factor = 1 if x.shape[0] < 500 else 2
        return {"dl_dz": (z * 0 + 1) / x.shape[0] * factor}

    assert noted(mean_loss, backward)


def test_an_array_made_of_a_size_is_found():
    def forward(x: "n 2"):
        return np.sum(x * np.array([1.0 / int(x.shape[0])]))

    assert noted(forward, None)


def test_an_array_as_long_as_the_batch_fixes_its_size():
    def forward(x: "n 2", U: "3 3"):
        h = np.zeros((x.shape[0], 3))
        h = np.tanh(h @ U + np.sum(x))
        return np.sum(h)

    assert noted(forward, None)
