"""Index equations to array expressions: which axes stand where, and what is a matrix product.

What `lay` returns has the axes that it was asked for, from the first one on that the term has: a
vector along the last axis stays a vector, because arrays broadcast. An axis that the term has not
is of size 1 there. Arrays have vectors and more than two axes, and no rows and columns; so code is
laid out from the equation itself and not from its matrix form, which stands above it as a comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from gradproof.code.array import (
    ANY,
    Along,
    Array,
    Call,
    Compared,
    Einsum,
    Grid,
    Joined,
    Length,
    Matmul,
    Minus,
    OfMatrix,
    Over,
    Part,
    PiNumber,
    Plus,
    Raised,
    Rational,
    Reduced,
    Reshaped,
    Spread,
    Stacked,
    Taken,
    Tensordot,
    Times,
    is_number,
)
from gradproof.code.array import transform as change_all
from gradproof.code.tensors import (
    Axes,
    Bench,
    Desk,
    first_of,
    grid_of,
    lay_at,
    lay_read,
    natural,
    pattern,
    radix,
    to_axes,
)
from gradproof.core.index import Affine, Index, Size, at, is_index, the_index
from gradproof.core.normal import apart, highest
from gradproof.core.program import Equation
from gradproof.core.term import (
    ZERO,
    Add,
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
    free,
    reads,
    size_term,
    transform,
)
from gradproof.core.term import Along as AlongTerm
from gradproof.core.told import told
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.formula import Formula
from gradproof.prims.linalg import INVERSE, LOGDET, OF_MATRIX_BY_NAME
from gradproof.write.join import pieces
from gradproof.write.matrix import without_size_one
from gradproof.write.nest import factors_of

HALF = Fraction(1, 2)


def lay_equation(equation: Equation, bench: Bench) -> Array:
    """The right side of an equation as an array with the axes of its target.

    Raises:
        NotYet: it reads a tensor in a way that has no expression yet; the message names the line.
    """
    written_out = with_outputs(equation, bench)
    term, _ = apart(written_out, highest(written_out, equation.free) + 1)
    whole = Equation(equation.target, equation.free, term, equation.place)
    flat = without_size_one(whole)
    desk = Desk(bench, equation.place, _like(flat.term, bench), equation.target)
    axes: Axes = tuple(None if i.size == 1 else i for i in equation.free)
    return _whole(flat.term, axes, desk)


def _like(term: Term, bench: Bench) -> Array:
    """A tensor of an equation that has the dtype of its result."""
    for read in reads(term):
        if read.tensor not in bench.whole:
            return bench.variable(read.tensor)
    return ANY


def _whole(term: Term, axes: Axes, desk: Desk) -> Array:
    """A term as an array with exactly these axes, repeated where it is constant."""
    present = [axis for axis in axes if axis is not None]
    if term == ZERO:
        return Spread(Rational(Fraction(0)), _sizes(axes), desk.like)
    joined = _stacked(term, axes, desk) or _joined(term, axes, desk)
    if joined is not None:
        return joined
    made = lay(term, axes, desk)
    if set(present) - free(term):
        return Spread(made, _sizes(axes), desk.like)
    first = first_of(free(term), axes)
    new: tuple[Part, ...] = ("new",) * first
    return Taken(made, (*new, *("all",) * (len(axes) - first))) if first else made


def _sizes(axes: Axes) -> tuple[Size, ...]:
    return tuple(1 if axis is None else axis.size for axis in axes)


# --- tensors beside each other -----------------------------------------------------------------


def _joined(term: Term, axes: Axes, desk: Desk) -> Array | None:
    """``concatenate([h, x])`` for ``[i ≤ 3] h[n,i] + [i ≥ 4] x[n,i−4]``."""
    present = tuple(axis for axis in axes if axis is not None)
    found = pieces(term, present, highest(term, present) + 1)
    if found is None:
        return None
    axis, parts = found
    laid = []
    for piece in parts:
        own: Axes = tuple(piece.axis if one == axis else one for one in axes)
        laid.append(_whole(ZERO if piece.term is None else piece.term, own, desk))
    return Joined(tuple(laid), axes.index(axis))


def _stacked(term: Term, axes: Axes, desk: Desk) -> Array | None:
    """``stack([a, b])`` for ``[i = 0] a[n] + [i = 1] b[n]``, where all slices are there."""
    terms = term.terms if isinstance(term, Add) else (term,)
    for spot, axis in enumerate(axes):
        if axis is None or not isinstance(axis.size, int) or axis.size == 1:
            continue
        slices: dict[int, list[Term]] = {}
        for one in terms:
            found = _slice(one, axis)
            if found is None:
                break
            slices.setdefault(found[0], []).append(found[1])
        else:
            if sorted(slices) == list(range(axis.size)):
                rest = (*axes[:spot], *axes[spot + 1 :])
                made = [_sum_of(slices[k]) for k in range(axis.size)]
                return Stacked(tuple(_whole(one, rest, desk) for one in made), spot)
    return None


def _sum_of(terms: list[Term]) -> Term:
    return terms[0] if len(terms) == 1 else Add(tuple(terms))


def _slice(term: Term, axis: Index) -> tuple[int, Term] | None:
    """Of ``[i = 3] a`` the 3 and the a, if i stands nowhere else."""
    match term:
        case Sum(over, body):
            found = _slice(body, axis)
            return None if found is None else (found[0], Sum(over, found[1]))
        case Product(factors):
            for spot, factor in enumerate(factors):
                match factor:
                    case Bracket("==", Affine(((index, c),), constant)) if index == axis:
                        rest = (*factors[:spot], *factors[spot + 1 :])
                        body = rest[0] if len(rest) == 1 else Product(rest)
                        return None if axis in free(body) else (-constant * c, body)
                    case Sum() if axis in free(factor):
                        found = _slice(factor, axis)
                        if found is None:
                            return None
                        body = Product((*factors[:spot], found[1], *factors[spot + 1 :]))
                        return None if axis in free(body) else (found[0], body)
                    case _:
                        pass
            return None
        case _:
            return None


# --- terms -------------------------------------------------------------------------------------


def lay(term: Term, axes: Axes, desk: Desk) -> Array:
    """A term as an array with the axes that `pattern` says.

    Raises:
        NotYet: there is no expression for it yet.
    """
    match term:
        case Number(value):
            return Rational(value) if value >= 0 else Minus(Rational(-value))
        case SizeOf(size):
            return Length(size)
        case Pi():
            return PiNumber()
        case Read():
            return lay_read(term, axes, desk)
        case Add(terms):
            return _plus([lay(t, axes, desk) for t in terms])
        case Product(factors):
            return _product(factors, axes, desk)
        case Sum(over, body):
            return lay_sum(over, body, axes, desk)
        case Power(base, exponent):
            return _product((Power(base, exponent),), axes, desk)
        case Apply():
            return _apply(term, axes, desk)
        case Fold(function, over, body) if function == LOGDET:
            return OfMatrix(LOGDET, _matrix(function, over, body, desk))
        case AlongTerm(function, rows, AlongTerm(_, columns, body, column), row) if (
            function == INVERSE
        ):
            array = OfMatrix(INVERSE, _matrix(function, (rows, columns), body, desk))
            shape = (rows.size, columns.size)
            return lay_at(array, shape, (row, column), "an inverse", axes, desk)
        case Fold(function, over, body):
            return reduced(function, body, over, axes, desk)
        case AlongTerm():
            return _along(term, axes, desk)
        case Compare(relation, left, right):
            like = _like(term, desk.bench)
            like = desk.like if like == ANY else like
            sides = (_placed(lay(side, axes, desk), desk) for side in (left, right))
            return Compared(relation, *sides, like)
        case Bracket(relation, position):
            grid = grid_of(position, axes[first_of(free(term), axes) :], None, desk)
            return Compared(relation, grid, Rational(Fraction(0)), desk.like)


def _placed(array: Array, desk: Desk) -> Array:
    """Positions of the traced program's own, where the equation's tensors are."""

    def change(node: Array) -> Array:
        return replace(node, like=desk.like) if isinstance(node, Grid) else node

    return change_all(array, change)


def _plus(terms: list[Array]) -> Array:
    """A sum; ``1 − [z > 0]`` is ``[z ≤ 0]``."""
    match terms:
        case [Rational(value), Minus(Compared(">", left, right, like))] if value == 1:
            return Compared("<=", left, right, like)
        case _:
            return Plus(tuple(terms))


def _product(factors: Iterable[Term], axes: Axes, desk: Desk) -> Array:
    """Numbers first, then arrays, and what divides last."""
    number = Fraction(1)
    tops: list[Array] = []
    bottoms: list[Array] = []
    above: list[Array] = []
    below: list[Array] = []
    for factor in _flat(factors):
        match factor:
            case Number(value):
                number *= value
            case Power(base, exponent) if exponent < 0:
                part = _raised(lay(base, axes, desk), -exponent)
                (bottoms if is_number(part) else below).append(part)
            case Power(base, exponent):
                part = _raised(lay(base, axes, desk), exponent)
                (tops if is_number(part) else above).append(part)
            case _:
                part = lay(factor, axes, desk)
                if isinstance(part, Minus):
                    number, part = -number, part.body
                (tops if is_number(part) else above).append(part)
    made = _fraction(abs(number), tops, bottoms, [_finite(part, above) for part in above], below)
    return Minus(made) if number < 0 else made


def _finite(part: Array, beside: list[Array]) -> Array:
    """``exp(z)`` beside ``[z ≤ 0]`` as ``exp(min(z, 0))``: where z is large it would be infinite,
    and 0 times that is no number."""
    zero = Rational(Fraction(0))
    match part:
        case Call("exp", (argument,)) if any(
            isinstance(one, Compared)
            and (one.relation, one.left, one.right) == ("<=", argument, zero)
            for one in beside
        ):
            return Call("exp", (Call("minimum", (argument, zero)),))
        case _:
            return part


def _flat(factors: Iterable[Term]) -> list[Term]:
    found: list[Term] = []
    for factor in factors:
        found += _flat(factor.factors) if isinstance(factor, Product) else [factor]
    return found


def _fraction(
    number: Fraction,
    tops: list[Array],
    bottoms: list[Array],
    above: list[Array],
    below: list[Array],
) -> Array:
    """``2 / n * a * b / c``: one number, worked out first, and few passes."""
    if bottoms or not _is_decimal(number):
        if number.numerator != 1:
            tops = [Rational(Fraction(number.numerator)), *tops]
        if number.denominator != 1:
            bottoms = [Rational(Fraction(number.denominator)), *bottoms]
    elif number != 1:
        tops = [Rational(number), *tops]
    if bottoms and not tops and above:
        return Over(_times([*above]), _times([*bottoms, *below]))
    front: list[Array] = []
    if bottoms:
        front = [Over(_times(tops), _times(bottoms))]
    elif tops:
        front = [_times(tops)]
    top = _times([*front, *above])
    return Over(top, _times(below)) if below else top


def _is_decimal(number: Fraction) -> bool:
    """Whether a number has few decimals: 0.25 and 10⁻⁵, but not ⅓."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 and len(repr(float(number))) < 12


