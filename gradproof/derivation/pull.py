"""One equation pulled back: what each read in it sends to the tensor that it reads.

The scalar chain rule, and the solution of an affine index map: a read ``v[φ(i)]`` in a term
contributes ``Σ_i seed(i)·[φ(i) = p]`` to the gradient of v at p (Karp, Miller and Winograd 1967
for the equations; the rule itself is the chain rule of any calculus book).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from gradproof.core.errors import NotYet
from gradproof.core.index import Affine, Index, at, is_index, the_index
from gradproof.core.normal import (
    apart,
    decided,
    highest,
    power,
    product,
    solve,
    total,
    without_brackets,
)
from gradproof.core.program import Equation
from gradproof.core.term import (
    ZERO,
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
    substitute,
)
from gradproof.core.told import told
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.formula import Formula
from gradproof.prims.linalg import inverse


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one read sends to the gradient of its tensor, at the positions `free`.

    ``raw`` is the same with nothing collected or cancelled: as an engine adds it up.
    """

    tensor: str
    free: tuple[Index, ...]
    term: Term
    raw: Term


@dataclass(frozen=True, slots=True)
class _Here:
    """A place in the term: what multiplies it, and the indices that are summed around it.

    ``numbers`` are those that ``seed`` has one product of: an engine multiplies by each of them.
    """

    term: Term
    seed: Term
    scope: frozenset[Index]
    numbers: tuple[Fraction, ...] = ()

    def below(self, term: Term, *factors: Term, scope: frozenset[Index] | None = None) -> _Here:
        """A subterm, which these factors multiply besides."""
        return _Here(
            term,
            product(self.seed, *factors),
            self.scope if scope is None else scope,
            (*self.numbers, *_numbers(factors)),
        )


def _numbers(factors: tuple[Term, ...]) -> Iterator[Fraction]:
    """The numbers among factors, and factors of factors, that are more than a sign."""
    for factor in factors:
        match factor:
            case Number(value) if abs(value) != 1:
                yield value
            case Product(inner):
                yield from _numbers(inner)
            case _:
                pass


def pull(
    equation: Equation, seed: Term, sizes: dict[str, tuple[int | str, ...]], active: frozenset[str]
) -> Iterator[Contribution]:
    """The contributions of every read of an active tensor in an equation.

    Args:
        equation: a forward equation.
        seed: the gradient of its target, at the equation's free indices.
        sizes: the shape of every tensor.
        active: the tensors that are differentiated.
    """
    first = highest(equation.term, equation.free) + 1
    stack = [_Here(equation.term, seed, frozenset(equation.free))]
    while stack:
        here = stack.pop()
        if isinstance(here.term, Read):
            if here.term.tensor in active:
                yield _contribution(here.term, here, first, sizes[here.term.tensor])
            continue
        stack.extend(reversed(list(_below(here, equation, first))))


def _below(here: _Here, equation: Equation, first: int) -> Iterator[_Here]:
    """The subterms, each with what multiplies it: the chain rule, node by node."""
    term = here.term
    match term:
        case Number() | SizeOf() | Pi() | Bracket() | Compare() | Read():
            return
        case Add(terms):
            for part in terms:
                yield here.below(part)
        case Product(factors):
            for spot, factor in enumerate(factors):
                others = factors[:spot] + factors[spot + 1 :]
                yield here.below(factor, *others)
        case Sum(over, body):
            yield here.below(body, scope=here.scope | set(over))
        case Power(base, exponent):
            # The base stands in the seed and on the path: without new indices they capture.
            copy, _ = apart(base, first + 1000)
            slope = product(Number(exponent), power(copy, exponent - 1))
            yield here.below(base, slope)
        case Apply(_, _, order) if order == 1:
            yield here.below(_slope_written_out(term))
        case Apply():
            yield from _apply(here, term, equation)
        case Fold("logdet", (i, j), body):
            yield _of_logdet(here, i, j, body, first)
        case Along("inverse", _, Along("matrix", _, _, _), _):
            yield _of_inverse(here, term, equation, first)
        case Fold():
            yield from _fold(here, term, equation, first)
        case Along():
            yield from _along(here, term, equation, first)


def _output(term: Term, equation: Equation, first: int) -> Formula:
    """The output of a function: the target itself where the function is the whole equation."""
    if term is equation.term:
        return Formula(Read(equation.target, tuple(at(i) for i in equation.free)))
    copy, _ = apart(term, first + 2000)
    return Formula(copy)


def _slope_written_out(term: Apply) -> Term:
    record = ELEMENTWISE_BY_NAME[term.function]
    rule = record.slopes[0]
    assert rule is not None
    value = Formula(Apply(term.function, term.arguments))
    return rule(value, *(Formula(a) for a in term.arguments)).term


def _apply(here: _Here, term: Apply, equation: Equation) -> Iterator[_Here]:
    record = ELEMENTWISE_BY_NAME[term.function]
    output = _output(term, equation, 0)
    arguments = [Formula(a) for a in term.arguments]
    for argument, rule in zip(term.arguments, record.slopes, strict=True):
        if rule is None:
            continue
        if record.named_slope:
            slope: Term = Apply(term.function, term.arguments, 1)
        else:
            slope = rule(output, *arguments).term
        yield here.below(argument, slope)


