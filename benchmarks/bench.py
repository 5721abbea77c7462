"""All that the README quotes in one run: one JSON, one Markdown table, and the plots.

    make bench                                under ten minutes, peers included
    python benchmarks/bench.py --part verify  one part, as JSON

Each part runs in a process of its own with one thread of BLAS. Times are the process's own seconds
(`time.process_time`), so that other work on the machine counts little; of starting, which is other
processes, they are seconds of the clock. A row has the median, the least and the most, and its
ratio to the row that it is beside. What is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]

HERE = Path(__file__).parent
LIMIT = 150
"""Seconds that a part may take."""

NETWORKS = ((2, 4, 3), (64, 128, 64), (784, 128, 10), (784, 512, 512, 10))
BATCH = 64
PACKAGES = ("numpy", "python-flint", "torch", "tensorflow-cpu", "jax", "sympy")


def timed(function: Callable[[], object], seconds: float = 1.5, most: int = 41) -> list[float]:
    """The seconds of a process of repeated calls, after one that warms up."""
    function()
    taken: list[float] = []
    while len(taken) < most and (len(taken) < 3 or sum(taken) < seconds):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return taken


def row(part: str, what: str, taken: list[float], beside: float | None = None) -> Row:
    median = statistics.median(taken)
    return {
        "part": part,
        "what": what,
        "median": median,
        "least": min(taken),
        "most": max(taken),
        "runs": len(taken),
        "ratio": median / beside if beside else None,
    }


def title(widths: tuple[int, ...]) -> str:
    return "-".join(map(str, widths))


def layers(
    widths: tuple[int, ...], dtype: str, batch: int = BATCH
) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Arguments of a network of tanh layers with half the sum of squares, and the network."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return (random.normal(size=shape) / np.sqrt(shape[0])).astype(dtype)

    Ws = [draw(a, b) for a, b in pairwise(widths)]
    bs = [draw(b) for b in widths[1:]]
    arguments = {"x": draw(batch, widths[0]), "Ws": Ws, "bs": bs, "y": draw(batch, widths[-1])}

    def network(x: f"n {widths[0]}", Ws, bs, y: f"n {widths[-1]}, data"):
        a = x
        for W, b in zip(Ws, bs, strict=True):
            z = a @ W + b
            a = np.tanh(z)
        return 0.5 * np.sum((a - y) ** 2)

    network.__annotations__ = {"x": f"n {widths[0]}", "y": f"n {widths[-1]}, data"}
    return arguments, network


def plain(x, Ws, bs, y):
    """Forward and backward by hand: every gradient."""
    values = [x]
    for W, b in zip(Ws, bs, strict=True):
        values.append(np.tanh(values[-1] @ W + b))
    g = values[-1] - y
    found = [0.5 * np.sum(g * g)]
    for W, a, out in zip(Ws[::-1], values[-2::-1], values[:0:-1], strict=True):
        dz = g * (1 - out * out)
        found += [a.T @ dz, dz.sum(axis=0)]
        g = dz @ W.T
    return [*found, g]


def shapes_of(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: [" ".join(map(str, a.shape)) for a in arguments[name]] for name in ("Ws", "bs")}


# --- the parts -----------------------------------------------------------------------------------


def verify() -> Iterator[Row]:
    """A whole verification, beside one float64 pass in NumPy: the first call, which reads, derives
    and draws data or is given them, with and without the rows of its report; and a prepared check
    that is called again on data that are there, as a checker is that has nothing to prepare."""
    import gradproof as gp

    for widths in NETWORKS:
        arguments, network = layers(widths, "float64")
        data, _ = layers(widths, "float32")
        options = {"inputs": shapes_of(arguments), "sizes": {"n": BATCH}, "engine": "numpy"}
        ready = gp.prepare(network, **options)
        if not ready(data).ok:
            raise AssertionError("a right network does not verify")
        one = timed(lambda a=arguments: plain(**a))
        yield row(f"{title(widths)}", "one pass in NumPy, float64", one)
        for what, call in (
            ("verify, float32: verdicts", lambda n=network, o=options: gp.verify(n, **o).ok),
            (
                "verify on data given: verdicts",
                lambda n=network, d=data: gp.verify(n, inputs=d, engine="numpy").ok,
            ),
            (
                "verify, and its report written",
                lambda n=network, o=options: gp.verify(n, **o).batches,
            ),
            ("a prepared check: verdicts", lambda r=ready, d=data: r(d).ok),
        ):
            yield row(f"{title(widths)}", what, timed(call), statistics.median(one))


def stages() -> Iterator[Row]:
    """The judgement alone, on 784-512-512-10."""
    from stage_check import checker
    from stage_check import plain as by_hand

    check, arguments = checker("numpy", "float32")
    one = timed(lambda: by_hand(**arguments))
    part = "the judgement, 784-512-512-10"
    yield row(part, "one pass in NumPy, float64", one)
    yield row(part, "all stages judged, float32", timed(check, 3), statistics.median(one))


def torch_checks() -> Iterator[Row]:
    """PyTorch's gradcheck in fast mode, beside one pass in PyTorch."""
    import torch

    torch.set_num_threads(1)
    for widths in NETWORKS:
        arguments, _ = layers(widths, "float64")
        x, y = torch.tensor(arguments["x"], requires_grad=True), torch.tensor(arguments["y"])
        weights = [
            torch.tensor(w, requires_grad=True)
            for pair in zip(arguments["Ws"], arguments["bs"], strict=True)
            for w in pair
        ]

        def loss(x, *weights, y=y):
            a = x
            for W, b in zip(weights[::2], weights[1::2], strict=True):
                a = torch.tanh(a @ W + b)
            return 0.5 * torch.sum((a - y) ** 2)

        leaves = (x, *weights)
        one = timed(lambda f=loss, v=leaves: torch.autograd.grad(f(*v), v))
        yield row(title(widths), "one pass in PyTorch, float64", one)
        taken = timed(lambda f=loss, v=leaves: torch.autograd.gradcheck(f, v, fast_mode=True))
        yield row(
            title(widths), "torch gradcheck, fast (one projection)", taken, statistics.median(one)
        )


