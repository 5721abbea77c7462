"""The operations of PyTorch's programs (aten), each by its meaning over the real numbers.

Fused kernels are taken at the mathematics that PyTorch documents for them, and `FUSED` says so.
Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.core.told import told
from gradproof.engines.aten_windows import WINDOWS
from gradproof.engines.backward_program import Operation, Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.jaxpr import JAXPR, products, quotient, rest, stepped
from gradproof.engines.known import Gaps, Places, Real, Truth
from gradproof.engines.places import joined, put, take

Meaning = Callable[..., Any]
"""``meaning(interpreter, operation, *operands)``: tensors and numbers are operands, in the order of
the operator's schema; dimensions and sizes are attributes, by their names in it."""

ONE = Fraction(1)

FUSED: Mapping[str, str] = {
    "aten.sigmoid_backward": "g·y·(1−y)",
    "aten.tanh_backward": "g·(1−y²)",
    "aten.threshold_backward": "g·[y > t]",
    "aten._softmax": "exp x / Σ exp x",
    "aten._softmax_backward_data": "y·(g − Σ g·y)",
    "aten.logsumexp": "log Σ exp x",
    "aten._log_softmax": "x − log Σ exp x",
    "aten._log_softmax_backward_data": "g − exp(y)·Σ g",
    "aten.convolution": told("sums of products under a window"),
    "aten.convolution_backward": told("the transposes of sums of products under a window"),
    "aten.avg_pool2d": told("means under a window"),
    "aten.avg_pool2d_backward": told("the transpose of means under a window"),
    "aten.linalg_inv_ex": "A⁻¹",
    "aten._linalg_slogdet:1": "log |det A|",
    "aten.linalg_lu_solve": "A⁻ᵀb",
    "aten.silu": "x·σ(x)",
    "aten.silu_backward": "g·σ(x)·(1 + x·(1−σ(x)))",
    "aten.gelu": told("x·Φ(x), or its form by tanh"),
    "aten.gelu_backward": told("g·(Φ(x) + x·φ(x)), or the derivative of the form by tanh"),
}
"""What several operations in one kernel are taken as."""


def _number(i: Interpreter, x: Any) -> Any:
    if isinstance(x, Truth):
        return i.convert(x)
    if not isinstance(x, Real | Gaps):
        raise Unattempted(told("arithmetic on an infinity"))
    return x


def _arithmetic(verb: Callable[[Interpreter, Real, Real], Real]) -> Meaning:
    def meaning(i: Interpreter, o: Operation, a: Any, b: Any, *alpha: Real) -> Real:
        second = _number(i, b)
        return verb(i, _number(i, a), i.multiply(alpha[0], second) if alpha else second)

    return meaning


def _axis(o: Operation, x: Any, name: str = "dim") -> int:
    return int(o.attributes[name]) % max(len(x.shape), 1)


def _axes(o: Operation, x: Any) -> tuple[int, ...]:
    given = o.attributes.get("dim", o.attributes.get("dims"))
    if given is None or given == ():
        return tuple(range(len(x.shape)))
    listed = given if isinstance(given, tuple) else (given,)
    return tuple(axis % len(x.shape) for axis in listed)


def _sum(i: Interpreter, o: Operation, x: Any) -> Any:
    x = _number(i, x)
    return i.reshape(i.total(x, _axes(o, x)), o.shape)


