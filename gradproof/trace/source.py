"""A file to the functions of a paper."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from gradproof.core.errors import GradproofError, NetworkError, Place
from gradproof.core.near import meant
from gradproof.core.told import told, told_row


@dataclass(frozen=True, slots=True)
class Source:
    """A paper as its author wrote it.

    ``samples`` are sets of inputs with a title, checked beside the generic data. ``native`` maps
    an engine to a function that computes the network with the engine's own layers: it takes the
    framework and the network's arguments, and returns forward values, the loss among them, by name.
    """

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None = None
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    native: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def read_module(name: str, module: ModuleType) -> Source:
    """The paper in a module: its ``forward`` and, where there is one, its ``backward``.

    Raises:
        NetworkError: the module has no function ``forward``.
    """
    forward = getattr(module, "forward", None)
    if not callable(forward):
        functions = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        raise NetworkError(
            told("{name} has no function called forward.", name=name),
            advice=_without_forward(functions[:5]),
        )
    backward = getattr(module, "backward", None)
    if backward is not None and not callable(backward):
        raise NetworkError(
            told(
                "backward in {name} is {kind}, not a function.",
                name=name,
                kind=type(backward).__name__,
            ),
            advice=told("Write  def backward(...): ... return locals()"),
        )
    return Source(
        name,
        forward,
        backward,
        getattr(module, "SAMPLES", {}),
        getattr(module, "NATIVE", {}),
    )


def _without_forward(functions: Sequence[str]) -> str:
    """What to write in a file that has only other functions."""
    if functions:
        return told(
            'Write  def forward(x: "n 2", W: "2 3", ...): ... return loss  It has {known}.',
            known=told_row(functions),
        )
    return told('Write  def forward(x: "n 2", W: "2 3", ...): ... return loss')


def read_file(path: Path) -> Source:
    """The paper in a Python file.

    Raises:
        NetworkError: the file is missing, is not Python, fails to run, or has no forward.
    """
    if path.is_dir():
        raise NetworkError(
            told("{path} is a folder.", path=path), advice=told("A paper is a file name.py.")
        )
    if not path.is_file():
        beside = [str(path.with_name(one.name)) for one in path.parent.glob("*.py")]
        raise NetworkError(
            told("There is no file {path}.", path=path), advice=meant(str(path), beside)
        )
    spec = importlib.util.spec_from_file_location(f"paper_{path.stem}", path)
    if path.suffix != ".py" or spec is None or spec.loader is None:
        raise NetworkError(
            told("{path} is not a Python file.", path=path),
            advice=told("A paper is a file name.py."),
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # as `python my_network.py` does: its neighbours can be imported
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as problem:
        place = Place(
            Path(problem.filename or path).name, problem.lineno or 1, (problem.text or "").strip()
        )
        raise NetworkError(f"{problem.msg}.", place=place) from problem
    except GradproofError:
        raise
    except (Exception, SystemExit) as problem:  # the user's own code may raise anything
        frame = traceback.extract_tb(problem.__traceback__)[-1]
        raise NetworkError(
            told(
                "Running the file raised {kind}: {problem}",
                kind=type(problem).__name__,
                problem=problem,
            ),
            place=Place(Path(frame.filename).name, frame.lineno or 0, frame.line or ""),
        ) from problem
    return read_module(path.stem, module)
