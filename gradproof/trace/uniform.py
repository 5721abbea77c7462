"""Whether a program is the same for all sizes; where it is not, its sizes become numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gradproof.core.errors import GradproofError
from gradproof.core.program import Paper, Tensor
from gradproof.trace.paper import trace
from gradproof.trace.signature import Signature, symbols


def trace_uniformly(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
) -> tuple[Paper, Signature]:
    """The paper, and the signature that it holds for.

    Code that asks for the number behind a size (a loop over ``range(x.shape[0])``) makes another
    program for each size. That is found by tracing at other sizes; then the symbols are replaced
    by their numbers, and a note says so. Errors are those of `trace`.
    """
    paper = trace(forward, backward, signature, sizes)
    wanted = symbols(signature)
    if not wanted:
        return paper, signature
    others = {symbol: sizes[symbol] + 2 + number for number, symbol in enumerate(wanted)}
    try:
        again = trace(forward, backward, signature, others)
        same = (paper.forward, paper.backward) == (again.forward, again.backward)
    except GradproofError:  # at other sizes the code is not even a network
        same = False
    if same:
        return paper, signature
    fixed = at_sizes(signature, sizes)
    numbers = ", ".join(f"{symbol} = {sizes[symbol]}" for symbol in wanted)
    note = f"The code asks for the number behind a size: all that is said holds for {numbers}."
    paper = trace(forward, backward, fixed, sizes)
    return replace(paper, notes=(*paper.notes, note)), fixed


def at_sizes(signature: Signature, sizes: Mapping[str, int]) -> Signature:
    """The signature with numbers for its size symbols."""

    def fixed(tensor: Tensor) -> Tensor:
        shape = tuple(s if isinstance(s, int) else sizes[s] for s in tensor.shape)
        return replace(tensor, shape=shape)

    return {
        name: [fixed(t) for t in entry] if isinstance(entry, list) else fixed(entry)
        for name, entry in signature.items()
    }
