"""Functions applied to every element: one record each."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gradproof.prims.formula import Formula, call
from gradproof.prims.record import Elementwise, Floats

REALS = ((-2.75, -0.4375, 0.3125, 1.875),)
POSITIVES = ((0.1875, 0.9375, 2.375, 7.25),)
PAIRS = ((-2.75, 1.4375, 0.3125, 1.875), (0.5, -1.125, 2.25, 1.75))


def _exp(x: Formula) -> Formula:
    return call("exp", x)


def _sigmoid(z: Floats) -> Floats:
    """1/(1+e⁻ᶻ) with an exponential that cannot overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def _where(mask: Floats, a: Floats, b: Floats) -> Floats:
    return np.where(mask != 0, a, b)


ELEMENTWISE: tuple[Elementwise, ...] = (
    Elementwise(
        "exp",
        ("x",),
        meaning=None,
        slopes=(lambda y, x: y,),
        forward=np.exp,
        text="exp",
        tex=r"\exp",
        words="the exponential",
        samples=(REALS,),
        numpy_names=("exp",),
    ),
    Elementwise(
        "log",
        ("x",),
        meaning=None,
        slopes=(lambda y, x: 1 / x,),
        forward=np.log,
        text="log",
        tex=r"\log",
        words="the natural logarithm",
        samples=(POSITIVES,),
        domain=lambda x: x,
        numpy_names=("log",),
    ),
    Elementwise(
        "sqrt",
        ("x",),
        meaning=lambda x: x ** Fraction(1, 2),
        slopes=(lambda y, x: 1 / (2 * y),),
        forward=np.sqrt,
        text="√",
        tex=r"\sqrt",
        words="the square root",
        samples=(POSITIVES,),
        domain=lambda x: x,
        numpy_names=("sqrt",),
    ),
    Elementwise(
        "sigmoid",
        ("z",),
        meaning=lambda z: 1 / (1 + _exp(-z)),
        slopes=(lambda s, z: s * (1 - s),),
        named_slope=True,
        forward=_sigmoid,
        text="σ",
        tex=r"\sigma",
        words="the logistic sigmoid 1/(1+e⁻ᶻ)",
        samples=(REALS,),
    ),
    Elementwise(
        "tanh",
        ("z",),
        meaning=lambda z: 1 - 2 / (1 + _exp(2 * z)),
        slopes=(lambda h, z: 1 - h**2,),
        named_slope=True,
        forward=np.tanh,
        text="tanh",
        tex=r"\tanh",
        words="the hyperbolic tangent",
        samples=(REALS,),
        numpy_names=("tanh",),
    ),
    Elementwise(
        "relu",
        ("z",),
        meaning=lambda z: z * (z > 0),
        slopes=(lambda y, z: z > 0,),
        forward=lambda z: np.maximum(z, z.dtype.type(0)),
        text="relu",
        tex=r"\operatorname{relu}",
        words="the positive part",
        samples=(REALS,),
        kink=lambda z: z,
    ),
    Elementwise(
        "abs",
        ("x",),
        meaning=lambda x: x * (2 * (x > 0) - 1),
        slopes=(lambda y, x: 2 * (x > 0) - 1,),
        forward=np.abs,
        text="abs",
        tex=r"\operatorname{abs}",
        words="the absolute value",
        samples=(REALS,),
        kink=lambda x: x,
        numpy_names=("absolute", "fabs"),
    ),
    Elementwise(
        "maximum",
        ("a", "b"),
        meaning=lambda a, b: b + (a - b) * (a > b),
        slopes=(lambda y, a, b: a > b, lambda y, a, b: 1 - (a > b)),
        forward=np.maximum,
        text="max",
        tex=r"\max",
        words="the larger of two",
        samples=(PAIRS,),
        kink=lambda a, b: a - b,
        numpy_names=("maximum",),
    ),
    Elementwise(
        "minimum",
        ("a", "b"),
        meaning=lambda a, b: a + (b - a) * (a > b),
        slopes=(lambda y, a, b: 1 - (a > b), lambda y, a, b: a > b),
        forward=np.minimum,
        text="min",
        tex=r"\min",
        words="the smaller of two",
        samples=(PAIRS,),
        kink=lambda a, b: a - b,
        numpy_names=("minimum",),
    ),
    Elementwise(
        "where",
        ("mask", "a", "b"),
        meaning=lambda m, a, b: m * a + (1 - m) * b,
        slopes=(None, lambda y, m, a, b: m, lambda y, m, a, b: 1 - m),
        forward=_where,
        text="where",
        tex=r"\operatorname{where}",
        words="one or the other, by a mask",
        samples=(((1.0, 0.0, 1.0, 0.0), *PAIRS),),
    ),
)
