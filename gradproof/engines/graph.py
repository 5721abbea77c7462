"""The operations of TensorFlow's graphs, each by its meaning over the real numbers.

They are documented in `tf.raw_ops`. Fused kernels are taken at the mathematics documented there.
Nothing here imports TensorFlow. The reader has already worked out what depends on no input; what it
knows of an operation beside its operands, such as axes, are attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from gradproof.core.told import told
from gradproof.engines.backward_program import Operation, Unattempted
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.jaxpr import JAXPR
from gradproof.engines.known import Real, Truth
from gradproof.engines.places import gathered, put, take

Meaning = Callable[..., Any]
"""``meaning(interpreter, operation, *operands)``: the operands in the order of the operation's
inputs, without those that are attributes."""

ONE, ZERO = Fraction(1), Fraction(0)


def _one(i: Interpreter) -> Real:
    return i.constant(ONE)


def _or(i: Interpreter, o: Operation, a: Truth, b: Truth) -> Truth:
    return i.negated(i.both(i.negated(a), i.negated(b)))


def _sum_of(i: Interpreter, o: Operation, *terms: Real) -> Real:
    result = terms[0]
    for term in terms[1:]:
        result = i.add(result, term)
    return result


def _cast(i: Interpreter, o: Operation, x: Any) -> Any:
    kind = o.attributes["DstT"]
    if kind == "float64" and isinstance(x, Truth):
        return i.convert(x)
    if kind == "float64" and isinstance(x, Real):
        return x
    raise Unattempted(told("conversion to {kind}", kind=kind))


def _power(i: Interpreter, o: Operation, x: Real, exponent: Real) -> Real:
    if exponent.constant is not None:
        return i.power(x, exponent.constant)
    if x.constant is not None and x.constant > 0:
        return i.exp(i.multiply(exponent, i.log(x)))
    raise Unattempted(told("pow with an exponent that is not one number"))


# --- sums and products ----------------------------------------------------------------------------


def _sum(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.total(x, o.attributes["axes"]), o.shape)


def _mean(i: Interpreter, o: Operation, x: Real) -> Any:
    count = prod(x.shape[axis] for axis in o.attributes["axes"])
    return i.multiply(i.constant(Fraction(1, count)), _sum(i, o, x))


def _max(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.largest(x, o.attributes["axes"]), o.shape)


def _min(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.negate(_max(i, o, i.negate(x)))


def _bias_grad(i: Interpreter, o: Operation, g: Real) -> Real:
    return i.total(g, tuple(range(len(g.shape) - 1)))


def _turned(i: Interpreter, x: Real) -> Any:
    rank = len(x.shape)
    return i.transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def _matmul(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    """The product of the last two axes; the others are repeated where one has them alone."""
    left = _turned(i, a) if o.attributes["turns"][0] else a
    right = _turned(i, b) if o.attributes["turns"][1] else b
    many = o.shape[:-2]
    wide = [_repeated(i, x, (*many, *x.shape[-2:])) for x in (left, right)]
    flat = [i.reshape(x, (prod(many), *x.shape[-2:])) for x in wide]
    return i.reshape(i.matmul(*flat), o.shape)


def _repeated(i: Interpreter, x: Real, shape: tuple[int, ...]) -> Any:
    first = len(shape) - len(x.shape)
    return x if x.shape == shape else i.spread(x, shape, tuple(range(first, len(shape))))


def _einsum(i: Interpreter, o: Operation, *operands: Real) -> Any:
    """One operand or two, whose letters stand once in each."""
    given, made = o.attributes["equation"].split("->")
    letters = given.split(",")
    plain = all(len(set(part)) == len(part) for part in (*letters, made)) and "." not in given
    if not plain or len(letters) != len(operands) or len(letters) > 2:
        raise Unattempted(told("operation {name}", name=f"Einsum {o.attributes['equation']}"))
    sums = []
    for k, (part, x) in enumerate(zip(letters, operands, strict=True)):
        kept = set(made).union(*letters[:k], *letters[k + 1 :])
        sums.append(
            (
                "".join(c for c in part if c in kept),
                i.total(x, tuple(axis for axis, c in enumerate(part) if c not in kept)),
            )
        )
    if len(sums) == 1:
        part, x = sums[0]
        return i.transpose(x, [part.index(c) for c in made])
    (first, a), (second, b) = sums
    batch = [c for c in first if c in second and c in made]
    over = [c for c in first if c in second and c not in made]
    rows = [c for c in first if c not in second]
    columns = [c for c in second if c not in first]
    size = dict(zip(first + second, a.shape + b.shape, strict=True))
    length = [prod(size[c] for c in part) for part in (batch, rows, over, columns)]
    left = i.transpose(a, [first.index(c) for c in (*batch, *rows, *over)])
    right = i.transpose(b, [second.index(c) for c in (*batch, *over, *columns)])
    product = i.matmul(
        i.reshape(left, (length[0], length[1], length[2])),
        i.reshape(right, (length[0], length[2], length[3])),
    )
    order = [*batch, *rows, *columns]
    return i.transpose(i.reshape(product, [size[c] for c in order]), [order.index(c) for c in made])


# --- convolutions ---------------------------------------------------------------------------------


def _patches(i: Interpreter, o: Operation, x: Real) -> Any:
    """The numbers under the kernel, a row for each of its positions; the places say where they are
    in one picture, counted from 1, and 0 where there is nothing but the edge."""
    places = o.attributes["places"]
    count, size = x.shape[0], prod(x.shape[1:])
    flat = i.reshape(x, (count, size))
    edged = i.placed(flat, (count, size + 1), (slice(None), slice(1, None)))
    return i.reshape(
        i.take(edged, (slice(None), places.reshape(-1))),
        (count * prod(places.shape[:-1]), places.shape[-1]),
    )


def _convolution(i: Interpreter, o: Operation, x: Real, w: Real) -> Any:
    kernel = i.reshape(w, (prod(w.shape[:-1]), w.shape[-1]))
    return i.reshape(i.matmul(_patches(i, o, x), kernel), o.shape)


def _convolution_of_kernel(i: Interpreter, o: Operation, x: Real, g: Real) -> Any:
    rows = i.reshape(g, (prod(g.shape[:-1]), g.shape[-1]))
    return i.reshape(i.matmul(_turned(i, _patches(i, o, x)), rows), o.shape)


def _convolution_of_input(i: Interpreter, o: Operation, w: Real, g: Real) -> Any:
    places = o.attributes["places"].reshape(-1)
    kernel = _turned(i, i.reshape(w, (prod(w.shape[:-1]), w.shape[-1])))
    rows = i.matmul(i.reshape(g, (prod(g.shape[:-1]), g.shape[-1])), kernel)
    rows = i.reshape(rows, (o.shape[0], len(places)))
    inside = np.flatnonzero(places)
    kept = i.take(rows, (slice(None), inside))
    return i.reshape(gathered(i, kept, places[inside] - 1, prod(o.shape[1:])), o.shape)


# --- activations ----------------------------------------------------------------------------------


def _above(i: Interpreter, x: Any, bound: int = 0) -> Real:
    return i.convert(i.compare(">", x, i.constant(Fraction(bound))))


def _relu6_grad(i: Interpreter, o: Operation, g: Real, x: Real) -> Real:
    below = i.convert(i.compare(">", i.constant(Fraction(6)), x))
    return i.multiply(g, i.multiply(_above(i, x), below))


def _slope(i: Interpreter, o: Operation, x: Real) -> Any:
    alpha = i.constant(o.attributes["alpha"])
    return i.select(i.compare(">", x, i.constant(ZERO)), _one(i), alpha)


def _softplus(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.log(i.add(_one(i), i.exp(x)))


def _sigmoid_grad(i: Interpreter, o: Operation, y: Real, g: Real) -> Real:
    return i.multiply(i.multiply(g, y), i.subtract(_one(i), y))


def _tanh_grad(i: Interpreter, o: Operation, y: Real, g: Real) -> Real:
    return i.multiply(g, i.subtract(_one(i), i.power(y, Fraction(2))))


def _sqrt_grad(i: Interpreter, o: Operation, y: Real, g: Real) -> Real:
    return i.divide(i.multiply(g, i.constant(Fraction(1, 2))), y)


def _rsqrt_grad(i: Interpreter, o: Operation, y: Real, g: Real) -> Real:
    return i.multiply(i.multiply(g, i.constant(Fraction(-1, 2))), i.power(y, Fraction(3)))


def _reciprocal_grad(i: Interpreter, o: Operation, y: Real, g: Real) -> Real:
    return i.negate(i.multiply(g, i.power(y, Fraction(2))))


# --- softmax and its losses -----------------------------------------------------------------------


def _exponentials(i: Interpreter, x: Real) -> tuple[Real, Real]:
    """The exponentials of the last axis, and their sums beside them."""
    exponentials = i.exp(x)
    total = i.total(exponentials, (len(x.shape) - 1,))
    return exponentials, i.reshape(total, (*total.shape, 1))


def _softmax(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.divide(*_exponentials(i, x))


def _log_softmax(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.subtract(x, i.log(_exponentials(i, x)[1]))


def _cross_entropy(i: Interpreter, o: Operation, x: Real, labels: Real) -> Real:
    logarithms = _log_softmax(i, o, _repeated(i, x, o.attributes["wide"]))
    return i.negate(i.total(i.multiply(labels, logarithms), (1,)))


def _cross_entropy_grad(i: Interpreter, o: Operation, x: Real, labels: Real) -> Real:
    return i.subtract(_softmax(i, o, _repeated(i, x, o.attributes["wide"])), labels)


# --- elements that are moved ----------------------------------------------------------------------


def _reshape(i: Interpreter, o: Operation, x: Any) -> Any:
    return i.reshape(x, o.shape)


def _joined(i: Interpreter, o: Operation, *parts: Real) -> Real:
    """Along an axis, one after the other; of `Pack` each part is of length 1 there."""
    axis = o.attributes["axis"]
    result, start = i.constant(ZERO, o.shape), 0
    for part in parts:
        length = part.shape[axis] if o.name == "ConcatV2" else 1
        one = i.reshape(part, (*o.shape[:axis], length, *o.shape[axis + 1 :]))
        key = (*(slice(None),) * axis, slice(start, start + length))
        result, start = i.add(result, i.placed(one, o.shape, key)), start + length
    return result


def _set(i: Interpreter, o: Operation, x: Real) -> Real:
    """Zeros, with each element at a place of its own in the flattened result."""
    flat = i.reshape(x, (prod(x.shape),))
    places = np.asarray(o.attributes["places"]).reshape(-1)
    return i.reshape(i.placed(flat, (prod(o.shape),), (places,)), o.shape)  # type: ignore[no-any-return]


# fmt: off
MIXED = frozenset(
    {
        "SelectV2", "Cast", "LogicalAnd", "LogicalOr", "LogicalNot", "IsFinite", "Equal",
        "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "Maximum", "Minimum", "Reshape",
        "Transpose", "take",
    }
)
# fmt: on
"""Operations that also take truth values or infinities."""

ALIKE = {
    "Add": "add",
    "AddV2": "add",
    "BiasAdd": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "RealDiv": "div",
    "Neg": "neg",
    "Square": "square",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Exp": "exp",
    "Log": "log",
    "Log1p": "log1p",
    "Expm1": "expm1",
    "Tanh": "tanh",
    "Sin": "sin",
    "Cos": "cos",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Erf": "erf",
    "Erfc": "erfc",
    "Sigmoid": "logistic",
    "Abs": "abs",
    "Sign": "sign",
    "Maximum": "max",
    "Minimum": "min",
    "Greater": "gt",
    "GreaterEqual": "ge",
    "Less": "lt",
    "LessEqual": "le",
    "Equal": "eq",
    "NotEqual": "ne",
    "cumsum": "cumsum",
}
"""Operations that mean what one of JAX's does, by its name."""

