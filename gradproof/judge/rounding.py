"""Float32 operations to the last bit: fused steps, orders of a sum, formulas of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Floats = np.ndarray


def fused(a: Floats, b: Floats, c: Floats) -> Floats:
    """``a·b + c`` rounded once to float32.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd there: a
    second rounding to 24 bits is then the right one, because 53 ≥ 2·24 + 2 (S. Boldo,
    G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding
    to odd", IEEE Transactions on Computers 57, 2008).
    """
    exact = a.astype(np.float64) * b.astype(np.float64)
    other = c.astype(np.float64)
    total = exact + other
    part = total - exact
    error = (exact - (total - part)) + (other - part)
    odd = (total.view(np.int64) & 1).astype(bool)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where((error != 0) & ~odd, np.nextafter(total, toward), total).astype(np.float32)


def orders(
    rows: Floats, pairs: tuple[Floats, Floats] | None, begin: Floats | None
) -> Iterator[tuple[str, Floats]]:
    """The sum of rows in the orders in which libraries add, each with its words.

    Args:
        rows: the summands, along the first axis.
        pairs: the two factors of each, for fused steps, where they are products.
        begin: what the sum starts from, where that is not its first summand.
    """
    steps = range(len(rows))
    yield " in order", _chain(rows, steps, begin)
    if pairs is not None:
        left, right = np.broadcast_arrays(*pairs)
        yield " in order, each step fused", _fused_chain(left, right, steps, begin)
        yield " from the end, each step fused", _fused_chain(left, right, steps[::-1], begin)
    yield " from the end", _chain(rows, steps[::-1], begin)
    if begin is not None:
        return
    yield " in halves", _halves(rows)
    for lanes in (2, 4, 8, 16, 32):
        if lanes < len(rows):
            parts = np.stack([_chain(rows, steps[k::lanes], None) for k in range(lanes)])
            yield f" in {lanes} lanes", _halves(parts)
            yield f" in {lanes} lanes, added in order", _chain(parts, range(lanes), None)
            if pairs is not None:
                each = [_fused_chain(left, right, steps[k::lanes], None) for k in range(lanes)]
                yield f" in {lanes} lanes, each step fused", _halves(np.stack(each))
                yield (
                    f" in {lanes} lanes, each step fused, added in order",
                    _chain(np.stack(each), range(lanes), None),
                )
    wide = (
        rows.astype(np.float64)
        if pairs is None
        else (pairs[0].astype(np.float64) * pairs[1].astype(np.float64))
    )
    yield " in float64, rounded once", wide.sum(axis=0).astype(np.float32)


def _chain(rows: Floats, steps: range, begin: Floats | None) -> Floats:
    order = list(steps)
    total = rows[order[0]] if begin is None else begin + rows[order[0]]
    for k in order[1:]:
        total = total + rows[k]
    return np.asarray(total, dtype=np.float32)


def _fused_chain(left: Floats, right: Floats, steps: range, begin: Floats | None) -> Floats:
    order = list(steps)
    first = left[order[0]] * right[order[0]]
    total = first if begin is None else fused(left[order[0]], right[order[0]], begin)
    for k in order[1:]:
        total = fused(left[k], right[k], total)
    return np.asarray(total, dtype=np.float32)


def _halves(rows: Floats) -> Floats:
    if len(rows) == 1:
        return np.asarray(rows[0], dtype=np.float32)
    middle = (len(rows) + 1) // 2
    return np.asarray(_halves(rows[:middle]) + _halves(rows[middle:]), dtype=np.float32)


_1 = np.float32(1)
_HALF = np.float32(0.5)


def _once(function: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """In float64 and rounded once: the correctly rounded value but for rare near-ties."""
    return lambda z: np.asarray(function(z.astype(np.float64)), dtype=np.float32)


def _by_sign(z: Floats) -> Floats:
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, _1 / (_1 + e), e / (_1 + e)))


FUNCTIONS: dict[str, tuple[tuple[str, Callable[[Floats], Floats]], ...]] = {
    "sigmoid": (
        ("σ({}) rounded once", _once(lambda z: 1 / (1 + np.exp(-z)))),
        ("1/(1 + exp(−{}))", lambda z: _1 / (_1 + np.exp(-z))),
        ("1/(1 + e) with e = exp(−{}) rounded once", lambda z: _1 / (_1 + _once(np.exp)(-z))),
        ("1/(1 + e) or e/(1 + e) with e = exp(−|{}|)", _by_sign),
        ("½·tanh(½·{}) + ½", lambda z: _HALF * np.tanh(_HALF * z) + _HALF),
        (
            "½·t + ½ with t = tanh(½·{}) rounded once",
            lambda z: _HALF * _once(np.tanh)(_HALF * z) + _HALF,
        ),
    ),
    "tanh": (
        ("tanh({}) rounded once", _once(np.tanh)),
        ("NumPy's tanh({})", np.tanh),
        (
            "1 − 2/(1 + exp(2·{}))",
            lambda z: _1 - np.float32(2) / (_1 + np.exp(np.float32(2) * z)),
        ),
    ),
    "exp": (("exp({}) rounded once", _once(np.exp)), ("NumPy's exp({})", np.exp)),
    "log": (("log({}) rounded once", _once(np.log)), ("NumPy's log({})", np.log)),
    "relu": (("relu({})", lambda z: np.maximum(z, np.float32(0))),),
    "sqrt": (("√{}", np.sqrt),),
}