def _times(factors: list[Array]) -> Array:
    flat: list[Array] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Times) else (factor,)
    if not flat:
        return Rational(Fraction(1))
    return flat[0] if len(flat) == 1 else Times(tuple(flat))


def _raised(base: Array, exponent: Fraction) -> Array:
    if exponent == 1:
        return base
    if exponent == HALF:
        return Call("sqrt", (base,))
    return Raised(base, exponent)


# --- functions ---------------------------------------------------------------------------------


def with_outputs(equation: Equation, bench: Bench) -> Term:
    """The right side with slopes written out, and the forward's values where they are a
    function's result: ``tanh′(z)`` becomes ``1 − a²``."""

    def value(function: str, arguments: tuple[Term, ...]) -> Term:
        match arguments:
            case (Read(tensor, places),):
                output = bench.outputs.get((function, tensor))
                if output is not None and output != equation.target:
                    return Read(output, places)
        return Apply(function, arguments)

    def change(node: Term) -> Term:
        match node:
            case Apply(function, arguments, 1):
                rule = ELEMENTWISE_BY_NAME[function].slopes[0]
                assert rule is not None
                known = Formula(value(function, arguments))
                slope: Term = rule(known, *(Formula(a) for a in arguments)).term
                return transform(slope, change)
            case Apply(function, arguments, 0):
                return value(function, arguments)
            case AlongTerm("inverse", i, AlongTerm(_, j, Read(tensor, at_), column), row):
                output = bench.outputs.get((INVERSE, tensor))
                if output is None or output == equation.target:
                    return node
                if at_ == (at(i), at(j)):
                    return Read(output, (row, column))
                # The inverse of a transposed matrix is the transposed inverse.
                return Read(output, (column, row)) if at_ == (at(j), at(i)) else node
            case _:
                return node

    return transform(equation.term, change)


