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
from gradproof.engines.jaxpr import JAXPR, arithmetic, products, quotient, rest
from gradproof.engines.known import Places, Real, Truth
from gradproof.engines.places import joined, put, take
from gradproof.engines.whole import as_places, compared, exactly
from gradproof.engines.windows import (
    averages,
    convolved,
    convolved_to_input,
    convolved_to_kernel,
    largest_windows,
    over,
    summed_windows,
    to_largest,
    to_summed,
)

Meaning = Callable[..., Any]
"""``meaning(interpreter, operation, *operands)``: the operands in the order of the operation's
inputs, without those that are attributes."""

ONE, ZERO = Fraction(1), Fraction(0)


def _one(i: Interpreter) -> Real:
    return i.constant(ONE)


def _sum_of(i: Interpreter, o: Operation, *terms: Real) -> Real:
    result = terms[0]
    for term in terms[1:]:
        result = i.add(result, term)
    return result


def _cast(i: Interpreter, o: Operation, x: Any) -> Any:
    kind = o.attributes["DstT"]
    if isinstance(x, Places) and kind in ("int32", "int64"):
        return x
    if kind not in ("float64", "float32"):
        raise Unattempted(told("conversion to {kind}", kind=kind))
    return i.convert(x) if isinstance(x, Truth) else i.converted(x, kind)


# --- sums and products ----------------------------------------------------------------------------


def _sum(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.total(x, o.attributes["axes"]), o.shape)


def _mean(i: Interpreter, o: Operation, x: Real) -> Any:
    count = prod(x.shape[axis] for axis in o.attributes["axes"])
    return i.multiply(i.constant(Fraction(1, count)), _sum(i, o, x))


def _max(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.largest(x, o.attributes["axes"]), o.shape)


def _min(i: Interpreter, o: Operation, x: Real) -> Any:
    return i.reshape(i.smallest(x, o.attributes["axes"]), o.shape)


def _prod(i: Interpreter, o: Operation, x: Real) -> Any:
    turned = Operation("reduce_prod", (), o.attributes, 0, o.shape)
    return JAXPR["reduce_prod"](i, turned, x)


def _cumulative_product(i: Interpreter, o: Operation, x: Real) -> Real:
    """The products of all elements up to each one along an axis; one that is ``exclusive`` leaves
    each one itself out."""
    axis, backwards = o.attributes["axis"], o.attributes["reverse"]
    turned = (*(slice(None),) * axis, slice(None, None, -1))
    found = products(i, i.take(x, turned) if backwards else x, axis)
    if o.attributes["exclusive"]:
        found = [i.constant(ONE, found[0].shape), *found[:-1]]
    made = joined(i, found, axis)
    return i.take(made, turned) if backwards else made  # type: ignore[no-any-return]


def _one_hot(i: Interpreter, o: Operation, x: Any) -> Any:
    """1 where a number says, and 0 elsewhere, along a new axis."""
    found = as_places(x)
    axis, depth = o.attributes["axis"], o.shape[o.attributes["axis"]]
    beside = i.reshape(found, (*found.shape[:axis], 1, *found.shape[axis:]))
    steps = np.arange(depth).reshape(-1, *(1,) * (len(o.shape) - axis - 1))
    return i.convert(compared(i, "==", beside, exactly(steps)))


def _euclidean(i: Interpreter, o: Operation, x: Real) -> Real:
    return i.power(_sum(i, o, i.power(x, Fraction(2))), Fraction(1, 2))


def _logarithm_times(i: Interpreter, o: Operation, x: Real, y: Real) -> Real:
    """``x log y``. Where x is 0 it is 0 even of a y that has no logarithm, which is not read."""
    return i.multiply(x, JAXPR[o.attributes["function"]](i, o, y))


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


def _inverse(i: Interpreter, o: Operation, a: Real) -> Any:
    return i.inverse(_turned(i, a) if o.attributes["turned"] else a)


def _solved(i: Interpreter, o: Operation, a: Real, b: Real) -> Any:
    """By the inverse V. A solver is off by ``|V| D |x̂|`` (Higham 2002, section 9.3), and a ball of
    V by ``|V| D |V|``, which the product multiplies by ``|b|``; and ``|x| ≤ |V||b|``."""
    return i.matmul(_inverse(i, o, a), b)


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


# --- windows --------------------------------------------------------------------------------------


def _first(i: Interpreter, x: Real, o: Operation) -> Any:
    """Samples with the channels first."""
    rank = len(x.shape)
    last = o.attributes["channels"] == "last"
    return i.transpose(x, (0, rank - 1, *range(1, rank - 1))) if last else x


def _back(i: Interpreter, x: Any, o: Operation) -> Any:
    rank = len(x.shape)
    last = o.attributes["channels"] == "last"
    return i.transpose(x, (0, *range(2, rank), 1)) if last else x


