"""The gallery's networks by name."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from gradproof.core.errors import NetworkError
from gradproof.core.near import meant
from gradproof.core.told import told
from gradproof.gallery.entry import Entry, entry
from gradproof.trace.source import Source, read_file, read_module

_HERE = Path(__file__).parent


def _is_network(path: Path) -> bool:
    """Whether a file defines ``forward``; other files here hold what a network brings along."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(part, ast.FunctionDef) and part.name == "forward" for part in body)


ERRATA = "gradproof.gallery.errata"
"""The package of published mistakes."""


def errata() -> tuple[str, ...]:
    """The published mistakes, which are networks with wrong formulas."""
    return tuple(sorted(p.stem for p in (_HERE / "errata").glob("*.py") if _is_network(p)))


def path_of(name: str) -> Path:
    """The file of a network of the gallery or of a published mistake."""
    return _HERE / ("errata" if name in errata() else ".") / f"{name}.py"


def names() -> tuple[str, ...]:
    """The networks in this folder: each file with a function ``forward`` is one."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.py") if _is_network(path)))


def find(name: str) -> Source:
    """The network or published mistake with this name, or the network in a file ``name.py``.

    Raises:
        NetworkError: neither exists, or the file holds no network.
    """
    if name.isidentifier():  # the others are not read for it
        for folder, package in ((_HERE, "gradproof.gallery"), (_HERE / "errata", ERRATA)):
            path = folder / f"{name}.py"
            if path.is_file() and _is_network(path):
                return read_module(name, importlib.import_module(f"{package}.{name}"))
    path = Path(name)
    if path.suffix == ".py" or path.exists():
        return read_file(path)
    raise NetworkError(
        told("There is no network called {name!r}.", name=name),
        advice=meant(name, (*names(), *errata()))
        or told(
            "The gallery has {known}; a file of your own is named with its .py.",
            known=", ".join(names()),
        ),
    )


def contents() -> tuple[Entry, ...]:
    """What is known of each network, in the order of their names."""
    return tuple(describe(name) for name in names())


def describe(name: str) -> Entry:
    """What is known of one network of the gallery.

    Raises:
        NetworkError: the gallery has no network with this name.
    """
    if name not in names():
        raise NetworkError(
            told("The gallery has no network called {name!r}.", name=name),
            advice=told("It has {names}.", names=", ".join(names())),
        )
    return entry(find(name), _HERE / f"{name}.py")
