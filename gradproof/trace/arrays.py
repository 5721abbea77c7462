"""A file of arrays to the inputs of a network, by parameter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from gradproof.core.errors import DataError
from gradproof.core.told import told

SAVED = told('Save the arrays by parameter:  np.savez("data.npz", x=x, W=W)')
SAVED_LIST = told(
    'Save a list tensor by tensor:  np.savez("data.npz", **{{"Ws[1]": W1, "Ws[2]": W2}})'
)


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by parameter; ``Ws[1], Ws[2], …`` are the list ``Ws``.

    Raises:
        DataError: the file is missing, holds no arrays by name, or a list has a gap.
    """
    found: dict[str, Any] = {}
    for name, array in _arrays(path).items():
        element = re.fullmatch(r"(\w+)\[(\d+)\]", name)
        if element is None:
            found[name] = array
        else:
            found.setdefault(element[1], {})[int(element[2])] = array
    return {
        name: _in_order(name, given) if isinstance(given, dict) else given
        for name, given in found.items()
    }


def _in_order(name: str, numbered: dict[int, Any]) -> list[Any]:
    for number in range(1, len(numbered) + 1):
        if number not in numbered:
            had = ", ".join(f"{name}[{k}]" for k in sorted(numbered))
            raise DataError(
                told(
                    "The inputs have {had} and no {name}[{number}].",
                    had=had,
                    name=name,
                    number=number,
                ),
                advice=told("The tensors of a list are numbered from 1 without a gap."),
            )
    return [numbered[number] for number in sorted(numbered)]


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by name; without pickles, which could run any code."""
    if not path.is_file():
        raise DataError(told("There is no file {path}.", path=path))
    try:
        data = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise DataError(
            told("{path} is not a file of arrays.", path=path), advice=SAVED
        ) from problem
    if isinstance(data, np.ndarray):
        raise DataError(told("{path} holds one array without a name.", path=path), advice=SAVED)
    with data:
        arrays = {}
        for name in data.files:
            try:
                arrays[name] = data[name]
            except ValueError as problem:
                raise DataError(
                    told(
                        "{name} in {path} holds Python objects and not numbers.",
                        name=name,
                        path=path,
                    ),
                    advice=SAVED_LIST,
                ) from problem
        return arrays
