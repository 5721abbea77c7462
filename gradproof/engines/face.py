"""The NumPy face on any framework's tensors, and the counting of its operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any, final

import numpy as np

from gradproof.core.errors import DataError, EngineError, NotYet, ShapeError
from gradproof.core.term import Add, Apply, Compare, Number, Pi, Power, Product, Read, Term
from gradproof.core.told import told
from gradproof.engines.dtype import DTYPES, in_dtype
from gradproof.engines.engine import Argument
from gradproof.prims.caller import place
from gradproof.prims.canvas import canvases
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.face import Face
from gradproof.prims.formula import Formula, formula

_MOVES = ("getitem", "transpose", "reshape", "broadcast")
"""The operations that only move elements: integers stay integers."""

FIRST_INDEX = {"gather": 1, "one_hot": 0, "add_at": 2}
"""Of an operation that integers choose the places of, which operand is the first of these."""

_RELATIONS = {">": "greater", ">=": "greater_equal", "==": "equal"}
_POWERS = {Fraction(2): "square", Fraction(1, 2): "sqrt", Fraction(-1): "reciprocal"}


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A framework's functions on its tensors, by the names of the face's operations.

    Beside those names the table holds ``square`` and ``reciprocal``. A fold takes ``axis`` and
    ``keepdims``, a function along an axis ``axis``, ``power`` a number as ``exponent``. An
    elementwise function that is absent is composed from its meaning. ``tensor`` takes an array
    that holds numbers of the dtype, ``array`` gives one back (see `engines/dtype.py`).
    """

    functions: Mapping[str, Callable[..., Any]]
    tensor: Callable[[np.ndarray, str], Any]
    cast: Callable[[Any, str], Any]
    array: Callable[[Any], np.ndarray]


@dataclass(slots=True, eq=False)
class Recording:
    """One run of a user's function: it counts the operations and keeps those that are wanted.

    ``meet(number, tensor)`` is called with each wanted result and gives the tensor to go on with;
    ``apart(tensor)`` makes it another tensor first where an operation gave its operand back.
    """

    arithmetic: Arithmetic
    dtype: str
    wanted: frozenset[int] = frozenset()
    meet: Callable[[int, Any], Any] = lambda number, tensor: tensor
    apart: Callable[[Any], Any] = lambda tensor: tensor
    kept: dict[int, Any] = field(default_factory=dict)
    count: int = 0

    def face(self, native: Any, *, whole: bool = False) -> Tensor:
        """The NumPy face on a tensor of the framework; `whole` for integers."""
        return Tensor(self, native, whole=whole)

    def blank(self, shape: tuple[int, ...], value: Any) -> Tensor:
        """A tensor of one number everywhere."""
        made = self.face(self.operand(np.full(shape, float(value))))
        made.remember(np.full(shape, float(value)))
        return made

    def operand(self, value: Any) -> Any:
        """The framework's tensor for an operand: numbers and arrays take the run's dtype."""
        if isinstance(value, Tensor):
            native = value.native
            return self.arithmetic.cast(native, self.dtype) if value.whole else native
        if isinstance(value, Fraction | int):  # NumPy makes objects of large integers
            value = float(value)
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise DataError(
                told("{kind} cannot be used in arithmetic here.", kind=type(value).__name__),
                place=place(),
            )
        return self.arithmetic.tensor(in_dtype(array, self.dtype), self.dtype)


