"""A function's annotations and the given inputs to the tensors that it takes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradproof.core.errors import DataError, NetworkError, Place, ShapeError
from gradproof.core.index import Size
from gradproof.core.program import INDEX, LAWS, Tensor
from gradproof.core.told import told, told_row

DATA = "data"
"""Said after a comma of what is given and not differentiated: ``"n 3, data"``."""

Signature = dict[str, Tensor | list[Tensor]]
"""Parameter name to its tensor, or to the tensors of a list of weights."""


def where_defined(function: Callable[..., Any]) -> Place | None:
    """The line on which a function is defined."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    name = code.co_filename if code.co_filename.startswith("<") else Path(code.co_filename).name
    return Place(name, code.co_firstlineno, f"def {function.__name__}(...)")


def forward_of(thing: Any) -> str:
    """What to write in the place of something that is no function, if it has or names one."""
    if isinstance(thing, ModuleType) and callable(getattr(thing, "forward", None)):
        return told("Give {name}.forward", name=thing.__name__.rpartition(".")[2])
    if isinstance(thing, str) and thing.isidentifier():
        return told(
            "For a network of the gallery write  from gradproof.gallery import {name}  and give "
            "{name}.forward",
            name=thing,
        )
    return ""


def read_signature(
    function: Callable[..., Any], inputs: Mapping[str, Any] | None = None
) -> Signature:
    """The tensors that a forward function takes, from its annotations and the inputs given.

    Raises:
        NetworkError: a parameter has neither an annotation nor an input.
        ShapeError: an annotation cannot be read.
    """
    inputs = dict(inputs or {})
    if not callable(function):
        raise NetworkError(
            told("forward is {kind}, not a function.", kind=type(function).__name__),
            advice=forward_of(function),
        )
    place = where_defined(function)
    annotations = getattr(function, "__annotations__", {})
    found: Signature = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise NetworkError(
                told(
                    "forward takes *{name}: gradproof needs to know each tensor by name.", name=name
                ),
                advice=told("Use a list of tensors, annotated as a list of shapes."),
                place=place,
            )
        annotation = _plain(annotations.get(name, parameter.empty))
        if annotation is not parameter.empty:
            found[name] = _tensors(name, annotation, place)
        elif name in inputs:
            found[name] = _tensors(name, _shape_of_input(inputs[name]), place)
        elif parameter.default is not parameter.empty:
            continue  # a constant, such as eps=1e-5
        else:
            raise NetworkError(
                told("The parameter {name} has neither a shape nor an input.", name=name),
                advice=told(
                    'Annotate it, as in  {name}: "n 3"  or pass inputs={{"{name}": ...}}.',
                    name=name,
                ),
                place=place,
            )
    surplus = sorted(set(inputs) - set(found))
    if surplus:
        lists = [name for name, entry in found.items() if isinstance(entry, list)]
        raise DataError(
            told(
                "The network has no parameter {surplus}; it takes {found}.",
                surplus=", ".join(surplus),
                found=", ".join(found),
            ),
            advice=told(
                "A list is one input; in a file its tensors are {lists}[1], {lists}[2], …",
                lists=lists[0],
            )
            if lists
            else "",
            place=place,
        )
    return found


def _plain(annotation: Any) -> Any:
    """An annotation as a string or list: unquoted where `from __future__` quoted it."""
    if isinstance(annotation, str) and annotation[:1] in "'\"[(":
        try:
            return ast.literal_eval(annotation)
        except (ValueError, SyntaxError):
            return annotation
    return getattr(annotation, "dim_str", annotation)


def _shape_of_input(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_shape_of_input(item) for item in value]
    if isinstance(value, tuple) and all(isinstance(item, int | str) for item in value):
        return " ".join(str(item) for item in value)
    return " ".join(str(size) for size in np.shape(value))


def _tensors(name: str, annotation: Any, place: Place | None) -> Tensor | list[Tensor]:
    if isinstance(annotation, list | tuple):
        return [
            _tensor(f"{name}[{number}]", part, place) for number, part in enumerate(annotation, 1)
        ]
    return _tensor(name, annotation, place)


