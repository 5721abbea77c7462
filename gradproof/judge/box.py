"""What a black box returned to verdicts: every element beside the bound of a correct function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.truth import digits_in_common, farthest, middle

BoxKind = Literal["agrees", "refuted", "undecided"]

MISTAKE = 0.5
"""The relative error of one element that a verdict must see: a missing factor of 2. A missing ½, a
wrong sign and a missing sum are larger."""

NOTHING = 2.0**-950
"""The distance of equal numbers, which arithmetic with balls says is not quite zero."""

LEAST_POWER = 0.1
"""The share of the elements that must see it, as for stages (`judge/stage.py`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one tensor that a black box returned.

    A tensor agrees within its bound, and is refuted beyond `OTHER_ALGORITHM` times that.
    ``share`` is the largest difference as a share of the bound, at the element ``worst``, where
    ``value`` was returned and ``true`` is right; they are ``ulps`` apart, and ``permitted`` are
    permitted, both in the dtype's units in the last place of the true value. ``sees`` is the
    relative error that half of the elements would have shown. ``digits`` are certified decimal
    digits in common with the true tensor, in the largest norm.
    """

    kind: BoxKind
    share: float
    worst: tuple[int, ...] = ()
    value: float = float("nan")
    true: float = float("nan")
    ulps: float = float("nan")
    permitted: float = float("nan")
    sees: float = float("inf")
    digits: float = float("nan")
    because: str = ""


def judge_returned(
    returned: Returned,
    enclosure: Value,
    truth: Value | None,
    contract: Contract,
    allow_ulps: float = 0.0,
) -> Finding:
    """Whether a tensor is what a correct function may return.

    Args:
        returned: what was returned; `None` counts as zeros, as frameworks have it.
        enclosure: midpoints, radii, and how far a correct function may be off.
        truth: the exact tensor, more sharply, where it is known.
        contract: of the arithmetic.
        allow_ulps: units in the last place of the true value that are permitted anyway.
    """
    m, r, e = (np.asarray(part, dtype=np.float64) for part in enclosure)
    r, e = np.broadcast_to(r, m.shape), np.broadcast_to(e, m.shape)
    nothing = returned.array is None
    if nothing and returned.dtype != "NoneType":
        return _shapeless(told("it is {dtype}, not a tensor", dtype=returned.dtype))
    computed = np.zeros(m.shape) if returned.array is None else returned.array
    if computed.shape != m.shape:
        return _shapeless(
            told(
                "it has the shape {shape}, not {shape2}",
                shape=_shape(computed.shape),
                shape2=_shape(m.shape),
            )
        )
    if not m.size:
        return Finding("agrees", 0.0, sees=0.0, digits=float("inf"))
    exact = computed.astype(np.float64)
    unit = units(m, contract)
    with np.errstate(all="ignore"):
        bound = np.maximum(e, allow_ulps * unit)
        limit = np.maximum(OTHER_ALGORITHM * e, allow_ulps * unit)
        at_most = np.abs(exact - m) * (1 + 2.0**-50) + r
        at_least = np.maximum(np.abs(exact - m) * (1 - 2.0**-50) - r, 0.0)
        if truth is not None:
            near = farthest(truth, np.where(np.isfinite(exact), exact, 0.0))
            near = np.where(np.isfinite(exact), near, np.inf)
            at_most = np.fmin(at_most, near)
            # Sharp enclosures are far narrower than their distance from what is outside.
            at_least = np.maximum(at_least, near - 2 * _width(truth))
        holds = np.isfinite(limit) & (np.abs(m) + limit <= float(contract.largest))
        at_most, at_least = (
            np.where(np.isfinite(exact), part, np.inf) for part in (at_most, at_least)
        )
        exactly = at_most <= NOTHING
        inside = (at_most <= bound) | exactly | ~holds
        outside = (at_least > limit) & holds
        shares = np.where(exactly | ~holds, 0.0, at_most / bound)
        shares = np.where(np.isnan(shares), np.inf, shares)
        largest = float(np.abs(m).max())
        scale = np.where(m == 0, largest if largest else 2.0**-20, np.abs(m))
        seen = np.where(holds, (at_most + bound) / scale, np.inf)
    # Of what is infinitely far outside, the largest difference is the worst.
    spots = np.flatnonzero(shares.reshape(-1) == shares.max())
    far = np.where(np.isnan(exact), np.inf, np.abs(exact - m)).reshape(-1)
    spot = int(spots[np.argmax(far[spots])])
    worst = tuple(int(k) for k in np.unravel_index(spot, m.shape))
    right = m if truth is None else middle(truth)
    sees = float(np.median(seen))
    power = float(np.mean(seen <= MISTAKE))
    kind: BoxKind = "agrees"
    because = ""
    if outside.any():
        kind = "refuted"
        because = _why(nothing, exact, outside)
    elif not inside.all():
        kind = "undecided"
        because = told(
            "up to {share:.1f} times its bound; another algorithm for the same function may be off "
            "by {times} times",
            share=shares.max(),
            times=OTHER_ALGORITHM,
        )
    elif power < LEAST_POWER:
        kind = "undecided"
        because = told(
            "no signal: with the rounding errors of {dtype} a relative error of {error:g} would "
            "show in only {power:.0%} of the elements",
            dtype=contract.dtype,
            error=MISTAKE,
            power=power,
        )
    with np.errstate(all="ignore"):
        apart, permitted = np.abs(exact - right) / unit, bound / unit
    return Finding(
        kind,
        float(shares.reshape(-1)[spot]),
        worst,
        float(exact[worst]),
        float(right[worst]),
        float(apart[worst]),
        float(permitted[worst]),
        sees,
        digits_in_common(exact, truth) if np.all(np.isfinite(exact)) else float("nan"),
        because,
    )


def _shapeless(because: str) -> Finding:
    return Finding("refuted", float("inf"), because=because)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else told("scalar")


def _why(nothing: bool, exact: np.ndarray, outside: np.ndarray) -> str:
    if nothing:
        return told("no gradient is returned (None), and it is not zero")
    wrong = int(np.count_nonzero(outside))
    count = int(np.count_nonzero(np.isnan(exact)))
    if count:
        return told("{count} of {size} elements are NaN", count=count, size=exact.size)
    if not np.any(exact):
        return told("it is zero throughout")
    if exact.size == 1:
        return told("it is outside the bound")
    return told("{count} of {size} elements are outside the bound", count=wrong, size=exact.size)


def _width(truth: Value) -> np.ndarray:
    """At least the distance of an enclosure's ends."""
    if len(truth) == 1:
        return farthest(truth, middle(truth)) * 2
    _, low, radius = truth
    return 2 * radius + 2.0**-51 * np.abs(low)


def units(array: np.ndarray, contract: Contract) -> np.ndarray:
    """The dtype's unit in the last place of each number."""
    _, exponent = np.frexp(np.maximum(np.abs(array), float(contract.tiny)))
    return np.ldexp(2.0 * float(contract.u_store), exponent - 1)


def merged(findings: list[Finding]) -> Finding:
    """One verdict for the same tensor at several data: the worst, but where one of them decides
    that it agrees, others without signal do not matter."""
    refuted = [f for f in findings if f.kind == "refuted"]
    if refuted:
        return max(refuted, key=lambda f: f.share)
    agreed = [f for f in findings if f.kind == "agrees"]
    if agreed:
        return max(agreed, key=lambda f: f.share)
    return findings[0]