def _fold(here: _Here, term: Fold, equation: Equation, first: int) -> Iterator[_Here]:
    record = FOLD_BY_NAME[term.function]

    def along(name: str) -> Formula:
        (index,) = term.over
        copy = Index(first + 3000, index.size)
        body = substitute(term.body, {index: at(copy)})
        return Formula(Along(name, copy, body, at(index)))

    slope = record.slope(_output(term, equation, first), Formula(term.body), along).term
    yield here.below(term.body, slope, scope=here.scope | set(term.over))


def _along(here: _Here, term: Along, equation: Equation, first: int) -> Iterator[_Here]:
    if not is_index(term.position):
        raise NotYet(
            told(
                "{function} read at a constant position cannot be differentiated yet.",
                function=term.function,
            ),
            advice=told("Give the whole result a name first, and index that."),
            place=equation.place,
        )
    output_index = the_index(term.position)
    record = ALONG_BY_NAME[term.function]
    summed = Index(first + 4000, output_index.size)

    def over_axis(formula: Formula) -> Formula:
        moved, _ = apart(substitute(formula.term, {output_index: at(summed)}), first + 5000)
        return Formula(total((summed,), moved))

    pulled = record.pullback(_output(term, equation, first), Formula(here.seed), over_axis).term
    seed = substitute(pulled, {output_index: at(term.over)})
    scope = (here.scope - {output_index}) | {term.over}
    yield _Here(term.body, seed, scope, here.numbers)


def _of_logdet(here: _Here, i: Index, j: Index, body: Term, first: int) -> _Here:
    """The slope of log|det A| by A[i,j] is A⁻¹[j,i] (Giles 2008, section 2.2.4)."""
    copy = _inverse_at(i, j, body, (at(j), at(i)), first + 3000)
    return here.below(body, copy, scope=here.scope | {i, j})


def _of_inverse(here: _Here, term: Along, equation: Equation, first: int) -> _Here:
    """``−Σ_pq V[p,i] G[p,q] V[j,q]`` at A[i,j], V being the inverse (Giles 2008, section 2.2.3).

    V is written as the inverse of its matrix and not by its name: an engine may solve with the
    matrix instead of multiplying by the rounded V, and its stage is judged on what it reads.
    """
    inner = term.body
    assert isinstance(inner, Along)
    places = (term.position, inner.position)
    if not all(map(is_index, places)) or places[0] == places[1]:
        raise NotYet(
            told("One row, column or diagonal of an inverse cannot be differentiated yet."),
            advice=told("Give the whole inverse a name first, and index that."),
            place=equation.place,
        )
    i, j = term.over, inner.over
    left = _inverse_at(i, j, inner.body, (places[0], at(i)), first + 3000)
    right = _inverse_at(i, j, inner.body, (at(j), places[1]), first + 4000)
    minus = Number(Fraction(-1))
    return here.below(inner.body, minus, left, right, scope=here.scope | {i, j})


def _inverse_at(i: Index, j: Index, body: Term, places: tuple[Affine, Affine], new: int) -> Term:
    """The inverse of the matrix with these rows and columns at places that may name them, too."""
    row, column = Index(new, i.size), Index(new + 1, i.size)
    copy, _ = apart(inverse(i, j, body, (at(row), at(column))), new + 2)
    return substitute(copy, {row: places[0], column: places[1]})


def _contribution(
    read: Read, here: _Here, first: int, shape: tuple[int | str, ...]
) -> Contribution:
    targets = tuple(Index(first + 9000 + axis, size) for axis, size in enumerate(shape))
    solution, brackets = solve(read.at, targets, here.scope)
    summed = sorted(here.scope - set(solution), key=lambda index: index.number)
    term = substitute(here.seed, solution)
    moved = [Bracket(b.relation, _substituted(b.position, solution)) for b in brackets]
    inside = decided(product(term, *moved))
    factors = inside.factors if isinstance(inside, Product) else (inside,)
    raw = decided(without_brackets(tuple(summed), factors))
    tidy = total(raw.over, raw.body) if isinstance(raw, Sum) else raw
    return Contribution(read.tensor, targets, tidy, _with_each(raw, here.numbers))


def _with_each(raw: Term, numbers: tuple[Fraction, ...]) -> Term:
    """The term with each of the numbers as a factor of its own, ``3·x²/3`` for ``x²``.

    A first power of a number is one that no product takes in.
    """
    if len(numbers) < 2 or raw == ZERO:
        return raw
    if isinstance(raw, Sum):
        return Sum(raw.over, _with_each(raw.body, numbers))
    factors = raw.factors if isinstance(raw, Product) else (raw,)
    left = prod((f.value for f in factors if isinstance(f, Number)), start=Fraction(1))
    left /= prod(numbers, start=Fraction(1))
    others = tuple(f for f in factors if not isinstance(f, Number))
    front = () if left == 1 else (Number(left),)
    return Product((*front, *(Power(Number(n), Fraction(1)) for n in numbers), *others))


def _substituted(position: Affine, solution: dict[Index, Affine]) -> Affine:
    bracket = substitute(Bracket("==", position), solution)
    assert isinstance(bracket, Bracket)
    return bracket.position
