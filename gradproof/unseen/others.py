"""Data that hide mistakes to other data that may show them, the nearest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradproof.core.told import told, told_row
from gradproof.judge.generic import NEAR_ZERO, SMALL, choose_sizes, pairs, wider
from gradproof.trace.signature import Signature, read_signature
from gradproof.unseen.looking import Asked, plain_of


@dataclass(frozen=True, slots=True)
class Other:
    """Other data: what is different in them, and the options that ask for them."""

    words: str
    options: str
    asked: Asked


def others(asked: Asked, sizes: Mapping[str, int]) -> Iterator[Other]:
    """Data to try.

    Args:
        asked: the data that hide something.
        sizes: their sizes.
    """
    signature = read_signature(asked.source.forward, asked.inputs)
    given = bool(pairs(signature, asked.inputs))
    drawn = replace(asked, inputs=_shapes(asked, signature), sizes=dict(sizes))
    if given:
        yield _other(told("drawn data"), drawn, given)
    generic = choose_sizes(signature, {}, drawn.inputs)
    for changed in wider(signature, sizes, generic):
        new = {symbol: size for symbol, size in changed.items() if size != sizes[symbol]}
        said = told_row([f"{symbol} = {size}" for symbol, size in new.items()])
        yield _other(said, replace(drawn, sizes=changed), given)
    everything = replace(drawn, sizes=generic)
    seed = told("seed {seed}", seed=asked.seed + 1)
    yield _other(seed, replace(drawn, seed=asked.seed + 1), given)
    small = replace(drawn, scale=SMALL)
    yield _other(told("numbers 128 times smaller"), small, given)
    for name in sorted(plain_of(signature)):
        near = replace(drawn, scale=NEAR_ZERO, scaled=name)
        yield _other(told("{name} near zero", name=name), near, given)
    if asked.dtype != "float64":
        yield _other("float64", replace(asked, sizes=dict(sizes), dtype="float64"), given=False)
        fine = replace(everything, dtype="float64")
        yield _other(told("float64 and generic data"), fine, given)
        finer = told("float64 and numbers 128 times smaller")
        yield _other(finer, replace(fine, scale=SMALL), given)


def _other(words: str, asked: Asked, given: bool) -> Other:
    options = [f"--size {symbol}={size}" for symbol, size in asked.sizes.items()]
    options += [f"--dtype {asked.dtype}"] if asked.dtype != "float32" else []
    options += [f"--seed {asked.seed}"] if asked.seed else []
    said = " ".join(options)
    if asked.scale != 1:
        said = told("{options} and --inputs with such numbers", options=said)
    elif given and options:
        said = told("{options} without --inputs", options=said)
    elif given:
        said = told("without --inputs")
    return Other(words, said, asked)


def _shapes(asked: Asked, signature: Signature) -> dict[str, Any]:
    """Shapes for the arrays that are given, where no annotation says one."""
    annotated = getattr(asked.source.forward, "__annotations__", {})

    def shape(value: Any) -> Any:
        if isinstance(value, list):
            return [shape(one) for one in value]
        return value if isinstance(value, str | tuple) else np.shape(value)

    return {name: shape(value) for name, value in asked.inputs.items() if name not in annotated}
