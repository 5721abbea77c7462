"""Whether a program is the same for all sizes; where it is not, its sizes become numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import SystemRandom
from typing import Any

import numpy as np

from gradproof.core.errors import GradproofError
from gradproof.core.program import INDEX, Paper, Tensor
from gradproof.core.told import told
from gradproof.trace.again import Earlier
from gradproof.trace.paper import trace
from gradproof.trace.signature import Signature, positions_of, symbols, tensors


def trace_uniformly(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
    earlier: Earlier | None = None,
) -> tuple[Paper, Signature]:
    """The paper, and the signature that it holds for; `earlier` is what was recorded before.

    Code that asks for the number behind a size (a loop over ``range(x.shape[0])``) makes another
    program for each size. That is found by tracing at other sizes; then the symbols are replaced
    by their numbers, and a note says so. Errors are those of `trace`.
    """
    wanted = symbols(signature)
    earlier = earlier or Earlier()
    if not wanted:
        return trace(forward, backward, signature, sizes, earlier=earlier), signature
    try:
        paper = trace(forward, backward, signature, sizes, earlier=earlier)
    except GradproofError:
        # An array such as np.zeros((x.shape[0], 4)) has a number where x has a symbol. Where all
        # sizes differ, code that runs at the numbers has not mistaken one axis for another.
        numbers = [size for tensor in tensors(signature) for size in set(tensor.shape)]
        chosen = [sizes[size] for size in wanted]
        if len(set(chosen)) < len(chosen) or set(chosen) & (set(numbers) | {1}):
            raise
        for some in (*((symbol,) for symbol in wanted), wanted):
            fixed = at_sizes(signature, {symbol: sizes[symbol] for symbol in some})
            left = tuple(symbol for symbol in wanted if symbol not in some)
            earlier = Earlier()
            try:
                paper = trace(forward, backward, fixed, sizes, earlier=earlier)
            except GradproofError:
                continue
            others = _others(sizes, left) if left else ()
            if not paper.asked & set(left) and all(
                _alike(paper, forward, backward, fixed, other, earlier) for other in others
            ):
                return _noted(paper, sizes, some), fixed
        raise
    uniform = all(
        _alike(paper, forward, backward, signature, other, earlier)
        for other in _others(sizes, wanted)
    )
    if uniform and not paper.asked & set(wanted):
        return paper, signature
    seen = () if uniform else _asked(paper, forward, backward, signature, sizes, wanted, earlier)
    asked = tuple(s for s in wanted if s in paper.asked or s in seen)
    for some in (asked, wanted):
        fixed = at_sizes(signature, {symbol: sizes[symbol] for symbol in some})
        left = tuple(symbol for symbol in wanted if symbol not in some)
        earlier = Earlier()
        paper = trace(forward, backward, fixed, sizes, earlier=earlier)
        others = _others(sizes, left) if left else ()
        if not paper.asked & set(left) and all(
            _alike(paper, forward, backward, fixed, other, earlier) for other in others
        ):
            return _noted(paper, sizes, some), fixed
    raise AssertionError("a program without size symbols differs from itself")


def _asked(
    paper: Paper,
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
    wanted: tuple[str, ...],
    earlier: Earlier,
) -> tuple[str, ...]:
    """The symbols whose number the code asks for: with another one it is another program."""
    return tuple(
        symbol
        for number, symbol in enumerate(wanted)
        if not _alike(
            paper,
            forward,
            backward,
            signature,
            {**sizes, symbol: sizes[symbol] + 2 + number},
            earlier,
        )
    )


def _others(sizes: Mapping[str, int], wanted: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """Other sizes to trace at: the next ones, odd and even, and the least, then small and large
    ones at random, so that a number that is right at the sizes chosen only is wrong at these."""
    for more in (2, 3):
        yield {**sizes, **{symbol: sizes[symbol] + more + n for n, symbol in enumerate(wanted)}}
    yield {**sizes, **{symbol: 2 + n for n, symbol in enumerate(wanted)}}
    chance = SystemRandom()
    for numbers in (range(2, 64 + len(wanted)), range(1000, 2000)):
        drawn = chance.sample(numbers, len(wanted))
        yield {**sizes, **dict(zip(wanted, drawn, strict=True))}


def _alike(
    paper: Paper,
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    signature: Signature,
    sizes: Mapping[str, int],
    earlier: Earlier,
) -> bool:
    """Whether the code is the same program at these sizes, with the same arrays in it."""
    try:
        again = trace(forward, backward, signature, sizes, earlier=earlier)
    except GradproofError:  # at other sizes the code is not even a network
        return False
    return paper.parameters == again.parameters and same_equations(paper, again)


def same_equations(one: Paper, other: Paper) -> bool:
    """Whether two papers have the same equations, claims and arrays, whatever they were traced
    at."""
    return (
        (one.forward, one.backward, one.claims) == (other.forward, other.backward, other.claims)
        and one.constants.keys() == other.constants.keys()
        and all(
            np.array_equal(np.asarray(a), np.asarray(other.constants[n]))
            for n, a in one.constants.items()
        )
    )


def _noted(paper: Paper, sizes: Mapping[str, int], wanted: tuple[str, ...]) -> Paper:
    numbers = ", ".join(f"{symbol} = {sizes[symbol]}" for symbol in wanted)
    note = told(
        "The code asks for the number behind a size: all that is said holds for {numbers}.",
        numbers=numbers,
    )
    return replace(paper, notes=(*paper.notes, note), fixed=frozenset(wanted))


def at_sizes(signature: Signature, sizes: Mapping[str, int]) -> Signature:
    """The signature with numbers for some of its size symbols."""

    def fixed(tensor: Tensor) -> Tensor:
        shape = tuple(s if isinstance(s, int) else sizes.get(s, s) for s in tensor.shape)
        named = positions_of(tensor)
        if isinstance(named, str) and named in sizes:
            return replace(tensor, shape=shape, law=f"{INDEX}{sizes[named]}")
        return replace(tensor, shape=shape)

    return {
        name: [fixed(t) for t in entry] if isinstance(entry, list) else fixed(entry)
        for name, entry in signature.items()
    }
