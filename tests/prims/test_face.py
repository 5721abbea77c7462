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


ILL_FITTING = {
    "return T.reshape(5, 5)": "has 24 elements: they do not fill (5, 5)",
    "return T.reshape(-1, 7)": "has 24 elements: they do not fill (-1, 7)",
    "return np.broadcast_to(v, (3, 2))": "cannot be repeated to (3, 2)",
    "return np.concatenate([W, x])": "cannot be put one after the other",
    "return np.split(x, 2)": "cannot be split into 2 equal parts",
    "return np.einsum('nd,dk->nk', x)": "is for 2 operand(s), not 1",
    "return np.einsum('n,dk->nk', x, W)": "'n' in 'n,dk->nk' names 1 axes of a tensor with 2",
    "return np.einsum('nd,dk->nz', x, W)": "a letter twice, or one that no operand has",
    "return np.einsum('nd,nk->k', x, W)": "the letter n is 5 and 2",
    "return x.reshape(2, 5, order='F')": "in another order than C",
}


@pytest.mark.parametrize("lines", ILL_FITTING)
def test_what_does_not_fit_is_refused_with_its_shapes(lines):
    def network(x: "5 2", W: "2 3", v: "3", A: "3 3", T: "2 3 4"):
        return np.sum(written(lines)(x, W, v, A, T))

    with pytest.raises(GradproofError) as caught:
        gp.derive(network)
    assert ILL_FITTING[lines] in caught.value.why


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
    "return T.reshape(6, 4)",
    "return T.reshape((2, -1)) @ np.ones((12, 2))",
    "return np.reshape(T, (4, 6)) * 1",
    "return T.ravel() * np.arange(24)",
    "return np.ravel(T)[::1]",
    "return T.flatten()[3:7]",
    "h = T * 1; z = h.flatten(); z += 1; return h.sum() * z",
    "return (T[:, :1] * 2).squeeze(1)",
    "return np.squeeze(T[:, :1, :1])",
    "return np.broadcast_to(v, (2, 3)) * W",
    "return np.broadcast_to(W[:, :, None], (2, 3, 4)) + T",
    "return np.moveaxis(T, 0, -1)",
    "return np.moveaxis(T, (0, 1), (2, 0))",
    "return np.repeat(W, 2, axis=0)",
    "return np.repeat(W, 3)",
    "return np.concatenate([W, W * 2, x[:2] @ W])",
    "return np.concatenate([T, T[:, :1]], axis=1)",
    "return np.concatenate([np.ones((2, 1)), W], axis=-1)",
    "return np.stack([v, v * 2])",
    "return np.stack([W, W * 2], axis=-1)",
    "a, b = np.split(T, 2, axis=2); return a * b",
    "a, b, c = np.split(x, [1, 3]); return c @ W + (a * b[:1]).sum()",
    "return np.einsum('nd,dk->nk', x, W)",
    "return np.einsum('nd,dk', x, W)",
    "return np.einsum('ij,ij,j->', W, W, v)",
    "return np.einsum('ii->i', A)",
    "return np.einsum('ii', A)",
    "return np.einsum('...d,dk->...k', T, np.ones((4, 2)))",
    "return np.einsum('b...,b...->...', T, T)",
    "return np.einsum('dca->acd', T)",
    "return np.trace(A @ A)",
    "return np.diagonal(A) * v",
    "return np.linalg.norm(W, axis=1) ** 2 * 0",
    "return T.swapaxes(0, 2)",
    "return T[::-1, 1:, ::2]",
    "h = x @ W; t = h[0]; t += 1; return h * h",
    "h = x @ W; t = h[1:]; t[0] = v; return h * h",
    "h = np.zeros((5, 3)); h[2] = v; h[1:4] += x[:3] @ W; return h",
    "h = np.zeros((5, 3)); h[:, ::-2] = x; h[::3, 1] -= v[:2]; return h",
    "h = np.ones((2, 4)); h[...] = v[:1]; h[:, 1:3] *= A[:2, :2]; return h",
    "h = np.zeros((5, 3)); other = h; h[0] = v; return other * other",
    "h = np.zeros((3, 2)); t = h[0]; h[1] = x[0]; h[2] = h[1] * t + 2; return h",
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
    "h = x @ W; t = h[0]; h[0] = 1; return t": (NotYet, "another variable is a view"),
    "h = x @ W; t = h[0][1:]; h[0] = 1; return t": (NotYet, "another variable is a view"),
    "h = x @ W; t = h.T; t += 1; return h": (NotYet, "transposed view"),
    "h = np.zeros((2, 3)); h[0] = x @ W; return h": (ShapeError, "cannot hold"),
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
