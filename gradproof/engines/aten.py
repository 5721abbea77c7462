"""The operations of PyTorch's programs (aten), each by its meaning over the real numbers.

Fused kernels are taken at the mathematics that PyTorch documents for them, and `FUSED` says so.
Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from typing import Any

from gradproof.core.told import told
from gradproof.engines.backward_program import Operation, Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.known import Real, Truth
from gradproof.engines.places import labelled, labelled_backward, put, take

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
    "aten.nll_loss_forward": "−x[n, yₙ]",
    "aten.nll_loss_backward": "−g·[k = yₙ]",
    "aten.silu": "x·σ(x)",
    "aten.silu_backward": "g·σ(x)·(1 + x·(1−σ(x)))",
    "aten.gelu": told("x·Φ(x), or its form by tanh"),
    "aten.gelu_backward": told("g·(Φ(x) + x·φ(x)), or the derivative of the form by tanh"),
}
"""What several operations in one kernel are taken as."""


def _number(i: Interpreter, x: Any) -> Real:
    if isinstance(x, Truth):
        return i.convert(x)
    if not isinstance(x, Real):
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
    given = o.attributes.get("dim")
    if given is None or given == ():
        return tuple(range(len(x.shape)))
    listed = given if isinstance(given, tuple) else (given,)
    return tuple(axis % len(x.shape) for axis in listed)


def _sum(i: Interpreter, o: Operation, x: Any) -> Any:
    x = _number(i, x)
    return i.reshape(i.total(x, _axes(o, x)), o.shape)


def _amax(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.largest(x, _axes(o, x)), o.shape)


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


def _power(i: Interpreter, o: Operation, x: Any, exponent: Any) -> Real:
    if not isinstance(exponent, Real) or exponent.constant is None:
        raise Unattempted(told("pow with an exponent that is not one number"))
    return i.power(_number(i, x), exponent.constant)


def _cast(i: Interpreter, o: Operation, x: Any) -> Any:
    if o.attributes.get("dtype") in (None, "torch.float64"):
        return _number(i, x) if o.attributes.get("dtype") else x
    raise Unattempted(told("conversion to {attributes}", attributes=o.attributes["dtype"]))


def _masked_fill(i: Interpreter, o: Operation, x: Real, mask: Truth, fill: Real) -> Any:
    return i.select(mask, fill, x)


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
    if len(_axes(o, x)) != 1:
        raise Unattempted(told("logsumexp over several axes"))
    _, total, _ = _exponentials(i, o, x)
    return i.reshape(i.log(total), o.shape)


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
    axis = int(o.attributes["dim"]) % len(o.shape)
    result, start = i.constant(Fraction(0), o.shape), 0
    for part in parts:
        stop = start + part.shape[axis]
        key = (*(slice(None),) * axis, slice(start, stop))
        result, start = i.add(result, i.placed(part, o.shape, key)), stop
    return result


def _dot(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    return i.total(i.multiply(a, b), (0,))


def _addmm(i: Interpreter, o: Operation, c: Real, a: Real, b: Real, beta: Real, alpha: Real) -> Any:
    product = i.multiply(alpha, _matmul(i, o, a, b))
    return i.add(i.multiply(beta, c), product)


def _gelu(o: Operation) -> str:
    return "gelu_tanh" if o.attributes.get("approximate") == "tanh" else "gelu"


def _same(i: Interpreter, o: Operation, x: Any) -> Any:
    return x


# fmt: off
MIXED = frozenset(
    {
        "add", "sub", "rsub", "mul", "div", "where", "masked_fill", "masked_fill_", "sum",
        "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "logical_not", "bitwise_not",
        "_to_copy",
        "detach", "alias", "clone", "lift_fresh_copy", "scalar_tensor", "view", "reshape",
        "_unsafe_view", "unsqueeze", "squeeze", "squeeze_", "expand", "permute", "transpose", "t",
        "slice",
    }
)
# fmt: on
"""Operators that also take truth values or infinities, without ``aten.`` and overload."""

ATEN: Mapping[str, Meaning] = {
    "aten.add": _arithmetic(lambda i, a, b: i.add(a, b)),
    "aten.sub": _arithmetic(lambda i, a, b: i.subtract(a, b)),
    "aten.rsub": _arithmetic(lambda i, a, b: i.subtract(b, a)),
    "aten.mul": _arithmetic(lambda i, a, b: i.multiply(a, b)),
    "aten.div.Tensor": _arithmetic(lambda i, a, b: i.divide(a, b)),
    "aten.div.Scalar": _arithmetic(lambda i, a, b: i.divide(a, b)),
    "aten.neg": lambda i, o, x: i.negate(x),
    "aten.square": lambda i, o, x: i.power(x, Fraction(2)),
    "aten.reciprocal": lambda i, o, x: i.power(x, -ONE),
    "aten.pow.Tensor_Scalar": _power,
    "aten.sqrt": lambda i, o, x: i.power(x, Fraction(1, 2)),
    "aten.rsqrt": lambda i, o, x: i.power(x, Fraction(-1, 2)),
    "aten.exp": lambda i, o, x: i.exp(x),
    "aten.log": lambda i, o, x: i.log(x),
    "aten.tanh": lambda i, o, x: i.apply("tanh", x),
    "aten.sin": lambda i, o, x: i.apply("sin", x),
    "aten.cos": lambda i, o, x: i.apply("cos", x),
    "aten.sinh": lambda i, o, x: i.apply("sinh", x),
    "aten.cosh": lambda i, o, x: i.apply("cosh", x, positive=True),
    "aten.erf": lambda i, o, x: i.apply("erf", x),
    "aten.log1p": lambda i, o, x: i.log(i.add(i.constant(ONE), x)),
    "aten.expm1": lambda i, o, x: i.subtract(i.exp(x), i.constant(ONE)),
    "aten.silu": lambda i, o, x: i.apply("silu", x),
    "aten.silu_backward": lambda i, o, g, x: i.multiply(g, i.apply("silu", x, order=1)),
    "aten.gelu": lambda i, o, x: i.apply(_gelu(o), x),
    "aten.gelu_backward": lambda i, o, g, x: i.multiply(g, i.apply(_gelu(o), x, order=1)),
    "aten.sigmoid": lambda i, o, x: i.apply("sigmoid", x, positive=True),
    "aten.relu": lambda i, o, x: i.maximum(x, i.constant(Fraction(0))),
    "aten.abs": lambda i, o, x: i.abs(x),
    "aten.sgn": lambda i, o, x: i.sign(x),
    "aten.sign": lambda i, o, x: i.sign(x),
    "aten.maximum": lambda i, o, a, b: i.maximum(a, b),
    "aten.minimum": lambda i, o, a, b: i.minimum(a, b),
    "aten.amax": _amax,
    "aten.gt": _compare(">"),
    "aten.ge": _compare(">="),
    "aten.lt": _compare(">", turned=True),
    "aten.le": _compare(">=", turned=True),
    "aten.eq": _compare("=="),
    "aten.ne": _compare("==", negated=True),
    "aten.logical_not": lambda i, o, x: i.negated(x),
    "aten.bitwise_not": lambda i, o, x: i.negated(x),
    "aten.where.self": lambda i, o, which, yes, no: i.select(which, yes, no),
    "aten.masked_fill.Scalar": _masked_fill,
    "aten.masked_fill_.Scalar": _masked_fill,
    "aten.sum": _sum,
    "aten.mean": _mean,
    "aten.mm": _matmul,
    "aten.bmm": _matmul,
    "aten.mv": _matmul,
    "aten.dot": _dot,
    "aten.addmm": _addmm,
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
    "aten.zeros": _filled(0),
    "aten.new_zeros": _filled(0),
    "aten.scalar_tensor": _same,
    "aten._to_copy": _cast,
    "aten.detach": _same,
    "aten.alias": _same,
    "aten.clone": _same,
    "aten.lift_fresh_copy": _same,
    "take": take,
    "put_add": put,
    "aten.nll_loss_forward": labelled,
    "aten.nll_loss_backward": labelled_backward,
    "aten.sigmoid_backward": _sigmoid_backward,
    "aten.tanh_backward": _tanh_backward,
    "aten.threshold_backward": _threshold_backward,
    "aten._softmax": _softmax,
    "aten._softmax_backward_data": _softmax_backward,
    "aten.logsumexp": _logsumexp,
    "aten._log_softmax": _log_softmax,
    "aten._log_softmax_backward_data": _log_softmax_backward,
}
"""What each operator means: by its name, or by name and overload where they differ."""