def _apply(term: Apply, axes: Axes, desk: Desk) -> Array:
    return Call(term.function, tuple(lay(a, axes, desk) for a in term.arguments))


def _along(term: AlongTerm, axes: Axes, desk: Desk) -> Array:
    if not is_index(term.position) or the_index(term.position) in free(term.body):
        raise desk.not_yet(
            told("a {function} is read at one position or along a diagonal", function=term.function)
        )
    index = the_index(term.position)
    moved: Axes = tuple(term.over if axis == index else axis for axis in axes)
    body = lay(term.body, moved, desk)
    laid = pattern(free(term.body), moved)
    if term.over not in laid:
        raise desk.not_yet(
            told("a {function} of what does not depend on its index", function=term.function)
        )
    return Along(term.function, body, laid.index(term.over) - len(laid))


def _matrix(function: str, over: tuple[Index, ...], body: Term, desk: Desk) -> Array:
    """The matrix that a function takes as a whole."""
    if free(body) - set(over):
        raise desk.not_yet(
            told(
                "{function} is taken of a stack of matrices",
                function=OF_MATRIX_BY_NAME[function].words,
            )
        )
    return _whole(body, tuple(None if i.size == 1 else i for i in over), desk)


def reduced(function: str, body: Term, over: tuple[Index, ...], axes: Axes, desk: Desk) -> Array:
    """A sum, a largest element or a logsumexp over indices of a body."""
    wanted = [axis for axis in axes if axis is not None and axis in free(body) - set(over)]
    order = natural(body, axes)
    if [axis for axis in order if axis not in over] != wanted:
        order = (*wanted, *over)
    inside = lay(body, order, desk)
    spots = tuple(sorted(order.index(i) for i in over))
    result = pattern(frozenset(wanted), axes)
    kept: Axes = tuple(None if axis in over else axis for axis in order)
    if kept == result and wanted:
        return Reduced(function, inside, spots, True)
    made = Reduced(function, inside, spots, False, len(over) == len(order))
    return to_axes(made, tuple(wanted), result)


