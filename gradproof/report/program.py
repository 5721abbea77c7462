"""What was proved of an engine's own backward program, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10

from rich.text import Text

from gradproof.core.told import told, told_clauses, told_row, told_sum
from gradproof.judge.program_identity import ProgramProof
from gradproof.report.report import Batch
from gradproof.report.table import wrapped
from gradproof.words import in_language
from gradproof.words.say import ENGLISH

WIDTH = 98

MOST = 4
"""More numbers or names than this are counted."""


def program_lines(batch: Batch, proof: ProgramProof, engine: str, lang: str = ENGLISH) -> str:
    """How many gradients of the engine's own program are proved, and under what assumptions, in
    lines of a terminal."""
    first, *others = in_language(program_said(batch, proof, engine), lang)
    lines = [part.plain for line in others for part in wrapped(Text(line), WIDTH - 2)]
    return "\n".join([first, *(f"  {line}" for line in lines)])


def program_said(batch: Batch, proof: ProgramProof, engine: str) -> tuple[str, ...]:
    """The same as sentences: the first is the result."""
    if proof.refusal:
        refused = told(
            "{engine}'s own backward program: not attempted: {refusal}.",
            engine=engine,
            refusal=proof.refusal,
        )
        return (refused,)
    rows = [row for row in batch.gradients if row.program is not None]
    proved = [row for row in rows if row.program is not None and row.program.kind == "proved"]
    lines: list[str] = [
        told(
            "{engine}'s own backward program: {proved} of {count} gradients proved equal to the "
            "derived ones",
            engine=engine,
            proved=len(proved),
            count=len(rows),
        )
    ]
    missing = [row.symbol for row in rows if row not in proved]
    if missing:
        lines.append(told("not proved: {missing}", missing=_listed(missing)))
    if proved:
        lines += [_points(proof), told("assumes {assumed}", assumed=_assumed(proof))]
        if proof.read_back:
            numbers = _listed(proof.read_back)
            lines.append(told("its constants are read as {numbers}", numbers=numbers))
    return tuple(lines)


def _points(proof: ProgramProof) -> str:
    """How the proof was found, at which sizes, and how sure it is."""
    sizes = told_sum([_sizes(one) for one in proof.sizes if one])
    error = told("no error")
    if proof.error > 0:
        error = told("error < 10^{exponent}", exponent=floor(log10(proof.error)) + 1)
    if not sizes:
        return told("random points modulo random primes, {error}", error=error)
    return told("random points modulo random primes, at {sizes}, {error}", sizes=sizes, error=error)


def _assumed(proof: ProgramProof) -> str:
    return told_clauses((*proof.assumes, *proof.hypotheses)) or told("nothing")


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def _listed(things: Sequence[str]) -> str:
    shown = told_row(things[:MOST])
    if len(things) <= MOST:
        return shown
    return told("{shown} and {others} more", shown=shown, others=len(things) - MOST)
