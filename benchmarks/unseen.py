"""Looks which known mistakes the default data of the gallery cannot show, and at which sizes.

Usage: python benchmarks/unseen.py [NETWORK ...]

Writes the section "What data can show" of docs/numbers.md when it looks at all networks.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from gradproof.gallery import catalogue
from gradproof.report.unseen import PowerReport
from gradproof.unseen.verb import power_source

PAGE = Path(__file__).parent.parent / "docs" / "numbers.md"
TITLE = "## What data can show"


def row(name: str, report: PowerReport, seconds: float) -> str:
    total = sum(r.mistakes for r in report.rows)
    seen = sum(r.seen for r in report.rows)
    equal = sum(r.equal for r in report.rows)
    return (
        f"| {name} | {len(report.rows)} | {total} | {seen} | {total - seen} | {equal} | "
        f"{len(report.open)} | {seconds:.0f} s |"
    )


def reasons(name: str, report: PowerReport) -> list[str]:
    """What is not seen or not known, each with what shows it."""
    found = Counter((one.words, one.symbol, one.by) for one in report.unseen)
    lines = [
        f"- {name}, {symbol}: {words} " + (f"Seen with {by}." if by else "Seen with nothing tried.")
        for words, symbol, by in found
    ]
    open_ = Counter((one.words, one.symbol) for one in report.open)
    return lines + [
        f"- {name}, {symbol}: {words} Neither proved equal nor seen to differ"
        + (f" ({count} ways)." if count > 1 else ".")
        for (words, symbol), count in open_.items()
    ]


def main() -> None:
    # The folder of a script is on the path, and only then.
    from correct import put_section

    asked = sys.argv[1:]
    rows, why = [], []
    for name in asked or catalogue.names():
        begin = time.perf_counter()
        report = power_source(catalogue.find(name), {}, "numpy", "float32", 0, {})
        rows.append(row(name, report, time.perf_counter() - begin))
        why += reasons(name, report)
        print(rows[-1], *reasons(name, report), sep="\n", flush=True)
    if asked:
        return
    body = [
        TITLE,
        "",
        "`python benchmarks/unseen.py`: every mistake of `gradproof/mistakes/` made in every "
        "gradient of every network of the gallery, at its default data (seed 0, float32, NumPy's "
        "contract). *Seen* means that verify would refute it however it is rounded; *equal* is the "
        "right formula at all sizes, *open* is neither proved equal nor seen to differ. Times are "
        "those of two cores with other work beside them.",
        "",
        "| network | gradients | mistakes | seen | not seen | equal | open | time |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *rows,
        "",
        "Not seen, or not known:",
        "",
        *(why or ["nothing"]),
    ]
    put_section(PAGE, TITLE, "\n".join(body) + "\n")


if __name__ == "__main__":
    main()
