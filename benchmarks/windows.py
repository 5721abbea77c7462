"""How much of their bounds the convolutions of engines use, on many draws in float32."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

import gradproof as gp

SETTINGS = ((1, 0, 1, 2), (1, 1, 1, 4), (2, 1, 1, 2), (1, 2, 2, 2))
"""Stride, padding, dilation, and how many draws."""

ENGINES = ("numpy", "torch", "tensorflow", "jax")


def network(stride: int, padding: int, dilation: int):
    """A convolution that is as large as one of an image network, and a loss that is not linear."""

    def forward(x: "4 16 16 32", W: "3 3 32 64"):
        z = gp.conv2d(x, W, stride=stride, padding=padding, dilation=dilation)
        return np.sum(z**2)

    return forward


def main() -> None:
    """Prints a row for each engine: the largest share of each bound, and what did not agree."""
    for engine in ENGINES:
        worst: dict[str, float] = defaultdict(float)
        checks, others = 0, Counter[tuple[str, str]]()
        for stride, padding, dilation, draws in SETTINGS:
            for seed in range(draws):
                forward = network(stride, padding, dilation)
                batch = gp.verify(forward, engine=engine, dtype="float32", seed=seed).batches[0]
                found = [(row.name, row.verdict) for row in batch.forward]
                found += [(f"∂l/∂{row.name}", row.engine_verdict) for row in batch.gradients]
                for name, verdict in found:
                    checks += 1
                    worst[name] = max(worst[name], verdict.share)
                    if verdict.kind != "agrees":
                        others[name, verdict.kind] += 1
        shares = " | ".join(f"{worst[name]:.3f}" for name in ("z", "∂l/∂x", "∂l/∂W"))
        print(f"| {engine} | {shares} |   {checks} checks, not agreeing: {dict(others)}")


if __name__ == "__main__":
    main()
