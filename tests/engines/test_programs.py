"""An engine's program that is written down computes what the engine computes."""

from dataclasses import replace
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradproof.derivation import derive
from gradproof.engines.arb import Arb, precision
from gradproof.engines.backward_program import (
    BackwardProgram,
    Numbered,
    Operation,
    Table,
    Unattempted,
    constants,
    read_back,
    trimmed,
    work,
)
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.engine import load
from gradproof.engines.evaluate import evaluate
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.jax import Flat, settings
from gradproof.engines.program_evaluation import MEANINGS, assumptions, evaluate_program
from gradproof.judge.generic import by_parameter, draw
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature
from tests.networks import NETWORKS

ENGINES = ("jax", "torch")
SIZES = {"n": 3, "d": 4, "m": 5, "k": 2}
"""The root of d, by which attention divides, is a whole number."""


def captured(forward, engine):
    """A network's paper, generic data for it, and the engine's program at their sizes."""
    signature = read_signature(forward)
    paper = trace(forward, None, signature, SIZES)
    arrays = draw(signature, SIZES, {}, "float64", 0)
    arguments = by_parameter(signature, arrays)
    program = load(engine).backward_program(forward, arguments, paper.operations, paper.loss)
    return paper, arrays, arguments, trimmed(program, program.gradients)


def at_one_point(arrays, arithmetic):
    return {
        name: tuple(part[None] for part in arithmetic.lift(array)) for name, array in arrays.items()
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("forward", NETWORKS, ids=lambda f: f.__name__)
def test_the_program_has_the_engines_own_numbers(forward, engine):
    paper, arrays, arguments, program = captured(forward, engine)
    run = load(engine).run(forward, arguments, paper.operations, paper.loss, "float64")
    ball = Ball(contract(engine, "float64"))  # it bounds what a correct engine may return
    found = evaluate_program(program, at_one_point(arrays, ball), Interpreter(ball, splits=False))
    assert set(found) == set(run.gradients) - {paper.loss}
    for name, (middle, radius, error) in found.items():
        assert np.all(abs(middle[0] - run.gradients[name]) <= radius + error), name
        assert np.median(radius + error) < 1e-9, name


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("forward", NETWORKS, ids=lambda f: f.__name__)
def test_the_program_encloses_the_derived_gradients(forward, engine, splits):
    paper, arrays, _, program = captured(forward, engine)
    derivation = derive(paper.forward)
    with precision(200):
        arb = Arb()
        found = evaluate_program(
            program, at_one_point(arrays, arb), Interpreter(arb, splits=splits)
        )
        inputs = {name: arb.lift(array) for name, array in arrays.items()}
        values = evaluate(paper.forward, inputs, SIZES, arb)
        right = evaluate(derivation.backward, values, SIZES, arb)
        for of, symbol in derivation.gradients.items():
            if of == paper.loss:
                continue
            (balls,), (true,) = found[of], right[symbol]
            assert balls.shape[1:] == true.shape
            pairs = zip(balls.reshape(-1), true.reshape(-1), strict=True)
            assert all(a.overlaps(b) for a, b in pairs), of
            # Not for the reason that nothing is known; a tie is 0 or 1 for all that Arb sees.
            assert all(float(a.rad()) < 1e-30 for a in balls.reshape(-1)) or arb.undecided


def test_only_what_a_gradient_needs_is_kept():
    def operation(name, operands, result):
        return Operation(name, operands, {}, result, ())

    program = BackwardProgram(
        {"x": 0},
        (
            operation("exp", (Numbered(0),), 1),
            operation("log", (Numbered(0),), 2),
            operation("neg", (Numbered(1),), 3),
        ),
        {"x": Numbered(3)},
    )
    assert [o.name for o in trimmed(program, {"x"}).operations] == ["exp", "neg"]
    assert trimmed(program, {"y"}).operations == ()


def test_work_counts_every_product_of_a_matrix_product():
    operations = (Operation("dot_general", (Numbered(0), Numbered(1)), {}, 2, (3, 5)),)
    program = BackwardProgram({"a": 0, "b": 1}, operations, {"a": Numbered(2)})
    assert work(program, {"a": (3, 4), "b": (4, 5)}) == 3 * 4 * 5


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (0.1, Fraction(1, 10)),
        (1 / 3, Fraction(1, 3)),
        (2 / 700, Fraction(1, 350)),
        (1e-5, Fraction(1, 100_000)),
        (3.0, Fraction(3)),
        (0.33333334, Fraction(33333334, 100_000_000)),
        (float("-inf"), float("-inf")),
    ],
)
def test_a_float_is_read_back_as_what_it_stands_for(value, meant):
    assert read_back(value) == meant


def test_nan_cannot_be_read_back():
    with pytest.raises(Unattempted, match="NaN"):
        read_back(float("nan"))


def test_constants_that_were_read_back_are_listed():
    *_, program = captured(NETWORKS[1], "jax")
    assert constants(program) == (Fraction(1, 100_000),)


