"""Calls of a black box, for a limited time."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradproof.core.told import told
from gradproof.engines.black_box import Answer, BoxFailed, Question
from gradproof.engines.engine import Engine

MOMENT = 0.5
"""Seconds in which a stopped thread may leave a framework: a process that ends meanwhile aborts."""


@dataclass(slots=True, eq=False)
class Caller:
    """Calls a black box, each time for so many seconds at the most, or without a limit.

    After one call that does not return there is no other.
    """

    timeout: float | None = None
    stuck: bool = False

    def call(self, machine: Engine, box: Callable[..., Any], question: Question) -> Answer:
        """What the black box answers.

        Raises:
            BoxFailed: it does not; says why.
        """
        if self.stuck:
            raise BoxFailed("it is not called again, because it does not return")
        if self.timeout is None:
            return machine.pull(box, question)
        answers: list[Answer] = []
        problems: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(machine.pull(box, question))
            except (BoxFailed, Stopped) as problem:  # raised again by the thread that waits
                problems.append(problem)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self.timeout)
        if thread.is_alive():
            self.stuck = True
            _stop(thread)
            thread.join(MOMENT)
            raise BoxFailed(told("it does not return within {seconds:g} s", seconds=self.timeout))
        if problems:
            raise problems[0]
        if not answers:
            raise RuntimeError("The thread that calls the function ended without an answer.")
        return answers[0]


class Stopped(BaseException):
    """Thrown into a thread that does not return."""


def _stop(thread: threading.Thread) -> None:
    """Ends a thread at its next line of Python; one that hangs inside a library stays there, and
    does not keep the process from ending."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped)
        )
