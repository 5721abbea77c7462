"""For all that lies in the operands' balls, the exact result and an engine's lie in the result's.

Points are taken exactly inside, in Arb; an engine is the worst one that its contract permits.
"""

from fractions import Fraction

import flint
import numpy as np
import pytest

from gradproof.engines import ball as ball_room
from gradproof.engines.arb import Arb, each, precision
from gradproof.engines.ball import Ball
from gradproof.engines.contract import CONTRACTS

CONTRACT = CONTRACTS["torch", "float32"]
U = float(CONTRACT.u_store)

OPERATIONS = {
    "add": (2, False, lambda a, x, y: a.add([x, y]), 1),
    "multiply": (2, False, lambda a, x, y: a.multiply(x, y), 1),
    "square": (1, False, lambda a, x: a.power(x, Fraction(2)), 1),
    "cube": (1, False, lambda a, x: a.power(x, Fraction(3)), 1),
    "reciprocal": (1, False, lambda a, x: a.power(x, Fraction(-1)), 1),
    "minus two": (1, False, lambda a, x: a.power(x, Fraction(-2)), 1),
    "root": (1, True, lambda a, x: a.power(x, Fraction(1, 2)), 1),
    "power 3/2": (1, True, lambda a, x: a.power(x, Fraction(3, 2)), 1),
    "power 1/3": (1, True, lambda a, x: a.power(x, Fraction(1, 3)), 1),
    "power -7/10": (1, True, lambda a, x: a.power(x, Fraction(-7, 10)), 1),
    "exp": (1, False, lambda a, x: a.elementary("exp", x), 4),
    "log": (1, True, lambda a, x: a.elementary("log", x), 4),
    "sigmoid": (1, False, lambda a, x: a.function("sigmoid", (x,), 0), 6),
    "tanh": (1, False, lambda a, x: a.function("tanh", (x,), 0), 4),
    "maximum": (2, False, None, 0),
    "abs": (1, False, lambda a, x: a.function("abs", (x,), 0), 0),
    "softmax": (1, False, lambda a, x: a.along("softmax", x), 0),
    "logsumexp": (1, False, lambda a, x: a.fold("logsumexp", x), 0),
    "floor": (1, False, lambda a, x: a.stepped("floor", x), 0),
    "ceil": (1, False, lambda a, x: a.stepped("ceil", x), 0),
    "trunc": (1, False, lambda a, x: a.stepped("trunc", x), 0),
    "round": (1, False, lambda a, x: a.stepped("round", x), 0),
    "matmul": (2, False, lambda a, x, y: a.matmul(x, y), 0),
    "total": (1, False, lambda a, x: a.total(x, (0,)), 0),
}
WIDTHS = (0.0, 2.0**-50, 2.0**-24, 2.0**-6)


def drawn(positive, width, random):
    """A ball with an error: 6×6, over many exponents and both signs."""
    m = np.exp2(random.uniform(-12, 5, (6, 6))) * random.choice([-1, 1], (6, 6))
    if positive:
        m = np.abs(m)
    r, e = (width * np.abs(m) * random.uniform(0, 1, m.shape) for _ in range(2))
    return m, r, e


def inside(value, random):
    """Exact numbers in a ball, often on its edge; and what an engine has instead."""
    m, r, e = value
    t, s = (np.clip(random.uniform(-1.5, 1.5, m.shape), -1, 1) for _ in range(2))
    exact = each(lambda m, r, t: flint.arb(m) + flint.arb(r) * flint.arb(t), m, r, t)
    held = each(lambda x, e, s: x + flint.arb(e) * flint.arb(s), exact, e, s)
    return exact, held


def outside(name, seed, width):
    """How many results of exact numbers, and of an engine, lie outside the ball that is claimed."""
    count, positive, operation, units = OPERATIONS[name]
    if operation is None:
        name_, operation = (
            name,
            lambda a, x, y: (
                a.function(name_, (x, y), 0)
                if isinstance(a, Ball)
                else (each(lambda p, q: p.max(q), x[0], y[0]),)
            ),
        )
    random = np.random.default_rng(seed)
    values = [drawn(positive, width, random) for _ in range(count)]
    with np.errstate(all="ignore"):
        middle, radius, error = operation(Ball(CONTRACT), *values)
    missed = 0
    with precision(400):
        points = [inside(value, random) for value in values]
        true = operation(Arb(), *[(exact,) for exact, _ in points])[0]
        held = operation(Arb(), *[(held,) for _, held in points])[0]
        signs = random.choice([-1, 1], true.shape)
        for m, r, e, x, y, sign in zip(
            *(np.asarray(part).ravel() for part in (middle, radius, error, true, held, signs)),
            strict=True,
        ):
            if not np.isfinite(r + e):
                continue
            slack = flint.arb(2) ** -300  # of Arb's own balls, at 400 bits
            missed += not abs(x - flint.arb(m)) <= flint.arb(r) + slack
            computed = y * (1 + int(sign) * units * flint.arb(U))
            missed += not abs(computed - x) <= flint.arb(e) + slack
    return missed


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_lies_outside_its_ball(name, width):
    assert sum(outside(name, seed, width) for seed in range(4)) == 0