def test_an_unknown_operation_is_named():
    _, arrays, _, program = captured(NETWORKS[0], "jax")
    first, *rest = program.operations
    strange = replace(program, operations=(replace(first, name="mystery"), *rest))
    arb = Arb()
    with pytest.raises(Unattempted, match="operation mystery"):
        evaluate_program(strange, at_one_point(arrays, arb), Interpreter(arb, splits=False))


def test_fused_kernels_are_named_and_elementary_ones_are_not():
    networks = {f.__name__: f for f in NETWORKS}
    *_, jax_program = captured(networks["rnn"], "jax")
    *_, torch_program = captured(networks["rnn"], "torch")
    assert assumptions(jax_program) == ()
    assert assumptions(torch_program) == ("aten.tanh_backward = g·(1−y²)",)


# --- operations that no network of ours reaches yet ----------------------------------------------


def flattened(function, *arrays):
    """A function's jaxpr as a program whose one gradient is the function's result."""
    with settings():
        made = jax.make_jaxpr(function)(*arrays)
        flat = Flat()
        numbers = [next(flat.numbers) for _ in arrays]
        (result,) = flat.enter(made.jaxpr, made.consts, [Numbered(n) for n in numbers])
    names = dict(zip("abc", numbers, strict=False))
    return BackwardProgram(names, tuple(flat.operations), {"a": result})


def value_of(program, *arrays):
    ball = Ball(contract("jax", "float64"))
    inputs = at_one_point(dict(zip("abc", arrays, strict=False)), ball)
    found = evaluate_program(program, inputs, Interpreter(ball, splits=False))
    middle, radius, error = found["a"]
    return middle[0], radius[0] + error[0]


PICKED = np.array([2, 0, 2])
FUNCTIONS = {
    "gather": lambda x: x[PICKED] * 2,
    "gather of pairs": lambda x: x[PICKED, np.array([1, 1, 0])],
    "scatter-add": jax.grad(lambda x: jnp.sum(x[PICKED] ** 2)),
    "dynamic_slice": lambda x: jax.lax.dynamic_slice(x, (1, 0), (2, 2)),
    "sort": lambda x: jnp.sort(x, axis=0),
    "rows by order": lambda x: x[jnp.argmax(x, axis=0)] * 2,
    "gradient of pairs by order": jax.grad(lambda x: jnp.sum(x[PICKED, jnp.argmin(x, 1)] ** 2)),
    "cumsum": lambda x: jnp.cumsum(x, axis=0),
    "reverse cumsum": lambda x: jax.lax.cumsum(x, axis=1, reverse=True),
    "concatenate": lambda x: jnp.concatenate([x, x**2], axis=1),
    "interior and negative padding": lambda x: jax.lax.pad(x, 2.0, ((-1, 2, 1), (1, -1, 2))),
    "reversed strides": lambda x: x[::-2, ::2],
    "expm1 and log1p": lambda x: jnp.expm1(x) * jnp.log1p(x**2),
    "rsqrt": lambda x: jax.lax.rsqrt(x**2 + 1),
    "sign": lambda x: jnp.sign(x) * x,
    "and, or, not": lambda x: jnp.where((x > 0) & ~(x > 1) | (x < -1), x, 2 * x),
    "iota": lambda x: x * jax.lax.iota("float64", 4),
    "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "batched product": lambda x: jnp.einsum("ij,ik->ijk", x, x) @ x[:, :, None],
    "gradient of a maximum": jax.grad(lambda x: jnp.sum(jnp.maximum(x, 0.25) ** 2)),
    "a jitted call": jax.jit(lambda x: jnp.tanh(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operation_means_what_jax_computes(name):
    x = np.random.default_rng(0).normal(size=(3, 4))
    middle, bound = value_of(flattened(FUNCTIONS[name], x), x)
    with settings():
        expected = np.asarray(FUNCTIONS[name](x))
    assert middle.shape == expected.shape
    assert np.all(abs(middle - expected) <= bound)
    assert np.all(bound < 1e-9)


def test_places_that_hang_on_the_data_are_refused():
    def counted(x):
        return x[jnp.abs(x[:, 0]).astype(int) % 3]

    def outside(x):
        return jnp.take_along_axis(x[:, :2], jnp.argsort(x, 1), 1)

    x = np.random.default_rng(0).normal(size=(3, 4))
    for function, because in ((counted, "conversion to int64"), (outside, "integers that depend")):
        with pytest.raises(Unattempted, match=because):
            value_of(flattened(function, x), x)


def test_an_array_that_the_program_brings_along_is_exact():
    table = np.array([0.1, 0.2, 0.3])
    program = flattened(lambda x: x * table, np.ones((2, 3)))
    tables = [o for op in program.operations for o in op.operands if isinstance(o, Table)]
    assert any(np.array_equal(t.array.reshape(-1), table) for t in tables)


def test_every_meaning_is_a_name_that_the_frameworks_have():
    import torch

    for name in MEANINGS:
        if name.startswith("aten."):
            called, _, result = name.partition(":")
            packet, *overload = called.split(".")[1:]
            operator = getattr(torch.ops.aten, packet)
            own = getattr(operator, overload[0] if overload else operator.overloads()[0])
            assert int(result or 0) < max(len(own._schema.returns), 2), name
