"""Hessians in closed form beside nested automatic differentiation.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/hessian.py      half a minute
    python benchmarks/hessian.py --json                                        for a program

The comparison of S. Laue, M. Mitterreiter and J. Giesen, "Computing higher order derivatives of
matrix and tensor expressions" (NeurIPS 2018), and "A simple and efficient tensor calculus" (AAAI
2020): logistic regression, xᵀAx, and a factorisation in two factors by one of them. The product
with a direction is the exported NumPy code of `gradproof export --order 2`; the whole Hessian is
the matrix that its last lines multiply the direction by. For the factorisation that is 2VᵀV, one
small matrix that stands for a block of all n rows, and no framework's Hessian knows it. All give
the same numbers, which is checked; all are measured in turns, and ratios are those of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

import gradproof as gp
from gradproof.engines.engine import installed

REPEATS = 31
SECONDS = 0.6
"""A contestant stops after so many runs, or after so much time."""

Contestant = Callable[[], object]


def logistic(X: "n d, data", w: "d", y: "n, data"):
    z = X @ w
    return np.sum(gp.softplus(z) - y * z)


def quadratic(x: "d", A: "d d, data"):
    return x @ A @ x


def factorisation(T: "n m, data", U: "n k", V: "m k, data"):
    return np.sum((T - U @ V.T) ** 2)


def closed_logistic(X, w, y):
    """Xᵀ diag(σ′(z)) X."""
    p = 1 / (1 + np.exp(-(X @ w)))
    return X.T @ ((p * (1 - p))[:, None] * X)


def closed_quadratic(x, A):
    """A + Aᵀ."""
    return A + A.T


def closed_factorisation(T, U, V):
    """2 VᵀV: of every row of U by itself."""
    return 2 * (V.T @ V)


def arrays_of(name: str) -> dict[str, np.ndarray]:
    """Numbers in float32; the first letters are the shapes of the paper's examples."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    match name:
        case "logistic":
            y = (random.random(1000) > 0.5).astype(np.float32)
            return {"X": draw(1000, 200), "w": draw(200) / 10, "y": y}
        case "quadratic":
            return {"x": draw(400), "A": draw(400, 400)}
        case _:
            return {"T": draw(60, 50), "U": draw(60, 8), "V": draw(50, 8)}


TASKS = {
    "logistic": (logistic, closed_logistic, "w"),
    "quadratic": (quadratic, closed_quadratic, "x"),
    "factorisation": (factorisation, closed_factorisation, "U"),
}


def in_frameworks(name: str, arrays: dict[str, np.ndarray], along: str) -> dict[str, dict]:
    """For each framework the Hessian and its product with the direction, as functions."""
    direction = np.random.default_rng(1).normal(size=arrays[along].shape).astype(np.float32)
    found: dict[str, dict] = {}
    if installed()["torch"]:
        import torch

        torch.set_num_threads(1)
        given = {n: torch.from_numpy(a) for n, a in arrays.items()}
        d = torch.from_numpy(direction)

        def loss(v):
            return LOSSES[name](torch, torch.nn.functional.softplus, **{**given, along: v})

        at = given[along]
        found["PyTorch"] = {
            "hessian": lambda: torch.func.hessian(loss)(at),
            "product": lambda: torch.func.jvp(torch.func.grad(loss), (at,), (d,))[1],
        }
    if installed()["jax"]:
        import jax
        import jax.numpy as jnp

        held = {n: jnp.asarray(a) for n, a in arrays.items()}
        e = jnp.asarray(direction)

        def loss_of(v, held):
            return LOSSES[name](jnp, jax.nn.softplus, **{**held, along: v})

        def hessian(v, held):
            return jax.hessian(loss_of)(v, held)

        def product(v, held, e):
            return jax.jvp(lambda v: jax.grad(loss_of)(v, held), (v,), (e,))[1]

        jitted, jitted_product = jax.jit(hessian), jax.jit(product)
        v = held[along]
        found["JAX"] = {
            "hessian": lambda: jax.block_until_ready(hessian(v, held)),
            "product": lambda: jax.block_until_ready(product(v, held, e)),
        }
        found["JAX with jit"] = {
            "hessian": lambda: jax.block_until_ready(jitted(v, held)),
            "product": lambda: jax.block_until_ready(jitted_product(v, held, e)),
        }
    return found


LOSSES = {
    "logistic": lambda m, softplus, X, w, y: m.sum(softplus(X @ w) - y * (X @ w)),
    "quadratic": lambda m, softplus, x, A: x @ A @ x,
    "factorisation": lambda m, softplus, T, U, V: m.sum((T - U @ V.T) ** 2),
}


def contestants(name: str) -> dict[str, dict[str, Contestant]]:
    network, closed, along = TASKS[name]
    arrays = arrays_of(name)
    space: dict[str, object] = {"__name__": "exported"}
    exec(gp.export(network, "numpy", order=2, along=[along]), space)
    direction = np.random.default_rng(1).normal(size=arrays[along].shape).astype(np.float32)
    multiply = space["hessian_product"]
    runs = {
        "gradproof": {
            "hessian": lambda: closed(**arrays),
            "product": lambda: multiply(*arrays.values(), direction)[along],
        },
        **in_frameworks(name, arrays, along),
    }
    _check_same(runs, direction)
    return runs


def _check_same(runs: dict[str, dict[str, Contestant]], direction: np.ndarray) -> None:
    """All contestants' numbers, before any of them is timed."""
    wanted = np.asarray(runs["gradproof"]["product"]())
    closed = np.asarray(runs["gradproof"]["hessian"]())
    scale = np.abs(wanted).max()
    if not np.allclose(direction @ closed, wanted, atol=1e-4 * scale):
        raise SystemExit("the closed form is not what the exported product multiplies by")
    for title, kinds in runs.items():
        if not np.allclose(np.asarray(kinds["product"]()), wanted, atol=1e-4 * scale):
            raise SystemExit(f"{title}'s product is another one")
        if title != "gradproof":
            whole = np.asarray(kinds["hessian"]()).reshape(direction.size, direction.size)
            moved = (whole @ direction.ravel()).reshape(direction.shape)
            if not np.allclose(moved, wanted, atol=1e-4 * scale):
                raise SystemExit(f"{title}'s Hessian is another one")


def measured() -> dict[str, dict[str, dict[str, float]]]:
    """The median seconds by task, kind and contestant."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in TASKS:
        runs = contestants(name)
        found[name] = {}
        for kind in ("hessian", "product"):
            times: dict[str, list[float]] = {title: [] for title in runs}
            for kinds in runs.values():
                kinds[kind](), kinds[kind]()
            for _ in range(REPEATS):
                for title, kinds in runs.items():
                    if sum(times[title]) < SECONDS or len(times[title]) < 5:
                        start = time.perf_counter()
                        kinds[kind]()
                        times[title].append(time.perf_counter() - start)
            found[name][kind] = {t: statistics.median(taken) for t, taken in times.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    as_json = parser.parse_args().json
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    found = measured()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print("median µs, and its ratio to gradproof's; float32, one thread")
    for name, kinds in found.items():
        for kind, medians in kinds.items():
            own = medians["gradproof"]
            said = "  ".join(f"{t} {1e6 * s:.0f} ({s / own:.1f})" for t, s in medians.items())
            print(f"{name:14} {kind:8} {said}")


if __name__ == "__main__":
    main()
