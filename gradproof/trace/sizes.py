"""Sizes as numbers that remember their symbol, so that ``loss / x.shape[0]`` reads ``1/n``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from math import ceil, floor, trunc
from operator import and_, lshift, or_, rshift, xor
from pathlib import Path
from typing import Any, final

import numpy as np

from gradproof.core.index import Size
from gradproof.core.normal import add, negate, power, product
from gradproof.core.term import ONE, Number, Pi, SizeOf, Term, size_term, walk
from gradproof.prims.caller import is_ours
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

    def __neg__(self) -> Any:
        return _made(-float(_plain(self)), negate(self.term))

    def __pos__(self) -> Any:
        return self

    def __pow__(self, exponent: Any) -> Any:
        fraction = rational(float(exponent))
        return _made(_plain(self) ** float(exponent), power(self.term, fraction))

    # What follows depends on the number and not on the symbol: code that does so may do another
    # thing at a size that was never tried.

    def __eq__(self, other: object) -> bool:
        return _compared(self, other, float.__eq__)

    def __ne__(self, other: object) -> bool:
        return _compared(self, other, float.__ne__)

    def __lt__(self, other: Any) -> bool:
        return _compared(self, other, float.__lt__)

    def __le__(self, other: Any) -> bool:
        return _compared(self, other, float.__le__)

    def __gt__(self, other: Any) -> bool:
        return _compared(self, other, float.__gt__)

    def __ge__(self, other: Any) -> bool:
        return _compared(self, other, float.__ge__)

    def __hash__(self) -> int:
        note_asked(self)
        return hash(_plain(self))

    def __bool__(self) -> bool:
        note_asked(self)
        return bool(_plain(self) != 0)

    def __float__(self) -> float:
        return float(_turned(self))

    def __int__(self) -> int:
        return int(_turned(self))

    def __trunc__(self) -> int:
        return trunc(_turned(self))

    def __floor__(self) -> int:
        return floor(_turned(self))

    def __ceil__(self) -> int:
        return ceil(_turned(self))

    def __round__(self, digits: Any = None) -> Any:
        return round(_turned(self), digits)

    def __abs__(self) -> Any:
        return abs(_turned(self))

    def __rpow__(self, base: Any) -> Any:
        return base ** _turned(self)

    def __floordiv__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: b // a)

    def __mod__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: a % b)

    def __rmod__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: b % a)

    def __divmod__(self, other: Any) -> Any:
        return _cut(self, other, divmod)

    def __rdivmod__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: divmod(b, a))

    # A text is compared as a number is.

    def __str__(self) -> str:
        return str(_turned(self))

    def __repr__(self) -> str:
        return repr(_turned(self))

    def __format__(self, how: str) -> str:
        return format(_turned(self), how)

    def __complex__(self) -> complex:
        return complex(_turned(self))

    def as_integer_ratio(self) -> Any:
        return _turned(self).as_integer_ratio()

    def is_integer(self) -> bool:
        return bool(_turned(self).as_integer_ratio()[1] == 1)

    def conjugate(self) -> Any:
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **extra: Any) -> Any:
        if ufunc is np.sqrt and method == "__call__" and not extra:
            return self ** Fraction(1, 2)
        note_asked(self)
        if any(
            getattr(i, "__array_ufunc__", None)
            and not isinstance(i, _Arithmetic)
            and not isinstance(i, np.ndarray | np.generic)
            for i in inputs
        ):
            return NotImplemented
        plain = [float(_plain(i)) if isinstance(i, _Arithmetic) else i for i in inputs]
        return getattr(ufunc, method)(*plain, **extra)


_ASKED: ContextVar[set[str] | None] = ContextVar("asked", default=None)


@contextmanager
def asking() -> Iterator[set[str]]:
    """Meanwhile the symbols are collected whose numbers the user's code compares or cuts."""
    found: set[str] = set()
    token = _ASKED.set(found)
    try:
        yield found
    finally:
        _ASKED.reset(token)