GRAPH: Mapping[str, Meaning] = {
    **{name: JAXPR[other] for name, other in ALIKE.items()},
    "AddN": _sum_of,
    "SquaredDifference": lambda i, o, a, b: i.power(i.subtract(a, b), Fraction(2)),
    "Inv": lambda i, o, x: i.power(x, -ONE),
    "Reciprocal": lambda i, o, x: i.power(x, -ONE),
    "Pow": _power,
    "Softplus": _softplus,
    "Relu": lambda i, o, x: i.maximum(x, i.constant(ZERO)),
    "Relu6": lambda i, o, x: i.minimum(i.maximum(x, i.constant(ZERO)), i.constant(Fraction(6))),
    "LeakyRelu": lambda i, o, x: i.multiply(x, _slope(i, o, x)),
    "LogicalAnd": lambda i, o, a, b: i.both(a, b),
    "LogicalOr": _or,
    "LogicalNot": lambda i, o, x: i.negated(x),
    "IsFinite": lambda i, o, x: i.known(not isinstance(x, float), o.shape),
    "SelectV2": lambda i, o, which, yes, no: i.select(which, yes, no),
    "Cast": _cast,
    "Sum": _sum,
    "Mean": _mean,
    "Max": _max,
    "Min": _min,
    "L2Loss": lambda i, o, x: i.multiply(
        i.constant(Fraction(1, 2)), i.total(i.power(x, Fraction(2)), tuple(range(len(x.shape))))
    ),
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv2DBackpropFilter": _convolution_of_kernel,
    "Conv2DBackpropInput": _convolution_of_input,
    "Reshape": _reshape,
    "Transpose": lambda i, o, x: i.transpose(x, o.attributes["order"]),
    "ConcatV2": _joined,
    "Pack": _joined,
    "take": take,
    "put_add": put,
    "Set": _set,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
    "SoftmaxCrossEntropyWithLogits:1": _cross_entropy_grad,
    "SigmoidGrad": _sigmoid_grad,
    "TanhGrad": _tanh_grad,
    "SqrtGrad": _sqrt_grad,
    "RsqrtGrad": _rsqrt_grad,
    "ReciprocalGrad": _reciprocal_grad,
    "InvGrad": _reciprocal_grad,
    "SoftplusGrad": lambda i, o, g, x: i.multiply(g, i.apply("sigmoid", x, positive=True)),
    "ReluGrad": lambda i, o, g, x: i.multiply(g, _above(i, x)),
    "Relu6Grad": _relu6_grad,
    "LeakyReluGrad": lambda i, o, g, x: i.multiply(g, _slope(i, o, x)),
    "BiasAddGrad": _bias_grad,
}
"""What each operation means. ``Set`` is what every operation is called that puts each element at a
place of its own among zeros."""
