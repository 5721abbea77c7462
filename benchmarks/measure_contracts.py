"""How far each engine's elementary functions are from the truth, in units u of the dtype.

The truth is Arb's, at 160 bits. The numbers in `gradproof/engines/contract.py` come from here:

    python benchmarks/measure_contracts.py                      50 000 samples, a few seconds
    python benchmarks/measure_contracts.py --samples 1000000    as for the contracts

Samples are spread over the exponents and over the interval where the function bends; only results
that are normal numbers are counted.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from pathlib import Path

import flint
import numpy as np

import gradproof as gp
from gradproof.engines import Engine, installed, load

LOGARITHMS = {"float32": -88.0, "float64": -709.0}
"""Arguments whose exponential is subnormal."""

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}

TRUTHS: dict[str, Callable[[flint.arb], flint.arb]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: x.tanh(),
}


def sample(function: str, dtype: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Arguments of one function: half over the exponents, half over where it bends."""
    largest = {"float32": 80.0, "float64": 700.0}[dtype]
    if function in ("log", "sqrt"):
        exponents = {"float32": 120.0, "float64": 1000.0}[dtype]
        wide = np.exp2(random.uniform(-exponents, exponents, count // 2))
        bend = random.uniform(0.5, 2.0, count - count // 2)
        return np.concatenate([wide, bend]).astype(dtype)
    wide = np.exp2(random.uniform(-30.0, np.log2(largest), count // 2))
    wide *= random.choice([-1.0, 1.0], wide.shape)
    bend = random.uniform(-20.0, 20.0, count - count // 2)
    return np.concatenate([wide, bend]).astype(dtype)


def true_values(function: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The true values as sums of two float64."""
    high = np.empty(len(x))
    low = np.empty(len(x))
    for i, value in enumerate(x):
        truth = TRUTHS[function](flint.arb(float(value)))
        high[i] = float(truth)
        low[i] = float(truth - flint.arb(high[i]))
    return high, low


def flushes(engine: Engine, dtype: str) -> str:
    """Which operations give zero where the true result is a subnormal number."""
    small = np.full((64, 64), np.sqrt(float(np.finfo(dtype).tiny)) / 8, dtype)
    operations = {
        "multiply": lambda x: np.sum(x * x),
        "matmul": lambda x: np.sum(x @ x[:, :1]),
        "exp": lambda x: np.sum(np.exp(x * 0 + LOGARITHMS[dtype])),
    }
    numbers = {"multiply": 0, "matmul": 1, "exp": 2}
    zero = [
        name
        for name, forward in operations.items()
        if not engine.run(forward, {"x": small}, {"y": numbers[name]}, "l", dtype).values["y"].all()
    ]
    return ", ".join(zero) or "nothing"


def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), "unknown")


def main() -> None:
    """Measures and prints one table for each dtype."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    flint.ctx.prec = 160
    engines = [load(name) for name, there in installed().items() if there]
    print(f"{processor()}, {platform.platform()}, {options.samples} samples per function")
    for engine in engines:
        print(f"  {engine.title} {engine.version()}")
    for dtype, unit in UNITS.items():
        print(f"\n{dtype}: the largest relative error in u = 2^{np.log2(unit):.0f}")
        print(f"{'':10}" + "".join(f"{engine.title:>14}" for engine in engines))
        random = np.random.default_rng(options.seed)
        for function in TRUTHS:
            x = sample(function, dtype, options.samples, random)
            high, low = true_values(function, x)
            normal = np.abs(high) >= np.finfo(dtype).tiny
            apply = getattr(gp, function)
            row = []
            for engine in engines:
                run = engine.run(lambda x: np.sum(apply(x)), {"x": x}, {"y": 0}, "l", dtype)  # noqa: B023
                y = run.values["y"].astype(np.float64)
                error = np.abs((y - high) - low)[normal] / (unit * np.abs(high[normal]))
                row.append(error.max())
            print(f"{function:10}" + "".join(f"{worst:14.2f}" for worst in row), flush=True)
        for engine in engines:
            print(f"{engine.title} flushes to zero: {flushes(engine, dtype)}")


if __name__ == "__main__":
    main()
