"""How each engine really rounds, beside what its contract permits, on this build and processor.

    python benchmarks/measure_contracts.py                        a minute
    python benchmarks/measure_contracts.py --every 1 --samples 1000000 --write docs/contracts.md

16-bit functions are tried at every number; float32 at every 4093rd of 2^-30 <= |x| < 2^7, or at all
of them with ``--every 1``; float64 at samples, against Arb. The exit code is 1 where an engine
breaks its contract in `gradproof/engines/contract.py`: then it is this build, and not a formula,
that is wrong.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flint
import numpy as np

from gradproof.engines import Engine, installed, load
from gradproof.engines.ball import Ball
from gradproof.engines.contract import CONTRACTS, Contract
from gradproof.engines.dtype import DTYPES, in_dtype
from gradproof.judge.breach import FUNCTIONS, errors

SHAPES = ((8, 64, 128), (128, 8, 64), (3, 300, 7), (32, 784, 64), (512, 64, 10))

TRUTHS: dict[str, Callable[[flint.arb], flint.arb]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: x.tanh(),
}


def arguments(function: str, dtype: str, every: int, samples: int) -> Iterator[np.ndarray]:
    """The numbers at which a function is tried, a part at a time."""
    if dtype == "float64":
        yield _samples(function, samples)
        return
    if dtype == "float32":
        low, high = (int(np.float32(x).view(np.uint32)) for x in (2.0**-30, 2.0**7))
        for start in range(low, high, every * 2**22):
            stop = min(high, start + every * 2**22)
            x = np.arange(start, stop, every, dtype=np.uint32).view(np.float32)
            yield x if function in ("log", "sqrt") else np.concatenate([x, -x])
        return
    bits = np.arange(2**16, dtype=np.uint32)
    x = (bits << 16).view(np.float32) if dtype == "bfloat16" else None
    x = bits.astype(np.uint16).view(np.float16).astype(np.float32) if x is None else x
    x = x[np.isfinite(x)]
    yield x[x > 0] if function in ("log", "sqrt") else x


def _samples(function: str, count: int) -> np.ndarray:
    """Half over the exponents, half over where the function bends."""
    random = np.random.default_rng(0)
    if function in ("log", "sqrt"):
        wide = np.exp2(random.uniform(-1000, 1000, count // 2))
        return np.concatenate([wide, random.uniform(0.5, 2.0, count - count // 2)])
    wide = np.exp2(random.uniform(-30, np.log2(700), count // 2)) * random.choice(
        [-1, 1], count // 2
    )
    return np.concatenate([wide, random.uniform(-20, 20, count - count // 2)])


def worst(function: str, engine: Engine, contract: Contract, every: int, samples: int) -> float:
    """The largest error of a function, in units u."""
    found = 0.0
    for x in arguments(function, contract.dtype, every, samples):
        if contract.dtype == "float64":
            found = max(found, _worst_by_arb(function, x, engine))
        else:
            found = max(found, float(errors(function, x, engine, contract).max(initial=0.0)))
    return found


def _worst_by_arb(function: str, x: np.ndarray, engine: Engine) -> float:
    run = FUNCTIONS[function][0]
    y = engine.run(lambda x: np.sum(run(x)), {"x": x}, {"y": 0}, "l", "float64").values["y"]
    before, flint.ctx.prec, found = flint.ctx.prec, 160, 0.0
    for argument, value in zip(x.tolist(), y.tolist(), strict=True):
        true = TRUTHS[function](flint.arb(argument))
        if abs(float(true)) >= 2.0**-1022:
            found = max(found, float(abs(flint.arb(value) / true - 1)) * 2.0**53)
    flint.ctx.prec = before
    return found


def products(engine: Engine, contract: Contract) -> tuple[float, float]:
    """Of matrix products: the largest share of a bound, and the share rounded towards zero."""
    random = np.random.default_rng(0)
    ball, largest, towards = Ball(contract), 0.0, []
    for rows, inner, columns in SHAPES:
        a = in_dtype(random.normal(size=(rows, inner)), contract.dtype)
        b = in_dtype(random.normal(size=(inner, columns)), contract.dtype)
        made = engine.run(
            lambda a, b: np.sum(a @ b), {"a": a, "b": b}, {"y": 0}, "l", contract.dtype
        )
        y = made.values["y"].astype(np.float64)
        middle, radius, bound = ball.matmul(ball.lift(a), ball.lift(b))
        largest = max(largest, float(np.max((np.abs(y - middle) - radius) / bound)))
        towards.append(float(np.mean(np.abs(y) <= np.abs(middle))))
    return largest, float(np.mean(towards))


def sums(engine: Engine, contract: Contract) -> tuple[float, float]:
    """Of sums: the largest share of a bound, and the largest error in roundings of the result
    beyond what sums in float32 leave."""
    random = np.random.default_rng(1)
    ball, largest, roundings = Ball(contract), 0.0, 0.0
    for rows, columns in ((64, 10), (300, 7), (8, 128), (2000, 3)):
        a = in_dtype(random.normal(size=(rows, columns)) + 0.5, contract.dtype)
        row = in_dtype(random.normal(size=columns), contract.dtype)
        for axis, y in _summed(engine, contract, a, row):
            middle, radius, bound = ball.total(ball.lift(a), axis)
            size = ball.total(ball.lift(np.abs(a)), axis)[0]
            error = np.maximum(np.abs(y - middle) - radius, 0.0)
            largest = max(largest, float(np.max(error / bound)))
            inside = a.size * float(contract.u_accumulate) * size
            unit = float(contract.u_store) * np.abs(middle)
            roundings = max(roundings, float(np.max((error - inside) / unit)))
    return largest, max(0.0, roundings)


def _summed(
    engine: Engine, contract: Contract, a: np.ndarray, row: np.ndarray
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    for axis in ((0,), (1,), (0, 1)):

        def forward(a: Any, axis: tuple[int, ...] = axis) -> Any:
            return np.sum(np.sum(a, axis=axis))

        made = engine.run(forward, {"a": a}, {"y": 0}, "l", contract.dtype)
        yield axis, made.values["y"].astype(np.float64)
    # The gradient of a row that was broadcast is the sum of a column.
    made = engine.run(lambda row: np.sum((a * 0 + row) * a), {"row": row}, {}, "l", contract.dtype)
    yield (0,), made.gradients["row"].astype(np.float64)


def flushes(engine: Engine, contract: Contract) -> list[str]:
    """The operations that make a subnormal result, or count a subnormal operand as, zero."""
    tiny, shape = float(contract.tiny), (64, 64)
    root = in_dtype(np.full(shape, np.sqrt(tiny) / 2), contract.dtype)
    small = in_dtype(np.full(shape, tiny / 4), contract.dtype)
    tries: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
        "x·x": (lambda x: np.sum(x * x), root),
        "1024·x": (lambda x: np.sum(x * 1024.0), small),
        "Σ x": (lambda x: np.sum(np.sum(x, axis=0)), small),
        "x·A": (lambda x: np.sum(x @ np.full(shape, 1024.0)), small),
    }
    return [
        name
        for name, (forward, x) in tries.items()
        if not engine.run(forward, {"x": x}, {"y": 0}, "l", contract.dtype).values["y"].all()
    ]


def processor() -> tuple[str, str]:
    """The processor's name, and those of its instructions that change how numbers are rounded."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown", "unknown"
    known = {s.split(":")[0].strip(): s.split(":")[1].strip() for s in lines if ":" in s}
    telling = ("fma", "f16c", "avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")
    has = [flag for flag in telling if flag in known.get("flags", "").split()]
    return known.get("model name", "unknown"), ", ".join(has)


