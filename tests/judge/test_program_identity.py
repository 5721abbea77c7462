"""An engine's own program is proved where it is right, and where it is not, it is not."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.program import Equation
from gradproof.core.term import Number, Product, rename
from gradproof.engines.arb import Arb, precision
from gradproof.engines.backward_program import Numbered, Operation, Unattempted, trimmed
from gradproof.engines.engine import load
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.program_evaluation import evaluate_program
from gradproof.gallery.catalogue import find, names
from gradproof.judge.generic import draw
from gradproof.judge.program_identity import TIES, choose_sizes, prove_program
from gradproof.trace.source import Source
from gradproof.workbench import capture_of, read
from tests.networks import NETWORKS, attention, logsumexp_cross_entropy, relu_net, rnn

ENGINES = ("jax", "torch")
SEED = b"a test draws the same numbers"


def source(forward):
    return Source(forward.__name__, forward, None)


def proof(paper, engine="jax", change=lambda program: program, derived=lambda d: d):
    """The proof of an engine's program after changes to it, or to the derivation."""
    traced, _ = read(paper, {}, {})
    capture = capture_of(traced, load(engine))

    def changed(sizes):
        return change(trimmed(capture(sizes), traced.derivation.gradients))

    return prove_program(traced.paper, derived(traced.derivation), changed, SEED)


def proved(found):
    return {name for name, verdict in found.verdicts.items() if verdict.kind == "proved"}


ORDER = "a largest number without an order"

