"""What the length of a loop costs: the gallery's recurrent network at T = 3, 30 and 300.

The printed derivation has the same lines at each length; tracing, deriving and writing cost at most
ten times as much for ten times the steps, beside what they cost at the start. The collector of
Python is off (`deriving.py` says why).
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from gradproof.derivation import derive
from gradproof.gallery import rnn
from gradproof.trace.signature import read_signature
from gradproof.trace.source import Source
from gradproof.trace.uniform import trace_uniformly
from gradproof.workbench import derive_source

LENGTHS = (3, 30, 300)
REPEATS = 5


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """The median seconds of a call, and what it returned."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = function()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def main() -> None:
    """Prints, for each length, the lines of the page and the seconds of each part."""
    print(f"{'T':>4} {'lines':>6} {'gradients':>10} {'trace s':>9} {'derive s':>9} {'page s':>9}")
    pages = []
    signature = read_signature(rnn.forward, {})
    gc.disable()
    for length in LENGTHS:
        sizes = {"n": 5, "T": length}
        tracing, (paper, _) = timed(
            lambda g=sizes: trace_uniformly(rnn.forward, None, signature, g)
        )
        deriving, derivation = timed(lambda p=paper: derive(p.forward))
        page = derive_source(Source("rnn", rnn.forward, None), {}, sizes)
        writing, lines = timed(lambda p=page: p.to_text().splitlines())
        pages.append(lines)
        count = len(derivation.steps)
        print(
            f"{length:4} {len(lines):6} {count:10} {tracing:9.3f} {deriving:9.3f} {writing:9.3f}",
            flush=True,
        )
    print("The pages are the same." if all(page == pages[0] for page in pages) else "They differ.")


if __name__ == "__main__":
    main()
