"""Writes into arrays mean what NumPy makes of them, and their gradients are right."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.term import ZERO, Add, Sum, reads, walk
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

WRITES = {
    "a row": "h[1] = v",
    "rows one after another": "h[0] = v; h[1] = 2 * v; h[0] = h[1] + h[0]",
    "a row twice": "h[2] = v; h[2] = v * v",
    "a block": "h[1:3, 1:] = x[:2, 1:]",
    "every other one": "h[::2] = x[::2]",
    "backwards": "h[:, ::-1] = x",
    "added where it stands": "h[0:3] += x[:3]; h[1:4] += x[1:] * v; h[:2] -= v",
    "scaled where it stands": "h[:, 1:] += x[:, 1:]; h[2:] *= v",
    "a number over what was": "h += x; h[1] = 0; h[:, 2] = 3",
    "broadcast": "h[:3] = v; h[:, :2] += x[0, 0]",
    "by steps that never meet": "h[::2] = x[::2]; h[1::2, ::2] = v[:2]; h[1, 1] = x[0, 0]",
    "by steps that meet": "h[::2] = x[::2]; h[1::3] = v; h[::3, ::2] = x[::3, ::2]; h[1] = 2 * v",
    "through a view": "row = h[1]; row += v; h[2] += row",
    "everything": "h[2] = v; h[...] = x",
    "with overlap": "h[0:3] = x[:3]; h[1:4] = x[1:] * x[1:]; h[::3, 1] = v[:2]",
}


def network(lines):
    body = "".join(f"    {line}\n" for line in lines.split("; "))
    space = {"np": np}
    exec(
        "def forward(x, v):\n    h = np.zeros((4, 3))\n"
        f"{body}    return np.sum(np.tanh(h) * (1 + h))\n",
        space,
    )
    return space["forward"]


SHAPES = {"x": "4 3", "v": "3"}


@pytest.mark.parametrize("lines", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("engine", ["numpy", "torch", "jax", "tensorflow"])
def test_values_and_gradients_of_what_was_written(lines, engine):
    if engine != "numpy":
        pytest.importorskip(engine)
    report = gp.verify(network(lines), inputs=SHAPES, engine=engine, dtype="float64", seed=3)
    assert report.ok
    assert {row.verdict.kind for row in report.batches[0].forward} == {"agrees"}


def test_what_was_written_is_what_is_read():
    forward = network("h[0] = v; h[1] = h[0] * v; h[2] = h[1] * v")
    paper = trace(forward, None, read_signature(forward, SHAPES), {})
    written = [e for e in paper.forward.equations if e.target == "h"]
    assert len(written) == 1
    assert not any(isinstance(node, Sum) for node in walk(written[0].term))


def test_nothing_is_cut_out_of_rows_that_are_not_written_again():
    def forward(x):
        return np.sum(x**2)

    def backward(x):
        dx = np.zeros(x.shape)
        for r in range(2):
            dx[r::2] = 2 * x[r::2]
        return {"dx": dx}

    paper = trace(forward, backward, read_signature(forward, {"x": "4 3"}), {})
    assert paper.backward is not None
    (written,) = (e.term for e in paper.backward.equations if e.target == "dx")
    assert isinstance(written, Add)
    assert [isinstance(term, Sum) for term in written.terms] == [True, True]


def test_a_symbol_stays_a_symbol():
    def forward(x: "n 3"):
        h = np.zeros((x.shape[0], 4))
        h[:, 1:] = x
        return np.sum(h**3)

    def backward(x, h):
        dl_dh = 3 * h**2
        dl_dx = np.zeros(x.shape)
        for k in range(3):
            dl_dx[:, k] = dl_dh[:, k + 1]
        return {"dl_dh": dl_dh, "dl_dx": dl_dx}

    report = gp.verify(forward, backward, engine="numpy", seed=0)
    assert report.ok
    assert [row.formula_verdict.kind for row in report.batches[0].gradients] == ["proved"] * 2
    assert report.batches[0].sizes


def test_an_array_that_nothing_was_written_into_is_a_number_and_no_value():
    def forward(x: "3 n 2", U: "2 2"):
        h = np.zeros((x.shape[1], 2))
        all_h = np.zeros((3, x.shape[1], 2))
        for t in range(3):
            h = np.tanh(x[t] + h @ U)
            all_h[t] = h
        return np.sum(all_h**2)

    for engine in ("numpy", "torch"):
        assert gp.verify(forward, engine=engine, dtype="float64", seed=0).ok
    paper = trace(forward, None, read_signature(forward, {}), {"n": 4})
    first = next(e for e in paper.forward.equations if e.target == "h[1]")
    assert {read.tensor for read in reads(first.term)} == {"x"}
    assert ZERO not in {e.term for e in paper.forward.equations}


def test_backward_gets_an_array_that_forward_made_and_left_alone():
    def forward(x: "2 n 2", W: "2 2", U: "2 2"):
        h0 = np.zeros((x.shape[1], 2))
        hs = [h0]
        zs = np.zeros((2, x.shape[1], 2))
        for t in range(2):
            z = x[t] @ W + hs[t] @ U
            zs[t] = z
            hs.append(np.tanh(z))
        return np.sum(hs[2] ** 2) + np.sum(zs)

    def backward(x, hs, h0, U):
        dz2 = 2 * hs[2] * (1 - hs[2] ** 2) + 1
        dz1 = dz2 @ U.T * (1 - hs[1] ** 2) + 1
        return {"dU": hs[1].T @ dz2 + h0.T @ dz1, "dW": x[1].T @ dz2 + x[0].T @ dz1}

    report = gp.verify(forward, backward, engine="numpy", dtype="float64", seed=0)
    assert report.ok
    rows = [report["U"], report["W"]]
    assert {row.formula_verdict.kind for row in rows} == {"proved"}
    assert {row.hand_verdict.kind for row in rows} == {"agrees"}


def test_a_write_at_the_wrong_place_is_refuted():
    def forward(x: "n 3"):
        return np.sum(x**3)

    def backward(x):
        dl_dx = np.zeros(x.shape)
        for k in range(3):
            dl_dx[:, k] = 3 * x[:, 2 - k] ** 2
        return {"dl_dx": dl_dx}

    report = gp.verify(forward, backward, engine="numpy", seed=0)
    assert [row.formula_verdict.kind for row in report.batches[0].gradients] == ["refuted"]


def test_plain_arrays_stay_plain():
    def forward(x: "4 3"):
        mask = np.zeros((4, 3))
        assert not isinstance(np.zeros(3, dtype=int), type(x))
        mask[np.arange(4), [0, 2, 1, 1]] = 1
        return np.sum(mask * x)

    original = np.zeros
    report = gp.verify(forward, engine="numpy", seed=0)
    assert report.ok
    assert np.zeros is original


FROM_THE_END = [
    "h[-1] *= 2",
    "h[:, -1] = 0",
    "h[-1] = h[0]; h[0] = h[-1] + h[-2]",
    "h[-1] = 0; h[-2] = 3; h[-1] = 2 * h[0]",
    "h[0, -1] = 1; h[-1] -= h[0]",
]


@pytest.mark.parametrize("shape", ["n d", "n 3", "5 d"])
@pytest.mark.parametrize("lines", FROM_THE_END)
def test_what_is_written_at_the_end_of_an_axis_of_any_size_leaves_the_rest(lines, shape):
    body = "".join(f"    {line}\n" for line in lines.split("; "))
    space = {"np": np}
    exec(f"def forward(x: '{shape}'):\n    h = x * 1\n{body}    return np.sum(h**3)\n", space)
    forward = space["forward"]
    report = gp.verify(forward, engine="numpy", dtype="float64")
    assert report.ok, report
    data = report.batches[-1].inputs["x"]
    direction = np.random.default_rng(1).normal(size=data.shape)
    # A cubic: the differences of two steps, by Richardson, are exact but for rounding.
    one, two = (forward(data + t * direction) - forward(data - t * direction) for t in (0.5, 1.0))
    slope = (8 * one - two) / 6
    assert np.sum(np.asarray(report["x"].true, dtype=float) * direction) == pytest.approx(slope)