REFUSED = {
    ("gru_cho", "jax"): "too many roots for a bound on the probability of an error",
    ("instance_norm", "jax"): "too many roots for a bound on the probability of an error",
    ("instance_norm", "torch"): "too many roots for a bound on the probability of an error",
    ("gpt_block", "jax"): "it computes 4,014,420 numbers, too many for exact arithmetic",
    ("gpt_block", "torch"): "it computes 4,227,240 numbers, too many for exact arithmetic",
    ("max_pool", "jax"): ORDER,
    ("max_pool", "torch"): ORDER,
    **{
        (name, engine): "what is picked depends on integers that are data"
        for name in ("embedding", "sparse_cross_entropy")
        for engine in ("jax", "torch")
    },
    ("log_det", "jax"): "operation lu",
}
"""What is not attempted, and why: the degree grows with every step of a recurrence, the gradient of
the largest number under a window needs an order, and a determinant is made of factors."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", names())
def test_the_gallery_is_proved(name, engine):
    found = proof(find(name), engine)
    assert found.refusal == REFUSED.get((name, engine), "")
    if found.refusal:
        return
    assert proved(found) == set(found.verdicts)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("forward", NETWORKS, ids=lambda f: f.__name__)
def test_a_right_program_is_proved(forward, engine):
    found = proof(source(forward), engine)
    assert not found.refusal
    assert proved(found) == set(found.verdicts)
    assert found.error < 1e-15


def test_without_a_seed_the_numbers_are_drawn_afresh_and_all_is_proved():
    traced, _ = read(find("fnn"), {}, {})
    found = prove_program(traced.paper, traced.derivation, capture_of(traced, load("jax")))
    assert proved(found) == set(found.verdicts)


# --- planted mistakes ----------------------------------------------------------------------------


def everywhere(program, mistake):
    """Every program that has the mistake in one place, with the name of the operation there."""
    for k, operation in enumerate(program.operations):
        planted = mistake(operation, program)
        if planted is not None:
            operations = (*program.operations[:k], *planted, *program.operations[k + 1 :])
            yield k, operation.name, replace(program, operations=operations)


def doubled(operation, program):
    """The result twice as large."""
    fresh = 10_000 + operation.result
    factor = "aten.mul.Tensor" if operation.name.startswith("aten.") else "mul"
    return (
        replace(operation, result=fresh),
        Operation(factor, (Numbered(fresh), Fraction(2)), {}, operation.result, operation.shape),
    )


def dropped(operation, program):
    """An operation left out: its operand stands for its result."""
    if not operation.operands or not isinstance(operation.operands[0], Numbered):
        return None
    if operation.name in ("aten.detach", "aten._to_copy") or (
        operation.name,
        *operation.operands[1:],
    ) in (
        ("add", Fraction(0)),
        ("aten.pow.Tensor_Scalar", Fraction(1)),
    ):
        return None  # it does nothing
    shapes = {o.result: o.shape for o in program.operations}
    if shapes.get(operation.operands[0].number) != operation.shape:
        return None
    same = "aten.alias" if operation.name.startswith("aten.") else "copy"
    return (replace(operation, name=same, operands=operation.operands[:1], attributes={}),)


def another_constant(operation, program):
    """A constant that is off in the eighth digit."""
    constant = next((o for o in operation.operands if isinstance(o, Fraction) and o), None)
    if constant is None:
        return None
    operands = tuple(o + Fraction(1, 10**8) if o is constant else o for o in operation.operands)
    return (replace(operation, operands=operands),)


def swapped(operation, program):
    """The operands of a difference, quotient or product of matrices exchanged."""
    if operation.name not in ("sub", "div"):
        return None
    return (replace(operation, operands=operation.operands[::-1]),)


def mutants(paper, engine, mistake):
    traced, _ = read(paper, {}, {})
    capture = capture_of(traced, load(engine))
    sizes = choose_sizes(traced.derivation)[0]
    program = trimmed(capture(sizes), traced.derivation.gradients)
    for k, name, _ in everywhere(program, mistake):

        def planted(program, k=k):
            return next(p for spot, _, p in everywhere(program, mistake) if spot == k)

        yield f"{k} {name}", proof(paper, engine, planted)


@pytest.mark.parametrize("mistake", [doubled, dropped, another_constant, swapped])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_mistake_anywhere_in_the_program_is_not_proved(engine, mistake):
    unseen = [
        place
        for place, found in mutants(find("fnn"), engine, mistake)
        if proved(found) == set(found.verdicts)
    ]
    assert unseen == []


def test_a_transpose_on_a_square_is_not_proved():
    def square(x: "n 3", U: "3 3"):
        h = gp.sigmoid(x @ U)
        g = gp.sigmoid(h @ U)
        return np.sum(g**2)

    def straight(operation, program):
        if operation.name != "transpose" or operation.shape != (3, 3):
            return None
        return (replace(operation, name="copy", attributes={}),)

    results = list(mutants(source(square), "jax", straight))
    assert results
    for _, found in results:
        assert proved(found) != set(found.verdicts)
    assert proved(proof(source(square))) == {"x", "U", "h", "h_1", "g", "g_1"}


def test_only_what_the_mistake_reaches_is_not_proved():
    def last(program):
        place = next(
            k
            for k, o in enumerate(program.operations)
            if Numbered(o.result) == program.gradients["W1"]
        )
        planted = doubled(program.operations[place], program)
        before, after = program.operations[:place], program.operations[place + 1 :]
        return replace(program, operations=(*before, *planted, *after))

    found = proof(find("fnn"), change=last)
    assert set(found.verdicts) - proved(found) == {"W1"}


@pytest.mark.parametrize("of", ["a2", "z2", "W2", "b2", "a1", "z1", "W1", "b1", "x"])
def test_a_wrong_derived_equation_is_not_proved(of):
    def wrong(derivation):
        symbol = derivation.gradients[of]

        def changed(e):
            return Equation(e.target, e.free, Product((Number(Fraction(2)), e.term)))

        equations = tuple(
            changed(e) if e.target == symbol else e for e in derivation.backward.equations
        )
        return replace(derivation, backward=replace(derivation.backward, equations=equations))

    found = proof(find("fnn"), derived=wrong)
    order = ["a2", "z2", "W2", "b2", "a1", "z1", "W1", "b1", "x"]
    reached = {
        "a2": set(order),
        "z2": set(order) - {"a2"},
        "a1": {"a1", "z1", "W1", "b1", "x"},
        "z1": {"z1", "W1", "b1", "x"},
    }
    assert set(found.verdicts) - proved(found) == reached.get(of, {of})


def test_a_slope_of_the_wrong_layer_is_not_proved():
    def square(x: "n 3", U: "3 3"):
        h = gp.sigmoid(x @ U)
        g = gp.sigmoid(h @ U)
        return np.sum(g**2)

    def wrong(derivation):
        inside = derivation.gradients["h_1"]
        equations = tuple(
            Equation(e.target, e.free, rename(e.term, {"h_1": "g_1"})) if e.target == inside else e
            for e in derivation.backward.equations
        )
        return replace(derivation, backward=replace(derivation.backward, equations=equations))

    found = proof(source(square), derived=wrong)
    assert proved(found) == {"g", "g_1", "h"}


# --- what is said --------------------------------------------------------------------------------


def test_an_unknown_operation_is_not_attempted_and_named():
    def strange(program):
        first, *rest = program.operations
        return replace(program, operations=(replace(first, name="mystery"), *rest))

    found = proof(find("fnn"), change=strange)
    assert found.refusal == "operation mystery"
    assert {v.kind for v in found.verdicts.values()} == {"not attempted"}


def test_an_unknown_operation_that_nothing_needs_is_no_obstacle():
    def strange(program):
        lonely = Operation("mystery", (), {}, 10_000, ())
        return replace(program, operations=(lonely, *program.operations))

    found = proof(find("fnn"), change=strange)
    assert proved(found) == set(found.verdicts)


def test_what_is_compared_is_a_hypothesis():
    assert proof(source(relu_net)).hypotheses == (TIES,)
    # Its maximum only keeps exp from overflowing.
    assert proof(source(logsumexp_cross_entropy)).hypotheses == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_data_that_is_compared_with_zero_is_a_hypothesis(engine):
    def masked(x: "n 3", m: "n 3, data"):
        return np.sum(np.where(m == 0, x**3, x**2))

    found = proof(source(masked), engine)
    assert proved(found) == {"x"}
    assert found.hypotheses == (TIES,)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exponential_of_a_logarithm_is_seen_through(engine):
    def recomputed(x: "n k", g: "n k, data"):
        total = gp.logsumexp(x, axis=1, keepdims=True)
        p = np.exp(x - total)
        return np.sum(g * p)

    found = proof(source(recomputed), engine)
    assert proved(found) == {"x", "total", "p"}


def test_fused_kernels_are_assumptions_and_jax_has_none():
    assert proof(source(rnn), "jax").assumes == ()
    assert proof(source(rnn), "torch").assumes == ("aten.tanh_backward = g·(1−y²)",)


def test_sizes_under_a_root_are_squares():
    for sizes in choose_sizes(read(source(attention), {}, {})[0].derivation):
        assert int(np.sqrt(sizes["d"])) ** 2 == sizes["d"]


def test_too_large_a_network_is_not_attempted():
    def wide(x: "n 3000", W: "3000 2000"):
        return np.sum((x @ W) ** 2)

    found = proof(source(wide))
    assert "too many for exact arithmetic" in found.refusal


def test_a_framework_without_a_program_says_nothing():
    traced, _ = read(find("fnn"), {}, {})
    capture = capture_of(traced, load("numpy"))
    assert prove_program(traced.paper, traced.derivation, capture) is None


# --- what is proved is true ----------------------------------------------------------------------

SLOW = ("attention", "powers", "layer_norm", "rnn")


@pytest.mark.parametrize("mistake", [doubled, swapped, another_constant])
@pytest.mark.parametrize(
    "forward", [f for f in NETWORKS if f.__name__ not in SLOW], ids=lambda f: f.__name__
)
def test_a_mistake_that_is_proved_harmless_changes_no_number(forward, mistake):
    """Such as a shift inside softmax that is twice as large."""
    wrongly = []
    for place, found, changes in harm(source(forward), "jax", mistake):
        wrongly += [f"{place}: {of}" for of in proved(found) & changes]
    assert wrongly == []


def harm(paper, engine, mistake):
    """Each mutant's proof, with the gradients whose numbers it changes."""
    traced, sizes = read(paper, {}, {})
    arrays = draw(traced.signature, sizes, {}, "float64", 0)
    program = trimmed(capture_of(traced, load(engine))(sizes), traced.derivation.gradients)
    with precision(128):
        right = numbers(program, arrays)
        changed = {
            f"{k} {name}": different(wrong, right, arrays)
            for k, name, wrong in everywhere(program, mistake)
        }
    for place, found in mutants(paper, engine, mistake):
        yield place, found, changed[place]