# --- sums of products --------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def lay_sum(over: tuple[Index, ...], body: Term, axes: Axes, desk: Desk) -> Array:
    """``Σ`` of a body over indices, with the axes that `lay` promises."""
    factors = factors_of(body)
    joined = _reshaped(over, factors, axes, desk)
    if joined is not None:
        return joined
    outside = [f for f in factors if not free(f) & set(over)]
    inside = [f for f in factors if free(f) & set(over)]
    absent = [i for i in over if not any(i in free(f) for f in inside)]
    outside += [size_term(i.size) for i in absent]
    left = tuple(i for i in over if i not in absent)
    if outside and left:
        return lay(Product((*outside, Sum(left, _as_product(inside)))), axes, desk)
    if not left:
        return lay(_as_product(outside), axes, desk)
    return _contracted(left, inside, axes, desk)


def _as_product(factors: list[Term]) -> Term:
    if not factors:
        return Product(())
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def _contracted(over: tuple[Index, ...], factors: list[Term], axes: Axes, desk: Desk) -> Array:
    """The sum when every factor has an index that is summed."""
    match factors:
        case [Sum(inner, body)]:
            return lay_sum((*over, *inner), body, axes, desk)
        case _:
            pass
    groups = _grouped(factors)
    if len(groups) == 1:
        return reduced("sum", groups[0], over, axes, desk)
    for spot, group in enumerate(groups):
        rest = [g for k, g in enumerate(groups) if k != spot]
        elsewhere = frozenset[Index]().union(*(free(g) for g in rest))
        lonely = tuple(i for i in over if i in free(group) and i not in elsewhere)
        if lonely:
            left = tuple(i for i in over if i not in lonely)
            summed = Sum(lonely, group)
            return (
                lay_sum(left, _as_product([*rest[:spot], summed, *rest[spot:]]), axes, desk)
                if (left)
                else lay(_as_product([*rest[:spot], summed, *rest[spot:]]), axes, desk)
            )
    if len(groups) == 2:
        return _binary(over, groups[0], groups[1], axes, desk)
    one, other = _pair(over, groups)
    rest = [g for g in groups if g is not one and g is not other]
    elsewhere = frozenset[Index]().union(*(free(g) for g in rest))
    gone = tuple(i for i in over if i in free(one) & free(other) and i not in elsewhere)
    both = Product((one, other))
    made: Term = Sum(gone, both) if gone else both
    left = tuple(i for i in over if i not in gone)
    if not gone:
        return _contracted_merged(left, made, rest, axes, desk)
    return (
        lay_sum(left, _as_product([made, *rest]), axes, desk)
        if left
        else lay(_as_product([made, *rest]), axes, desk)
    )


