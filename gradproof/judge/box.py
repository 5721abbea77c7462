"""What a black box returned to verdicts: every element beside the bound of a correct function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import Contract
from gradproof.engines.dtype import FINE
from gradproof.judge.layers import OTHER_ALGORITHM
from gradproof.judge.near import NOTHING, median, near_in, nearness, step_over
from gradproof.judge.truth import digits_in_common, digits_of, farthest, middle

BoxKind = Literal["agrees", "refuted", "undecided"]

MISTAKE = 0.5
"""The relative error of one element that a verdict must see: a missing factor of 2. A missing ½, a
wrong sign and a missing sum are larger."""

POOR = 0.25
"""The relative error that half of the elements may hide in 16 bits, if nothing else is known."""

_ROOM = np.asarray(1 + 2.0**-50)
"""It covers the roundings of a distance."""

BLOCK = 2**13
"""Elements whose arrays stay in a processor's cache."""

SAMPLED = 2**15
"""Elements of a tensor, at the least, that say what half of them would have shown."""

LEAST_POWER = 0.1
"""The share of the elements that must see it, as for stages (`judge/stage.py`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one tensor that a black box returned.

    A tensor agrees within its bound, if that would show a mistake or the tensor is certified to be
    near the exact one (`judge/near.py`), and is refuted beyond `OTHER_ALGORITHM` times that.
    ``share`` is the largest difference as a share of the bound, at the element ``worst``, where
    ``value`` was returned and ``true`` is right; they are ``ulps`` apart, and ``permitted`` are
    permitted, both in the dtype's units in the last place of the true value. ``sees`` is the
    relative error that half of the elements would have shown. ``digits`` are certified decimal
    digits in common with the true tensor, in the largest norm. Where the bound would hide a mistake
    and everything is near, ``hiding`` is the bound, in units in the last place, and what is
    permitted is the smaller distance.
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
    hiding: float = 0.0


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
    r, e = (p if p.shape == m.shape else np.broadcast_to(p, m.shape) for p in (r, e))
    nothing = returned.array is None
    if nothing and returned.dtype.startswith("complex"):
        return _shapeless(told("it has an imaginary part, and the right one has none"))
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
    short = truth is None and not allow_ulps and computed.dtype.kind in "fiub"
    found = _all_inside(computed, m, r, e, contract) if short else None
    exact, outside = np.zeros(()), None
    if found is None:
        exact = computed.astype(np.float64)
        found, outside = _compared(exact, (m, r, e), truth, contract, allow_ulps)
    worst, hiding = found.worst, 0.0
    distance = float(e[worst])
    right = m if truth is None else middle(truth)
    kind: BoxKind = "agrees"
    because = ""
    if outside is not None and np.any(outside):
        kind = "refuted"
        because = _why(nothing, exact, outside)
    elif not found.inside:
        kind = "undecided"
        because = told(
            "up to {share:.1f} times its bound; another algorithm for the same function may be off "
            "by {times} times",
            share=found.share,
            times=OTHER_ALGORITHM,
        )
    elif (found.power < LEAST_POWER or is_poor(found.sees, contract.dtype)) and (
        near := nearness(computed, m, r, contract.dtype)
    ):
        worst, distance, hiding = near.worst, near.distance, float(e[near.worst])
        found = replace(found, share=near.share, sees=near_in(contract.dtype))
    elif found.power < LEAST_POWER:
        kind = "undecided"
        because = told(
            "no signal: with the rounding errors of {dtype} a relative error of {error:g} would "
            "show in only {power:.0%} of the elements",
            dtype=contract.dtype,
            error=MISTAKE,
            power=found.power,
        )
    unit = float(units(m[worst], contract))
    value = np.float64(computed[worst])
    with np.errstate(all="ignore"):
        apart = np.abs(value - right[worst]) / unit
        permitted = np.maximum(distance / unit, allow_ulps)
    digits = found.digits
    if truth is not None:
        finite = np.all(np.isfinite(exact))
        digits = digits_in_common(exact, truth) if finite else float("nan")
    return Finding(
        kind,
        found.share,
        worst,
        float(value),
        float(right[worst]),
        float(apart),
        float(permitted),
        found.sees,
        digits,
        because,
        hiding / unit,
    )


def is_poor(sees: float, dtype: str) -> bool:
    """Whether a bound of 16 bits shows mistakes, but few: what is near is held to less."""
    return dtype not in FINE and sees > POOR


def alone(found: Finding, dtype: str) -> Finding:
    """The verdict where 16 bits are all that is known of a function: not that it agrees, where its
    bound shows few mistakes."""
    if found.kind != "agrees" or not is_poor(found.sees, dtype):
        return found
    because = told(
        "it is within the bound of {dtype}, in which a relative error of {sees:.1g} would hide, "
        "and not near the true values; in float64 nothing is known",
        dtype=dtype,
        sees=found.sees,
    )
    return replace(found, kind="undecided", because=because)


@dataclass(frozen=True, slots=True)
class _Found:
    """What all elements of a tensor say.

    The largest share of a bound and where it is; the relative error that half of them would have
    shown, and the share of them that would have shown a mistake, both of every so many of a large
    tensor, unless that leaves the verdict open; whether all are inside their bounds; and the digits
    in common with the enclosure.
    """

    share: float
    worst: tuple[int, ...]
    sees: float
    power: float
    inside: bool
    digits: float


def are_inside(pairs: Iterable[tuple[Returned, Value]]) -> list[bool]:
    """Of each tensor, whether all its elements are inside their bounds, so that none is refuted; of
    small tensors most of a verdict's time goes into saying what it shows."""
    with np.errstate(all="ignore"):
        return [_is_inside(one.array, *enclosure) for one, enclosure in pairs]


