"""A formula to the ways in which float32 machines work it out: orders, fused steps, other rules.

Every operation is one float32 operation of NumPy, which IEEE 754 rounds correctly; a fused
multiply-add is made of exact float64 operations (`fused`). A form carries its own text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product

import numpy as np

from gradproof.core.index import Index, Size, is_index, the_index
from gradproof.core.program import Equation
from gradproof.core.term import (
    ONE,
    Add,
    Apply,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    bound,
    walk,
)
from gradproof.judge.rounding import FUNCTIONS, Floats, fused, orders

MOST_FORMS = 300
MOST_INSIDE = 12
"""How many forms of a part are combined with those of the other parts."""

MOST_NUMBERS = 2_000_000


class NotSearched(Exception):
    """A formula with something that this search has no forms of."""


@dataclass(frozen=True, eq=False)
class Form:
    """One way of working a term out: its text, its numbers, and how tightly the text binds.

    ``last`` are the operands of its last multiplication, which a sum may fuse; ``under`` says that
    the form stands below a fraction line.
    """

    text: str
    value: Floats
    binds: int = 3
    last: tuple[Floats, Floats] | None = None
    under: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The operands, the sizes, and the axes on which every array is laid out."""

    operands: Mapping[str, Floats]
    sizes: Mapping[str, int]
    axes: tuple[Index, ...]


def forms(
    equation: Equation, operands: Mapping[str, Floats], sizes: Mapping[str, int]
) -> Iterator[Form]:
    """The forms of an equation, the plainest first; each value has the target's shape.

    Args:
        equation: reads and arithmetic, with functions by the names of their values.
        operands: float32 arrays.
        sizes: a number for each size symbol.

    Raises:
        NotSearched: the equation has something else in it, or too many numbers.
    """
    inner = [i for node in walk(equation.term) for i in bound(node)]
    axes = (*equation.free, *dict.fromkeys(i for i in inner if i not in equation.free))
    shape = tuple(_length(i.size, sizes) for i in axes)
    if np.prod(shape, dtype=np.float64) > MOST_NUMBERS:
        raise NotSearched
    place = Place(operands, sizes, axes)
    target = shape[: len(equation.free)]
    for term in dict.fromkeys(rewritten(equation.term)):
        for form in islice(_forms(term, place), MOST_FORMS):
            value = 1 / form.value if form.under else form.value
            text = f"1/{_wrapped(form, 3)}" if form.under else form.text
            full = np.broadcast_to(value, (*target, *(1,) * (len(shape) - len(target))))
            value = np.array(full.reshape(target), dtype=np.float32)  # a copy keeps a scalar one
            yield Form(text, value)


