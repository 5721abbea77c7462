"""Correct gradients by the hundred thousand: how often a verdict cries wolf, and how near to
their bounds engines really come.

Usage: python benchmarks/correct.py [CHECKS]     (100 000 checks unless told otherwise)

Networks × engines × dtypes × seeds × depths up to 128. One check is one gradient tensor of one run.
Writes the section "Correct gradients" of docs/numbers.md.
"""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.derivation import derive
from gradproof.engines.contract import CONTRACTS, contract
from gradproof.engines.dtype import DTYPES, in_dtype
from gradproof.engines.engine import ENGINES, installed, load
from gradproof.gallery import fnn, softmax_regression
from gradproof.judge.generic import by_parameter, choose_sizes, draw
from gradproof.judge.kink import kinks
from gradproof.judge.stage import judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

PAGE = Path(__file__).parent.parent / "docs" / "numbers.md"
TITLE = "## Correct gradients"


def deep(depth: int, function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A network of `depth` layers of eight units."""

    def forward(x, Ws, y):  # type: ignore[no-untyped-def]
        a = x
        for W in Ws:
            z = a @ W
            a = function(z)
        return 0.5 * np.sum((a - y) ** 2)

    forward.__annotations__ = {"x": "n 8", "Ws": ["8 8"] * depth, "y": "n 8, data"}
    return forward


def layer_norm(x: "n 6", g: "6", b: "6", y: "n 6, data"):
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1, keepdims=True)
    normal = centred / np.sqrt(variance + 1e-5)
    out = normal * g + b
    return 0.5 * np.sum((out - y) ** 2)


def attention(q: "n 4", k: "m 4", v: "m 3", y: "n 3, data"):
    s = q @ k.T / np.sqrt(4)
    p = gp.softmax(s, axis=1)
    o = p @ v
    return 0.5 * np.sum((o - y) ** 2)


def relu_cross_entropy(x: "n 5", W1: "5 7", b1: "7", W2: "7 4", y: "n 4, one-hot"):
    h = gp.relu(x @ W1 + b1)
    z = h @ W2
    return np.mean(gp.logsumexp(z, axis=1) - np.sum(y * z, axis=1))


NETWORKS: dict[str, Callable[..., Any]] = {
    "fnn": fnn.forward,
    "softmax_regression": softmax_regression.forward,
    "relu, softmax, cross entropy": relu_cross_entropy,
    "layer norm": layer_norm,
    "attention": attention,
    **{f"tanh × {depth}": deep(depth, np.tanh) for depth in (2, 8, 32, 128)},
    **{f"σ × {depth}": deep(depth, gp.sigmoid) for depth in (2, 8, 32, 128)},
    **{f"relu × {depth}": deep(depth, gp.relu) for depth in (2, 8, 32, 128)},
}


def verdicts(name: str, engine: str, dtype: str, seeds: range) -> Iterator[Any]:
    """The verdict on each gradient, for each seed."""
    signature = read_signature(NETWORKS[name], {})
    sizes = choose_sizes(signature, {}, {})
    paper = trace(NETWORKS[name], None, signature, sizes)
    derivation = derive(paper.forward)
    machine, permitted = load(engine), contract(engine, dtype)
    for seed in seeds:
        arrays = draw(signature, sizes, {}, dtype, seed)
        given = by_parameter(signature, arrays)
        run = machine.run(NETWORKS[name], given, paper.operations, paper.loss, dtype)
        named = {symbol: run.gradients[of] for of, symbol in derivation.gradients.items()}
        constants = {n: in_dtype(np.asarray(a), dtype) for n, a in paper.constants.items()}
        operands = {**constants, **run.values, **named}
        kinked = kinks(paper.forward, operands, sizes, permitted)
        for step in derivation.steps:
            stage = Equation(step.equation.target, step.equation.free, step.raw)
            verdict = judge_stage(stage, run.gradients[step.of], operands, sizes, permitted, None)
            yield verdict.kind if step.of not in kinked else "kink", verdict.share, verdict.because


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    engines = [name for name, here in installed().items() if here]
    share_of_work = wanted / (len(NETWORKS) * len(CONTRACTS))
    rows, total, largest = [], Counter[str](), 0.0
    began = time.time()
    for name in NETWORKS:
        gradients = len(list(verdicts(name, "numpy", "float32", range(1))))
        seeds = range(max(1, round(share_of_work / gradients) + 1))
        for engine in engines:
            for dtype in DTYPES:
                if (engine, dtype) not in CONTRACTS:
                    continue
                kinds, top = Counter[str](), 0.0
                for kind, share, because in verdicts(name, engine, dtype, seeds):
                    kinds[kind] += 1
                    if kind == "refuted":
                        print(f"FALSE ALARM {name} {engine} {dtype}: {share} {because}")
                    if kind == "agrees":
                        top = max(top, share)
                total += kinds
                largest = max(largest, top)
                rows.append((name, ENGINES[engine].title, dtype, kinds, top))
        print(f"{name}: {sum(total.values())} so far, {dict(total)}, {time.time() - began:.0f} s")
    write(rows, total, largest)


def write(
    rows: list[tuple[str, str, str, Counter[str], float]], total: Counter[str], largest: float
) -> None:
    """Puts the table into docs/numbers.md in the place of the one that is there."""
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(total.items()))
    lines = [
        TITLE,
        "",
        f"`python benchmarks/correct.py` on {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}, NumPy {np.__version__}: {sum(total.values())} gradient "
        f"tensors, {words}. Largest share of a bound that a correct gradient used: {largest:.2f}.",
        "",
        "| network | engine | dtype | checks | agrees | undecided | refuted | largest share |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, engine, dtype, kinds, top in rows:
        undecided = kinds["undecided"] + kinds["kink"]
        lines.append(
            f"| {name} | {engine} | {dtype} | {sum(kinds.values())} | {kinds['agrees']} | "
            f"{undecided} | {kinds['refuted']} | {top:.2f} |"
        )
    put_section(PAGE, TITLE, "\n".join(lines) + "\n")


def put_section(page: Path, title: str, body: str) -> None:
    """Replaces the section with this title, or adds it at the end."""
    text = (
        page.read_text(encoding="utf-8")
        if page.exists()
        else "# Numbers\n\nMeasured, not promised.\n"
    )
    before, found, after = text.partition(title + "\n")
    if found:
        _, more, rest = after.partition("\n## ")
        text = before + body + ("\n## " + rest if more else "")
    else:
        text = text.rstrip("\n") + "\n\n" + body
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