@final
class Tensor(Face):
    """A framework's tensor that behaves like a NumPy array."""

    def __init__(self, recording: Recording, native: Any, *, whole: bool) -> None:
        super().__init__()
        self.recording = recording
        self.native = native
        self.whole = whole

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.native.shape)

    def copy(self) -> Tensor:
        return Tensor(self.recording, self.native, whole=self.whole)

    def constant(self, array: np.ndarray) -> Tensor:
        return self.recording.face(self.recording.operand(array))

    def become(self, result: Any) -> None:
        self.native, self.whole = result.native, result.whole

    def operate(self, name: str, operands: tuple[Any, ...], **attributes: Any) -> Tensor:
        recording = self.recording
        number = recording.count
        recording.count += 1
        whole = self.whole and name in _MOVES
        natives = (self.native,) if whole else tuple(self._operands(name, operands, recording))
        result = compute(recording, name, natives, attributes)
        if number in recording.wanted:
            if not whole:
                if any(result is native for native in natives):
                    result = recording.apart(result)
                result = recording.meet(number, result)
            recording.kept[number] = result
        return recording.face(result, whole=whole)

    def _operands(
        self, name: str, operands: tuple[Any, ...], recording: Recording
    ) -> Iterator[Any]:
        """The framework's tensors; of an operation that picks by integers, these as they are."""
        indices = FIRST_INDEX.get(name, len(operands))
        for number, operand in enumerate(operands):
            if number < indices:
                yield recording.operand(operand)
            elif isinstance(operand, Tensor) and not operand.whole:
                raise DataError(
                    told("An index must be made of integers."),
                    advice=told('Annotate it, as in  y: "n, index 10"'),
                    place=place(),
                )
            else:
                yield operand.native if isinstance(operand, Tensor) else np.asarray(operand)

    def __repr__(self) -> str:
        return f"<tensor of shape {self.shape}>"


FACTORED = {"inverse": "np.linalg.inv", "logdet": "np.linalg.slogdet"}
"""What is computed by factoring a matrix, as the user writes it."""


def compute(
    recording: Recording, name: str, operands: tuple[Any, ...], attributes: Mapping[str, Any]
) -> Any:
    """One operation of the face on the framework's tensors."""
    functions = recording.arithmetic.functions
    record = ELEMENTWISE_BY_NAME.get(name)
    if name == "power":
        return _power(recording, operands[0], attributes["exponent"])
    if name == "one_hot":
        return recording.arithmetic.cast(functions[name](*operands, **attributes), recording.dtype)
    if name == "sum" and not attributes["axes"]:
        return operands[0]  # torch takes no axes for all axes
    if name in FACTORED and recording.dtype.endswith("16"):
        raise EngineError(
            told(
                "{name} is not computed in {dtype} by any framework: LAPACK has no 16-bit numbers.",
                name=FACTORED[name],
                dtype=recording.dtype,
            ),
            advice=told("Try --dtype float32 or float64."),
            place=place(),
        )
    order = attributes["order"] if record else 0
    if order == 0 and name in functions:
        return functions[name](*operands, **({} if record else attributes))
    if name == "put":
        raise NotYet(
            told(
                "Writing at positions that integers give is not supported in forward yet: "
                "frameworks differ in what stays where one stands twice."
            ),
            advice=told("np.add.at adds there; or write  gp.one_hot(idx, size).T @ b."),
            place=place(),
        )
    if record is None or (order == 0 and record.meaning is None):
        raise NotYet(
            told("This engine has no {name}.", name=name),
            advice=told("Try another engine."),
            place=place(),
        )
    values = dict(zip(record.arguments, operands, strict=True))
    arguments = tuple(Formula(Read(argument, ())) for argument in record.arguments)
    if order == 0:
        assert record.meaning is not None
        return _evaluate(recording, formula(record.meaning(*arguments)).term, values)
    slope = record.slopes[0]
    if slope is None:
        raise NotYet(told("{name} has no derivative.", name=name), place=place())
    values["result"] = compute(recording, name, operands, {"order": 0})
    term = formula(slope(Formula(Read("result", ())), *arguments)).term
    if isinstance(term, Number):  # the derivative has the shape of its argument all the same
        return recording.operand(np.full(tuple(operands[0].shape), float(term.value)))
    return _evaluate(recording, term, values)


def _power(recording: Recording, base: Any, exponent: Fraction) -> Any:
    functions = recording.arithmetic.functions
    if exponent in _POWERS:
        return functions[_POWERS[exponent]](base)
    whole = exponent.denominator == 1
    return functions["power"](base, exponent=int(exponent) if whole else float(exponent))


