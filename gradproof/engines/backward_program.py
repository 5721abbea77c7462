"""What an engine's autodiff computes, as a flat list of operations that knows no framework."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isinf, isqrt, prod
from typing import Any

import numpy as np

from gradproof.core.told import told
from gradproof.prims.number import Constant, constant

LARGEST_DENOMINATOR = 10_000


@dataclass(frozen=True, slots=True)
class Numbered:
    """The value with this number: an input, or the result of an earlier operation."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An array of numbers that the program brings along."""

    array: np.ndarray


Operand = Numbered | Table | Fraction | Constant | float
"""A value, an array, or one number: a rational, one with π or a root in it, or a float that is
infinite."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``result = name(operands)``, in the framework's own word for it.

    ``attributes`` are plain numbers, strings and tuples; ``shape`` is that of the result.
    """

    name: str
    operands: tuple[Operand, ...]
    attributes: Mapping[str, Any]
    result: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackwardProgram:
    """Forward and backward of one network, as an engine's own autodiff wrote them.

    ``inputs`` maps the network's tensors to the numbers of their values, ``gradients`` each
    tensor to what holds its gradient. ``precision`` is float32 where something in it is computed in
    float32 though all tensors are float64's.
    """

    inputs: Mapping[str, int]
    operations: tuple[Operation, ...]
    gradients: Mapping[str, Operand]
    precision: str = "float64"


class Unattempted(Exception):
    """The program has something that cannot be read over exact numbers; says what."""


def read_back(value: float) -> Fraction | Constant | float:
    """The number that a float64 stands for: 0.3333333333333333 is 1/3, 0.1 is 1/10, and
    1.1283791670955126 is 2/√π.

    An infinity stays a float.

    Raises:
        Unattempted: not a number.
    """
    if isinf(value):
        return value
    if value != value:
        raise Unattempted(told("the constant NaN"))
    simple = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    if float(simple) == value:
        return simple
    found = constant(value)
    return Fraction(repr(value)) if found.half == 0 and found.root == 1 else found


def packet(name: str) -> str:
    """An operator's name without its overload: ``aten.mul`` of ``aten.mul.Tensor``, and
    ``aten.max:1`` of the second result of ``aten.max.dim``."""
    own, colon, part = name.partition(":")
    return ".".join(own.split(".")[:2]) + colon + part


def trimmed(program: BackwardProgram, wanted: Collection[str]) -> BackwardProgram:
    """The program of the gradients that are wanted, without the operations that none needs."""
    gradients = {of: operand for of, operand in program.gradients.items() if of in wanted}
    needed = _numbers(gradients.values())
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        if operation.result in needed:
            kept.append(operation)
            needed |= _numbers(operation.operands)
    return replace(program, operations=tuple(reversed(kept)), gradients=gradients)


def _numbers(operands: Iterable[Operand]) -> set[int]:
    return {o.number for o in operands if isinstance(o, Numbered)}


MATRIX_PRODUCTS = ("dot_general", "aten.mm", "aten.bmm", "aten.mv", "aten.addmm", "MatMul")
MATRIX_PRODUCTS += ("BatchMatMulV2", "Einsum", "Conv2D", "Conv2DBackpropFilter")
MATRIX_PRODUCTS += ("Conv2DBackpropInput",)


def work(program: BackwardProgram, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """About how many numbers all operations together compute, with inputs of these shapes."""
    sizes = {number: prod(shapes[name]) for name, number in program.inputs.items()}
    total = 0
    for operation in program.operations:
        sizes[operation.result] = made = prod(operation.shape)
        read = [sizes[o.number] for o in operation.operands if isinstance(o, Numbered)]
        # mk elements times kn give mn: the root of the product of the three is mkn.
        product = operation.name in MATRIX_PRODUCTS and len(read) > 1
        total += isqrt(made * read[-1] * read[-2]) if product else made
    return total


def constants(program: BackwardProgram) -> tuple[Fraction, ...]:
    """The rationals that were read back from floats, but for whole numbers and halves."""
    found = {
        operand
        for operation in program.operations
        for operand in operation.operands
        if isinstance(operand, Fraction) and operand.denominator > 2
    }
    return tuple(sorted(found))
