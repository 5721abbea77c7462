"""What a verdict says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["proved", "agrees", "refuted", "undecided", "derived"]


@dataclass(frozen=True, slots=True)
class CounterExample:
    """One element at which two certified intervals are disjoint."""

    index: tuple[int, ...]
    claimed: str
    true: str
    bits: int


@dataclass(frozen=True, slots=True)
class FormulaVerdict:
    """What is known of a formula over the real numbers.

    ``derived`` stands where there is no formula of the user's to judge. ``inherited`` means that
    the formula itself is right and only builds on an earlier mistake. A proof says by which
    ``method``, for which sizes (``scope``), under which ``hypotheses``, and how probable it is
    (``error``) that it is wrong. ``certificate`` is the text of a file that proves a refutation by
    itself, where one was asked for.
    """

    kind: Kind
    because: str = ""
    inherited: bool = False
    hypotheses: tuple[str, ...] = ()
    method: str = ""
    scope: str = ""
    error: float = 0.0
    counter_example: CounterExample | None = None
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """What is known of an engine's numbers for one tensor.

    ``share`` is the largest difference from the exact stage as a share of the bound that a correct
    engine may reach; ``digits`` is how many decimal digits at least are in common with the true
    tensor, end to end, in the largest norm; ``power`` the share of elements at which a small
    relative error would not have passed (1e-3; a quarter in 16 bits). ``worst`` is the index at
    which ``share`` is reached.
    """

    kind: Kind
    share: float
    digits: float
    power: float
    worst: tuple[int, ...] = ()
    because: str = ""