def _evaluate(recording: Recording, term: Term, values: Mapping[str, Any]) -> Any:
    """A written-out elementwise formula on the framework's tensors."""

    def of(below: Term) -> Any:
        return _evaluate(recording, below, values)

    functions = recording.arithmetic.functions
    match term:
        case Number(value):
            return recording.operand(value)
        case Pi():
            return recording.operand(np.pi)
        case Read(name, _):
            return values[name]
        case Add(terms):
            return reduce(functions["add"], map(of, terms))
        case Product(factors):
            return reduce(functions["multiply"], map(of, factors))
        case Power(base, exponent):
            return _power(recording, of(base), exponent)
        case Apply(function, arguments, order):
            return compute(recording, function, tuple(map(of, arguments)), {"order": order})
        case Compare(relation, left, right):
            return functions[_RELATIONS[relation]](of(left), of(right))
        case _:
            raise TypeError(
                told("{kind} does not stand in an elementwise formula.", kind=type(term).__name__)
            )


# --- a run, seen from the engines -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inputs:
    """The arguments by the names of their tensors, and how to hand them to the function.

    ``floats`` are in the run's dtype and are differentiated; ``wholes`` are integers.
    """

    floats: dict[str, np.ndarray]
    wholes: dict[str, np.ndarray]
    places: dict[str, str | list[str]]

    def call(
        self, function: Callable[..., Any], recording: Recording, natives: Mapping[str, Any]
    ) -> Any:
        """What the user's function returns for faces of the framework's tensors by name."""
        with canvases(recording.blank):
            return function(**self.bind(recording, natives))

    def bind(self, recording: Recording, natives: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the user's function as faces, from the framework's tensors by name."""

        return self.arranged(
            {name: recording.face(natives[name], whole=name in self.wholes) for name in natives}
        )

    def arranged(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the user's function, from whatever stands for each tensor."""
        return {
            parameter: tensors[names]
            if isinstance(names, str)
            else [tensors[name] for name in names]
            for parameter, names in self.places.items()
        }


def read_inputs(arguments: Mapping[str, Argument], dtype: str) -> Inputs:
    """The arguments in the dtype, under the names of their tensors.

    Raises:
        EngineError: the dtype is not one that the engines compute in.
        DataError: an argument that is not an array of numbers.
    """
    if dtype not in DTYPES:
        raise EngineError(
            told("{dtype} is not a dtype of the engines.", dtype=dtype),
            advice=told("Try {dtypes}.", dtypes=", ".join(DTYPES)),
        )
    inputs = Inputs({}, {}, {})

    def enter(name: str, value: Any) -> str:
        array = np.asarray(value)
        match array.dtype.kind:
            case "f":
                inputs.floats[name] = in_dtype(array, dtype)
            case "i" | "u" | "b":
                inputs.wholes[name] = array.astype(np.int64)
            case _:
                raise DataError(told("{name} is not an array of numbers.", name=name))
        return name

    for parameter, value in arguments.items():
        if isinstance(value, list | tuple):
            inputs.places[parameter] = [
                enter(f"{parameter}[{number}]", one) for number, one in enumerate(value, 1)
            ]
        else:
            inputs.places[parameter] = enter(parameter, value)
    return inputs


def read_loss(result: Any) -> Any:
    """The framework's scalar that a forward function returned.

    Raises:
        EngineError: the function returned something else than a tensor.
        ShapeError: the loss has axes.
    """
    if not isinstance(result, Tensor):
        raise EngineError(
            told("The function returned {kind} and not a tensor.", kind=type(result).__name__),
            advice=told("It must return the loss."),
        )
    if result.shape:
        raise ShapeError(
            told("The loss has the shape {shape}.", shape=result.shape),
            advice=told("Sum it to a scalar, as with np.sum."),
        )
    return result.native


def read_kept(recording: Recording, operations: Mapping[str, int]) -> dict[str, Any]:
    """The framework's tensors by the names of the values.

    Raises:
        EngineError: the run had no operation with this number.
    """
    for name, number in operations.items():
        if number not in recording.kept:
            raise EngineError(
                told(
                    "{name} is operation {number}, and the run had {count}.",
                    name=name,
                    number=number,
                    count=recording.count,
                ),
                advice=told("The function must do the same operations each time it is called."),
            )
    return {name: recording.kept[number] for name, number in operations.items()}
