"""What `verify` holds at its peak, beside the size of all tensors of the network in float64.

    OPENBLAS_NUM_THREADS=1 python benchmarks/memory.py          under a minute
    python benchmarks/memory.py --json                          for a program

Each network runs in a process of its own, after a small one, so that imports do not count. Peak is
what NumPy and Python asked for at once (`tracemalloc`); resident is by how much the process grew,
which has what the C library keeps for later as well (at most 64 MiB, see `judge/stage.py: KEPT`).
All tensors are inputs, values and gradients.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tracemalloc
from math import prod

import numpy as np
from stage_check import network as middle

import gradproof as gp
from gradproof.core.program import shapes
from gradproof.trace.source import Source
from gradproof.workbench import read

BATCH = 64


def wide(x: "n 1024", W1: "1024 2048", W2: "2048 16", y: "n 16, data"):
    z1 = x @ W1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2
    return 0.5 * np.sum((z2 - y) ** 2)


def deep(x: "n 64", Ws, y: "n 64, data"):
    a = x
    for W in Ws:
        z = a @ W
        a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def small(x: "n 3", W: "3 2", y: "n 2, data"):
    return 0.5 * np.sum((np.tanh(x @ W) - y) ** 2)


NETWORKS = {
    "784-512-512-10": (middle, {}),
    "1024-2048-16": (wide, {}),
    "64 layers of 64": (deep, {"Ws": ["64 64"] * 64}),
}


def tensors(name: str) -> int:
    """The bytes of all inputs, values and gradients in float64."""
    forward, inputs = NETWORKS[name]
    traced, sizes = read(Source(name, forward), inputs, {"n": BATCH})
    known = {**shapes(traced.paper.forward), **shapes(traced.derivation.backward)}
    return 8 * sum(prod(sizes.get(s, s) for s in shape) for shape in known.values())


def one(name: str, *, traced: bool) -> float:
    """The bytes by which the peak, or the process, grew."""
    forward, inputs = NETWORKS[name]
    gp.verify(small, engine="numpy")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if traced:
        tracemalloc.start()
    gp.verify(forward, engine="numpy", inputs=inputs, sizes={"n": BATCH})
    if traced:
        return tracemalloc.get_traced_memory()[1]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


def measured() -> list[dict[str, float | str]]:
    """For each network the megabytes of its tensors, and the peaks as multiples of them."""
    rows = []
    for name in NETWORKS:
        size = tensors(name)
        grown = {
            kind: float(
                subprocess.run(
                    [sys.executable, __file__, "--one", name, kind],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for kind in ("peak", "resident")
        }
        rows.append(
            {
                "network": name,
                "tensors MB": size / 1e6,
                "peak": grown["peak"] / size,
                "resident": grown["resident"] / size,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "KIND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(one(options.one[0], traced=options.one[1] == "peak"))
        return
    rows = measured()
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"batch {BATCH}, float32, NumPy; multiples of the size of all tensors in float64")
    print(f"{'':18} {'tensors MB':>11} {'peak':>6} {'resident':>9}")
    for row in rows:
        print(
            f"{row['network']:18} {row['tensors MB']:11.1f} {row['peak']:6.2f} "
            f"{row['resident']:9.2f}"
        )


if __name__ == "__main__":
    main()
