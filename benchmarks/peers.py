"""Holds `gp.check` beside other gradient checks: what each lets through, and what it costs.

Usage: python benchmarks/peers.py                       (both sections of benchmarks/README.md)
       python benchmarks/peers.py verdicts [FUNCTION ...]
       python benchmarks/peers.py times

The functions are those of `tests/blackbox/handwritten.py`, right, in every wrong version, and
with every gradient 1.0001 times what it should be. Every check has its defaults. A time is that of
a process of its own, which is given a minute.
"""

from __future__ import annotations

import inspect
import platform
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from correct import put_section  # noqa: E402

import gradproof as gp  # noqa: E402
from gradproof.engines.engine import load  # noqa: E402
from gradproof.judge.generic import choose_sizes, draw  # noqa: E402
from gradproof.trace.signature import read_signature, tensors  # noqa: E402
from tests.blackbox.handwritten import (  # noqa: E402
    WRITTEN,
    Written,
    in_jax,
    in_tensorflow,
    in_torch,
)

PAGE = ROOT / "benchmarks" / "README.md"
VERDICTS = "## What other checks let through: `peers.py`"
TIMES = "## What other checks cost: `peers.py`"
SLIGHT = "every gradient 1.0001 times as large"
NETS = ("2-4-3", "64-128-64", "784-128-10", "784-512-512-10")
ROWS = 8
LONGEST = 60


def arrays(paper: Callable[..., Any], dtype: str) -> list[np.ndarray]:
    """Generic data for a function, by its paper."""
    signature = read_signature(paper)
    return list(draw(signature, choose_sizes(signature, {}, {}), {}, dtype, 0).values())


def differentiated(paper: Callable[..., Any]) -> list[bool]:
    """Which inputs are: not data, and no integers."""
    return [t.role != "data" for t in tensors(read_signature(paper))]


def slight(written: Written) -> Written:
    """The function with every gradient a little too large."""

    def backward(xp: Any, saved: Any, *g: Any, wrong: str = "") -> tuple[Any, ...]:
        found = written.backward(xp, saved, *g)
        return tuple(None if one is None else one * 1.0001 for one in found)

    return replace(written, backward=backward)


# --- the peers: whether a function passes ---------------------------------------------------------


def torch_gradcheck(dtype: str, *, fast: bool) -> Callable[[Written, str], bool]:
    """`torch.autograd.gradcheck`."""

    def passes(written: Written, wrong: str) -> bool:
        load("torch")
        import torch

        given = [
            torch.tensor(a).requires_grad_() if wanted else torch.tensor(a)
            for a, wanted in zip(
                arrays(written.paper, dtype), differentiated(written.paper), strict=True
            )
        ]
        function = in_torch(written, wrong)
        return bool(
            torch.autograd.gradcheck(function, given, fast_mode=fast, raise_exception=False)
        )

    return passes


def jax_check_grads(written: Written, wrong: str) -> bool:
    """`jax.test_util.check_grads` in reverse mode, order 1."""
    load("jax")
    import jax.numpy as jnp
    from jax.test_util import check_grads

    given = [jnp.asarray(a) for a in arrays(written.paper, "float32")]
    wanted = differentiated(written.paper)
    function = in_jax(written, wrong)

    def of_floats(*floats: Any) -> Any:
        waiting = iter(floats)
        whole = zip(given, wanted, strict=True)
        return function(*(next(waiting) if asked else one for one, asked in whole))

    try:
        check_grads(
            of_floats, [a for a, asked in zip(given, wanted, strict=True) if asked], 1, ("rev",)
        )
    except AssertionError:
        return False
    return True


