"""The whole gallery, its frameworks' own layers included: every network on every engine, in
float32 and float64, with three seeds.

Usage: python benchmarks/gallery.py [--seeds N] [--short] [NETWORK ...]

With --short in bfloat16 and float16 instead. Writes docs/gallery.md or docs/gallery_short.md if it
was asked for all networks. It ends with 1 if anything is refuted or could not be verified, or
undecided without a reason that REASONS gives.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from gradproof.engines.contract import CONTRACTS
from gradproof.engines.engine import ENGINES, installed, load
from gradproof.gallery import catalogue
from gradproof.gallery.survey import Outcome, verify_all
from gradproof.workbench import Study

DOCS = Path(__file__).parent.parent / "docs"
DTYPES = ("float32", "float64")
SHORT = ("bfloat16", "float16")
REASONS: Mapping[str, str] = {
    "no signal": "A sum whose terms cancel, or which has too many for 16 bits: a small error would "
    "not show.",
    "has a tie": "Two of the values of which the largest is taken are one number in 16 bits.",
    "numbers are not finite": "A mask of −1e9 is no number of float16.",
    "is not computed in": "Frameworks do not factor matrices in 16 bits.",
}
"""What may stay undecided, by words of the reason that the verdict gives, and why it may."""

Outcomes = dict[tuple[str, str], list[Outcome]]


def survey(
    outcomes: Outcomes,
    names: Sequence[str],
    engines: Sequence[str],
    dtypes: Sequence[str],
    seed: int,
) -> None:
    """Adds the outcomes of each network on each engine, in each dtype, with one seed, for which
    each network is read and proved once."""
    studies: dict[str, dict[str, Study]] = {}
    for engine in engines:
        for dtype in (dtype for dtype in dtypes if (engine, dtype) in CONTRACTS):
            began = time.time()
            done = verify_all((engine,), dtype, seed, networks=names, studies=studies)
            for one in done.outcomes:
                outcomes[one.network, engine].append(one)
                for problem in (*one.problems, *filter(None, (one.failed,))):
                    print(f"{one.network} on {engine} in {dtype}, seed {seed}: {problem}")
            print(f"{engine} {dtype} seed {seed}: {time.time() - began:.0f} s", flush=True)


def unexplained(outcomes: Outcomes) -> list[str]:
    """What does not hold, and no reason says that it may not."""
    return [
        f"{one.network} on {engine}: {problem}"
        for (_, engine), many in outcomes.items()
        for one in many
        for problem in (*one.problems, *filter(None, (one.failed,)))
        if "refuted" in problem or not any(words in problem for words in REASONS)
    ]


def counted(outcomes: Sequence[Outcome]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """The verdicts on formulas, on the engine's numbers and on its own layers' numbers."""
    kinds = (Counter[str](), Counter[str](), Counter[str]())
    for one in outcomes:
        for counter, more in zip(kinds, (one.formulas, one.numbers, one.layers), strict=True):
            counter.update(more)
    return kinds


def cell(kinds: Mapping[str, int]) -> str:
    """``27``, or ``25, 2 undecided``: what holds, and what does not by its name."""
    good = sum(kinds.get(kind, 0) for kind in ("proved", "agrees"))
    bad = [f"**{kinds[k]} {k}**" for k in ("refuted", "undecided") if kinds.get(k)]
    return ", ".join([str(good), *bad]) if good or bad else "·"


def page(
    names: Sequence[str],
    engines: Sequence[str],
    outcomes: Outcomes,
    dtypes: Sequence[str],
    seeds: int,
) -> str:
    """The page of the gallery: what was counted, and each network on each engine."""
    everything = [one for many in outcomes.values() for one in many]
    formulas, numbers, layers = counted(everything)
    versions = ", ".join(f"{ENGINES[engine].title} {load(engine).version()}" for engine in engines)
    seconds = sum(one.seconds for one in everything)
    command = "python benchmarks/gallery.py" + " --short" * (dtypes == SHORT)
    lines = [
        "# The gallery, verified",
        "",
        f"Written by `{command}`: {len(names)} networks on {len(engines)} "
        f"engines in {' and '.join(dtypes)} with {seeds} seeds, {len(everything)} runs in "
        f"{seconds / 60:.0f} minutes. Python {platform.python_version()}, {versions}.",
        "",
        "| | hold | derived | undecided | refuted |",
        "|---|--:|--:|--:|--:|",
    ]
    for title, kinds in (
        ("published formulas, proved", formulas),
        ("forward values and gradients of engines", numbers),
        ("those of the engines' own layers", layers),
    ):
        good = kinds["proved"] + kinds["agrees"]
        row = (good, kinds["derived"], kinds["undecided"], kinds["refuted"])
        lines.append(f"| {title} | {' | '.join(map(str, row))} |")
    largest = max((one.largest_share for one in everything), default=0.0)
    lines += [
        "",
        "A gradient that no published formula speaks of is *derived*: there is nothing to prove it "
        f"equal to. The largest share of a bound was {largest:.2f}.",
        "",
        *_reasons(numbers),
        "Below: formulas proved, then for each engine values and gradients that agree, and behind "
        "the + those of the engine's own layers. Each is a sum over the dtypes and the seeds.",
        "",
        f"| network | proved | {' | '.join(ENGINES[engine].title for engine in engines)} |",
        f"|---|{'--:|' * (len(engines) + 1)}",
    ]
    for name in names:
        all_of_it = [one for engine in engines for one in outcomes[name, engine]]
        cells = [cell(counted(all_of_it)[0])]
        for engine in engines:
            _, own, native = counted(outcomes[name, engine])
            cells.append(cell(own) + (f" + {cell(native)}" if native else ""))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _reasons(numbers: Mapping[str, int]) -> list[str]:
    if not numbers.get("undecided"):
        return []
    return [
        "What is undecided:",
        "",
        *(f"- *{words}*: {why}" for words, why in REASONS.items()),
        "",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    dtypes = SHORT if options.short else DTYPES
    engines = [name for name, here in installed().items() if here]
    names = tuple(options.networks) or catalogue.names()
    outcomes: Outcomes = {(name, engine): [] for name in names for engine in engines}
    for seed in range(options.seeds):
        survey(outcomes, names, engines, dtypes, seed)
        written = page(names, engines, outcomes, dtypes, seed + 1)
        if options.networks:
            print(written)
        else:
            page_of = DOCS / ("gallery_short.md" if options.short else "gallery.md")
            page_of.write_text(written, encoding="utf-8")
    bad = unexplained(outcomes)
    print("\n".join(bad) if bad else "All hold.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
