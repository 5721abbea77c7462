"""Every derived gradient against the rigorous complex step: digits and time, network by network.

The networks of the gallery, and more, each with something that can go wrong in a derivation: a
value used twice, attention, normalisation, recurrence, kinks, ties, depth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradproof as gp
from gradproof.core.program import Derivation
from gradproof.gallery import catalogue
from gradproof.judge.direction import Witness, witnesses
from gradproof.judge.generic import draw
from gradproof.judge.truth import TrueValues, true_values
from gradproof.trace.source import Source
from gradproof.workbench import read


def relu_layers(x: "n 6", W1: "6 8", b1: "8", W2: "8 5", b2: "5", y: "n 5, data"):
    h = gp.relu(x @ W1 + b1)
    p = h @ W2 + b2
    return np.mean((p - y) ** 2)


def residual(x: "n 4", W1: "4 4", W2: "4 4", y: "n 4, data"):
    a = x + np.tanh(x @ W1)
    b = a + np.tanh(a @ W2) * gp.sigmoid(a)
    return np.sum((b - y) ** 2)


def attention(X: "n 4", Wq: "4 3", Wk: "4 3", Wv: "4 2", y: "n 2, data"):
    Q = X @ Wq
    K = X @ Wk
    V = X @ Wv
    S = Q @ K.T / np.sqrt(3.0)
    A = gp.softmax(S)
    O = A @ V
    return 0.5 * np.sum((O - y) ** 2)


def layer_norm(x: "n 5", W: "5 5", g: "5", b: "5", y: "n 5, data"):
    z = x @ W
    c = z - z.mean(axis=-1, keepdims=True)
    v = np.mean(c**2, axis=-1, keepdims=True)
    h = c / np.sqrt(v + 1e-5)
    o = h * g + b
    return np.sum((o - y) ** 2)


def cross_entropy(x: "n 4", W: "4 6", b: "6", y: "n 6, one-hot, data"):
    z = x @ W + b
    return np.mean(gp.logsumexp(z) - np.sum(y * z, axis=-1))


def recurrence(X: "6 n 3", U: "3 4", W: "4 4", b: "4", h0: "n 4", y: "n 4, data"):
    h = h0
    for t in range(6):
        h = np.tanh(X[t] @ U + h @ W + b)
    return 0.5 * np.sum((h - y) ** 2)


def largest(x: "n 5", W: "5 7", y: "n, data"):
    z = x @ W
    m = np.max(z, axis=-1)
    return np.sum(np.abs(m - y)) + np.sum(np.maximum(z, 0.3) * np.minimum(z, 1.1))


def roots(x: "n 4", W: "4 3", q: "3, positive"):
    z = x @ W
    s = np.sqrt(z**2 + q)
    r = z / s
    return np.sum(np.log(s) * r) + np.sum(s.T @ r) / x.shape[0]


def deep_tanh(x, Ws, bs, y):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        a = np.tanh(a @ W + b)
    return 0.5 * np.sum((a - y) ** 2)


def deep_sigmoid(x, Ws, bs, y):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        a = gp.sigmoid(a @ W + b)
    return 0.5 * np.sum((a - y) ** 2)


def deep_relu(x, Ws, bs, y):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        a = gp.relu(a @ W + b) + a
    return 0.5 * np.sum((a - y) ** 2)


def digits(
    x: "32 784", W1: "784 128", b1: "128", W2: "128 10", b2: "10", y: "32 10, one-hot, data"
):
    a = gp.sigmoid(x @ W1 + b1)
    p = gp.softmax(a @ W2 + b2)
    return -np.mean(np.sum(y * np.log(p), axis=-1))


def layers(depth: int, width: int) -> dict[str, Any]:
    """Shapes for a batch, a list of weights and one of biases."""
    batch = f"n {width}"
    return {
        "x": batch,
        "y": f"{batch}, data",
        "Ws": [f"{width} {width}"] * depth,
        "bs": [f"{width}"] * depth,
    }


@dataclass(frozen=True, slots=True)
class Case:
    """A network, and the shapes of the lists that it takes."""

    source: Source
    shapes: Mapping[str, Any]


def _case(forward: Callable[..., Any], depth: int = 0, width: int = 0) -> tuple[str, Case]:
    name = forward.__name__ + (f", {depth} layers of {width}" if depth else "")
    return name, Case(Source(name, forward), layers(depth, width) if depth else {})


CASES: dict[str, Case] = {
    **{name: Case(catalogue.find(name), {}) for name in catalogue.names()},
    **dict(
        [
            _case(relu_layers),
            _case(residual),
            _case(attention),
            _case(layer_norm),
            _case(cross_entropy),
            _case(recurrence),
            _case(largest),
            _case(roots),
            _case(deep_tanh, 8, 4),
            _case(deep_tanh, 32, 4),
            _case(deep_sigmoid, 32, 4),
            _case(deep_relu, 32, 6),
            _case(deep_tanh, 8, 64),
        ]
    ),
}

BIG: dict[str, Case] = dict(
    [
        _case(deep_tanh, 32, 64),
        _case(deep_tanh, 128, 4),
        _case(digits),
    ]
)
"""Those that take seconds: not part of the tests."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network with its gradients, data, and the true values there."""

    derivation: Derivation
    inputs: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    truth: TrueValues


def prepare(case: Case, seed: int = 0) -> Prepared:
    """A case traced and derived, on generic float32 data."""
    traced, sizes = read(case.source, case.shapes, {})
    paper = traced.paper
    arrays = draw(traced.signature, sizes, {}, "float32", seed)
    inputs = {**arrays, **{n: np.asarray(a) for n, a in paper.constants.items()}}
    truth = true_values((paper.forward, traced.derivation.backward), inputs, sizes)
    return Prepared(traced.derivation, inputs, sizes, truth)


def witness(case: Prepared, seed: int = 0) -> tuple[Witness, ...]:
    """The complex step's word on every gradient of a case."""
    return witnesses(case.derivation, case.truth.balls, case.inputs, case.sizes, seed)


def main() -> None:
    """Prints a Markdown table."""
    print("| network | gradients | agree | digits, fewest | ms per gradient | true values, ms |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, case in {**CASES, **BIG}.items():
        start = time.perf_counter()
        prepared = prepare(case)
        middle = time.perf_counter()
        found = witness(prepared)
        taken = (time.perf_counter() - middle) * 1000
        agree = [w for w in found if w.agrees]
        fewest = min((w.digits for w in agree), default=0)
        print(
            f"| {name} | {len(found)} | {len(agree)} | {fewest:.0f} "
            f"| {taken / len(found):.1f} | {(middle - start) * 1000:.0f} |",
            flush=True,
        )
        for w in found:
            if not w.agrees:
                print(f"{w.of}: {w.because}")


if __name__ == "__main__":
    main()
