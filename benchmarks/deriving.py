"""What tracing and deriving cost against depth: 250, 500 and 1000 layers in one run.

A network of L tanh layers has 2L equations forward and 4L gradients. Ratios tell whether the cost
is linear: each doubling of the depth should double it. Python's garbage collector walks through
everything that is alive again and again while a program grows, so that its share grows with depth:
the second table is without it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import numpy as np

from gradproof.derivation import derive
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

DEPTHS = (250, 500, 1000)
REPEATS = 5


def network(x: "n 4", Ws, bs, y: "n 4, data"):
    a = x
    for W, b in zip(Ws, bs, strict=True):
        z = a @ W + b
        a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def seconds(function: Callable[[], object]) -> float:
    """The median time of a call."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def table() -> None:
    """Prints for each depth the seconds to trace and to derive, and the ratio to the row above."""
    print(f"{'layers':>7} {'trace s':>9} {'derive s':>9} {'both, ratio':>12} {'gradients':>10}")
    before = None
    for depth in DEPTHS:
        shapes = {"Ws": ["4 4"] * depth, "bs": ["4"] * depth}
        signature = read_signature(network, shapes)
        paper = trace(network, None, signature, {"n": 5})
        tracing = seconds(lambda s=signature: trace(network, None, s, {"n": 5}))
        deriving = seconds(lambda p=paper: derive(p.forward))
        both = tracing + deriving
        ratio = "" if before is None else f"{both / before:.2f}"
        count = len(derive(paper.forward).steps)
        print(f"{depth:7} {tracing:9.3f} {deriving:9.3f} {ratio:>12} {count:10}")
        before = both


def main() -> None:
    """Prints the table as it is in use, and without the garbage collector."""
    table()
    print("\nwithout the garbage collector")
    gc.disable()
    try:
        table()
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
