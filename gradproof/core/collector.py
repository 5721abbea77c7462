"""Python's cyclic garbage collector, at rest while code runs that makes no cycles."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def without_collector(function: Callable[P, R]) -> Callable[P, R]:
    """A function during which no search for garbage is begun.

    A growing program is all alive, and each search walks through it again: at 4000 layers that is a
    third of the time. Only for functions that call nothing of the user's and make no cycles.
    """

    @wraps(function)
    def resting(*arguments: P.args, **options: P.kwargs) -> R:
        if not gc.isenabled():  # by the user, or by another thread that is here too
            return function(*arguments, **options)
        gc.disable()
        try:
            return function(*arguments, **options)
        finally:
            gc.enable()

    return resting
