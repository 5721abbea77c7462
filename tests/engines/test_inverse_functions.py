"""The inverse functions of the frameworks keep the contract, and their balls enclose them."""

import flint
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

from gradproof.engines.arb import Arb, each, precision
from gradproof.engines.ball import Ball
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.dtype import in_dtype
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.jax import settings
from gradproof.engines.kernels import DOMAINS, EVERYWHERE
from gradproof.engines.known import Real
from gradproof.engines.least import Least

NAMES = ("atan", "asin", "acos", "asinh", "acosh", "atanh")
DTYPES = ("float64", "float32", "bfloat16", "float16")


def arguments(name, dtype, count=400):
    """Of all sizes, and near the ends of the domain."""
    random = np.random.default_rng(2)
    low, high = DOMAINS.get(name, EVERYWHERE)
    x = np.exp2(random.uniform(-12, 7, count)) * random.choice([-1, 1], count)
    x = np.concatenate([x, random.uniform(-1, 1, count), random.uniform(-3, 3, count)])
    near = np.exp2(random.uniform(-20, 0, count))
    x = np.concatenate([x, *(end + side * near for end in (-1, 1) for side in (-1, 1))])
    x = in_dtype(x, dtype).astype(np.float64)
    return np.unique(x[(x > low) & (x < high) & (x != 0)])


def in_torch(name, x, dtype):
    return getattr(torch, name)(torch.tensor(x, dtype=getattr(torch, dtype))).double().numpy()


def in_jax(name, x, dtype):
    with settings():
        made = getattr(jnp, name.replace("a", "arc", 1))(jnp.asarray(x).astype(dtype))
        return np.asarray(made.astype("float64"))


def in_tensorflow(name, x, dtype):
    return tf.cast(getattr(tf.math, name)(tf.cast(tf.constant(x), dtype)), "float64").numpy()


RUNS = {"torch": in_torch, "jax": in_jax, "tensorflow": in_tensorflow}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", RUNS)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_framework_computes_is_within_its_contract(name, engine, dtype):
    x, contract = arguments(name, dtype), CONTRACTS[engine, dtype]
    with precision(160):
        true = Arb().elementary(name, Arb().lift(x))[0]
        found = RUNS[engine](name, x, dtype)
        allowed = contract.units(name) * float(contract.u_store)
        for value, exact in zip(found, true, strict=True):
            assert abs(flint.arb(float(value)) - exact) <= allowed * abs(exact), float(exact.mid())


@pytest.mark.parametrize("width", [0.0, 2.0**-50, 2.0**-24, 2.0**-6])
@pytest.mark.parametrize("name", NAMES)
def test_no_value_at_any_point_of_a_ball_lies_outside_its_ball(name, width):
    random = np.random.default_rng(3)
    x = arguments(name, "float64")
    value = x, width * np.abs(x) * random.uniform(size=x.shape), np.zeros(x.shape)
    with np.errstate(all="ignore"):
        balls = [
            one.elementary(name, value)[:2]
            for one in (Ball(CONTRACTS["torch", "float32"]), Least(CONTRACTS["torch", "float32"]))
        ]
    low, high = DOMAINS.get(name, EVERYWHERE)
    with precision(160):
        for side in (-1.0, -0.3, 1.0):
            points = each(lambda m, r, s=side: flint.arb(m) + s * flint.arb(r), *value[:2])
            fit = [bool(low < p < high) for p in points]
            true = Arb().elementary(name, (points[fit],))[0]
            for middle, radius in balls:
                for m, r, exact in zip(middle[fit], radius[fit], true, strict=True):
                    assert r == np.inf or abs(exact - flint.arb(m)) <= flint.arb(r)
            assert width == 2.0**-6 or all(np.isfinite(r).mean() > 0.9 for _, r in balls)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_s_operand_moves_the_result_by_no_more_than_the_error(name):
    random = np.random.default_rng(4)
    x = arguments(name, "float64")
    e = 2.0**-7 * np.abs(x)
    with np.errstate(all="ignore"):
        middle, radius, error = Ball(CONTRACTS["torch", "float64"]).elementary(
            name, (x, np.zeros(x.shape), e)
        )
    known = np.isfinite(error)
    assert known.mean() > 0.5
    moved = x[known] + e[known] * random.choice([-1.0, 1.0], known.sum())
    with precision(160):
        there = Arb().elementary(name, Arb().lift(moved))[0]
        for m, r, bound, exact in zip(
            middle[known], radius[known], error[known], there, strict=True
        ):
            assert abs(exact - flint.arb(m)) <= flint.arb(r) + flint.arb(bound)


