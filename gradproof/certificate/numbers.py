"""The numbers of a certificate: Arb balls, and power series where they depend on the tap.

Standard library and python-flint only.
"""

from __future__ import annotations

from typing import Any

import flint

ZERO, ONE = flint.arb(0), flint.arb(1)

Scalar = Any
"""An `arb`, or an `arb_series` where the value depends on the tapped element."""


class Unreadable(Exception):
    """The file is not a certificate."""


class NotConfirmed(Exception):
    """The certificate can be read, and what it says does not hold or cannot be decided."""


def depends(x: Scalar) -> bool:
    """Whether a scalar depends on the tapped element: then it is a power series."""
    return isinstance(x, flint.arb_series)


def value_of(x: Scalar) -> flint.arb:
    """The value at t = 0."""
    return x[0] if depends(x) else x


def series(value: flint.arb, slope: flint.arb) -> flint.arb_series:
    """``value + slope·t``, cut off after t¹."""
    return flint.arb_series([value, slope], 2)


def largest(values: list[Scalar]) -> Scalar:
    """The largest of some values; where one depends on t, the winner must be certain."""
    if not any(depends(x) for x in values):
        top = values[0]
        for x in values[1:]:
            top = top.max(x)
        return top
    for k, x in enumerate(values):
        if all(value_of(x) > value_of(y) for j, y in enumerate(values) if j != k):
            return x
    raise NotConfirmed("a tie for the largest lies at these inputs: there is no derivative")
