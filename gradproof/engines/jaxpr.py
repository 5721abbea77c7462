"""The operations of JAX's programs (jaxprs), each by its meaning over the real numbers.

They are documented in `jax.lax`. Nothing here imports JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.core.term import Relation
from gradproof.core.told import told
from gradproof.engines.backward_program import Operation, Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Gaps, Places, Real, Truth
from gradproof.engines.places import joined, put, take
from gradproof.engines.whole import added_at, as_places, combined, compared, read_at, started
from gradproof.engines.whole import joined as joined_whole
from gradproof.engines.windows import (
    convolved,
    largest_windows,
    summed_windows,
    to_largest,
    window_places,
)

Meaning = Callable[..., Any]
"""``meaning(interpreter, operation, *operands)``."""


def _broadcast(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.spread(x, o.shape, o.attributes["broadcast_dimensions"])


def _convert(i: Interpreter, o: Operation, x: Any) -> Any:
    kind = o.attributes["new_dtype"]
    if isinstance(x, Places) and kind in ("int32", "int64", "uint32", "uint64"):
        return x
    if kind not in ("float64", "float32"):
        return _no(told("conversion to {kind}", kind=kind))
    return i.convert(x) if isinstance(x, Truth) else i.converted(x, kind)


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


def _concatenate(i: Interpreter, o: Operation, *parts: Any) -> Any:
    if any(isinstance(part, Places) for part in parts):
        return joined_whole(parts, o.attributes["dimension"])
    if not all(isinstance(part, Real) for part in parts):
        return _no(told("operation {name} on what is not a finite number", name=o.name))
    return joined(i, parts, o.attributes["dimension"])


def _power(i: Interpreter, o: Operation, x: Real, exponent: Any) -> Real:
    """A rational power, or ``exp(y log x)`` of a positive x."""
    if isinstance(exponent, Real) and exponent.constant is not None:
        return i.power(x, exponent.constant)
    if isinstance(exponent, Real) and x.positive:
        return i.exp(i.multiply(exponent, i.log(x)))
    return _no(told("pow with an exponent that is not one number"))  # type: ignore[no-any-return]


def _exp2(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.exp(i.multiply(x, i.log(i.constant(Fraction(2)))))


def _tan(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.divide(i.apply("sin", x), i.apply("cos", x))


def _cumsum(i: Interpreter, o: Operation, x: Real) -> Real:
    axis, length = o.attributes["axis"], x.shape[o.attributes["axis"]]
    last = -1 if o.attributes.get("exclusive") else 0
    below = np.tri(length, k=last)
    before = below if o.attributes["reverse"] else below.T
    order = [k for k in range(len(x.shape)) if k != axis]
    rows = i.transpose(x, (*order, axis))
    flat = i.reshape(rows, (prod(rows.shape[:-1]), length))
    lifted = i.arithmetic.lift(before)
    table = Real(tuple(part[None] for part in lifted))
    summed = i.reshape(i.matmul(flat, table), rows.shape)
    return i.transpose(summed, np.argsort((*order, axis)).tolist())  # type: ignore[no-any-return]


def arithmetic(compute: Callable[[Any, Any], Any], verb: Callable[..., Any]) -> Meaning:
    """An operation on numbers that whole ones have too."""

    def meaning(i: Interpreter, o: Operation, a: Any, b: Any) -> Any:
        if isinstance(a, Places) or isinstance(b, Places):
            return combined(compute, a, b)
        if not (isinstance(a, Real | Gaps) and isinstance(b, Real | Gaps)):
            return _no(told("operation {name} on what is not a finite number", name=o.name))
        return verb(i, a, b)

    return meaning


def compare(relation: Relation, *, turned: bool = False) -> Meaning:
    """A comparison of numbers, of whole ones too, in the other order where it is `turned`."""

    def meaning(i: Interpreter, o: Operation, a: Any, b: Any) -> Truth:
        left, right = (b, a) if turned else (a, b)
        if isinstance(a, Places) or isinstance(b, Places):
            return compared(i, relation, left, right)
        return i.compare(relation, left, right)

    return meaning


def in_order(result: int, first: Callable[[Operation, int], slice]) -> Meaning:
    """Elements of an axis in rising order (0), or where they stand (1); `first` says which."""

    def meaning(i: Interpreter, o: Operation, x: Real) -> Any:
        axis = o.attributes["axis"]
        found = i.order(x, axis)[result]
        key = first(o, x.shape[axis])
        return i.reshape(i.take(found, (*(slice(None),) * axis, key)), o.shape)

    return meaning


def largest_first(o: Operation, length: int) -> slice:
    """The ``k`` largest, in falling order."""
    count = o.attributes["k"]
    return slice(length - 1, length - 1 - count if length > count else None, -1)


def _gathered_at(i: Interpreter, o: Operation, x: Any, indices: Any) -> Real:
    if not isinstance(x, Real):
        return _no(told("integers that depend on the inputs"))  # type: ignore[no-any-return]
    flat, _ = started(as_places(indices), *_windows_at(o))
    return read_at(i, x, flat)


def _added_at(i: Interpreter, o: Operation, x: Any, indices: Any, updates: Any) -> Real:
    if not isinstance(x, Real) or not isinstance(updates, Real):
        return _no(told("integers that depend on the inputs"))  # type: ignore[no-any-return]
    flat, reach = started(as_places(indices), *_windows_at(o))
    return added_at(i, x, flat, updates, reach)


def _windows_at(o: Operation) -> tuple[Any, ...]:
    return tuple(o.attributes[name] for name in ("base", "strides", "lengths", "kept"))


def _elementary(name: str) -> Meaning:
    """A function of the arithmetic's own that the dictionary does not have."""
    return lambda i, o, x: i.elementary(name, x)


