"""True identities are proved and false ones that look alike are not.

Any two formulas F and G of the inputs are put to the test: with the loss ``Σ w·F`` the gradient
with respect to w is F, and the claim is G.
"""

from itertools import permutations

import numpy as np
import pytest

import gradproof as gp
from gradproof.judge.identity import prove
from gradproof.trace.source import Source
from gradproof.workbench import read

sigmoid, relu, softmax, logsumexp = gp.sigmoid, gp.relu, gp.softmax, gp.logsumexp
exp, log, tanh, sqrt = np.exp, np.log, np.tanh, np.sqrt
sin, cos, sinh, cosh, sign, clip = np.sin, np.cos, np.sinh, np.cosh, np.sign, np.clip
erf, softplus, silu, elu, leaky_relu = gp.erf, gp.softplus, gp.silu, gp.elu, gp.leaky_relu
gelu, gelu_tanh = gp.gelu, gp.gelu_tanh


def top(x):
    """The largest element of each row, as a column."""
    return np.max(x, axis=1, keepdims=True)


def rows(x):
    """The sum of each row, as a column."""
    return np.sum(x, axis=1, keepdims=True)


def shape_of(kind):
    return {"matrix": "n d", "square": "d d", "row": "d", "column": "n", "scalar": ""}[kind]


def proof_of(kind, one, other, seed=None):
    """The proof that two formulas of the inputs below are equal."""

    def forward(
        w,
        x: "n d",
        y: "n d",
        A: "d d",
        B: "d d",
        C: "d d",
        D: "d d",
        u: "d",
        s: "n d, positive",
        t: "n, positive",
        p: "n d, data, probabilities",
        c: "",
    ):
        value = one(x, y, A, B, C, D, u, s, t, p, c)
        return np.sum(w * value)

    def backward(x, y, A, B, C, D, u, s, t, p, c):
        dl_dw = other(x, y, A, B, C, D, u, s, t, p, c)
        return {"dl_dw": dl_dw}

    traced, _ = read(Source("identity", forward, backward), {"w": shape_of(kind)}, {})
    return prove(traced.paper, traced.derivation, seed)["w"]


def formula(text):
    return eval(f"lambda x, y, A, B, C, D, u, s, t, p, c: {text}", globals())