def jax_checks() -> Iterator[Row]:
    """JAX's check_grads, beside one pass in JAX, both without jit."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    for widths in NETWORKS:
        arguments, _ = layers(widths, "float32")
        held = jax.tree.map(jnp.asarray, arguments)
        y = held.pop("y")

        def loss(held, y=y):
            a = held["x"]
            for W, b in zip(held["Ws"], held["bs"], strict=True):
                a = jnp.tanh(a @ W + b)
            return 0.5 * jnp.sum((a - y) ** 2)

        one = timed(lambda f=loss, h=held: jax.block_until_ready(jax.grad(f)(h)))
        yield row(title(widths), "one pass in JAX, float32", one)

        def check(f=loss, h=held):
            check_grads(f, (h,), order=1, modes=("fwd", "rev"), rtol=1, atol=1)

        yield row(
            title(widths), "jax check_grads (one projection)", timed(check), statistics.median(one)
        )


def deriving() -> Iterator[Row]:
    """Tracing and deriving by depth, and the page of 1000 layers."""
    from deriving import network

    import gradproof as gp
    from gradproof.derivation import derive
    from gradproof.trace.paper import trace
    from gradproof.trace.signature import read_signature

    before = None
    for depth in (100, 1000, 10_000):
        shapes = {"Ws": ["4 4"] * depth, "bs": ["4"] * depth}
        signature = read_signature(network, shapes)
        paper = trace(network, None, signature, {"n": 5})
        most = 5 if depth < 10_000 else 1
        taken = [_once(lambda p=paper: derive(p.forward)) for _ in range(most)]
        yield row("deriving", f"{depth} layers", taken, before)
        before = statistics.median(taken)
    page = gp.derive(network, {"Ws": ["4 4"] * 1000, "bs": ["4"] * 1000})
    yield row("deriving", "1000 layers written, as text", [_once(page.to_text)])


def _once(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def sympy_peer() -> Iterator[Row]:
    """SymPy's derivatives by all weights of tanh layers, and how long they are when printed.

    The weights are 2×2 and written out: of a chain of two elementwise functions SymPy 1.14's matrix
    and array expressions have no derivative (`ValueError`); without functions they do."""
    import sympy as sp

    for depth in (2, 4, 6):

        def gradients(depth=depth):
            a = sp.Matrix(1, 2, sp.symbols("x:2"))
            Ws = [sp.Matrix(2, 2, sp.symbols(f"W{k}_:4")) for k in range(depth)]
            for W in Ws:
                a = (a * W).applyfunc(sp.tanh)
            loss = sum(part**2 for part in a)
            return [loss.diff(w) for W in Ws for w in W]

        start = time.process_time()
        said = sum(len(str(g)) for g in gradients())
        taken = time.process_time() - start
        yield row("deriving", f"SymPy, {depth} layers of 2: {said} characters", [taken])


def sympy_arrays() -> Iterator[Row]:
    """SymPy's array derivatives by all weights of x W₁ W₂ …, with no function between them."""
    import sympy as sp
    from sympy.tensor.array.expressions import (
        ArrayContraction,
        ArraySymbol,
        ArrayTensorProduct,
    )
    from sympy.tensor.array.expressions.arrayexpr_derivatives import array_derive

    n, d = sp.symbols("n d", integer=True, positive=True)
    for depth in (2, 8, 32):
        a = ArraySymbol("x", (n, d))
        Ws = [ArraySymbol(f"W{k}", (d, d)) for k in range(depth)]
        for W in Ws:
            a = ArrayContraction(ArrayTensorProduct(a, W), (1, 2))
        loss = ArrayContraction(ArrayTensorProduct(a, a), (0, 2), (1, 3))
        start = time.process_time()
        said = sum(len(str(array_derive(loss, W))) for W in Ws)
        taken = time.process_time() - start
        yield row("deriving", f"SymPy arrays, {depth} linear layers: {said} characters", [taken])