def different(program, right, arrays):
    """The gradients that certainly have other numbers; all of them if it means nothing."""
    try:
        found = numbers(program, arrays)
    except Unattempted:
        return set(right)
    return {
        of
        for of, (balls,) in found.items()
        if not all(a.overlaps(b) for a, b in zip(balls.flat, right[of][0].flat, strict=True))
    }


def numbers(program, arrays):
    arb = Arb()
    inputs = {name: tuple(p[None] for p in arb.lift(array)) for name, array in arrays.items()}
    return evaluate_program(program, inputs, Interpreter(arb, splits=False))


# --- in a report ---------------------------------------------------------------------------------


def test_a_report_has_the_verdict_row_by_row_and_in_json():
    found = gp.verify(rnn, engine="jax")
    assert {row.program.kind for row in found.batches[-1].gradients} == {"proved"}
    proof_in_json = json.loads(found.to_json())["batches"][-1]["program"]
    assert proof_in_json["verdicts"]["W"]["kind"] == "proved"
    assert proof_in_json["sizes"] == [{"n": 5}, {"n": 7}]


def test_engines_that_show_no_program_print_nothing():
    found = gp.verify(rnn, engine="numpy")
    assert found.batches[-1].program is None
    assert {row.program for row in found.batches[-1].gradients} == {None}