_ASKING = (__file__, str(Path(__file__).with_name("graph.py")))
"""Files through which the user's code asks: a tensor's length is a size, too."""


def note_asked(size: _Arithmetic) -> None:
    """Notes the symbols of a size, if it is the user's own code that asks."""
    found = _ASKED.get()
    if found is None:
        return
    frame = sys._getframe(1)
    while frame.f_code.co_filename in _ASKING and frame.f_back is not None:
        frame = frame.f_back
    if not is_ours(frame.f_code.co_filename):
        found |= {node.size for node in walk(size.term) if isinstance(node, SizeOf)}


def _plain(size: _Arithmetic) -> Any:
    return int.__int__(size) if isinstance(size, int) else float.__float__(size)  # type: ignore[arg-type]


def _turned(size: _Arithmetic) -> Any:
    """The number behind a size, which the user's code turns it into if nothing of ours does."""
    if not is_ours(sys._getframe(2).f_code.co_filename):
        note_asked(size)
    return _plain(size)


def _compared(left: _Arithmetic, right: Any, relation: Callable[[float, float], bool]) -> Any:
    other = right
    if isinstance(right, _Arithmetic):
        if right.term != left.term:  # a size and itself compare alike at every number
            note_asked(left)
            note_asked(right)
        other = _plain(right)
    elif not isinstance(right, int | float | Fraction | np.number):
        return NotImplemented
    else:
        note_asked(left)
    return relation(float(_plain(left)), float(other))


def _cut(left: _Arithmetic, right: Any, compute: Callable[[Any, Any], Any]) -> Any:
    if not isinstance(right, int | float | np.number):
        return NotImplemented
    note_asked(left)
    return compute(_plain(left), _plain(right) if isinstance(right, _Arithmetic) else right)


def _inverse(term: Term) -> Term:
    return power(term, Fraction(-1))


def _carried(compute: Any, left: Any, right: Any, join: Any) -> Any:
    term = term_of(right)
    if term is None:
        return NotImplemented
    other = _plain(right) if isinstance(right, _Arithmetic) else right
    return _made(compute(float(_plain(left)), float(other)), join(left.term, term))


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

    @property
    def real(self) -> int:
        return self

    @property
    def numerator(self) -> int:
        return self

    def __and__(self, other: Any) -> Any:
        return _cut(self, other, and_)

    def __rand__(self, other: Any) -> Any:
        return _cut(self, other, and_)

    def __or__(self, other: Any) -> Any:
        return _cut(self, other, or_)

    def __ror__(self, other: Any) -> Any:
        return _cut(self, other, or_)

    def __xor__(self, other: Any) -> Any:
        return _cut(self, other, xor)

    def __rxor__(self, other: Any) -> Any:
        return _cut(self, other, xor)

    def __lshift__(self, other: Any) -> Any:
        return _cut(self, other, lshift)

    def __rlshift__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: b << a)

    def __rshift__(self, other: Any) -> Any:
        return _cut(self, other, rshift)

    def __rrshift__(self, other: Any) -> Any:
        return _cut(self, other, lambda a, b: b >> a)

    def __invert__(self) -> int:
        return ~int(_turned(self))

    def bit_length(self) -> int:
        return int(_turned(self)).bit_length()

    def bit_count(self) -> int:
        return int(_turned(self)).bit_count()

    def to_bytes(self, *how: Any, **more: Any) -> bytes:
        return int(_turned(self)).to_bytes(*how, **more)


@final
class SizeRatio(_Arithmetic, float):
    """A number made of sizes that is not whole."""

    def __new__(cls, value: float, term: Term) -> SizeRatio:
        made = float.__new__(cls, value)
        made.term = term
        return made

    @property
    def real(self) -> float:
        return self

    def hex(self) -> str:
        return float(_turned(self)).hex()


def number_of(size: Size, sizes: dict[str, int]) -> int:
    """A size as the number that the user's code sees: √3 is made of a 3, and no float."""
    return SizeNumber(sizes[size] if isinstance(size, str) else size, size_term(size))
