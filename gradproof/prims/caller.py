"""The user's own source: the line that is running, and the functions that are called."""

from __future__ import annotations

import builtins
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from gradproof.core.errors import GradproofError, NetworkError, Place
from gradproof.core.near import meant
from gradproof.core.told import told

_HOUSE = str(Path(__file__).parent.parent)
_GALLERY = str(Path(_HOUSE) / "gallery")
_DOOR = str(Path(_HOUSE) / "__init__.py")
"""Where a name that gradproof lacks is looked for."""

_NUMPY = str(Path(np.__file__).parent)


@cache
def is_gallery(file: str) -> bool:
    """Whether a source file is one of the gallery's, which are written as a user's are."""
    return file.startswith(_GALLERY)


@cache
def is_ours(file: str) -> bool:
    """Whether a source file belongs to gradproof's or NumPy's machinery (a gallery file not)."""
    if is_gallery(file):
        return False
    return file.startswith((_HOUSE, _NUMPY)) or file.startswith("<__array_function__")


def user_frame() -> FrameType | None:
    """The innermost running frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place_of(frame: FrameType | None, line: int | None = None) -> Place | None:
    """Where a frame is, or was at `line`: file, line and the text of that line."""
    if frame is None:
        return None
    file = frame.f_code.co_filename
    line = frame.f_lineno if line is None else line
    text = linecache.getline(file, line).strip()
    return Place(_name_of(file), line, text)


@cache
def _name_of(file: str) -> str:
    """A file without its folder; a cell or a prompt has none."""
    return file if file.startswith("<") else Path(file).name


def place() -> Place | None:
    """Where the user's code is now."""
    return place_of(user_frame())


@contextmanager
def reported(function: Callable[..., Any]) -> Iterator[None]:
    """Around a call of the user's function: what it raises is said of the line that raised it.

    Raises:
        NetworkError: the function raised something that is no `GradproofError`.
    """
    try:
        yield
    except GradproofError:
        raise
    except (Exception, SystemExit) as problem:  # the user's own code may raise anything
        _, _, *passed = traceback.walk_tb(problem.__traceback__)  # this frame, and the call's
        if passed and _is_mistake_of_ours(passed[-1][0]):
            raise  # where nothing has passed, the function has no frames, as of JAX's transforms
        theirs = [(frame, line) for frame, line in passed if not is_ours(frame.f_code.co_filename)]
        name = getattr(function, "__name__", type(function).__name__)
        raise NetworkError(
            told(
                "{name} raised {kind}: {problem}",
                name=name,
                kind=type(problem).__name__,
                problem=problem,
            ),
            advice=_meant(problem, theirs[-1][0] if theirs else None),
            place=place_of(*theirs[-1]) if theirs else None,
        ) from problem


def _is_mistake_of_ours(innermost: FrameType) -> bool:
    file = innermost.f_code.co_filename
    return is_ours(file) and not file.startswith(_NUMPY) and file != _DOOR


def _meant(problem: BaseException, frame: FrameType | None) -> str:
    """Which name a misspelt one looks like: of a module's functions, or of what the code knows."""
    match problem:
        case AttributeError(name=str(name), obj=ModuleType() as module):
            return meant(name, dir(module))
        case NameError(name=str(name)) if frame is not None:
            return meant(name, (*frame.f_locals, *frame.f_globals, *dir(builtins)))
        case _:
            return ""
