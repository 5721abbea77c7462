"""A running black box to the tensors that its own code gives names to.

Local variables are read when a function of the user's returns, by the interpreter's profile hook;
no source is read, and nothing is rewritten. Which line gave a variable its value is what the trace
hook saw last, if no debugger has that hook. The attributes of a layer's `self` and of a `ctx` count
too, and so do the entries of a dictionary of gradients.
"""

from __future__ import annotations

import dis
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

from gradproof.core.errors import Place
from gradproof.engines.black_box import Returned
from gradproof.prims.caller import is_ours, place_of, user_frame

OWNERS = ("self", "ctx")
"""Local variables whose attributes are looked at."""

GRADIENTS = ("grads", "grad", "gradients")
"""Local dictionaries whose entries are gradients: ``grads["z1"]`` is ``dz1``."""

_LIBRARIES = tuple(
    os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")
)


@dataclass(frozen=True, slots=True)
class Caught:
    """A tensor as it was when the function that names it returned; ``place`` is the line that gave
    it the name, where that is known. ``told`` says that `named` gave the name."""

    name: str
    value: Returned
    function: str
    place: Place | None
    told: bool = False


Listener = Callable[[str, Any], None]

_LISTENING: list[Listener] = []
"""Who is told of tensors that get a name by `named`."""


def named(name: str, tensor: Any) -> Any:
    """The tensor itself; where `gradproof.check` looks into a function, it has this name there.

    Args:
        name: a value's name in the paper, or that with ``d`` or ``dl_d`` before it for its
            gradient.
        tensor: of whatever framework.
    """
    for listener in _LISTENING:
        listener(name, tensor)
    return tensor


@contextmanager
def watching(
    wanted: Callable[[str], bool], read: Callable[[Any], Returned], found: list[Caught]
) -> Iterator[None]:
    """Meanwhile, what functions of the user's call by a wanted name is read when they return.

    Args:
        wanted: whether a name matters.
        read: a tensor to an array.
        found: what is read is added to it, in order.
    """

    ran: dict[FrameType, dict[int, int]] = {}  # of each frame its lines, with when each ran last

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and _is_users(frame.f_code):
            found.extend(_named(frame, wanted, read, ran.pop(frame, {})))

    def follow(frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            return follow if _is_users(frame.f_code) else None
        lines = ran.setdefault(frame, {})
        lines[frame.f_lineno] = max(lines.values(), default=0) + 1
        return follow

    def hear(name: str, tensor: Any) -> None:
        if wanted(name) and _is_tensor(tensor):
            frame = user_frame()
            function = frame.f_code.co_qualname.rpartition("<locals>.")[2] if frame else ""
            found.append(Caught(name, read(tensor), function, place_of(frame), told=True))

    before, tracing = sys.getprofile(), sys.gettrace()
    sys.setprofile(look)
    if tracing is None:
        sys.settrace(follow)
    _LISTENING.append(hear)
    try:
        yield
    finally:
        _LISTENING.remove(hear)
        sys.settrace(tracing)
        sys.setprofile(before)


def _is_users(code: CodeType) -> bool:
    file = code.co_filename
    return not is_ours(file) and not os.path.realpath(file).startswith(_LIBRARIES)


def _named(
    frame: FrameType,
    wanted: Callable[[str], bool],
    read: Callable[[Any], Returned],
    ran: Mapping[int, int],
) -> Iterator[Caught]:
    function = frame.f_code.co_qualname.rpartition("<locals>.")[2]
    local = dict(frame.f_locals)
    for name, value in local.items():
        if wanted(name) and _is_tensor(value):
            line = _bound_at(frame.f_code, name, ran)
            yield Caught(name, read(value), function, line and place_of(frame, line))
    for owner in OWNERS:
        held = getattr(local.get(owner), "__dict__", {})
        for name, value in held.items():
            if wanted(name) and name not in local and _is_tensor(value):
                yield Caught(name, read(value), f"{function}: {owner}", None)
    for owner in GRADIENTS:
        held = local.get(owner)
        for key, value in held.items() if isinstance(held, dict) else ():
            spelled = next((n for n in (f"d{key}", str(key)) if wanted(n)), None)
            if spelled is not None and spelled not in local and _is_tensor(value):
                yield Caught(spelled, read(value), f"{function}: {owner}", None)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, "dtype") and hasattr(value, "shape"))


def _bound_at(code: CodeType, name: str, ran: Mapping[int, int]) -> int | None:
    """The line on which a function gave a local variable its value: of those that do, the one that
    ran last; where that is not known, the last one."""
    lines = [
        one.positions.lineno
        for one in dis.get_instructions(code)
        if one.opname.startswith("STORE_") and name in _names(one.argval) and one.positions
    ]
    known = [line for line in lines if line is not None]
    return max(known, key=lambda line: (ran.get(line, 0), line), default=None)


def _names(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