def page(every: int, samples: int) -> tuple[str, bool]:
    """The measurements as Markdown, and whether every contract is kept."""
    engines = [load(name) for name, there in installed().items() if there]
    name, flags = processor()
    python = platform.python_version()
    lines = [
        "# Contracts, measured",
        "",
        "Written by `python benchmarks/measure_contracts.py`. Each cell has what was measured and,",
        "after the stroke, what the contract permits.",
        "",
        f"* Processor: {name} ({flags}), {platform.system()}, Python {python}",
        *(f"* {engine.title} {engine.version()}" for engine in engines),
    ]
    kept = True
    for dtype in DTYPES:
        here = [e for e in engines if (e.name, dtype) in CONTRACTS]
        rows: dict[str, list[str]] = {}
        for engine in here:
            permitted = CONTRACTS[engine.name, dtype]
            for label, cell, fine in _measured(engine, permitted, every, samples):
                kept &= fine
                rows.setdefault(label, []).append(cell if fine else f"**{cell}**")
            print(f"{dtype} {engine.title}", file=sys.stderr, flush=True)
        lines += ["", f"## {dtype}", "", f"| | {' | '.join(e.title for e in here)} |"]
        lines += ["|---|" + "---:|" * len(here)]
        lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in rows.items()]
    return "\n".join(lines) + "\n", kept


def _measured(
    engine: Engine, contract: Contract, every: int, samples: int
) -> Iterator[tuple[str, str, bool]]:
    for function in FUNCTIONS:
        found, permitted = (
            worst(function, engine, contract, every, samples),
            contract.units(function),
        )
        yield f"{function}, in u", f"{found:.2f} / {permitted}", found <= permitted
    if contract.dtype == "float64":  # its balls are as wide as its bounds
        yield _flushing(flushes(engine, contract), contract)
        return
    largest, towards = products(engine, contract)
    yield "products, share of bound", f"{largest:.2f} / 1", largest <= 1
    yield "products rounded towards 0", f"{towards:.0%} / {contract.rounding}", True
    largest, roundings = sums(engine, contract)
    yield "sums, share of bound", f"{largest:.2f} / 1", largest <= 1
    low = "low" if contract.low_sums else "1"
    yield "sums, in u beyond float32's", f"{roundings:.2f} / {low}", True
    yield _flushing(flushes(engine, contract), contract)


def _flushing(lost: list[str], contract: Contract) -> tuple[str, str, bool]:
    may = "yes" if contract.flush_to_zero else "no"
    kept = contract.flush_to_zero or not lost
    return "flush to zero", f"{', '.join(lost) or 'none'} / {may}", kept


def main() -> int:
    """Measures, prints, and says whether all contracts are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=4093, help="which float32 numbers are tried")
    parser.add_argument("--samples", type=int, default=50_000, help="float64 numbers tried")
    parser.add_argument("--write", type=Path, metavar="FILE", help="where to write the page too")
    options = parser.parse_args()
    written, kept = page(options.every, options.samples)
    print(written)
    print(
        "Every contract is kept." if kept else "This build breaks a contract: see the bold cells."
    )
    if options.write:
        options.write.write_text(written, encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