@pytest.mark.parametrize(
    "name", ["multiply", "reciprocal", "tanh", "matmul", "exp", "root", "round"]
)
def test_a_ball_that_is_too_small_is_found(name, monkeypatch):
    operation = OPERATIONS[name]

    def narrow(a, *values):
        found = operation[2](a, *values)
        return (found[0], 0.5 * found[1], found[2]) if isinstance(a, Ball) else found

    monkeypatch.setitem(OPERATIONS, name, (*operation[:2], narrow, operation[3]))
    assert sum(outside(name, seed, 2.0**-6) for seed in range(4)) > 0


@pytest.mark.parametrize(
    ("name", "width"),
    [("add", 0.0), ("multiply", 0.0), ("sigmoid", 0.0), ("log", 0.0), ("floor", 2.0**-6)],
)
def test_an_error_that_is_too_small_is_found(name, width, monkeypatch):
    operation = OPERATIONS[name]

    def narrow(a, *values):
        found = operation[2](a, *values)
        return (*found[:2], 0.4 * found[2]) if isinstance(a, Ball) else found

    monkeypatch.setitem(OPERATIONS, name, (*operation[:2], narrow, operation[3]))
    assert sum(outside(name, seed, width) for seed in range(4)) > 0


# --- large products, whose absolute values are added up in float32 -------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_lies_outside_a_product_bounded_in_float32(width, monkeypatch):
    monkeypatch.setattr(ball_room, "MANY", 0)
    assert sum(outside("matmul", seed, width) for seed in range(4)) == 0


def sizes_of_both(count, lowest, random):
    """`|A||B|` as it is bounded in float32, and exactly; operands over many exponents."""
    a, b = (
        np.exp2(random.uniform(lowest, 9, shape)) * random.choice([-1, 1], shape)
        for shape in ((8, count), (count, 8))
    )
    part, growth, lost = Ball(CONTRACT)._sizes(a, b)
    assert part.dtype == np.float32
    exact = [
        [sum(Fraction(abs(x)) * Fraction(abs(y)) for x, y in zip(row, column, strict=True))]
        for row in a
        for column in b.T
    ]
    bound = [Fraction(float(one)) * Fraction(growth) + Fraction(lost) for one in part.ravel()]
    return bound, [one for (one,) in exact]


@pytest.mark.parametrize("lowest", [8, -20, -150, -400])
@pytest.mark.parametrize("count", [1, 2, 100, 3000])
def test_sums_of_sizes_in_float32_are_no_less_than_exact_ones(count, lowest, monkeypatch):
    monkeypatch.setattr(ball_room, "MANY", 0)
    bound, exact = sizes_of_both(count, lowest, np.random.default_rng(count))
    assert all(
        x <= y <= x * Fraction(1001, 1000) + Fraction(2) ** -120
        for x, y in zip(exact, bound, strict=True)
    )


def test_sums_of_sizes_rounded_down_in_float32_are_found(monkeypatch):
    monkeypatch.setattr(ball_room, "MANY", 0)
    monkeypatch.setattr(ball_room, "_HALF", 0.0)
    bound, exact = sizes_of_both(100, -20, np.random.default_rng(0))
    assert any(x > y for x, y in zip(exact, bound, strict=True))


@pytest.mark.parametrize("large", [2.0**10, 2.0**70, 1e300, np.inf])
def test_operands_too_large_for_float32_are_added_up_in_float64(large, monkeypatch):
    monkeypatch.setattr(ball_room, "MANY", 0)
    a = np.full((2, 3), large)
    with np.errstate(invalid="ignore"):
        part, growth, lost = Ball(CONTRACT)._sizes(a, np.ones((3, 2)))
    assert (part.dtype, growth, lost) == (np.float64, 1.0, 0.0)


# --- products of operands with errors ------------------------------------------------------------


