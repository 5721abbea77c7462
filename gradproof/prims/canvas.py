"""NumPy's makers of arrays to tensors that can be written into, while a user's function runs."""

from __future__ import annotations

import dis
import functools
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import signature
from sys import _getframe
from types import CodeType
from typing import Any

import numpy as np

from gradproof.prims.caller import is_gallery, is_ours

MAKERS: dict[str, Callable[..., Any]] = {
    "zeros": lambda shape, dtype=None, order="C": (shape, 0, dtype),
    "ones": lambda shape, dtype=None, order="C": (shape, 1, dtype),
    "full": lambda shape, fill_value, dtype=None, order="C": (shape, fill_value, dtype),
}
"""What each maker is asked for: a shape, the number that fills it, and a dtype. ``np.empty`` is
missing: what was not written would be any number."""

_WRITES = ("STORE_SUBSCR", "STORE_SLICE")
_INSTALLED = tuple(
    sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")
)


Blank = Callable[[tuple[int, ...], Any], Any]

_LOCK = threading.Lock()
_ORIGINALS: dict[str, Callable[..., Any]] = {}
_BLANKS: dict[int, list[Blank]] = {}
"""What stands for a maker's array, by thread: the names are rebound while there is any."""


@contextmanager
def canvases(blank: Blank) -> Iterator[None]:
    """Meanwhile ``np.zeros``, ``ones`` and ``full`` give the user ``blank(shape, number)``.

    A NumPy array cannot hold a tensor, and what NumPy's makers give cannot be chosen from outside;
    so their names are rebound, for callers in this thread that are the user's own functions and
    write into arrays by ``a[...] = ...`` or ``np.add.at``. All others, NumPy and the frameworks
    among them, get what they always get.
    """
    thread = threading.get_ident()
    with _LOCK:
        if not _BLANKS:
            _ORIGINALS.update({name: getattr(np, name) for name in MAKERS})
            for name, original in _ORIGINALS.items():
                setattr(np, name, _maker(name, original))
        _BLANKS.setdefault(thread, []).append(blank)
    try:
        yield
    finally:
        with _LOCK:
            _BLANKS[thread].pop()
            if not _BLANKS[thread]:
                del _BLANKS[thread]
            if not _BLANKS:
                for name, original in _ORIGINALS.items():
                    setattr(np, name, original)


@lru_cache(maxsize=16)
def _maker(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    read = MAKERS[name]

    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        blanks = _BLANKS.get(threading.get_ident())
        if blanks and _writes_into_arrays(_getframe(1).f_code):
            try:
                signature(read).bind(*args, **kwargs)
            except TypeError:
                return original(*args, **kwargs)
            shape, number, dtype = read(*args, **kwargs)
            shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
            if np.ndim(number) == 0 and (dtype is None or np.dtype(dtype).kind == "f"):
                return blanks[-1](shape, number)
        return original(*args, **kwargs)

    return make


@lru_cache(maxsize=4096)
def _writes_into_arrays(code: CodeType) -> bool:
    """Whether this is code of the user's with ``a[...] = ...`` or ``np.add.at(a, ...)`` in it."""
    file = code.co_filename
    if is_ours(file) or (file.startswith(_INSTALLED) and not is_gallery(file)):
        return False
    if {"add", "at"} <= set(code.co_names):
        return True
    return any(instruction.opname in _WRITES for instruction in dis.get_instructions(code))
