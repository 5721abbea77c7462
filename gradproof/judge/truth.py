"""True values: whole programs in certified arithmetic, sharp enough to judge float64 by.

Small networks are Arb's, with precision raised until every element has 60 good bits. Arb costs
microseconds an operation, so large ones are evaluated once in double-double balls, whose radius
says how sharp they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import final

import numpy as np

from gradproof.core.program import Program, shapes
from gradproof.core.term import reads
from gradproof.engines.arb import Arb, midpoints, precision, upper_bounds
from gradproof.engines.arithmetic import Value
from gradproof.engines.double import BITS as DOUBLE_BITS
from gradproof.engines.double import Double, to_arb
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation, number_of

GOOD_BITS = 60
"""Bits of relative accuracy wanted of every element: more than float64 has."""

LARGE = 20_000
"""Elements in all tensors together from which on Arb takes seconds."""

TOO_LARGE = 400_000
"""Elements from which on Arb takes more than seconds, and what double-doubles know must do."""

BLOCK = 2**15
"""Elements that are compared at once."""

SHARP = 2.0**-70
"""The radius, as a share of a tensor's largest element, with which double-doubles will do."""


@dataclass(frozen=True, slots=True)
class TrueValues:
    """Enclosures of every tensor of some programs, and the precision that gave them.

    ``values`` are Arb's, or double-doubles; ``balls`` has all of them as arrays of Arb's balls.
    """

    values: Mapping[str, Value]
    bits: int
    undecided: int

    @property
    def balls(self) -> Mapping[str, np.ndarray]:
        """Every tensor as an array of Arb's balls, made when it is asked for."""
        return _Balls(self.values)


@final
class _Balls(Mapping[str, np.ndarray]):
    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> np.ndarray:
        value = self._values[name]
        return (value if len(value) == 1 else to_arb(value))[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def nothing_to_do(name: str, value: Value) -> None:
    """Looks at no tensor."""


def true_values(
    programs: tuple[Program, ...],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    most_bits: int = 1500,
    *,
    kept: frozenset[str] | None = None,
    look: Callable[[str, Value], None] = nothing_to_do,
) -> TrueValues:
    """Every tensor of programs that build on one another, at inputs taken as exact.

    Args:
        programs: the first is the forward one.
        inputs: by name.
        sizes: a number for each size symbol.
        most_bits: of Arb's precision.
        kept: the tensors whose enclosures are returned, all of them if `None`. Others are dropped
            after their last use.
        look: is called with each equation's target and its enclosure, perhaps more than once, and
            with the sharpest last.
    """
    elements = _elements(programs, sizes)
    if elements >= LARGE:
        found, sharp = _in_doubles(programs, inputs, sizes, kept, look)
        # Deep networks lose a few bits a layer, of which double-doubles have no more to spare.
        if elements >= TOO_LARGE or sharp:
            return found
    bits = 96 + 6 * min(len(programs[0].equations), 200)
    while True:
        found = _at(programs, inputs, sizes, bits)
        worst = min((_accuracy(value[0]) for value in found.values.values()), default=GOOD_BITS)
        if worst >= GOOD_BITS or bits >= most_bits:
            break
        bits = min(most_bits, max(2 * bits, bits + GOOD_BITS - worst))
    for program in programs:
        for equation in program.equations:
            look(equation.target, found.values[equation.target])
    return found


def _elements(programs: tuple[Program, ...], sizes: Mapping[str, int]) -> int:
    known = {name: shape for program in programs for name, shape in shapes(program).items()}
    return sum(prod(number_of(size, sizes) for size in shape) for shape in known.values())


def _at(
    programs: tuple[Program, ...],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    bits: int,
) -> TrueValues:
    arb = Arb()
    with precision(bits):
        tensors = {name: arb.lift(array) for name, array in inputs.items()}
        for program in programs:
            tensors = evaluate(program, tensors, sizes, arb)
    return TrueValues(tensors, bits, arb.undecided)


def _in_doubles(
    programs: tuple[Program, ...],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    kept: frozenset[str] | None,
    look: Callable[[str, Value], None],
) -> tuple[TrueValues, bool]:
    """The values that are kept, and whether all were sharp."""
    double, sharp = Double(), True
    equations = [equation for program in programs for equation in program.equations]
    last_use = {read.tensor: k for k, e in enumerate(equations) for read in reads(e.term)}
    tensors: dict[str, Value] = {}
    with np.errstate(all="ignore"):  # an overflow ends as a radius that is not finite
        for k, equation in enumerate(equations):
            names = {read.tensor for read in reads(equation.term)}
            for name in names - tensors.keys():
                tensors[name] = double.lift(inputs[name])
            value = evaluate_equation(equation, Room(tensors, sizes, double))
            sharp = sharp and _is_sharp(value)
            look(equation.target, value)
            tensors[equation.target] = value
            if kept is not None:
                for name in {*names, equation.target} - kept:
                    if last_use.get(name, -1) <= k:
                        del tensors[name]
    for name in inputs.keys() if kept is None else inputs.keys() & kept:
        tensors.setdefault(name, double.lift(inputs[name]))
    return TrueValues(tensors, DOUBLE_BITS, double.undecided), sharp


def _is_sharp(value: Value) -> bool:
    high, _, radius = value
    most = max(high.max(initial=0.0), -high.min(initial=0.0))
    return bool(radius.max(initial=0.0) <= SHARP * most)


def _accuracy(balls: np.ndarray) -> int:
    """The fewest good bits of any element; an element that is or hugs zero does not count."""
    return min(
        (ball.rel_accuracy_bits() for ball in balls.flat if not ball.contains(0)),
        default=GOOD_BITS,
    )


def middle(value: Value) -> np.ndarray:
    """The float64 nearest to the middle of each enclosure."""
    return midpoints(value[0]) if len(value) == 1 else value[0]


def farthest(value: Value, array: np.ndarray) -> np.ndarray:
    """How far each element of an array is from the farthest number of its enclosure, at most."""
    if len(value) == 1:
        with precision(DOUBLE_BITS):
            return upper_bounds(value[0] - Arb().lift(array)[0])
    high, low, radius = value
    with np.errstate(all="ignore"):
        # A subtraction is rounded once, and so is adding the rest.
        return (np.abs((array - high) - low) + radius) * (1 + 2.0**-50) + 2.0**-53 * np.abs(low)


def digits_in_common(computed: np.ndarray, truth: Value | None) -> float:
    """Certified decimal digits: ``−log₁₀(max|computed − true| / max|true|)``, rounded down.

    Not a number where the enclosure says nothing.
    """
    if truth is None or not computed.size:
        return float("nan")
    middles = middle(truth)
    size = max(float(middles.max()), -float(middles.min()))
    error = 0.0
    for start in range(0, computed.shape[0] if computed.ndim else 1, _few(computed)):
        rows = slice(start, start + _few(computed)) if computed.ndim else ()
        exact = np.asarray(computed[rows], dtype=np.float64)
        far = farthest(tuple(part[rows] for part in truth), exact)
        error = float(np.maximum(error, far.max()))  # not a number if any is not
    return digits_of(error, size)


def digits_of(error: float, size: float) -> float:
    """``−log₁₀(error / size)``, rounded down."""
    if error <= 2.0**-960:
        return float("inf")
    if size == 0 or not np.isfinite(error):
        return float("nan") if not np.isfinite(error) else 0.0
    return max(0.0, float(np.floor(-10 * np.log10(error / size)) / 10))


def _few(array: np.ndarray) -> int:
    """So many rows that they fit into a cache."""
    return max(1, BLOCK * array.shape[0] // array.size) if array.ndim else 1
