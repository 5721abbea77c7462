"""What a primitive of the dictionary is: its meaning, its slope, its look, its samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradproof.prims.formula import Formula

Floats = NDArray[np.floating]

Sample = tuple[tuple[float, ...], ...]
"""One list of values for each argument, all of one length."""


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function applied to every element.

    ``meaning`` writes the function with arithmetic, ``exp``, ``log`` and ``[a > b]`` alone, and
    is how every exact arithmetic evaluates it; ``None`` for those elementary ones themselves.
    ``slopes[i](y, *x)`` is ``∂y/∂x_i`` in terms of the output and the arguments; ``None`` where
    the argument is not differentiated. ``forward`` computes it on plain floating-point arrays,
    in their dtype. ``kink`` is a formula that is zero exactly where the
    function has no derivative, and ``domain`` one that must be positive.
    ``named_slope`` prints the derivative as ``σ′(z)`` instead of writing it out.
    """

    name: str
    arguments: tuple[str, ...]
    meaning: Callable[..., Formula] | None
    slopes: tuple[Callable[..., Formula] | None, ...]
    forward: Callable[..., Floats]
    text: str
    tex: str
    words: str
    samples: tuple[Sample, ...]
    named_slope: bool = False
    kink: Callable[..., Formula] | None = None
    domain: Callable[..., Formula] | None = None
    numpy_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folding:
    """A function of all elements along an axis, which it loses.

    ``slope(y, x, along)`` is the derivative of the result by one element ``x``; ``along(name)``
    gives a function of the dictionary that keeps the axis, at that element. ``forward(x, axis)``
    keeps the axis with size 1.
    """

    name: str
    slope: Callable[[Formula, Formula, Callable[[str], Formula]], Formula]
    forward: Callable[[Floats, int], Floats]
    text: str
    tex: str
    words: str
    samples: tuple[tuple[float, ...], ...]
    ties: bool = False
    numpy_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keeping:
    """A function along an axis, which it keeps.

    ``pullback(y, g, total)`` is the gradient at one element from the output ``y`` and the
    upstream ``g`` there; ``total(formula)`` sums a formula over the axis.
    """

    name: str
    pullback: Callable[[Formula, Formula, Callable[[Formula], Formula]], Formula]
    forward: Callable[[Floats, int], Floats]
    text: str
    tex: str
    words: str
    samples: tuple[tuple[float, ...], ...]
