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


@contextmanager
def canvases(blank: Callable[[tuple[int, ...], Any], Any]) -> Iterator[None]:
    """Meanwhile ``np.zeros``, ``ones`` and ``full`` give the user ``blank(shape, number)``.

    A NumPy array cannot hold a tensor, and what NumPy's makers give cannot be chosen from outside;
    so their names are rebound, for callers in this thread that are the user's own functions and
    write into arrays by ``a[...] = ...`` or ``np.add.at``. All others, NumPy and the frameworks
    among them, get what they always get.
    """
    thread = threading.get_ident()
    originals = {name: getattr(np, name) for name in MAKERS}

    def made(name: str) -> Callable[..., Any]:
        original, read = originals[name], MAKERS[name]

        @functools.wraps(original)
        def make(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == thread and _writes_into_arrays(_getframe(1).f_code):
                try:
                    signature(read).bind(*args, **kwargs)
                except TypeError:
                    return original(*args, **kwargs)
                shape, number, dtype = read(*args, **kwargs)
                shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
                if np.ndim(number) == 0 and (dtype is None or np.dtype(dtype).kind == "f"):
                    return blank(shape, number)
            return original(*args, **kwargs)

        return make

    for name in MAKERS:
        setattr(np, name, made(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(np, name, original)


@lru_cache(maxsize=4096)
def _writes_into_arrays(code: CodeType) -> bool:
    """Whether this is code of the user's with ``a[...] = ...`` or ``np.add.at(a, ...)`` in it."""
    file = code.co_filename
    if is_ours(file) or (file.startswith(_INSTALLED) and not is_gallery(file)):
        return False
    if {"add", "at"} <= set(code.co_names):
        return True
    return any(instruction.opname in _WRITES for instruction in dis.get_instructions(code))