def _kernel(i: Interpreter, w: Real, o: Operation) -> Any:
    """A kernel (places …, in, out) with out and in first; of one for each channel (places …,
    channel, several) all are out."""
    rank = len(w.shape)
    if not o.attributes["depthwise"]:
        return i.transpose(w, (rank - 1, rank - 2, *range(rank - 2)))
    turned = i.transpose(w, (rank - 2, rank - 1, *range(rank - 2)))
    return i.reshape(turned, (prod(w.shape[-2:]), 1, *w.shape[:-2]))


def _kernel_back(i: Interpreter, w: Any, o: Operation) -> Any:
    rank = len(w.shape)
    if not o.attributes["depthwise"]:
        return i.transpose(w, (*range(2, rank), 1, 0))
    parts = i.reshape(w, (*o.shape[-2:], *w.shape[2:]))
    return i.transpose(parts, (*range(2, rank), 0, 1))


def _convolution(i: Interpreter, o: Operation, x: Real, w: Real) -> Any:
    places, groups = o.attributes["places"], o.attributes["groups"]
    return _back(i, convolved(i, _first(i, x, o), _kernel(i, w, o), places, groups), o)


def _convolution_of_kernel(i: Interpreter, o: Operation, x: Real, g: Real) -> Any:
    places, groups = o.attributes["places"], o.attributes["groups"]
    found = convolved_to_kernel(i, _first(i, x, o), _first(i, g, o), places, groups)
    return _kernel_back(i, found, o)


def _convolution_of_input(i: Interpreter, o: Operation, w: Real, g: Real) -> Any:
    places, groups, lengths = (o.attributes[name] for name in ("places", "groups", "lengths"))
    kernel, arriving = _kernel(i, w, o), _first(i, g, o)
    return _back(i, convolved_to_input(i, kernel, arriving, places, lengths, groups), o)


def _max_pool(i: Interpreter, o: Operation, x: Real) -> Any:
    return _back(i, largest_windows(i, _first(i, x, o), o.attributes["places"]), o)


def _max_pool_grad(i: Interpreter, o: Operation, x: Real, y: Real, g: Real) -> Any:
    return _back(i, to_largest(i, _first(i, x, o), _first(i, g, o), o.attributes["places"]), o)


def _avg_pool(i: Interpreter, o: Operation, x: Real) -> Any:
    places = o.attributes["places"]
    total = summed_windows(i, _first(i, x, o), places)
    return _back(i, over(i, total, averages(places)), o)


def _avg_pool_grad(i: Interpreter, o: Operation, g: Real) -> Any:
    places = o.attributes["places"]
    each = over(i, _first(i, g, o), averages(places))
    return _back(i, to_summed(i, each, places, o.attributes["lengths"]), o)


# --- activations ----------------------------------------------------------------------------------


def _above(i: Interpreter, x: Any, bound: int = 0) -> Real:
    return i.convert(i.compare(">", x, i.constant(Fraction(bound))))


def _relu6_grad(i: Interpreter, o: Operation, g: Real, x: Real) -> Real:
    below = i.convert(i.compare(">", i.constant(Fraction(6)), x))
    return i.multiply(g, i.multiply(_above(i, x), below))


def _slope(i: Interpreter, o: Operation, x: Real) -> Any:
    alpha = i.constant(o.attributes["alpha"])
    return i.select(i.compare(">", x, i.constant(ZERO)), _one(i), alpha)


def _elu_grad(i: Interpreter, o: Operation, g: Real, y: Real) -> Any:
    below = i.compare(">", i.constant(ZERO), y)
    return i.multiply(g, i.select(below, i.add(y, _one(i)), _one(i)))


SCALE = Fraction("1.0507009873554804934193349852946")
SCALED = Fraction("1.7580993408473768599402175208123")
"""λ and λα of SELU: G. Klambauer et al., "Self-Normalizing Neural Networks", NeurIPS 2017."""


def _selu(i: Interpreter, o: Operation, x: Real) -> Any:
    below = i.multiply(i.constant(SCALED), i.subtract(i.exp(x), _one(i)))
    return i.select(i.compare(">", i.constant(ZERO), x), below, i.multiply(i.constant(SCALE), x))


def _selu_grad(i: Interpreter, o: Operation, g: Real, y: Real) -> Any:
    below = i.compare(">", i.constant(ZERO), y)
    slope = i.select(below, i.add(y, i.constant(SCALED)), i.constant(SCALE))
    return i.multiply(g, slope)


def _one_and_size(i: Interpreter, x: Real) -> Real:
    return i.add(_one(i), i.abs(x))


def _softsign_grad(i: Interpreter, o: Operation, g: Real, x: Real) -> Real:
    return i.multiply(g, i.power(_one_and_size(i, x), Fraction(-2)))


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
    if o.name == "Pack":
        parts = tuple(i.reshape(p, (*o.shape[:axis], 1, *o.shape[axis + 1 :])) for p in parts)
    return joined(i, parts, axis)


