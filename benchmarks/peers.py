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
import os
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
from statistics import median
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
ROWS = 64
LONGEST = 60

SPAN = 0.05
"""Seconds that are timed at once, at the least."""

FEW = 1000
"""Elements of all inputs up to which a check that takes a pass for each of them is run to its end;
beyond that, its passes are counted."""


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


def numpy_network(x: Any, *parameters: Any) -> Any:
    """The values, and the pullback as one writes it by hand."""
    values = [x]
    for k in range(0, len(parameters), 2):
        values.append(1 / (1 + np.exp(-(values[-1] @ parameters[k] + parameters[k + 1]))))

    def pullback(g: Any) -> Any:
        found: list[Any] = []
        for k in reversed(range(0, len(parameters), 2)):
            before, a = values[k // 2 : k // 2 + 2]
            dz = g * a * (1 - a)
            found = [before.T @ dz, dz.sum(0), *found]
            g = dz @ parameters[k].T
        return (g, *found)

    return values[-1], pullback


def timed(run: Callable[[], Any]) -> float:
    """Seconds of processor time, which other work beside it changes less than those of a clock: the
    median of spans that are long enough for a coarse one."""
    count, spent = 1, 0.0
    while True:
        begin = time.process_time()
        for _ in range(count):
            run()
        spent = time.process_time() - begin
        if spent >= SPAN:
            break
        count *= 4
    taken = [spent / count]
    while len(taken) < 5 and len(taken) * spent < 3:
        begin = time.process_time()
        for _ in range(count):
            run()
        taken.append((time.process_time() - begin) / count)
    return median(taken)


def say(check: Callable[[], Any], one_pass: Callable[[], Any]) -> None:
    """Prints the multiple: the machine is as busy for both, because each is run in between."""
    one_pass()
    check()
    before, whole, after = timed(one_pass), timed(check), timed(one_pass)
    print("result", whole / median([before, after]), flush=True)


def in_torch_alone(units: Sequence[int], dtype: str) -> tuple[Any, list[Any], Callable[[], Any]]:
    import torch

    torch.set_num_threads(1)
    paper, data = network(units)
    given = [torch.tensor(a, dtype=getattr(torch, dtype)).requires_grad_() for a in data]
    upstream = torch.randn(ROWS, units[-1], dtype=given[0].dtype)
    return paper, given, lambda: torch.autograd.grad(torch_network(*given), given, upstream)


def gradcheck_time(*, fast: bool) -> Callable[[Sequence[int]], None]:
    def run(units: Sequence[int]) -> None:
        import torch

        _, given, one_pass = in_torch_alone(units, "float64")
        if fast or sum(t.numel() for t in given) < FEW:
            say(lambda: torch.autograd.gradcheck(torch_network, given, fast_mode=fast), one_pass)
            return
        # Two forward passes for each element of the inputs, and two backward for each of the value.
        with torch.no_grad():
            forward = timed(lambda: torch_network(*given))
        whole = timed(one_pass)
        elements = sum(t.numel() for t in given)
        count = 2 * elements * forward + 2 * ROWS * units[-1] * (whole - forward)
        print("result", count / whole, "extrapolated", flush=True)

    return run


def check_time(*, battery: bool) -> Callable[[Sequence[int]], None]:
    def run(units: Sequence[int]) -> None:
        paper, given, one_pass = in_torch_alone(units, "float32")
        plain = tuple(t.detach() for t in given)

        def whole() -> None:
            report = gp.check(torch_network, plain, reference=paper, battery=battery)
            assert report.exit_code != 1, str(report)

        say(whole, one_pass)

    return run


def numpy_check_time(*, battery: bool) -> Callable[[Sequence[int]], None]:
    def run(units: Sequence[int]) -> None:
        paper, data = network(units)
        given = tuple(a.astype(np.float32) for a in data)
        upstream = np.random.default_rng(0).normal(size=(ROWS, units[-1])).astype(np.float32)

        def whole() -> None:
            report = gp.check(numpy_network, given, reference=paper, battery=battery)
            assert report.exit_code != 1, str(report)

        say(whole, lambda: numpy_network(*given)[1](upstream))

    return run


def own_time(units: Sequence[int]) -> None:
    _, given, one_pass = in_torch_alone(units, "float32")
    say(lambda: gp.testing.gradcheck(torch_network, tuple(given)), one_pass)


def jax_network(x: Any, *parameters: Any) -> Any:
    import jax

    for k in range(0, len(parameters), 2):
        x = jax.nn.sigmoid(x @ parameters[k] + parameters[k + 1])
    return x


def tensorflow_network(x: Any, *parameters: Any) -> Any:
    import tensorflow as tf

    for k in range(0, len(parameters), 2):
        x = tf.sigmoid(x @ parameters[k] + parameters[k + 1])
    return x


def jax_check_time(units: Sequence[int]) -> None:
    load("jax")
    import jax
    import jax.numpy as jnp

    paper, data = network(units)
    given = tuple(jnp.asarray(a, "float32") for a in data)

    def one_pass() -> Any:
        value, pullback = jax.vjp(jax_network, *given)
        return jax.block_until_ready(pullback(value))

    def whole() -> None:
        report = gp.check(jax_network, given, reference=paper)
        assert report.exit_code != 1, str(report)

    say(whole, one_pass)


def tensorflow_check_time(units: Sequence[int]) -> None:
    load("tensorflow")
    import tensorflow as tf

    paper, data = network(units)
    given = tuple(tf.constant(a, tf.float32) for a in data)

    def one_pass() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = tensorflow_network(*given)
        return tape.gradient(value, given)

    def whole() -> None:
        report = gp.check(tensorflow_network, given, reference=paper)
        assert report.exit_code != 1, str(report)

    say(whole, one_pass)


def check_grads_time(units: Sequence[int]) -> None:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    _, data = network(units)
    given = [jnp.asarray(a, "float32") for a in data]

    def one_pass() -> Any:
        value, pullback = jax.vjp(jax_network, *given)
        return jax.block_until_ready(pullback(value))

    # Its tolerance is no matter here: at its default it rejects the larger networks.
    say(lambda: check_grads(jax_network, given, 1, ("rev",), atol=1.0, rtol=1.0), one_pass)


def compute_gradient_time(units: Sequence[int]) -> None:
    load("tensorflow")
    import tensorflow as tf

    _, data = network(units)
    given = [tf.constant(a, tf.float32) for a in data]

    def one_pass() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = tensorflow_network(*given)
        return tape.gradient(value, given)

    elements = sum(a.size for a in data)
    if elements < FEW:
        say(lambda: tf.test.compute_gradient(tensorflow_network, given), one_pass)
        return
    one_pass()
    before, whole = timed(lambda: tensorflow_network(*given)), timed(one_pass)
    count = 2 * elements * before + ROWS * units[-1] * whole
    print("result", count / whole, "extrapolated", flush=True)


CLOCKS: dict[str, Callable[[Sequence[int]], None]] = {
    "torch gradcheck": gradcheck_time(fast=False),
    "torch gradcheck, fast": gradcheck_time(fast=True),
    "jax check_grads": check_grads_time,
    "tf compute_gradient": compute_gradient_time,
    "gp.check, PyTorch, without battery": check_time(battery=False),
    "gp.check, PyTorch": check_time(battery=True),
    "gp.check, NumPy, without battery": numpy_check_time(battery=False),
    "gp.check, NumPy": numpy_check_time(battery=True),
    "gp.check, JAX": jax_check_time,
    "gp.check, TensorFlow": tensorflow_check_time,
    "gp.testing.gradcheck": own_time,
}


def times() -> None:
    """The second section's table."""
    lines = [f"| check | {' | '.join(NETS)} |", f"|---|{'--:|' * len(NETS)}"]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for title in CLOCKS:
        cells = []
        for net in NETS:
            done = subprocess.run(
                [sys.executable, __file__, "one", title, net],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, **alone},
            )
            if done.returncode == -signal.SIGXCPU:
                cells.append(f"> {LONGEST} s")
                continue
            found = [o.split() for o in done.stdout.splitlines() if o.startswith("result ")]
            if not found:
                cells.append("failed")
                print(done.stderr[-600:], flush=True)
                continue
            _, number, *extrapolated = found[-1]
            cells.append(f"{'≈ ' if extrapolated else ''}{float(number):,.0f}".replace(",", " "))
        lines.append(f"| {title} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    page = PAGE.read_text(encoding="utf-8")
    start = page.index("| check | 2-4-3", page.index(TIMES))
    end = page.index("\n\n", start) if "\n\n" in page[start:] else len(page)
    PAGE.write_text(page[:start] + "\n".join(lines) + page[end:], encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Both sections, or one of them, or one figure."""
    warnings.simplefilter("ignore")
    match arguments:
        case ["one", title, net]:
            if net != "2-4-3":
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