TRUE = [
    # constants that Python computed stand for what they were computed from
    ("matrix", "0.1 * x + 0.2 * x", "(0.1 + 0.2) * x"),
    ("matrix", "x / np.sqrt(2) * np.sqrt(2)", "x"),
    ("matrix", "np.sqrt(2 / np.pi) * x", "2 * x / np.sqrt(2 * np.pi)"),
    ("matrix", "np.pi * x", "2 * np.arccos(0) * x"),
    ("matrix", "np.sqrt(8) * x", "2 * np.sqrt(2) * x"),
    # the circle and the error function
    ("matrix", "sin(x)**2 + cos(x)**2", "0 * x + 1"),
    ("matrix", "sin(-x)", "-sin(x)"),
    ("matrix", "cos(-x)", "cos(x)"),
    ("matrix", "erf(-x)", "-erf(x)"),
    ("matrix", "gelu(x) + gelu(-x)", "x * erf(x / np.sqrt(2))"),
    ("matrix", "gelu(x) - gelu(-x)", "x"),
    ("matrix", "silu(x) - silu(-x)", "x"),
    ("matrix", "cosh(x)**2 - sinh(x)**2", "0 * x + 1"),
    ("matrix", "elu(x, 1.0)", "np.where(x > 0, x, exp(x) - 1)"),
    ("matrix", "leaky_relu(x, 0.1)", "np.where(x > 0, x, x / 10)"),
    # activations
    ("matrix", "sigmoid(x) * (1 - sigmoid(x))", "sigmoid.derivative(x)"),
    ("matrix", "sigmoid.derivative(x)", "sigmoid(x) * sigmoid(-x)"),
    ("matrix", "1 - sigmoid(x)", "sigmoid(-x)"),
    ("matrix", "sigmoid(x)", "1 / (1 + exp(-x))"),
    ("matrix", "sigmoid(x)", "exp(x) / (1 + exp(x))"),
    ("matrix", "tanh(x)", "2 * sigmoid(2 * x) - 1"),
    (
        "matrix",
        "1 - tanh(x) ** 2",
        "(1 - tanh(x)) * (1 + tanh(x))",
    ),
    ("matrix", "1 - tanh(x)**2", "4 * sigmoid.derivative(2 * x)"),
    ("matrix", "tanh(x)", "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"),
    ("matrix", "tanh(x)", "(1 - exp(-2 * x)) / (1 + exp(-2 * x))"),
    ("matrix", "tanh(-x)", "-tanh(x)"),
    ("matrix", "relu(x)", "x * (x > 0)"),
    ("matrix", "relu(x) - relu(-x)", "x"),
    ("matrix", "relu(x) + relu(-x)", "np.abs(x)"),
    ("matrix", "np.maximum(x, y) + np.minimum(x, y)", "x + y"),
    ("matrix", "np.maximum(x, y)", "y + relu(x - y)"),
    ("matrix", "np.maximum(x, 0)", "relu(x)"),
    ("matrix", "np.where(x > 0, y, 0)", "y * (x > 0)"),
    ("matrix", "y * (relu(x) > 0)", "y * (x > 0)"),
    ("matrix", "y * (x > 0)", "y * (x >= 0)"),
    ("matrix", "y * (x > 0)", "y * (-x < 0)"),
    ("matrix", "1.0 * (x > 0)", "1 - 1.0 * (x < 0)"),
    ("matrix", "x * sigmoid(x)", "x / (1 + exp(-x))"),
    ("matrix", "sigmoid(x) + x * sigmoid.derivative(x)", "sigmoid(x) * (1 + x * (1 - sigmoid(x)))"),
    # exponentials and logarithms
    ("matrix", "exp(x + y)", "exp(x) * exp(y)"),
    ("matrix", "exp(x - y)", "exp(x) / exp(y)"),
    ("matrix", "exp(2 * x)", "exp(x)**2"),
    ("matrix", "exp(-x)", "1 / exp(x)"),
    ("matrix", "log(exp(x))", "x"),
    ("matrix", "-log(s)", "log(1 / s)"),
    ("matrix", "exp(x) * exp(-x) * y", "y"),
    ("matrix", "softmax(x, axis=1)", "exp(x) / np.sum(exp(x), axis=1, keepdims=True)"),
    ("matrix", "softmax(x, axis=1)", "softmax(x - np.max(x, axis=1, keepdims=True), axis=1)"),
    (
        "matrix",
        "softmax(x, axis=1)",
        "exp(x - top(x)) / rows(exp(x - top(x)))",
    ),
    ("matrix", "softmax(x, axis=1)", "exp(x - logsumexp(x, axis=1, keepdims=True))"),
    ("column", "np.sum(softmax(x, axis=1), axis=1)", "1 + 0 * t"),
    ("matrix", "softmax(x + c, axis=1)", "softmax(x, axis=1)"),
    # the softmax's Jacobian
    (
        "matrix",
        "softmax(x, axis=1) * (y - np.sum(y * softmax(x, axis=1), axis=1, keepdims=True))",
        "y * softmax(x, axis=1) - softmax(x, axis=1) * rows(softmax(x, axis=1) * y)",
    ),
    (
        "matrix",
        "softmax(x, axis=1) * np.sum(p, axis=1, keepdims=True) - p",
        "softmax(x, axis=1) - p",
    ),
    # products
    ("square", "A @ (B + C)", "A @ B + A @ C"),
    ("square", "(A @ B) @ C", "A @ (B @ C)"),
    ("square", "(A @ B).T", "B.T @ A.T"),
    ("square", "(A + B) @ (A + B)", "A @ A + A @ B + B @ A + B @ B"),
    ("square", "x.T @ y", "(y.T @ x).T"),
    ("matrix", "x @ A.T", "(A @ x.T).T"),
    ("matrix", "x @ (A * u)", "(x @ A) * u"),
    ("matrix", "(x * u) @ A", "x @ (u[:, None] * A)"),
    ("matrix", "x * t[:, None] @ A", "t[:, None] * (x @ A)"),
    ("scalar", "np.sum(A * B.T)", "np.sum(A.T * B)"),
    ("scalar", "np.sum(A * B)", "np.sum(A.T * B.T)"),
    ("scalar", "u @ A @ u", "u @ A.T @ u"),
    ("scalar", "u @ A @ B @ u", "u @ B.T @ A.T @ u"),
    ("scalar", "np.sum(x @ A * y)", "np.sum(x * (y @ A.T))"),
    ("scalar", "np.sum(x)**2", "np.sum(x) * np.sum(x)"),
    ("row", "x.T @ t", "np.sum(x * t[:, None], axis=0)"),
    ("row", "u @ A", "A.T @ u"),
    ("column", "np.sum(x * y, axis=1)", "(x * y) @ (0 * u + 1)"),
    ("column", "x @ u", "np.sum(x * u, axis=1)"),
    # means, variances, norms
    ("row", "np.mean(x, axis=0)", "np.sum(x, axis=0) / x.shape[0]"),
    ("column", "np.mean(x - np.mean(x, axis=1, keepdims=True), axis=1)", "0 * t"),
    ("column", "np.var(x, axis=1)", "np.mean(x**2, axis=1) - np.mean(x, axis=1)**2"),
    (
        "column",
        "np.sum((x - np.mean(x, axis=1, keepdims=True))**2, axis=1)",
        "x.shape[1] * np.var(x, axis=1)",
    ),
    ("column", "np.sum(x - np.mean(x), axis=1)", "np.sum(x, axis=1) - x.shape[1] * np.mean(x)"),
    ("row", "np.sum(0 * x + 1, axis=0)", "0 * u + x.shape[0]"),
    ("scalar", "np.sum(x - y + (y - x))", "0 * c"),
    (
        "column",
        "np.sum(x**2, axis=1) / np.sqrt(np.sum(x**2, axis=1))",
        "np.sqrt(np.sum(x**2, axis=1))",
    ),
    ("column", "1 / sqrt(t + 1)", "sqrt(t + 1) / (t + 1)"),
    ("column", "(t + 1)**-1.5", "1 / sqrt(t + 1)**3"),
    ("column", "sqrt(t) * sqrt(t)", "t"),
    ("matrix", "s**1.5", "s * sqrt(s)"),
    ("matrix", "s**0.3 * s", "s**1.3"),
    (
        "matrix",
        "x / sqrt(np.mean(x**2, axis=1, keepdims=True) + 1)",
        "x * (np.mean(x * x, axis=1, keepdims=True) + 1)**-0.5",
    ),
    ("column", "sqrt(9 * t)", "3 * sqrt(t)"),
    ("column", "sqrt(12 * t)", "2 * sqrt(3 * t)"),
    ("column", "t * sqrt(9 * x.shape[0])", "3 * t * sqrt(x.shape[0])"),
    ("column", "t / sqrt(x.shape[1])", "t * sqrt(x.shape[1]) / x.shape[1]"),
    # arithmetic
    ("matrix", "(x + y)**2", "x**2 + 2 * x * y + y**2"),
    ("matrix", "(x + y) * (x - y)", "x**2 - y**2"),
    ("matrix", "(x + y)**3", "x**3 + 3 * x**2 * y + 3 * x * y**2 + y**3"),
    ("matrix", "x / s + y / s", "(x + y) / s"),
    ("matrix", "1 / (1 + 1 / s)", "s / (s + 1)"),
    ("matrix", "x / (s * t[:, None])", "x / s / t[:, None]"),
    ("matrix", "0.5 * x + x / 2", "x"),
    ("matrix", "x - x + y", "y"),
    ("matrix", "c * x + c * y", "c * (x + y)"),
    ("matrix", "np.abs(x)", "np.abs(-x)"),
    ("matrix", "np.square(x)", "x * x"),
    ("matrix", "(x + y + s)**2", "x**2 + y**2 + s**2 + 2 * (x * y + x * s + y * s)"),
    ("matrix", "x * y / (x * s)", "y / s"),
    ("matrix", "(x**2 - y**2) / (x - y)", "x + y"),
    ("square", "A @ A @ A", "A @ (A @ A)"),
    ("square", "(A - B) @ (A + B)", "A @ A + A @ B - B @ A - B @ B"),
    ("square", "np.outer(u, u) @ A", "np.outer(u, A.T @ u)"),
    ("row", "u @ A + u @ B", "u @ (A + B)"),
    ("matrix", "sigmoid(x) * sigmoid(-x) * (1 + exp(x))**2", "exp(x)"),
    ("matrix", "tanh(x / 2)", "2 * sigmoid(x) - 1"),
    ("matrix", "relu(x) * relu(-x) + y", "relu(x) * relu(-x) + y * 1"),
    ("column", "np.max(x, axis=1) - np.max(x, axis=1)", "0 * t"),
    ("column", "np.std(x, axis=1) * np.std(x, axis=1)", "np.var(x, axis=1)"),
    ("scalar", "np.sum(np.outer(u, u) * A)", "u @ A @ u"),
]

