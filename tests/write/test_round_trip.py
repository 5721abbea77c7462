"""What is written can be read back and means the same: random equations, both conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradproof.core.index import Affine, Index, Size, affine, at, shift
from gradproof.core.program import Equation
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
    rename,
    substitute,
)
from gradproof.ink.terminal import text
from gradproof.write.convention import Convention, shape_text
from gradproof.write.matrix import write
from gradproof.write.read import read

PRIME = 2_147_483_647
SIZES = {"n": 2, "k": 3}
CONVENTIONS = (Convention("row"), Convention("column"))


# --- a small evaluator, over the integers mod a prime -------------------------------------------


def number_of(size: Size) -> int:
    return size if isinstance(size, int) else SIZES[size]


def scramble(*parts: object) -> int:
    """A fixed arbitrary function, the same in every run."""
    state = 1
    for character in repr(parts):
        state = (state * 1_103_515_245 + ord(character)) % PRIME
    return state


def place(position: Affine, values: Mapping[Index, int]) -> int:
    parts = (c * (SIZES[v] if isinstance(v, str) else values[v]) for v, c in position.terms)
    return sum(parts) + position.constant


def runs(over: tuple[Index, ...], values: Mapping[Index, int]) -> list[dict[Index, int]]:
    ranges = (range(number_of(i.size)) for i in over)
    return [{**values, **dict(zip(over, point, strict=True))} for point in every(*ranges)]


def power(base: int, exponent: Fraction) -> int:
    if exponent < 0:
        return pow(power(base, -exponent), PRIME - 2, PRIME)  # the inverse; that of 0 is 0
    if exponent.denominator == 1:
        return pow(base, exponent.numerator, PRIME)
    return scramble("power", base, exponent)


def element(tensor: str, places: tuple[int, ...]) -> int:
    return scramble("tensor", tensor, places)


def value(term: Term, values: Mapping[Index, int]) -> int:
    match term:
        case Number(v):
            return v.numerator * pow(v.denominator, -1, PRIME) % PRIME
        case Pi():
            return scramble("π")
        case SizeOf(size):
            return SIZES[size]
        case Read(tensor, places):
            return element(tensor, tuple(place(p, values) for p in places))
        case Add(terms):
            return sum(value(t, values) for t in terms) % PRIME
        case Product(factors):
            result = 1
            for factor in sorted(factors, key=lambda f: not isinstance(f, Bracket)):
                if result:  # outside of its brackets a term has no value
                    result = result * value(factor, values) % PRIME
            return result
        case Sum(over, body):
            return sum(value(body, v) for v in runs(over, values)) % PRIME
        case Power(base, exponent):
            return power(value(base, values), exponent)
        case Apply(function, arguments, order):
            return scramble(function, order, *(value(a, values) for a in arguments))
        case Fold(function, over, body):
            choose = max if function == "max" else min
            return choose(value(body, v) for v in runs(over, values))
        case Along(function, over, body, position):
            row = [value(body, v) for v in runs((over,), values)]
            return scramble(function, row[place(position, values)], sum(row) % PRIME)
        case Compare(relation, left, right):
            a, b = value(left, values), value(right, values)
            return int({">": a > b, ">=": a >= b, "==": a == b}[relation])
        case Bracket(relation, position):
            here = place(position, values)
            return int(here >= 0 if relation == ">=" else here == 0)


def table(equation: Equation) -> list[int]:
    return [value(equation.term, v) for v in runs(equation.free, {})]


# --- random equations -------------------------------------------------------------------------


@dataclass
class Maker:
    """Draws lawful terms, and remembers the shapes of the tensors that they read."""

    draw: st.DrawFn
    sizes: tuple[Size, ...]
    shapes: dict[str, tuple[Size, ...]] = field(default_factory=dict)
    count: int = 0

    def pick(self, *choices: object) -> object:
        return self.draw(st.sampled_from(choices))

    def index(self) -> Index:
        self.count += 1
        return Index(self.count - 1, self.pick(*self.sizes))

    def read(self, axes: tuple[Index, ...]) -> Term:
        order = self.draw(st.permutations(axes)) if axes else ()
        rank = min(len(axes), self.pick(0, 1, 1, 2, 2, 2, 2, 3))
        chosen = tuple(order[:rank])
        places = [at(i) for i in chosen]
        shape = [i.size for i in chosen]
        if self.pick(*[False] * 9, True):
            spot = self.draw(st.integers(0, len(places)))
            places.insert(spot, Affine((), 0))
            shape.insert(spot, self.pick(*self.sizes, 1))
        name = f"{self.pick('A', 'B', 'C')}_{'_'.join(map(str, shape))}"
        self.shapes[name] = tuple(shape)
        return Read(name, tuple(places))

    def term(self, axes: tuple[Index, ...], depth: int) -> Term:
        if depth == 0:
            return self.read(axes)
        match self.pick(*"rraapppsssswufkcdn"):
            case "r":
                return self.read(axes)
            case "a":
                return Add(tuple(self.term(axes, depth - 1) for _ in range(self.pick(2, 2, 3))))
            case "p":
                parts = [self.term(axes, depth - 1) for _ in range(self.pick(2, 2, 3))]
                return Product(tuple(parts))
            case "s":
                over = tuple(self.index() for _ in range(self.pick(1, 1, 2)))
                return Sum(over, self.summand((*axes, *over), depth))
            case "w":
                exponents = (Fraction(2), Fraction(-1), Fraction(1, 2), Fraction(-2), Fraction(3))
                return Power(self.term(axes, depth - 1), self.pick(*exponents))
            case "u":
                argument = (self.term(axes, depth - 1),)
                return Apply(self.pick("sigmoid", "exp"), argument, self.pick(0, 1))
            case "f":
                over = self.index()
                body = self.term((*axes, over), depth - 1)
                return Fold(self.pick("max", "logsumexp"), (over,), body)
            case "k" if axes:
                over = self.index()
                kept = self.pick(*axes)
                others = tuple(i for i in axes if i != kept)
                over = Index(over.number, kept.size)
                body = self.term((*others, over), depth - 1)
                return Along("softmax", over, body, at(kept))
            case "c":
                relation = self.pick(">", ">=", "==")
                return Compare(relation, self.term(axes, depth - 1), self.term(axes, depth - 1))
            case "d":
                two = (self.term(axes, depth - 1), self.term(axes, depth - 1))
                return Apply("maximum", two)
            case _:
                number = Number(
                    self.pick(Fraction(-1), Fraction(1, 2), Fraction(3), Fraction(-2, 3))
                )
                size: Term = Power(SizeOf("n"), Fraction(self.pick(-1, 1)))
                return Product((number, size, self.term(axes, depth - 1)))

    def summand(self, axes: tuple[Index, ...], depth: int) -> Term:
        """Mostly products of reads of two axes, which is what matrix products are."""
        if self.pick(True, False):
            return self.term(axes, depth - 1)
        factors = []
        for _ in range(self.pick(1, 2, 2, 3)):
            order = self.draw(st.permutations(axes))
            factors.append(self.term(tuple(order[: self.pick(1, 2, 2)]), self.pick(0, 0, 1)))
        return Product(tuple(factors)) if len(factors) > 1 else factors[0]


@st.composite
def equations(draw: st.DrawFn) -> tuple[Equation, dict[str, tuple[Size, ...]]]:
    sizes = draw(st.sampled_from((("n", "k", 4), ("n",), (3,), ("n", "k", 1), ("n", 3, 1))))
    maker = Maker(draw, sizes)
    free = tuple(maker.index() for _ in range(draw(st.sampled_from((0, 1, 1, 2, 2, 2, 2, 3)))))
    term = maker.term(free, draw(st.integers(1, 4)))
    maker.shapes["target"] = tuple(i.size for i in free)
    return Equation("target", free, term), maker.shapes


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.vectors)
@settings(max_examples=1500, derandomize=True, deadline=None, database=None)
@given(made=equations())
def test_what_is_written_reads_back_as_the_same_equation(convention, made):
    equation, shapes = made
    back = read(write(equation, convention, shapes=shapes), shapes, convention)
    assert tuple(i.size for i in back.free) == tuple(i.size for i in equation.free)
    assert table(back) == table(equation)


@pytest.mark.parametrize("vectors", ["row", "column"])
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(made=equations())
def test_gradients_that_lie_as_jacobians_read_back_among_tensors_that_do_not(vectors, made):
    equation, shapes = made
    names = {name: f"∂l/∂{name}" for name in shapes if name.startswith(("A", "target"))}
    term = rename(equation.term, names)
    equation = Equation(names["target"], equation.free, term)
    shapes = {names.get(name, name): shape for name, shape in shapes.items()}
    convention = Convention(vectors, gradients="jacobian")
    written = write(equation, convention, shapes=shapes)
    assert table(read(written, shapes, convention)) == table(equation)


@pytest.mark.parametrize("vectors", ["row", "column"])
def test_a_jacobian_has_its_tensor_s_columns_down_the_page(vectors):
    d, h, n = Index(0, 2), Index(1, 4), Index(2, "n")
    term = Sum((n,), Product((Read("x", (at(n), at(d))), Read("∂l/∂z", (at(n), at(h))))))
    equation = Equation("∂l/∂W", (d, h), term)
    convention = Convention(vectors, gradients="jacobian")
    expected = {"row": ("∂l/∂z x", "4×2"), "column": ("x ∂l/∂z", "2×4")}[vectors]
    assert text(write(equation, convention)) == f"∂l/∂W = {expected[0]}"
    assert shape_text("∂l/∂W", (2, 4), convention) == expected[1]
    assert shape_text("W", (2, 4), convention) == {"row": "2×4", "column": "4×2"}[vectors]


@st.composite
def joined(draw: st.DrawFn) -> tuple[Equation, dict[str, tuple[Size, ...]]]:
    """Tensors beside each other along one axis, with zeros between some of them."""
    maker = Maker(draw, ("n", 3, 1))
    free = [maker.index() for _ in range(draw(st.sampled_from((0, 1, 1, 2))))]
    lengths = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    axis = Index(900, sum(lengths))
    spot = draw(st.integers(0, len(free)))
    terms, start = [], 0
    for number, length in enumerate(lengths):
        if draw(st.integers(0, 3)):
            own = Index(901 + number, length)
            axes = (*free[:spot], own, *free[spot:])
            body = substitute(
                maker.term(axes, draw(st.integers(0, 2))), {own: shift(at(axis), -start)}
            )
            low = Bracket(">=", shift(at(axis), -start))
            high = Bracket(">=", affine({axis: -1}, start + length - 1))
            terms.append(Product((low, high, body)))
        start += length
    left = (*free[:spot], axis, *free[spot:])
    maker.shapes["target"] = tuple(i.size for i in left)
    return Equation("target", left, Add(tuple(terms))), maker.shapes


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.vectors)
@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(made=joined())
def test_tensors_beside_each_other_read_back_as_they_lie(convention, made):
    equation, shapes = made
    written = write(equation, convention, shapes=shapes)
    back = read(written, shapes, convention)
    assert table(back) == table(equation)


@st.composite
def placed(draw: st.DrawFn) -> tuple[Equation, dict[str, tuple[Size, ...]]]:
    """Elements put at positions that are made of several indices, as a reshape does."""
    maker = Maker(draw, ("n", 2, 3))
    free = [maker.index() for _ in range(draw(st.sampled_from((0, 1, 2))))]
    brackets, over, left = [], [], list(free)
    for number in range(draw(st.sampled_from((1, 1, 2)))):
        digits = [Index(900 + 10 * number + k, draw(st.integers(2, 3))) for k in range(2)]
        whole = Index(990 + number, digits[0].size * digits[1].size)
        sign = draw(st.sampled_from((1, -1)))
        made = {whole: sign, digits[0]: -sign * digits[1].size, digits[1]: -sign}
        brackets.append(Bracket("==", affine(made)))
        over += digits
        left.insert(draw(st.integers(0, len(left))), whole)
    if draw(st.booleans()):  # two axes to two others, as groups of channels
        a, b, c = (draw(st.integers(1, 2)) for _ in range(3))
        groups = [Index(980, a), Index(981, b * c)]
        channels = [Index(970, a * b), Index(971, c)]
        made = {groups[0]: b * c, groups[1]: 1, channels[0]: -c, channels[1]: -1}
        brackets.append(Bracket("==", affine(made)))
        over, left = [*over, *channels], [*left, *groups]
    inside = draw(st.permutations((*free, *over)))
    body = maker.term(tuple(inside[: draw(st.integers(1, len(inside)))]), draw(st.integers(0, 2)))
    more = draw(st.sampled_from(((), (maker.index(),))))
    term: Term = Sum((*over, *more), Product((body, *draw(st.permutations(brackets)))))
    if draw(st.booleans()):
        term = Product((Number(Fraction(1, 4)), term))
    maker.shapes["target"] = tuple(i.size for i in left)
    return Equation("target", tuple(left), term), maker.shapes


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.vectors)
@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(made=placed())
def test_what_is_put_at_a_position_reads_back_as_it_lies(convention, made):
    equation, shapes = made
    written = write(equation, convention, shapes=shapes)
    assert table(read(written, shapes, convention)) == table(equation)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.vectors)
def test_a_reshape_is_written_by_where_it_puts_each_element(convention):
    n, i, j, k = (Index(number, size) for number, size in enumerate(("n", 2, 3, 6)))
    into = Bracket("==", affine({k: 1, i: -3, j: -1}))
    equation = Equation("y", (n, k), Sum((i, j), Product((Read("x", (at(n), at(i), at(j))), into))))
    assert text(write(equation, convention)) == "y[n,3i+j] = x[n,i,j]"


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.vectors)
def test_a_reshape_of_two_axes_to_two_is_written_with_their_common_digits(convention):
    n, i, j, k, p = (Index(number, size) for number, size in enumerate(("n", 2, 12, 6, 4)))
    into = Bracket("==", affine({i: 12, j: 1, k: -4, p: -1}))
    term = Sum((k, p), Product((Read("x", (at(n), at(k), at(p))), into)))
    equation = Equation("y", (n, i, j), term)
    assert text(write(equation, convention)) == "y[n,i,4j+k] = x[n,3i+j,k]"


def test_windows_that_overlap_are_a_sum_over_those_that_meet_an_element():
    i, p, q = Index(0, 5), Index(1, 3), Index(2, 3)
    into = Bracket("==", affine({i: 1, p: -1, q: -1}))
    equation = Equation("y", (i,), Sum((p, q), Product((Read("x", (at(p),)), into))))
    assert text(write(equation, Convention("row"))).startswith("y[i] = Σ")


@pytest.mark.parametrize(
    ("convention", "expected"), [("row", "y = [a, 0, b]"), ("column", "y = [a; 0; b]")]
)
def test_tensors_beside_each_other_stand_in_brackets(convention, expected):
    n, i = Index(0, "n"), Index(1, 7)
    a = Product((Bracket(">=", affine({i: -1}, 1)), Read("a", (at(n), at(i)))))
    b = Product((Bracket(">=", shift(at(i), -4)), Read("b", (at(n), shift(at(i), -4)))))
    equation = Equation("y", (n, i), Add((a, b)))
    assert text(write(equation, Convention(convention))) == expected
