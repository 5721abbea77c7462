"""Sizes as numbers that remember their symbol, so that ``loss / x.shape[0]`` reads ``1/n``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, final

import numpy as np

from gradproof.core.index import Size
from gradproof.core.normal import add, negate, power, product
from gradproof.core.term import ONE, Number, Pi, Term, size_term
from gradproof.prims.number import Constant, constant, rational


def term_of(value: Any) -> Term | None:
    """A plain number, or a number made of sizes, as a term; `None` for anything else."""
    if isinstance(value, SizeNumber | SizeRatio):
        return value.term
    if isinstance(value, bool | np.bool_):
        return Number(Fraction(int(value)))
    if isinstance(value, int | np.integer):
        return Number(Fraction(int(value)))
    if isinstance(value, Fraction):
        return Number(value)
    if isinstance(value, float | np.floating):
        return _exact(constant(float(value)))
    return None


def _exact(found: Constant) -> Term:
    """A constant as a term."""
    root = power(Number(Fraction(found.root)), Fraction(1, 2)) if found.root != 1 else ONE
    return product(Number(found.ratio), root, power(Pi(), Fraction(found.half, 2)))


class _Arithmetic:
    """Arithmetic that carries a term beside the number; fields live in the two classes below."""

    term: Term

    def __add__(self, other: Any) -> Any:
        return _carried(float.__add__, self, other, add)

    def __radd__(self, other: Any) -> Any:
        return _carried(float.__add__, self, other, add)

    def __sub__(self, other: Any) -> Any:
        return _carried(float.__sub__, self, other, lambda a, b: add(a, negate(b)))

    def __rsub__(self, other: Any) -> Any:
        return _carried(lambda a, b: b - a, self, other, lambda a, b: add(b, negate(a)))

    def __mul__(self, other: Any) -> Any:
        return _carried(float.__mul__, self, other, product)

    def __rmul__(self, other: Any) -> Any:
        return _carried(float.__mul__, self, other, product)

    def __truediv__(self, other: Any) -> Any:
        return _carried(float.__truediv__, self, other, lambda a, b: product(a, _inverse(b)))

    def __rtruediv__(self, other: Any) -> Any:
        return _carried(lambda a, b: b / a, self, other, lambda a, b: product(b, _inverse(a)))

    def __pow__(self, exponent: Any) -> Any:
        fraction = rational(float(exponent))
        return _made(float(self) ** float(exponent), power(self.term, fraction))  # type: ignore[arg-type]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **extra: Any) -> Any:
        if ufunc is np.sqrt and method == "__call__" and not extra:
            return self ** Fraction(1, 2)
        if any(
            getattr(i, "__array_ufunc__", None)
            and not isinstance(i, _Arithmetic)
            and not isinstance(i, np.ndarray | np.generic)
            for i in inputs
        ):
            return NotImplemented
        plain = [float(i) if isinstance(i, _Arithmetic) else i for i in inputs]  # type: ignore[arg-type]
        return getattr(ufunc, method)(*plain, **extra)


def _inverse(term: Term) -> Term:
    return power(term, Fraction(-1))


def _carried(compute: Any, left: Any, right: Any, join: Any) -> Any:
    term = term_of(right)
    if term is None:
        return NotImplemented
    return _made(compute(float(left), float(right)), join(left.term, term))


def _made(value: float, term: Term) -> Any:
    kind = SizeNumber if float(value).is_integer() else SizeRatio
    return kind(value, term)


@final
class SizeNumber(_Arithmetic, int):
    """A whole number made of sizes."""

    def __new__(cls, value: float, term: Term) -> SizeNumber:
        made = int.__new__(cls, int(value))
        made.term = term
        return made


@final
class SizeRatio(_Arithmetic, float):
    """A number made of sizes that is not whole."""

    def __new__(cls, value: float, term: Term) -> SizeRatio:
        made = float.__new__(cls, value)
        made.term = term
        return made


def number_of(size: Size, sizes: dict[str, int]) -> int:
    """A size as the number that the user's code sees: √3 is made of a 3, and no float."""
    return SizeNumber(sizes[size] if isinstance(size, str) else size, size_term(size))
