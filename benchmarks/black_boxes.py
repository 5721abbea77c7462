"""Hand-written backward passes by the thousand: how often `check` cries wolf, and what it misses.

Usage: python benchmarks/black_boxes.py [SEEDS]     (20 unless told otherwise)

Ten functions (`tests/blackbox/handwritten.py`) on every framework that is installed, in every dtype
that it has: right ones with many seeds, wrong ones with a few. Writes the section "Black boxes" of
docs/numbers.md.
"""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from correct import put_section  # noqa: E402

import gradproof as gp  # noqa: E402
from gradproof.engines.contract import CONTRACTS  # noqa: E402
from gradproof.engines.dtype import DTYPES  # noqa: E402
from gradproof.engines.engine import ENGINES, installed  # noqa: E402
from tests.blackbox.handwritten import MAKERS, WRITTEN  # noqa: E402

PAGE = ROOT / "docs" / "numbers.md"
TITLE = "## Black boxes"
FEW = 3
"""Seeds for wrong functions."""


def main(seeds: int) -> int:
    """Counts verdicts, prints them, and writes the page."""
    began = time.time()
    here = [e for e, present in installed().items() if present]
    rows, alarms, missed = [], 0, 0
    for engine in here:
        for dtype in DTYPES:
            if (engine, dtype) not in CONTRACTS:
                continue
            right, most, said = _right(engine, dtype, seeds)
            wrong, escaped = _wrong(engine, dtype)
            alarms += right["refuted"] + len(said)
            missed += wrong["agrees"]
            title = ENGINES[engine].title
            count = sum(right.values())
            rows.append(
                f"| {title} | {dtype} | {count} | {right['refuted'] + len(said)} | "
                f"{right['undecided'] / count:.1%} | {most:.2f} | {sum(wrong.values())} | "
                f"{wrong['refuted']} | {wrong['undecided']} | {wrong['agrees']} |"
            )
            print(rows[-1], *said[:5], *escaped, sep="\n  ", flush=True)
    head = (
        "| framework | dtype | right tensors | false alarms | undecided | most of a bound | wrong "
        "tensors | refuted | undecided | passed |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    text = (
        f"{TITLE}\n\n`benchmarks/black_boxes.py {seeds}`, {platform.processor() or 'x86-64'}, "
        f"{(time.time() - began) / 60:.0f} minutes: ten hand-written backward passes (linear, "
        "layer norm, RMS norm, SwiGLU, softmax with cross-entropy, rotary embedding, attention, "
        "convolution, an LSTM's cell, embedding), right ones with "
        f"{seeds} seeds and {FEW} upstream gradients each, and 65 wrong versions with {FEW} seeds. "
        "A tensor is a value or the gradient of an input; of wrong versions those count that the "
        f"mistake reaches.\n\n{head}\n" + "\n".join(rows) + "\n"
    )
    put_section(PAGE, TITLE, text)
    print(f"{alarms} false alarms, {missed} wrong gradients passed")
    return int(alarms + missed > 0)


def _right(engine: str, dtype: str, seeds: int) -> tuple[Counter[str], float, list[str]]:
    """The verdicts on right functions, the most of a bound that was used, and what was said of
    them: nothing should be."""
    counts: Counter[str] = Counter()
    most, said = 0.0, []
    for name, written in WRITTEN.items():
        function = MAKERS[engine](written)
        for seed in range(seeds):
            report = gp.check(
                function,
                reference=written.paper,
                engine=engine,
                dtype=dtype,
                seed=seed,
                battery=seed % 10 == 0,
            )
            counts.update(report.kinds)
            most = max([most, *(row.finding.share for row in report.rows)])
            said += [f"{name}, seed {seed}: {fault}" for fault in report.faults]
            said += [f"{name}, seed {seed}: {r.symbol}" for r in report.rows if r.kind == "refuted"]
    return counts, most, said


def _wrong(engine: str, dtype: str) -> tuple[Counter[str], list[str]]:
    """The verdicts on the gradients that wrong functions get wrong, and those that passed."""
    counts: Counter[str] = Counter()
    passed = []
    for name, written in WRITTEN.items():
        for mistake, reached in written.wrong.items():
            function = MAKERS[engine](written, mistake)
            for seed in range(FEW):
                report = gp.check(
                    function,
                    reference=written.paper,
                    engine=engine,
                    dtype=dtype,
                    seed=seed,
                    battery=False,
                )
                for of in reached:
                    counts[report[of].kind] += 1
                    if report[of].kind == "agrees":
                        passed.append(f"{name}, {mistake}: ∂l/∂{of} agrees with seed {seed}")
    return counts, passed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
