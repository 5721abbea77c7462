"""Whether a tensor is so near the exact one that it holds no mistake, whatever its bound permits.

The bound of a deep network may be many times the numbers that it bounds: it grows as if all
rounding errors had one sign, and being inside it says nothing. The function's own numbers are held
against certified ones all the same, and mostly they are far nearer. What is certified to be near is
right by itself: a formula that is wrong by more gives other numbers. Whoever is near is inside the
bound, too, so that this claims more; and nothing is refuted for not being near.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

_NEAR = {"bfloat16": 2.0**-4, "float16": 2.0**-6}

NEAR = 2.0**-16
"""The largest relative distance of what is near, in float32 and float64. It is 1/32768 of the
mistake that a verdict must see, and a sixth of 1.0001; right float32 networks up to 784-512-512-10
have a quarter of it. In 16 bits it is 8 units in the last place or more, and less than a missing
factor of 1.1."""

_APART = {"bfloat16": 0.25, "float16": 0.25}

MOST_APART = 0.1
"""The share of the elements that may be farther apart, relatively: those that nearly cancel, of
which there are more the coarser the dtype is."""

SAMPLED = 2**13
"""Elements of a tensor, at the least, of which a share or a median is taken."""

NOTHING = 2.0**-950
"""The distance of equal numbers, which arithmetic with balls says is not quite zero."""


def near_in(dtype: str) -> float:
    """The largest relative distance of what is near, in a dtype."""
    return _NEAR.get(dtype, NEAR)


@dataclass(frozen=True, slots=True)
class Nearness:
    """A tensor that is near: ``worst`` is the element that is farthest, ``distance`` what is
    permitted there, and ``share`` the part of it that is used."""

    worst: tuple[int, ...]
    distance: float
    share: float


def nearness(
    returned: np.ndarray, middle: np.ndarray, radius: np.ndarray, dtype: str
) -> Nearness | None:
    """How near a tensor is, or `None` where it is not.

    Args:
        returned: numbers, of the shape of the exact tensor.
        middle: a midpoint of each exact value.
        radius: how far from it the exact value may be.
        dtype: of what was returned.
    """
    with np.errstate(all="ignore"):
        far = np.asarray(np.subtract(returned, middle, dtype=np.float64))  # scalars are no arrays
        np.abs(far, out=far)
        far += radius
        far *= 1 + 2.0**-50
        size = np.abs(middle)
        if not is_near(far, size, dtype):
            return None
    worst = tuple(int(axis) for axis in np.unravel_index(int(far.argmax()), far.shape))
    usual = usual_size(sampled(size))
    distance = near_in(dtype) * max(float(size[worst]), usual)
    return Nearness(worst, distance, float(far[worst]) / distance)


def is_near(far: np.ndarray, size: np.ndarray, dtype: str) -> bool:
    """Whether elements at most `far` from the exact ones, whose sizes are about `size`, are near.

    Every element must be within `near_in` of itself, or of what is usual in the tensor where it is
    smaller than that, and nine of ten (of 16 bits three of four) within it of themselves. A zero is
    so only if it is exact.
    """
    near = near_in(dtype)
    usual = usual_size(sampled(size))
    if not usual > 0 or not are_most(sampled(far), sampled(size), dtype):
        return False
    return bool(far.max() <= near * usual or np.all(far <= near * np.maximum(size, usual)))


def sampled(array: np.ndarray) -> np.ndarray:
    """Every so many of a tensor's elements."""
    flat = array.reshape(-1)
    return flat[:: step_over(flat.size, flat.size // SAMPLED)]


def step_over(length: int, about: int) -> int:
    """A step without a factor in common with the length: it comes to all columns alike, whatever
    the axes are that are flattened."""
    step = max(about, 1)
    while gcd(step, length) > 1:
        step += 1
    return step


def usual_size(size: np.ndarray) -> float:
    """The median of what is not zero; 0 if all is."""
    some = size[size > 0]
    return median(some) if some.size else 0.0


def median(numbers: np.ndarray) -> float:
    """`np.median` of one number or more, of which none is NaN, at a fraction of the time."""
    flat = numbers.reshape(-1)
    upper = flat.size // 2
    lower = upper - 1 + flat.size % 2
    part = np.partition(flat, (lower, upper))
    return float(part[lower] / 2 + part[upper] / 2)


def are_most(far: np.ndarray, size: np.ndarray, dtype: str) -> bool:
    """Whether most elements are within `near_in` of themselves."""
    inside = (far <= near_in(dtype) * size) | (far <= NOTHING)
    return 1.0 - float(np.mean(inside)) <= _APART.get(dtype, MOST_APART)