FALSE = [
    ("matrix", "sigmoid(2 * x)", "2 * sigmoid(x)"),
    ("matrix", "sigmoid.derivative(x)", "sigmoid(x) * (1 + sigmoid(x))"),
    ("matrix", "sigmoid.derivative(x)", "sigmoid.derivative(sigmoid(x))"),
    ("matrix", "sigmoid(x)", "1 / (1 + exp(x))"),
    ("matrix", "sigmoid(-x)", "-sigmoid(x)"),
    ("matrix", "tanh(x)", "2 * sigmoid(x) - 1"),
    ("matrix", "tanh(x)", "sigmoid(2 * x)"),
    ("matrix", "1 - tanh(x)**2", "1 - x**2"),
    ("matrix", "1 - tanh(x)**2", "1 - tanh(x**2)"),
    ("matrix", "relu(x) + relu(-x)", "x"),
    ("matrix", "relu(x + y)", "relu(x) + relu(y)"),
    ("matrix", "relu(x)", "x * (x < 0)"),
    ("matrix", "y * (relu(x) > 0)", "y * (relu(y) > 0)"),
    ("matrix", "np.maximum(x, y)", "np.minimum(x, y)"),
    ("matrix", "np.maximum(x, y)", "x"),
    ("matrix", "np.abs(x)", "x"),
    ("matrix", "np.abs(x + y)", "np.abs(x) + np.abs(y)"),
    ("matrix", "sqrt(x**2)", "x"),
    ("matrix", "sqrt((x - y)**2)", "y - x"),
    ("scalar", "sqrt(c**2)", "c"),
    ("matrix", "(sqrt(x**2) + x) * (sqrt(y**2) + y)", "0 * x"),
    ("matrix", "(sqrt(x**2) + x) * (sqrt(y**2) - y) * (sqrt(s**4) + s**2)", "0 * x"),
    ("matrix", "sqrt(x * y) * sqrt(x * y * s**2)", "-x * y * s"),
    ("column", "sqrt(9 * t)", "-3 * sqrt(t)"),
    ("column", "t * sqrt(9 * x.shape[0])", "-3 * t * sqrt(x.shape[0])"),
    ("column", "t * sqrt(x.shape[0]) * sqrt(4 * x.shape[0])", "-2 * t * x.shape[0]"),
    ("scalar", "sqrt(c**2 * 0 + 6.0)", "-sqrt(2.0 + c * 0) * sqrt(3.0 + c * 0)"),
    ("scalar", "sqrt((c * np.sum(u))**2)", "c * np.sum(u)"),
    ("scalar", "sqrt(c**4)", "-c**2"),
    ("matrix", "sqrt(s + t[:, None])", "sqrt(s) + sqrt(t[:, None])"),
    ("matrix", "(s**2 + 1)**0.5", "s + 1"),
    ("matrix", "s**0.3", "s**0.4"),
    ("matrix", "s**0.5", "s / 2"),
    ("matrix", "exp(x * y)", "exp(x) * exp(y)"),
    ("matrix", "exp(x + y)", "exp(x) + exp(y)"),
    ("matrix", "exp(2 * x)", "2 * exp(x)"),
    ("matrix", "exp(x)", "1 + x + x**2 / 2"),
    ("matrix", "log(s * t[:, None])", "log(s) * log(t[:, None])"),
    ("matrix", "log(s + 1)", "log(s) + 1"),
    ("matrix", "log(s)", "s - 1"),
    ("matrix", "softmax(x, axis=1)", "softmax(2 * x, axis=1)"),
    ("matrix", "softmax(x, axis=1)", "softmax(x, axis=0)"),
    ("matrix", "softmax(x, axis=1)", "exp(x) / np.sum(exp(x))"),
    ("matrix", "softmax(x, axis=1)", "sigmoid(x)"),
    (
        "matrix",
        "softmax(x, axis=1) * (y - np.sum(y * softmax(x, axis=1), axis=1, keepdims=True))",
        "y * softmax(x, axis=1) * (1 - softmax(x, axis=1))",
    ),
    (
        "matrix",
        "softmax(x, axis=1) * np.sum(y, axis=1, keepdims=True) - y",
        "softmax(x, axis=1) - y",
    ),
    ("column", "np.sum(softmax(x, axis=1), axis=1)", "t"),
    ("column", "logsumexp(x, axis=1)", "np.max(x, axis=1)"),
    ("column", "np.max(x, axis=1)", "x[:, 0]"),
    ("column", "np.max(x, axis=1)", "np.sum(x, axis=1)"),
    ("scalar", "np.max(u)", "u[0]"),
    (
        "matrix",
        "y * (x == np.max(x, axis=1, keepdims=True))",
        "y * (x == np.max(x, axis=0, keepdims=True))",
    ),
    # sizes
    ("square", "A @ B", "B @ A"),
    ("square", "A", "A.T"),
    ("square", "A @ B - B @ A", "0 * A"),
    ("square", "x.T @ x @ A", "A @ x.T @ x"),
    ("scalar", "np.sum((A @ B) * C.T)", "np.sum((A @ C) * B.T)"),
    ("scalar", "u @ A @ B @ u", "u @ B @ A @ u"),
    ("scalar", "np.sum(A * B)", "np.sum(A * B.T)"),
    ("scalar", "np.sum(A) * np.sum(B)", "np.sum(A @ B)"),
    ("scalar", "np.sum(u)**2", "np.sum(u**2)"),
    ("scalar", "np.sum(A)**2 - np.sum(A**2)", "0 * c"),
    ("row", "np.mean(x, axis=0)", "np.sum(x, axis=0) / 7"),
    ("row", "np.mean(x, axis=0)", "np.sum(x, axis=0) / 5"),
    ("row", "np.mean(x, axis=0)", "np.mean(x, axis=0) * x.shape[0]"),
    ("row", "np.mean(x, axis=0) * (x.shape[0] - 4) * (x.shape[0] - 5)", "0 * u"),
    ("row", "np.mean(x, axis=0) * (x.shape[0] - 2) * (x.shape[0] - 3) * (x.shape[0] - 4)", "0 * u"),
    ("row", "np.mean(x, axis=0) * (x.shape[0] - x.shape[1] + 1)", "0 * u"),
    ("row", "u * np.mean(x) * (x.shape[0] - 3) * (x.shape[1] - 4)", "0 * u"),
    ("row", "np.sum(0 * x + 1, axis=0)", "0 * u + 6"),
    ("row", "np.sum(x, axis=0)", "x[0] + x[1] + x[2]"),
    ("column", "np.var(x, axis=1)", "np.mean(x**2, axis=1)"),
    ("column", "np.var(x, axis=1)", "np.var(x, axis=1, ddof=1)"),
    ("column", "np.sum(x - np.mean(x), axis=1)", "0 * t"),
    ("column", "np.mean(x * y, axis=1)", "np.mean(x, axis=1) * np.mean(y, axis=1)"),
    # products that look alike
    ("square", "(A + B) @ (A + B)", "A @ A + 2 * A @ B + B @ B"),
    ("square", "(A + B) @ (A - B)", "A @ A - B @ B"),
    ("square", "(A @ B).T", "A.T @ B.T"),
    ("square", "x.T @ y", "y.T @ x"),
    ("matrix", "x @ A", "x @ A.T"),
    ("matrix", "x @ (A * u)", "(x * u) @ A"),
    ("matrix", "x @ (A * B)", "(x @ A) * (x @ B)"),
    ("matrix", "(x * y) @ A", "(x @ A) * (y @ A)"),
    ("matrix", "(x @ A) * y", "(x * y) @ A"),
    ("row", "u @ A", "A @ u"),
    ("row", "x.T @ t", "np.sum(x, axis=0) * np.sum(t)"),
    ("column", "np.sum(x * y, axis=1)", "np.sum(x, axis=1) * np.sum(y, axis=1)"),
    ("scalar", "np.sum(x @ A * y)", "np.sum(x * (y @ A))"),
    ("matrix", "(x + y)**2", "x**2 + y**2"),
    ("matrix", "(x + y)**3", "x**3 + y**3"),
    ("matrix", "(x + y)**3", "x**3 + 3 * x**2 * y + 3 * x * y**2 - y**3"),
    ("matrix", "1 / (s + t[:, None])", "1 / s + 1 / t[:, None]"),
    ("matrix", "x / s", "x * s"),
    ("matrix", "x", "x * (1 + 2.0**-50)"),
    ("matrix", "x / 3", "x * 0.33333333"),
    ("matrix", "0.1 * x + 0.2 * x", "0.3000000000000004 * x"),
    ("matrix", "x", "x + 1e-30"),
    ("matrix", "3.14159265358979 * x", "np.pi * x"),
    ("matrix", "0.7978845608 * x", "np.sqrt(2 / np.pi) * x"),
    ("matrix", "1.414213562373090 * x", "np.sqrt(2) * x"),
    ("matrix", "sin(2 * x)", "2 * sin(x)"),
    ("matrix", "sin(x)**2 - cos(x)**2", "0 * x + 1"),
    ("matrix", "cos(x + y)", "cos(x) * cos(y) + sin(x) * sin(y)"),
    ("matrix", "erf(x)", "tanh(x)"),
    ("matrix", "erf(x)**2 + erf(y)**2", "0 * x + 1"),
    ("matrix", "gelu(x)", "gelu_tanh(x)"),
    ("matrix", "gelu(x) + gelu(-x)", "0 * x"),
    ("matrix", "elu(x, 1.0)", "elu(x, 2.0)"),
    ("matrix", "sign(x)", "x"),
    ("matrix", "clip(x, -1, 1)", "x"),
    ("matrix", "x - y", "y - x"),
    ("matrix", "x * y", "x * x"),
    ("matrix", "x", "-x"),
    ("matrix", "x", "x + y - x"),
    ("matrix", "c * x", "x"),
    ("matrix", "p", "p * np.sum(x, axis=1, keepdims=True)"),
    ("matrix", "np.where(x > 0, x, y)", "np.where(x > 0, y, x)"),
    ("matrix", "y * (x > 0)", "y * (x > 1)"),
    ("matrix", "y * (x > 0)", "y * (x < 0)"),
    ("matrix", "(x > 0) * (y > 0) * u", "(x > 0) * u"),
    ("scalar", "(u[0] > 0) * (u[1] > 0) * c", "0 * c"),
]

