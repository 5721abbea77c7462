"""What was proved of an engine's own backward program, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10
from textwrap import fill

from gradproof.judge.program_identity import ProgramProof
from gradproof.report.report import Batch

WIDTH = 98

MOST = 4
"""More numbers or names than this are counted."""


def program_lines(batch: Batch, proof: ProgramProof, engine: str) -> str:
    """How many gradients of the engine's own program are proved, and under what assumptions."""
    head = f"{engine}'s own backward program: "
    if proof.refusal:
        return f"{head}not attempted: {proof.refusal}."
    rows = [row for row in batch.gradients if row.program is not None]
    proved = [row for row in rows if row.program is not None and row.program.kind == "proved"]
    lines = [f"{head}{len(proved)} of {len(rows)} gradients proved equal to the derived ones"]
    missing = [row.symbol for row in rows if row not in proved]
    if missing:
        lines.append(f"not proved: {_listed(missing)}")
    if proved:
        sizes = " and ".join(filter(None, map(_sizes, proof.sizes)))
        chance = f"error < 10^{floor(log10(proof.error)) + 1}" if proof.error > 0 else "no error"
        lines.append(
            f"random points modulo random primes{f', at {sizes}' if sizes else ''}, {chance}"
        )
        lines.append(f"assumes {'; '.join((*proof.assumes, *proof.hypotheses)) or 'nothing'}")
        if proof.read_back:
            lines.append(f"its constants are read as {_listed(proof.read_back)}")
    return "\n".join([lines[0], *map(_indented, lines[1:])])


def _indented(line: str) -> str:
    return fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def _listed(things: Sequence[str]) -> str:
    shown = ", ".join(things[:MOST])
    return shown if len(things) <= MOST else f"{shown} and {len(things) - MOST} more"
