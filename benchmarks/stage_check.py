"""What judging every stage of a 784–512–512–10 network costs, beside one pass of it in NumPy.

    OPENBLAS_NUM_THREADS=1 python benchmarks/stage_check.py
    python benchmarks/stage_check.py --verify       the whole of `gradproof verify` too

One pass is a float64 forward and backward in plain NumPy. A stage check takes an engine's forward
values and gradients, all of them, and says of every element whether a correct engine may have
returned it; the engine's own run is not counted. Both are measured in turns, and the ratio is that
of the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.derivation import derive
from gradproof.engines import load
from gradproof.engines.contract import contract
from gradproof.judge.generic import by_parameter, draw
from gradproof.judge.stage import judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

BATCH = 64
REPEATS = 15


def network(
    x: "n 784",
    W1: "784 512",
    b1: "512",
    W2: "512 512",
    b2: "512",
    W3: "512 10",
    b3: "10",
    y: "n 10, one-hot, data",
):
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    a2 = np.tanh(z2)
    z3 = a2 @ W3 + b3
    return np.sum(gp.logsumexp(z3) - np.sum(y * z3, axis=1)) / x.shape[0]


def plain(x, W1, b1, W2, b2, W3, b3, y):
    """One forward and backward pass as a person writes it, with every gradient of `network`."""
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    a2 = np.tanh(z2)
    z3 = a2 @ W3 + b3
    e = np.exp(z3 - z3.max(axis=1, keepdims=True))
    total = e.sum(axis=1, keepdims=True)
    loss = np.sum(np.log(total) + z3.max(axis=1, keepdims=True)) - np.sum(y * z3)
    dz3 = (e / total - y) / len(x)
    dz2 = dz3 @ W3.T * (1 - a2**2)
    dz1 = dz2 @ W2.T * (1 - a1**2)
    return (
        loss / len(x),
        (a2.T @ dz3, dz3.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)),
        (x.T @ dz1, dz1.sum(axis=0), dz1 @ W1.T),
    )


def checker(engine: str, dtype: str) -> tuple[Callable[[], list], dict[str, np.ndarray]]:
    """A function that judges every stage of one run, and the float64 arguments of that run."""
    signature, sizes = read_signature(network), {"n": BATCH}
    paper = trace(network, None, signature, sizes)
    derivation = derive(paper.forward)
    arrays = draw(signature, sizes, {}, dtype, 0)
    arguments = by_parameter(signature, arrays)
    run = load(engine).run(network, arguments, paper.operations, paper.loss, dtype)
    names = derivation.gradients
    named = {names[of]: g for of, g in run.gradients.items() if of in names}
    operands = {**run.values, **named}
    stages = [(e, run.values[e.target]) for e in paper.forward.equations if e.target in run.values]
    stages += [
        (Equation(s.equation.target, s.equation.free, s.raw), run.gradients[s.of])
        for s in derivation.steps
    ]
    permitted = contract(engine, dtype)

    def check() -> list:
        return [
            judge_stage(stage, computed, operands, sizes, permitted, None)
            for stage, computed in stages
        ]

    return check, {name: array.astype(np.float64) for name, array in arrays.items()}


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Prints a line for each engine and dtype."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="numpy")
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    print(f"BLAS threads: {os.environ.get('OPENBLAS_NUM_THREADS', 'as many as there are')}")
    print(f"{'':20} {'pass ms':>8} {'check ms':>9} {'ratio':>6}  verdicts")
    for engine in options.engines.split(","):
        for dtype in options.dtypes.split(","):
            check, arguments = checker(engine, dtype)
            kinds = [verdict.kind for verdict in check()]
            pairs = [(timed(lambda a=arguments: plain(**a)), timed(check)) for _ in range(REPEATS)]
            one, all_stages = (
                1e3 * statistics.median(column) for column in zip(*pairs, strict=True)
            )
            said = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
            name = f"{engine} {dtype}"
            print(f"{name:20} {one:8.1f} {all_stages:9.1f} {all_stages / one:6.1f}  {said}")
            if options.verify:
                seconds = timed(
                    lambda e=engine, d=dtype: gp.verify(
                        network, engine=e, dtype=d, sizes={"n": BATCH}
                    )
                )
                print(f"{'  gradproof verify':20} {1e3 * seconds:18.0f}")


if __name__ == "__main__":
    main()
