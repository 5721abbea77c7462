"""The face does what NumPy does on arrays, or says that it does not."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import GradproofError, Never, NotYet, ShapeError
from gradproof.engines.numpy import record_plain

RANDOM = np.random.default_rng(7)
SHAPES = {"x": (5, 2), "W": (2, 3), "v": (3,), "A": (3, 3), "T": (2, 3, 4)}

# Small whole numbers: no result is rounded.
ARRAYS = {name: RANDOM.integers(-4, 5, shape).astype(float) for name, shape in SHAPES.items()}


def written(lines: str):
    body = "".join(f"    {line}\n" for line in lines.split("; "))
    space = {"np": np, "gp": gp}
    exec(f"def forward(x, W, v, A, T):\n{body}", space)
    return space["forward"]


def by_face(lines: str) -> np.ndarray:
    result = record_plain(written(lines), ARRAYS, {}, "float64").result
    return np.asarray(result)


SAME = (
    "h = x @ W; z = h; z += 1; return h * z",
    "h = x @ W; z = h.copy(); z += 1; return h * z",
    "h = x @ W; z = np.copy(h); z *= 2; return h * z",
    "h = x @ W; z = +h; z *= 2; return h * z",
    "s = v.sum(); t = s; t += 1; return s * t",
    "h = v * 1; np.add(h, 1, out=h); return h",
    "total = np.zeros((2, 3)); total += W; total += W; return total",
    "both = [W * 1, W * 2]; both[0] += 1; return both[0] * both[1]",
    "return np.add.reduce(A)",
    "return np.add.reduce(A, 1)",
    "return np.add.reduce(T, axis=(0, 1), keepdims=True)",
    "return np.maximum.reduce(A)",
    "return np.dot(T.transpose(0, 2, 1), A)",
    "return np.outer(v, A[0])",
    "return np.outer([1.0, 2.0], v)",
    "return np.swapaxes(T, 0, -1)",
    "return np.expand_dims(v, -1) * A",
    "return np.transpose(T, (0, -1, 1))",
    "return v[:2] * v[-2:]",
    "return v * 10**30",
)


@pytest.mark.parametrize("lines", SAME)
def test_a_tensor_does_what_an_array_does(lines):
    arrays = {name: array.copy() for name, array in ARRAYS.items()}
    wanted = written(lines)(**arrays)
    found = by_face(lines)
    assert found.shape == np.shape(wanted)
    assert np.array_equal(found, wanted)


REFUSED = {
    "return np.dot(T, T.transpose(0, 2, 1))": (NotYet, "np.dot with 3 axes"),
    "return np.outer(A, v)": (NotYet, "np.outer of 2 and 1 axes"),
    "return np.sum(A, axis=(0, 0))": (ShapeError, "twice"),
    "return np.sum(A, axis=[0])": (ShapeError, "is not an axis"),
    "return np.sum(A, axis=True)": (ShapeError, "is not an axis"),
    "return np.transpose(T, (0, 5, 1))": (ShapeError, "axis 5 does not exist"),
    "return np.swapaxes(T, 0, 5)": (ShapeError, "axis 5 does not exist"),
    "return np.expand_dims(v, 5)": (ShapeError, "axis 5 does not exist"),
    "return np.expand_dims(v, (0, 2))": (ShapeError, "is not an axis"),
    "return np.sum(x, where=x > 0)": (NotYet, "np.sum with these arguments"),
    "return np.sum(x, initial=3.0)": (NotYet, "np.sum with these arguments"),
    "return np.var(A, 0, None, None, 1)": (NotYet, "np.var with these arguments"),
    "return np.sum(v, dtype=int)": (NotYet, "np.sum with dtype=int64"),
    "return np.where(v > 0)": (NotYet, "np.where with these arguments"),
    "return np.add.reduce(v, out=np.zeros(()))": (Never, "writes into an array"),
    "return v[True]": (NotYet, "Only constants"),
    "return v[0:2.0]": (ShapeError, "no integer"),
    "return (v * v) ** np.inf": (Never, "exponent inf"),
    "h = v * 1; h += x @ A[:2]; return h": (ShapeError, "in place nothing grows"),
    "h = x @ W; t = h.T; h += 1; return t": (NotYet, "a view of the other"),
    "h = x @ W; t = h[0]; t += 1; return h": (NotYet, "a view of the other"),
    "count = np.zeros(3, dtype=int); count += v; return count": (Never, "int64"),
}


@pytest.mark.parametrize(("lines", "error"), REFUSED.items())
def test_what_numpy_does_otherwise_is_refused(lines, error):
    kind, words = error
    with pytest.raises(kind, match=words):
        by_face(lines)


def test_an_array_updated_in_place_has_no_numbers_under_another_name():
    def forward(W: "2 3"):
        total = np.zeros((2, 3))
        other = total
        total += W
        return np.sum(other * W)

    with pytest.raises(GradproofError, match="element nan"):
        gp.derive(forward)