@pytest.mark.parametrize("name", sorted(set(NAMES) & set(DOMAINS)))
def test_where_a_function_has_no_value_nothing_is_known(name):
    low, high = DOMAINS[name]
    x = np.array([end for end in (low, high) if np.isfinite(end)] + [low - 1.0])
    ball = Ball(CONTRACTS["torch", "float32"], opaque=True)
    assert np.all(ball.elementary(name, ball.lift(x))[2] == np.inf)


def points(width):
    """All around, near the axes and the diagonals too, with balls that are so wide."""
    random = np.random.default_rng(5)
    turn = np.arange(8) * np.pi / 4
    near = turn[:, None] + np.exp2(random.uniform(-30, 0, (8, 20))) * random.choice(
        [-1, 1], (8, 20)
    )
    angle = np.concatenate([random.uniform(-np.pi, np.pi, 200), near.ravel()])
    size = np.exp2(random.uniform(-8, 8, angle.size))
    x, y = size * np.cos(angle), size * np.sin(angle)
    off = [width * np.abs(part) * random.uniform(size=part.shape) for part in (x, y)]
    nothing = np.zeros((1, *x.shape))
    return [
        Real((part[None], r[None], nothing)) for part, r in zip((y, x), reversed(off), strict=True)
    ]


@pytest.mark.parametrize("width", [0.0, 2.0**-30, 2.0**-4])
def test_an_angle_lies_in_its_ball(width):
    y, x = points(width)
    with np.errstate(all="ignore"):
        ball = Interpreter(Ball(CONTRACTS["torch", "float64"]), splits=False).angle(y, x).value
    middle, radius, error = (part[0] for part in ball)
    assert np.isfinite(error).mean() > 0.9
    with precision(160):
        for side, other in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            for m, r, py, ry, px, rx in zip(
                middle,
                radius,
                y.value[0][0],
                y.value[1][0],
                x.value[0][0],
                x.value[1][0],
                strict=True,
            ):
                height = flint.arb(py) + side * flint.arb(ry)
                there = flint.arb.atan2(height, flint.arb(px) + other * flint.arb(rx))
                assert not np.isfinite(r) or abs(there - flint.arb(m)) <= flint.arb(r)


@pytest.mark.parametrize("engine", RUNS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_angle_that_a_framework_computes_is_inside_its_bound(engine, dtype):
    y, x = (part.value[0][0].astype(dtype).astype(np.float64) for part in points(0.0))
    entered = [Real((p[None], np.zeros((1, *p.shape)), np.zeros((1, *p.shape)))) for p in (y, x)]
    with np.errstate(all="ignore"):
        angle = Interpreter(Ball(CONTRACTS[engine, dtype]), splits=False).angle(*entered).value
    middle, radius, error = (part[0] for part in angle)
    with settings():
        found = {
            "torch": lambda: torch.atan2(*(torch.tensor(p.astype(dtype)) for p in (y, x))),
            "jax": lambda: jnp.arctan2(*(jnp.asarray(p.astype(dtype)) for p in (y, x))),
            "tensorflow": lambda: tf.atan2(*(tf.constant(p.astype(dtype)) for p in (y, x))),
        }[engine]()
        assert np.all(np.abs(np.asarray(found, np.float64) - middle) <= radius + error)
    assert np.median(error / np.abs(middle)) < 60 * float(CONTRACTS[engine, dtype].u_store)


def test_where_an_angle_jumps_nothing_is_known():
    ball = Ball(CONTRACTS["torch", "float32"], opaque=True)
    y, x = (Real(ball.lift(np.array([part]))) for part in ([0.0, -0.0, 0.0], [-1.0, -2.0, 0.0]))
    with np.errstate(all="ignore"):
        assert not np.isfinite(Interpreter(ball, splits=False).angle(y, x).value[2]).any()
