"""Looks which known mistakes the default data of the gallery cannot show, and at other seeds.

Usage: python benchmarks/unseen.py [NETWORK ...]

Writes docs/power.md when it looks at all networks; with names it prints their rows alone.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gradproof.gallery import catalogue
from gradproof.report.unseen import PowerReport
from gradproof.unseen.verb import power_source

PAGE = Path(__file__).parent.parent / "docs" / "power.md"
SEEDS = (0, 1, 2)

HEAD = """\
# What the gallery's data can show

A check is worth what it can see. `gradproof power NETWORK` makes every known mistake in every
gradient of a network and says which of them no verdict at these data, sizes and precision would
refute (README, "What could the data not have shown?"). This page is that survey for the whole
gallery: `python benchmarks/unseen.py` writes it, with float32 and NumPy's contract.

- *mistakes*: formulas with one of `gradproof/mistakes/` made in them, without the next.
- *equal*: the right formula, written otherwise: the same exact numbers at random points of a finite
  field at two sets of sizes, or proved. No mistake, and not counted as one.
- *this loss*: among these, those that are right because of a plain sum as loss, and for no other.
- *beneath*: off by less than 2⁻⁸⁰ of the tensor's largest element, because −10⁹ stands for −∞ in a
  mask: the first query of a causal attention sees one position, so that its scores have a gradient
  of e^(−10⁹). No format of numbers can show these.
- *not seen*: with the default data, which are those of seed 0. It has to be 0 in every row.
- *open*: neither proved equal nor seen to differ. It has to be 0, too.
- *seeds 1, 2*: not seen with the data of other seeds, named below. An element that is off by 10⁻³
  of its value is not seen where that value has lost three digits by cancellation, or is zero.

"""


def looked(name: str, seed: int) -> PowerReport:
    return power_source(catalogue.find(name), {}, "numpy", "float32", seed, {})


def row(name: str, reports: Sequence[PowerReport], seconds: float) -> str:
    first, *others = reports
    total = sum(r.mistakes for r in first.rows)
    equal = sum(r.equal for r in first.rows)
    cells = (
        f"{len(first.rows)} | {total} | {equal} | {len(first.for_loss)} | {len(first.beneath)} | "
        f"{len(first.unseen)} | {len(first.open)} | "
        + ", ".join(str(len(r.unseen) + len(r.open)) for r in others)
    )
    return f"| {name} | {cells} | {seconds:.1f} s |"


def reasons(name: str, report: PowerReport) -> list[str]:
    """What is not seen or not known, each with what shows it."""
    found = Counter((one.words, one.symbol, one.by) for one in report.unseen)
    at = f"{name}, seed {report.seed}"
    lines = [
        f"- {at}, {symbol}: {words} " + (f"Seen with {by}." if by else "Seen with nothing tried.")
        for words, symbol, by in found
    ]
    open_ = Counter((one.words, one.symbol) for one in report.open)
    return lines + [
        f"- {at}, {symbol}: {words} Neither proved equal nor seen to differ"
        + (f" ({count} ways)." if count > 1 else ".")
        for (words, symbol), count in open_.items()
    ]


def main() -> None:
    asked = sys.argv[1:]
    rows, why = [], []
    for name in asked or catalogue.names():
        begin = time.process_time()
        reports = [looked(name, SEEDS[0])]
        seconds = time.process_time() - begin
        reports += [looked(name, seed) for seed in SEEDS[1:]]
        rows.append(row(name, reports, seconds))
        because = [line for report in reports for line in reasons(name, report)]
        why += because
        print(rows[-1], *because, sep="\n", flush=True)
    if asked:
        return
    head = (
        "| network | gradients | mistakes | equal | this loss | beneath | not seen | open | "
        f"seeds {', '.join(map(str, SEEDS[1:]))} | processor |\n|---|{'--:|' * 9}\n"
    )
    below = "\n".join(why) or "Nothing is."
    PAGE.write_text(
        HEAD + head + "\n".join(rows) + "\n\nNot seen, or open:\n\n" + below + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
