"""What tensorgrad takes to differentiate tanh layers, in an environment of its own.

`make bench` installs it beside the others' environment and runs this file with its Python, so that
nothing of it, nor of what it asks for, is imported where gradproof is:

    python tensorgrad_peer.py by-hand 8      one weight, `full_simplify`: seconds, characters
    python tensorgrad_peer.py compiler 32    the same gradient as a program: seconds

The program is made for 4×4 and not called: 0.3.0 calls it with named tensors, which PyTorch 2.13
has no more. Printed is one line of JSON. The network is `a = tanh(a W)` from x, and the loss the
sum of a ⊙ a; the weight is the first one, which all layers lie behind.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from sympy import symbols
from tensorgrad import Variable, functions
from tensorgrad.tensor import Derivative, Tensor


def network(depth: int) -> tuple[Tensor, list[Variable]]:
    """The loss, and its inputs: x and the weights."""
    sizes = symbols([f"d{k}" for k in range(depth + 1)])
    a = Variable("x", n=symbols("n"), e0=sizes[0])
    inputs = [a]
    for k in range(depth):
        W = Variable(f"W{k}", **{f"e{k}": sizes[k], f"e{k + 1}": sizes[k + 1]})
        inputs.append(W)
        a = functions.tanh(a @ W)
    return functions.sum(a * a), inputs


def main() -> None:
    kind, depth = sys.argv[1], int(sys.argv[2])
    sys.setrecursionlimit(100_000)
    loss, inputs = network(depth)
    gradient = Derivative(loss, inputs[1])
    found: dict[str, float] = {}
    start = time.process_time()
    if kind == "compiler":
        from tensorgrad.compiler import compile_to_callable

        sizes = {size: 4 for one in inputs for size in one.shape.values()}
        program = compile_to_callable(gradient)
        program.codegen.specialize(sizes, dtype=torch.float32, for_inductor=False)
    else:
        found["characters"] = len(str(gradient.full_simplify()))
    found["seconds"] = time.process_time() - start
    print(json.dumps(found))


if __name__ == "__main__":
    main()
