"""The line of the user's own source that is running."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import FrameType

import numpy as np

from gradproof.core.errors import Place

_HOUSE = str(Path(__file__).parent.parent)
_GALLERY = str(Path(_HOUSE) / "gallery")
_NUMPY = str(Path(np.__file__).parent)


def is_ours(file: str) -> bool:
    """Whether a source file belongs to gradproof's or NumPy's machinery (a gallery file not)."""
    if file.startswith(_GALLERY):
        return False
    return file.startswith((_HOUSE, _NUMPY)) or file.startswith("<__array_function__")


def user_frame() -> FrameType | None:
    """The innermost running frame of the user's code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place_of(frame: FrameType | None) -> Place | None:
    """Where a frame is: file, line and the text of that line."""
    if frame is None:
        return None
    file = frame.f_code.co_filename
    text = linecache.getline(file, frame.f_lineno).strip()
    return Place(Path(file).name if not file.startswith("<") else file, frame.f_lineno, text)


def place() -> Place | None:
    """Where the user's code is now."""
    return place_of(user_frame())
