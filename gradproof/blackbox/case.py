"""A black box beside its reference: all that its questions are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gradproof.core.program import Tensor
from gradproof.engines.black_box import Answer, Question, as_real
from gradproof.engines.contract import Contract
from gradproof.engines.engine import Argument, Engine
from gradproof.judge.box_call import Caller
from gradproof.judge.reference import Data, Reference


@dataclass(frozen=True, slots=True)
class Case:
    """One black box beside its reference, and all that its questions are made of.

    ``lists`` are the function's parameters with the number of tensors of each that is a list, 0 of
    one that is a tensor; ``data(k)`` are those of draw number k. ``written`` is the reference as it
    was given. Of the second order the function is a backward pass, and its values are the gradients
    of the inputs ``first``; else that is empty.
    """

    function: Any
    machine: Engine
    reference: Reference
    inputs: tuple[Tensor, ...]
    lists: tuple[tuple[str, int], ...]
    wanted: tuple[str, ...]
    data: Callable[[int], Data]
    dtype: str
    contract: Contract
    device: str
    caller: Caller
    written: Callable[..., Any]
    first: tuple[str, ...] = ()

    def question(self, data: Data, *, frozen: str = "", **changes: Any) -> Question:
        """The call with these data, where the gradient of the `frozen` input is not asked for."""
        waiting = iter(self.inputs)
        arguments: list[Argument] = [
            [data.inputs[next(waiting).name] for _ in range(count)]
            if count
            else data.inputs[next(waiting).name]
            for _, count in self.lists
        ]
        wanted = tuple(t.name in self.wanted and t.name != frozen for t in self.inputs)
        names = tuple(name for name, _ in self.lists)
        asked = {"dtype": self.dtype, "device": self.device, "names": names, **changes}
        return Question(tuple(arguments), wanted, data.upstream, **asked)

    def ask(self, data: Data, **changes: Any) -> Answer:
        """What the black box answers.

        Raises:
            BoxFailed: it does not.
        """
        found = self.caller.call(self.machine, self.function, self.question(data, **changes))
        returned = (*found.values, *found.gradients)
        if not any(one.array is not None and one.array.dtype.kind == "c" for one in returned):
            return found
        return replace(
            found,
            values=tuple(map(as_real, found.values)),
            gradients=tuple(map(as_real, found.gradients)),
            reread=lambda: tuple(map(as_real, found.reread())),
        )

    def gradients(self, frozen: str = "") -> tuple[str, ...]:
        """The inputs whose gradients an answer has, in order."""
        return tuple(t.name for t in self.inputs if t.name in self.wanted and t.name != frozen)