def _contracted_merged(
    over: tuple[Index, ...], merged: Term, rest: list[Term], axes: Axes, desk: Desk
) -> Array:
    """Two factors that share nothing which only they have are one factor from here on."""
    if len(rest) == 1:
        return _binary(over, merged, rest[0], axes, desk)
    raise desk.not_yet(told("a sum of a product of four factors that all share their indices"))


def _grouped(factors: list[Term]) -> list[Term]:
    """Factors over the same indices as one, and conditions with the smallest factor that has
    their indices."""
    groups: dict[frozenset[Index], list[Term]] = {}
    for factor in factors:
        groups.setdefault(free(factor), []).append(factor)
    small = [key for key, group in groups.items() if all(isinstance(f, Bracket) for f in group)]
    for key in small:
        wide = [other for other in groups if key < other]
        if wide:
            groups[min(wide, key=len)] += groups.pop(key)
    for key in sorted(groups, key=len):
        # A vector beside a matrix of a larger product scales it first.
        wide = [other for other in groups if key < other]
        if wide and len(groups) > 2:
            groups[min(wide, key=len)] += groups.pop(key)
    return [_as_product(group) for group in groups.values()]


def _pair(over: tuple[Index, ...], groups: list[Term]) -> tuple[Term, Term]:
    """Of the factors that share a summed index the two with the smallest product."""
    pairs = [
        (one, other)
        for spot, one in enumerate(groups)
        for other in groups[spot + 1 :]
        if free(one) & free(other) & set(over)
    ]

    def size(pair: tuple[Term, Term]) -> int:
        rest = [g for g in groups if g is not pair[0] and g is not pair[1]]
        elsewhere = frozenset[Index]().union(*(free(g) for g in rest))
        shared = free(pair[0]) & free(pair[1]) & set(over) - elsewhere
        return len((free(pair[0]) | free(pair[1])) - shared)

    return min(pairs, key=size)


def _binary(over: tuple[Index, ...], one: Term, other: Term, axes: Axes, desk: Desk) -> Array:
    """``Σ`` of two factors that share all summed indices."""
    wanted = [axis for axis in axes if axis is not None and axis in (free(one) | free(other))]
    batch = tuple(i for i in wanted if i in free(one) & free(other))
    rows = tuple(i for i in wanted if i in free(one) and i not in batch)
    columns = tuple(i for i in wanted if i in free(other) and i not in batch)
    lying = not rows and not batch and len(columns) == 1 and natural(other) == (*over, *columns)
    before = columns and (not rows or wanted.index(columns[0]) < wanted.index(rows[0]))
    if before and not lying:
        one, other, rows, columns = other, one, columns, rows
    made, have = _multiplied(over, one, other, (batch, rows, columns), desk)
    result = pattern(frozenset(wanted), axes)
    return to_axes(made, have, result)


