"""An elementwise function's slope, as its record writes it, to numbers: on plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
)
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.formula import Formula
from gradproof.prims.record import Elementwise, Floats


def slope_on_arrays(record: Elementwise, arguments: tuple[Floats, ...]) -> Floats:
    """The derivative by the first argument, of the arguments' shape and dtype.

    Args:
        record: the function.
        arguments: floating-point arrays of one dtype.
    """
    names = [Formula(Read(f"#{k}", ())) for k in range(len(arguments))]
    value = Formula(Apply(record.name, tuple(name.term for name in names)))
    rule = record.slopes[0]
    assert rule is not None
    given = {f"#{k}": argument for k, argument in enumerate(arguments)}
    found = _value(rule(value, *names).term, given, arguments[0].dtype)
    return np.asarray(found, dtype=arguments[0].dtype) + np.zeros_like(arguments[0])


def _value(term: Term, given: Mapping[str, Floats], dtype: np.dtype) -> Floats:
    match term:
        case Read(name, _):
            return given[name]
        case Number(value):
            return np.asarray(float(value), dtype=dtype)
        case Pi():
            return np.asarray(np.pi, dtype=dtype)
        case Add(terms):
            return reduce(np.add, [_value(t, given, dtype) for t in terms])
        case Product(factors):
            return reduce(np.multiply, [_value(f, given, dtype) for f in factors])
        case Power(base, exponent):
            power: Floats = np.power(_value(base, given, dtype), dtype.type(float(exponent)))
            return power
        case Apply(function, arguments, 0):
            plain = [_value(a, given, dtype) for a in arguments]
            found: Floats = ELEMENTWISE_BY_NAME[function].forward(*plain)
            return found
        case Compare(">", left, right):
            above = _value(left, given, dtype) > _value(right, given, dtype)
            return np.asarray(above, dtype=dtype)
        case SizeOf() | Sum() | Fold() | Along() | Bracket() | Apply() | Compare():
            raise NotYet("A slope on plain arrays is elementwise: no sums, sizes or brackets.")
