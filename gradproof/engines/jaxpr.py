"""The operations of JAX's programs (jaxprs), each by its meaning over the real numbers.

They are documented in `jax.lax`. Nothing here imports JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.core.told import told
from gradproof.engines.backward_program import Operation, Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Real, Truth
from gradproof.engines.places import put, take

Meaning = Callable[..., Any]
"""``meaning(interpreter, operation, *operands)``."""


def _broadcast(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.spread(x, o.shape, o.attributes["broadcast_dimensions"])


def _convert(i: Interpreter, o: Operation, x: Any) -> Any:
    kind = o.attributes["new_dtype"]
    if isinstance(x, Truth):
        return (
            i.convert(x)
            if kind.startswith("float")
            else _no(told("conversion to {kind}", kind=kind))
        )
    if isinstance(x, Real) and kind.startswith("float"):
        return x
    return _no(told("conversion to {kind}", kind=kind))


def _no(what: str) -> Any:
    raise Unattempted(what)


def _dot_general(i: Interpreter, o: Operation, a: Real, b: Real) -> Real:
    (over_a, over_b), (batch_a, batch_b) = o.attributes["dimension_numbers"]
    rows = [k for k in range(len(a.shape)) if k not in (*over_a, *batch_a)]
    columns = [k for k in range(len(b.shape)) if k not in (*over_b, *batch_b)]
    batch = [a.shape[k] for k in batch_a]
    length = prod(a.shape[k] for k in over_a)
    left = i.reshape(
        i.transpose(a, (*batch_a, *rows, *over_a)),
        (*batch, prod(a.shape[k] for k in rows), length),
    )
    right = i.reshape(
        i.transpose(b, (*batch_b, *over_b, *columns)),
        (*batch, length, prod(b.shape[k] for k in columns)),
    )
    return i.reshape(i.matmul(left, right), o.shape)  # type: ignore[no-any-return]


def _select(i: Interpreter, o: Operation, which: Any, *cases: Any) -> Any:
    if len(cases) != 2:
        return _no(told("select_n of several"))
    no, yes = cases
    return i.select(which, yes, no)


def _slice(i: Interpreter, o: Operation, x: Any) -> Any:
    a = o.attributes
    strides = a["strides"] or (1,) * len(a["start_indices"])
    places = zip(a["start_indices"], a["limit_indices"], strides, strict=True)
    return i.take(x, tuple(slice(*place) for place in places))


def _reverse(i: Interpreter, o: Operation, x: Any) -> Any:
    axes = o.attributes["dimensions"]
    backwards = slice(None, None, -1)
    return i.take(x, tuple(backwards if k in axes else slice(None) for k in range(len(x.shape))))


def _squeeze(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.reshape(x, o.shape)


def _pad(i: Interpreter, o: Operation, x: Real, fill: Any) -> Real:
    if not isinstance(fill, Real) or fill.constant is None:
        return _no(told("pad with what is not a number"))  # type: ignore[no-any-return]
    kept, key = [], []
    for length, (low, _, interior), size in zip(
        x.shape, o.attributes["padding_config"], o.shape, strict=True
    ):
        step = interior + 1
        inside = [k for k in range(length) if 0 <= low + k * step < size]  # padding may cut
        first = inside[0] if inside else 0
        kept.append(slice(first, first + len(inside)))
        start = low + first * step
        key.append(slice(start, start + len(inside) * step, step))
    return i.placed(i.take(x, tuple(kept)), o.shape, tuple(key), fill.constant)


def _concatenate(i: Interpreter, o: Operation, *parts: Real) -> Real:
    axis = o.attributes["dimension"]
    result, start = i.constant(Fraction(0), o.shape), 0
    for part in parts:
        stop = start + part.shape[axis]
        key = (*(slice(None),) * axis, slice(start, stop))
        result, start = i.add(result, i.placed(part, o.shape, key)), stop
    return result


def _power(i: Interpreter, o: Operation, x: Real, exponent: Any) -> Real:
    if not isinstance(exponent, Real) or exponent.constant is None:
        return _no(told("pow with an exponent that is not one number"))  # type: ignore[no-any-return]
    return i.power(x, exponent.constant)


def _cumsum(i: Interpreter, o: Operation, x: Real) -> Real:
    axis, length = o.attributes["axis"], x.shape[o.attributes["axis"]]
    before = np.tri(length) if o.attributes["reverse"] else np.tri(length).T
    order = [k for k in range(len(x.shape)) if k != axis]
    rows = i.transpose(x, (*order, axis))
    flat = i.reshape(rows, (prod(rows.shape[:-1]), length))
    lifted = i.arithmetic.lift(before)
    table = Real(tuple(part[None] for part in lifted))
    summed = i.reshape(i.matmul(flat, table), rows.shape)
    return i.transpose(summed, np.argsort((*order, axis)).tolist())  # type: ignore[no-any-return]


def _logical(i: Interpreter, o: Operation, *truths: Any) -> Truth:
    if not all(isinstance(t, Truth) for t in truths):
        return _no(told("{name} of numbers", name=o.name))  # type: ignore[no-any-return]
    match o.name:
        case "not":
            return i.negated(truths[0])
        case "and":
            return i.both(*truths)
        case _:
            return i.negated(i.both(*(i.negated(t) for t in truths)))


def _is_finite(i: Interpreter, o: Operation, x: Any) -> Truth:
    return i.known(not isinstance(x, float), o.shape)


def _stopped(i: Interpreter, o: Operation, x: Any) -> Any:
    """Only JAX's own softmax and logsumexp stop a gradient: at what keeps exp from overflowing."""
    return replace(x, shift=True) if isinstance(x, Real) else x


