"""A captured program to its gradients, over any arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from gradproof.core.told import told
from gradproof.engines import aten, graph, jaxpr
from gradproof.engines.arithmetic import Value
from gradproof.engines.backward_program import (
    BackwardProgram,
    Numbered,
    Operand,
    Operation,
    Table,
    Unattempted,
    packet,
)
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.jaxpr import Meaning
from gradproof.engines.known import Gaps, Known, Real
from gradproof.prims.number import Constant

MEANINGS: Mapping[str, Meaning] = {**jaxpr.JAXPR, **aten.ATEN, **graph.GRAPH}
"""Every operation that can be read; the names of jaxprs, of aten and of TensorFlow are apart, but
for those of gathers and scatters, which mean the same."""

# fmt: off
GAPPED = frozenset(
    {
        "add", "sub", "mul", "div", "exp", "_softmax", "_log_softmax", "logsumexp", "amax", "max",
        "reduce_max", "stop_gradient",
        "Exp", "Softmax", "LogSoftmax", "Max", "AddV2", "Sub", "Mul", "RealDiv",
    }
)
# fmt: on
"""Operations that also take −∞ at places that depend on no input."""


def evaluate_program(
    program: BackwardProgram,
    inputs: Mapping[str, Value],
    interpreter: Interpreter,
    masks: frozenset[str] = frozenset(),
) -> dict[str, Value]:
    """The gradients of a program; points are the first axis of every value.

    Args:
        program: an engine's own program.
        inputs: the network's tensors by name.
        interpreter: how to read it, and over which arithmetic.
        masks: inputs that are 0 or 1 where they are asked whether they are 0.

    Raises:
        Unattempted: the program has an operation that cannot be read; says which.
    """
    known: dict[int, Known] = {
        number: Real(inputs[name], mask=name if name in masks else "")
        for name, number in program.inputs.items()
    }
    for operation in program.operations:
        meaning = meaning_of(operation.name)
        operands = [_operand(o, known, interpreter) for o in operation.operands]
        _check(operation.name, operands)
        result = meaning(interpreter, operation, *operands)
        known[operation.result] = _fitted(result, operation, interpreter)
    return {
        name: _value(_operand(operand, known, interpreter), name)
        for name, operand in program.gradients.items()
    }


def meaning_of(name: str) -> Meaning:
    """What an operation means: by its full name, or without its overload.

    Raises:
        Unattempted: it has no meaning here.
    """
    found = MEANINGS.get(name) or MEANINGS.get(packet(name))
    if found is None:
        raise Unattempted(told("operation {name}", name=name))
    return found


def _check(name: str, operands: Sequence[Known]) -> None:
    short = packet(name).rpartition(".")[2]
    mixed = aten.MIXED if name.startswith(("aten.", "prims.")) else jaxpr.MIXED | graph.MIXED
    if short in mixed:
        return
    fits = Real | Gaps if short in GAPPED else Real
    if not all(isinstance(operand, fits) for operand in operands):
        raise Unattempted(told("operation {name} on what is not a finite number", name=name))


def assumptions(program: BackwardProgram) -> tuple[str, ...]:
    """What fused kernels of the program are taken as."""
    names = dict.fromkeys(packet(operation.name) for operation in program.operations)
    fused = {**jaxpr.FUSED, **aten.FUSED}
    return tuple(f"{name} = {fused[name]}" for name in names if name in fused)


def _operand(operand: Operand, known: Mapping[int, Known], interpreter: Interpreter) -> Known:
    match operand:
        case Numbered(number):
            return known[number]
        case Table(array):
            return interpreter.table(array)
        case Fraction():
            return interpreter.constant(operand)
        case Constant():
            return interpreter.irrational(operand)
        case float():
            return operand


def _fitted(result: Known, operation: Operation, interpreter: Interpreter) -> Known:
    """The result in the shape that the engine gave it; it may be the same along some axes."""
    if isinstance(result, float):
        return result
    shape = result.shape
    if shape == operation.shape:
        return result
    first = len(operation.shape) - len(shape)
    if first < 0 or any(
        here not in (1, there) for here, there in zip(shape, operation.shape[first:], strict=True)
    ):
        raise Unattempted(
            told(
                "operation {operation} with the shape {shape}",
                operation=operation.name,
                shape=operation.shape,
            )
        )
    places = tuple(range(first, len(operation.shape)))
    fitted: Known = interpreter.spread(result, operation.shape, places)
    return fitted


def _value(gradient: Known, name: str) -> Value:
    if not isinstance(gradient, Real):
        raise Unattempted(told("the gradient of {name}, which is not a number", name=name))
    return gradient.value
