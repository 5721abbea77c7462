"""Exported NumPy code beside the frameworks' own differentiation, and the matrix products alone.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/export.py       under a minute
    python benchmarks/export.py --json                                         for a program

Each contestant gives the loss and the gradients by all weights and biases of the same network in
float32, batch 64: `gradproof export --to numpy`; PyTorch's eager autograd; TensorFlow's eager
`GradientTape` and the same in a `tf.function`; JAX's `value_and_grad` without and with `jit`; and
the matrix products that nobody can avoid, alone. All are measured in turns, each turn in an order
that is drawn, because who runs next finds the weights in the caches; and on one core, where there
is a way to say so, because JAX runs independent operations side by side however few threads it is
given. What counts is the processor's time, which other programs disturb least. The ratios are
those of medians to the exported code's. What is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

import gradproof as gp
from gradproof.engines.engine import installed

BATCH = 64
NETWORKS = ((2, 4, 3), (64, 128, 64), (784, 128, 10), (784, 512, 512, 10))
REPEATS = 41
SECONDS = 0.9
"""A contestant stops after so many runs, or after so much time."""

Contestant = Callable[[], object]


def network(widths: tuple[int, ...]) -> str:
    """The source of a network of sigmoid layers with half the sum of squares."""
    pairs = list(pairwise(widths))
    parameters = [f'W{k}: "{a} {b}", b{k}: "{b}"' for k, (a, b) in enumerate(pairs, 1)]
    head = f'x: "n {widths[0]}, data", {", ".join(parameters)}, y: "n {widths[-1]}, data"'
    lines = ["import numpy as np", "import gradproof as gp", f"def forward({head}):", "    a0 = x"]
    for k in range(1, len(widths)):
        lines += [f"    z{k} = a{k - 1} @ W{k} + b{k}", f"    a{k} = gp.sigmoid(z{k})"]
    return "\n".join([*lines, f"    return 0.5 * np.sum((a{len(widths) - 1} - y) ** 2)"])


def exported(widths: tuple[int, ...], arrays: list[np.ndarray]) -> Contestant:
    """The file that `gradproof export` writes, run."""
    user: dict[str, object] = {}
    exec(network(widths), user)
    space: dict[str, object] = {"__name__": "exported"}
    exec(gp.export(user["forward"], to="numpy"), space)
    forward, backward = space["forward"], space["backward"]

    def run() -> object:
        loss, saved = forward(*arrays)
        return loss, backward(saved)

    return run


def products(widths: tuple[int, ...], arrays: list[np.ndarray]) -> Contestant:
    """The matrix products of one forward and backward pass."""
    x, *weights, _ = arrays
    Ws = weights[::2]
    values = [x, *(np.ones((BATCH, W.shape[1]), np.float32) for W in Ws)]

    def run() -> object:
        found = [a @ W for a, W in zip(values, Ws, strict=False)]
        found += [a.T @ g for a, g in pairwise(values)]
        return found + [g @ W.T for g, W in zip(values[2:], Ws[1:], strict=True)]

    return run


def torch_eager(arrays: list[np.ndarray]) -> Contestant:
    import torch

    torch.set_num_threads(1)
    x, *weights, y = [torch.from_numpy(a) for a in arrays]
    for weight in weights:
        weight.requires_grad_()

    def run() -> object:
        a = x
        for W, b in zip(weights[::2], weights[1::2], strict=True):
            a = torch.sigmoid(a @ W + b)
        loss = 0.5 * torch.sum((a - y) ** 2)
        return loss, torch.autograd.grad(loss, weights)

    return run


def tensorflow_both(arrays: list[np.ndarray]) -> dict[str, Contestant]:
    import tensorflow as tf

    if not tf.executing_eagerly():
        raise RuntimeError("TensorFlow runs eagerly unless told otherwise")
    x, *weights, y = [tf.constant(a) for a in arrays]

    def run(x, weights, y):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            a = x
            for W, b in zip(weights[::2], weights[1::2], strict=True):
                a = tf.sigmoid(a @ W + b)
            loss = 0.5 * tf.reduce_sum((a - y) ** 2)
        return loss, tape.gradient(loss, weights)

    compiled = tf.function(run)
    return {
        "TensorFlow eager": lambda: run(x, weights, y),
        "TensorFlow tf.function": lambda: compiled(x, weights, y),
    }


def jax_both(arrays: list[np.ndarray]) -> dict[str, Contestant]:
    import jax
    import jax.numpy as jnp

    x, *weights, y = [jnp.asarray(a) for a in arrays]

    def loss(weights, x, y):
        a = x
        for W, b in zip(weights[::2], weights[1::2], strict=True):
            a = jax.nn.sigmoid(a @ W + b)
        return 0.5 * jnp.sum((a - y) ** 2)

    plain = jax.value_and_grad(loss)
    compiled = jax.jit(plain)
    return {
        "JAX without jit": lambda: jax.block_until_ready(plain(weights, x, y)),
        "JAX with jit": lambda: jax.block_until_ready(compiled(weights, x, y)),
    }


def limit_cores() -> None:
    """All threads that are started from here on share one core, on Linux."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def limit_threads() -> None:
    """TensorFlow takes its threads from here, before anything of it runs."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def contestants(widths: tuple[int, ...]) -> dict[str, Contestant]:
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(BATCH, widths[0]))]
    for a, b in pairwise(widths):
        arrays += [random.normal(size=(a, b)) / np.sqrt(a), random.normal(size=b)]
    arrays.append(random.normal(size=(BATCH, widths[-1])))
    arrays = [a.astype(np.float32) for a in arrays]
    here = installed()
    found = {"exported NumPy": exported(widths, arrays), "products alone": products(widths, arrays)}
    if here["torch"]:
        found["PyTorch eager"] = torch_eager(arrays)
    if here["tensorflow"]:
        found |= tensorflow_both(arrays)
    if here["jax"]:
        found |= jax_both(arrays)
    return found


def measured(runs: dict[str, Contestant]) -> dict[str, float]:
    """The median of each in seconds of the processor, all threads together, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(), run()  # compiles, and warms the caches
    random = np.random.default_rng(0)
    for _ in range(REPEATS):
        for name in random.permutation(list(runs)):
            if sum(times[name]) < SECONDS or len(times[name]) < 5:
                start = time.process_time()
                runs[name]()
                times[name].append(time.process_time() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    as_json = parser.parse_args().json
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    limit_cores()
    if installed()["tensorflow"]:
        limit_threads()
    found = {"-".join(map(str, w)): measured(contestants(w)) for w in NETWORKS}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    names = list(next(iter(found.values())))
    print(f"median processor time of up to {REPEATS} runs, float32, batch {BATCH}, one core")
    print(f"{'':<24}" + "".join(f"{network:>20}" for network in found))
    for name in names:
        cells = []
        for medians in found.values():
            ratio = medians[name] / medians["exported NumPy"]
            cells.append(f"{medians[name] * 1e6:>11.0f} µs {ratio:>5.2f}")
        print(f"{name:<24}" + "".join(f"{cell:>20}" for cell in cells))
    absent = [name for name, present in installed().items() if not present]
    if absent:
        print("not installed:", ", ".join(absent))


if __name__ == "__main__":
    main()