def tensorgrad_peer() -> Iterator[Row]:
    """tensorgrad's gradient by the first weight of tanh layers, in the environment that `make
    bench` gives it."""
    python = Path(sys.prefix) / "tensorgrad" / "bin" / "python"
    if not python.exists():
        raise ModuleNotFoundError(f"tensorgrad has no environment in {python.parents[1]}")
    for kind, depths in (("by-hand", (2, 4, 8)), ("compiler", (8, 32, 128))):
        for depth in depths:
            done = subprocess.run(
                [python, "-W", "ignore", HERE / "tensorgrad_peer.py", kind, str(depth)],
                capture_output=True,
                text=True,
                check=True,
            )
            found = json.loads(done.stdout)
            how = f"{found['characters']} characters" if kind == "by-hand" else "its compiler"
            what = f"tensorgrad, one weight of {depth} layers: {how}"
            yield row("deriving", what, [found["seconds"]])


def memory() -> Iterator[Row]:
    """Peaks, as multiples of all tensors in float64."""
    from memory import measured

    for one in measured():
        what = f"{one['network']} ({one['tensors MB']:.1f} MB)"
        for kind in ("peak", "resident"):
            yield {"part": "memory", "what": f"{what}, {kind}", "ratio": one[kind]}


def starting() -> Iterator[Row]:
    """Whole processes, by the clock."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "gradproof --version": ["-m", "gradproof", "--version"],
        "gradproof verify fnn, NumPy": ["-m", "gradproof", "verify", "fnn", "--engine", "numpy"],
    }
    for what, words in commands.items():
        taken = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - start)
        yield row("starting", what, taken)


def hessians() -> Iterator[Row]:
    """Closed forms beside nested automatic differentiation."""
    from hessian import measured

    for name, kinds in measured().items():
        for kind, medians in kinds.items():
            own = medians["gradproof"]
            for who, seconds in medians.items():
                yield row(f"{kind} of {name}", who, [seconds], own)


def exported() -> Iterator[Row]:
    """The exported NumPy code beside the frameworks' own differentiation."""
    import export

    export.limit_cores()
    if export.installed()["tensorflow"]:
        export.limit_threads()
    for widths in export.NETWORKS:
        medians = export.measured(export.contestants(widths))
        own = medians["exported NumPy"]
        for who, seconds in medians.items():
            yield row(f"forward and backward, {title(widths)}", who, [seconds], own)


def gallery() -> Iterator[Row]:
    """The networks of a tutorial's size: each whole verification on NumPy."""
    import gradproof as gp
    from gradproof.gallery import cnn, gpt_block, lstm

    for name, module, sizes in (
        ("gpt_block", gpt_block, {}),
        ("cnn", cnn, {}),
        ("lstm, T = 50", lstm, {"T": 50}),
    ):
        taken = [
            _once(lambda m=module, s=sizes: gp.verify(m.forward, engine="numpy", sizes=s))
            for _ in range(2)
        ]
        yield row("gallery", f"verify {name}: verdicts", taken)


def sweep() -> Iterator[Row]:
    """Verifying by depth, width and batch: what the plots show."""
    import gradproof as gp

    for axis, points in (
        ("depth", (1, 2, 4, 8, 16, 32)),
        ("width", (32, 64, 128, 256, 512)),
        ("batch", (16, 32, 64, 128, 256)),
    ):
        for point in points:
            batch = point if axis == "batch" else BATCH
            width, depth = (point if axis == "width" else 128), (point if axis == "depth" else 2)
            arguments, network = layers((width,) * (depth + 1), "float64", batch)
            one = timed(lambda a=arguments: plain(**a), 0.2)
            taken = timed(
                lambda n=network, a=arguments, b=batch: gp.verify(
                    n, inputs=shapes_of(a), sizes={"n": b}, engine="numpy"
                ),
                0.3,
            )
            found = row("sweep", f"{axis} {point}", taken, statistics.median(one))
            yield {**found, "axis": axis, "point": point, "pass": statistics.median(one)}


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "verify": verify,
    "stages": stages,
    "torch": torch_checks,
    "jax": jax_checks,
    "memory": memory,
    "starting": starting,
    "deriving": deriving,
    "sympy": sympy_peer,
    "sympy-arrays": sympy_arrays,
    "tensorgrad": tensorgrad_peer,
    "hessians": hessians,
    "export": exported,
    "gallery": gallery,
    "sweep": sweep,
}