def _amax(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.reshape(i.largest(x, _axes(o, x)), o.shape)


def _amin(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.smallest(x, _axes(o, x)), o.shape)


def _ordered(part: Callable[[Operation, int], tuple[int, ...] | slice], result: int) -> Meaning:
    """One result of what puts an axis in order: its elements, or where they stand; `part` says
    which of them."""

    def meaning(i: Interpreter, o: Operation, x: Real) -> Any:
        axis = _axis(o, x)
        found = i.order(x, axis)[result]
        chosen = part(o, x.shape[axis])
        key = chosen if isinstance(chosen, slice) else np.asarray(chosen)
        return i.reshape(i.take(found, (*(slice(None),) * axis, key)), o.shape)

    return meaning


def _topk(o: Operation, length: int) -> slice:
    count = int(o.attributes["k"])
    if o.attributes["largest"]:
        return slice(length - 1, length - 1 - count if length > count else None, -1)
    return slice(0, count)


def _sorted(o: Operation, length: int) -> slice:
    return slice(None, None, -1) if o.attributes["descending"] else slice(None)


def _argmax(place: int) -> Meaning:
    def meaning(i: Interpreter, o: Operation, x: Real) -> Any:
        if o.attributes["dim"] is None:
            raise Unattempted(told("operation {name}", name=f"{o.name} of all elements"))
        return _ordered(lambda o, length: (place % length,), 1)(i, o, x)

    return meaning


def _gathered(i: Interpreter, o: Operation, x: Real, places: Any) -> Real:
    return i.taken_along(x, _axis(o, x), _places(places))


def _scattered(i: Interpreter, o: Operation, x: Real, places: Any, updates: Real) -> Real:
    if "scatter_add" not in o.name and x.constant != 0:
        raise Unattempted(told("operation {name}", name=o.name))
    return i.added_along(x, _axis(o, x), _places(places), updates)


def _places(places: Any) -> Places:
    if not isinstance(places, Places):
        raise Unattempted(told("integers that depend on the inputs"))
    return places


def _filled_scatter(i: Interpreter, o: Operation, x: Real, places: Any, value: Real) -> Real:
    found = _places(places)
    wide = i.spread(value, found.shape, ())
    return _scattered(i, o, x, found, wide)


def _matmul(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    left = i.reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a
    right = i.reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b
    return i.reshape(i.matmul(left, right), o.shape)


def _transpose(i: Interpreter, o: Operation, x: Any) -> Any:
    order = list(range(len(x.shape)))
    if "dim0" in o.attributes:
        first, second = _axis(o, x, "dim0"), _axis(o, x, "dim1")
        order[first], order[second] = order[second], order[first]
    elif "dims" in o.attributes:
        order = [int(axis) % len(order) for axis in o.attributes["dims"]]
    else:  # aten.t
        order.reverse()
    return i.transpose(x, order)


def _view(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.reshape(x, o.shape)


def _expand(i: Interpreter, o: Operation, x: Any) -> Any:
    new = len(o.shape) - len(x.shape)
    return i.spread(x, o.shape, tuple(range(new, len(o.shape))))


def _slices(o: Operation, axis: int) -> tuple[Any, ...]:
    a = o.attributes
    return (*(slice(None),) * axis, slice(a["start"], a["end"], a["step"]))


def _select(i: Interpreter, o: Operation, x: Any) -> Any:
    key = (*(slice(None),) * _axis(o, x), int(o.attributes["index"]))
    return i.take(x, key)


def _slice_backward(i: Interpreter, o: Operation, g: Real) -> Real:
    return i.placed(g, o.shape, _slices(o, _axis(o, g)))


def _select_backward(i: Interpreter, o: Operation, g: Real) -> Real:
    axis = int(o.attributes["dim"]) % len(o.shape)
    return i.placed(g, o.shape, (*(slice(None),) * axis, int(o.attributes["index"])))


def _flip(i: Interpreter, o: Operation, x: Any) -> Any:
    backwards = slice(None, None, -1)
    axes = [int(axis) % len(x.shape) for axis in o.attributes["dims"]]
    return i.take(x, tuple(backwards if k in axes else slice(None) for k in range(len(x.shape))))


def _filled(value: int) -> Meaning:
    return lambda i, o, *like: i.constant(Fraction(value), o.shape)


def _full(i: Interpreter, o: Operation, value: Any) -> Any:
    return i.spread(value, o.shape, ())


def _power(i: Interpreter, o: Operation, x: Any, exponent: Any) -> Real:
    return JAXPR["pow"](i, o, _number(i, x), exponent)  # type: ignore[no-any-return]


def _clamped(i: Interpreter, o: Operation, x: Any, *bounds: Any) -> Any:
    """Between bounds, of which one may be missing."""
    for which, bound in zip(o.attributes["given"], bounds, strict=True):
        x = i.maximum(x, bound) if which == "min" else i.minimum(x, bound)
    return x


def _logical(name: str) -> Meaning:
    def meaning(i: Interpreter, o: Operation, *truths: Any) -> Truth:
        return JAXPR[name](i, o, *(i.truth(one) for one in truths))  # type: ignore[no-any-return]

    return meaning


def _any(i: Interpreter, o: Operation, x: Any) -> Truth:
    """Whether one holds along axes, of truth values that depend on no input."""
    truth = i.truth(x)
    if truth.known is not None:
        return i.known(truth.known, o.shape)
    if truth.fixed is None:
        raise Unattempted(told("operation {name}", name=o.name))
    axes = tuple(axis + 1 for axis in _axes(o, truth))
    return i.fixed(np.any(truth.fixed, axis=axes).reshape(o.shape))


def _variance(i: Interpreter, o: Operation, x: Real) -> Any:
    """With the deviations' squares added up and divided by n − 1, or what the correction says."""
    axes = _axes(o, x)
    count = prod(x.shape[axis] for axis in axes)
    correction = o.attributes["correction"]
    left = Fraction(count) - (1 if correction is None else Fraction(str(correction)))
    if left <= 0:
        raise Unattempted(told("operation {name}", name=o.name))
    lengths = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    mean = i.multiply(i.constant(Fraction(1, count)), i.total(x, axes))
    apart = i.subtract(x, i.reshape(mean, lengths))
    total = i.total(i.power(apart, Fraction(2)), axes)
    return i.reshape(i.multiply(i.constant(1 / left), total), o.shape)


def _norm(i: Interpreter, o: Operation, x: Real) -> Any:
    """``(Σ |x|ᵖ)^(1/p)`` for a whole p, or the largest absolute value."""
    order, axes = o.attributes["ord"], _axes(o, x)
    size = float(2 if order is None else order)
    if size == np.inf:
        return i.reshape(i.largest(i.abs(x), axes), o.shape)
    if size < 1 or size != int(size):
        raise Unattempted(told("operation {name}", name=f"{o.name} with ord={size:g}"))
    whole = Fraction(int(size))
    inside = x if whole % 2 == 0 else i.abs(x)
    total = i.total(i.power(inside, whole), axes)
    return i.reshape(i.power(total, 1 / whole), o.shape)


def _linear(i: Interpreter, o: Operation, c: Real, *factors: Real) -> Any:
    """``βc + α·ab`` of addmm, addmv and baddbmm."""
    a, b, beta, alpha = factors
    return i.add(i.multiply(beta, c), i.multiply(alpha, _matmul(i, o, a, b)))


def _cumulative(i: Interpreter, o: Operation, x: Any) -> Real:
    number = _number(i, x)
    turned = Operation(o.name, (), {"axis": _axis(o, x), "reverse": False}, 0, o.shape)
    return JAXPR["cumsum"](i, turned, number)  # type: ignore[no-any-return]


def _product(i: Interpreter, o: Operation, x: Real) -> Any:
    if o.attributes.get("dim") is None:
        x = i.reshape(x, (prod(x.shape),))
        return i.reshape(products(i, x, 0)[-1], o.shape)
    return i.reshape(products(i, x, _axis(o, x))[-1], o.shape)


def _cumulative_product(i: Interpreter, o: Operation, x: Real) -> Real:
    axis = _axis(o, x)
    return joined(i, products(i, x, axis), axis)


# --- matrices -------------------------------------------------------------------------------------


def _solve(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    """``A⁻¹b``: a solver's error is that of the inverse at most, ``|A⁻¹| D |A⁻¹b|``."""
    if len(b.shape) < 2 or b.shape[:-2] != a.shape[:-2]:
        raise Unattempted(told("operation {name}", name=o.name))
    inverse = i.inverse(a)
    return i.matmul(inverse, b) if o.attributes["left"] else i.matmul(b, inverse)


def _solved_by_factors(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    """``A⁻ᵀb``, by the factors of A that a determinant has left: those of its transpose where A
    lies row by row, and else with ``adjoint``."""
    if not o.attributes["left"]:
        raise Unattempted(told("operation {name}", name=o.name))
    rank = len(a.shape)
    turned = i.transpose(a, (*range(rank - 2), rank - 1, rank - 2))
    return i.matmul(i.inverse(turned), b)


def _cast(i: Interpreter, o: Operation, x: Any) -> Any:
    if isinstance(x, Places):
        return x
    kind = o.attributes.get("dtype")
    if kind is None:
        return x
    if kind not in ("torch.float64", "torch.float32"):
        raise Unattempted(told("conversion to {attributes}", attributes=kind))
    return i.converted(_number(i, x), kind.removeprefix("torch."))


def _rounded(i: Interpreter, o: Operation, x: Real) -> Real:
    """To the nearest whole number, or to a power of ten beside it."""
    scale = i.constant(Fraction(10) ** int(o.attributes.get("decimals", 0)))
    return i.divide(i.stepped("round", i.multiply(x, scale)), scale)


def _divided(i: Interpreter, o: Operation, a: Any, b: Any) -> Real:
    """A quotient, made whole if its mode says so."""
    a, b, mode = _number(i, a), _number(i, b), o.attributes["rounding_mode"]
    return i.divide(a, b) if mode is None else quotient(mode)(i, o, a, b)


def _masked_fill(i: Interpreter, o: Operation, x: Any, mask: Any, fill: Any) -> Any:
    return i.select(i.truth(mask), fill, x)


def _compare(relation: str, *, turned: bool = False, negated: bool = False) -> Meaning:
    def meaning(i: Interpreter, o: Operation, a: Any, b: Any) -> Truth:
        left, right = (b, a) if turned else (a, b)
        found = i.compare(relation, left, right)  # type: ignore[arg-type]
        return i.negated(found) if negated else found

    return meaning


def _sigmoid_backward(i: Interpreter, o: Operation, g: Real, y: Real) -> Real:
    return i.multiply(i.multiply(g, y), i.subtract(i.constant(ONE), y))


def _tanh_backward(i: Interpreter, o: Operation, g: Real, y: Real) -> Real:
    return i.multiply(g, i.subtract(i.constant(ONE), i.power(y, Fraction(2))))


def _threshold_backward(i: Interpreter, o: Operation, g: Real, y: Real, t: Real) -> Real:
    return i.multiply(g, i.convert(i.compare(">", y, t)))


def _exponentials(i: Interpreter, o: Operation, x: Real) -> tuple[Real, Real, int]:
    axis = _axes(o, x)[0]
    exponentials = i.exp(x)
    return exponentials, i.total(exponentials, (axis,)), axis


def _beside(i: Interpreter, x: Real, axis: int) -> Any:
    return i.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def _softmax(i: Interpreter, o: Operation, x: Real) -> Real:
    exponentials, total, axis = _exponentials(i, o, x)
    return i.divide(exponentials, _beside(i, total, axis))


def _softmax_backward(i: Interpreter, o: Operation, g: Real, y: Real) -> Real:
    axis = _axis(o, y)
    weighted = i.multiply(g, y)
    total = _beside(i, i.total(weighted, (axis,)), axis)
    return i.multiply(y, i.subtract(g, total))


def _logsumexp(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.log(i.total(i.exp(x), _axes(o, x))), o.shape)


def _log_softmax(i: Interpreter, o: Operation, x: Real) -> Real:
    _, total, axis = _exponentials(i, o, x)
    return i.subtract(x, _beside(i, i.log(total), axis))


def _log_softmax_backward(i: Interpreter, o: Operation, g: Real, y: Real) -> Real:
    axis = _axis(o, y)
    total = _beside(i, i.total(g, (axis,)), axis)
    return i.subtract(g, i.multiply(i.exp(y), total))


def _mean(i: Interpreter, o: Operation, x: Any) -> Any:
    x = _number(i, x)
    axes = _axes(o, x)
    count = prod(x.shape[axis] for axis in axes)
    return i.reshape(i.multiply(i.constant(Fraction(1, count)), i.total(x, axes)), o.shape)


def _concatenated(i: Interpreter, o: Operation, *parts: Real) -> Real:
    return joined(i, parts, int(o.attributes["dim"]) % len(o.shape))


def _dot(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    return i.total(i.multiply(a, b), (0,))


def _gelu(o: Operation) -> str:
    return "gelu_tanh" if o.attributes.get("approximate") == "tanh" else "gelu"


def _same(i: Interpreter, o: Operation, x: Any) -> Any:
    return x


# fmt: off
MIXED = frozenset(
    {
        "add", "sub", "rsub", "mul", "div", "where", "masked_fill", "masked_fill_", "sum", "cumsum",
        "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "logical_not", "bitwise_not",
        "logical_and", "logical_or", "bitwise_and", "bitwise_or", "any", "isnan",
        "_to_copy", "clamp", "gather", "scatter", "scatter_add", "pow",
        "detach", "alias", "clone", "lift_fresh_copy", "scalar_tensor", "view", "reshape",
        "_unsafe_view", "unsqueeze", "squeeze", "squeeze_", "expand", "permute", "transpose", "t",
        "slice",
    }
)
# fmt: on
"""Operators that also take truth values, places or infinities, without ``aten.`` and overload."""

# fmt: off
ALIKE = (
    "neg", "square", "sqrt", "rsqrt", "exp", "exp2", "log", "log1p", "expm1", "tanh", "sin", "cos",
    "tan", "sinh", "cosh", "erf", "erfc", "abs", "sign", "floor", "ceil", "atan",
    "asin", "acos", "asinh", "acosh", "atanh", "atan2",
)
# fmt: on
"""Operators that mean what JAX's operation of the same name does."""

ATEN: Mapping[str, Meaning] = {
    **{f"aten.{name}": JAXPR[name] for name in ALIKE},
    "aten.add": _arithmetic(lambda i, a, b: i.add(a, b)),
    "aten.sub": _arithmetic(lambda i, a, b: i.subtract(a, b)),
    "aten.rsub": _arithmetic(lambda i, a, b: i.subtract(b, a)),
    "aten.mul": _arithmetic(lambda i, a, b: i.multiply(a, b)),
    "aten.div.Tensor": _arithmetic(lambda i, a, b: i.divide(a, b)),
    "aten.div.Scalar": _arithmetic(lambda i, a, b: i.divide(a, b)),
    "aten.div.Tensor_mode": _divided,
    "aten.div.Scalar_mode": _divided,
    "aten.trunc": stepped("trunc"),
    "aten.round": _rounded,
    "aten.frac": lambda i, o, x: i.subtract(x, i.stepped("trunc", x)),
    "aten.remainder": rest("floor"),
    "aten.fmod": rest("trunc"),
    "aten.floor_divide": quotient("floor"),
    "aten.reciprocal": lambda i, o, x: i.power(x, -ONE),
    "aten.pow": _power,
    "aten.log2": lambda i, o, x: i.divide(i.log(x), i.log(i.constant(Fraction(2)))),
    "aten.log10": lambda i, o, x: i.divide(i.log(x), i.log(i.constant(Fraction(10)))),
    "aten.silu": lambda i, o, x: i.apply("silu", x),
    "aten.silu_backward": lambda i, o, g, x: i.multiply(g, i.apply("silu", x, order=1)),
    "aten.gelu": lambda i, o, x: i.apply(_gelu(o), x),
    "aten.gelu_backward": lambda i, o, g, x: i.multiply(g, i.apply(_gelu(o), x, order=1)),
    "aten.sigmoid": JAXPR["logistic"],
    "aten.relu": lambda i, o, x: i.maximum(x, i.constant(Fraction(0))),
    "aten.sgn": JAXPR["sign"],
    "aten.clamp": _clamped,
    "aten.maximum": JAXPR["max"],
    "aten.minimum": JAXPR["min"],
    "aten.amax": _amax,
    "aten.amin": _amin,
    "aten.max": _amax,
    "aten.min": _amin,
    "aten.max.dim": _amax,
    "aten.min.dim": _amin,
    "aten.max.dim:1": _ordered(lambda o, length: (length - 1,), 1),
    "aten.min.dim:1": _ordered(lambda o, length: (0,), 1),
    "aten.argmax": _argmax(-1),
    "aten.argmin": _argmax(0),
    "aten.median.dim": _ordered(lambda o, length: ((length - 1) // 2,), 0),
    "aten.median.dim:1": _ordered(lambda o, length: ((length - 1) // 2,), 1),
    "aten.sort": _ordered(_sorted, 0),
    "aten.sort:1": _ordered(_sorted, 1),
    "aten.topk": _ordered(_topk, 0),
    "aten.topk:1": _ordered(_topk, 1),
    "aten.gather": _gathered,
    "aten.scatter.src": _scattered,
    "aten.scatter.value": _filled_scatter,
    "aten.scatter_add": _scattered,
    "aten.gt": _compare(">"),
    "aten.ge": _compare(">="),
    "aten.lt": _compare(">", turned=True),
    "aten.le": _compare(">=", turned=True),
    "aten.eq": _compare("=="),
    "aten.ne": _compare("==", negated=True),
    "aten.logical_not": _logical("not"),
    "aten.bitwise_not": _logical("not"),
    "aten.logical_and": _logical("and"),
    "aten.bitwise_and": _logical("and"),
    "aten.logical_or": _logical("or"),
    "aten.bitwise_or": _logical("or"),
    "aten.any": _any,
    "aten.isnan": lambda i, o, x: i.known(False, o.shape),
    "aten.where": lambda i, o, which, yes, no: i.select(i.truth(which), yes, no),
    "aten.masked_fill": _masked_fill,
    "aten.masked_fill_": _masked_fill,
    "aten.sum": _sum,
    "aten.mean": _mean,
    "aten.prod": _product,
    "aten.cumsum": _cumulative,
    "aten.cumprod": _cumulative_product,
    "aten.var": _variance,
    "aten.std": lambda i, o, x: i.power(_variance(i, o, x), Fraction(1, 2)),
    "aten.linalg_vector_norm": _norm,
    "aten.mm": _matmul,
    "aten.bmm": _matmul,
    "aten.mv": _matmul,
    "aten.dot": _dot,
    "aten.addmm": _linear,
    "aten.addmv": _linear,
    "aten.baddbmm": _linear,
    "aten.linalg_inv_ex": lambda i, o, a: i.inverse(a),
    "aten._linalg_solve_ex": _solve,
    "aten._linalg_slogdet:1": lambda i, o, a: i.reshape(i.logdet(a), o.shape),
    "aten._linalg_slogdet:2": _same,
    "aten.linalg_lu_solve": _solved_by_factors,
    **WINDOWS,
    "aten.t": _transpose,
    "aten.transpose.int": _transpose,
    "aten.permute": _transpose,
    "aten.view": _view,
    "aten._unsafe_view": _view,
    "aten.reshape": _view,
    "aten.unsqueeze": _view,
    "aten.squeeze": _view,
    "aten.squeeze_": _view,
    "aten.expand": _expand,
    "aten.select.int": _select,
    "aten.slice.Tensor": lambda i, o, x: i.take(x, _slices(o, _axis(o, x))),
    "aten.flip": _flip,
    "aten.select_backward": _select_backward,
    "aten.slice_backward": _slice_backward,
    "aten.cat": _concatenated,
    "aten.ones_like": _filled(1),
    "aten.zeros_like": _filled(0),
    "aten.new_ones": _filled(1),
    "aten.new_zeros": _filled(0),
    "aten.full_like": _full,
    "aten.new_full": _full,
    "aten.scalar_tensor": _same,
    "aten._to_copy": _cast,
    "aten.detach": _same,
    "aten.alias": _same,
    "aten.clone": _same,
    "aten.lift_fresh_copy": _same,
    "prims.where": lambda i, o, which, yes, no: i.select(i.truth(which), yes, no),
    "prims.var": _variance,
    "prims.sum": _sum,
    "prims.div": _arithmetic(lambda i, a, b: i.divide(a, b)),
    "prims.broadcast_in_dim": JAXPR["broadcast_in_dim"],
    "take": take,
    "put_add": put,
    "aten.sigmoid_backward": _sigmoid_backward,
    "aten.tanh_backward": _tanh_backward,
    "aten.threshold_backward": _threshold_backward,
    "aten._softmax": _softmax,
    "aten._softmax_backward_data": _softmax_backward,
    "aten.logsumexp": _logsumexp,
    "aten._log_softmax": _log_softmax,
    "aten._log_softmax_backward_data": _log_softmax_backward,
}
"""What each operator means: by its name, or by name and overload where they differ; ``:1`` is its
second result."""