def _reshape(i: Interpreter, o: Operation, x: Any) -> Any:
    if o.attributes["dimensions"] is not None:
        return _no(told("reshape in another order"))
    return i.reshape(x, o.shape)


# fmt: off
MIXED = frozenset(
    {
        "select_n", "convert_element_type", "and", "or", "not", "is_finite", "eq", "ne", "gt",
        "ge", "lt", "le", "max", "min", "reshape", "squeeze", "expand_dims", "broadcast_in_dim",
        "transpose", "slice", "copy", "stop_gradient",
    }
)
# fmt: on
"""Operations that also take truth values or infinities."""

JAXPR: Mapping[str, Meaning] = {
    "add": lambda i, o, a, b: i.add(a, b),
    "add_any": lambda i, o, a, b: i.add(a, b),
    "sub": lambda i, o, a, b: i.subtract(a, b),
    "mul": lambda i, o, a, b: i.multiply(a, b),
    "div": lambda i, o, a, b: i.divide(a, b),
    "neg": lambda i, o, x: i.negate(x),
    "square": lambda i, o, x: i.power(x, Fraction(2)),
    "integer_pow": lambda i, o, x: i.power(x, Fraction(o.attributes["y"])),
    "pow": _power,
    "sqrt": lambda i, o, x: i.power(x, Fraction(1, 2)),
    "rsqrt": lambda i, o, x: i.power(x, Fraction(-1, 2)),
    "exp": lambda i, o, x: i.exp(x),
    "log": lambda i, o, x: i.log(x),
    "log1p": lambda i, o, x: i.log(i.add(i.constant(Fraction(1)), x)),
    "expm1": lambda i, o, x: i.subtract(i.exp(x), i.constant(Fraction(1))),
    "tanh": lambda i, o, x: i.apply("tanh", x),
    "sin": lambda i, o, x: i.apply("sin", x),
    "cos": lambda i, o, x: i.apply("cos", x),
    "sinh": lambda i, o, x: i.apply("sinh", x),
    "cosh": lambda i, o, x: i.apply("cosh", x, positive=True),
    "erf": lambda i, o, x: i.apply("erf", x),
    "erfc": lambda i, o, x: i.subtract(i.constant(Fraction(1)), i.apply("erf", x)),
    "logistic": lambda i, o, x: i.apply("sigmoid", x, positive=True),
    "abs": lambda i, o, x: i.abs(x),
    "sign": lambda i, o, x: i.sign(x),
    "max": lambda i, o, a, b: i.maximum(a, b),
    "min": lambda i, o, a, b: i.minimum(a, b),
    "gt": lambda i, o, a, b: i.compare(">", a, b),
    "ge": lambda i, o, a, b: i.compare(">=", a, b),
    "lt": lambda i, o, a, b: i.compare(">", b, a),
    "le": lambda i, o, a, b: i.compare(">=", b, a),
    "eq": lambda i, o, a, b: i.compare("==", a, b),
    "ne": lambda i, o, a, b: i.negated(i.compare("==", a, b)),
    "and": _logical,
    "or": _logical,
    "not": _logical,
    "is_finite": _is_finite,
    "select_n": _select,
    "convert_element_type": _convert,
    "stop_gradient": _stopped,
    "copy": lambda i, o, x: x,
    "dot_general": _dot_general,
    "transpose": lambda i, o, x: i.transpose(x, o.attributes["permutation"]),
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _squeeze,
    "broadcast_in_dim": _broadcast,
    "reduce_sum": lambda i, o, x: i.total(x, o.attributes["axes"]),
    "reduce_max": lambda i, o, x: i.largest(x, o.attributes["axes"]),
    "cumsum": _cumsum,
    "slice": _slice,
    "rev": _reverse,
    "pad": _pad,
    "concatenate": _concatenate,
    "take": take,
    "put_add": put,
}
"""What each operation means; ``take`` and ``put_add`` are gathers and scatters whose places do not
depend on the data."""