def agree_plainly(pairs: Iterable[tuple[Returned, Value]], contract: Contract) -> bool:
    """Whether every tensor agrees within a bound that shows mistakes; if not, it may agree still.
    This says so without saying how."""
    if contract.dtype not in FINE:
        return False
    with np.errstate(all="ignore"):
        for one, (m, r, e) in pairs:
            if not m.size or not _is_inside(one.array, m, r, e):
                return False
            largest = float(np.abs(m).max()) + OTHER_ALGORITHM * float(e.max())
            seen = np.asarray(r + 2 * e) <= MISTAKE * np.abs(m)
            if not largest <= float(contract.largest) or np.mean(seen) < LEAST_POWER:
                return False
    return True


def _is_inside(x: np.ndarray | None, m: np.ndarray, r: np.ndarray, e: np.ndarray) -> bool:
    if x is None or x.shape != m.shape or x.dtype.kind not in "fiub":
        return False
    far = np.asarray(np.subtract(x, m, dtype=np.float64))
    np.abs(far, out=far)
    far += r
    far *= _ROOM
    inside = far <= e
    if inside.all():
        return True
    inside |= (far <= NOTHING) & (x == m)  # of equal numbers nothing is permitted, perhaps
    return bool(inside.all())


def _all_inside(
    computed: np.ndarray, m: np.ndarray, r: np.ndarray, e: np.ndarray, contract: Contract
) -> _Found | None:
    """`_compared` where all elements have a bound and are inside: block by block, because the
    passes over a large tensor cost most of a check when they leave the cache."""
    # The axes in the order of memory: a product may be that of the transposed matrices.
    order = np.argsort([-abs(stride) for stride in m.strides], kind="stable")
    lengths = [m.shape[axis] for axis in order]
    x, m, r, e = (part.transpose(order).reshape(-1) for part in (computed, m, r, e))
    largest = max(float(m.max()), -float(m.min()))
    with np.errstate(all="ignore"):
        if not largest + OTHER_ALGORITHM * e.max() <= float(contract.largest):
            return None
        share, worst, error = -1.0, 0, 0.0
        space = np.empty((2, min(BLOCK, x.size)))
        for start in range(0, x.size, BLOCK):
            part = slice(start, start + BLOCK)
            bound = e[part]
            far, shares = space[:, : bound.size]
            np.subtract(x[part], m[part], out=far)
            np.abs(far, out=far)
            far += r[part]
            error = max(error, float(far.max()))
            np.divide(far, bound, out=shares)
            top = int(shares.argmax())
            if not shares[top] <= 1 - 2.0**-40:
                same = far <= NOTHING
                if not np.array_equal(x[part][same], m[part][same]):
                    return None
                shares[same] = 0.0
                top = int(shares.argmax())
                if not shares[top] <= 1 - 2.0**-40:
                    return None
            if shares[top] > share:
                share, worst = float(shares[top]), start + top
        few = slice(None, None, step_over(x.size, x.size // SAMPLED))
        seen = _seen(x[few], m[few], r[few], e[few], largest)
        power = float(np.mean(seen <= MISTAKE))
        if few.step > 1 and 0.5 * LEAST_POWER < power < 2 * LEAST_POWER:
            power = float(np.mean(_seen(x, m, r, e, largest) <= MISTAKE))
    far = np.abs(x[worst] - m[worst]) + r[worst]
    share = float(far * (1 + 2.0**-50) / e[worst]) if far > NOTHING else 0.0
    moved = np.unravel_index(worst, lengths)
    where = tuple(int(moved[list(order).index(axis)]) for axis in range(len(moved)))
    digits = digits_of(error, largest)
    return _Found(share, where, median(seen), power, True, digits)


def _seen(x: np.ndarray, m: np.ndarray, r: np.ndarray, e: np.ndarray, largest: float) -> np.ndarray:
    """The relative error of each element that would have shown. A zero is measured by the
    largest."""
    size = np.abs(m)
    if not size.min() > 0:
        size[size == 0] = largest or 2.0**-20
    return np.asarray((np.abs(np.subtract(x, m, dtype=np.float64)) + r + e) / size)


def _compared(
    exact: np.ndarray, enclosure: Value, truth: Value | None, contract: Contract, allow_ulps: float
) -> tuple[_Found, np.ndarray]:
    """Every element's distance, beside its bound; and which elements are outside what another
    algorithm may be off by."""
    m, r, e = enclosure
    unit = units(m, contract) if allow_ulps else np.zeros(())
    with np.errstate(all="ignore"):
        bound = np.maximum(e, allow_ulps * unit)
        limit = np.maximum(OTHER_ALGORITHM * e, allow_ulps * unit)
        far = np.abs(exact - m) + r
        at_most = far * (1 + 2.0**-50)
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
        seen = np.where(holds, (np.fmin(far, at_most) + bound) / scale, np.inf)
    # Of what is infinitely far outside, the largest difference is the worst.
    spots = np.nonzero(np.atleast_1d(shares == shares.max()))[: m.ndim]
    far = np.abs(exact[spots] - m[spots])
    first = int(np.argmax(np.where(np.isnan(far), np.inf, far)))
    worst = tuple(int(axis[first]) for axis in spots)
    sees, power = median(seen), float(np.mean(seen <= MISTAKE))
    digits = digits_of(float(at_most.max()), largest)
    whole = bool(np.all(inside))
    return _Found(float(shares[worst]), worst, sees, power, whole, digits), outside


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
