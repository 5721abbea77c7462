"""Every primitive, from its own record: meaning, slope, second derivative and kinks.

The witness of a slope is a difference quotient at 500 bits, which trusts no rule of calculus.
"""

import flint
import numpy as np
import pytest

from gradproof.core.index import Index, at
from gradproof.core.program import Equation, Program, Tensor
from gradproof.core.term import Along, Apply, Fold, Product, Read, Sum
from gradproof.derivation import derive
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation
from gradproof.prims.dictionary import BY_NAME
from gradproof.prims.formula import Formula, formula
from gradproof.prims.record import Elementwise, Folding, Keeping

BITS = 500
STEP = flint.fmpq(1, 2**150)
I = Index(0, "n")


def network(record) -> Program:
    """``l = Σ g·f(x, …)``: one function under a generic upstream gradient."""
    match record:
        case Elementwise():
            arguments = tuple(Read(name, (at(I),)) for name in record.arguments)
            value = Equation("v", (I,), Apply(record.name, arguments))
            names = record.arguments
            roles = ["input" if slope is not None else "data" for slope in record.slopes]
        case Folding():
            j = Index(1, "n")
            value = Equation("v", (), Fold(record.name, (j,), Read("x", (at(j),))))
            names, roles = ("x",), ["input"]
        case Keeping():
            j = Index(1, "n")
            value = Equation("v", (I,), Along(record.name, j, Read("x", (at(j),)), at(I)))
            names, roles = ("x",), ["input"]
    read = Read("v", tuple(at(i) for i in value.free))
    weighed = Product((Read("g", tuple(at(i) for i in value.free)), read))
    loss = Equation("l", (), Sum(value.free, weighed) if value.free else weighed)
    inputs = tuple(Tensor(n, ("n",), role=r) for n, r in zip(names, roles, strict=True))
    upstream = Tensor("g", tuple(i.size for i in value.free), role="data")
    return Program((*inputs, upstream), (value, loss), ("l",))


def samples(record):
    if isinstance(record, Elementwise):
        return record.samples
    return tuple((row,) for row in record.samples)


CASES = [
    pytest.param(record, sample, id=f"{name}-{k}")
    for name, record in BY_NAME.items()
    for k, sample in enumerate(samples(record))
]


def environment(program: Program, sample):
    length = len(sample[0])
    arrays = [np.array(values) for values in sample]
    upstream = np.linspace(0.75, -1.25, length)
    *inputs, last = program.inputs
    found = {t.name: a for t, a in zip(inputs, arrays, strict=True)}
    found[last.name] = upstream if last.shape else np.array(-0.625)
    return found, {"n": length}


def lifted(arb, arrays):
    return {name: arb.lift(array) for name, array in arrays.items()}


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_the_slope_is_the_derivative(record, sample):
    program = network(record)
    derivation = derive(program)
    arrays, sizes = environment(program, sample)
    arb = Arb()
    with precision(BITS):
        values = evaluate(program, lifted(arb, arrays), sizes, arb)
        found = evaluate(derivation.backward, values, sizes, arb)
        for tensor in program.inputs:
            if tensor.role == "data":
                continue
            gradient = found[derivation.gradients[tensor.name]][0]
            for k in range(sizes["n"]):
                quotient = difference_quotient(program, arrays, sizes, tensor.name, k)
                assert abs(gradient[k] - quotient) < flint.arb(2) ** -200, (tensor.name, k)


@pytest.mark.parametrize(
    ("record", "sample"), [case for case in CASES if isinstance(case.values[0], Elementwise)]
)
def test_the_slope_as_it_is_written_is_the_derivative(record, sample):
    # Apart from the test above: the balls have a derivative of σ and tanh of their own.
    program = network(record)
    arrays, sizes = environment(program, sample)
    reads = tuple(Formula(Read(name, (at(I),))) for name in record.arguments)
    value = Formula(Apply(record.name, tuple(read.term for read in reads)))
    arb = Arb()
    for name, slope in zip(record.arguments, record.slopes, strict=True):
        if slope is None:
            continue
        written = Equation("s", (I,), formula(slope(value, *reads)).term)
        with precision(BITS):
            inputs = lifted(arb, arrays)
            found = evaluate_equation(written, Room(inputs, sizes, arb))[0]
            for k in range(sizes["n"]):
                quotient = difference_quotient(program, arrays, sizes, name, k)
                upstream = inputs["g"][0][k]
                assert abs(upstream * found[k] - quotient) < flint.arb(2) ** -200, (name, k)


def difference_quotient(program, arrays, sizes, name, k):
    arb = Arb()
    sides = []
    for sign in (1, -1):
        inputs = lifted(arb, arrays)
        moved = inputs[name][0].copy()
        moved[k] = moved[k] + sign * flint.arb(STEP)
        inputs[name] = (moved,)
        sides.append(evaluate(program, inputs, sizes, arb)["l"][0][()])
    return (sides[0] - sides[1]) / flint.arb(2 * STEP)


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_the_derived_program_can_be_derived_again(record, sample):
    program = network(record)
    first = derive(program)
    name = next(t.name for t in program.inputs if t.role != "data")
    gradient = first.gradients[name]
    weights = Tensor("w", ("n",), role="data")
    total = Equation("s", (), Sum((I,), Product((Read("w", (at(I),)), Read(gradient, (at(I),))))))
    needed = tuple(e for e in program.equations if e.target != "l")
    second_program = Program(
        (*program.inputs, weights), (*needed, *first.backward.equations, total), ("s",)
    )
    second = derive(second_program, "∂s/∂")
    arrays, sizes = environment(program, sample)
    arrays["w"] = np.linspace(-0.5, 1.5, sizes["n"])
    arb = Arb()
    with precision(BITS):
        values = evaluate(second_program, lifted(arb, arrays), sizes, arb)
        found = evaluate(second.backward, values, sizes, arb)[second.gradients[name]][0]
        for k in range(sizes["n"]):
            inputs = []
            for sign in (1, -1):
                moved = lifted(arb, arrays)
                changed = moved[name][0].copy()
                changed[k] = changed[k] + sign * flint.arb(STEP)
                moved[name] = (changed,)
                inputs.append(evaluate(second_program, moved, sizes, arb)["s"][0][()])
            quotient = (inputs[0] - inputs[1]) / flint.arb(2 * STEP)
            assert abs(found[k] - quotient) < flint.arb(2) ** -200


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_the_plain_forward_is_what_the_record_means(record, sample):
    program = network(record)
    arrays, sizes = environment(program, sample)
    arb = Arb()
    with precision(200):
        exact = evaluate(program, lifted(arb, arrays), sizes, arb)["v"][0]
    plain = [np.array(values) for values in sample]
    if isinstance(record, Elementwise):
        computed = record.forward(*plain)
    else:
        computed = record.forward(plain[0], 0)
        computed = computed.reshape(exact.shape)
    for ball, number in zip(exact.ravel(), np.asarray(computed).ravel(), strict=True):
        distance = abs(ball - flint.arb(float(number)))
        assert distance <= flint.arb(8 * 2.0**-52) * abs(ball) + flint.arb(2) ** -1000


@pytest.mark.parametrize("record", [r for r in BY_NAME.values() if isinstance(r, Elementwise)])
def test_samples_keep_off_kinks_and_inside_the_domain(record):
    for sample in record.samples:
        assert len({len(values) for values in sample}) == 1
        if record.domain is not None:
            assert all(value > 0 for value in sample[0])
