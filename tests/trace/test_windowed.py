"""Windows mean what NumPy and the frameworks make of them, and their gradients are right."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import NotYet, ShapeError
from gradproof.engines.double import Double
from gradproof.engines.evaluate import evaluate
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

view = np.lib.stride_tricks.sliding_window_view

NETWORKS = {
    "valid": lambda x, K: gp.conv2d(x, K),
    "padded": lambda x, K: gp.conv2d(x, K, padding=1),
    "uneven ends": lambda x, K: gp.conv2d(x, K, padding=((2, 1), (0, 2))),
    "stride": lambda x, K: gp.conv2d(x, K, stride=2),
    "stride, padded": lambda x, K: gp.conv2d(x, K, stride=(2, 2), padding=2),
    "large stride": lambda x, K: gp.conv2d(x, K, stride=3, padding=1),
    "unequal strides": lambda x, K: gp.conv2d(x, K, stride=(2, 1), padding=1),
    "dilation": lambda x, K: gp.conv2d(x, K, dilation=(2, 1), padding=1),
    "all": lambda x, K: gp.conv2d(x, K, stride=2, dilation=2, padding=((1, 2), (3, 0))),
    "PyTorch's order": lambda x, K: gp.conv2d(
        np.transpose(x, (0, 3, 1, 2)), np.transpose(K, (3, 2, 0, 1)), stride=2, layout="NCHW"
    ),
    "transposed": lambda x, K: gp.conv_transpose2d(x, np.swapaxes(K, 2, 3)),
    "transposed, stride": lambda x, K: gp.conv_transpose2d(
        x, np.swapaxes(K, 2, 3), stride=2, padding=1
    ),
    "transposed, PyTorch's order": lambda x, K: gp.conv_transpose2d(
        np.transpose(x, (0, 3, 1, 2)), np.transpose(K, (2, 3, 0, 1)), stride=2, layout="NCHW"
    ),
    "two groups": lambda x, K: gp.conv2d(
        np.transpose(x, (0, 1, 3, 2)), K[:, :, :, :], groups=2, padding=1
    ),
    "means": lambda x, K: gp.avg_pool2d(x, 2) * K[0, 0, 0, 0],
    "overlapping means": lambda x, K: gp.avg_pool2d(x, (3, 2), stride=1) * K[0, 0, 0, 0],
    "largest": lambda x, K: gp.max_pool2d(x, 2) * K[0, 0, 0, 0],
    "overlapping largest": lambda x, K: gp.max_pool2d(x, 3, stride=2) * K[0, 0, 0, 0],
    "windows by hand": lambda x, K: view(x, (3, 3), axis=(1, 2))[..., 0, :, :] * K[:, :, 0, 0],
    "padded by hand": lambda x, K: np.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))) * K[0, 0, 0, 0],
    "turned": lambda x, K: gp.conv2d(x, np.flip(K, (0, 1))),
    "steps": lambda x, K: x[:, ::2, -1::-3] * K[0, 0, 0, 0],
    "running sums": lambda x, K: np.cumsum(x, axis=2) * K[0, 0, 0, 0],
    "triangles": lambda x, K: np.tril(x[..., 0]) * K[0, 0, 0, 0] + np.triu(x[..., 1], 1),
}
SHAPES = {"x": "2 7 6 2", "K": "3 3 2 4"}
GROUPED = {"x": "2 7 4 6", "K": "3 3 2 4"}


def network(name):
    def forward(x, K):
        z = NETWORKS[name](x, K)
        return np.sum(np.tanh(z / 8) ** 2)  # a sum that cancels, or a slope of 0, has no signal

    return forward, GROUPED if name == "two groups" else SHAPES


def drawn(shapes):
    random = np.random.default_rng(4)
    return {k: random.normal(size=tuple(map(int, s.split()))) for k, s in shapes.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_equation_has_the_value_of_plain_arrays(name):
    forward, shapes = network(name)
    arrays = drawn(shapes)
    paper = trace(forward, None, read_signature(forward, shapes), {})
    double = Double()
    lifted = {key: double.lift(array) for key, array in arrays.items()}
    values = evaluate(paper.forward, lifted, {}, double)
    wanted = NETWORKS[name](arrays["x"], arrays["K"])
    # A sum of 36 products: 40 roundings of float64 of numbers below 100.
    assert np.max(np.abs(values["z"][0] - wanted)) < 100 * 40 * 2.0**-53


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("engine", ["numpy", "torch", "jax", "tensorflow"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_engine_agrees_with_values_and_gradients(name, engine, dtype):
    if engine != "numpy":
        pytest.importorskip(engine)
    forward, shapes = network(name)
    report = gp.verify(forward, inputs=shapes, engine=engine, dtype=dtype, seed=2)
    assert report.ok
    assert {row.verdict.kind for row in report.batches[0].forward} == {"agrees"}


def test_a_tie_is_undecided():
    def forward(x: "1 2 2 1"):
        return np.sum(gp.max_pool2d(x, 2) ** 2)

    ones = np.ones((1, 2, 2, 1))
    report = gp.verify(forward, inputs={"x": ones}, engine="numpy", seed=0)
    rows = {row.name: row.engine_verdict for row in report.batches[0].gradients}
    assert rows["x"].kind == "undecided"
    assert not report.ok


def test_a_symbolic_height_becomes_a_number_and_says_so():
    def forward(x: "n h 6 2", K: "3 3 2 4"):
        return np.sum(gp.conv2d(x, K) ** 2)

    report = gp.verify(forward, engine="numpy", seed=0)
    assert report.ok
    assert any("holds for" in note and "h = " in note for note in report.notes)


def test_windows_over_a_symbolic_size_are_not_yet_known():
    def forward(x: "n 6", v: "6"):
        return np.sum(view(x, 2, axis=0) ** 2) + np.sum(v) * x.shape[0]

    with pytest.raises(NotYet, match="symbolic size n"):
        trace(forward, None, read_signature(forward, {}), {"n": 6})


REFUSED = {
    "a window too large": (lambda x, K: gp.conv2d(x, K), "1 2 6 2", ShapeError, "does not fit"),
    "other channels": (lambda x, K: gp.conv2d(x, K), "1 5 6 3", ShapeError, "meet 2"),
    "an axis too few": (lambda x, K: gp.conv2d(x[0], K), "1 5 6 2", ShapeError, "4 axes each"),
    "no layout": (lambda x, K: gp.conv2d(x, K, layout="HWC"), "1 5 6 2", ShapeError, "no layout"),
    "no stride": (lambda x, K: gp.conv2d(x, K, stride=0), "1 5 6 2", ShapeError, "above 0"),
    "three strides": (lambda x, K: gp.conv2d(x, K, stride=(1, 1, 1)), "1 5 6 2", ShapeError, "2"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_windows_is_refused(why):
    function, shape, error, words = REFUSED[why]
    with pytest.raises(error, match=words):
        gp.derive(lambda x, K: np.sum(function(x, K)), inputs={"x": shape, "K": "3 3 2 4"})
