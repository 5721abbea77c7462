"""tensorgrad's derivative by the first weight of tanh layers, and how long it is when printed.

    python -m venv /tmp/tensorgrad && /tmp/tensorgrad/bin/pip install tensorgrad
    TENSORGRAD=/tmp/tensorgrad/bin/python python benchmarks/bench.py --only tensorgrad

It needs a torch of its own, so it runs in an environment of its own, which `bench.py` finds by the
variable ``TENSORGRAD``. Prints a line of JSON for each depth.
"""

import json
import sys
import time
from importlib.metadata import version

from sympy import symbols
from tensorgrad import Variable, functions


def loss(depth):
    """Half the sum of squares of ``a = tanh(a W)``, depth times, and the first weight."""
    sizes = symbols("n " + " ".join(f"d{k}" for k in range(depth + 1)))
    n, widths = sizes[0], sizes[1:]
    a = Variable("x", n, **{"d0": widths[0]})
    weights = []
    for k in range(depth):
        W = Variable(f"W{k}", **{f"d{k}": widths[k], f"d{k + 1}": widths[k + 1]})
        weights.append(W)
        a = functions.tanh(a @ W)
    return functions.sum(a * a) / 2, weights[0]


for depth in map(int, sys.argv[1:]):
    start = time.process_time()
    value, first = loss(depth)
    gradient = value.grad(first).full_simplify()
    seconds = time.process_time() - start
    print(
        json.dumps(
            {
                "depth": depth,
                "seconds": seconds,
                "characters": len(str(gradient)),
                "version": version("tensorgrad"),
            }
        ),
        flush=True,
    )