def all_one_way(dtype, which, count=40):
    """A product whose operands, of an engine too, lie at the upper ends of their balls: how far off
    it is then, and the ball, whose radius is a small share of its error."""
    random = np.random.default_rng(count)
    contract = CONTRACTS["torch", dtype]
    share = 2.0**-12 if dtype == "float32" else 0.2
    values = []
    for k, shape in enumerate([(3, count), (count, 3)]):
        m = np.exp2(random.uniform(-8, 3, shape))
        e = m * 16 * float(contract.u_store) * (k in which)
        values.append((m, share * e, e))
    with precision(400):
        exact, held = (
            [each(lambda *p: sum(map(flint.arb, p), flint.arb(0)), *v[:n]) for v in values]
            for n in (2, 3)
        )
        true, engine = (Arb().matmul(*((x,) for x in both))[0] for both in (exact, held))
        rounded = engine * (1 + count * flint.arb(float(contract.u_store)))
        middle, radius, error = Ball(contract).matmul(*values)
        off = np.array([abs(x - flint.arb(m)) for x, m in zip(true.flat, middle.flat, strict=True)])
        far = np.array([abs(x - y) for x, y in zip(rounded.flat, true.flat, strict=True)])
    upper = [np.array([float(x.upper()) for x in part]) for part in (off, far)]
    return (*upper, radius.ravel(), error.ravel())


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("many", [0, 2**30])
def test_errors_that_all_add_up_are_inside_and_fill_their_bound(dtype, which, many, monkeypatch):
    monkeypatch.setattr(ball_room, "MANY", many)
    off, far, radius, error = all_one_way(dtype, which)
    assert np.all(off <= radius) and np.all(far <= error)
    assert np.all(far >= 0.99 * error) and np.all(radius < 0.6 * error)


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_errors_that_are_carried_along_too_small_are_found(which, monkeypatch):
    right = Ball._carried

    def less(*given):
        part, growth, lost = right(*given)
        return 0.98 * part, growth, lost

    monkeypatch.setattr(Ball, "_carried", less)
    _, far, _, error = all_one_way("float64", which)
    assert np.any(far > error)


@pytest.mark.parametrize("count", [10, 31, 32, 33, 200, 1000])
def test_a_sum_from_blocks_is_rounded_as_often_as_is_said(count):
    random = np.random.default_rng(count)
    a, b = (random.integers(-99, 99, shape) for shape in ((2, count), (count, 2)))
    middle, roundings = ball_room._product(a / 7, b / 7, ball_room.BLOCKS)
    for (i, k), found in np.ndenumerate(middle):
        terms = [Fraction(x) * Fraction(y) for x, y in zip(a[i] / 7, b[:, k] / 7, strict=True)]
        most = roundings * Fraction(2) ** -53 * sum(map(abs, terms))
        assert abs(Fraction(found) - sum(terms)) <= most
    assert roundings <= (0.4 * count + 3 if count >= 32 else count)


# --- what an engine may do with sums and small numbers ------------------------------------------


def in_float32(a, b, order):
    """A scalar product in float32, term by term in an order."""
    total = np.float32(0)
    for k in order:
        total = np.float32(total + np.float32(a[k] * b[k]))
    return float(total)


def test_any_order_of_a_scalar_product_is_inside():
    random = np.random.default_rng(3)
    a, b = (random.normal(size=300).astype(np.float32) for _ in range(2))
    lifting = Ball(CONTRACT)
    (middle,), (radius,), (bound,) = (
        part.ravel() for part in lifting.matmul(lifting.lift(a[None]), lifting.lift(b[:, None]))
    )
    orders = [np.arange(300), np.arange(300)[::-1], np.argsort(a * b), np.argsort(-np.abs(a * b))]
    for order in orders + [random.permutation(300) for _ in range(20)]:
        assert abs(in_float32(a, b, order) - middle) + radius <= bound


def test_low_partial_sums_are_inside_only_where_the_contract_has_them():
    a = np.ones((3000, 3), dtype=np.float16)  # at 2048 adding 1 changes nothing any more
    total = np.zeros(3, dtype=np.float16)
    for row in a:
        total = total + row
    for engine, fits in (("jax", True), ("torch", False)):
        lifting = Ball(CONTRACTS[engine, "float16"])
        middle, radius, bound = lifting.total(lifting.lift(a), (0,))
        assert np.all(np.abs(total.astype(float) - middle) + radius <= bound) == fits


def test_a_truncating_store_is_inside_only_where_the_contract_has_it():
    random = np.random.default_rng(5)
    a, b = (random.integers(-9, 9, (4, 4)).astype(np.float64) * 33 for _ in range(2))
    exact = a @ b
    _, exponent = np.frexp(exact)
    last = np.ldexp(1.0, exponent - 8)
    truncated = np.trunc(exact / last) * last
    for engine, fits in (("tensorflow", True), ("torch", False)):
        lifting = Ball(CONTRACTS[engine, "bfloat16"])
        middle, radius, bound = lifting.matmul(lifting.lift(a), lifting.lift(b))
        assert np.all(np.abs(truncated - middle) + radius <= bound) == fits


def test_a_subnormal_operand_may_be_zero_only_where_the_contract_flushes():
    small = np.float32([2.0**-130])
    for engine, fits in (("jax", True), ("torch", False)):
        lifting = Ball(CONTRACTS[engine, "float32"])
        factor = lifting.lift(np.float32([2.0**100]))
        middle, radius, bound = lifting.multiply(lifting.lift(small), factor)
        assert (abs(0.0 - middle[0]) + radius[0] <= bound[0]) == fits


