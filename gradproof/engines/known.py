"""What is known of a tensor while an engine's program is read over some arithmetic.

Every value has the points at which the program is evaluated as its first axis (of length 1 where it
is the same at all of them). Beside its elements a value remembers what exact reasoning needs and
the elements alone do not say: that it is one constant, that it is one of two numbers by a truth
value, that it is positive, of what it is the logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from gradproof.engines.arithmetic import Value


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A tensor of truth values: `step` is 1 where they hold, or a field element in their place.

    ``origin`` is the same for a comparison and its negation; ``known`` if all are the same.
    ``single`` are axes along which they hold once, whatever is rounded; ``fixed`` says where they
    hold if that depends on no input.
    """

    step: Value
    origin: object
    holds: bool = True
    known: bool | None = None
    single: tuple[int, ...] = ()
    fixed: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape at one point."""
        return self.step[0].shape[1:]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """``yes`` where the origin of some truth values holds, and ``no`` elsewhere."""

    truth: Truth
    yes: Fraction
    no: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Integers that the order of numbers says; where not ``certain``, roundings may change them."""

    array: np.ndarray
    certain: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape at one point."""
        return self.array.shape[1:]


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """What is the largest (or the smallest) of a tensor over axes: its elements stand for the
    rows that are numbered so."""

    source: Known
    axes: tuple[int, ...]
    rows: np.ndarray
    largest: bool


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A tensor of real numbers.

    ``larger`` are the two of which it is the larger, ``smaller`` those of which it is the
    smaller, ``peak`` that of which rows it has the largest. ``scaled`` is a pair (v, m) with
    elements ``v·exp(−m)``; ``exponential`` is its exponential where that is known. ``shift`` marks
    what only keeps an exponential from overflowing; ``difference`` are minuend and subtrahend where
    the subtrahend is such. ``mask`` is the name of an input that may be taken to be 0 or 1.
    """

    value: Value
    constant: Fraction | None = None
    choice: Choice | None = None
    positive: bool = False
    shift: bool = False
    exponential: Value | None = None
    scaled: tuple[Value, Value] | None = None
    difference: tuple[Real, Real] | None = None
    mask: str = ""
    larger: tuple[Real, Real] | None = None
    smaller: tuple[Real, Real] | None = None
    peak: Peak | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape at one point."""
        return self.value[0].shape[1:]


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Numbers, and −∞ where they are ``gone``, whatever the inputs are: there ``real`` is nothing
    that matters."""

    real: Real
    gone: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape at one point."""
        return self.gone.shape[1:]


Known = Real | Truth | Places | Gaps | float
"""What an operand can be; a float is an infinity."""


def origin(x: Real) -> object:
    """The comparison by which x is one of two numbers; `None` where it is not."""
    return None if x.choice is None else x.choice.truth.origin


def cases(x: Real) -> tuple[Fraction, Fraction] | None:
    """The numbers that x is where its origin holds and where not, a constant in both."""
    if x.choice is not None:
        return x.choice.yes, x.choice.no
    return None if x.constant is None else (x.constant, x.constant)


def same(x: Real, y: Real) -> bool:
    """Whether two are one and the same for certain."""
    return x is y or (x.constant is not None and x.constant == y.constant)


def common(*values: Value) -> tuple[int, ...]:
    """The shape that values have together, without the points."""
    return np.broadcast_shapes(*(value[0].shape[1:] for value in values))