# --- what becomes of the rows -------------------------------------------------------------------


def collected(names: list[str]) -> tuple[list[Row], dict[str, str]]:
    """The rows of all parts, and why parts are missing."""
    rows: list[Row] = []
    missing: dict[str, str] = {}
    environment = {
        **os.environ,
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    }
    for name in names:
        start = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, __file__, "--part", name],
                env=environment,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
            lines, failed = done.stdout, done.returncode and done.stderr.strip().splitlines()[-1]
        except subprocess.TimeoutExpired as stopped:
            lines = (stopped.stdout or b"").decode()
            failed = f"stopped after {LIMIT} s"
        rows += [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
        if failed:
            missing[name] = str(failed)
        print(f"{name:10} {time.perf_counter() - start:6.1f} s  {failed or ''}", flush=True)
    return rows, missing


def machine() -> dict[str, str]:
    found = {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["tensorgrad"] = tensorgrad_version()
    return found


def tensorgrad_version() -> str:
    """The release in tensorgrad's own environment."""
    folders = Path(sys.prefix).glob("tensorgrad/lib/*/site-packages/tensorgrad-*.dist-info")
    return next((f.name.split("-")[1].removesuffix(".dist") for f in folders), "not installed")


def markdown(rows: list[Row], missing: dict[str, str], on: dict[str, str]) -> str:
    lines = [
        "# Benchmarks: one run",
        "",
        "Written by `make bench`. Ratios are to the first row of their block (deriving: to the row",
        "above; memory: to the size of all tensors in float64).",
        "",
        "; ".join(f"{what} {value}" for what, value in on.items()) + ".",
        "",
        "| | | median | least | most | runs | ratio |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in rows:
        times = [f"{1e3 * one[k]:.3g} ms" if k in one else "" for k in ("median", "least", "most")]
        ratio = f"{one['ratio']:.2f}" if one.get("ratio") else ""
        cells = [one["part"], one["what"], *times, str(one.get("runs", "")), ratio]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"Left out: {part}: {why}." for part, why in missing.items())]
    return "\n".join(lines).rstrip() + "\n"


def plotted(rows: list[Row], folder: Path) -> list[str]:
    """A picture for each axis of the sweep; none without matplotlib."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return []
    swept = [one for one in rows if one["part"] == "sweep"]
    axes = list(dict.fromkeys(one["axis"] for one in swept))
    if not axes:
        return []
    figure, panels = pyplot.subplots(1, len(axes), figsize=(4 * len(axes), 3.4), sharey=True)
    for panel, axis in zip(np.atleast_1d(panels), axes, strict=True):
        mine = [one for one in swept if one["axis"] == axis]
        points = [one["point"] for one in mine]
        panel.loglog(points, [1e3 * m["median"] for m in mine], "o-", label="gradproof verify")
        panel.loglog(points, [1e3 * m["pass"] for m in mine], "s--", label="one pass, float64")
        panel.set_xticks(points, [str(point) for point in points])
        panel.minorticks_off()
        panel.set_xlabel(
            {"depth": "layers of 128", "width": "width of 2 layers"}.get(axis, "batch")
        )
        panel.grid(alpha=0.3)
    np.atleast_1d(panels)[0].set_ylabel("processor time, ms")
    np.atleast_1d(panels)[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(folder / "sweep.png", dpi=110)
    return ["sweep.png"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, help="one part only, as JSON")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    options = parser.parse_args()
    if options.part:
        for one in PARTS[options.part]():
            print(json.dumps(one), flush=True)
        return
    rows, missing = collected(options.only.split(","))
    on = machine()
    options.output.mkdir(exist_ok=True)
    kept = {"machine": on, "rows": rows, "left out": missing}
    (options.output / "bench.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    said = markdown(rows, missing, on)
    pictures = plotted(rows, options.output)
    said += "".join(f"\n![Cost by depth, width and batch]({name})\n" for name in pictures)
    (options.output / "bench.md").write_text(said, encoding="utf-8")
    print(f"Written: {options.output}/bench.json, bench.md {' '.join(pictures)}")


if __name__ == "__main__":
    main()