def test_an_operand_that_overflows_has_no_bound():
    lifting = Ball(CONTRACTS["torch", "float16"])
    product = lifting.multiply(*(lifting.lift(np.float16([300.0])) for _ in range(2)))
    assert np.isinf(lifting.power(product, Fraction(-1))[2]).all()  # 1/inf is 0 in float16


def test_the_least_of_float64_rounds_up():
    assert ball_room.up(np.zeros(3)).min() > 0


def test_whole_numbers_such_as_indices_are_exact():
    for array in (np.array([[0, 2, 1]]), np.zeros((0, 3), dtype=np.int64)):
        exact, radius, error = Ball(CONTRACTS["numpy", "float32"]).lift(array)
        assert np.array_equal(exact, array)
        assert not np.any(radius) and not np.any(error)


def test_a_subnormal_number_may_count_as_zero_to_the_last_bit():
    numbers = np.array([4.460095e-40, -1.335404e-39, 2.0**-140])
    _, _, error = Ball(CONTRACTS["jax", "float32"]).lift(numbers.astype(np.float32))
    assert np.all(error > np.abs(numbers.astype(np.float32)).astype(np.float64))


@pytest.mark.parametrize(
    ("name", "at", "sure"),
    [
        ("floor", 2.0, False),
        ("floor", 2.5, True),
        ("ceil", -1.0, False),
        ("trunc", 0.0, True),
        ("trunc", 1.0, False),
        ("round", 2.5, False),
        ("round", 2.0, True),
    ],
)
def test_a_step_is_open_at_its_jumps_and_known_exactly(name, at, sure):
    ball = Ball(CONTRACT, opaque=True)
    middle, radius, error = ball.stepped(name, ball.lift(np.array([at])))
    (true,) = Arb().stepped(name, Arb().lift(np.array([at])))[0]
    assert true == float(middle[0]) and radius[0] == 0
    assert (error[0] == 0) == sure and ball.undecided == (not sure)


def test_what_is_rounded_to_float32_is_inside_and_what_is_one_stays_exact():
    random = np.random.default_rng(6)
    x = random.standard_normal(2000) * np.exp2(random.uniform(-160, 120, 2000))
    ball = Ball(CONTRACT)
    with np.errstate(all="ignore"):
        middle, radius, error = ball.to_float32((x, np.zeros(x.shape), np.zeros(x.shape)))
        off = np.abs(x.astype(np.float32) - x)
    assert np.all(middle == x) and not radius.any()
    assert np.all(off <= error) and np.all(off[np.abs(x) > 2.0**-120] > 0)
    held = x[np.abs(x) > 2.0**-120].astype(np.float32).astype(np.float64)
    nothing = np.zeros(held.shape)
    assert not ball.to_float32((held, nothing, nothing))[2].any()
    assert ball.to_float32((np.array([1e39]), np.zeros(1), np.zeros(1)))[2] == np.inf


def test_a_tie_of_exact_operands_is_either_where_that_is_asked_for():
    either, opaque = Ball(CONTRACT, opaque=True, either=True), Ball(CONTRACT, opaque=True)
    exact, zero = either.lift(np.array([-1.0, 0.0, 2.0])), either.lift(np.zeros(3))
    for relation in (">", ">="):
        m, r, e = either.compare(relation, exact, zero)
        assert np.array_equal(m, [0, 0.5, 1]) and np.array_equal(r, [0, 0.5, 0]) and not e.any()
        assert np.array_equal(opaque.compare(relation, exact, zero)[2], [0, 1, 0])
    m, r, _ = either.compare("==", exact, zero)
    assert np.array_equal(m, [0, 0.5, 0]) and np.array_equal(r, [0, 0.5, 0])
    rounded = (exact[0], np.zeros(3), np.full(3, 2.0**-30))  # which one it is, rounding says
    assert np.array_equal(either.compare(">", rounded, zero)[2], [0, 1, 0])


def test_each_of_several_that_are_the_largest_is_it_by_a_half():
    either = Ball(CONTRACT, opaque=True, either=True)
    rows = np.array([[3.0, 1.0, 3.0], [1.0, 2.0, 0.0]])
    (m, r, e), certain = either.winners(either.lift(rows))
    assert np.array_equal(m, [[0.5, 0, 0.5], [0, 1, 0]]) and np.array_equal(certain, [False, True])
    assert np.array_equal(r, [[0.5, 0, 0.5], [0, 0, 0]]) and not e.any()
    rounded = (rows, np.zeros((2, 3)), np.full((2, 3), 2.0**-30))
    (_, r, e), _ = either.winners(rounded)
    assert np.array_equal(e[0], [1, 0, 1])