def tf_compute_gradient(written: Written, wrong: str) -> bool:
    """`tf.test.compute_gradient`, its two Jacobians held together by `assertAllClose`."""
    load("tensorflow")
    import tensorflow as tf

    given = [tf.constant(a) for a in arrays(written.paper, "float32")]
    floats = [k for k, wanted in enumerate(differentiated(written.paper)) if wanted]
    function = in_tensorflow(written, wrong)

    def of_floats(*entered: Any) -> Any:
        whole = list(given)
        for k, one in zip(floats, entered, strict=True):
            whole[k] = one
        result = function(*whole)
        if isinstance(result, tuple | list):
            return tf.concat([tf.reshape(one, [-1]) for one in result], 0)
        return result

    theoretical, numerical = tf.test.compute_gradient(of_floats, [given[k] for k in floats])
    try:
        for a, b in zip(theoretical, numerical, strict=True):
            tf.test.TestCase().assertAllClose(a, b)
    except AssertionError:
        return False
    return True


def numpy_allclose(written: Written, wrong: str) -> bool:
    """`numpy.allclose` of the vector–Jacobian product with that of PyTorch's own autodiff."""
    load("torch")
    import torch

    given = [torch.tensor(a) for a in arrays(written.paper, "float32")]

    def pulled(function: Callable[..., Any]) -> list[np.ndarray]:
        leaves = [t.clone().requires_grad_() if t.is_floating_point() else t.clone() for t in given]
        result = function(*leaves)
        outputs = list(result) if isinstance(result, tuple | list) else [result]
        torch.manual_seed(0)
        upstream = [torch.randn(y.shape) for y in outputs]
        found = torch.autograd.grad(
            outputs,
            [t for t in leaves if t.requires_grad],
            upstream,
            allow_unused=True,
            materialize_grads=True,
        )
        return [g.numpy() for g in found]

    plain = in_torch(written).__self__  # its forward alone, under autodiff

    def forward(*tensors: Any) -> Any:
        class Nothing:
            def save_for_backward(self, *saved: Any) -> None: ...

        return plain.forward(Nothing(), *tensors)

    return all(
        np.allclose(a, b)
        for a, b in zip(pulled(in_torch(written, wrong)), pulled(forward), strict=True)
    )


def check(written: Written, wrong: str) -> bool:
    """`gp.check` against the paper, in float32; undecided is no pass."""
    report = gp.check(
        in_torch(written, wrong),
        reference=written.paper,
        engine="torch",
        dtype="float32",
        battery=False,
        diagnose=False,
    )
    return report.ok


PEERS: dict[str, Callable[[Written, str], bool]] = {
    "gradcheck, float64": torch_gradcheck("float64", fast=False),
    "gradcheck fast, float64": torch_gradcheck("float64", fast=True),
    "gradcheck, float32": torch_gradcheck("float32", fast=False),
    "check_grads, float32": jax_check_grads,
    "compute_gradient, float32": tf_compute_gradient,
    "numpy.allclose, float32": numpy_allclose,
    "gp.check, float32": check,
}


@dataclass
class Tally:
    """What one peer said."""

    rejected: list[str]
    passed: list[str]
    slightly: int
    failed: list[str]


def tally(peer: Callable[[Written, str], bool], names: Sequence[str]) -> Tally:
    """Functions through one peer."""
    found = Tally([], [], 0, [])
    for name in names:
        written = WRITTEN[name]
        for wrong in ("", *written.wrong, SLIGHT):
            function = slight(written) if wrong == SLIGHT else written
            try:
                passes = peer(function, "" if wrong == SLIGHT else wrong)
            except (TypeError, ValueError, RuntimeError) as problem:  # it cannot take the function
                found.failed.append(f"{name} ({type(problem).__name__})")
                print(f"  {name}, {wrong}: {type(problem).__name__}: {problem}"[:200], flush=True)
                continue
            if not wrong and not passes:
                found.rejected.append(name)
            if wrong == SLIGHT:
                found.slightly += passes
            elif wrong and passes:
                found.passed.append(f"{name}: {wrong}")
    return found


