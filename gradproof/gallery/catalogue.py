"""The gallery's networks by name."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from gradproof.core.errors import NetworkError
from gradproof.trace.source import Source, read_file, read_module

_HERE = Path(__file__).parent
NAMES = ("fnn", "softmax_regression", "mlp")


def find(name: str) -> Source:
    """The network with this name, or the one in a file ``name.py``.

    Raises:
        NetworkError: neither exists, or the file holds no network.
    """
    if name in NAMES:
        return read_module(name, importlib.import_module(f"gradproof.gallery.{name}"))
    path = Path(name)
    if path.suffix == ".py" or path.exists():
        return read_file(path)
    raise NetworkError(
        f"There is no network called {name!r}.",
        advice=f"The gallery has {', '.join(NAMES)}; a file of your own is named with its .py.",
    )


def contents() -> list[tuple[str, str]]:
    """Each network's name and the first sentence of what it is."""
    return [(name, _sentence(_HERE / f"{name}.py")) for name in NAMES]


def _sentence(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]