def _length(size: Size, sizes: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else sizes[size]


# --- other ways of writing the same term -----------------------------------------------------


def rewritten(term: Term) -> Iterator[Term]:
    """A term, and what people and libraries write instead of it."""
    yield term
    flat = _flat(term)
    yield flat
    yield from _factored(flat)
    yield from _distributed(flat)


def _flat(term: Term) -> Term:
    """Products in products, and squares, as one list of factors."""
    match term:
        case Product(factors):
            found: list[Term] = []
            for factor in (_flat(f) for f in factors):
                found += factor.factors if isinstance(factor, Product) else (factor,)
            return Product(tuple(found))
        case Power(base, Fraction(numerator=2, denominator=1)):
            return Product((_flat(base), _flat(base)))
        case Add(terms):
            return Add(tuple(_flat(t) for t in terms))
        case Sum(over, body):
            return Sum(over, _flat(body))
        case Power(base, exponent):
            return Power(_flat(base), exponent)
        case _:
            return term


def _difference_of_squares(term: Term) -> Term | None:
    """``(1 − h)(1 + h)`` for ``1 − h·h``."""
    match term:
        case Add((Number() as one, Product((Number(value), h, again)))) if (
            one == ONE and value == -1 and h == again
        ):
            minus = Product((Number(Fraction(-1)), h))
            return Product((Add((ONE, minus)), Add((ONE, h))))
        case _:
            return None


def _factored(term: Term) -> Iterator[Term]:
    factors = term.factors if isinstance(term, Product) else (term,)
    for number, factor in enumerate(factors):
        other = _difference_of_squares(factor)
        if other is not None:
            yield _flat(Product((*factors[:number], other, *factors[number + 1 :])))


def _distributed(term: Term) -> Iterator[Term]:
    """``g − g·h·h`` for ``g·(1 − h·h)``; ``g·(s − s·s)`` for ``g·s·(1 − s)``."""
    if not isinstance(term, Product):
        return
    for number, factor in enumerate(term.factors):
        if isinstance(factor, Add):
            rest = (*term.factors[:number], *term.factors[number + 1 :])
            for inside in {rest, *((r,) for r in rest)}:
                outside = tuple(r for r in rest if r not in inside)
                spread = Add(tuple(_flat(Product((*inside, t))) for t in factor.terms))
                yield _flat(Product((*outside, spread))) if outside else spread


# --- forms of a term ---------------------------------------------------------------------------


def _forms(term: Term, place: Place) -> Iterator[Form]:
    match term:
        case Read():
            yield _read(term, place)
        case Number(value):
            yield Form(_number(value), np.asarray(np.float32(float(value))))
        case SizeOf(size):
            yield Form(size, np.asarray(np.float32(place.sizes[size])))
        case Pi():
            yield Form("π", np.asarray(np.float32(np.pi)))
        case Product(factors):
            yield from _product(factors, place)
        case Add(terms):
            yield from _sum_of(terms, place)
        case Sum(over, body):
            yield from _total(over, body, place, None)
        case Power(base, exponent):
            yield from _power(base, exponent, place)
        case Apply(function, (argument,), 0) if function in FUNCTIONS:
            for inner in islice(_forms(argument, place), MOST_INSIDE):
                for text, work in FUNCTIONS[function]:
                    yield Form(text.format(inner.text), work(inner.value).astype(np.float32))
        case _:
            raise NotSearched


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"({value})"


def _read(term: Read, place: Place) -> Form:
    if term.tensor not in place.operands:
        raise NotSearched
    array = np.asarray(place.operands[term.tensor], dtype=np.float32)
    kept: list[Index] = []
    for axis in reversed(range(len(term.at))):
        position = term.at[axis]
        if is_index(position):
            kept.insert(0, the_index(position))
        elif not position.terms:
            array = np.take(array, position.constant, axis=axis)
        else:
            raise NotSearched
    if len(set(kept)) != len(kept):
        raise NotSearched
    present = [a for a in place.axes if a in kept]
    array = np.transpose(array, [kept.index(a) for a in present])
    return Form(term.tensor, array[tuple(slice(None) if a in kept else None for a in place.axes)])


def _wrapped(form: Form, level: int) -> str:
    return form.text if form.binds >= level else f"({form.text})"


def _power(base: Term, exponent: Fraction, place: Place) -> Iterator[Form]:
    for form in _forms(base, place):
        if exponent == -1:
            yield Form(form.text, form.value, form.binds, under=True)
        elif exponent == Fraction(1, 2):
            yield Form(f"√{_wrapped(form, 3)}", np.sqrt(form.value))
        elif exponent == Fraction(-1, 2):
            yield Form(f"√{_wrapped(form, 3)}", np.sqrt(form.value), under=True)
        elif exponent == 2:
            yield _multiplied(form, form)
        else:
            raise NotSearched


def _multiplied(x: Form, y: Form) -> Form:
    """The product of two forms, either of which may stand below the line."""
    if x.under and not y.under:
        return _multiplied(y, x)
    if y.under and not x.under:
        return Form(f"{_wrapped(x, 2)}/{_wrapped(y, 3)}", x.value / y.value, 2)
    text = f"{_wrapped(x, 3)}·{_wrapped(y, 3)}"
    return Form(text, x.value * y.value, 2, (x.value, y.value), x.under)


def _added(x: Form, y: Form) -> Iterator[Form]:
    """The sum of two forms: with two roundings, or with one where a product is added."""
    negative = y.text.startswith("−")
    text = f"{x.text} − {y.text[1:]}" if negative else f"{x.text} + {y.text}"
    yield Form(text, x.value + y.value, 1)
    for one, two, order in ((x, y, text), (y, x, text)):
        if one.last is not None:
            yield Form(f"fma({order})", fused(*one.last, two.value), 3)


def _trees(parts: list[Form], join: Callable[[Form, Form], Iterator[Form]]) -> Iterator[Form]:
    """Every order of joining parts two at a time."""
    if len(parts) == 1:
        yield parts[0]
        return
    if len(parts) > 5:  # more orders than are worth trying: as written
        found = parts[0]
        for part in parts[1:]:
            found = next(iter(join(found, part)))
        yield found
        return
    first, *rest = parts
    # Left to right first, which is how most code is written; then every split in two.
    for mask in sorted(range(1 << len(rest)), key=lambda m: -m.bit_count()):
        left = [first, *(p for k, p in enumerate(rest) if mask >> (len(rest) - 1 - k) & 1)]
        right = [p for k, p in enumerate(rest) if not mask >> (len(rest) - 1 - k) & 1]
        if right:
            for x, y in product(list(_trees(left, join)), list(_trees(right, join))):
                yield from join(x, y)


def _product(factors: tuple[Term, ...], place: Place) -> Iterator[Form]:
    scale, others = Fraction(1), []
    for factor in factors:
        if isinstance(factor, Number) and _is_exact(factor.value):
            scale *= factor.value  # ± a power of two: exact, so it may stand anywhere
        else:
            others.append(factor)
    if not others:
        yield Form(_number(scale), np.asarray(np.float32(float(scale))))
        return
    choices = [list(islice(_forms(f, place), MOST_INSIDE)) for f in others]
    for parts in islice(product(*choices), MOST_FORMS):
        for form in _trees(list(parts), lambda x, y: iter((_multiplied(x, y),))):
            yield _scaled(form, scale)


def _is_exact(value: Fraction) -> bool:
    top, bottom = abs(value.numerator), value.denominator
    return top > 0 and top & (top - 1) == 0 and bottom & (bottom - 1) == 0


def _scaled(form: Form, scale: Fraction) -> Form:
    if scale == 1:
        return form
    by = np.float32(float(scale))
    value = form.value / by if form.under else form.value * by
    text = f"−{_wrapped(form, 2)}" if scale == -1 else f"{_number(scale)}·{_wrapped(form, 3)}"
    if form.under:
        return Form(f"{_number(scale)}/{_wrapped(form, 3)}", np.float32(1) / value, 2)
    last = None if form.last is None else (form.last[0] * by, form.last[1])
    return Form(text, value, 2, last)


def _sum_of(terms: tuple[Term, ...], place: Place) -> Iterator[Form]:
    choices = [list(islice(_forms(t, place), MOST_INSIDE)) for t in terms]
    for parts in islice(product(*choices), MOST_FORMS):
        plain = [_over_one(p) for p in parts]
        yield from _trees(plain, _added)
    sums = [t for t in terms if isinstance(t, Sum)]
    if len(sums) == 1:
        rest = tuple(t for t in terms if t is not sums[0])
        for start in _forms(rest[0] if len(rest) == 1 else Add(rest), place):
            yield from _total(sums[0].over, sums[0].body, place, start)


def _over_one(form: Form) -> Form:
    if not form.under:
        return form
    return Form(f"1/{_wrapped(form, 3)}", np.float32(1) / form.value, 2)


# --- sums over an axis -------------------------------------------------------------------------


def _total(over: tuple[Index, ...], body: Term, place: Place, start: Form | None) -> Iterator[Form]:
    """``Σ`` of a body in the orders in which libraries add; from `start` if there is one."""
    spots = tuple(place.axes.index(i) for i in over)
    shape = tuple(_length(i.size, place.sizes) for i in place.axes)
    letters = ",".join(str(i.size) for i in over)
    for form in islice(_forms(body, place), MOST_INSIDE):
        form = _over_one(form)
        rows = _rows(form.value, spots, shape)
        pairs = None
        if form.last is not None:
            pairs = (_rows(form.last[0], spots, shape), _rows(form.last[1], spots, shape))
        begin = (
            None
            if start is None
            else np.broadcast_to(_rows(start.value, spots, shape)[0], rows[0].shape)
        )
        for how, value in orders(rows, pairs, begin):
            text = f"Σ[{letters}] {_wrapped(form, 2)}{how}"
            text = text if start is None else f"{start.text} + {text}, from {start.text} on"
            yield Form(text, np.expand_dims(value, spots), 1)


def _rows(value: Floats, spots: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    """The summands along the first axis; the other axes keep their order."""
    wide = (
        tuple(shape[k] if k in spots else value.shape[k] for k in range(value.ndim))
        if (value.ndim)
        else shape
    )
    full = np.broadcast_to(value, wide)
    moved = np.moveaxis(full, spots, range(len(spots)))
    return np.ascontiguousarray(moved.reshape((-1, *moved.shape[len(spots) :])))