def verdicts(names: Sequence[str]) -> None:
    """The first section, of these functions."""
    wrong = sum(len(WRITTEN[name].wrong) for name in names)
    lines = [
        VERDICTS,
        "",
        f"{len(names)} hand-written functions of `tests/blackbox/handwritten.py` "
        f"({', '.join(names)}), right, in {wrong} wrong versions, and with {SLIGHT}. Each check "
        "has its own defaults, on the same generic data; `compute_gradient` gives two Jacobians, "
        "which `assertAllClose` compares.",
        "",
        "| check | right ones rejected | wrong ones let through | 1.0001 let through | not taken |",
        "|---|---|--:|--:|---|",
    ]
    listed: list[str] = []
    for title, peer in PEERS.items():
        found = tally(peer, names)
        rejected = f"{len(found.rejected)}" + (
            f": {', '.join(found.rejected)}" if found.rejected else ""
        )
        failed = ", ".join(sorted({one.partition(" (")[0] for one in found.failed}))
        lines.append(
            f"| {title} | {rejected} | {len(found.passed)} | {found.slightly} of {len(names)} | "
            f"{failed} |"
        )
        listed += [f"- {title}: {one}" for one in found.passed]
        print(lines[-1], flush=True)
    lines += ["", "Let through:", "", *(listed or ["nothing"])]
    put_section(PAGE, VERDICTS, "\n".join(lines) + "\n")


# --- times ----------------------------------------------------------------------------------------


def network(units: Sequence[int]) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """A sigmoid network's paper, with its data."""
    depth = len(units) - 1

    def paper(x: Any, *parameters: Any) -> Any:
        for k in range(depth):
            x = gp.sigmoid(x @ parameters[2 * k] + parameters[2 * k + 1])
        return x

    random = np.random.default_rng(0)
    data = [random.normal(size=(ROWS, units[0]))]
    for a, b in pairwise(units):
        data += [random.normal(size=(a, b)) / np.sqrt(a), random.normal(size=b)]
    names = ", ".join(f"W{k}, b{k}" for k in range(1, depth + 1))
    space: dict[str, Any] = {"paper": paper}
    exec(f"def named(x, {names}): return paper(x, {names})", space)  # each tensor has a name
    named = space["named"]
    shapes = [" ".join(map(str, a.shape)) for a in data]
    named.__annotations__ = dict(zip(inspect.signature(named).parameters, shapes, strict=True))
    return named, data


def torch_network(x: Any, *parameters: Any) -> Any:
    import torch

    for k in range(0, len(parameters), 2):
        x = torch.sigmoid(x @ parameters[k] + parameters[k + 1])
    return x


def timed(run: Callable[[], Any], times: int) -> float:
    """Seconds of processor time, which other work beside it changes less than those of a clock."""
    begin = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - begin) / times


def torch_time(units: Sequence[int], dtype: str, check: Callable[..., Any]) -> None:
    import torch

    paper, data = network(units)
    given = [torch.tensor(a, dtype=getattr(torch, dtype)).requires_grad_() for a in data]
    upstream = torch.randn(ROWS, units[-1], dtype=given[0].dtype)

    def one_pass() -> Any:
        return torch.autograd.grad(torch_network(*given), given, upstream)

    one_pass()
    base = timed(one_pass, 20)
    print("result", timed(lambda: check(paper, given), 1) / base, flush=True)


def gradcheck_time(*, fast: bool) -> Callable[[Sequence[int]], None]:
    def run(units: Sequence[int]) -> None:
        import torch

        torch_time(
            units,
            "float64",
            lambda _, given: torch.autograd.gradcheck(torch_network, given, fast_mode=fast),
        )

    return run


def check_time(*, battery: bool) -> Callable[[Sequence[int]], None]:
    def run(units: Sequence[int]) -> None:
        def whole(paper: Any, given: Any) -> Any:
            plain = tuple(t.detach() for t in given)
            report = gp.check(torch_network, plain, reference=paper, battery=battery)
            assert report.exit_code != 1, str(report)

        torch_time(units, "float32", whole)

    return run


def own_time(units: Sequence[int]) -> None:
    torch_time(units, "float32", lambda _, given: gp.testing.gradcheck(torch_network, tuple(given)))