def stepped(name: str) -> Meaning:
    """A function that rises in steps."""
    return lambda i, o, x: i.stepped(name, x)


def quotient(name: str) -> Meaning:
    """A quotient, made whole."""
    return lambda i, o, a, b: i.stepped(name, i.divide(a, b))


def rest(name: str) -> Meaning:
    """What a whole quotient leaves."""
    return lambda i, o, a, b: i.subtract(a, i.multiply(b, i.stepped(name, i.divide(a, b))))


def _logical(name: str) -> Meaning:
    return lambda i, o, *truths: _joined_truths(i, name, *truths)


def _joined_truths(i: Interpreter, name: str, *truths: Any) -> Truth:
    if not all(isinstance(t, Truth) for t in truths):
        return _no(told("{name} of numbers", name=name))  # type: ignore[no-any-return]
    match name:
        case "not":
            return i.negated(truths[0])
        case "and":
            return i.both(*truths)
        case "or" if any(t.known is False for t in truths):
            return truths[0] if truths[1].known is False else truths[1]  # type: ignore[no-any-return]
        case _:
            return i.negated(i.both(*(i.negated(t) for t in truths)))


def _linear_solve(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    """``A⁻¹b``, or for each of b's rows: a solver's error is that of the inverse at most, ``|A⁻¹| D
    |A⁻¹b|``."""
    inverse = i.inverse(i.transpose(a, (1, 0)) if o.attributes["turned"] else a)
    if o.attributes["rows"]:
        return i.matmul(b, i.transpose(inverse, (1, 0)))
    single = len(b.shape) == 1
    return i.reshape(i.matmul(inverse, i.reshape(b, (*b.shape, 1)) if single else b), o.shape)


def _reduce_or(i: Interpreter, o: Operation, x: Any) -> Truth:
    """Whether one holds, of truth values that are known without the inputs."""
    if not isinstance(x, Truth) or x.known is None:
        return _no(told("operation {name}", name=o.name))  # type: ignore[no-any-return]
    return i.known(x.known, o.shape)


def _reduce_prod(i: Interpreter, o: Operation, x: Real) -> Any:
    axes = o.attributes["axes"]
    kept = [k for k in range(len(x.shape)) if k not in axes]
    rows = i.transpose(x, (*kept, *axes))
    flat = i.reshape(rows, (*(x.shape[k] for k in kept), prod(x.shape[k] for k in axes)))
    return i.reshape(products(i, flat, len(kept))[-1], o.shape)


def products(i: Interpreter, x: Real, axis: int) -> list[Real]:
    """The products of the first one, two, … elements along an axis, which is kept."""
    before = (slice(None),) * axis
    parts = [i.take(x, (*before, slice(k, k + 1))) for k in range(x.shape[axis])]
    found = parts[:1]
    for part in parts[1:]:
        found.append(i.multiply(found[-1], part))
    return found


# --- windows --------------------------------------------------------------------------------------


def _places(o: Operation, lengths: Sequence[int], counts: Sequence[int]) -> np.ndarray:
    """Windows along all axes, those of samples and channels too."""
    own, ones = o.attributes, (1,) * len(lengths)
    lows = [low for low, _ in own["padding"]]
    apart, spread = own.get("window_dilation", ones), own.get("base_dilation", ones)
    window, strides = own["window_dimensions"], own["window_strides"]
    return window_places(lengths, window, counts, strides, lows, apart, spread)


def _picture(i: Interpreter, x: Real) -> Any:
    return i.reshape(x, (1, 1, *x.shape))


def _window_sum(i: Interpreter, o: Operation, x: Real) -> Any:
    places = _places(o, x.shape, o.shape)
    return i.reshape(summed_windows(i, _picture(i, x), places), o.shape)


def _window_max(i: Interpreter, o: Operation, x: Real) -> Any:
    places = _places(o, x.shape, o.shape)
    return i.reshape(largest_windows(i, _picture(i, x), places), o.shape)


def _window_min(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.negate(_window_max(i, o, i.negate(x)))


def _to_winner(i: Interpreter, o: Operation, g: Real, x: Real) -> Any:
    places = _places(o, x.shape, g.shape)
    largest = "ge" in str(o.attributes["select_prim"])
    found = to_largest(i, _picture(i, x if largest else i.negate(x)), _picture(i, g), places)
    return i.reshape(found, o.shape)


def _convolution(i: Interpreter, o: Operation, x: Real, w: Real) -> Any:
    """With samples, kernel and result turned to have samples and channels first."""
    own = o.attributes
    left, right, made = own["dimension_numbers"]
    x, w = i.transpose(x, left), i.transpose(w, right)
    counts = [o.shape[axis] for axis in made[2:]]
    places = window_places(
        x.shape[2:],
        w.shape[2:],
        counts,
        own["window_strides"],
        [low for low, _ in own["padding"]],
        own["rhs_dilation"],
        own["lhs_dilation"],
    )
    groups = own["batch_group_count"]
    if groups == 1:
        found = convolved(i, x, w, places, own["feature_group_count"])
    else:  # each group of samples has its own part of the kernels
        many, each = x.shape[0] // groups, w.shape[0] // groups
        parts = [
            convolved(
                i,
                i.take(x, (slice(k * many, (k + 1) * many),)),
                i.take(w, (slice(k * each, (k + 1) * each),)),
                places,
            )
            for k in range(groups)
        ]
        found = joined(i, parts, 1)
    return i.transpose(found, np.argsort(made).tolist())


def _is_finite(i: Interpreter, o: Operation, x: Any) -> Truth:
    return i.known(not isinstance(x, float), o.shape)


def _stopped(i: Interpreter, o: Operation, x: Any) -> Any:
    """JAX's own softmax and logsumexp stop a gradient at what keeps exp from overflowing."""
    return replace(x, shift=True) if isinstance(x, Real) else x


def _reshape(i: Interpreter, o: Operation, x: Any) -> Any:
    order = o.attributes["dimensions"]
    x = x if order is None else i.transpose(x, order)
    return i.reshape(x, o.shape)


# fmt: off
MIXED = frozenset(
    {
        "select_n", "convert_element_type", "and", "or", "not", "is_finite", "eq", "ne", "gt",
        "ge", "lt", "le", "max", "min", "reshape", "squeeze", "expand_dims", "broadcast_in_dim",
        "transpose", "slice", "copy", "stop_gradient", "add", "concatenate", "gather_at", "add_at",
        "reduce_or",
    }
)
# fmt: on
"""Operations that also take truth values or infinities."""

FUSED: Mapping[str, str] = {"linear_solve": "A⁻¹b"}
"""What a solver is taken as."""

JAXPR: Mapping[str, Meaning] = {
    "add": arithmetic(np.add, lambda i, a, b: i.add(a, b)),
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
    "cbrt": lambda i, o, x: i.power(x, Fraction(1, 3)),
    "exp": lambda i, o, x: i.exp(x),
    "exp2": _exp2,
    "tan": _tan,
    "log": lambda i, o, x: i.log(x),
    "log1p": lambda i, o, x: i.log(i.add(i.constant(Fraction(1)), x)),
    "expm1": lambda i, o, x: i.subtract(i.exp(x), i.constant(Fraction(1))),
    "tanh": lambda i, o, x: i.apply("tanh", x),
    "sin": lambda i, o, x: i.apply("sin", x),
    "cos": lambda i, o, x: i.apply("cos", x),
    "sinh": lambda i, o, x: i.apply("sinh", x),
    "cosh": lambda i, o, x: i.apply("cosh", x, positive=True),
    **{name: _elementary(name) for name in ("atan", "asin", "acos", "asinh", "acosh", "atanh")},
    "atan2": lambda i, o, y, x: i.angle(y, x),
    "erf": lambda i, o, x: i.apply("erf", x),
    "erfc": lambda i, o, x: i.subtract(i.constant(Fraction(1)), i.apply("erf", x)),
    "logistic": lambda i, o, x: i.apply("sigmoid", x, positive=True),
    "abs": lambda i, o, x: i.abs(x),
    "sign": lambda i, o, x: i.sign(x),
    "max": lambda i, o, a, b: i.maximum(a, b),
    "min": lambda i, o, a, b: i.minimum(a, b),
    "floor": stepped("floor"),
    "ceil": stepped("ceil"),
    "round": stepped("round"),
    "rem": rest("trunc"),
    "gt": compare(">"),
    "ge": compare(">="),
    "lt": compare(">", turned=True),
    "le": compare(">=", turned=True),
    "eq": compare("=="),
    "ne": lambda i, o, a, b: i.negated(compare("==")(i, o, a, b)),
    "and": _logical("and"),
    "or": _logical("or"),
    "not": _logical("not"),
    "reduce_or": _reduce_or,
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
    "reduce_min": lambda i, o, x: i.smallest(x, o.attributes["axes"]),
    "clamp": lambda i, o, low, x, high: i.minimum(i.maximum(x, low), high),
    "cumsum": _cumsum,
    "linear_solve": _linear_solve,
    "reduce_prod": _reduce_prod,
    "reduce_window_sum": _window_sum,
    "reduce_window_max": _window_max,
    "reduce_window_min": _window_min,
    "select_and_scatter_add": _to_winner,
    "conv_general_dilated": _convolution,
    "sort": in_order(0, lambda o, length: slice(None)),
    "sort:1": in_order(1, lambda o, length: slice(None)),
    "top_k": in_order(0, largest_first),
    "top_k:1": in_order(1, largest_first),
    "argmax": in_order(1, lambda o, length: slice(length - 1, length)),
    "argmin": in_order(1, lambda o, length: slice(0, 1)),
    "gather_at": _gathered_at,
    "add_at": _added_at,
    "slice": _slice,
    "rev": _reverse,
    "pad": _pad,
    "concatenate": _concatenate,
    "take": take,
    "put_add": put,
}
"""What each operation means; ``take`` and ``put_add`` are gathers and scatters whose places do not
depend on the data, ``gather_at`` and ``add_at`` those whose places the order of numbers says."""
