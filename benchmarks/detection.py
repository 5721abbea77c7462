"""The smallest relative error of a single element that a check notices, as a table for docs.

    python benchmarks/detection.py
    python benchmarks/detection.py --write docs/numbers.md

PyTorch computes the gradients of tanh networks with softmax and cross entropy in float32. One
element of the gradient of the first weights is multiplied by 1 + ε or 1 − ε; of the two, the sign
counts that is harder to see. Each check compares as people use it: `numpy.allclose` and
`torch.testing.assert_close`, with their default tolerances, with the formula written by hand in
float32; `torch.autograd.gradcheck` with difference quotients, in float64, where it works; gradproof
with the stage that PyTorch computed. The threshold of the median element is tried out: just above
it the check must object, and just below not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.derivation import derive
from gradproof.engines import load
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.judge.generic import by_parameter, draw
from gradproof.judge.stage import judge_stage
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

NETWORKS = ((5, (2, 4, 3)), (8, (64, 128, 64)), (32, (784, 128, 10)), (64, (784, 512, 512, 10)))
SEEDS = 10
VISIBLE = 1e-3
TITLE = "## The smallest error of one element that is caught"


def network(x, Ws, bs, y):
    a = x
    for W, b in zip(Ws[:-1], bs[:-1], strict=True):
        z = a @ W + b
        a = np.tanh(z)
    logits = a @ Ws[-1] + bs[-1]
    return np.sum(gp.logsumexp(logits) - np.sum(y * logits, axis=1)) / x.shape[0]


def by_hand(x, Ws, bs, y) -> np.ndarray:
    """The gradient of the first weights, written by hand."""
    acts = [x]
    for W, b in zip(Ws[:-1], bs[:-1], strict=True):
        acts.append(np.tanh(acts[-1] @ W + b))
    z = acts[-1] @ Ws[-1] + bs[-1]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    delta = (e / e.sum(axis=1, keepdims=True) - y) / np.asarray(len(x), x.dtype)
    for W, a in zip(Ws[:0:-1], acts[:0:-1], strict=True):
        delta = delta @ W.T * (1 - a**2)
    return x.T @ delta


@dataclass(frozen=True)
class Check:
    """A check of one gradient: the ε that each element needs, and whether it accepts a tensor."""

    threshold: np.ndarray
    accepts: Callable[[np.ndarray], bool]


def _tolerant(
    right: np.ndarray, g: np.ndarray, rtol: float, atol: float, accepts: Callable[..., Any]
) -> Check:
    right, exact = right.astype(np.float64), g.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = (atol + rtol * np.abs(right) + np.abs(exact - right)) / np.abs(exact)
    return Check(needed, accepts)


class Case:
    """One network and seed: the gradient of its first weights, and the checks of it."""

    def __init__(self, batch: int, widths: tuple[int, ...], seed: int) -> None:
        pairs = list(pairwise(widths))
        shapes = {
            "x": f"n {widths[0]}",
            "Ws": [f"{m} {n}" for m, n in pairs],
            "bs": [str(n) for _, n in pairs],
            "y": f"n {widths[-1]}, one-hot, data",
        }
        signature, self.sizes = read_signature(network, shapes), {"n": batch}
        paper = trace(network, None, signature, self.sizes)
        derivation = derive(paper.forward)
        arrays = draw(signature, self.sizes, {}, "float32", seed)
        self.arguments = by_parameter(signature, arrays)
        run = load("torch").run(network, self.arguments, paper.operations, paper.loss, "float32")
        names = derivation.gradients
        named = {names[of]: g for of, g in run.gradients.items() if of in names}
        self.operands = {**run.values, **named}
        step = next(s for s in derivation.steps if s.of == "Ws[1]")
        self.stage = Equation(step.equation.target, step.equation.free, step.raw)
        self.gradient = run.gradients["Ws[1]"]
        self.permitted = contract("torch", "float32")

    def gradproof(self) -> Check:
        ball = Ball(self.permitted)
        lifted = {name: ball.lift(array) for name, array in self.operands.items()}
        middle, radius, bound = evaluate_equation(self.stage, Room(lifted, self.sizes, ball))
        g = self.gradient.astype(np.float64)
        with np.errstate(divide="ignore"):
            needed = (bound + np.abs(g - middle) + radius) / np.abs(g)

        def accepts(g: np.ndarray) -> bool:
            return (
                judge_stage(self.stage, g, self.operands, self.sizes, self.permitted, None).kind
                == "agrees"
            )

        return Check(needed, accepts)

    def numpy_allclose(self) -> Check:
        right = by_hand(**self.arguments)
        return _tolerant(right, self.gradient, 1e-5, 1e-8, lambda g: np.allclose(g, right))

    def assert_close(self) -> Check:
        right = by_hand(**self.arguments)

        def accepts(g: np.ndarray) -> bool:
            try:
                torch.testing.assert_close(torch.tensor(g), torch.tensor(right))
            except AssertionError:
                return False
            return True

        return _tolerant(right, self.gradient, 1.3e-6, 1e-5, accepts)

    def gradcheck(self) -> Check:
        """Its rule and its step, at random elements: all of them would take hours."""
        exact = {
            name: [a.astype(np.float64) for a in array]
            if isinstance(array, list)
            else array.astype(np.float64)
            for name, array in self.arguments.items()
        }
        analytic = by_hand(**exact)
        random = np.random.default_rng(0)
        W = exact["Ws"][0]
        places = [tuple(random.integers(0, n) for n in W.shape) for _ in range(101)]
        found = []
        for place in places:
            ends = []
            for step in (1e-6, -1e-6):
                before, W[place] = W[place], W[place] + step
                ends.append(float(network(**exact)))
                W[place] = before
            found.append((ends[0] - ends[1]) / 2e-6)
        numeric, g = np.array(found), np.array([analytic[place] for place in places])
        return _tolerant(numeric, g, 1e-3, 1e-5, lambda g: np.allclose(g, numeric, 1e-3, 1e-5))


CHECKS = {
    "gradproof": Case.gradproof,
    "`numpy.allclose`": Case.numpy_allclose,
    "`torch.testing.assert_close`": Case.assert_close,
    "`gradcheck`": Case.gradcheck,
}


def tried(check: Check, g: np.ndarray) -> bool:
    """Whether the threshold of the median element is what the check really does."""
    order = np.argsort(check.threshold, axis=None)
    place = np.unravel_index(order[len(order) // 2], g.shape)
    epsilon = check.threshold[place]

    def passes(factor: float) -> list[bool]:
        answers = []
        for sign in (1, -1):
            wrong = g.astype(np.float64)
            wrong[place] *= 1 + sign * factor * epsilon
            answers.append(check.accepts(wrong.astype(g.dtype)))
        return answers

    return not any(passes(1.05)) and any(passes(0.95))


def row(batch: int, widths: tuple[int, ...]) -> list[str]:
    """The cells of one network."""
    cells = [f"{batch} × " + "–".join(map(str, widths))]
    for make in CHECKS.values():
        medians, shares, alarms, confirmed = [], [], 0, True
        for seed in range(SEEDS):
            case = Case(batch, widths, seed)
            check = make(case)
            medians.append(np.median(check.threshold))
            shares.append(np.mean(check.threshold < VISIBLE))
            if make is Case.gradcheck:
                continue
            if not check.accepts(case.gradient):
                alarms += 1  # no threshold: it objects anyway
            elif seed < 2:
                confirmed &= tried(check, case.gradient)
        assert confirmed, (widths, make)
        cells.append(
            f"{np.median(medians):.1e}, {np.mean(shares):.0%}"
            + (f", **{alarms} of {SEEDS}**" if alarms else "")
        )
    return cells


def table() -> str:
    """The section of the page."""
    heads = ["network (batch × widths)", *CHECKS]
    lines = [
        TITLE,
        "",
        "Written by `python benchmarks/detection.py`, whose first lines say how. Each cell: the",
        "relative error that is noticed at the median element of ∂l/∂W1; the share of its elements",
        f"at which {VISIBLE:g} is noticed; in bold how many of {SEEDS} *right* gradients the check",
        "rejects. (`gradcheck` is for float64, the others judge float32.)",
        "",
        f"| {' | '.join(heads)} |",
        "|---|" + "---:|" * len(CHECKS),
    ]
    for batch, widths in NETWORKS:
        lines.append(f"| {' | '.join(row(batch, widths))} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def put(section: str, page: Path) -> None:
    """The section in its place on the page, or at its end."""
    text = page.read_text(encoding="utf-8") if page.exists() else "# Numbers\n"
    before, _, after = text.partition(TITLE + "\n")
    rest = after.partition("\n## ")
    tail = f"\n## {rest[2]}" if rest[1] else ""
    page.write_text(f"{before.rstrip()}\n\n{section}{tail}", encoding="utf-8")


def main() -> None:
    """Prints the table, and writes it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="PAGE")
    options = parser.parse_args()
    section = table()
    if options.write:
        put(section, options.write)


if __name__ == "__main__":
    main()