def check_grads_time(units: Sequence[int]) -> None:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    _, data = network(units)
    given = [jnp.asarray(a, "float32") for a in data]

    def forward(x: Any, *parameters: Any) -> Any:
        for k in range(0, len(parameters), 2):
            x = jax.nn.sigmoid(x @ parameters[k] + parameters[k + 1])
        return x

    def one_pass() -> Any:
        value, pullback = jax.vjp(forward, *given)
        return jax.block_until_ready(pullback(value))

    one_pass()
    base = timed(one_pass, 20)
    print("result", timed(lambda: check_grads(forward, given, 1, ("rev",)), 1) / base, flush=True)


def compute_gradient_time(units: Sequence[int]) -> None:
    load("tensorflow")
    import tensorflow as tf

    _, data = network(units)
    given = [tf.constant(a, tf.float32) for a in data]

    def forward(x: Any, *parameters: Any) -> Any:
        for k in range(0, len(parameters), 2):
            x = tf.sigmoid(x @ parameters[k] + parameters[k + 1])
        return x

    def one_pass() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = forward(*given)
        return tape.gradient(value, given)

    one_pass()
    base = timed(one_pass, 20)
    print("result", timed(lambda: tf.test.compute_gradient(forward, given), 1) / base, flush=True)


CLOCKS: dict[str, Callable[[Sequence[int]], None]] = {
    "torch gradcheck": gradcheck_time(fast=False),
    "torch gradcheck, fast": gradcheck_time(fast=True),
    "jax check_grads": check_grads_time,
    "tf compute_gradient": compute_gradient_time,
    "gp.check, without battery": check_time(battery=False),
    "gp.check": check_time(battery=True),
    "gp.testing.gradcheck": own_time,
}


def times() -> None:
    """The second section."""
    lines = [
        TIMES,
        "",
        f"Sigmoid networks with {ROWS} rows; the processor time of a check as a multiple of one "
        "forward and backward pass in the same framework, process and precision (PyTorch's "
        f"gradcheck: float64; all others float32), after one at 2-4-3. What took longer than "
        f"{LONGEST} s was stopped. Measured on {platform.processor() or platform.machine()} with "
        "two cores **that other work shared all the time** (load averages of 6 to 13), so that a "
        "figure may be wrong by a factor of two; "
        "the orders of magnitude are what it says.",
        "",
        f"| check | {' | '.join(NETS)} |",
        f"|---|{'--:|' * len(NETS)}",
    ]
    for title in CLOCKS:
        cells = []
        for net in NETS:
            try:
                done = subprocess.run(
                    [sys.executable, __file__, "one", title, net],
                    capture_output=True,
                    text=True,
                    timeout=10 * LONGEST,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                cells.append("stopped")
                continue
            if done.returncode == -signal.SIGXCPU:
                cells.append(f"> {LONGEST} s")
                continue
            found = [o for o in done.stdout.splitlines() if o.startswith("result ")]
            cells.append(f"{float(found[1].split()[1]):,.0f}" if len(found) > 1 else "failed")
            if len(found) < 2:
                print(done.stderr[-600:], flush=True)
        lines.append(f"| {title} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    put_section(PAGE, TIMES, "\n".join(lines) + "\n")


def main(arguments: Sequence[str]) -> None:
    """Both sections, or one of them, or one figure."""
    warnings.simplefilter("ignore")
    match arguments:
        case ["one", title, net]:
            CLOCKS[title]([2, 4, 3])  # what is imported once is imported now
            spent = int(time.process_time()) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (spent + LONGEST, spent + LONGEST + 5))
            CLOCKS[title]([int(part) for part in net.split("-")])
        case ["verdicts", *names]:
            verdicts(names or list(WRITTEN))
        case ["times"]:
            times()
        case _:
            verdicts(list(WRITTEN))
            times()


if __name__ == "__main__":
    main(sys.argv[1:])
