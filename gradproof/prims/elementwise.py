"""Functions applied to every element: one record each."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gradproof.prims.error_function import erf
from gradproof.prims.formula import Formula, call, formula, pi
from gradproof.prims.record import Elementwise, Floats

REALS = ((-2.75, -0.4375, 0.3125, 1.875),)
POSITIVES = ((0.1875, 0.9375, 2.375, 7.25),)
PAIRS = ((-2.75, 1.4375, 0.3125, 1.875), (0.5, -1.125, 2.25, 1.75))


def _exp(x: Formula) -> Formula:
    return call("exp", x)


def _sigmoid(z: Floats) -> Floats:
    """1/(1+e⁻ᶻ) with an exponential that cannot overflow."""
    e = np.exp(-np.abs(z))
    # The larger of e and [z ≥ 0] is 1 or e; np.where branches on each sign, and takes longer.
    result: Floats = (np.maximum(e, z >= 0) / (1 + e)).astype(z.dtype)
    return result


def _phi(z: Formula) -> Formula:
    """The density of the standard normal distribution."""
    return _exp(-(z**2) / 2) / (2 * pi()) ** Fraction(1, 2)


def _Phi(z: Formula) -> Formula:
    """The standard normal distribution function."""
    return (1 + call("erf", z * formula(Fraction(1, 2)) ** Fraction(1, 2))) / 2


def _inside(z: Formula) -> Formula:
    """What the tanh of the approximate GELU is taken of."""
    return (2 / pi()) ** Fraction(1, 2) * (z + Fraction(44715, 10**6) * z**3)


def _gelu(z: Floats) -> Floats:
    half = z.dtype.type(0.5)
    result: Floats = half * z * (1 + erf(z * z.dtype.type(np.sqrt(0.5))))
    return result


def _gelu_tanh(z: Floats) -> Floats:
    """``½(1 + tanh u)`` is ``σ(2u)``, in which nothing cancels."""
    kind = z.dtype.type
    return z * _sigmoid(kind(2 * np.sqrt(2 / np.pi)) * (z + kind(0.044715) * z * z * z))


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
        "sin",
        ("x",),
        meaning=None,
        slopes=(lambda y, x: call("cos", x),),
        forward=np.sin,
        text="sin",
        tex=r"\sin",
        words="the sine",
        samples=(REALS,),
        numpy_names=("sin",),
    ),
    Elementwise(
        "cos",
        ("x",),
        meaning=None,
        slopes=(lambda y, x: -call("sin", x),),
        forward=np.cos,
        text="cos",
        tex=r"\cos",
        words="the cosine",
        samples=(REALS,),
        numpy_names=("cos",),
    ),
    Elementwise(
        "erf",
        ("x",),
        meaning=None,
        slopes=(lambda y, x: 2 / pi() ** Fraction(1, 2) * _exp(-(x**2)),),
        forward=erf,
        text="erf",
        tex=r"\operatorname{erf}",
        words="the error function",
        samples=(REALS,),
        numpy_names=("erf",),
    ),
    Elementwise(
        "sinh",
        ("x",),
        meaning=lambda x: (_exp(x) - _exp(-x)) / 2,
        slopes=(lambda y, x: call("cosh", x),),
        forward=np.sinh,
        text="sinh",
        tex=r"\sinh",
        words="the hyperbolic sine",
        samples=(REALS,),
        numpy_names=("sinh",),
    ),
    Elementwise(
        "cosh",
        ("x",),
        meaning=lambda x: (_exp(x) + _exp(-x)) / 2,
        slopes=(lambda y, x: call("sinh", x),),
        forward=np.cosh,
        text="cosh",
        tex=r"\cosh",
        words="the hyperbolic cosine",
        samples=(REALS,),
        numpy_names=("cosh",),
    ),
    Elementwise(
        "softplus",
        ("z",),
        meaning=lambda z: call("log", 1 + _exp(z)),
        slopes=(lambda y, z: call("sigmoid", z),),
        forward=lambda z: np.logaddexp(z, z.dtype.type(0)),
        text="softplus",
        tex=r"\operatorname{softplus}",
        words="log(1+eᶻ), a smooth positive part",
        samples=(REALS,),
    ),
    Elementwise(
        "silu",
        ("z",),
        meaning=lambda z: z * call("sigmoid", z),
        slopes=(lambda y, z: call("sigmoid", z) * (1 + z * (1 - call("sigmoid", z))),),
        named_slope=True,
        forward=lambda z: z * _sigmoid(z),
        text="silu",
        tex=r"\operatorname{silu}",
        words="z·σ(z), also called swish",
        samples=(REALS,),
    ),
    Elementwise(
        "gelu",
        ("z",),
        meaning=lambda z: z * _Phi(z),
        slopes=(lambda y, z: _Phi(z) + z * _phi(z),),
        named_slope=True,
        forward=_gelu,
        text="gelu",
        tex=r"\operatorname{gelu}",
        words="z·Φ(z), with the normal distribution function Φ",
        samples=(REALS,),
    ),
    Elementwise(
        "gelu_tanh",
        ("z",),
        meaning=lambda z: z * (1 + call("tanh", _inside(z))) / 2,
        slopes=(
            lambda y, z: (
                (1 + call("tanh", _inside(z))) / 2
                + z
                * (1 - call("tanh", _inside(z)) ** 2)
                / 2
                * (2 / pi()) ** Fraction(1, 2)
                * (1 + Fraction(3 * 44715, 10**6) * z**2)
            ),
        ),
        named_slope=True,
        forward=_gelu_tanh,
        text="gelu_tanh",
        tex=r"\operatorname{gelu}_{\tanh}",
        words="the GELU with its distribution function by a tanh",
        samples=(REALS,),
    ),
    Elementwise(
        "elu",
        ("z", "alpha"),
        meaning=lambda z, a: z * (z > 0) + a * (_exp(z) - 1) * (1 - (z > 0)),
        slopes=(
            lambda y, z, a: (z > 0) + a * _exp(z) * (1 - (z > 0)),
            lambda y, z, a: (_exp(z) - 1) * (1 - (z > 0)),
        ),
        forward=lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0))).astype(z.dtype),
        text="elu",
        tex=r"\operatorname{elu}",
        words="z above 0 and α(eᶻ−1) below",
        samples=((*REALS, (1.0, 0.5, 1.0, 0.75)),),
        kink=lambda z, a: z,
    ),
    Elementwise(
        "leaky_relu",
        ("z", "alpha"),
        meaning=lambda z, a: z * ((z > 0) + a * (1 - (z > 0))),
        slopes=(
            lambda y, z, a: (z > 0) + a * (1 - (z > 0)),
            lambda y, z, a: z * (1 - (z > 0)),
        ),
        forward=lambda z, a: np.where(z > 0, z, a * z).astype(z.dtype),
        text="leaky_relu",
        tex=r"\operatorname{leaky\,relu}",
        words="z above 0 and α·z below",
        samples=((*REALS, (0.25, 0.5, 0.125, 0.75)),),
        kink=lambda z, a: z,
    ),
    Elementwise(
        "sign",
        ("x",),
        meaning=lambda x: (x > 0) - (-x > 0),
        slopes=(lambda y, x: 0 * x,),
        forward=np.sign,
        text="sign",
        tex=r"\operatorname{sign}",
        words="1, 0 or −1",
        samples=(REALS,),
        kink=lambda x: x,
        numpy_names=("sign",),
    ),
    Elementwise(
        "clip",
        ("x", "low", "high"),
        meaning=lambda x, a, b: a + (x - a) * (x > a) - (x - b) * (x > b),
        slopes=(
            lambda y, x, a, b: (x > a) - (x > b),
            lambda y, x, a, b: 1 - (x > a),
            lambda y, x, a, b: x > b,
        ),
        forward=lambda x, a, b: np.clip(x, a, b),
        text="clip",
        tex=r"\operatorname{clip}",
        words="what lies outside of an interval at its ends",
        samples=((*REALS, (-1.0,) * 4, (1.0,) * 4),),
        kink=lambda x, a, b: (x - a) * (x - b),
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

ELEMENTARY = tuple(record.name for record in ELEMENTWISE if record.meaning is None)
"""The functions that every arithmetic computes by itself; all others are made of them."""
