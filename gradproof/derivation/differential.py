"""An equation to its differential: how its target moves where the tensors that it reads move.

Forward mode, node by node: ``d(A B) = dA B + A dB``, ``dσ(z) = σ′(z) ⊙ dz``. It shares the
dictionary's slopes with `pull`, and nothing else, so that the two are witnesses of one another.
The rules are those of J. R. Magnus and H. Neudecker, "Matrix Differential Calculus" (1988).
"""

from __future__ import annotations

from collections.abc import Set
from fractions import Fraction

from gradproof.core.index import Affine, Index, at, the_index
from gradproof.core.normal import add, apart, canonical, highest, power, product, total
from gradproof.core.program import DIFFERENTIAL, Equation
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
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.formula import Formula
from gradproof.prims.linalg import INVERSE, LOGDET, MATRIX, inverse

MINUS = Number(Fraction(-1))


def push(equation: Equation, moving: Set[str]) -> Equation:
    """The differential of an equation: ``dz = da W + a dW + db`` of ``z = a W + b``.

    Args:
        equation: a forward equation.
        moving: the tensors that move; the differential of each is read under its name with
            `DIFFERENTIAL` before it.
    """
    term = _Pusher(equation, moving).of(equation.term)
    free, numbered = canonical(equation.free, term)
    return Equation(DIFFERENTIAL + equation.target, free, numbered, equation.place)


class _Pusher:
    """The differential of one equation's terms; gives out new indices for what stands twice."""

    def __init__(self, equation: Equation, moving: Set[str]) -> None:
        self.equation = equation
        self.moving = moving
        self.first = highest(equation.term, equation.free) + 1

    def of(self, term: Term) -> Term:
        """How a term moves."""
        match term:
            case Number() | SizeOf() | Pi() | Bracket() | Compare():
                return ZERO
            case Read(tensor, places):
                return Read(DIFFERENTIAL + tensor, places) if tensor in self.moving else ZERO
            case Add(terms):
                return add(*map(self.of, terms))
            case Product(factors):
                return self._product(factors)
            case Sum(over, body):
                moved = self.of(body)
                parts = moved.terms if isinstance(moved, Add) else (moved,)
                return add(*(total(over, part) for part in parts))
            case Power(base, exponent):
                moved = self.of(base)
                return product(Number(exponent), power(self._copy(base), exponent - 1), moved)
            case Apply(function, arguments, 1):
                (rule,) = ELEMENTWISE_BY_NAME[function].slopes
                assert rule is not None
                value = Formula(Apply(function, arguments))
                return self.of(rule(value, *map(Formula, arguments)).term)
            case Apply():
                return self._apply(term)
            case Fold(function, (i, j), body) if function == LOGDET:
                # d log|det A| = tr(A⁻¹ dA)
                moved = self.of(body)
                slope = self._inverse_at(i, j, body, (at(j), at(i)))
                return total((i, j), product(slope, moved))
            case Fold():
                return self._fold(term)
            case Along(function, _, Along(inner, _, _, _), _) if (function, inner) == (
                INVERSE,
                MATRIX,
            ):
                return self._inverse(term)
            case Along():
                return self._softmax(term)

    def _product(self, factors: tuple[Term, ...]) -> Term:
        moved = [(spot, self.of(factor)) for spot, factor in enumerate(factors)]
        return add(
            *(
                product(*factors[:spot], one, *factors[spot + 1 :])
                for spot, one in moved
                if one != ZERO
            )
        )

    def _apply(self, term: Apply) -> Term:
        record = ELEMENTWISE_BY_NAME[term.function]
        parts = []
        for argument, rule in zip(term.arguments, record.slopes, strict=True):
            moved = self.of(argument)
            if rule is None or moved == ZERO:
                continue
            copies = tuple(self._copy(one) for one in term.arguments)
            output = Formula(self._output(Apply(term.function, copies), term))
            if record.named_slope:
                slope: Term = Apply(term.function, copies, 1)
            else:
                slope = self._copy(rule(output, *map(Formula, copies)).term)
            parts.append(product(slope, moved))
        return add(*parts)

    def _fold(self, term: Fold) -> Term:
        moved = self.of(term.body)
        if moved == ZERO:
            return ZERO
        record = FOLD_BY_NAME[term.function]

        def along(name: str) -> Formula:
            (index,) = term.over
            copy = self._index(index)
            body = substitute(self._copy(term.body), {index: at(copy)})
            return Formula(Along(name, copy, body, at(index)))

        output = Formula(self._output(self._copy(term), term))
        slope = record.slope(output, Formula(self._copy(term.body)), along).term
        return total(term.over, product(slope, moved))

    def _softmax(self, term: Along) -> Term:
        """``dp = p ⊙ (dz − ⟨p, dz⟩)``, a row or column at a time."""
        assert term.function == "softmax"
        moved = self.of(term.body)
        if moved == ZERO:
            return ZERO
        position = the_index(term.position)
        summed = self._index(term.over)
        here = self._output(self._copy(term), term)
        there = substitute(self._copy(here), {position: at(summed)})
        mean = total(
            (summed,), product(there, substitute(self._copy(moved), {term.over: at(summed)}))
        )
        own = substitute(moved, {term.over: term.position})
        return product(here, add(own, product(MINUS, mean)))

    def _inverse(self, term: Along) -> Term:
        """``dA⁻¹ = −A⁻¹ dA A⁻¹``."""
        inner = term.body
        assert isinstance(inner, Along)
        moved = self.of(inner.body)
        i, j = term.over, inner.over
        left = self._inverse_at(i, j, inner.body, (term.position, at(i)))
        right = self._inverse_at(i, j, inner.body, (at(j), inner.position))
        return total((i, j), product(MINUS, left, moved, right))

    def _output(self, copy: Term, term: Term) -> Term:
        """A function's value: by its name where it is the whole equation."""
        if term is self.equation.term:
            return Read(self.equation.target, tuple(at(i) for i in self.equation.free))
        return copy

    def _copy(self, term: Term) -> Term:
        copy, self.first = apart(term, self.first)
        return copy

    def _index(self, like: Index) -> Index:
        self.first += 1
        return Index(self.first - 1, like.size)

    def _inverse_at(self, i: Index, j: Index, body: Term, places: tuple[Affine, Affine]) -> Term:
        """The inverse of the matrix with these rows and columns, at places that may name them."""
        p, q = self._index(i), self._index(j)
        copy = self._copy(inverse(i, j, body, (at(p), at(q))))
        return substitute(copy, {p: places[0], q: places[1]})