S4 = " ".join(
    f"{sign} {a} @ {b} @ {c} @ {d}"
    for sign, (a, b, c, d) in (
        ("-" if inversions % 2 else "+", letters)
        for letters in permutations("ABCD")
        for inversions in [sum(letters[i] > letters[j] for i in range(4) for j in range(i + 1, 4))]
    )
)
"""The standard identity of degree 4, which holds for 2×2 matrices and no larger ones."""


@pytest.mark.parametrize(("kind", "one", "other"), TRUE, ids=lambda text: text.replace(" ", ""))
def test_a_true_identity_is_proved(kind, one, other):
    assert proof_of(kind, formula(one), formula(other)).chain


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [*FALSE, ("square", S4, "0 * A")],
    ids=lambda text: text[:60].replace(" ", ""),
)
def test_a_false_identity_is_not_proved(kind, one, other):
    proof = proof_of(kind, formula(one), formula(other))
    assert not proof.chain
    assert not proof.own


def test_a_proof_is_repeated_with_its_seed():
    proofs = [proof_of("square", formula("A @ B"), formula("B @ A"), b"k" * 32) for _ in range(2)]
    assert proofs[0] == proofs[1]


def test_the_root_of_an_input_is_taken_where_it_is_positive():
    def forward(x: "n 3", w: "n 3"):
        return np.sum(w * np.log(x))

    def backward(x, w):
        return {"dl_dx": w / x, "dl_dw": np.log(x)}

    traced, _ = read(Source("logarithm", forward, backward), {}, {})
    proofs = prove(traced.paper, traced.derivation)
    assert proofs["w"].hypotheses == ("x > 0",)
    assert proofs["x"].hypotheses == ()
