"""Solving, renaming apart and canonical numbering."""

from fractions import Fraction

from gradproof.core.index import Affine, Index, affine, at, combine, shift
from gradproof.core.normal import add, apart, canonical, product, solve, total
from gradproof.core.term import ONE, ZERO, Bracket, Number, Product, Read, SizeOf, Sum, bound

T, P = Index(0, "T"), Index(1, "T")


def test_a_bare_index_is_solved_without_a_bracket():
    solution, brackets = solve((at(T),), (P,), frozenset({T}))
    assert solution == {T: at(P)}
    assert brackets == []


def test_a_solved_index_leaves_its_domain_behind():
    # h[t-1] read for t in 0..T-1 reaches p = t-1 only where p+1 <= T-1
    solution, brackets = solve((shift(at(T), -1),), (P,), frozenset({T}))
    assert solution == {T: shift(at(P), 1)}
    upper = shift(combine(affine({"T": 1}), at(P), -1), -2)
    assert brackets == [Bracket(">=", upper)]


def test_a_stride_keeps_its_bracket():
    solution, brackets = solve((affine({T: 2}),), (P,), frozenset({T}))
    assert solution == {}
    assert brackets == [Bracket("==", affine({T: 2, P: -1}))]


def test_a_diagonal_read_keeps_the_equality_of_its_positions():
    q = Index(2, "T")
    solution, brackets = solve((at(T), at(T)), (P, q), frozenset({T}))
    assert solution == {T: at(P)}
    assert brackets == [Bracket("==", affine({P: 1, q: -1}))]


def test_a_factor_that_stands_twice_is_renamed_apart():
    k = Index(5, 3)
    inner = Sum((k,), Read("a", (at(k),)))
    term, _ = apart(Product((inner, inner)), 10)
    assert isinstance(term, Product)
    first, second = term.factors
    assert bound(first) != bound(second)


def test_a_sum_over_what_is_constant_is_its_size():
    n = Index(0, "n")
    assert total((n,), Number(Fraction(3))) == product(SizeOf("n"), Number(Fraction(3)))


def test_like_terms_are_collected_and_cancel():
    a = Read("a", (at(T),))
    assert add(a, a) == product(Number(Fraction(2)), a)
    assert add(a, product(Number(Fraction(-1)), a)) == ZERO
    assert product(Number(Fraction(1, 2)), Number(Fraction(2))) == ONE


def test_canonical_numbering_does_not_capture():
    i, j, k = Index(7, 2), Index(3, 3), Index(0, 4)
    term = Sum((k,), Product((Read("a", (at(i), at(k))), Read("b", (at(k), at(j))))))
    free, renamed = canonical((i, j), term)
    assert free == (Index(0, 2), Index(1, 3))
    m = Index(2, 4)
    assert renamed == Sum(
        (m,), Product((Read("a", (at(free[0]), at(m))), Read("b", (at(m), at(free[1])))))
    )


def test_zero_coefficients_are_dropped():
    assert affine({T: 0}, 4) == Affine((), 4)