def _tensor(name: str, annotation: Any, place: Place | None) -> Tensor:
    if not isinstance(annotation, str):
        raise ShapeError(
            told(
                "The shape of {name} cannot be read from {annotation!r}.",
                name=name,
                annotation=annotation,
            ),
            advice=told('Write a string of symbols and numbers, such as "n 3".'),
            place=place,
        )
    shape_text, *promises = (part.strip() for part in annotation.split(","))
    for promise in promises:
        if promise not in (*LAWS, DATA) and not _names_positions(promise):
            raise ShapeError(
                told(
                    "{name} promises {promise!r}, which gradproof does not know.",
                    name=name,
                    promise=promise,
                ),
                advice=told(
                    "It knows: {names}, and index v for integers from 0 to v − 1.",
                    names=", ".join((*LAWS, DATA)),
                ),
                place=place,
            )
    law = next((promise for promise in promises if promise != DATA), "")
    sizes: list[Size] = []
    for part in shape_text.split():
        if part.isdecimal() and int(part) > 0:
            sizes.append(int(part))
        elif part.isidentifier():
            sizes.append(part)
        else:
            raise ShapeError(
                told(
                    "The size {part!r} of {name} is neither a symbol nor a number above 0.",
                    part=part,
                    name=name,
                ),
                place=place,
            )
    given = DATA in promises or law.startswith(INDEX)
    return Tensor(name, tuple(sizes), law, "data" if given else "input")


def _names_positions(promise: str) -> bool:
    """``index v`` or ``index 7``: integers that are positions along an axis of that size."""
    size = promise.removeprefix(INDEX)
    return size != promise and (size.isidentifier() or (size.isdecimal() and int(size) > 0))


def positions_of(tensor: Tensor) -> Size | None:
    """The size of the axis whose positions a tensor's elements are; `None` for other tensors."""
    if not tensor.law.startswith(INDEX):
        return None
    size = tensor.law.removeprefix(INDEX)
    return int(size) if size.isdecimal() else size


def members(entry: Tensor | list[Tensor]) -> list[Tensor]:
    """The tensors of one parameter: of a list its members."""
    return entry if isinstance(entry, list) else [entry]


def tensors(signature: Signature) -> tuple[Tensor, ...]:
    """All tensors of a signature, in order."""
    return tuple(tensor for entry in signature.values() for tensor in members(entry))


def symbols(signature: Signature) -> tuple[str, ...]:
    """The size symbols of a signature, in order of appearance."""
    seen: dict[str, None] = {}
    for tensor in tensors(signature):
        seen.update((size, None) for size in tensor.shape if isinstance(size, str))
        named = positions_of(tensor)
        seen.update({named: None} if isinstance(named, str) else {})
    return tuple(seen)


def with_one(signature: Signature, symbol: str) -> Signature:
    """A signature in which a size symbol is 1, as for a single sample.

    Raises:
        DataError: no parameter has an axis of this size, or integers are positions along one.
    """
    known = symbols(signature)
    if symbol.isdigit():
        raise DataError(
            told(
                "A size symbol is needed for one sample, and {symbol} is a number.", symbol=symbol
            ),
            advice=told("The sizes are {known}.", known=told_row(known)) if known else "",
        )
    if symbol not in known:
        raise DataError(
            told("No parameter has an axis of size {symbol}.", symbol=symbol),
            advice=told("The sizes are {known}.", known=told_row(known)) if known else "",
        )
    if any(positions_of(tensor) == symbol for tensor in tensors(signature)):
        raise DataError(
            told(
                "Integers are positions along an axis of size {symbol}: it is none of samples.",
                symbol=symbol,
            )
        )

    def single(tensor: Tensor) -> Tensor:
        return replace(tensor, shape=tuple(1 if size == symbol else size for size in tensor.shape))

    return {
        name: [single(one) for one in entry] if isinstance(entry, list) else single(entry)
        for name, entry in signature.items()
    }
