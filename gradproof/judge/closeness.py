"""What came back beside a bound that would hide a mistake: whether it is far closer than that.

A bound of rounding errors from the inputs on is that of the worst case, and real errors are a small
part of it. Where it is so wide that a missing factor of 2 would stay inside, being inside says
nothing. But whoever is within a smaller distance is within the bound as well: so the elements are
held to a distance in which a mistake shows. Those who keep it agree, and those who do not are as
undecided as before; nothing is refuted by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DISTANCES = {"bfloat16": 2.0**-4, "float16": 2.0**-6}
"""The distance from the true value, as a share of it or of the tensor's root mean square if that is
larger, by dtype: 16 units in the last place."""

DISTANCE = 2.0**-10
"""That in float32 and float64."""

MOST_SEEN = 0.5
"""The relative error that half of the elements must show, as `judge/box.py` has it."""

MANY = 2**15
"""Elements of a tensor of which one in so many says what half of them would have shown."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """All elements are within a distance of their true values that shows a mistake.

    ``worst`` is the element that is farthest, ``distance`` what is permitted there and ``share``
    the part of it that is used; ``sees`` is the relative error that half of the elements would have
    shown.
    """

    share: float
    worst: tuple[int, ...]
    distance: float
    sees: float


def closeness(
    returned: np.ndarray, middle: np.ndarray, radius: np.ndarray, dtype: str
) -> Closeness | None:
    """The distance that all elements keep; `None` where one of them does not, or where it would
    not show a relative error of `MOST_SEEN` in half of them.

    Args:
        returned: numbers, of the shape of the true tensor.
        middle: a midpoint of each true value.
        radius: how far from it the true value may be.
        dtype: of what was returned.
    """
    share = distance_of(dtype)
    with np.errstate(all="ignore"):
        far = np.asarray(np.subtract(returned, middle, dtype=np.float64))  # scalars are no arrays
        np.abs(far, out=far)
        far += radius
        far *= 1 + 2.0**-50
        largest = max(float(middle.max(initial=0.0)), -float(middle.min(initial=0.0)))
        if not 0 < largest < np.inf:
            return None
        mean = largest * float(np.linalg.norm(middle.ravel("K") / largest)) / middle.size**0.5
        if not far.max() <= share * mean and not np.all(
            far <= share * np.maximum(np.abs(middle), mean)
        ):
            return None
        worst = tuple(int(axis) for axis in np.unravel_index(int(far.argmax()), far.shape))
        few = slice(None, None, (middle.size // MANY) | 1)
        size = np.abs(middle.reshape(-1)[few])
        allowed = share * np.maximum(size, mean)
        errors = (far.reshape(-1)[few] + allowed) / np.where(size > 0, size, largest)
        sees = float(np.median(errors))
    if not sees <= MOST_SEEN:
        return None
    distance = share * max(abs(float(middle[worst])), mean)
    return Closeness(float(far[worst]) / distance, worst, distance, sees)


def distance_of(dtype: str) -> float:
    """The share of a true value, or of the root mean square, that is permitted in a dtype."""
    return DISTANCES.get(dtype, DISTANCE)