def _multiplied(
    over: tuple[Index, ...],
    one: Term,
    other: Term,
    kinds: tuple[tuple[Index, ...], tuple[Index, ...], tuple[Index, ...]],
    desk: Desk,
) -> tuple[Array, tuple[Index, ...]]:
    """The product, and the axes that it has."""
    batch, rows, columns = kinds
    have = (*batch, *rows, *columns)
    if len(over) == 1 and len(columns) <= 1 and (not batch or len(rows) == len(columns) == 1):
        left = lay(one, (*batch, *rows, *over), desk)
        right = lay(other, (*batch, *over, *columns), desk)
        ranks = (len(batch) + len(rows) + 1, len(batch) + 1 + len(columns))
        return Matmul(left, right, ranks), have
    if not batch:
        first = _last_or_first(one, rows, over)
        second = _last_or_first(other, columns, over)
        spots = tuple(first.index(i) for i in over), tuple(second.index(i) for i in over)
        made = Tensordot(lay(one, first, desk), lay(other, second, desk), spots)
        mine = tuple(i for i in first if i not in over)
        return made, (*mine, *(i for i in second if i not in over))
    letters = dict(zip((*have, *over), LETTERS, strict=False))
    first, second = natural(one), natural(other)
    said = ["".join(letters[i] for i in order) for order in (first, second, have)]
    subscripts = f"{said[0]},{said[1]}->{said[2]}"
    return Einsum(subscripts, lay(one, first, desk), lay(other, second, desk)), have


def _last_or_first(
    term: Term, kept: tuple[Index, ...], over: tuple[Index, ...]
) -> tuple[Index, ...]:
    """The axes as the tensor has them, unless what stays would change its order."""
    order = natural(term)
    stays = tuple(i for i in order if i not in over)
    return order if stays == kept else (*kept, *over)


# --- reshapes ----------------------------------------------------------------------------------


def _reshaped(over: tuple[Index, ...], factors: list[Term], axes: Axes, desk: Desk) -> Array | None:
    """``Σ_c,i p[n,c,i]·[k = 4c + i]`` is a reshape: nothing is added up."""
    for spot, factor in enumerate(factors):
        if not isinstance(factor, Bracket) or factor.relation != "==" or factor.position.constant:
            continue
        terms = factor.position.terms
        plus = radix([(v, c) for v, c in terms if c > 0])
        minus = radix([(v, -c) for v, c in terms if c < 0])
        if plus is None or minus is None or plus[1] != minus[1] or not plus[0] or not minus[0]:
            continue
        rest = _as_product(factors[:spot] + factors[spot + 1 :])
        for summed, made in ((plus[0], minus[0]), (minus[0], plus[0])):
            if set(summed) <= set(over) and not set(made) & ({*over} | free(rest)):
                left = tuple(i for i in over if i not in summed)
                body = Sum(left, rest) if left else rest
                if not set(summed) <= free(body):
                    continue
                return _as_reshape(body, summed, made, axes, desk)
    return None


def _as_reshape(
    body: Term, summed: tuple[Index, ...], made: tuple[Index, ...], axes: Axes, desk: Desk
) -> Array:
    others = [a for a in axes if a is not None and a in free(body) and a not in summed]
    spots = [n for n, a in enumerate(axes) if a in made]
    before = tuple(o for o in others if axes.index(o) < min(spots))
    after = tuple(o for o in others if o not in before)
    laid = lay(body, (*before, *summed, *after), desk)
    have = (*before, *made, *after)
    array = Reshaped(laid, tuple(i.size for i in have))
    return to_axes(array, have, pattern(frozenset(have), axes))
