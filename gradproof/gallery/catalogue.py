"""The gallery's networks by name."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from gradproof.core.errors import NetworkError
from gradproof.trace.source import Source, read_file, read_module

_HERE = Path(__file__).parent


def _is_network(path: Path) -> bool:
    """Whether a file defines ``forward``; other files here hold what a network brings along."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(part, ast.FunctionDef) and part.name == "forward" for part in body)


def names() -> tuple[str, ...]:
    """The networks in this folder: each file with a function ``forward`` is one."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.py") if _is_network(path)))


def find(name: str) -> Source:
    """The network with this name, or the one in a file ``name.py``.

    Raises:
        NetworkError: neither exists, or the file holds no network.
    """
    known = names()
    if name in known:
        return read_module(name, importlib.import_module(f"gradproof.gallery.{name}"))
    path = Path(name)
    if path.suffix == ".py" or path.exists():
        return read_file(path)
    raise NetworkError(
        f"There is no network called {name!r}.",
        advice=f"The gallery has {', '.join(known)}; a file of your own is named with its .py.",
    )


def contents() -> list[tuple[str, str]]:
    """Each network's name and the first sentence of what it is."""
    return [(name, _sentence(_HERE / f"{name}.py")) for name in names()]


def _sentence(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]
