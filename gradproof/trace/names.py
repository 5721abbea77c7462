"""The user's local variables to the names of values.

The tracer looks at the locals of the running user function at every operation, and once more
when all is done: a frame that is kept alive keeps its locals. So names need no source, no
settrace and no rewriting, and a debugger or coverage is not disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FrameType
from typing import Any


@dataclass(slots=True, eq=False)
class Namer:
    """What the user calls each value: the outermost function's name for it, seen first, wins."""

    root: FrameType | None = None
    kind: type = object
    frames: dict[int, tuple[FrameType, int]] = field(default_factory=dict)
    best: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)

    def look(self, frame: FrameType | None) -> None:
        """Notes the tensors among a frame's locals."""
        if frame is None:
            return
        known = self.frames.get(id(frame))
        if known is None:
            known = (frame, self._depth(frame))
            self.frames[id(frame)] = known
        if known[1] < 0:
            return
        for name, value in frame.f_locals.items():
            if type(value) is self.kind:
                self._note(value.node.number, known[1], name)

    def finish(self) -> dict[str, Any]:
        """Looks a last time, into lists and dictionaries too; the outermost function's locals.

        No frame is held after that: frames hold all that was alive when they ran, and themselves.
        """
        outermost: dict[str, Any] = {}
        for frame, depth in list(self.frames.values()):
            self.look(frame)
            if depth == 0:
                outermost = {**frame.f_locals, **outermost}
        for frame, depth in self.frames.values():
            if depth >= 0:
                for name, value in frame.f_locals.items():
                    self._look_inside(name, value, depth)
        self.release()
        return outermost

    def release(self) -> None:
        """Lets all frames go."""
        self.root = None
        self.frames.clear()

    def keep(self, number: int) -> None:
        """Lets a value have the name that it has now, whatever outer variables call it."""
        for frame, depth in list(self.frames.values()):
            if depth > 0:
                self.look(frame)
        if number in self.best:
            self.kept.add(number)

    def suggest(self, number: int, name: str) -> None:
        """A name for a value that has none."""
        self.best.setdefault(number, (2000, len(self.best), name))

    def forget(self, number: int) -> None:
        """Drops the name of a value that no variable holds any more."""
        self.best.pop(number, None)

    def _look_inside(self, name: str, value: Any, depth: int) -> None:
        # Inside a container a name counts less than any plain local of any function.
        deep = 1000 + depth
        if isinstance(value, list | tuple):
            for number, item in enumerate(value, 1):
                if type(item) is self.kind:
                    self._note(item.node.number, deep, f"{name}[{number}]")
        elif isinstance(value, dict):
            for key, item in value.items():
                if type(item) is self.kind and isinstance(key, str) and key.isidentifier():
                    self._note(item.node.number, deep, key)

    def _note(self, number: int, depth: int, name: str) -> None:
        old = self.best.get(number)
        if old is None or (depth < old[0] and number not in self.kept):
            self.best[number] = (depth, len(self.best), name)

    def _depth(self, frame: FrameType) -> int:
        depth = 0
        above: FrameType | None = frame
        while above is not None and above is not self.root:
            above = above.f_back
            depth += 1
        return depth - 1 if above is not None else -1


def distinct(wanted: dict[int, str], taken: set[str]) -> dict[int, str]:
    """One name for each value: a name wanted by several is numbered, ``a[1], a[2], …``.

    A name in `taken` (an input's) is kept for its owner, and the others are numbered.
    """
    by_name: dict[str, list[int]] = {}
    for number in sorted(wanted):
        by_name.setdefault(wanted[number], []).append(number)
    chosen: dict[int, str] = {}
    used = set(taken)
    for name, numbers in by_name.items():
        if len(numbers) == 1 and name not in used:
            chosen[numbers[0]] = name
            used.add(name)
            continue
        count = 0
        for number in numbers:
            count += 1
            while f"{name}[{count}]" in used:
                count += 1
            chosen[number] = f"{name}[{count}]"
            used.add(chosen[number])
    return chosen