def _set(i: Interpreter, o: Operation, x: Real) -> Real:
    """Zeros, with each element at a place of its own in the flattened result."""
    flat = i.reshape(x, (prod(x.shape),))
    places = np.asarray(o.attributes["places"]).reshape(-1)
    return i.reshape(i.placed(flat, (prod(o.shape),), (places,)), o.shape)  # type: ignore[no-any-return]


# fmt: off
MIXED = frozenset(
    {
        "SelectV2", "Cast", "LogicalAnd", "LogicalOr", "LogicalNot", "IsFinite", "IsNan", "Equal",
        "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "Maximum", "Minimum", "Reshape",
        "Transpose", "take", "AddV2", "Mul", "OneHot",
    }
)
# fmt: on
"""Operations that also take truth values or infinities."""

# A quotient of nothing by nothing, which DivNoNan and Xdivy say is 0, is nothing that is known.
ALIKE = {
    "Add": "add",
    "AddV2": "add",
    "BiasAdd": "add",
    "Sub": "sub",
    "Div": "div",
    "RealDiv": "div",
    "DivNoNan": "div",
    "Xdivy": "div",
    "Neg": "neg",
    "Square": "square",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Exp": "exp",
    "Log": "log",
    "Log1p": "log1p",
    "Expm1": "expm1",
    "Tanh": "tanh",
    "Tan": "tan",
    "Sin": "sin",
    "Cos": "cos",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Atan": "atan",
    "Atan2": "atan2",
    "Asin": "asin",
    "Acos": "acos",
    "Asinh": "asinh",
    "Acosh": "acosh",
    "Atanh": "atanh",
    "Erf": "erf",
    "Erfc": "erfc",
    "Sigmoid": "logistic",
    "Abs": "abs",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Rint": "round",
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
    "FloorDiv": quotient("floor"),
    "FloorMod": rest("floor"),
    "SquaredDifference": lambda i, o, a, b: i.power(i.subtract(a, b), Fraction(2)),
    "Inv": lambda i, o, x: i.power(x, -ONE),
    "Reciprocal": lambda i, o, x: i.power(x, -ONE),
    "Pow": JAXPR["pow"],
    "Softplus": _softplus,
    "Softsign": lambda i, o, x: i.divide(x, _one_and_size(i, x)),
    "SoftsignGrad": _softsign_grad,
    "Elu": lambda i, o, x: i.select(
        i.compare(">", i.constant(ZERO), x), i.subtract(i.exp(x), _one(i)), x
    ),
    "EluGrad": _elu_grad,
    "Selu": _selu,
    "SeluGrad": _selu_grad,
    "Relu": lambda i, o, x: i.maximum(x, i.constant(ZERO)),
    "Relu6": lambda i, o, x: i.minimum(i.maximum(x, i.constant(ZERO)), i.constant(Fraction(6))),
    "LeakyRelu": lambda i, o, x: i.multiply(x, _slope(i, o, x)),
    "LogicalAnd": lambda i, o, a, b: i.both(a, b),
    "LogicalOr": JAXPR["or"],
    "LogicalNot": lambda i, o, x: i.negated(x),
    "IsFinite": lambda i, o, x: i.known(not isinstance(x, float), o.shape),
    "IsNan": lambda i, o, x: i.known(False, o.shape),
    "SelectV2": lambda i, o, which, yes, no: i.select(which, yes, no),
    "Cast": _cast,
    "Sum": _sum,
    "Mean": _mean,
    "Max": _max,
    "Prod": _prod,
    "Min": _min,
    "EuclideanNorm": _euclidean,
    "Cumprod": _cumulative_product,
    "Mul": arithmetic(np.multiply, lambda i, a, b: i.multiply(a, b)),
    "OneHot": _one_hot,
    "ArgMax": JAXPR["argmax"],
    "ArgMin": JAXPR["argmin"],
    "TopKV2": JAXPR["top_k"],
    "TopKV2:1": JAXPR["top_k:1"],
    "gather_at": JAXPR["gather_at"],
    "add_at": JAXPR["add_at"],
    "Xlogy": _logarithm_times,
    "Xlog1py": _logarithm_times,
    "L2Loss": lambda i, o, x: i.multiply(
        i.constant(Fraction(1, 2)), i.total(i.power(x, Fraction(2)), tuple(range(len(x.shape))))
    ),
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "Einsum": _einsum,
    "MatrixInverse": _inverse,
    "LogMatrixDeterminant:1": lambda i, o, a: i.logdet(a),
    "MatrixSolve": _solved,
    "Conv2D": _convolution,
    "Conv2DBackpropFilter": _convolution_of_kernel,
    "Conv2DBackpropInput": _convolution_of_input,
    "DepthwiseConv2dNative": _convolution,
    "DepthwiseConv2dNativeBackpropFilter": _convolution_of_kernel,
    "DepthwiseConv2dNativeBackpropInput": _convolution_of_input,
    "MaxPool": _max_pool,
    "MaxPoolGrad": _max_pool_grad,
    "AvgPool": _avg_pool,
    "AvgPoolGrad": _avg_pool_grad,
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
